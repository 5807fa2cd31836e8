//! The five messages of neighbour discovery (RFC 4861 §4).

use core::net::Ipv6Addr;

use crate::proto::link::ethernet::MacAddr;

const ROUTER_SOLICITATION: u8 = 133;
const ROUTER_ADVERTISEMENT: u8 = 134;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const REDIRECT: u8 = 137;

/// Options that are written here.
const SOURCE_STATION: u8 = 1;
const TARGET_STATION: u8 = 2;
const NONCE: u8 = 14;

/// A message, and behind it its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// A host looks for routers (§4.1).
    RouterSolicitation,
    /// A router shows itself (§4.2, RFC 4191 §2.2).
    RouterAdvertisement {
        /// The hop limit for what is sent; 0 leaves it open.
        hop_limit: u8,
        /// The flags M, O, and the router's preference.
        flags: u8,
        /// Seconds for which it may be the default router.
        lifetime: u16,
        /// Milliseconds for which a neighbour is reachable after a confirmation; 0 leaves it open.
        reachable: u32,
        /// Milliseconds between solicitations; 0 leaves it open.
        retransmit: u32,
    },
    /// Who has `target`? (§4.3)
    Solicitation {
        /// The address that is looked for.
        target: Ipv6Addr,
    },
    /// Its sender has `target` (§4.4).
    Advertisement {
        /// The address that was looked for, or has got another station.
        target: Ipv6Addr,
        /// The sender is a router.
        router: bool,
        /// It answers a solicitation.
        solicited: bool,
        /// It takes the place of what is known.
        replaces: bool,
    },
    /// There is a better first hop to `destination` (§4.5).
    Redirect {
        /// That hop, or the destination itself.
        target: Ipv6Addr,
        /// Where the packet was to.
        destination: Ipv6Addr,
    },
}

impl Message {
    /// Reads an ICMPv6 message, whose checksum has been checked; gives its options too. `None` where it
    /// is malformed: a code other than 0, or cut short (§6.1, §7.1, §8.1).
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let ([kind, code, _, _, fixed @ ..], rest) = bytes.split_first_chunk::<8>()?;
        if *code != 0 {
            return None;
        }
        let address = |rest: &[u8]| rest.first_chunk::<16>().map(|it| Ipv6Addr::from(*it));
        let (message, rest) = match *kind {
            ROUTER_SOLICITATION => (Self::RouterSolicitation, rest),
            ROUTER_ADVERTISEMENT => {
                let [hop_limit, flags, l0, l1] = *fixed;
                let ([r0, r1, r2, r3, t0, t1, t2, t3], rest) = rest.split_first_chunk::<8>()?;
                let advertisement = Self::RouterAdvertisement {
                    hop_limit,
                    flags,
                    lifetime: u16::from_be_bytes([l0, l1]),
                    reachable: u32::from_be_bytes([*r0, *r1, *r2, *r3]),
                    retransmit: u32::from_be_bytes([*t0, *t1, *t2, *t3]),
                };
                (advertisement, rest)
            }
            SOLICITATION => (
                Self::Solicitation {
                    target: address(rest)?,
                },
                &rest[16..],
            ),
            ADVERTISEMENT => {
                let flag = |bit: u8| fixed[0] & bit != 0;
                let advertisement = Self::Advertisement {
                    target: address(rest)?,
                    router: flag(0x80),
                    solicited: flag(0x40),
                    replaces: flag(0x20),
                };
                (advertisement, &rest[16..])
            }
            REDIRECT => {
                let target = address(rest)?;
                let destination = address(&rest[16..])?;
                let redirect = Self::Redirect {
                    target,
                    destination,
                };
                (redirect, &rest[32..])
            }
            _ => return None,
        };
        Some((message, rest))
    }
}

fn station_option(message: &mut Vec<u8>, kind: u8, station: MacAddr) {
    message.extend_from_slice(&[kind, 1]);
    message.extend_from_slice(&station.0);
}

/// A solicitation for `target`, without its checksum: from `station`, or, where the source is ::, with a
/// nonce (RFC 7527 §4.1).
#[must_use]
pub fn solicitation(target: Ipv6Addr, from: Result<MacAddr, [u8; 6]>) -> Vec<u8> {
    let mut message = vec![SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
    message.extend_from_slice(&target.octets());
    match from {
        Ok(station) => station_option(&mut message, SOURCE_STATION, station),
        Err(nonce) => {
            message.extend_from_slice(&[NONCE, 1]);
            message.extend_from_slice(&nonce);
        }
    }
    message
}

/// An advertisement of `target`, which `station` has, without its checksum.
#[must_use]
pub fn advertisement(target: Ipv6Addr, station: MacAddr, solicited: bool) -> Vec<u8> {
    let flags = 0x20 | if solicited { 0x40 } else { 0 };
    let mut message = vec![ADVERTISEMENT, 0, 0, 0, flags, 0, 0, 0];
    message.extend_from_slice(&target.octets());
    station_option(&mut message, TARGET_STATION, station);
    message
}

/// A router solicitation, without its checksum: from `station`, unless the source is ::.
#[must_use]
pub fn router_solicitation(station: Option<MacAddr>) -> Vec<u8> {
    let mut message = vec![ROUTER_SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
    if let Some(station) = station {
        station_option(&mut message, SOURCE_STATION, station);
    }
    message
}

/// Whether all options behind a message are as long as they say, and no longer than the message
/// (RFC 4861 §6.1.1, §6.1.2, §7.1.1, §7.1.2, §8.1).
#[must_use]
pub fn are_options(mut octets: &[u8]) -> bool {
    while let [_, units, ..] = octets {
        let len = 8 * usize::from(*units);
        match octets.get(len..) {
            Some(rest) if len > 0 => octets = rest,
            _ => return false,
        }
    }
    octets.is_empty()
}

/// The options behind a message: the type of each, and what is behind its length.
pub fn options(mut octets: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    core::iter::from_fn(move || {
        let [kind, units, ..] = octets else {
            return None;
        };
        let (option, rest) = octets.split_at_checked(8 * usize::from(*units))?;
        octets = rest;
        Some((*kind, option.get(2..)?))
    })
}

fn station(octets: &[u8], wanted: u8) -> Option<MacAddr> {
    let mut options = options(octets).filter(|(kind, body)| *kind == wanted && body.len() == 6);
    let (_, body) = options.next()?;
    let station = MacAddr(*body.first_chunk()?);
    station.is_station().then_some(station)
}

/// The station that sent a message, if its options say so.
#[must_use]
pub fn source_station(octets: &[u8]) -> Option<MacAddr> {
    station(octets, SOURCE_STATION)
}

/// The station that has the target, if the options of a message say so.
#[must_use]
pub fn target_station(octets: &[u8]) -> Option<MacAddr> {
    station(octets, TARGET_STATION)
}

/// The nonce among the options of a solicitation (RFC 3971 §5.3.2).
#[must_use]
pub fn nonce(octets: &[u8]) -> Option<&[u8]> {
    options(octets).find_map(|(kind, body)| (kind == NONCE).then_some(body))
}
