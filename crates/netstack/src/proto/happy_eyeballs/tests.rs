use super::{Attempts, Step};
use crate::proto::Instant;
use crate::proto::ip::Family;
use core::net::IpAddr;
use core::time::Duration;

const START: Instant = Instant::from_nanos(1_000_000_000);

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// What is told, and when, in milliseconds.
enum Told<'a> {
    Answer(Family, &'a [&'a str]),
    Failure,
}

use Family::{V4, V6};
use Told::{Answer, Failure};

/// IPv6 before IPv4, and otherwise as it is.
fn sort(addresses: &mut [IpAddr]) {
    addresses.sort_by_key(|address| address.is_ipv4());
}

/// Goes through what is told and the times that are waited for; the attempts, with their milliseconds, and when all
/// had failed.
fn attempts(told: &[(u64, Told<'_>)]) -> (Vec<(u64, String)>, Option<u64>) {
    let mut attempts = Attempts::new(&[V6, V4]);
    let (mut now, mut told) = (START, told.iter().peekable());
    let mut made = Vec::new();
    for _ in 0..1000 {
        while let Some((at, what)) = told.next_if(|(at, _)| START + ms(*at) <= now) {
            match what {
                Answer(family, addresses) => {
                    let addresses: Vec<_> = addresses.iter().map(|text| ip(text)).collect();
                    attempts.answered(START + ms(*at), *family, &addresses, sort);
                }
                Failure => attempts.failed(START + ms(*at)),
            }
        }
        let since = (now - START).as_millis() as u64;
        let next = match attempts.poll(now) {
            Step::Connect(address) => {
                made.push((since, address.to_string()));
                continue;
            }
            Step::Failed => return (made, Some(since)),
            Step::Wait(next) => {
                assert!(next.is_none_or(|next| next > now));
                next
            }
        };
        let told = told.peek().map(|(at, _)| START + ms(*at));
        match next.into_iter().chain(told).min() {
            Some(next) => now = next,
            None => return (made, None),
        }
    }
    panic!("it does not end")
}

fn made(told: &[(u64, Told<'_>)]) -> Vec<(u64, String)> {
    attempts(told).0
}

fn expected(attempts: &[(u64, &str)]) -> Vec<(u64, String)> {
    let owned = attempts.iter().map(|(at, text)| (*at, (*text).to_owned()));
    owned.collect()
}

#[test]
fn rfc8305_3_ipv6_that_comes_first_is_tried_at_once() {
    let told = [
        (20, Answer(V6, &["2001:db8::1"])),
        (30, Answer(V4, &["192.0.2.1"])),
    ];
    assert_eq!(
        made(&told),
        expected(&[(20, "2001:db8::1"), (270, "192.0.2.1")])
    );
}

#[test]
fn rfc8305_3_ipv4_that_comes_first_waits_fifty_milliseconds_for_ipv6() {
    let v4 = |at| (at, Answer(V4, &["192.0.2.1"][..]));
    let v6 = |at| (at, Answer(V6, &["2001:db8::1"][..]));
    assert_eq!(
        made(&[v4(10), v6(59)]),
        expected(&[(59, "2001:db8::1"), (309, "192.0.2.1")])
    );
    assert_eq!(
        made(&[v4(10), v6(61)]),
        expected(&[(60, "192.0.2.1"), (310, "2001:db8::1")])
    );
    // No longer than IPv6 takes to say that it has none.
    assert_eq!(
        made(&[v4(10), (25, Answer(V6, &[]))]),
        expected(&[(25, "192.0.2.1")])
    );
    // And an answer that never comes holds nothing up.
    assert_eq!(made(&[v4(10)]), expected(&[(60, "192.0.2.1")]));
}

#[test]
fn rfc8305_4_families_take_turns() {
    let told = [
        (
            0,
            Answer(V6, &["2001:db8::1", "2001:db8::2", "2001:db8::3"]),
        ),
        (0, Answer(V4, &["192.0.2.1", "192.0.2.2"])),
    ];
    let turns = [
        (0, "2001:db8::1"),
        (250, "192.0.2.1"),
        (500, "2001:db8::2"),
        (750, "192.0.2.2"),
        (1000, "2001:db8::3"),
    ];
    assert_eq!(made(&told), expected(&turns));
}

#[test]
fn rfc8305_4_what_comes_later_is_put_among_the_others() {
    let told = [
        (0, Answer(V6, &["2001:db8::1", "2001:db8::2"])),
        (300, Answer(V4, &["192.0.2.1"])),
    ];
    let turns = [(0, "2001:db8::1"), (250, "2001:db8::2"), (500, "192.0.2.1")];
    assert_eq!(made(&told), expected(&turns));
}

#[test]
fn rfc8305_5_a_failure_brings_the_next_attempt_at_once() {
    let told = [
        (0, Answer(V6, &["2001:db8::1", "2001:db8::2"])),
        (0, Answer(V4, &["192.0.2.1"])),
        (40, Failure),
        (50, Failure),
    ];
    let (attempts, failed) = attempts(&told);
    assert_eq!(
        attempts,
        expected(&[(0, "2001:db8::1"), (40, "192.0.2.1"), (50, "2001:db8::2")])
    );
    assert_eq!(failed, None, "one is under way");
}

#[test]
fn it_has_failed_when_every_attempt_and_every_answer_has() {
    let told = [
        (5, Answer(V4, &[])),
        (10, Answer(V6, &["2001:db8::1"])),
        (40, Failure),
    ];
    assert_eq!(
        attempts(&told),
        (expected(&[(10, "2001:db8::1")]), Some(40))
    );
    let told = [(5, Answer(V4, &[])), (9, Answer(V6, &[]))];
    assert_eq!(attempts(&told), (Vec::new(), Some(9)));
    // IPv6's answer is waited for when all of IPv4's have failed.
    let told = [
        (0, Answer(V4, &["192.0.2.1"])),
        (60, Failure),
        (900, Answer(V6, &["2001:db8::1"])),
        (950, Failure),
    ];
    let turns = [(50, "192.0.2.1"), (900, "2001:db8::1")];
    assert_eq!(attempts(&told), (expected(&turns), Some(950)));
}

#[test]
fn no_address_is_tried_twice() {
    let told = [
        (0, Answer(V4, &["192.0.2.1", "192.0.2.1"])),
        (80, Answer(V6, &["192.0.2.1"])),
        (90, Failure),
    ];
    assert_eq!(attempts(&told), (expected(&[(50, "192.0.2.1")]), Some(90)));
}
