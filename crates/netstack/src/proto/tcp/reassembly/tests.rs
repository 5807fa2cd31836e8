//! Reassembly against a model, and the order of SACK blocks.

use bytes::Bytes;

use super::Reassembly;
use crate::proto::tcp::seq::Seq;

#[test]
fn any_order_and_overlap_gives_the_stream() {
    let stream: Vec<u8> = (0..500_u32).map(|at| (at * at) as u8).collect();
    let base = Seq(u32::MAX - 250);
    let mut state = 7_u64;
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for _ in 0..500 {
        let mut reassembly = Reassembly::default();
        let mut have = [false; 500];
        while have[1..].iter().any(|have| !have) {
            let start = 1 + random(499);
            let end = (start + 1 + random(60)).min(500);
            let new = have[start..end].iter().filter(|have| !**have).count();
            let complete = reassembly.contains(base + start as u32, base + end as u32);
            assert_eq!(complete, new == 0);
            have[start..end].fill(true);
            let octets = Bytes::copy_from_slice(&stream[start..end]);
            assert_eq!(reassembly.insert(base + start as u32, octets), new);
        }
        assert_eq!((reassembly.len(), reassembly.pop(base)), (499, None));
        let mut got = vec![stream[0]];
        while let Some(octets) = reassembly.pop(base + got.len() as u32) {
            got.extend_from_slice(&octets);
        }
        assert_eq!((got, reassembly.len()), (stream.clone(), 0));
    }
}

fn receive(reassembly: &mut Reassembly, start: u32, end: u32) {
    reassembly.insert(Seq(start), Bytes::from(vec![0; (end - start) as usize]));
}

#[test]
fn rfc2018_4_the_first_block_holds_the_latest_segment() {
    let mut reassembly = Reassembly::default();
    receive(&mut reassembly, 20, 30);
    receive(&mut reassembly, 40, 50);
    receive(&mut reassembly, 60, 70);
    let blocks = |reassembly: &Reassembly, nxt, max| -> Vec<_> {
        reassembly
            .sack_blocks(Seq(nxt), max)
            .as_slice()
            .iter()
            .map(|(start, end)| (start.0, end.0))
            .collect()
    };
    assert_eq!(blocks(&reassembly, 10, 3), [(60, 70), (40, 50), (20, 30)]);
    // Joins two and comes first.
    receive(&mut reassembly, 30, 40);
    assert_eq!(blocks(&reassembly, 10, 3), [(20, 50), (60, 70)]);
    assert_eq!(blocks(&reassembly, 10, 1), [(20, 50)]);
    reassembly.advance(Seq(50));
    assert_eq!(blocks(&reassembly, 50, 3), [(60, 70)]);
}

#[test]
fn rfc2018_8_pruned_slices_are_no_longer_reported() {
    let mut reassembly = Reassembly::default();
    receive(&mut reassembly, 20, 30);
    receive(&mut reassembly, 40, 50);
    assert_eq!(reassembly.prune(10), 10);
    assert_eq!(
        reassembly.sack_blocks(Seq(10), 3).as_slice(),
        [(Seq(20), Seq(30))]
    );
    assert_eq!(reassembly.prune(0), 10);
    assert!(reassembly.sack_blocks(Seq(10), 3).is_empty());
}
