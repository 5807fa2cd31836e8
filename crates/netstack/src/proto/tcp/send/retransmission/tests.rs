//! The queue's accounts, and SACK blocks of every shape.

use super::RetransmissionQueue;
use crate::proto::Instant;
use crate::proto::tcp::wire::seq::Seq;

fn queue() -> RetransmissionQueue {
    let mut queue = RetransmissionQueue::default();
    for piece in 0..5 {
        queue.push(
            Seq(100 * piece),
            Seq(100 * piece + 100),
            Instant::from_nanos(piece.into()),
        );
    }
    queue
}

#[test]
fn rfc6675_4_pipe_leaves_out_what_is_sacked_or_lost() {
    let mut queue = queue();
    assert_eq!(queue.pipe(Seq(0), Seq(500)), 500);
    assert_eq!(queue.sack(Seq(200), Seq(350), |_| ()), 100);
    assert_eq!(queue.sack(Seq(200), Seq(400), |_| ()), 100);
    assert_eq!((queue.sacked(), queue.sacked_pieces()), (200, 2));
    assert_eq!(queue.mark_lost(|piece| Some(piece.start.lt(Seq(200)))), 200);
    assert_eq!(queue.pipe(Seq(0), Seq(500)), 100);
    let (index, piece) = queue.next_lost(1000, Seq(500)).unwrap();
    assert_eq!((index, piece.start), (0, Seq(0)));
    queue.retransmitted(index, Instant::from_nanos(9));
    assert_eq!(queue.pipe(Seq(0), Seq(500)), 200);
    assert_eq!(queue.next_lost(1000, Seq(500)).unwrap().1.start, Seq(100));
    assert_eq!(queue.acknowledge(Seq(400), |_| ()), 200);
    assert_eq!(
        (queue.pipe(Seq(400), Seq(500)), queue.sacked(), queue.lost()),
        (100, 0, 0)
    );
    assert_eq!(queue.sacked_pieces(), 0);
}

#[test]
fn a_partial_acknowledgement_leaves_the_rest() {
    let mut queue = queue();
    queue.mark_lost(|_| Some(true));
    assert_eq!(queue.acknowledge(Seq(150), |_| ()), 150);
    assert_eq!(
        (queue.lost(), queue.first().unwrap().start),
        (350, Seq(150))
    );
}

#[test]
fn lost_pieces_are_cut_to_the_maximum_segment() {
    let mut queue = queue();
    queue.mark_lost(|_| Some(true));
    let mut starts = Vec::new();
    while let Some((index, piece)) = queue.next_lost(60, Seq(500)) {
        assert!(piece.len() <= 60);
        starts.push(piece.start.0);
        queue.retransmitted(index, Instant::from_nanos(9));
    }
    assert_eq!(starts, [0, 60, 100, 160, 200, 260, 300, 360, 400, 460]);
    assert_eq!((queue.lost(), queue.pipe(Seq(0), Seq(500))), (0, 500));
}

#[test]
fn a_fin_needs_no_room_in_the_segment() {
    let mut queue = RetransmissionQueue::default();
    queue.push(Seq(0), Seq(101), Instant::from_nanos(0));
    queue.mark_lost(|_| Some(true));
    assert_eq!(queue.next_lost(100, Seq(100)).unwrap().1.end, Seq(101));
    assert_eq!(queue.next_lost(99, Seq(100)).unwrap().1.end, Seq(99));
}

/// Blocks of every shape, against flags that are set one by one.
#[test]
fn rfc2018_4_blocks_in_any_order_mark_what_they_hold_once() {
    const PIECES: u32 = 300;
    let base = Seq(u32::MAX - 7000);
    let at = |octets: u32| base + octets;
    let mut state = 5_u64;
    let mut random = |below: u32| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32 % below
    };
    for round in 0..40 {
        let mut queue = RetransmissionQueue::default();
        for piece in 0..PIECES {
            let start = at(50 * piece);
            queue.push(start, start + 50, Instant::from_nanos(1));
        }
        let mut sacked = [false; PIECES as usize];
        let mut una = 0;
        for _ in 0..400 {
            let start = una + random(50 * PIECES - una);
            let length = 1 + random([60, 400, 50 * PIECES][round % 3]);
            let end = (start + length).min(50 * PIECES);
            let mut new = 0;
            for piece in 0..PIECES {
                // What is left of a piece that was acknowledged in part begins at SND.UNA.
                let (first, last) = ((50 * piece).max(una), 50 * piece + 50);
                if first >= start && last <= end && last > una {
                    new += if sacked[piece as usize] {
                        0
                    } else {
                        last - first
                    };
                    sacked[piece as usize] = true;
                }
            }
            let mut shown = 0;
            let octets = queue.sack(at(start), at(end), |piece| shown += piece.len());
            assert_eq!((octets, shown), (new, new));
            match random(40) {
                0 => {
                    una += random((50 * PIECES - una).min(700));
                    queue.acknowledge(at(una), |_| ());
                }
                1 => {
                    queue.forget_sacked();
                    sacked.fill(false);
                }
                _ => {}
            }
            let left = (0..PIECES)
                .filter(|piece| sacked[*piece as usize] && 50 * piece + 50 > una)
                .map(|piece| 50 * piece + 50 - una.max(50 * piece));
            assert_eq!(queue.sacked(), left.sum::<u32>());
        }
        queue.acknowledge(at(50 * PIECES), |_| ());
        let runs = queue.index.as_ref().map(|index| index.runs.len());
        assert_eq!((runs, queue.sacked()), (Some(0), 0));
    }
}

#[test]
fn undoing_a_recovery_of_which_nothing_is_lost_any_more_leaves_what_is_decided() {
    let mut queue = queue();
    let at = Instant::from_nanos;
    assert!(queue.mark_overdue((at(4), Seq(500)), at(100), 0).lost);
    while let Some((index, _)) = queue.next_lost(1000, Seq(500)) {
        queue.retransmitted(index, at(100));
    }
    let decided = |queue: &RetransmissionQueue| queue.index.as_ref().map(|index| index.decided);
    assert_eq!(decided(&queue), Some(4));
    queue.undo_lost();
    assert_eq!(decided(&queue), Some(4));
}
