//! Reassembly against a model, what it holds, and the order of SACK blocks.

use bytes::Bytes;

use super::{LEAF, Range, Reassembly, TREE_ENTRY};
use crate::proto::tcp::receive::piece::{CHUNK, Piece};
use crate::proto::tcp::wire::seq::Seq;

/// The buffer of a frame in these tests.
const FRAME: usize = 2048;
const UNLIMITED: usize = usize::MAX;

/// What [`Reassembly::held`] keeps count of, found by looking at everything.
fn walk(reassembly: &Reassembly) -> usize {
    let mut held = size_of::<Reassembly>();
    for range in reassembly.ranges.values() {
        held += size_of::<Range>() + range.pieces.capacity() * size_of::<Piece>();
        held += range.pieces.iter().map(Piece::held).sum::<usize>();
    }
    let tree = |ranges| LEAF + ranges * TREE_ENTRY;
    let ranges = reassembly.ranges.len();
    held + if ranges == 0 { 0 } else { tree(ranges) }
}

fn generator(mut state: u64) -> impl FnMut(usize) -> usize {
    move |below| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    }
}

/// The run of octets that the model has around `at`.
fn run(have: &[bool], at: usize) -> (usize, usize) {
    let start = have[..at]
        .iter()
        .rposition(|have| !have)
        .map_or(0, |gap| gap + 1);
    let end = have[at..].iter().position(|have| !have);
    (start, end.map_or(have.len(), |gap| at + gap))
}

#[test]
fn any_order_overlap_and_size_gives_the_stream() {
    const LEN: usize = 6000;
    let stream: Bytes = (0..LEN as u32).map(|at| ((at * at) >> 4) as u8).collect();
    let base = Seq(u32::MAX - 2500);
    let mut random = generator(7);
    for round in 0..60 {
        let mut reassembly = Reassembly::default();
        let mut have = vec![false; LEN];
        let longest = [3, 60, 1500, LEN][round % 4];
        // The first octet is missing until the end.
        for _ in 0..300 {
            let start = 1 + random(LEN - 1);
            let end = (start + 1 + random(longest)).min(LEN);
            let new = have[start..end].iter().filter(|have| !**have).count();
            have[start..end].fill(true);
            let octets = stream.slice(start..end);
            let added = reassembly.insert(base + start as u32, octets, FRAME, UNLIMITED);
            assert_eq!(added, Some(new));
            let (first, last) = run(&have, start);
            let block = (base + first as u32, base + last as u32);
            assert_eq!(reassembly.sack_blocks(base, 1).as_slice(), [block]);
            assert_eq!(reassembly.held(), walk(&reassembly));
        }
        let kept = have.iter().filter(|have| **have).count();
        assert_eq!(reassembly.len(), kept);
        assert!(reassembly.take(base).is_none());
        let mut at = 1;
        while at < LEN {
            if !have[at] {
                at += 1;
                continue;
            }
            // Now and then the segment that fills the gap overlaps what is kept.
            let (_, end) = run(&have, at);
            at += random(end - at);
            let pieces = reassembly.take(base + at as u32).expect("a range");
            for piece in pieces {
                assert_eq!(piece.as_slice(), &stream[at..at + piece.len()]);
                at += piece.len();
            }
            assert_eq!((at, reassembly.held()), (end, walk(&reassembly)));
        }
        assert_eq!(reassembly.len(), 0);
        assert_eq!(reassembly.held(), size_of::<Reassembly>());
    }
}

/// Octets of one sequence number each.
fn receive_each(order: impl Iterator<Item = u32>) -> Reassembly {
    let frame = Bytes::from(vec![7; FRAME]);
    let mut reassembly = Reassembly::default();
    for seq in order {
        let octet = frame.slice(seq as usize % FRAME..=seq as usize % FRAME);
        assert_eq!(
            reassembly.insert(Seq(seq), octet, FRAME, UNLIMITED),
            Some(1)
        );
        assert!(frame.is_unique(), "nothing keeps the frame");
    }
    assert_eq!(reassembly.held(), walk(&reassembly));
    reassembly
}

#[test]
fn segments_of_an_octet_cost_about_an_octet_once_they_touch() {
    let most = |octets: usize| 6 * octets + 2 * CHUNK;
    for reassembly in [
        receive_each(1..10_001),
        receive_each((1..10_001).rev()),
        receive_each((1..10_000).step_by(2).chain((2..10_001).step_by(2))),
        receive_each((1..10_000).step_by(2).chain((2..10_001).step_by(2).rev())),
    ] {
        assert_eq!((reassembly.ranges.len(), reassembly.len()), (1, 10_000));
        assert!(
            reassembly.held() < most(10_000),
            "{} octets held",
            reassembly.held()
        );
    }
}

#[test]
fn full_segments_are_not_copied_whichever_way_they_come() {
    let frames: Vec<Bytes> = (0..64).map(|_| Bytes::from(vec![7; 1460])).collect();
    let mut reassembly = Reassembly::default();
    for index in [(1..64).step_by(2).rev(), (0..64).step_by(2).rev()]
        .into_iter()
        .flatten()
    {
        let seq = Seq(1000 + 1460 * index as u32);
        reassembly.insert(seq, frames[index].clone(), FRAME, UNLIMITED);
    }
    assert_eq!(reassembly.held(), walk(&reassembly));
    let pieces: Vec<Piece> = reassembly.take(Seq(1000)).unwrap().collect();
    assert_eq!(pieces.len(), 64);
    for (piece, frame) in pieces.iter().zip(&frames) {
        assert_eq!(piece.as_slice().as_ptr(), frame.as_ptr());
    }
}

#[test]
fn ranges_are_bounded_and_what_joins_one_is_still_taken() {
    let mut reassembly = Reassembly::default();
    let mut insert = |seq| reassembly.insert(Seq(seq), Bytes::from_static(b"x"), 1, 100);
    for range in 0..100 {
        assert_eq!(insert(10 + 2 * range), Some(1));
    }
    assert_eq!(insert(1000), None);
    assert_eq!(insert(8), None);
    assert_eq!(insert(11), Some(1));
    assert_eq!(insert(1000), Some(1), "two were joined");
}

fn receive(reassembly: &mut Reassembly, start: u32, end: u32) {
    let octets = Bytes::from(vec![0; (end - start) as usize]);
    let pinned = octets.len();
    reassembly.insert(Seq(start), octets, pinned, UNLIMITED);
}

fn blocks(reassembly: &Reassembly, nxt: u32, max: usize) -> Vec<(u32, u32)> {
    reassembly
        .sack_blocks(Seq(nxt), max)
        .as_slice()
        .iter()
        .map(|(start, end)| (start.0, end.0))
        .collect()
}

#[test]
fn rfc2018_4_the_first_block_holds_the_latest_segment() {
    let mut reassembly = Reassembly::default();
    receive(&mut reassembly, 20, 30);
    receive(&mut reassembly, 40, 50);
    receive(&mut reassembly, 60, 70);
    assert_eq!(blocks(&reassembly, 10, 3), [(60, 70), (40, 50), (20, 30)]);
    // Joins two and comes first.
    receive(&mut reassembly, 30, 40);
    assert_eq!(blocks(&reassembly, 10, 3), [(20, 50), (60, 70)]);
    assert_eq!(blocks(&reassembly, 10, 1), [(20, 50)]);
    reassembly.advance(Seq(50));
    assert_eq!(blocks(&reassembly, 50, 3), [(60, 70)]);
}

#[test]
fn rfc2018_4_a_block_is_the_whole_range_although_others_were_reported_since() {
    let mut reassembly = Reassembly::default();
    receive(&mut reassembly, 20, 30);
    for start in [40, 60, 80, 100, 120] {
        receive(&mut reassembly, start, start + 10);
    }
    receive(&mut reassembly, 30, 35);
    assert_eq!(
        blocks(&reassembly, 10, 3),
        [(20, 35), (120, 130), (100, 110)]
    );
}

#[test]
fn rfc2018_8_pruned_pieces_are_no_longer_reported() {
    let mut reassembly = Reassembly::default();
    receive(&mut reassembly, 20, 30);
    receive(&mut reassembly, 40, 50);
    assert_eq!(reassembly.prune(10), 10);
    assert_eq!(blocks(&reassembly, 10, 3), [(20, 30)]);
    assert_eq!(
        (reassembly.len(), reassembly.held()),
        (10, walk(&reassembly))
    );
    assert_eq!(reassembly.prune(0), 10);
    assert!(reassembly.sack_blocks(Seq(10), 3).is_empty());
    assert_eq!(reassembly.held(), size_of::<Reassembly>());
}

#[test]
fn rfc2018_8_a_range_is_pruned_by_its_last_pieces() {
    let mut reassembly = Reassembly::default();
    for start in [20, 30, 40] {
        receive(&mut reassembly, start, start + 10);
    }
    assert_eq!(blocks(&reassembly, 10, 3), [(20, 50)]);
    assert_eq!(reassembly.prune(25), 10);
    assert_eq!(blocks(&reassembly, 10, 3), [(20, 40)]);
    assert_eq!(
        (reassembly.len(), reassembly.held()),
        (20, walk(&reassembly))
    );
    // What follows is still joined.
    receive(&mut reassembly, 40, 45);
    assert_eq!(blocks(&reassembly, 10, 3), [(20, 45)]);
}

#[test]
fn small_segments_are_copied_together_whichever_way_they_come() {
    let pieces = |order: &mut dyn Iterator<Item = u32>| {
        let mut reassembly = Reassembly::default();
        for index in order {
            let octets = Bytes::from(vec![0; 100]);
            reassembly.insert(Seq(100 * index), octets, FRAME, UNLIMITED);
        }
        let pieces = reassembly.take(Seq(0)).unwrap();
        pieces.map(|piece| piece.len()).collect::<Vec<_>>()
    };
    let forwards = pieces(&mut (0..100));
    assert!(forwards.len() <= 10_000 / (CHUNK - 100) + 1, "{forwards:?}");
    let backwards = pieces(&mut (0..100).rev());
    assert!(
        backwards.len() <= 10_000 / (CHUNK / 4 - 100),
        "{backwards:?}"
    );
}
