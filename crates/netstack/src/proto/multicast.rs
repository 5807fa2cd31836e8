//! Membership of multicast groups, told to the routers of the link: IGMPv3 (RFC 3376) and MLDv2 (RFC 3810), which are
//! one protocol in two formats, with the versions before them.

mod groups;
pub mod igmp;
pub mod mld;

use core::net::IpAddr;
use core::time::Duration;

pub use groups::{Full, Groups, Message, Query, Record, RecordKind, Version};

/// What comes from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard<A> {
    /// A router asks.
    Query(Query<A>),
    /// A host reports a group in an old version.
    OlderReport(A),
}

impl<A: Copy + Into<IpAddr>> Query<A> {
    /// A query about `group`, which is zero for all: `None` if it is none. `numbers` are its last before the sources:
    /// the octet that ends with QRV, and QQIC.
    fn read(
        version: Version,
        group: A,
        response_time: Duration,
        numbers: Option<(u8, u8)>,
    ) -> Option<Self> {
        let address: IpAddr = group.into();
        if !(address.is_unspecified() || address.is_multicast()) {
            return None;
        }
        Some(Self {
            version,
            group: address.is_multicast().then_some(group),
            response_time,
            robustness: numbers.map(|(flags, _)| flags & 7),
            interval: numbers.map(|(_, code)| Duration::from_secs(value_of(code.into(), 4).into())),
        })
    }
}

/// A report of the third version, of the given type and without its checksum: records with neither auxiliary data nor
/// sources (RFC 3376 §4.2, RFC 3810 §5.2).
fn report<A, const N: usize>(
    kind: u8,
    records: &[Record<A>],
    octets: fn(&A) -> [u8; N],
) -> Vec<u8> {
    let [high, low] = (records.len() as u16).to_be_bytes();
    let mut body = vec![kind, 0, 0, 0, 0, 0, high, low];
    for record in records {
        body.extend([record.kind as u8, 0, 0, 0]);
        body.extend(octets(&record.group));
    }
    body
}

/// A number that from `1 << (mantissa + 3)` on is written as a mantissa of so many bits and an exponent of three (RFC
/// 3376 §4.1.1, RFC 3810 §5.1.3).
fn value_of(code: u32, mantissa: u32) -> u32 {
    let least = 1 << (mantissa + 3);
    match code < least {
        true => code,
        false => {
            let exponent = (code >> mantissa & 7) + 3;
            (code & ((1 << mantissa) - 1) | 1 << mantissa) << exponent
        }
    }
}
