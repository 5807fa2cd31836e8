//! What is said of the datagrams that a socket sends.

use core::net::IpAddr;

use super::{SocketId, Udp};

impl Udp {
    /// How many links datagrams to groups may pass, to be changed; 1 at first (RFC 1112 §6.1), and 0 stands for 1.
    pub fn multicast_ttl(&mut self, id: SocketId) -> Option<&mut u8> {
        Some(&mut self.sockets.get_mut(id.0)?.multicast_ttl)
    }

    /// The address that datagrams come from, to be changed; at first what the socket is bound to, or else the one that
    /// leads to the destination.
    pub fn source(&mut self, id: SocketId) -> Option<&mut Option<IpAddr>> {
        Some(&mut self.sockets.get_mut(id.0)?.source)
    }
}
