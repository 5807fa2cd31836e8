//! The queue's octets, and what it holds.

use bytes::Bytes;

use super::{Chunk, ChunkPool, Chunks, Octets, SHORT, SIZES, SMALL, SendQueue};
use crate::proto::checksum::Sum;
use crate::proto::tcp::on_demand::KEPT_CAPACITY;
use crate::proto::tcp::pinned;
use crate::proto::tcp::wire::seq::Seq;

/// What [`SendQueue::held`] keeps count of, found by looking at everything. `given` is the length of
/// all shared chunks when they were queued.
fn walk(queue: &SendQueue, given: usize) -> usize {
    let held = |chunk: &Chunk| match &chunk.octets {
        Octets::Copied(octets) => octets.capacity(),
        Octets::Shared(_) => pinned::by_chunk(given),
    };
    let chunks: usize = queue.chunks.iter().map(held).sum();
    let list = queue.chunks.get_allocated().map_or(0, |chunks| {
        size_of::<Chunks>() + chunks.capacity() * size_of::<Chunk>()
    });
    chunks + list
}

#[test]
fn copies_across_chunks_and_sums_what_it_copies() {
    let mut pool = ChunkPool::new(1 << 20);
    let mut queue = SendQueue::new(Seq(u32::MAX - 10));
    let mut model = Vec::new();
    for round in 0..60_u8 {
        let data: Vec<u8> = (0..=round)
            .map(|octet| octet.wrapping_mul(7) ^ round)
            .collect();
        model.extend_from_slice(&data);
        if round % 3 == 0 {
            queue.push_shared(Bytes::from(data), &mut pool);
        } else {
            queue.push_copy(&data, &mut pool);
        }
    }
    assert_eq!(queue.len(), model.len());
    for (at, length) in [(0, 5), (3, 700), (1, model.len() - 1), (100, 1), (999, 333)] {
        let mut to = vec![0; length];
        let sum = queue.copy(Seq(u32::MAX - 10) + at as u32, &mut to, Sum::default());
        assert_eq!(to, model[at..at + length]);
        assert_eq!(sum.finish(), Sum::default().add_slice(&to).finish());
    }
    queue.acknowledge(Seq(u32::MAX - 10) + 1000, &mut pool);
    assert_eq!(queue.len(), model.len() - 1000);
    let mut to = vec![0; 100];
    let _ = queue.copy(Seq(u32::MAX - 10) + 1001, &mut to, Sum::default());
    assert_eq!(to, model[1001..1101]);
}

#[test]
fn short_pieces_are_copied_and_long_ones_are_not() {
    let mut pool = ChunkPool::new(1 << 20);
    let mut queue = SendQueue::new(Seq(0));
    let whole = Bytes::from(vec![7; 8 * SHORT]);
    for piece in 0..100 {
        queue.push_shared(whole.slice(piece..2 * piece), &mut pool);
    }
    assert_eq!(queue.chunks.len(), 3, "two of {SMALL} octets are full");
    assert!(whole.is_unique());
    queue.push_shared(whole.slice(..=SHORT), &mut pool);
    assert_eq!(queue.chunks.len(), 4);
    assert!(!whole.is_unique());
    queue.push_shared(whole.slice(..1), &mut pool);
    assert_eq!(queue.len(), 99 * 100 / 2 + SHORT + 1 + 1);
}

#[test]
fn chunks_are_used_again() {
    let mut pool = ChunkPool::new(1 << 20);
    let mut queue = SendQueue::new(Seq(0));
    let data = vec![1; 3 * SIZES[2]];
    queue.push_copy(&data, &mut pool);
    queue.acknowledge(queue.end(), &mut pool);
    assert_eq!((queue.len(), pool.chunks[2].len()), (0, 3));
    queue.push_copy(&data, &mut pool);
    assert_eq!(pool.chunks[2].len(), 0);
    queue.clear(&mut pool);
    assert_eq!(pool.chunks[2].len(), 3);
}

#[test]
fn what_little_data_holds_is_little() {
    let mut pool = ChunkPool::new(1 << 20);
    let mut queue = SendQueue::new(Seq(0));
    for octets in 0..100_000 {
        let most = if octets <= SMALL {
            SMALL + 1024
        } else {
            SIZES[1] + 4 * octets
        };
        assert!(queue.held() <= most, "{} for {octets}", queue.held());
        assert_eq!(queue.held(), walk(&queue, 0));
        queue.push_copy(&[7], &mut pool);
    }
    // And in the end as in the beginning.
    queue.acknowledge(queue.end() - 100, &mut pool);
    assert!(queue.held() <= SMALL + 1024, "{}", queue.held());
    let mut to = [0; 100];
    queue.copy_unsummed(queue.end() - 100, &mut to);
    assert_eq!((queue.len(), to), (100, [7; 100]));
    queue.acknowledge(queue.end(), &mut pool);
    assert_eq!(queue.held(), 0);
}

#[test]
fn what_the_user_gave_is_held_until_little_is_left_of_it() {
    const GIVEN: usize = 40_000;
    let mut pool = ChunkPool::new(1 << 20);
    let mut queue = SendQueue::new(Seq(0));
    for round in 1..=3 {
        queue.push_shared(Bytes::from(vec![round; GIVEN]), &mut pool);
    }
    assert_eq!(queue.held(), walk(&queue, GIVEN));
    // One octet of the first keeps all of it.
    queue.acknowledge(Seq(GIVEN as u32 - 1), &mut pool);
    assert_eq!(queue.held(), walk(&queue, GIVEN));
    queue.acknowledge(Seq(GIVEN as u32), &mut pool);
    assert_eq!((queue.chunks.len(), queue.held()), (2, walk(&queue, GIVEN)));
    queue.acknowledge(queue.end() - 1000, &mut pool);
    assert_eq!((queue.len(), queue.held()), (1000, walk(&queue, GIVEN)));
    assert!(queue.held() <= SMALL + 1024);
    let mut to = [0; 1000];
    queue.copy_unsummed(queue.end() - 1000, &mut to);
    assert_eq!(to, [3; 1000]);
}

#[test]
fn the_pool_knows_what_it_holds() {
    let mut pool = ChunkPool::new(1 << 20);
    assert_eq!(pool.held(), 0);
    let mut queue = SendQueue::new(Seq(0));
    queue.push_copy(&[1; 100], &mut pool);
    queue.push_copy(&[1; 100_000], &mut pool);
    let before = queue.held();
    queue.clear(&mut pool);
    let (small, large) = (pool.chunks[0].len(), pool.chunks[2].len());
    assert_eq!((small, large), (1, 3));
    let places: usize = pool.chunks.iter().map(Vec::capacity).sum();
    let chunks = SMALL + 3 * SIZES[2];
    let lists = pool.lists.held();
    assert_eq!(pool.held(), chunks + places * size_of::<Vec<u8>>() + lists);
    assert!(before >= chunks && queue.held() == 0 && lists > 0);
}

#[test]
fn a_list_that_has_grown_long_is_not_kept_for_other_connections() {
    let mut pool = ChunkPool::new(1 << 20);
    let octets = Bytes::from(vec![7; 2 * SHORT]);
    for (chunks, kept) in [(KEPT_CAPACITY, true), (4 * KEPT_CAPACITY, false)] {
        pool.clear();
        let mut queue = SendQueue::new(Seq(0));
        for _ in 0..chunks {
            queue.push_shared(octets.clone(), &mut pool);
        }
        queue.clear(&mut pool);
        assert_eq!(pool.held() > 0, kept, "{chunks} chunks");
    }
}

#[test]
fn the_more_waits_the_larger_are_the_chunks() {
    let mut pool = ChunkPool::new(1 << 20);
    let mut queue = SendQueue::new(Seq(0));
    for _ in 0..600 {
        queue.push_copy(&[7; 100], &mut pool);
    }
    let sizes: Vec<u32> = queue.chunks.iter().map(|chunk| chunk.held).collect();
    assert_eq!(sizes, [2 << 10, 16 << 10, 32 << 10, 32 << 10]);
}
