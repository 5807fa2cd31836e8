//! Routers that do not answer, and what leads beyond the link.

use super::discovery::{advertise, discovery, give, prefix, young};
use super::{Ipv6, Ipv6Addr, OURS, Pair, Route, cidr, connect, dual, icmp, link_local, v6};
use crate::proto::ip::v6::ALL_NODES;
use crate::proto::link::nd::Message;
use core::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
/// The preference of a router in its advertisement (RFC 4191 §2.2).
const HIGH: u8 = 0x08;
/// One that does not answer, unless it is said to.
const DEAD: u8 = 0xdd;

fn address(router: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, router.into())
}

/// The option that says where a router is.
fn station(router: u8) -> [u8; 8] {
    [1, 1, 2, 0, 0, 0, 1, router]
}

fn says(pair: &mut Pair, router: u8, lifetime: u16, flags: u8, options: &[&[u8]]) {
    let advertisement = advertise(lifetime, flags, options);
    let frame = icmp(address(router), ALL_NODES, 255, &advertisement[54..]);
    give(pair, frame);
}

/// One that leads to all there is, by longer prefixes than that of a default router.
fn leads_everywhere(pair: &mut Pair, router: u8) {
    let half = |first: u8| {
        [
            24, 2, 1, 0, 0xff, 0xff, 0xff, 0xff, first, 0, 0, 0, 0, 0, 0, 0,
        ]
    };
    says(pair, router, 0, 0, &[&half(0), &half(0x80)]);
}

/// A router answers that it is there.
fn answers(pair: &mut Pair, router: u8) {
    let mut message = vec![136, 0, 0, 0, 0xe0, 0, 0, 0];
    message.extend(address(router).octets());
    message.extend([2, 1, 2, 0, 0, 0, 1, router]);
    let to = link_local(&pair.stacks[0]);
    give(pair, icmp(address(router), to, 255, &message));
}

/// By whom a packet goes: to whom a frame is, or whom it asks for; the last octet of either.
fn by(pair: &mut Pair, destination: &str) -> Option<u8> {
    let frame = pair.call(0, |stack, now, out| {
        let sent = stack.send_echo_request(now, v6(destination), 1, 1, b"", out);
        sent.ok()?;
        out.0.pop()
    })?;
    match discovery(&frame) {
        Some((_, Message::Solicitation { target }, _)) => target.octets().last().copied(),
        _ => Some(frame[5]),
    }
}

fn silent() -> Pair {
    let mut pair = young(&Ipv6::default().dad_transmits(0));
    // Reports of groups are no more to come.
    pair.run(5 * SECOND);
    pair
}

fn give_default(pair: &mut Pair, destination: &str, router: u8) {
    let route = Route {
        destination: cidr(destination),
        gateway: address(router).into(),
    };
    assert!(pair.stacks[0].add_route(route));
}

#[test]
fn rfc4191_3_2_a_route_by_a_router_that_does_not_answer_is_passed_over() {
    for given in [false, true] {
        let mut pair = silent();
        match given {
            true => give_default(&mut pair, "::/0", 1),
            false => says(&mut pair, 1, 1800, 0, &[&station(1)]),
        }
        leads_everywhere(&mut pair, DEAD);
        assert_eq!(by(&mut pair, "2001:db8::1"), Some(DEAD));
        pair.run(4 * SECOND);
        assert_eq!(by(&mut pair, "2001:db8::1"), Some(1));
        assert_eq!(by(&mut pair, "9000::1"), Some(1).filter(|_| !given));
        answers(&mut pair, 1);
        // What it says again, or of others, is not believed before it answers.
        leads_everywhere(&mut pair, DEAD);
        let more = [
            24, 2, 16, 0, 0xff, 0xff, 0xff, 0xff, 0x20, 1, 0, 0, 0, 0, 0, 0,
        ];
        says(&mut pair, DEAD, 0, 0, &[&more]);
        pair.run(SECOND / 10);
        assert_eq!(by(&mut pair, "2001:db8::1"), Some(1));
        answers(&mut pair, DEAD);
        assert_eq!(by(&mut pair, "2001:db8::1"), Some(DEAD));
    }
}

#[test]
fn rfc4861_7_3_2_a_router_that_is_only_asked_whether_it_is_there_has_not_failed() {
    // Beside one that is known to have failed.
    let mut pair = silent();
    says(&mut pair, DEAD, 1800, HIGH, &[&station(DEAD)]);
    says(&mut pair, 1, 1800, 0, &[&station(1)]);
    assert_eq!(by(&mut pair, "2001:db8::1"), Some(DEAD));
    pair.run(9 * SECOND);
    assert_eq!(by(&mut pair, "2001:db8::1"), Some(1));
    pair.run(11 * SECOND / 2);
    assert_eq!(by(&mut pair, "2001:db8::1"), Some(1));
    // And beside a shorter route that was given.
    let mut pair = silent();
    give_default(&mut pair, "::/0", 2);
    let route = [
        24, 2, 8, 0, 0xff, 0xff, 0xff, 0xff, 0xfd, 0, 0, 0, 0, 0, 0, 0,
    ];
    says(&mut pair, 1, 0, 0, &[&station(1), &route]);
    assert_eq!(by(&mut pair, "fd12::1"), Some(1));
    pair.run(11 * SECOND / 2);
    assert_eq!(by(&mut pair, "fd12::1"), Some(1));
    pair.run(4 * SECOND);
    assert_eq!(by(&mut pair, "fd12::1"), Some(2));
}

#[test]
fn rfc4191_3_5_a_router_that_is_passed_over_is_asked_once_a_minute_while_it_is_wanted() {
    let mut pair = silent();
    says(&mut pair, 1, u16::MAX, 0, &[&station(1)]);
    leads_everywhere(&mut pair, DEAD);
    assert_eq!(by(&mut pair, "2001:db8::1"), Some(DEAD));
    pair.run(4 * SECOND);
    let asked = |pair: &Pair| pair.stacks[0].counters().nd.out_solicits;
    // Nothing is to be sent.
    let before = asked(&pair);
    pair.run(1000 * SECOND);
    assert_eq!(asked(&pair), before);
    for _ in 0..120 {
        assert_eq!(by(&mut pair, "2001:db8::1"), Some(1));
        answers(&mut pair, 1);
        pair.run(5 * SECOND);
    }
    let often = asked(&pair) - before;
    assert!((9..=12).contains(&often), "{often} in ten minutes");
    for _ in 0..40 {
        let before = asked(&pair);
        by(&mut pair, "2001:db8::1");
        answers(&mut pair, 1);
        pair.run(SECOND / 2);
        if asked(&pair) > before {
            answers(&mut pair, DEAD);
            assert_eq!(by(&mut pair, "2001:db8::1"), Some(DEAD));
            return;
        }
        pair.run(5 * SECOND);
    }
    panic!("it was not asked");
}

#[test]
fn rfc4191_3_5_what_does_not_want_a_router_that_is_passed_over_does_not_put_off_that_it_is_asked() {
    let mut pair = silent();
    says(&mut pair, 1, u16::MAX, 0, &[&station(1)]);
    let route = [
        24, 2, 8, 0, 0xff, 0xff, 0xff, 0xff, 0x20, 0, 0, 0, 0, 0, 0, 0,
    ];
    says(&mut pair, DEAD, 0, 0, &[&route]);
    assert_eq!(by(&mut pair, "2001:db8::1"), Some(DEAD));
    pair.run(4 * SECOND);
    let asked = |pair: &Pair| pair.stacks[0].counters().nd.out_solicits;
    let before = asked(&pair);
    for _ in 0..60 {
        assert_eq!(by(&mut pair, "9000::1"), Some(1));
        answers(&mut pair, 1);
        pair.run(4 * SECOND);
    }
    assert_eq!(asked(&pair), before);
    assert_eq!(by(&mut pair, "2001:db8::1"), Some(1));
    pair.run(SECOND / 10);
    assert_eq!(asked(&pair), before + 1);
    answers(&mut pair, DEAD);
    assert_eq!(by(&mut pair, "2001:db8::1"), Some(DEAD));
}

#[test]
fn rfc4191_3_2_a_router_of_which_nothing_is_known_is_taken_to_be_there_and_one_that_failed_is_not()
{
    let mut pair = silent();
    says(&mut pair, 0xa, 1800, HIGH, &[&station(0xa)]);
    says(&mut pair, 0xb, 1800, 0, &[]);
    assert_eq!(by(&mut pair, "2001:db8::1"), Some(0xa));
    pair.run(9 * SECOND);
    assert_eq!(by(&mut pair, "2001:db8::2"), Some(0xb));
    answers(&mut pair, 0xb);
    // Another is preferred, and another is not.
    says(&mut pair, 0xc, 1800, HIGH, &[]);
    says(&mut pair, 0xd, 1800, 0, &[]);
    assert_eq!(by(&mut pair, "2001:db8::3"), Some(0xc));
    pair.run(4 * SECOND);
    for last in 0..20 {
        let destination = format!("2001:db8::1:{last}");
        assert_eq!(by(&mut pair, &destination), Some(0xb), "it is known");
    }
    // None is left that works: they are tried in turn.
    pair.run(50 * SECOND);
    assert_eq!(by(&mut pair, "2001:db8::2"), Some(0xb));
    pair.run(9 * SECOND);
    assert_eq!(by(&mut pair, "2001:db8::2"), Some(0xd));
    let mut turn = Vec::new();
    for _ in 0..4 {
        pair.run(4 * SECOND);
        turn.push(by(&mut pair, "2001:db8::2").expect("it is asked for"));
    }
    assert_eq!(turn, [0xa, 0xc, 0xb, 0xd]);
}

#[test]
fn rfc4861_6_3_4_what_is_on_the_link_by_a_router_does_not_take_the_internet_away() {
    let mut pair = silent();
    says(&mut pair, 1, 1800, 0, &[&station(1)]);
    let on_link = |pair: &mut Pair, text: &str| {
        let mut option = prefix(text, u32::MAX, u32::MAX);
        option[3] = 0x80;
        says(pair, DEAD, 0, 0, &[&option]);
    };
    for short in ["::/0", "::/1", "2001::/16", "2001:d80::/31"] {
        on_link(&mut pair, short);
        assert_eq!(by(&mut pair, "2001:db8::77"), Some(1), "{short}");
    }
    on_link(&mut pair, "2001:db8::/32");
    assert_eq!(by(&mut pair, "2001:db8::77"), Some(0x77));
    // A route that we were given.
    give_default(&mut pair, "2001:db8::/32", 2);
    assert_eq!(by(&mut pair, "2001:db8::78"), Some(2));
    on_link(&mut pair, "2001:db8:7::/48");
    assert_eq!(by(&mut pair, "2001:db8:7::79"), Some(0x79));
    give_default(&mut pair, "::/0", 2);
    assert_eq!(by(&mut pair, "2001:db8:7::7a"), Some(0x7a));
}

#[test]
fn rfc4861_7_3_1_a_connection_beyond_a_router_spares_questions_of_it() {
    let mut pair = dual();
    let there = "2001:db8::1";
    assert!(pair.stacks[1].add_address(pair.now, cidr(&format!("{there}/64"))));
    assert!(pair.stacks[0].add_route(Route {
        destination: cidr("2001:db8::/64"),
        gateway: OURS[1].into(),
    }));
    let (client, server) = connect(&mut pair, v6(there).into(), v6(there).into());
    let asked = pair.stacks[0].counters().nd.out_solicits;
    for _ in 0..100 {
        assert!(pair.stacks[0].tcp().send(client, b"on it goes").is_ready());
        pair.run(SECOND);
        let now = pair.now;
        let received = pair.stacks[1].tcp().receive(now, server, &mut [0; 64]);
        assert!(received.is_ready());
    }
    assert_eq!(pair.stacks[0].counters().nd.out_solicits, asked);
}
