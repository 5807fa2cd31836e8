//! Membership of multicast groups, told to the routers of the link: IGMPv3 (RFC 3376) and MLDv2 (RFC 3810), which are
//! one protocol in two formats, with the versions before them.

mod groups;
pub mod igmp;

pub use groups::{Full, Groups, Message, Query, Record, RecordKind, Version};
