//! Datagrams that are cut, and put together again.

use super::{A, B, packet};
use crate::proto::Instant;
use crate::proto::ip::v4::{Fragments, HEADER_LEN, Header};
use crate::proto::ip::{Expired, Reassembled, Reassembly, ReassemblyLimits};
use core::net::Ipv4Addr;
use core::time::Duration;

const START: Instant = Instant::from_nanos(0);

/// The packets of a datagram of `len` octets, cut for `mtu`, and its payload.
fn fragments(len: usize, mtu: usize, identification: u16) -> (Vec<Vec<u8>>, Vec<u8>) {
    let payload: Vec<u8> = (0..len).map(|n| (n * 7 % 251) as u8).collect();
    let header = Header {
        dont_fragment: false,
        identification,
        ..Header::new(A, B, 17, len)
    };
    let cut = Fragments::new(header, mtu).expect("may be cut");
    (
        cut.map(|(header, range)| packet(&header, &payload[range]))
            .collect(),
        payload,
    )
}

fn handle(reassembly: &mut Reassembly, now: Instant, packet: &[u8]) -> Reassembled {
    let header = Header::parse(packet).expect("a good header");
    let mut kept = [0; HEADER_LEN];
    let fragment = header.fragment(packet, &mut kept);
    let reassembled = reassembly.handle(now, &fragment, usize::MAX);
    assert_eq!(reassembly.held(), reassembly.audit());
    reassembled
}

#[test]
fn rfc791_section_3_2_fragments_fit_and_start_at_multiples_of_eight() {
    for (len, mtu) in [
        (0, 576),
        (8, 576),
        (556, 576),
        (557, 576),
        (65_507, 1500),
        (3000, 68),
    ] {
        let (packets, payload) = fragments(len, mtu, 1);
        assert!(packets.iter().all(|packet| packet.len() <= mtu));
        let mut joined = Vec::new();
        for (n, packet) in packets.iter().enumerate() {
            let header = Header::parse(packet).expect("a good header");
            assert_eq!(header.fragment_offset, joined.len());
            assert_eq!(header.more_fragments, n + 1 < packets.len());
            joined.extend_from_slice(&packet[HEADER_LEN..]);
        }
        assert_eq!(joined, payload, "{len} octets over {mtu}");
        assert_eq!(packets.len() > 1, len > mtu - HEADER_LEN);
    }
}

#[test]
fn rfc791_section_2_3_dont_fragment_is_heeded() {
    assert!(Fragments::new(Header::new(A, B, 17, 2000), 1500).is_none());
    let may = Header {
        dont_fragment: false,
        ..Header::new(A, B, 17, 2000)
    };
    assert!(
        Fragments::new(may, 27).is_none(),
        "no room for eight octets"
    );
}

#[test]
fn rfc815_reassembles_in_any_order() {
    let (packets, payload) = fragments(4000, 576, 7);
    let count = packets.len();
    for first in 0..count {
        let mut reassembly = Reassembly::new(ReassemblyLimits::default());
        for step in 0..count {
            // Every order that is a rotation with stride; each packet twice.
            let packet = &packets[(first + step * (count - 1)) % count];
            let result = handle(&mut reassembly, START, packet);
            if step + 1 < count {
                assert_eq!(result, Reassembled::Incomplete);
                assert_eq!(
                    handle(&mut reassembly, START, packet),
                    Reassembled::Incomplete
                );
                continue;
            }
            let Reassembled::Complete(mut whole) = result else {
                panic!("{result:?}")
            };
            let header = Header::reassembled(&mut whole).expect("a good header");
            assert_eq!(whole[HEADER_LEN..], payload);
            assert_eq!(Header::parse(&whole), Ok(header));
            assert_eq!(header.payload_len(), payload.len());
            assert!(!header.is_fragment());
        }
        assert_eq!(reassembly.held(), 0);
        assert_eq!(reassembly.poll_at(), None);
    }
}

#[test]
fn rfc1858_overlapping_fragments_end_their_datagram() {
    let base = Header {
        dont_fragment: false,
        more_fragments: true,
        ..Header::new(A, B, 17, 64)
    };
    let mut reassembly = Reassembly::new(ReassemblyLimits::default());
    assert_eq!(
        handle(&mut reassembly, START, &packet(&base, &[1; 64])),
        Reassembled::Incomplete
    );
    let overlap = Header {
        fragment_offset: 56,
        ..base
    };
    assert_eq!(
        handle(&mut reassembly, START, &packet(&overlap, &[2; 64])),
        Reassembled::Refused
    );
    assert_eq!(reassembly.held(), 0);
}

#[test]
fn impossible_fragments_are_refused() {
    let base = Header {
        dont_fragment: false,
        ..Header::new(A, B, 17, 64)
    };
    let mut reassembly = Reassembly::new(ReassemblyLimits::default());
    let beyond = Header {
        fragment_offset: 65_528,
        ..base
    };
    assert_eq!(
        handle(&mut reassembly, START, &packet(&beyond, &[0; 64])),
        Reassembled::Refused
    );
    let uneven = Header {
        more_fragments: true,
        total_len: HEADER_LEN + 63,
        ..base
    };
    assert_eq!(
        handle(&mut reassembly, START, &packet(&uneven, &[0; 63])),
        Reassembled::Refused
    );
    // Two different ends.
    let end = Header {
        fragment_offset: 128,
        ..base
    };
    let later = Header {
        fragment_offset: 256,
        ..base
    };
    assert_eq!(
        handle(&mut reassembly, START, &packet(&end, &[0; 64])),
        Reassembled::Incomplete
    );
    assert_eq!(
        handle(&mut reassembly, START, &packet(&later, &[0; 64])),
        Reassembled::Refused
    );
}

#[test]
fn reassembly_memory_is_bounded() {
    let limits = ReassemblyLimits {
        datagrams: 8,
        octets: 10_000,
        ..ReassemblyLimits::default()
    };
    let mut reassembly = Reassembly::new(limits);
    let mut dropped = 0;
    for identification in 0..100 {
        let (packets, _) = fragments(3000, 1500, identification);
        for packet in &packets[..packets.len() - 1] {
            handle(&mut reassembly, START, packet);
            assert!(reassembly.held() <= limits.octets);
        }
        dropped += reassembly.take_dropped();
    }
    assert!(dropped >= 90, "{dropped}");
}

#[test]
fn rfc1122_section_3_3_2_reassembly_times_out() {
    let limits = ReassemblyLimits::default();
    let mut reassembly = Reassembly::new(limits);
    let (packets, _) = fragments(3000, 1500, 1);
    handle(&mut reassembly, START, &packets[0]);
    let deadline = reassembly.poll_at().expect("a deadline");
    assert_eq!(deadline - START, limits.timeout);
    assert_eq!(reassembly.poll(deadline - Duration::from_nanos(1)), None);
    let quoted = reassembly.poll(deadline).expect("given up");
    let expected = packets[0][..HEADER_LEN + 8].into();
    assert_eq!(quoted, Expired::V4(expected));
    assert_eq!(reassembly.held(), 0);
}

/// A fragment of `payload` at `offset`, more to follow.
fn piece(source: Ipv4Addr, identification: u16, offset: usize, payload: &[u8]) -> Vec<u8> {
    let header = Header {
        dont_fragment: false,
        more_fragments: true,
        identification,
        fragment_offset: offset,
        ..Header::new(source, B, 17, payload.len())
    };
    packet(&header, payload)
}

#[test]
fn rfc791_section_3_2_tiny_fragments_hold_no_more_than_they_bring() {
    let mut reassembly = Reassembly::new(ReassemblyLimits::default());
    handle(&mut reassembly, START, &piece(A, 1, 65_000, &[1; 8]));
    let alone = reassembly.held();
    assert!(alone < 1024, "{alone} octets for eight at a far offset");
    // Every second place, from the last to the first: nothing follows anything.
    for n in (0..1000).rev() {
        handle(&mut reassembly, START, &piece(A, 1, 16 * n, &[1; 8]));
    }
    let each = (reassembly.held() - alone) / 1000;
    assert!(each <= 128, "{each} octets for eight, and not a frame");
    // In order they make one piece, with little room to spare.
    let mut reassembly = Reassembly::new(ReassemblyLimits::default());
    for n in 0..1000 {
        handle(&mut reassembly, START, &piece(A, 1, 8 * n, &[1; 8]));
    }
    let held = reassembly.held() - alone;
    assert!(held <= 8000 + 8000 / 2, "{held} octets for 8000 in order");
}

#[test]
fn rfc815_pieces_without_number_end_their_datagram() {
    let limits = ReassemblyLimits {
        pieces: 10,
        ..ReassemblyLimits::default()
    };
    let mut reassembly = Reassembly::new(limits);
    for n in 0..10 {
        let result = handle(&mut reassembly, START, &piece(A, 1, 16 * n, &[1; 8]));
        assert_eq!(result, Reassembled::Incomplete);
    }
    let result = handle(&mut reassembly, START, &piece(A, 1, 160, &[1; 8]));
    assert_eq!((result, reassembly.held()), (Reassembled::Refused, 0));
}

#[test]
fn rfc5722_section_4_a_repeated_fragment_must_say_the_same() {
    let mut reassembly = Reassembly::new(ReassemblyLimits::default());
    for offset in [0, 8, 16] {
        handle(
            &mut reassembly,
            START,
            &piece(A, 1, offset, &[offset as u8; 8]),
        );
    }
    let held = reassembly.held();
    let again = handle(&mut reassembly, START, &piece(A, 1, 8, &[8; 8]));
    assert_eq!((again, reassembly.held()), (Reassembled::Incomplete, held));
    let other = handle(&mut reassembly, START, &piece(A, 1, 8, &[9; 8]));
    assert_eq!((other, reassembly.held()), (Reassembled::Refused, 0));
}

#[test]
fn reassembly_who_floods_displaces_itself() {
    let limits = ReassemblyLimits {
        octets: 64 << 10,
        ..ReassemblyLimits::default()
    };
    let mut reassembly = Reassembly::new(limits);
    let (honest, payload) = fragments(3000, 1500, 7);
    let flooder = Ipv4Addr::new(10, 0, 0, 66);
    handle(&mut reassembly, START, &honest[0]);
    for n in 0..1000 {
        handle(&mut reassembly, START, &piece(flooder, n, 0, &[6; 1480]));
        assert!(reassembly.held() <= limits.octets);
    }
    assert!(reassembly.take_dropped() > 900);
    handle(&mut reassembly, START, &honest[1]);
    let Reassembled::Complete(whole) = handle(&mut reassembly, START, &honest[2]) else {
        panic!("it was displaced")
    };
    assert_eq!(whole[HEADER_LEN..], payload);
}

#[test]
fn reassembly_gives_back_the_oldest_of_the_largest_source_first() {
    let mut reassembly = Reassembly::new(ReassemblyLimits::default());
    let (small, large) = (Ipv4Addr::new(10, 0, 0, 3), Ipv4Addr::new(10, 0, 0, 4));
    handle(&mut reassembly, START, &piece(small, 1, 0, &[1; 1480]));
    let one = reassembly.held();
    for n in 0..3 {
        handle(&mut reassembly, START, &piece(large, n, 0, &[2; 1480]));
    }
    assert_eq!(reassembly.give_back(1), one);
    assert_eq!(reassembly.audit(), 3 * one);
    // The first of the large source has gone: this begins it anew, where others are continued.
    let gone = piece(large, 0, 1480, &[2; 8]);
    handle(&mut reassembly, START, &gone);
    assert!(reassembly.held() > 3 * one + 400);
    assert!(reassembly.give_back(usize::MAX) > 3 * one);
    assert_eq!((reassembly.held(), reassembly.poll_at()), (0, None));
}

#[test]
fn rfc815_held_is_what_is_charged_whatever_comes() {
    let limits = ReassemblyLimits {
        datagrams: 8,
        octets: 20_000,
        pieces: 12,
        ..ReassemblyLimits::default()
    };
    let mut reassembly = Reassembly::new(limits);
    let (mut state, mut now) = (7u64, START);
    let mut random = move |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % below
    };
    let mut complete = 0;
    for _ in 0..20_000 {
        let source = Ipv4Addr::new(10, 0, 0, random(4) as u8);
        let bytes = vec![7; 8 * (1 + random(20))];
        let mut fragment = piece(source, random(4) as u16, 8 * random(40), &bytes);
        if random(8) == 0 {
            let header = Header::parse(&fragment).expect("a good header");
            let last = Header {
                more_fragments: false,
                ..header
            };
            fragment = packet(&last, &bytes);
        }
        // `handle` compares what is held with what is charged.
        let result = handle(&mut reassembly, now, &fragment);
        complete += usize::from(matches!(result, Reassembled::Complete(..)));
        assert!(reassembly.held() <= limits.octets);
        now += Duration::from_millis(random(200) as u64);
        while reassembly.poll(now).is_some() {}
        if random(100) == 0 {
            reassembly.give_back(random(10_000));
        }
        assert_eq!(reassembly.held(), reassembly.audit());
    }
    assert!(complete > 10, "{complete}");
}
