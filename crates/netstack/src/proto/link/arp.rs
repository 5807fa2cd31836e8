//! Address resolution: the packet (RFC 826), the neighbour cache and address conflict detection
//! (RFC 5227).

mod cache;
mod claim;

pub use super::neighbours::CacheLimits;
pub use cache::{Cache, CachePoll};
pub use claim::{Claim, ClaimEvent};

use core::net::Ipv4Addr;
use etherparse::{ArpEthIpv4Packet, ArpOperation, ArpPacketSlice};

use super::ethernet::MacAddr;
use crate::proto::ip::is_host;

/// A valid ARP packet for IPv4 over Ethernet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Whether it asks or answers.
    pub operation: Operation,
    /// The sender's hardware address (`ar$sha`), never a group address.
    pub sender_mac: MacAddr,
    /// The sender's protocol address (`ar$spa`); 0.0.0.0 in a probe.
    pub sender: Ipv4Addr,
    /// The target's hardware address (`ar$tha`); without meaning in a request.
    pub target_mac: MacAddr,
    /// The target's protocol address (`ar$tpa`).
    pub target: Ipv4Addr,
}

/// The two operations of RFC 826.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `ares_op$REQUEST`.
    Request,
    /// `ares_op$REPLY`.
    Reply,
}

impl Packet {
    /// Octets of the packet in a frame.
    pub const LEN: usize = ArpEthIpv4Packet::LEN;

    /// Reads a packet; `None` if it is cut short, is not for IPv4 over Ethernet, or names a
    /// sender that no station can be (a group hardware address; an IP address of no single host).
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let slice = ArpPacketSlice::from_slice(bytes).ok()?;
        let packet = slice.to_packet().try_eth_ipv4().ok()?;
        let operation = match packet.operation {
            ArpOperation::REQUEST => Operation::Request,
            ArpOperation::REPLY => Operation::Reply,
            _ => return None,
        };
        let sender = packet.sender_ipv4_addr();
        let sender_mac = MacAddr(packet.sender_mac);
        let probe = sender.is_unspecified();
        if !sender_mac.is_station() || sender.is_loopback() || !(probe || is_host(sender)) {
            return None;
        }
        Some(Self {
            operation,
            sender_mac,
            sender,
            target_mac: MacAddr(packet.target_mac),
            target: packet.target_ipv4_addr(),
        })
    }

    /// The packet as octets.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        ArpEthIpv4Packet {
            operation: match self.operation {
                Operation::Request => ArpOperation::REQUEST,
                Operation::Reply => ArpOperation::REPLY,
            },
            sender_mac: self.sender_mac.0,
            sender_ipv4: self.sender.octets(),
            target_mac: self.target_mac.0,
            target_ipv4: self.target.octets(),
        }
        .to_bytes()
    }

    /// Asks who has `target`.
    #[must_use]
    pub fn request(sender_mac: MacAddr, sender: Ipv4Addr, target: Ipv4Addr) -> Self {
        let operation = Operation::Request;
        Self {
            operation,
            sender_mac,
            sender,
            target_mac: MacAddr::default(),
            target,
        }
    }

    /// An ARP probe for `target` (RFC 5227 §1.1): a request whose sender address is zero.
    #[must_use]
    pub fn probe(sender_mac: MacAddr, target: Ipv4Addr) -> Self {
        Self::request(sender_mac, Ipv4Addr::UNSPECIFIED, target)
    }

    /// An ARP announcement (RFC 5227 §1.1): a request with our address as sender and as target.
    #[must_use]
    pub fn announcement(sender_mac: MacAddr, address: Ipv4Addr) -> Self {
        Self::request(sender_mac, address, address)
    }

    /// The answer that `mac` gives to this request.
    #[must_use]
    pub fn reply(&self, mac: MacAddr) -> Self {
        Self {
            operation: Operation::Reply,
            sender_mac: mac,
            sender: self.target,
            target_mac: self.sender_mac,
            target: self.sender,
        }
    }
}

#[cfg(test)]
mod tests;
