//! The queue's order, and what it holds.

use bytes::Bytes;

use super::{ReceiveQueue, Slice};
use crate::proto::tcp::pinned::by_chunk;
use crate::proto::tcp::receive::piece::CHUNK;

/// The buffer of a frame in these tests.
const FRAME: usize = 2048;

/// What [`ReceiveQueue::held`] keeps count of, found by looking at everything.
fn walk(queue: &ReceiveQueue) -> usize {
    let pinned: usize = queue.slices.iter().map(|slice| slice.pinned as usize).sum();
    let open = queue.open.as_ref();
    pinned
        + queue.slices.capacity() * size_of::<Slice>()
        + open.map_or(0, |open| size_of::<Vec<u8>>() + open.capacity())
}

#[test]
fn reads_peeks_and_slices_in_order() {
    let mut queue = ReceiveQueue::default();
    queue.push(Bytes::from_static(b"abc"), 3);
    queue.push(Bytes::from_static(b"defgh"), 5);
    let mut buffer = [0; 5];
    assert_eq!((queue.peek(&mut buffer), &buffer), (5, b"abcde"));
    assert_eq!(
        (queue.read(&mut buffer[..4]), &buffer[..4]),
        (4, &b"abcd"[..])
    );
    assert_eq!(queue.read_slice(2), "ef");
    assert_eq!(queue.read_slice(9), "gh");
    assert_eq!((queue.read_slice(9), queue.len()), (Bytes::new(), 0));
}

#[test]
fn segments_of_an_octet_cost_about_an_octet() {
    let mut queue = ReceiveQueue::default();
    let frame = Bytes::from(vec![7; FRAME]);
    for at in 0..10_000 {
        queue.push(frame.slice(at % FRAME..=at % FRAME), FRAME);
        if at > 0 {
            assert!(frame.is_unique(), "a copy of the first too");
        }
        assert_eq!(queue.held(), walk(&queue));
        assert!(queue.held() <= 2 * queue.len() + CHUNK + 1024);
    }
    assert_eq!(queue.len(), 10_000);
}

#[test]
fn a_small_slice_that_is_read_at_once_is_not_copied() {
    let mut queue = ReceiveQueue::default();
    let frame = Bytes::from(vec![7; FRAME]);
    for _ in 0..3 {
        queue.push(frame.slice(3..13), FRAME);
        assert!(queue.held() >= FRAME, "charged with what it keeps");
        let read = queue.read_slice(100);
        assert_eq!(read.as_ptr(), frame[3..].as_ptr());
    }
    queue.push(frame.slice(..10), FRAME);
    queue.shrink();
    assert!(frame.is_unique() && queue.held() < 100);
}

#[test]
fn what_is_at_least_half_of_its_frame_is_not_copied() {
    let mut queue = ReceiveQueue::default();
    let frame = Bytes::from(vec![7; FRAME]);
    for part in [0..FRAME / 2, 5..6, 0..1460, 0..FRAME / 2 - 1] {
        queue.push(frame.slice(part), FRAME);
    }
    // The last is a copy that could grow.
    assert_eq!(queue.slices.len(), 3);
    let pinned = queue.slices.iter().map(|slice| slice.pinned as usize);
    assert_eq!(pinned.filter(|pinned| *pinned == FRAME).count(), 2);
    assert_eq!(queue.len(), FRAME + 1460);
    assert_eq!(queue.held(), walk(&queue));
}

#[test]
fn agrees_with_a_model_and_with_a_walk() {
    let stream: Vec<u8> = (0..60_000_u32).map(|at| ((at * at) >> 3) as u8).collect();
    let stream = Bytes::from(stream);
    let mut state = 11_u64;
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut queue = ReceiveQueue::default();
    let (mut pushed, mut read) = (0, 0);
    let mut buffer = [0; 4000];
    while read < stream.len() {
        let small = if random(3) == 0 { 2000 } else { 40 };
        let len = (1 + random(small)).min(stream.len() - pushed);
        if len > 0 {
            queue.push(stream.slice(pushed..pushed + len), FRAME);
            pushed += len;
        }
        match random(4) {
            0 => {
                let len = random(3000);
                let octets = queue.read(&mut buffer[..len]);
                assert_eq!(buffer[..octets], stream[read..read + octets]);
                read += octets;
            }
            1 => {
                let octets = queue.read_slice(1 + random(1000));
                assert_eq!(octets, stream[read..read + octets.len()]);
                read += octets.len();
            }
            2 => queue.shrink(),
            _ => {
                let octets = queue.peek(&mut buffer);
                assert_eq!(buffer[..octets], stream[read..read + octets]);
            }
        }
        assert_eq!((queue.len(), queue.held()), (pushed - read, walk(&queue)));
    }
    queue.shrink();
    assert_eq!(queue.held(), 0);
}

#[test]
fn a_chunk_that_is_read_pins_at_most_twice_its_length() {
    /// The largest buffer of a frame, and the smallest.
    const BUFFERS: [usize; 2] = [(66 << 10) + 128, (2 << 10) + 128];
    for pinned in BUFFERS {
        for (len, max) in [
            (1025, usize::MAX),
            (1500, 1100),
            (33_000, usize::MAX),
            (60_000, usize::MAX),
            (60_000, 1025),
            (60_000, 40_000),
        ] {
            let len = len.min(pinned - 128);
            let mut queue = ReceiveQueue::default();
            let frame = Bytes::from(vec![7; pinned]);
            queue.push(frame.slice(pinned - len..), pinned);
            while queue.len() > 0 {
                let before = queue.len();
                let chunk = queue.read_chunk(max);
                assert_eq!(chunk.len(), before.min(max));
                assert_eq!(
                    (queue.len(), queue.held()),
                    (before - chunk.len(), walk(&queue))
                );
                let shared = frame.as_ptr_range().contains(&chunk.as_ptr());
                let large = 2 * chunk.len() >= pinned || pinned == BUFFERS[1];
                assert_eq!(shared, large, "{} of {pinned}", chunk.len());
                assert!(!shared || by_chunk(chunk.len()) >= pinned, "charged at it");
            }
            assert!(frame.is_unique());
        }
    }
}

#[test]
fn what_was_copied_together_and_is_read_in_small_chunks_is_copied_again() {
    let mut queue = ReceiveQueue::default();
    let frame = Bytes::from(vec![7; 67_000]);
    queue.push(frame.slice(..30_000), 67_000);
    queue.shrink();
    assert!(frame.is_unique());
    let first = queue.read_chunk(1025);
    assert_eq!(first.len(), 1025);
    assert!(first.is_unique(), "nothing of the other octets is kept");
}
