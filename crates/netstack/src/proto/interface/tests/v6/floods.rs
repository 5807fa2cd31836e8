//! Floods of what anybody on the link can send.

use super::discovery::{advertise, prefix};
use super::{Interface, Ipv6Addr, OURS, connect, dual, icmp, link_local};
use crate::proto::account::Kind;
use crate::proto::interface::tests::{MACS, Pair, Sent};
use crate::proto::ip::v6::{ALL_NODES, FragmentHeader, Header, protocol, solicited_node};
use crate::proto::link::nd::solicitation;
use core::time::Duration;

const FLOOD: u32 = 100_000;

fn stranger(number: u32) -> Ipv6Addr {
    Ipv6Addr::from_bits(0xfe80 << 112 | 1 << 40 | u128::from(number))
}

/// What IPv6 holds of the account.
fn held(stack: &mut Interface) -> usize {
    let account = stack.tcp().account();
    account.used_by(Kind::Neighbours) + account.used_by(Kind::Fragments)
}

/// Floods the first stack, which has a connection; the connection goes on, and no more than `most` octets
/// are held.
fn flood(most: usize, frame: impl Fn(&Pair, u32) -> Vec<u8>) -> Pair {
    let mut pair = dual();
    let (client, server) = connect(&mut pair, OURS[1].into(), OURS[1].into());
    let gateway = link_local(&pair.stacks[1]).into();
    let destination = super::cidr("::/0");
    pair.stacks[0].add_route(super::Route {
        destination,
        gateway,
    });
    let before = held(&mut pair.stacks[0]);
    for number in 0..FLOOD {
        let frame = frame(&pair, number);
        let now = pair.now;
        pair.stacks[0].handle_frame(now, frame.into(), &mut Sent::default());
        if number % 1000 == 0 {
            assert!(pair.stacks[0].tcp().send(client, b"on it goes").is_ready());
            // Longer than an acknowledgement is delayed.
            pair.run(Duration::from_millis(60));
            let now = pair.now;
            let received = pair.stacks[1].tcp().receive(now, server, &mut [0; 64]);
            assert!(received.is_ready(), "{number}");
        }
        let more = held(&mut pair.stacks[0]).saturating_sub(before);
        assert!(more <= most, "{more} octets for {number}");
    }
    pair
}

#[test]
fn solicitations_of_strangers() {
    let pair = flood(256 << 10, |_, number| {
        let message = solicitation(OURS[0], Ok(MACS[1]));
        icmp(stranger(number), solicited_node(OURS[0]), 255, &message)
    });
    assert!(pair.stacks[0].neighbors().count() <= 300);
    assert_eq!(pair.stacks[0].counters().nd.in_errors, 0);
}

#[test]
fn router_advertisements_with_a_thousand_prefixes() {
    let prefixes: Vec<_> = (0..1000)
        .map(|number| prefix(&format!("2001:db8:{number:x}::/64"), 7200, 3600))
        .collect();
    let parts: Vec<Vec<u8>> = prefixes
        .chunks(40)
        .map(|part| advertise(1800, 0, &part.iter().map(Vec::as_slice).collect::<Vec<_>>()))
        .collect();
    let mut pair = dual();
    pair.stacks[0] = {
        let mut young = super::Pair::new();
        let settings = super::Ipv6::default().dad_transmits(0);
        young.stacks[0].start_ipv6(pair.now, &settings);
        young.stacks[0].add_address(pair.now, super::cidr("fd00::1/64"));
        let [stack, _] = young.stacks;
        stack
    };
    let before = held(&mut pair.stacks[0]);
    for number in 0..FLOOD {
        let part = &parts[number as usize % parts.len()];
        let message = &part[54..];
        let frame = icmp(stranger(number), ALL_NODES, 255, message);
        let now = pair.now;
        pair.stacks[0].handle_frame(now, frame.into(), &mut Sent::default());
    }
    let more = held(&mut pair.stacks[0]).saturating_sub(before);
    assert!(more < 256 << 10, "{more}");
    let addresses = pair.stacks[0].addresses();
    assert!(addresses.len() <= 3 + 16, "{}", addresses.len());
    connect(&mut pair, OURS[1].into(), OURS[1].into());
}

#[test]
fn redirects() {
    let pair = flood(256 << 10, |pair, number| {
        let mut message = vec![137, 0, 0, 0, 0, 0, 0, 0];
        message.extend_from_slice(&stranger(number).octets());
        let far = Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(number));
        message.extend_from_slice(&far.octets());
        let to = link_local(&pair.stacks[0]);
        icmp(link_local(&pair.stacks[1]), to, 255, &message)
    });
    assert_eq!(pair.stacks[0].counters().nd.redirects, u64::from(FLOOD));
}

#[test]
fn fragments() {
    let pair = flood(1200 << 10, |_, number| {
        let fragment = FragmentHeader {
            next_header: protocol::ICMP,
            offset: 0,
            more: true,
            identification: number,
        };
        let source = Ipv6Addr::from_bits(OURS[1].to_bits() | u128::from(number) << 8);
        let payload = [&fragment.to_bytes()[..], &[1; 1024]].concat();
        let header = Header::new(source, OURS[0], protocol::FRAGMENT, payload.len());
        super::frame(MACS[0], &header, &payload)
    });
    assert!(pair.stacks[0].counters().ip6.reasm_fails > 0);
}
