//! Lists that somebody has filled with what never ends: who is there gets in, and keeps its place.

use super::discovery::{ROUTER, advertise, asks_for, discovery, give, prefix, under, young};
use super::{Ipv6, Ipv6Addr, Pair, SocketAddr, cidr, icmp, link_local, v6};
use crate::proto::interface::tests::MACS;
use crate::proto::ip::selection::{DEFAULT_POLICY, sort_destinations};
use crate::proto::ip::v6::{ALL_NODES, Header};
use crate::proto::link::ethernet::HEADER_LEN;
use crate::proto::link::nd::Message;
use crate::proto::tcp::Options;
use core::net::IpAddr;
use core::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn seconds(count: u64) -> Duration {
    SECOND * count as u32
}

/// A route by the router that advertises it.
fn route(prefix: &str, lifetime: u32) -> Vec<u8> {
    let mut option = vec![24, 2, 48, 0];
    option.extend(lifetime.to_be_bytes());
    option.extend_from_slice(&v6(prefix).octets()[..8]);
    option
}

fn name_server(address: &str, lifetime: u32) -> Vec<u8> {
    let mut option = vec![25, 3, 0, 0];
    option.extend(lifetime.to_be_bytes());
    option.extend(v6(address).octets());
    option
}

/// An advertisement by one of many who are no routers, of things without an end.
fn stranger(number: u32) -> Vec<u8> {
    without_end(nobody(number), number)
}

/// The address of one of them.
fn nobody(number: u32) -> Ipv6Addr {
    Ipv6Addr::from_bits(v6("fe80:0:0:0:1::").to_bits() | u128::from(number))
}

/// The same by this router.
fn without_end(router: Ipv6Addr, number: u32) -> Vec<u8> {
    let [high, low] = [number >> 16, number & 0xffff];
    let frame = advertise(
        u16::MAX,
        0,
        &[
            &prefix(
                &format!("2001:db9:{high:x}:{low:x}::/64"),
                u32::MAX,
                u32::MAX,
            ),
            &route(&format!("2002:{high:x}:{low:x}::"), u32::MAX),
            &name_server(&format!("2001:db9::{high:x}:{low:x}"), u32::MAX),
        ],
    );
    by(router, &frame)
}

/// An advertisement as this router makes it.
fn by(router: Ipv6Addr, frame: &[u8]) -> Vec<u8> {
    icmp(router, ALL_NODES, 255, &frame[HEADER_LEN + 40..])
}

/// What the honest router says.
fn honest() -> Vec<u8> {
    let prefix = prefix("2001:db8::/64", 7200, 3600);
    let options = [
        &prefix[..],
        &route("2001:db8:7::", 1800),
        &name_server("2001:db8::53", 1800),
    ];
    advertise(1800, 0, &options)
}

fn burst(pair: &mut Pair) {
    for number in 0..1000 {
        give(pair, stranger(number));
    }
}

/// Whether all that the honest router says is heeded.
fn is_heard(pair: &mut Pair) -> bool {
    let address = under(&pair.stacks[0], "2001:db8::/64");
    let servers = pair.stacks[0].name_servers();
    address.is_some()
        && servers.contains(&v6("2001:db8::53").into())
        && asks_for(pair, "2001:db8::9") == Some(v6("2001:db8::9"))
        && goes_by_router(pair, "2001:db8:7::9")
}

/// Whether what is for `destination` goes by the honest router, whose station may be known.
fn goes_by_router(pair: &mut Pair, destination: &str) -> bool {
    let sent = pair.call(0, |stack, now, out| {
        let sent = stack.send_echo_request(now, v6(destination), 1, 1, b"", out);
        sent.ok()?;
        out.0.last().cloned()
    });
    sent.is_some_and(|frame| match discovery(&frame) {
        Some((_, Message::Solicitation { target }, _)) => target == ROUTER,
        _ => frame[..6] == MACS[1].0,
    })
}

/// Has the router answer a question of ours: it is there.
fn answers(pair: &mut Pair) {
    assert_eq!(asks_for(pair, "2001:db8:7::1"), Some(ROUTER));
    says_of_itself(pair, 0xe0);
}

/// The router's advertisement of its address, with flags.
fn says_of_itself(pair: &mut Pair, flags: u8) {
    let mut message = vec![136, 0, 0, 0, flags, 0, 0, 0];
    message.extend(ROUTER.octets());
    message.extend([2, 1]);
    message.extend(MACS[1].0);
    let frame = icmp(ROUTER, link_local(&pair.stacks[0]), 255, &message);
    give(pair, frame);
}

fn silent() -> Pair {
    young(&Ipv6::default().dad_transmits(0))
}

/// The same, with the honest router, which is there.
fn with_router() -> Pair {
    let mut pair = silent();
    give(&mut pair, honest());
    answers(&mut pair);
    pair
}

#[test]
fn rfc4861_6_3_4_a_burst_without_an_end_keeps_no_router_out_for_good() {
    let mut pair = silent();
    burst(&mut pair);
    pair.run(SECOND);
    give(&mut pair, honest());
    assert!(is_heard(&mut pair));
    // It is asked before those that nobody has repeated.
    let first = pair.stacks[0].name_servers()[0];
    assert_eq!(first, IpAddr::V6(v6("2001:db8::53")));
    // And what it says is kept as any other.
    pair.run(seconds(1700));
    give(&mut pair, honest());
    // It did not answer before, so it is asked now.
    says_of_itself(&mut pair, 0xe0);
    assert!(is_heard(&mut pair));
}

#[test]
fn rfc4861_6_3_4_what_a_router_says_that_is_there_stays_in_a_flood() {
    let mut pair = with_router();
    for number in 0..10_000 {
        give(&mut pair, stranger(number));
        if number % 10 == 0 {
            pair.run(Duration::from_millis(100));
        }
        if number % 5000 == 0 {
            give(&mut pair, honest());
        }
    }
    assert!(is_heard(&mut pair));
    assert!(pair.stacks[0].addresses().len() <= 2 + 16);
}

#[test]
fn rfc4861_6_2_1_a_burst_in_the_name_of_a_router_that_is_there_makes_way_in_time() {
    let mut pair = with_router();
    for number in 0..1000 {
        give(&mut pair, without_end(ROUTER, number));
    }
    give(&mut pair, honest());
    assert!(is_heard(&mut pair), "it was there before");
    let other = prefix("2001:db8:1::/64", 7200, 3600);
    let there = |pair: &Pair| under(&pair.stacks[0], "2001:db8:1::/64").is_some();
    give(&mut pair, advertise(1800, 0, &[&other]));
    assert!(!there(&pair), "there is no room yet");
    // Two advertisements may be lost.
    for at in 0..4 {
        pair.run(seconds(1351));
        give(&mut pair, honest());
        assert!(at == 3 || !there(&pair));
    }
    give(&mut pair, advertise(1800, 0, &[&other]));
    assert!(there(&pair));
    assert!(is_heard(&mut pair));
}

#[test]
fn rfc4861_6_3_4_a_router_that_finds_no_place_is_asked_whether_it_is_there() {
    let mut pair = silent();
    let station = [&[1, 1][..], &MACS[1].0].concat();
    let default = advertise(u16::MAX, 0, &[]);
    for half in 0..30 {
        for number in 1..=8 {
            give(&mut pair, by(nobody(number), &default));
        }
        if half % 8 == 0 {
            give(&mut pair, advertise(1800, 0, &[&station]));
        }
        let asked = pair.stacks[0].counters().nd.out_solicits;
        pair.run(Duration::from_millis(500));
        if pair.stacks[0].counters().nd.out_solicits > asked {
            says_of_itself(&mut pair, 0xe0);
        }
    }
    assert!(goes_by_router(&mut pair, "2001:db8:9::9"));
    let asked = pair.stacks[0].counters().nd.out_solicits;
    assert_eq!(asked, 1);
}

#[test]
fn rfc4862_5_5_3_what_is_advertised_takes_no_address_away_that_we_were_given() {
    let mut pair = silent();
    let given = cidr("2001:db9::1/64");
    assert!(pair.stacks[0].add_address(pair.now, given));
    let under = |pair: &Pair| {
        let addresses = pair.stacks[0].addresses().into_iter();
        let under = addresses.filter(|it| given.contains(it.address()));
        under.collect::<Vec<_>>()
    };
    for number in 0..16 {
        give(&mut pair, stranger(number));
    }
    assert_eq!(under(&pair).len(), 2);
    pair.run(SECOND);
    give(&mut pair, stranger(16));
    assert_eq!(under(&pair), [given]);
}

#[test]
fn rfc4861_7_2_5_the_address_of_a_router_that_is_one_no_longer_makes_way() {
    for resigns in [false, true] {
        let mut pair = with_router();
        give(&mut pair, honest());
        if resigns {
            says_of_itself(&mut pair, 0x60);
        }
        // Of its answers nothing is known any more.
        pair.run(seconds(1300));
        for number in 0..16 {
            give(&mut pair, stranger(number));
        }
        let held = under(&pair.stacks[0], "2001:db8::/64");
        assert_eq!(held.is_none(), resigns);
    }
}

#[test]
fn rfc4862_5_5_3_an_address_that_a_connection_has_stays_whoever_has_advertised_it() {
    let mut pair = silent();
    give(&mut pair, honest());
    let ours = under(&pair.stacks[0], "2001:db8::/64").expect("an address");
    let client = pair.call(0, |stack, now, _| {
        let from = SocketAddr::new(ours.into(), 0);
        let to = SocketAddr::new(v6("2001:db8::9").into(), 80);
        let client = stack.connect(now, from, to, &Options::default());
        client.expect("a route")
    });
    for number in 0..100 {
        pair.run(SECOND);
        give(&mut pair, stranger(number));
        let held = under(&pair.stacks[0], "2001:db8::/64");
        assert_eq!(held.is_some(), pair.stacks[0].tcp().status(client).is_ok());
        if number == 50 {
            assert_eq!(held, Some(ours));
            pair.call(0, |stack, now, _| stack.tcp().abort(now, client));
        }
    }
}

#[test]
fn rfc4861_7_3_3_a_neighbour_that_was_not_used_for_long_is_no_failed_one() {
    let mut pair = silent();
    give(&mut pair, advertise(u16::MAX, 0, &[]));
    answers(&mut pair);
    let better = v6("fe80::5");
    let mut message = vec![137, 0, 0, 0, 0, 0, 0, 0];
    message.extend(better.octets());
    message.extend(v6("2001:db8:9::1").octets());
    message.extend([2, 1]);
    message.extend(MACS[1].0);
    let frame = icmp(ROUTER, link_local(&pair.stacks[0]), 255, &message);
    give(&mut pair, frame);
    assert_eq!(pair.stacks[0].counters().nd.redirects, 1);
    // Both leave the cache; neither has failed to answer.
    pair.run(seconds(1300));
    assert_eq!(pair.stacks[0].neighbors().count(), 0);
    assert_eq!(asks_for(&mut pair, "2001:db8:9::1"), Some(better));
    assert_eq!(asks_for(&mut pair, "2001:db8:9::2"), Some(ROUTER));
}

#[test]
fn rfc6724_5_rule_5_5_the_source_is_of_a_prefix_of_the_router_that_is_next() {
    let mut pair = silent();
    let from = |router: &str, options: &[&[u8]]| by(v6(router), &advertise(1800, 0, options));
    let (near, far) = (
        prefix("2001:db8:1::/64", 7200, 3600),
        prefix("2001:db8:2::/64", 7200, 3600),
    );
    let mut only_address = far.clone();
    only_address[3] = 0x40;
    give(&mut pair, from("fe80::1", &[&near]));
    let by_two = [&only_address[..], &route("2001:db8:1:1::", 1800)];
    give(&mut pair, from("fe80::2", &by_two));
    for (destination, source) in [
        ("2400::1", "2001:db8:1::/64"),
        // Rule 8 alone would have the other.
        ("2001:db8:1:8000::1", "2001:db8:2::/64"),
    ] {
        let now = pair.now;
        let found = pair.stacks[0].source_for(now, v6(destination).into());
        let found = found.expect("a source").address;
        assert!(cidr(source).contains(found), "{destination}: {found}");
    }
}

#[test]
fn rfc6724_6_rule_3_a_destination_that_is_spoken_to_from_a_deprecated_address_goes_behind() {
    let mut pair = silent();
    let v6 = IpAddr::V6(v6("2001:db8:9::9"));
    let v4 = IpAddr::V4([10, 0, 0, 9].into());
    for (preferred, expected) in [(3600, [v6, v4]), (0, [v4, v6])] {
        let option = prefix("2001:db8::/64", 7200, preferred);
        give(&mut pair, advertise(1800, 0, &[&option]));
        let (now, stack) = (pair.now, &pair.stacks[0]);
        let mut destinations = [v4, v6];
        sort_destinations(DEFAULT_POLICY, &mut destinations, |destination| {
            stack.source_for(now, destination)
        });
        assert_eq!(destinations, expected);
    }
}

#[test]
fn rfc4861_6_3_4_a_hop_limit_that_would_cut_us_off_is_not_taken() {
    let mut pair = silent();
    for (advertised, used) in [(0, 64), (200, 200), (1, 200), (31, 200), (32, 32), (0, 32)] {
        let mut frame = advertise(1800, 0, &[&prefix("2001:db8::/64", 7200, 3600)]);
        let message = HEADER_LEN + 40;
        frame[message + 4] = advertised;
        give(&mut pair, icmp(ROUTER, ALL_NODES, 255, &frame[message..]));
        let local = link_local(&pair.stacks[0]);
        let sent = pair.call(0, |stack, now, out| {
            let sent = stack.send_echo_request(now, ALL_NODES, 1, 1, b"", out);
            sent.expect("a group");
            out.0.last().cloned()
        });
        let sent = sent.expect("a frame");
        let header = Header::parse(&sent[HEADER_LEN..]).expect("a header");
        assert_eq!((header.source, header.hop_limit), (local, used));
    }
}
