//! Attacks beneath TCP, and beside it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use fastrand::Rng;

use super::{GUEST, Strangers, port};
use crate::frames::{Arp, Datagram, Link, Packet, Protocol, icmp_message, icmp6_message};

/// The longest ICMP echo message's data: 65,535 octets less the headers of IPv4 and ICMP.
const LONGEST_ECHO: usize = 65_535 - 20 - 8;

/// `count` echo replies as long as can be, in fragments, which nobody has asked for.
pub fn echo_replies(link: &mut Link, from: Strangers, count: usize) {
    let data = vec![b'e'; LONGEST_ECHO];
    let rest = [0, 7, 0, 7];
    for end in from.ends(count) {
        let (protocol, message) = match (end.ip(), from.guest()) {
            (IpAddr::V6(end), IpAddr::V6(guest)) => {
                let message = icmp6_message((end, guest), (129, 0), rest, &data);
                (Protocol::ICMPV6, message)
            }
            _ => (Protocol::ICMP, icmp_message(0, 0, rest, &data)),
        };
        link.fragments(end.ip(), from.guest(), protocol, &message);
    }
}

/// `count` datagrams of which all fragments arrive but the first.
pub fn fragments_without_end(link: &mut Link, from: Strangers, count: usize, octets: usize) {
    for (number, end) in from.ends(count).enumerate() {
        for offset in (Link::FRAGMENT..octets).step_by(Link::FRAGMENT) {
            link.packet(&Packet {
                from: end.ip(),
                to: from.guest(),
                protocol: Protocol::UDP,
                identification: number as u16,
                offset,
                more: true,
                payload: &[b'f'; Link::FRAGMENT],
            });
        }
    }
}

/// `count` requests to the services over UDP that seem to come from such services, the unikernel's own among them, or
/// from one address that shall be flooded with answers.
pub fn reflections(link: &mut Link, from: Strangers, count: usize, rng: &mut Rng) {
    let services = [port::ECHO, port::DISCARD, port::DAYTIME, port::CHARGEN];
    for end in from.ends(count) {
        let to = from.service(services[rng.usize(..services.len())]);
        let of_service = services[rng.usize(..services.len())];
        let from = match rng.u8(..4) {
            0 => from.service(of_service),
            1 => SocketAddr::new(end.ip(), of_service),
            2 => SocketAddr::new(end.ip(), rng.u16(1..1024)),
            _ => SocketAddr::new(from.stranger(0), 40_000),
        };
        let payload = b"\n";
        link.datagram(&Datagram { from, to, payload });
    }
}

/// `count` datagrams of `octets` to discard.
pub fn flood(link: &mut Link, strangers: Strangers, count: usize, octets: usize) {
    let payload = vec![b'd'; octets];
    for from in strangers.ends(count) {
        link.datagram(&Datagram {
            from,
            to: strangers.service(port::DISCARD),
            payload: &payload,
        });
    }
}

/// `count` addresses of the unikernel's own network, from `10.0.0.16` on, each of which asks for the unikernel's
/// hardware address and then has it send something to a neighbour that answers no more.
pub fn unknown_neighbours(link: &mut Link, count: usize) {
    let sender = link.host();
    for number in 0..count {
        let sender_ip = Ipv4Addr::new(10, 0, 0, 16 + (number % 224) as u8);
        link.arp(&Arp {
            reply: false,
            sender,
            sender_ip,
            target: [0; 6],
            target_ip: GUEST,
        });
        let message = icmp_message(8, 0, [0; 4], &[b'n'; 32]);
        link.whole(sender_ip.into(), GUEST.into(), Protocol::ICMP, &message);
    }
}

/// `count` packets of which only the addresses are right, and sometimes the protocol.
pub fn noise(link: &mut Link, from: Strangers, count: usize, rng: &mut Rng) {
    for end in from.ends(count) {
        let protocols = [1, 2, 6, 17, 58, rng.u8(..)];
        let payload: Vec<u8> = (0..rng.usize(..1480)).map(|_| rng.u8(..)).collect();
        link.packet(&Packet {
            from: end.ip(),
            to: from.guest(),
            protocol: Protocol(protocols[rng.usize(..protocols.len())]),
            identification: rng.u16(..),
            offset: if rng.bool() { 0 } else { rng.usize(..8192) * 8 },
            more: rng.bool(),
            payload: &payload,
        });
    }
}
