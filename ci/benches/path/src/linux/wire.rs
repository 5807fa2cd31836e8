//! IPv4 packets with TCP segments in Ethernet frames.

use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use netstack::proto::tcp::Ecn;

use crate::sim::Packet;

const ETHERNET: usize = 14;
const IP: usize = 20;
const TCP: u8 = 6;

/// The hardware address of a host, which no other has.
pub fn mac(address: Ipv4Addr) -> String {
    format!("02:00:00:00:00:{:02x}", address.octets()[3])
}

/// The segment in a frame of the kernel's, if there is one.
pub fn parse(frame: &[u8]) -> Option<Packet> {
    let ip = frame.get(ETHERNET..)?;
    let header = ip.get(..IP)?;
    if frame[12..ETHERNET] != [8, 0] || header[0] != 0x45 || header[9] != TCP {
        return None;
    }
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let address =
        |at: usize| IpAddr::from([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    Some(Packet {
        source: address(12),
        destination: address(16),
        ecn: Ecn::NotEct,
        dont_fragment: true,
        segment: Bytes::copy_from_slice(ip.get(IP..length)?),
    })
}

/// The frame of a packet to the kernel.
pub fn frame(packet: &Packet) -> Vec<u8> {
    let [source, destination] = [packet.source, packet.destination].map(|address| {
        let IpAddr::V4(address) = address else {
            unreachable!("the hosts have addresses of IPv4");
        };
        address.octets()
    });
    let mut frame = vec![2, 0, 0, 0, 0, destination[3]];
    frame.extend([2, 0, 0, 0, 0, source[3], 8, 0]);
    let length = (IP + packet.segment.len()) as u16;
    let mut header = [0; IP];
    header[0] = 0x45;
    header[2..4].copy_from_slice(&length.to_be_bytes());
    // Not to be fragmented; 64 hops.
    (header[6], header[8], header[9]) = (0x40, 64, TCP);
    header[12..16].copy_from_slice(&source);
    header[16..].copy_from_slice(&destination);
    let words = header.chunks(2);
    let sum: u32 = words
        .map(|word| u32::from(word[0]) << 8 | u32::from(word[1]))
        .sum();
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    frame.extend(header);
    frame.extend_from_slice(&packet.segment);
    frame
}

/// Whether a segment has more than its header.
pub fn has_data(segment: &[u8]) -> bool {
    segment
        .get(12)
        .is_some_and(|octet| segment.len() > 4 * usize::from(octet >> 4))
}
