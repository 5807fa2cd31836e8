//! Packets as octets and back. Nothing here is shared with the stack under test.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A hardware address.
pub type Mac = [u8; 6];

/// RFC 9293 section 3.1: no more data from the sender.
pub const FIN: u8 = 1;
/// Synchronize sequence numbers.
pub const SYN: u8 = 2;
/// Reset the connection.
pub const RST: u8 = 4;
/// Push function.
pub const PSH: u8 = 8;
/// The acknowledgement number is significant.
pub const ACK: u8 = 16;

/// A TCP segment.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// Who sent it.
    pub from: SocketAddr,
    /// To whom.
    pub to: SocketAddr,
    /// SEG.SEQ
    pub seq: u32,
    /// SEG.ACK
    pub ack: u32,
    /// [`FIN`], [`SYN`], ...
    pub flags: u8,
    /// The window as it stands in the header, unscaled.
    pub window: u16,
    /// A multiple of four octets.
    pub options: &'a [u8],
    /// The data. Of a received segment only its length is to be relied on: what is beyond [`Received`]'s buffer is
    /// zero.
    pub payload: &'a [u8],
}

impl Segment<'_> {
    /// The segment with its checksum.
    pub(super) fn octets(&self) -> Vec<u8> {
        assert_eq!(self.options.len() % 4, 0, "options end with padding");
        let header = 20 + self.options.len();
        let mut octets = Vec::with_capacity(header + self.payload.len());
        octets.extend(self.from.port().to_be_bytes());
        octets.extend(self.to.port().to_be_bytes());
        octets.extend(self.seq.to_be_bytes());
        octets.extend(self.ack.to_be_bytes());
        octets.extend([(header / 4 * 16) as u8, self.flags]);
        octets.extend(self.window.to_be_bytes());
        octets.extend([0; 4]);
        octets.extend(self.options);
        octets.extend(self.payload);
        let sum =
            pseudo_header(self.from.ip(), self.to.ip(), Protocol::TCP, octets.len()) + sum(&octets);
        octets[16..18].copy_from_slice(&checksum(sum).to_be_bytes());
        octets
    }
}

/// A UDP datagram.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// Who sent it.
    pub from: SocketAddr,
    /// To whom.
    pub to: SocketAddr,
    /// The data, as with [`Segment::payload`].
    pub payload: &'a [u8],
}

impl Datagram<'_> {
    /// The datagram with its checksum.
    pub(super) fn octets(&self) -> Vec<u8> {
        let length = 8 + self.payload.len();
        let mut octets = Vec::with_capacity(length);
        octets.extend(self.from.port().to_be_bytes());
        octets.extend(self.to.port().to_be_bytes());
        octets.extend((length as u16).to_be_bytes());
        octets.extend([0; 2]);
        octets.extend(self.payload);
        let sum = pseudo_header(self.from.ip(), self.to.ip(), Protocol::UDP, length) + sum(&octets);
        // RFC 768: zero says that there is none.
        let checksum = match checksum(sum) {
            0 => 0xffff,
            checksum => checksum,
        };
        octets[6..8].copy_from_slice(&checksum.to_be_bytes());
        octets
    }
}

/// An ICMP message (RFC 792) with its checksum.
pub fn icmp_message(kind: u8, code: u8, rest: [u8; 4], data: &[u8]) -> Vec<u8> {
    let mut octets = vec![kind, code, 0, 0];
    octets.extend(rest);
    octets.extend(data);
    let checksum = checksum(sum(&octets));
    octets[2..4].copy_from_slice(&checksum.to_be_bytes());
    octets
}

/// The same of ICMPv6 (RFC 4443), whose checksum is over the addresses too.
pub fn icmp6_message(
    (from, to): (Ipv6Addr, Ipv6Addr),
    (kind, code): (u8, u8),
    rest: [u8; 4],
    data: &[u8],
) -> Vec<u8> {
    let mut octets = vec![kind, code, 0, 0];
    octets.extend(rest);
    octets.extend(data);
    let pseudo = pseudo_header(from.into(), to.into(), Protocol::ICMPV6, octets.len());
    let checksum = checksum(pseudo + sum(&octets));
    octets[2..4].copy_from_slice(&checksum.to_be_bytes());
    octets
}

/// The protocol numbers of headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol(pub u8);

impl Protocol {
    /// RFC 792
    pub const ICMP: Self = Self(1);
    /// RFC 9293
    pub const TCP: Self = Self(6);
    /// RFC 768
    pub const UDP: Self = Self(17);
    /// RFC 8200 section 4.5
    const FRAGMENT: Self = Self(44);
    /// RFC 4443
    pub const ICMPV6: Self = Self(58);
}

/// A packet, whole or a fragment. Both addresses are of one family.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Who sent it.
    pub from: IpAddr,
    /// To whom.
    pub to: IpAddr,
    /// What is in it.
    pub protocol: Protocol,
    /// What its fragments have in common.
    pub identification: u16,
    /// Where the payload stands in the datagram, in octets: a multiple of 8.
    pub offset: usize,
    /// Whether fragments follow.
    pub more: bool,
    /// What is behind the header.
    pub payload: &'a [u8],
}

impl Packet<'_> {
    /// Its type in a header of Ethernet.
    pub(super) fn ether_type(&self) -> u16 {
        match self.from {
            IpAddr::V4(_) => 0x0800,
            IpAddr::V6(_) => 0x86dd,
        }
    }

    pub(super) fn octets(&self) -> Vec<u8> {
        assert_eq!(self.offset % 8, 0, "offsets count in units of 8 octets");
        match (self.from, self.to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => self.octets_v4(from, to),
            (IpAddr::V6(from), IpAddr::V6(to)) => self.octets_v6(from, to),
            other => panic!("{other:?}: expected addresses of one family"),
        }
    }

    fn octets_v4(&self, from: Ipv4Addr, to: Ipv4Addr) -> Vec<u8> {
        let length = 20 + self.payload.len();
        let mut octets = Vec::with_capacity(length);
        octets.extend([0x45, 0]);
        octets.extend((length as u16).to_be_bytes());
        octets.extend(self.identification.to_be_bytes());
        let fragment = u16::from(self.more) << 13 | (self.offset / 8) as u16;
        octets.extend(fragment.to_be_bytes());
        octets.extend([64, self.protocol.0, 0, 0]);
        octets.extend(from.octets());
        octets.extend(to.octets());
        let checksum = checksum(sum(&octets));
        octets[10..12].copy_from_slice(&checksum.to_be_bytes());
        octets.extend(self.payload);
        octets
    }

    fn octets_v6(&self, from: Ipv6Addr, to: Ipv6Addr) -> Vec<u8> {
        let mut extension = Vec::new();
        let mut next_header = self.protocol;
        if self.offset > 0 || self.more {
            next_header = Protocol::FRAGMENT;
            extension.extend([self.protocol.0, 0]);
            extension.extend((self.offset as u16 | u16::from(self.more)).to_be_bytes());
            extension.extend(u32::from(self.identification).to_be_bytes());
        }
        let mut octets = vec![0x60, 0, 0, 0];
        let length = extension.len() + self.payload.len();
        octets.extend((length as u16).to_be_bytes());
        // The hop limit that says that no router has passed it on.
        octets.extend([next_header.0, 255]);
        octets.extend(from.octets());
        octets.extend(to.octets());
        octets.extend(extension);
        octets.extend(self.payload);
        octets
    }
}

/// An ARP message for IPv4 over Ethernet (RFC 826).
#[derive(Clone, Copy, Debug)]
pub struct Arp {
    /// Whether it answers.
    pub reply: bool,
    /// The sender's hardware address.
    pub sender: Mac,
    /// The sender's address.
    pub sender_ip: Ipv4Addr,
    /// The target's hardware address, zero in a request.
    pub target: Mac,
    /// The target's address.
    pub target_ip: Ipv4Addr,
}

impl Arp {
    pub(super) fn octets(&self) -> Vec<u8> {
        let mut octets = vec![0, 1, 8, 0, 6, 4, 0, if self.reply { 2 } else { 1 }];
        octets.extend(self.sender);
        octets.extend(self.sender_ip.octets());
        octets.extend(self.target);
        octets.extend(self.target_ip.octets());
        octets
    }

    fn parse(octets: &[u8]) -> Option<Self> {
        let octets = octets.get(..28)?;
        if octets[..7] != [0, 1, 8, 0, 6, 4, 0] {
            return None;
        }
        Some(Self {
            reply: octets[7] == 2,
            sender: octets[8..14].try_into().ok()?,
            sender_ip: address(&octets[14..18]),
            target: octets[18..24].try_into().ok()?,
            target_ip: address(&octets[24..28]),
        })
    }
}

/// What was in a frame of the unikernel's.
#[derive(Clone, Copy, Debug)]
pub enum Received<'a> {
    /// RFC 9293
    Tcp(Segment<'a>),
    /// RFC 768
    Udp(Datagram<'a>),
    /// RFC 826
    Arp(Arp),
    /// Any other packet, a fragment too.
    Other(Packet<'a>),
}

impl<'a> Received<'a> {
    /// Parses a frame of which the buffer may hold only the beginning; the rest of it must be zero.
    pub(super) fn parse(frame: &'a [u8]) -> Option<Self> {
        match frame.get(12..14)? {
            [8, 6] => Arp::parse(&frame[14..]).map(Self::Arp),
            [8, 0] => Self::parse_ipv4(&frame[14..]),
            [0x86, 0xdd] => Self::parse_ipv6(&frame[14..]),
            _ => None,
        }
    }

    fn parse_ipv4(octets: &'a [u8]) -> Option<Self> {
        let header = usize::from(octets.first()? & 15) * 4;
        let length = usize::from(be16(octets.get(2..4)?));
        let payload = octets.get(header.max(20)..length)?;
        let fragment = be16(&octets[6..8]);
        let packet = Packet {
            from: address(&octets[12..16]).into(),
            to: address(&octets[16..20]).into(),
            protocol: Protocol(octets[9]),
            identification: be16(&octets[4..6]),
            offset: usize::from(fragment & 0x1fff) * 8,
            more: fragment & 0x2000 != 0,
            payload,
        };
        if packet.offset > 0 || packet.more {
            return Some(Self::Other(packet));
        }
        Self::parse_payload(packet)
    }

    /// Of extension headers there is no more made than that they are there.
    fn parse_ipv6(octets: &'a [u8]) -> Option<Self> {
        let length = usize::from(be16(octets.get(4..6)?));
        let address = |at: usize| -> Option<IpAddr> {
            let octets: [u8; 16] = octets.get(at..at + 16)?.try_into().ok()?;
            Some(Ipv6Addr::from(octets).into())
        };
        Self::parse_payload(Packet {
            from: address(8)?,
            to: address(24)?,
            protocol: Protocol(octets[6]),
            identification: 0,
            offset: 0,
            more: false,
            payload: octets.get(40..40 + length)?,
        })
    }

    fn parse_payload(packet: Packet<'a>) -> Option<Self> {
        match packet.protocol {
            Protocol::TCP => parse_tcp(&packet).map(Self::Tcp),
            Protocol::UDP => parse_udp(&packet).map(Self::Udp),
            _ => Some(Self::Other(packet)),
        }
    }
}

fn parse_tcp<'a>(packet: &Packet<'a>) -> Option<Segment<'a>> {
    let octets = packet.payload;
    let header = usize::from(octets.get(12)? >> 4) * 4;
    Some(Segment {
        from: SocketAddr::new(packet.from, be16(&octets[..2])),
        to: SocketAddr::new(packet.to, be16(&octets[2..4])),
        seq: be32(&octets[4..8]),
        ack: be32(&octets[8..12]),
        flags: *octets.get(13)?,
        window: be16(octets.get(14..16)?),
        options: octets.get(20..header)?,
        payload: octets.get(header..)?,
    })
}

fn parse_udp<'a>(packet: &Packet<'a>) -> Option<Datagram<'a>> {
    let octets = packet.payload;
    Some(Datagram {
        from: SocketAddr::new(packet.from, be16(octets.get(..2)?)),
        to: SocketAddr::new(packet.to, be16(octets.get(2..4)?)),
        payload: octets.get(8..)?,
    })
}

/// The options of a SYN: maximum segment size, and with a shift count also window scale and SACK permitted.
pub fn tcp_options(mss: u16, shift: Option<u8>) -> Vec<u8> {
    let mut options = vec![2, 4];
    options.extend(mss.to_be_bytes());
    if let Some(shift) = shift {
        options.extend([1, 3, 3, shift, 1, 1, 4, 2]);
    }
    options
}

fn be16(octets: &[u8]) -> u16 {
    u16::from_be_bytes([octets[0], octets[1]])
}

fn be32(octets: &[u8]) -> u32 {
    u32::from_be_bytes([octets[0], octets[1], octets[2], octets[3]])
}

fn address(octets: &[u8]) -> Ipv4Addr {
    be32(octets).into()
}

/// The sum of 16-bit words (RFC 1071), not yet folded.
fn sum(octets: &[u8]) -> u64 {
    let words = octets.chunks(2).map(|word| match *word {
        [high, low] => u64::from(u16::from_be_bytes([high, low])),
        _ => u64::from(word[0]) << 8,
    });
    words.sum()
}

fn pseudo_header(from: IpAddr, to: IpAddr, protocol: Protocol, length: usize) -> u64 {
    let address = |address| match address {
        IpAddr::V4(address) => sum(&address.octets()),
        IpAddr::V6(address) => sum(&address.octets()),
    };
    address(from) + address(to) + u64::from(protocol.0) + length as u64
}

fn checksum(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
