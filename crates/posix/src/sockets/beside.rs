//! What goes beside octets that are sent: control messages.

use std::net::IpAddr;

use super::rights::Rights;

/// The control messages of one call that sends. Each kind of socket takes what it knows.
#[derive(Default)]
pub(crate) struct Beside {
    /// Descriptors, of Unix sockets.
    pub(crate) rights: Rights,
    /// Octets of each datagram that is made of what is sent, of UDP (`UDP_SEGMENT`); 0 for a single one.
    pub(crate) segment: Option<u16>,
    /// Which address of ours it comes from, of UDP (`IP_PKTINFO`, `IPV6_PKTINFO`).
    pub(crate) source: Option<IpAddr>,
}
