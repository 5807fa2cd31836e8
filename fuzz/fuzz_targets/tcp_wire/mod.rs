//! Segments as the TCP targets write and read them.
#![allow(dead_code)] // Each target uses a part.

use core::net::Ipv4Addr;

use bytes::Bytes;
use netstack::proto::Instant;
use netstack::proto::tcp::{Ecn, IpMeta, Tcp, TxMeta, TxSink};

pub const OURS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub const PEER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

/// A segment to be sent to the engine.
#[derive(Clone, Debug, Default)]
pub struct Raw<'a> {
    pub source_port: u16,
    pub destination_port: u16,
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    pub window: u16,
    pub options: &'a [u8],
    pub payload: &'a [u8],
}

fn checksum(source: Ipv4Addr, destination: Ipv4Addr, segment: &[u8]) -> u16 {
    let mut sum: u32 = 6 + segment.len() as u32;
    for octets in [&source.octets()[..], &destination.octets(), segment] {
        for word in octets.chunks(2) {
            sum += u32::from(u16::from_be_bytes([
                word[0],
                word.get(1).copied().unwrap_or(0),
            ]));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

impl Raw<'_> {
    /// The octets, with options padded and a right checksum.
    pub fn octets(&self) -> Vec<u8> {
        let mut options = self.options[..self.options.len().min(40)].to_vec();
        options.resize(options.len().next_multiple_of(4), 0);
        let mut octets = Vec::new();
        octets.extend(self.source_port.to_be_bytes());
        octets.extend(self.destination_port.to_be_bytes());
        octets.extend(self.seq.to_be_bytes());
        octets.extend(self.ack.to_be_bytes());
        octets.push(((20 + options.len()) as u8 / 4) << 4);
        octets.push(self.flags);
        octets.extend(self.window.to_be_bytes());
        octets.extend([0; 4]);
        octets.extend(&options);
        octets.extend(self.payload);
        let sum = checksum(PEER, OURS, &octets);
        octets[16..18].copy_from_slice(&sum.to_be_bytes());
        octets
    }

    pub fn give(&self, tcp: &mut Tcp, now: Instant, ecn: Ecn) {
        let ip = IpMeta {
            source: PEER.into(),
            destination: OURS.into(),
            ecn,
            checksummed: false,
        };
        tcp.handle_segment(now, &ip, Bytes::from(self.octets()));
    }
}

/// What the engine has sent: checked to be well-formed.
#[derive(Clone, Debug)]
pub struct Sent {
    pub destination: Ipv4Addr,
    pub source_port: u16,
    pub destination_port: u16,
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    pub payload: usize,
}

#[derive(Default)]
pub struct Sink {
    pub buffer: Vec<u8>,
    pub sent: Vec<Sent>,
    pub mtu: usize,
    pub destination: Option<Ipv4Addr>,
}

impl TxSink for Sink {
    fn reserve(&mut self, meta: &TxMeta) -> Option<&mut [u8]> {
        assert_eq!(meta.source(), OURS);
        let std::net::IpAddr::V4(destination) = meta.destination() else {
            panic!("{}", meta.destination());
        };
        self.destination = Some(destination);
        assert!(
            meta.len + 20 <= self.mtu,
            "{} octets exceed the MTU",
            meta.len
        );
        self.buffer = vec![0xa5; meta.len];
        Some(&mut self.buffer)
    }

    fn commit(&mut self) {
        let octets = &self.buffer;
        let destination = self.destination.expect("reserved before");
        assert_eq!(checksum(OURS, destination, octets), 0, "wrong checksum");
        let word = |at: usize| u16::from_be_bytes([octets[at], octets[at + 1]]);
        let long = |at: usize| u32::from(word(at)) << 16 | u32::from(word(at + 2));
        let header = usize::from(octets[12] >> 4) * 4;
        assert!((20..=60).contains(&header) && header <= octets.len());
        self.sent.push(Sent {
            destination,
            source_port: word(0),
            destination_port: word(2),
            seq: long(4),
            ack: long(8),
            flags: octets[13],
            payload: octets.len() - header,
        });
    }
}
