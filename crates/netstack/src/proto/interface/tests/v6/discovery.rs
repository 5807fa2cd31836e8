//! Neighbour discovery, routers and our addresses.

use super::{Event, Ipv6, Ipv6Addr, OURS, Pair, cidr, dual, icmp, link_local, v6};
use crate::proto::Instant;
use crate::proto::interface::tests::{MACS, answers};
use crate::proto::interface::{Interface, InterfaceConfig};
use crate::proto::ip::v6::{ALL_NODES, Header, solicited_node};
use crate::proto::link::ethernet::{HEADER_LEN, MacAddr};
use crate::proto::link::nd::{Message, advertisement, nonce, solicitation};
use core::time::Duration;

/// A router's link-local address.
pub(super) const ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x77);

/// Two stacks of which the first has been told to speak IPv6, and nothing else.
pub(super) fn young(settings: &Ipv6) -> Pair {
    let mut pair = Pair::new();
    pair.stacks[0].start_ipv6(Instant::from_nanos(0), settings);
    pair
}

/// The same with another seed.
pub(super) fn young_of(seed: u8, settings: &Ipv6) -> Pair {
    let mut pair = Pair::new();
    let config = InterfaceConfig::new(MACS[0], 1500, [seed; 32]);
    pair.stacks[0] = Interface::new(config);
    pair.stacks[0].start_ipv6(Instant::from_nanos(0), settings);
    pair
}

/// A router advertisement with these options.
pub(super) fn advertise(lifetime: u16, flags: u8, options: &[&[u8]]) -> Vec<u8> {
    let [l0, l1] = lifetime.to_be_bytes();
    let mut message = vec![134, 0, 0, 0, 0, flags, l0, l1, 0, 0, 0, 0, 0, 0, 0, 0];
    message.extend_from_slice(&options.concat());
    icmp(ROUTER, ALL_NODES, 255, &message)
}

/// A prefix that is on the link and for addresses, for so many seconds.
pub(super) fn prefix(prefix: &str, valid: u32, preferred: u32) -> Vec<u8> {
    let cidr = cidr(prefix).v6().expect("one of IPv6");
    let mut option = vec![3, 4, cidr.prefix(), 0xc0];
    option.extend_from_slice(&valid.to_be_bytes());
    option.extend_from_slice(&preferred.to_be_bytes());
    option.extend_from_slice(&[0; 4]);
    option.extend_from_slice(&cidr.address().octets());
    option
}

/// Gives a frame to the first stack.
pub(super) fn give(pair: &mut Pair, frame: Vec<u8>) {
    pair.call(0, |stack, now, out| {
        stack.handle_frame(now, frame.into(), out)
    });
}

/// What the first stack's address under a prefix is.
pub(super) fn under(stack: &Interface, prefix: &str) -> Option<Ipv6Addr> {
    let prefix = cidr(prefix);
    let mut addresses = stack.addresses().into_iter();
    let found = addresses.find(|it| prefix.contains(it.address()))?;
    found.v6().map(|it| it.address())
}

/// A message of discovery in a frame, with its source.
pub(super) fn discovery(frame: &[u8]) -> Option<(Ipv6Addr, Message, Vec<u8>)> {
    let header = Header::parse(frame.get(HEADER_LEN..)?).ok()?;
    let (message, options) = Message::parse(frame.get(HEADER_LEN + 40..)?)?;
    Some((header.source, message, options.to_vec()))
}

#[test]
fn rfc4862_section_5_4_an_address_is_used_when_nobody_has_it_within_one_and_a_half_seconds() {
    let mut pair = young(&Ipv6::default());
    pair.stacks[0].add_address(Instant::from_nanos(0), cidr("fd00::1/64"));
    assert_eq!(under(&pair.stacks[0], "fd00::/64"), None);
    pair.run(Duration::from_millis(900));
    assert_eq!(
        under(&pair.stacks[0], "fd00::/64"),
        None,
        "it is still asked for"
    );
    pair.run(Duration::from_millis(600));
    assert_eq!(under(&pair.stacks[0], "fd00::/64"), Some(OURS[0]));
    let granted = Event::AddressGranted(OURS[0].into());
    assert!(pair.events[0].contains(&granted), "{:?}", pair.events[0]);
    let local = link_local(&pair.stacks[0]);
    assert!(pair.events[0].contains(&Event::AddressGranted(local.into())));
    assert_eq!(pair.stacks[0].counters().nd.out_solicits, 2);
}

#[test]
fn without_asking_an_address_is_used_at_once() {
    let settings = Ipv6::default().dad_transmits(0);
    let mut pair = young(&settings);
    link_local(&pair.stacks[0]);
    give(
        &mut pair,
        advertise(1800, 0, &[&prefix("2001:db8::/64", 7200, 3600)]),
    );
    assert!(under(&pair.stacks[0], "2001:db8::/64").is_some());
}

#[test]
fn rfc4862_section_5_4_5_an_address_that_another_has_is_not_used() {
    for probe in [false, true] {
        let mut pair = young(&Ipv6::default());
        pair.stacks[0].add_address(Instant::from_nanos(0), cidr("fd00::1/64"));
        pair.run(Duration::from_millis(500));
        // The other has it, or asks for it at the same time.
        let theirs = match probe {
            false => icmp(
                OURS[0],
                ALL_NODES,
                255,
                &advertisement(OURS[0], MACS[1], false),
            ),
            true => {
                let message = solicitation(OURS[0], Err([9; 6]));
                icmp(
                    Ipv6Addr::UNSPECIFIED,
                    solicited_node(OURS[0]),
                    255,
                    &message,
                )
            }
        };
        give(&mut pair, theirs);
        pair.run(Duration::from_secs(3));
        assert_eq!(under(&pair.stacks[0], "fd00::/64"), None);
        let refused = pair.events[0]
            .iter()
            .any(|event| matches!(event, Event::AddressRefused(address, _) if *address == OURS[0]));
        assert!(refused, "{:?}", pair.events[0]);
        assert_eq!(pair.stacks[0].counters().nd.conflicts, 1);
    }
}

#[test]
fn rfc7527_section_4_2_our_own_solicitation_that_comes_back_is_no_duplicate() {
    let mut pair = young(&Ipv6::default());
    pair.stacks[0].add_address(Instant::from_nanos(0), cidr("fd00::1/64"));
    let mut back = Vec::new();
    for _ in 0..400 {
        pair.run(Duration::from_millis(1));
        pair.call(0, |stack, now, out| {
            stack.poll(now, 64, out);
            back.extend(out.0.clone());
        });
    }
    // What was sent meanwhile is on the wire to the other: it is as if a switch sent it back.
    let sent: Vec<_> = pair.wires[1]
        .iter()
        .map(|(_, frame)| frame.clone())
        .collect();
    for mut frame in back.into_iter().chain(sent) {
        if let Some((_, Message::Solicitation { .. }, options)) = discovery(&frame) {
            assert!(nonce(&options).is_some());
            frame[6..12].copy_from_slice(&MACS[1].0);
            give(&mut pair, frame);
        }
    }
    pair.run(Duration::from_secs(2));
    assert_eq!(under(&pair.stacks[0], "fd00::/64"), Some(OURS[0]));
}

#[test]
fn rfc7217_section_6_a_duplicate_of_a_stable_address_is_replaced_by_another() {
    let settings = Ipv6::default().dad_transmits(1);
    let mut pair = young(&settings);
    give(
        &mut pair,
        advertise(1800, 0, &[&prefix("2001:db8::/64", 7200, 3600)]),
    );
    let mut taken = Vec::new();
    for _ in 0..20 {
        pair.run(Duration::from_millis(100));
        let addresses: Vec<_> = pair.stacks[0]
            .egress
            .v6
            .iter()
            .flat_map(|v6| v6.tentatives())
            .filter(|it| cidr("2001:db8::/64").contains((*it).into()))
            .collect();
        if let Some(&address) = addresses.first().filter(|_| taken.is_empty()) {
            let theirs = advertisement(address, MACS[1], false);
            give(&mut pair, icmp(address, ALL_NODES, 255, &theirs));
            taken.push(address);
        }
    }
    pair.run(Duration::from_secs(2));
    let address = under(&pair.stacks[0], "2001:db8::/64").expect("another");
    assert!(!taken.contains(&address) && taken.len() == 1);
}

#[test]
fn rfc4862_section_5_5_3_a_prefix_gives_an_address_and_rfc7217_the_same_at_each_start() {
    let address_of = |seed: u8, settings: &Ipv6| {
        let mut pair = young_of(seed, settings);
        give(
            &mut pair,
            advertise(1800, 0, &[&prefix("2001:db8::/64", 7200, 3600)]),
        );
        pair.run(Duration::from_secs(2));
        under(&pair.stacks[0], "2001:db8::/64").expect("an address")
    };
    let ours = Ipv6::default().secret([7; 16]);
    let stable = address_of(1, &ours);
    assert_eq!(address_of(2, &ours), stable);
    assert_ne!(address_of(1, &Ipv6::default().secret([8; 16])), stable);
    // Without a secret there is one for each start.
    let without = [1, 2].map(|seed| address_of(seed, &Ipv6::default()));
    assert_ne!(without[0], without[1]);
    let mut without = young(&Ipv6::default().accept_ra(false));
    give(
        &mut without,
        advertise(1800, 0, &[&prefix("2001:db8::/64", 7200, 3600)]),
    );
    without.run(Duration::from_secs(2));
    assert_eq!(under(&without.stacks[0], "2001:db8::/64"), None);
    assert_eq!(without.stacks[0].counters().nd.out_router_solicits, 0);
}

#[test]
fn rfc4862_section_5_5_3_prefixes_that_give_no_address() {
    let mut pair = young(&Ipv6::default().dad_transmits(0));
    for bad in [
        prefix("2001:db8::/64", 100, 200),
        prefix("2001:db8:1::/48", 7200, 3600),
        prefix("fe80::/64", 7200, 3600),
        prefix("2001:db8:2::/64", 0, 0),
        prefix("ff02::/64", 7200, 3600),
    ] {
        give(&mut pair, advertise(1800, 0, &[&bad]));
    }
    let addresses = pair.stacks[0].addresses();
    assert_eq!(addresses.len(), 2, "{addresses:?}");
}

#[test]
fn rfc4862_section_5_5_3_e_an_advertisement_leaves_an_address_two_hours() {
    let mut pair = young(&Ipv6::default().dad_transmits(0));
    let hours = |hours: u64| Duration::from_secs(3600 * hours);
    give(
        &mut pair,
        advertise(1800, 0, &[&prefix("2001:db8::/64", 10 * 3600, 3600)]),
    );
    let has = |pair: &Pair| under(&pair.stacks[0], "2001:db8::/64").is_some();
    // It is to end at once.
    give(
        &mut pair,
        advertise(1800, 0, &[&prefix("2001:db8::/64", 0, 0)]),
    );
    pair.run(hours(2) - Duration::from_secs(60));
    assert!(has(&pair));
    // What is left is less than two hours: no advertisement makes it shorter.
    give(
        &mut pair,
        advertise(1800, 0, &[&prefix("2001:db8::/64", 1, 0)]),
    );
    pair.run(Duration::from_secs(50));
    assert!(has(&pair));
    // But longer.
    give(
        &mut pair,
        advertise(1800, 0, &[&prefix("2001:db8::/64", 3 * 3600, 0)]),
    );
    pair.run(hours(2) + Duration::from_secs(60));
    assert!(has(&pair));
    pair.run(hours(1));
    assert!(!has(&pair));
}

#[test]
fn rfc4861_section_6_1_2_advertisements_that_are_not_taken() {
    let good = advertise(1800, 0, &[&prefix("2001:db8::/64", 7200, 3600)]);
    let message = &good[HEADER_LEN + 40..];
    let mut short = message.to_vec();
    short[17] = 0;
    let mut long = message.to_vec();
    long[17] = 9;
    let mut code = message.to_vec();
    code[1] = 1;
    for bad in [
        icmp(ROUTER, ALL_NODES, 254, message),
        icmp(v6("2001:db8::77"), ALL_NODES, 255, message),
        icmp(ROUTER, ALL_NODES, 255, &message[..15]),
        icmp(ROUTER, ALL_NODES, 255, &short),
        icmp(ROUTER, ALL_NODES, 255, &long),
        icmp(ROUTER, ALL_NODES, 255, &code),
    ] {
        let mut pair = young(&Ipv6::default().dad_transmits(0));
        give(&mut pair, bad);
        assert_eq!(under(&pair.stacks[0], "2001:db8::/64"), None);
    }
}

#[test]
fn rfc6980_section_5_discovery_in_fragments_is_not_taken() {
    let good = advertise(1800, 0, &[&prefix("2001:db8::/64", 7200, 3600)]);
    let mut header = Header::parse(&good[HEADER_LEN..]).expect("a header");
    header.next_header = 44;
    header.payload_len += 8;
    let payload = [&[58, 0, 0, 0, 0, 0, 0, 1][..], &good[HEADER_LEN + 40..]].concat();
    let mut pair = young(&Ipv6::default().dad_transmits(0));
    give(
        &mut pair,
        super::frame(MacAddr([0x33, 0x33, 0, 0, 0, 1]), &header, &payload),
    );
    assert_eq!(under(&pair.stacks[0], "2001:db8::/64"), None);
    assert_eq!(pair.stacks[0].counters().nd.in_errors, 1);
}

#[test]
fn rfc4861_section_6_3_7_routers_are_asked_for_until_one_answers() {
    let mut pair = young(&Ipv6::default());
    pair.run(Duration::from_secs(20));
    let asked = pair.stacks[0].counters().nd.out_router_solicits;
    // RFC 7559 §2: after 0, 4 and 12 seconds.
    assert_eq!(asked, 3);
    give(&mut pair, advertise(1800, 0, &[]));
    pair.run(Duration::from_secs(600));
    assert_eq!(pair.stacks[0].counters().nd.out_router_solicits, asked);
}

/// Where the first stack sends what is for `destination`, by the solicitation that goes out.
pub(super) fn asks_for(pair: &mut Pair, destination: &str) -> Option<Ipv6Addr> {
    let sent = pair.call(0, |stack, now, out| {
        stack
            .send_echo_request(now, v6(destination), 1, 1, b"", out)
            .ok()?;
        out.0.last().cloned()
    })?;
    match discovery(&sent)? {
        (_, Message::Solicitation { target }, _) => Some(target),
        _ => None,
    }
}

#[test]
fn rfc4861_section_5_2_next_hops_and_rfc4191_preferences() {
    let routed = |prefix_len: u8, flags: u8, prefix: &str| {
        let mut option = vec![24, 2, prefix_len, flags, 0, 0, 7, 8];
        option.extend_from_slice(&v6(prefix).octets()[..8]);
        option
    };
    let from = |router: &str, frame: Vec<u8>| icmp(v6(router), ALL_NODES, 255, &frame[54..]);
    let mut pair = young(&Ipv6::default().dad_transmits(0));
    assert_eq!(asks_for(&mut pair, "2001:db8::9"), None, "no route");
    let on_link = prefix("2001:db8::/64", 7200, 3600);
    give(&mut pair, from("fe80::1", advertise(1800, 0, &[&on_link])));
    assert_eq!(asks_for(&mut pair, "2001:db8::9"), Some(v6("2001:db8::9")));
    assert_eq!(asks_for(&mut pair, "2001:db8:9::1"), Some(v6("fe80::1")));
    // One of high preference, and one with a route.
    give(&mut pair, from("fe80::2", advertise(1800, 0x08, &[])));
    assert_eq!(asks_for(&mut pair, "2001:db8:9::2"), Some(v6("fe80::2")));
    let route = routed(48, 0x18, "2001:db8:7::");
    give(&mut pair, from("fe80::3", advertise(0, 0, &[&route])));
    assert_eq!(asks_for(&mut pair, "2001:db8:7::1"), Some(v6("fe80::3")));
    // A lifetime of zero: it is no default router any more.
    give(&mut pair, from("fe80::2", advertise(0, 0, &[])));
    give(&mut pair, from("fe80::1", advertise(0, 0, &[])));
    assert_eq!(asks_for(&mut pair, "2001:db8:9::3"), None);
    pair.run(Duration::from_secs(1801));
    assert_eq!(
        asks_for(&mut pair, "2001:db8:7::2"),
        None,
        "the route has ended too"
    );
}

#[test]
fn rfc4861_section_8_a_redirect_is_taken_from_the_first_hop_alone() {
    let far = v6("2001:db8:9::1");
    let redirect = |target: Ipv6Addr, destination: Ipv6Addr| {
        let mut message = vec![137, 0, 0, 0, 0, 0, 0, 0];
        message.extend_from_slice(&target.octets());
        message.extend_from_slice(&destination.octets());
        message
    };
    let better = v6("fe80::5");
    let router = v6("fe80::77");
    let ours = |stack: &Interface| link_local(stack);
    let mut pair = young(&Ipv6::default().dad_transmits(0));
    give(&mut pair, advertise(1800, 0, &[]));
    let to = ours(&pair.stacks[0]);
    for bad in [
        icmp(v6("fe80::6"), to, 255, &redirect(better, far)),
        icmp(router, to, 254, &redirect(better, far)),
        icmp(router, to, 255, &redirect(v6("2001:db8::5"), far)),
        icmp(router, to, 255, &redirect(better, ALL_NODES)),
        icmp(router, to, 255, &redirect(better, to)),
    ] {
        give(&mut pair, bad);
        assert_eq!(pair.stacks[0].counters().nd.redirects, 0);
    }
    give(&mut pair, icmp(router, to, 255, &redirect(better, far)));
    assert_eq!(asks_for(&mut pair, "2001:db8:9::1"), Some(better));
    assert_eq!(asks_for(&mut pair, "2001:db8:9::2"), Some(ROUTER));
    // It did not answer: by the router again.
    pair.run(Duration::from_secs(4));
    assert_eq!(pair.stacks[0].counters().nd.failed, 2);
    // Directly.
    give(&mut pair, icmp(router, to, 255, &redirect(far, far)));
    assert_eq!(asks_for(&mut pair, "2001:db8:9::1"), Some(far));
}

#[test]
fn rfc4861_section_4_6_4_a_router_names_the_mtu_of_the_link() {
    let mtu = |octets: u32| [&[5, 1, 0, 0][..], &octets.to_be_bytes()].concat();
    let mut pair = young(&Ipv6::default().dad_transmits(0));
    for (told, taken) in [
        (1400, 1400),
        (1279, 1400),
        (1501, 1400),
        (1280, 1280),
        (1500, 1500),
    ] {
        give(&mut pair, advertise(1800, 0, &[&mtu(told)]));
        assert_eq!(pair.stacks[0].egress.link_mtu_v6(), taken, "{told}");
    }
    give(&mut pair, advertise(1800, 0, &[&mtu(1300)]));
    assert_eq!(pair.stacks[0].mtu(), 1500, "that of IPv4 is another matter");
}

#[test]
fn rfc4861_section_7_2_4_solicitations_are_answered_for_our_addresses_alone() {
    let mut pair = dual();
    let stack = &mut pair.stacks[0];
    let question = |target: Ipv6Addr, source: Ipv6Addr| {
        let from = match source.is_unspecified() {
            true => Err([1; 6]),
            false => Ok(MACS[1]),
        };
        icmp(
            source,
            solicited_node(target),
            255,
            &solicitation(target, from),
        )
    };
    let answer = |frames: Vec<Vec<u8>>| frames.first().and_then(|frame| discovery(frame));
    let to_asker = answer(answers(stack, question(OURS[0], OURS[1])));
    let expected = Message::Advertisement {
        target: OURS[0],
        router: false,
        solicited: true,
        replaces: true,
    };
    assert_eq!(to_asker.map(|(_, message, _)| message), Some(expected));
    // Somebody asks whether it is free: all are told that it is not.
    let to_all = answer(answers(stack, question(OURS[0], Ipv6Addr::UNSPECIFIED)));
    let Some((source, Message::Advertisement { solicited, .. }, _)) = to_all else {
        panic!("{to_all:?}");
    };
    assert_eq!((source, solicited), (OURS[0], false));
    let near = v6("fd00::2:0:1");
    assert_eq!(
        solicited_node(near),
        solicited_node(OURS[0]),
        "the same group"
    );
    assert_eq!(answers(stack, question(near, OURS[1])).len(), 0);
}

#[test]
fn rfc4862_section_5_4_4_another_station_with_our_address_is_told_of() {
    let mut pair = dual();
    let theirs = icmp(
        OURS[0],
        ALL_NODES,
        255,
        &advertisement(OURS[0], MACS[1], false),
    );
    give(&mut pair, theirs);
    pair.run(Duration::from_millis(1));
    let conflict = Event::AddressConflict(OURS[0].into(), MACS[1]);
    assert!(pair.events[0].contains(&conflict), "{:?}", pair.events[0]);
    assert_eq!(
        under(&pair.stacks[0], "fd00::/64"),
        Some(OURS[0]),
        "it is kept"
    );
}

#[test]
fn rfc4861_section_7_3_1_a_connection_that_goes_on_spares_questions() {
    let mut pair = dual();
    let (client, server) = super::connect(&mut pair, OURS[1].into(), OURS[1].into());
    let asked = pair.stacks[0].counters().nd.out_solicits;
    for _ in 0..200 {
        let sent = pair.stacks[0].tcp().send(client, b"on it goes");
        assert!(sent.is_ready());
        pair.run(Duration::from_secs(1));
        let now = pair.now;
        let received = pair.stacks[1].tcp().receive(now, server, &mut [0; 64]);
        assert!(received.is_ready());
    }
    assert_eq!(pair.stacks[0].counters().nd.out_solicits, asked);
}
