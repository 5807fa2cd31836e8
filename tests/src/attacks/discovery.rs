//! Attacks with what anybody on a link may send over IPv6.

use std::net::Ipv6Addr;

use super::GUEST_V6;
use crate::frames::{Link, Packet, Protocol, v6};

/// Who says that it is a router, and is none.
const ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x77);

/// The link-local address of one of many who are not there.
fn neighbour(number: u32) -> Ipv6Addr {
    Ipv6Addr::from_bits(0xfe80 << 112 | 1 << 40 | u128::from(number))
}

fn send(link: &mut Link, (from, to): (Ipv6Addr, Ipv6Addr), message: &[u8]) {
    link.whole(from.into(), to.into(), Protocol::ICMPV6, message);
}

/// `count` questions for the unikernel's address, each from another neighbour.
pub fn solicitations(link: &mut Link, count: u32) {
    let host = link.host();
    for number in 0..count {
        let ends = (neighbour(number), GUEST_V6);
        send(link, ends, &v6::solicitation(ends, GUEST_V6, host));
    }
}

/// `count` advertisements, each of another router, with a thousand prefixes in all of which nothing ends.
pub fn router_advertisements(link: &mut Link, count: u32) {
    // As many as fit 1,500 octets.
    const AT_ONCE: usize = 44;
    let prefixes: Vec<_> = (0..1000)
        .map(|number| v6::prefix(Ipv6Addr::new(0x2001, 0xdb8, number, 1, 0, 0, 0, 0)))
        .collect();
    let options: Vec<_> = prefixes.chunks(AT_ONCE).map(<[_]>::concat).collect();
    for number in 0..count {
        let ends = (neighbour(number), v6::ALL_NODES);
        let options = &options[number as usize % options.len()];
        send(link, ends, &v6::router_advertisement(ends, options));
    }
}

/// `count` redirects, each of another destination to another neighbour, by a router that shows itself first.
pub fn redirects(link: &mut Link, count: u32) {
    let beyond = Ipv6Addr::new(0x2001, 0xdb9, 0, 0, 0, 0, 0, 0);
    let ends = (ROUTER, v6::ALL_NODES);
    let shown = v6::router_advertisement(ends, &v6::route(beyond));
    send(link, ends, &shown);
    for number in 0..count {
        let far = Ipv6Addr::from_bits(beyond.to_bits() | u128::from(number));
        let ends = (ROUTER, GUEST_V6);
        send(link, ends, &v6::redirect(ends, neighbour(number), far));
    }
}

/// `count` first fragments of packets of which no more comes, each of another host.
pub fn fragments(link: &mut Link, count: u32) {
    for number in 0..count {
        let from = Ipv6Addr::from_bits(GUEST_V6.to_bits() | u128::from(number + 1) << 16);
        link.packet(&Packet {
            from: from.into(),
            to: GUEST_V6.into(),
            protocol: Protocol::ICMPV6,
            identification: number as u16,
            offset: 0,
            more: true,
            payload: &[b'f'; 1024],
        });
    }
}
