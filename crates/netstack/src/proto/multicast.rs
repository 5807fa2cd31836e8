//! Membership of multicast groups, told to the routers of the link: IGMPv3 (RFC 3376) and MLDv2 (RFC 3810), which are
//! one protocol in two formats, with the versions before them.

mod groups;
pub mod igmp;
pub mod mld;

pub use groups::{Full, Groups, Message, Query, Record, RecordKind, Version};

/// What comes from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard<A> {
    /// A router asks.
    Query(Query<A>),
    /// A host reports a group in an old version.
    OlderReport(A),
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
