//! Frames of a peer, written and read: what all cases say to a stack.

use std::net::Ipv4Addr;

use anyhow::{Context, Result, ensure};

pub const OUR_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub const PEER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];

pub const FIN: u8 = 0x01;
pub const SYN: u8 = 0x02;
pub const RST: u8 = 0x04;
pub const ACK: u8 = 0x10;

/// Options of a SYN: an MSS of 1,460, a window scale of 7, SACK.
const SYN_OPTIONS: [u8; 12] = [2, 4, 0x05, 0xb4, 1, 3, 3, 7, 4, 2, 0, 0];
/// Of Ethernet, IPv4 and TCP without options.
const HEADERS: usize = 54;
/// Octets of payload of a full segment.
pub const PAYLOAD: usize = 1460;

/// A segment, seen from the peer.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// The peer's end and the stack's.
    pub peer: (Ipv4Addr, u16),
    pub stack: (Ipv4Addr, u16),
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    /// Octets of payload.
    pub len: usize,
}

fn sum(words: &[u8]) -> u32 {
    words
        .chunks(2)
        .map(|word| u32::from(word[0]) << 8 | u32::from(word.get(1).copied().unwrap_or(0)))
        .sum()
}

fn checksum(mut sum: u32) -> [u8; 2] {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}

impl Segment {
    /// The frame of a segment that the peer sends from `from` to `to`; its payload is zeros.
    pub fn frame(&self, from: [u8; 6], to: [u8; 6]) -> Vec<u8> {
        let options: &[u8] = if self.flags & SYN != 0 {
            &SYN_OPTIONS
        } else {
            &[]
        };
        let tcp_len = 20 + options.len() + self.len;
        let mut frame = Vec::with_capacity(34 + tcp_len);
        frame.extend(to);
        frame.extend(from);
        frame.extend([8, 0, 0x45, 0]);
        frame.extend((20 + tcp_len as u16).to_be_bytes());
        frame.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
        frame.extend(self.peer.0.octets());
        frame.extend(self.stack.0.octets());
        let ip = checksum(sum(&frame[14..34]));
        frame[24..26].copy_from_slice(&ip);
        frame.extend(self.peer.1.to_be_bytes());
        frame.extend(self.stack.1.to_be_bytes());
        frame.extend(self.seq.to_be_bytes());
        frame.extend(self.ack.to_be_bytes());
        frame.extend([((20 + options.len()) << 2) as u8, self.flags]);
        frame.extend([0xff, 0xff, 0, 0, 0, 0]);
        frame.extend(options);
        frame.resize(34 + tcp_len, 0);
        let pseudo = sum(&frame[26..34]) + 6 + tcp_len as u32;
        let tcp = checksum(pseudo + sum(&frame[34..]));
        frame[50..52].copy_from_slice(&tcp);
        frame
    }

    /// Reads a frame of the stack; `None` unless it is a TCP segment.
    pub fn read(frame: &[u8]) -> Option<Self> {
        let fixed: &[u8; HEADERS] = frame.first_chunk()?;
        if fixed[12..15] != [8, 0, 0x45] || fixed[23] != 6 {
            return None;
        }
        let u16_at = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
        let u32_at = |at: usize| u32::from(u16_at(at)) << 16 | u32::from(u16_at(at + 2));
        let header = usize::from(fixed[46] >> 4) * 4;
        Some(Self {
            stack: (Ipv4Addr::from_bits(u32_at(26)), u16_at(34)),
            peer: (Ipv4Addr::from_bits(u32_at(30)), u16_at(36)),
            seq: u32_at(38),
            ack: u32_at(42),
            flags: fixed[47],
            len: usize::from(u16_at(16)).checked_sub(20 + header)?,
        })
    }
}

/// An ARP message of `from`, who has `address`: a request for `wanted`, or the answer to one.
pub fn arp(from: [u8; 6], address: Ipv4Addr, to: Option<[u8; 6]>, wanted: Ipv4Addr) -> Vec<u8> {
    let mut frame = Vec::with_capacity(42);
    frame.extend(to.unwrap_or([0xff; 6]));
    frame.extend(from);
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, if to.is_some() { 2 } else { 1 }]);
    frame.extend(from);
    frame.extend(address.octets());
    frame.extend(to.unwrap_or_default());
    frame.extend(wanted.octets());
    frame
}

/// Who asks for which address, if the frame is an ARP request.
pub fn arp_request(frame: &[u8]) -> Option<([u8; 6], Ipv4Addr, Ipv4Addr)> {
    if frame.get(12..14)? != [8, 6] || frame.get(20..22)? != [0, 1] {
        return None;
    }
    let address = |at: usize| -> Option<Ipv4Addr> {
        let octets: [u8; 4] = frame.get(at..at + 4)?.try_into().ok()?;
        Some(octets.into())
    };
    Some((
        frame.get(22..28)?.try_into().ok()?,
        address(28)?,
        address(38)?,
    ))
}

/// What the peer knows of one of its connections.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    pub peer: (Ipv4Addr, u16),
    pub stack: (Ipv4Addr, u16),
    /// The next number that the peer sends, and the next that it expects.
    pub seq: u32,
    pub ack: u32,
}

impl Peer {
    /// The connection `index` of many from several addresses below `base`, before its SYN.
    pub fn new(base: Ipv4Addr, index: usize, stack: (Ipv4Addr, u16)) -> Self {
        const PORTS: usize = 60_000;
        let address = Ipv4Addr::from_bits(base.to_bits() + 1 + (index / PORTS) as u32);
        Self {
            peer: (address, (1024 + index % PORTS) as u16),
            stack,
            seq: (index as u32).wrapping_mul(0x9e37_79b9),
            ack: 0,
        }
    }

    /// The next segment that the peer sends, with `len` octets.
    pub fn segment(&mut self, flags: u8, len: usize) -> Segment {
        let segment = Segment {
            peer: self.peer,
            stack: self.stack,
            seq: self.seq,
            ack: self.ack,
            flags,
            len,
        };
        self.seq = self
            .seq
            .wrapping_add(len as u32)
            .wrapping_add(u32::from(flags & (SYN | FIN) != 0));
        segment
    }

    /// Takes the SYN-ACK of the stack.
    pub fn take_syn_ack(&mut self, segment: &Segment) -> Result<()> {
        ensure!(
            segment.flags & (SYN | ACK) == SYN | ACK,
            "a SYN-ACK is expected, the flags are {:#x}",
            segment.flags
        );
        self.ack = segment.seq.wrapping_add(1);
        Ok(())
    }

    /// Takes what is in order of a segment; whether it brought something.
    pub fn take(&mut self, segment: &Segment) -> bool {
        let fin = u32::from(segment.flags & FIN != 0);
        let news = segment.seq == self.ack && segment.len as u32 + fin > 0;
        if news {
            self.ack = self.ack.wrapping_add(segment.len as u32 + fin);
        }
        news
    }
}

/// The index of the connection that a segment of the stack belongs to.
pub fn index_of(base: Ipv4Addr, segment: &Segment) -> Result<usize> {
    let address = segment.peer.0.to_bits().checked_sub(base.to_bits() + 1);
    let port = segment.peer.1.checked_sub(1024);
    let (address, port) = address.zip(port).context("a segment for nobody")?;
    Ok(address as usize * 60_000 + usize::from(port))
}
