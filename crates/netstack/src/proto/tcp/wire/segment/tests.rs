//! Reading, writing and acceptability of segments.

use core::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;

use super::{Flags, FourTuple, Header, ParseError, Segment};
use crate::proto::checksum::Sum;
use crate::proto::ip::{Ecn, Endpoint};
use crate::proto::tcp::defence::isn::Secrets;
use crate::proto::tcp::wire::ip::IpMeta;
use crate::proto::tcp::wire::options::{TcpOptions, Timestamps};
use crate::proto::tcp::wire::seq::Seq;

const OURS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const THEIRS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
const IP: IpMeta = IpMeta {
    source: THEIRS,
    destination: OURS,
    ecn: Ecn::NotEct,
    checksummed: false,
};

fn segment(seq: u32, payload: &'static [u8], flags: Flags) -> Segment {
    let tuple = FourTuple {
        local: Endpoint::new(OURS, 1),
        remote: Endpoint::new(THEIRS, 2),
    };
    Segment {
        tuple,
        seq: Seq(seq),
        ack: Seq(0),
        wnd: 0,
        flags,
        ecn: Ecn::NotEct,
        options: TcpOptions::default(),
        payload: Bytes::from_static(payload),
        frame_len: 0,
    }
}

/// A segment from them to us, as octets.
fn written(payload: &[u8]) -> Vec<u8> {
    let header = Header {
        tuple: FourTuple {
            local: Endpoint::new(THEIRS, 2),
            remote: Endpoint::new(OURS, 1),
        },
        seq: Seq(7),
        ack: Seq(8),
        wnd: 9,
        flags: Flags::ACK.with(Flags::PSH),
        options: TcpOptions {
            timestamps: Some(Timestamps { val: 1, ecr: 2 }),
            ..TcpOptions::default()
        },
    };
    let mut octets = vec![0; header.len() + payload.len()];
    header.write(&mut octets, |sum: Sum, to| sum.add_copy(payload, to));
    octets
}

#[test]
fn what_is_written_is_read_back_and_agrees_with_etherparse() {
    for payload in [&b""[..], b"x", b"odd", &[0xa5; 1448]] {
        let octets = written(payload);
        let (header, rest) = etherparse::TcpHeader::from_slice(&octets).unwrap();
        assert_eq!(
            header
                .calc_checksum_ipv4_raw([10, 0, 0, 2], [10, 0, 0, 1], rest)
                .unwrap(),
            header.checksum
        );
        let segment = Segment::parse(&IP, octets.into()).unwrap();
        assert_eq!((segment.seq, segment.ack, segment.wnd), (Seq(7), Seq(8), 9));
        assert_eq!(segment.flags, Flags::ACK.with(Flags::PSH));
        assert_eq!(segment.tuple.remote, Endpoint::new(THEIRS, 2));
        assert_eq!(&segment.payload[..], payload);
    }
}

#[test]
fn rfc9293_3_1_must_3_a_wrong_checksum_is_noticed_for_each_bit() {
    let octets = written(b"payload");
    for bit in 0..octets.len() * 8 {
        let mut wrong = octets.clone();
        wrong[bit / 8] ^= 1 << (bit % 8);
        let error = Segment::parse(&IP, wrong.into()).unwrap_err();
        assert!(
            matches!(error, ParseError::Checksum | ParseError::Header),
            "bit {bit}: {error:?}"
        );
    }
}

#[test]
fn short_segments_and_short_headers_are_refused() {
    let octets = written(b"");
    for len in 0..octets.len() {
        assert_eq!(
            Segment::parse(&IP, octets[..len].to_vec().into()).unwrap_err(),
            ParseError::Header
        );
    }
    let mut short = octets;
    short[12] = 4 << 4;
    assert_eq!(
        Segment::parse(&IP, short.into()).unwrap_err(),
        ParseError::Header
    );
}

#[test]
fn rfc9293_3_10_7_4_acceptability_table() {
    let empty = |seq| segment(seq, b"", Flags::ACK);
    let data = |seq| segment(seq, b"12345", Flags::ACK);
    // SEG.LEN 0, RCV.WND 0.
    assert!(empty(100).is_acceptable(Seq(100), 0) && !empty(101).is_acceptable(Seq(100), 0));
    // SEG.LEN 0, RCV.WND > 0.
    assert!(empty(109).is_acceptable(Seq(100), 10) && !empty(110).is_acceptable(Seq(100), 10));
    assert!(!empty(99).is_acceptable(Seq(100), 10));
    // SEG.LEN > 0, RCV.WND 0.
    assert!(!data(100).is_acceptable(Seq(100), 0));
    // SEG.LEN > 0, RCV.WND > 0: the first or the last octet is in the window.
    assert!(data(109).is_acceptable(Seq(100), 10) && !data(110).is_acceptable(Seq(100), 10));
    assert!(data(96).is_acceptable(Seq(100), 10) && !data(95).is_acceptable(Seq(100), 10));
    // Across the wrap.
    assert!(data(u32::MAX - 1).is_acceptable(Seq(2), 10));
}

#[test]
fn trimming_keeps_what_is_in_the_window() {
    let mut both = segment(99, b"12345", Flags::SYN.with(Flags::FIN));
    both.trim_front(Seq(102));
    assert_eq!(
        (both.seq, &both.payload[..], both.flags),
        (Seq(102), &b"345"[..], Flags::FIN)
    );
    both.trim_back(Seq(105));
    assert_eq!(
        (&both.payload[..], both.flags),
        (&b"345"[..], Flags::default())
    );
    both.trim_back(Seq(103));
    assert_eq!(&both.payload[..], b"3");
    let mut all = segment(10, b"12", Flags::FIN);
    all.trim_front(Seq(13));
    assert_eq!((all.payload.len(), all.flags), (0, Flags::default()));
}

#[test]
fn each_part_of_the_addresses_is_hashed() {
    let hash = Secrets::new([1; 32]).table();
    let [us, them] = [Endpoint::new(OURS, 1), Endpoint::new(THEIRS, 1)];
    let other = Endpoint::new(OURS, 2);
    let tuples = [
        (us, us),
        (us, them),
        (them, us),
        (us, other),
        (other, us),
        (other, other),
    ];
    let mut hashes = tuples.map(|(local, remote)| hash.of(&FourTuple { local, remote }));
    hashes.sort_unstable();
    assert!(hashes.windows(2).all(|pair| pair[0] != pair[1]));
}
