//! Segments as a test writes and reads them.

use etherparse::{TcpHeader, TcpOptionElement};
use netstack::proto::tcp::{Ecn, TxMeta};

use super::{ACK, CWR, ECE, FIN, OURS, PEER, PEER_PORT, PORT, PSH, RST, SYN, URG};

/// A segment of either direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seg {
    pub from: u16,
    pub to: u16,
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    pub window: u16,
    pub urgent: u16,
    pub mss: Option<u16>,
    pub scale: Option<u8>,
    pub sack_permitted: bool,
    pub timestamps: Option<(u32, u32)>,
    pub sack: Vec<(u32, u32)>,
    pub payload: Vec<u8>,
    pub ecn: Ecn,
    pub dont_fragment: bool,
}

/// A segment from the peer.
pub fn seg(flags: u8, seq: u32, ack: u32) -> Seg {
    Seg {
        from: PEER_PORT,
        to: PORT,
        seq,
        ack,
        flags,
        window: 65_000,
        urgent: 0,
        mss: None,
        scale: None,
        sack_permitted: false,
        timestamps: None,
        sack: Vec::new(),
        payload: Vec::new(),
        ecn: Ecn::NotEct,
        dont_fragment: true,
    }
}

impl Seg {
    pub fn data(mut self, payload: &[u8]) -> Self {
        self.payload = payload.to_vec();
        self
    }

    pub fn window(mut self, window: u16) -> Self {
        self.window = window;
        self
    }

    pub fn mss(mut self, mss: u16) -> Self {
        self.mss = Some(mss);
        self
    }

    pub fn scale(mut self, scale: u8) -> Self {
        self.scale = Some(scale);
        self
    }

    pub fn ts(mut self, val: u32, ecr: u32) -> Self {
        self.timestamps = Some((val, ecr));
        self
    }

    pub fn sack(mut self, blocks: &[(u32, u32)]) -> Self {
        self.sack = blocks.to_vec();
        self
    }

    pub fn ecn(mut self, ecn: Ecn) -> Self {
        self.ecn = ecn;
        self
    }

    pub fn has(&self, flags: u8) -> bool {
        self.flags & flags == flags
    }

    /// The octets of the segment, by etherparse.
    pub fn octets(&self) -> Vec<u8> {
        let mut header = TcpHeader::new(self.from, self.to, self.seq, self.window);
        header.acknowledgment_number = self.ack;
        header.fin = self.has(FIN);
        header.syn = self.has(SYN);
        header.rst = self.has(RST);
        header.psh = self.has(PSH);
        header.ack = self.has(ACK);
        header.urg = self.has(URG);
        header.ece = self.has(ECE);
        header.cwr = self.has(CWR);
        header.urgent_pointer = self.urgent;
        let mut options = Vec::new();
        options.extend(self.mss.map(TcpOptionElement::MaximumSegmentSize));
        options.extend(self.scale.map(TcpOptionElement::WindowScale));
        if self.sack_permitted {
            options.push(TcpOptionElement::SelectiveAcknowledgementPermitted);
        }
        options.extend(
            self.timestamps
                .map(|(val, ecr)| TcpOptionElement::Timestamp(val, ecr)),
        );
        if let Some((first, rest)) = self.sack.split_first() {
            let mut others = [None; 3];
            for (other, block) in others.iter_mut().zip(rest) {
                *other = Some(*block);
            }
            options.push(TcpOptionElement::SelectiveAcknowledgement(*first, others));
        }
        header.set_options(&options).expect("the options fit");
        header.checksum = header
            .calc_checksum_ipv4_raw(PEER.octets(), OURS.octets(), &self.payload)
            .expect("it is short enough");
        let mut octets = header.to_bytes().to_vec();
        octets.extend(&self.payload);
        octets
    }

    /// Reads a segment of the engine's, to the peer or a host of 10.1.0.0/16; its checksum must be
    /// right.
    pub fn read(meta: &TxMeta, octets: &[u8]) -> Self {
        assert_eq!((meta.source(), meta.len), (OURS.into(), octets.len()));
        let std::net::IpAddr::V4(peer) = meta.destination() else {
            panic!("{}", meta.destination());
        };
        assert!(peer == PEER || peer.octets()[1] == 1, "{peer}");
        let (header, payload) = TcpHeader::from_slice(octets).expect("a well-formed header");
        let sum = header.calc_checksum_ipv4_raw(OURS.octets(), peer.octets(), payload);
        assert_eq!(sum.expect("it is short enough"), header.checksum);
        let mut flags = 0;
        for (flag, on) in [
            (FIN, header.fin),
            (SYN, header.syn),
            (RST, header.rst),
            (PSH, header.psh),
            (ACK, header.ack),
            (URG, header.urg),
            (ECE, header.ece),
            (CWR, header.cwr),
        ] {
            flags |= if on { flag } else { 0 };
        }
        let mut read = Self {
            from: header.source_port,
            to: header.destination_port,
            window: header.window_size,
            urgent: header.urgent_pointer,
            payload: payload.to_vec(),
            ecn: meta.ecn,
            dont_fragment: meta.dont_fragment,
            ..seg(flags, header.sequence_number, header.acknowledgment_number)
        };
        for option in header.options_iterator() {
            match option.expect("well-formed options") {
                TcpOptionElement::MaximumSegmentSize(mss) => read.mss = Some(mss),
                TcpOptionElement::WindowScale(scale) => read.scale = Some(scale),
                TcpOptionElement::SelectiveAcknowledgementPermitted => read.sack_permitted = true,
                TcpOptionElement::Timestamp(val, ecr) => read.timestamps = Some((val, ecr)),
                TcpOptionElement::SelectiveAcknowledgement(first, others) => {
                    read.sack.push(first);
                    read.sack.extend(others.into_iter().flatten());
                }
                TcpOptionElement::Noop => {}
            }
        }
        read
    }
}
