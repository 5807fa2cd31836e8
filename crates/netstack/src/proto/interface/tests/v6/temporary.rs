//! Temporary addresses at work.

use super::groups::{ROUTER, SECOND, sent};
use super::{icmp, v6};
use crate::proto::Instant;
use crate::proto::interface::tests::{MACS, stack};
use crate::proto::interface::{Interface, Ipv6};
use core::net::{IpAddr, Ipv6Addr};
use core::time::Duration;
use std::collections::HashSet;

const HOUR: Duration = Duration::from_secs(3600);
const START: Instant = Instant::from_nanos(0);

fn settings() -> Ipv6 {
    Ipv6::default().dad_transmits(0).temporary(true)
}

/// A router advertises itself, and 2001:db8:1::/64 for so many seconds.
fn advertise(stack: &mut Interface, now: Instant, preferred: u32, valid: u32) {
    advertise_of(stack, now, "2001:db8:1::", (preferred, valid));
}

fn advertise_of(stack: &mut Interface, now: Instant, prefix: &str, lifetimes: (u32, u32)) {
    let (preferred, valid) = lifetimes;
    let mut message = vec![134, 0, 0, 0, 64, 0, 0x23, 0x28];
    message.extend([0; 8]);
    message.extend([3, 4, 64, 0xc0]);
    message.extend(valid.to_be_bytes());
    message.extend(preferred.to_be_bytes());
    message.extend([0; 4]);
    message.extend(v6(prefix).octets());
    let frame = icmp(ROUTER, v6("ff02::1"), 255, &message);
    stack.handle_frame(now, frame.into(), &mut |_: &[u8]| {});
}

/// Our addresses under the prefix, in the order in which they were made: the stable one first.
fn ours(stack: &Interface) -> Vec<Ipv6Addr> {
    let addresses = stack.addresses().into_iter().filter_map(|it| it.v6());
    let global = addresses.filter(|it| it.address().segments()[..3] == [0x2001, 0xdb8, 1]);
    global.map(|it| it.address()).collect()
}

/// From where a connection to another network would come.
fn source(stack: &Interface, now: Instant) -> Option<IpAddr> {
    let far = v6("2001:db8:9::1").into();
    stack.source_for(now, far).map(|it| it.address)
}

#[test]
fn rfc8981_3_4_a_temporary_address_is_made_on_request_and_preferred() {
    for asked in [false, true] {
        let mut stack = stack(0);
        stack.start_ipv6(START, &settings().temporary(asked));
        advertise(&mut stack, START, 7 * 86_400, 30 * 86_400);
        let ours = ours(&stack);
        assert_eq!(ours.len(), 1 + usize::from(asked));
        let expected = *ours.last().expect("one");
        assert_eq!(
            source(&stack, START),
            Some(expected.into()),
            "RFC 6724 §5, rule 7"
        );
        // The router says so again: there is one still.
        advertise(&mut stack, START + SECOND, 7 * 86_400, 30 * 86_400);
        assert_eq!(self::ours(&stack), ours);
    }
}

#[test]
fn rfc8981_3_5_each_day_another_is_made_before_the_last_is_deprecated_and_after_two_it_goes() {
    let mut stack = stack(0);
    stack.start_ipv6(START, &settings());
    let (mut seen, mut sources) = (HashSet::new(), HashSet::new());
    let mut now = START;
    for _ in 0..10 * 24 {
        advertise(&mut stack, now, 7 * 86_400, 30 * 86_400);
        sent(&mut stack, now, HOUR - SECOND);
        now += HOUR;
        let ours = ours(&stack);
        assert!((2..=5).contains(&ours.len()), "{ours:?}");
        seen.extend(ours.iter().skip(1).copied());
        let source = source(&stack, now).expect("a router");
        assert_ne!(source, IpAddr::V6(ours[0]), "never the stable one");
        sources.insert(source);
    }
    // The time that is preferred is shortened by up to two fifths.
    assert!((10..=17).contains(&seen.len()), "{}", seen.len());
    assert_eq!(sources.len(), seen.len());
}

#[test]
fn rfc8981_3_4_lifetimes_that_are_too_short_make_none_and_many_are_bounded() {
    let mut stack = stack(0);
    stack.start_ipv6(START, &settings());
    advertise(&mut stack, START, 1, 30 * 86_400);
    assert_eq!(ours(&stack).len(), 1);
    let mut now = START;
    for _ in 0..1000 {
        advertise(&mut stack, now, 4, 30 * 86_400);
        sent(&mut stack, now, 5 * SECOND);
        now += 6 * SECOND;
    }
    assert!((30..=33).contains(&ours(&stack).len()));
}

#[test]
fn rfc8981_3_4_step_7_a_duplicate_is_followed_by_another_three_times() {
    let mut stack = stack(0);
    stack.start_ipv6(START, &settings().dad_transmits(1));
    let mut now = START + 5 * SECOND;
    sent(&mut stack, START, 5 * SECOND);
    advertise(&mut stack, now, 7 * 86_400, 30 * 86_400);
    let refused = refuse(&mut stack, &mut now, [0x2001, 0xdb8, 1]);
    assert_eq!(refused.len(), 4, "the first, and three");
    sent(&mut stack, now, 5 * SECOND);
    assert_eq!(ours(&stack).len(), 1, "the stable one");
    advertise(&mut stack, now + 6 * SECOND, 7 * 86_400, 30 * 86_400);
    sent(&mut stack, now + 6 * SECOND, 5 * SECOND);
    assert_eq!(ours(&stack).len(), 1, "no more on this link");
}

/// Another station has all temporary addresses under a prefix that are asked for in the next seconds.
fn refuse(stack: &mut Interface, now: &mut Instant, prefix: [u16; 3]) -> HashSet<Ipv6Addr> {
    let mut refused = HashSet::new();
    for _ in 0..6 {
        let frames = sent(stack, *now, SECOND / 2);
        *now += SECOND / 2;
        // A solicitation from nobody asks for a tentative address: of the stable one nobody says anything.
        let asked = frames
            .iter()
            .filter(|(_, frame)| frame.len() > 78 && frame[54] == 135);
        let targets = asked.filter_map(|(_, frame)| {
            let octets: [u8; 16] = frame[62..78].try_into().ok()?;
            Some(Ipv6Addr::from(octets)).filter(|it| it.segments()[..3] == prefix)
        });
        let targets: Vec<_> = targets.collect();
        for target in targets.into_iter().skip(usize::from(refused.is_empty())) {
            refused.insert(target);
            let mut message = vec![136, 0, 0, 0, 0x20, 0, 0, 0];
            message.extend(target.octets());
            message.extend([2, 1]);
            message.extend(MACS[1].0);
            let claim = icmp(target, v6("ff02::1"), 255, &message);
            stack.handle_frame(*now, claim.into(), &mut |_: &[u8]| {});
        }
    }
    refused
}

/// Runs the timers of two days, and a bit.
fn goes_by(stack: &mut Interface, mut now: Instant) {
    let end = now + 50 * HOUR;
    while let Some(at) = stack.poll_at(now).filter(|at| *at < end) {
        stack.poll(at, 64, &mut |_: &[u8]| {});
        let next = stack.poll_at(at);
        assert!(next.is_none_or(|next| next > at), "{next:?} at {at:?}");
        now = at;
    }
}

#[test]
fn rfc8981_3_5_what_is_followed_by_none_asks_for_no_time_at_once() {
    // The stable address of its prefix goes.
    let mut stack = stack(0);
    stack.start_ipv6(START, &settings());
    advertise(&mut stack, START, 7 * 86_400, 30 * 86_400);
    let [stable, _] = ours(&stack)[..] else {
        panic!("two")
    };
    assert!(stack.remove_address(START, stable));
    goes_by(&mut stack, START);
    // No more are made on the link, for those under another prefix are refused.
    let mut stack = self::stack(0);
    stack.start_ipv6(START, &settings().dad_transmits(1));
    let mut now = START + 5 * SECOND;
    sent(&mut stack, START, 5 * SECOND);
    advertise(&mut stack, now, 7 * 86_400, 30 * 86_400);
    sent(&mut stack, now, 5 * SECOND);
    now += 5 * SECOND;
    advertise_of(&mut stack, now, "2001:db8:2::", (7 * 86_400, 30 * 86_400));
    assert_eq!(refuse(&mut stack, &mut now, [0x2001, 0xdb8, 2]).len(), 4);
    assert_eq!(ours(&stack).len(), 2);
    goes_by(&mut stack, now);
}
