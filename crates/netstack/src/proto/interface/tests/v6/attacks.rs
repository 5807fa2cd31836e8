//! What somebody who means harm may send, on the link or from beyond it.

use super::discovery::{ROUTER, advertise, asks_for, give, prefix, under, young};
use super::packets::{echo, piece, said, stack};
use super::{Event, Ipv6, Ipv6Addr, OURS, Pair, dual, frame, icmp, link_local, v6};
use crate::proto::account::Kind;
use crate::proto::interface::tests::MACS;
use crate::proto::ip::v6::{ALL_NODES, FragmentHeader, HEADER_LEN, Header, protocol};
use crate::proto::link::ethernet;
use crate::proto::link::nd::advertisement;
use core::time::Duration;

/// A router advertisement of `router` in place of [`ROUTER`].
fn from(router: Ipv6Addr, frame: &[u8]) -> Vec<u8> {
    icmp(
        router,
        ALL_NODES,
        255,
        &frame[ethernet::HEADER_LEN + HEADER_LEN..],
    )
}

/// An error of ICMPv6 about a packet of ours, of 40 octets, or the start of one.
fn error() -> Vec<u8> {
    let mut message = vec![1, 4, 0, 0, 0, 0, 0, 0];
    message.extend([0x60, 0, 0, 0, 0, 8, 17, 64]);
    message.extend(OURS[0].octets());
    message.extend(&OURS[1].octets()[..8]);
    message
}

#[test]
fn rfc8200_4_1_what_was_put_together_is_no_fragment_of_another_packet() {
    let request = [&echo()[..], &[0; 8]].concat();
    // A first fragment within others; and one that is not the first, behind which no headers can be (RFC 7112).
    for (inner, whole, taken) in [
        (piece(0, true, 7, &request[..16]), 1, 2),
        (piece(8, false, 7, &request[..16]), 0, 1),
    ] {
        let mut stack = stack();
        let outer = |offset, more| FragmentHeader {
            next_header: protocol::FRAGMENT,
            offset,
            more,
            identification: 5,
        };
        for part in [
            [&outer(0, true).to_bytes()[..], &inner[..16]].concat(),
            [&outer(16, false).to_bytes()[..], &inner[16..]].concat(),
        ] {
            said(&mut stack, protocol::FRAGMENT, &part);
        }
        let counters = stack.counters();
        let counted = (counters.ip6.reasm_oks, counters.ip6.reasm_reqds);
        assert_eq!(counted, (whole, taken));
    }
}

#[test]
fn rfc4443_2_4_e_no_error_about_an_error_that_is_behind_other_headers() {
    let mut stack = stack();
    let unknown = |next: u8| [next, 0, 0xde, 4, 0, 0, 0, 0];
    let plain = [protocol::DESTINATION, 0, 1, 4, 0, 0, 0, 0];
    let told = [&unknown(protocol::ICMP)[..], &error()].concat();
    assert_eq!(said(&mut stack, protocol::DESTINATION, &told).len(), 0);
    let told = [&plain[..], &unknown(protocol::ICMP), &error()].concat();
    assert_eq!(said(&mut stack, protocol::HOP_BY_HOP, &told).len(), 0);
    // But about a question.
    let told = [&plain[..], &unknown(protocol::ICMP), &echo()].concat();
    assert_eq!(said(&mut stack, protocol::HOP_BY_HOP, &told).len(), 1);
}

#[test]
fn rfc4443_2_4_e_no_error_about_an_error_that_is_not_whole_in_time() {
    for (payload, told) in [(error(), 0), ([&echo()[..], &[0; 20]].concat(), 1)] {
        let mut pair = dual();
        let part = piece(0, true, 1, &payload[..32]);
        let header = Header::new(OURS[1], OURS[0], protocol::FRAGMENT, part.len());
        give(&mut pair, frame(MACS[0], &header, &part));
        pair.run(Duration::from_secs(62));
        assert_eq!(pair.stacks[0].counters().ip6.reasm_timeout, 1);
        assert_eq!(pair.stacks[0].counters().icmp6.out_time_excds, told);
    }
}

#[test]
fn rfc4861_6_3_7_a_router_that_is_no_default_one_does_not_end_the_search() {
    let mut pair = young(&Ipv6::default());
    pair.run(Duration::from_secs(20));
    let asked = pair.stacks[0].counters().nd.out_router_solicits;
    give(&mut pair, from(v6("fe80::bad"), &advertise(0, 0, &[])));
    pair.run(Duration::from_secs(100));
    assert!(pair.stacks[0].counters().nd.out_router_solicits > asked);
    give(&mut pair, advertise(1800, 0, &[]));
    let asked = pair.stacks[0].counters().nd.out_router_solicits;
    pair.run(Duration::from_secs(600));
    assert_eq!(pair.stacks[0].counters().nd.out_router_solicits, asked);
}

#[test]
fn rfc4861_6_1_2_and_8_1_we_are_no_router_of_ours() {
    let mut pair = young(&Ipv6::default().dad_transmits(0));
    let ours = link_local(&pair.stacks[0]);
    let options = prefix("2001:db8::/64", 7200, 3600);
    give(&mut pair, from(ours, &advertise(1800, 0, &[&options])));
    assert_eq!(under(&pair.stacks[0], "2001:db8::/64"), None);
    // A router does not say either that we are the first hop.
    give(&mut pair, advertise(1800, 0, &[]));
    let mut message = vec![137, 0, 0, 0, 0, 0, 0, 0];
    message.extend(ours.octets());
    message.extend(v6("2001:db8:9::1").octets());
    give(&mut pair, icmp(ROUTER, ours, 255, &message));
    assert_eq!(pair.stacks[0].counters().nd.redirects, 0);
    assert_eq!(asks_for(&mut pair, "2001:db8:9::1"), Some(ROUTER));
}

#[test]
fn rfc4861_6_3_4_routers_that_are_none_do_not_keep_out_one_that_is() {
    let mut pair = young(&Ipv6::default().dad_transmits(0));
    for number in 1..=100 {
        let stranger = Ipv6Addr::from_bits(v6("fe80:0:0:0:1::").to_bits() | number);
        give(&mut pair, from(stranger, &advertise(u16::MAX, 0, &[])));
    }
    let mut asked = Vec::new();
    for _ in 0..12 {
        give(&mut pair, advertise(1800, 0, &[]));
        asked.extend(asks_for(&mut pair, "2001:db8:9::1"));
        pair.run(Duration::from_secs(4));
    }
    assert!(asked.contains(&ROUTER), "{asked:?}");
}

/// An advertisement of a router's address, with flags.
fn neighbour(pair: &Pair, flags: u8) -> Vec<u8> {
    let mut message = vec![136, 0, 0, 0, flags, 0, 0, 0];
    message.extend(ROUTER.octets());
    message.extend([2, 1]);
    message.extend(MACS[1].0);
    icmp(ROUTER, link_local(&pair.stacks[0]), 255, &message)
}

#[test]
fn rfc4861_7_2_5_nothing_goes_by_a_router_that_is_one_no_longer() {
    let mut route = vec![24, 2, 48, 0, 0, 0, 7, 8];
    route.extend_from_slice(&v6("2001:db8:7::").octets()[..8]);
    // Whether it has shown itself as one by its answers, or by its advertisements alone.
    for answers_as_router in [true, false] {
        let mut pair = young(&Ipv6::default().dad_transmits(0));
        give(&mut pair, advertise(1800, 0, &[&route]));
        assert_eq!(asks_for(&mut pair, "2001:db8:7::1"), Some(ROUTER));
        if answers_as_router {
            let frame = neighbour(&pair, 0xe0);
            give(&mut pair, frame);
        }
        let frame = neighbour(&pair, 0x60);
        give(&mut pair, frame);
        for destination in ["2001:db8:7::1", "2001:db8:9::1"] {
            let sent = pair.call(0, |stack, now, out| {
                stack.send_echo_request(now, v6(destination), 1, 1, b"", out)
            });
            assert!(sent.is_err(), "{destination} {answers_as_router}");
        }
    }
}

#[test]
fn rfc4862_5_5_3_the_addresses_of_a_flood_of_prefixes_are_few_and_charged_to_the_account() {
    let held = |flags: u8| {
        let mut pair = young(&Ipv6::default().dad_transmits(0));
        for number in 0..100 {
            let mut option = prefix(&format!("2001:db8:{number:x}::/64"), u32::MAX, u32::MAX);
            option[3] = flags;
            give(&mut pair, advertise(1800, 0, &[&option]));
        }
        let addresses = pair.stacks[0].addresses().len();
        let account = pair.stacks[0].tcp().account();
        (addresses, account.used_by(Kind::Neighbours))
    };
    // On the link, and for addresses too.
    let ((before, charged), (after, more)) = (held(0x80), held(0xc0));
    assert_eq!(after - before, 16);
    // An address and its lifetimes are 33 octets at least.
    assert!(more >= charged + 16 * 33, "{charged} {more}");
}

#[test]
fn rfc4862_5_4_5_a_link_local_address_is_asked_for_again_when_all_in_turn_were_others() {
    let mut pair = young(&Ipv6::default().accept_ra(false));
    // Identifiers of ours give way three times; and once more after minutes, twice as many the second time.
    for minutes in [2, 4] {
        for _ in 0..4 {
            let v6 = pair.stacks[0].egress.v6.as_deref();
            let ours = v6.and_then(|v6| v6.tentatives().next());
            let ours = ours.expect("it is asked for");
            let theirs = advertisement(ours, MACS[1], false);
            give(&mut pair, icmp(ours, ALL_NODES, 255, &theirs));
        }
        pair.run(Duration::from_secs(minutes * 60 - 1));
        assert_eq!(under(&pair.stacks[0], "fe80::/64"), None);
        let refused = |event: &Event| matches!(event, Event::AddressRefused(..));
        assert!(pair.events[0].iter().any(refused));
        pair.run(Duration::from_millis(1100));
    }
    pair.run(Duration::from_secs(4));
    assert!(under(&pair.stacks[0], "fe80::/64").is_some());
}

#[test]
fn rfc4862_5_4_5_an_address_that_we_were_given_and_another_has_is_asked_for_again() {
    let mut pair = young(&Ipv6::default().accept_ra(false));
    let ours = crate::proto::ip::Cidr::new(OURS[0], 64).expect("a prefix");
    assert!(pair.stacks[0].add_address(pair.now, ours));
    for _ in 0..2 {
        pair.run(Duration::from_millis(500));
        let theirs = advertisement(OURS[0], MACS[1], false);
        give(&mut pair, icmp(OURS[0], ALL_NODES, 255, &theirs));
        // Until then it is a neighbour's as any other, whatever that says of it.
        pair.run(Duration::from_secs(60));
        give(&mut pair, icmp(OURS[0], ALL_NODES, 255, &theirs));
        pair.run(Duration::from_secs(59));
        assert_eq!(under(&pair.stacks[0], "fd00::/64"), None);
        let refused =
            |event: &&Event| matches!(event, Event::AddressRefused(it, _) if *it == OURS[0]);
        assert_eq!(pair.events[0].iter().filter(refused).count(), 1);
        pair.events[0].clear();
        pair.run(Duration::from_millis(1100));
    }
    pair.run(Duration::from_secs(2));
    assert_eq!(under(&pair.stacks[0], "fd00::/64"), Some(OURS[0]));
}

#[test]
fn rfc4861_6_3_7_when_the_last_router_is_gone_others_are_asked_for() {
    let station = [&[1, 1][..], &MACS[1].0].concat();
    for (lifetime, gone) in [(1800, Some(advertise(0, 0, &[]))), (1800, None), (1, None)] {
        let mut pair = young(&Ipv6::default().dad_transmits(0));
        let asked = |pair: &Pair| pair.stacks[0].counters().nd.out_router_solicits;
        pair.run(Duration::from_secs(20));
        give(&mut pair, advertise(lifetime, 0, &[&station]));
        let before = asked(&pair);
        if lifetime > 1 {
            pair.run(Duration::from_secs(100));
            assert_eq!(asked(&pair), before);
            // It says so by either message.
            let gone = gone.unwrap_or_else(|| neighbour(&pair, 0x60));
            give(&mut pair, gone);
        } else {
            pair.run(Duration::from_secs(1));
        }
        // RFC 7559 §2: later and later.
        for (after, more) in [(400, 1), (3500, 0), (1000, 1), (7000, 0), (1000, 1)] {
            let before = asked(&pair);
            pair.run(Duration::from_millis(after));
            assert_eq!(asked(&pair) - before, more, "{lifetime}, {after} ms");
        }
        give(&mut pair, advertise(1800, 0, &[]));
        let before = asked(&pair);
        pair.run(Duration::from_secs(1000));
        assert_eq!(asked(&pair), before);
    }
}
