use super::{FramePool, ReceiveBuffers};

#[test]
fn a_short_frame_does_not_hold_on_to_a_large_buffer() {
    let mut buffers = ReceiveBuffers::new(65_559, 1 << 20);
    for (length, held) in [
        (60, 2 << 10),
        (3000, 4 << 10),
        (5000, 8 << 10),
        (40_000, 65_559),
    ] {
        let mut buffer = buffers.take();
        buffer[10..10 + length].fill(7);
        let lent = buffers.lend(buffer, 10..10 + length).expect("memory");
        let frame = lent.frame();
        assert_eq!(lent.buffer.len(), held);
        buffers.settle(lent);
        assert_eq!(frame.len(), length);
        assert!(frame.iter().all(|octet| *octet == 7));
    }
    let plain = ReceiveBuffers::new(1514, 1 << 20);
    assert!(plain.smaller.is_empty(), "Ethernet frames are not moved");
}

#[test]
fn padding_does_not_choose_the_buffer() {
    let mut buffers = ReceiveBuffers::new(65_559, 1 << 20);
    for (kind, at, packet) in [
        (0x0800_u16, 16, 1400_u16),
        (0x86dd, 18, 1360),
        (0x86dd, 18, 0),
    ] {
        let mut buffer = buffers.take();
        let frame = &mut buffer[12..60_012];
        frame[12..14].copy_from_slice(&kind.to_be_bytes());
        frame[at..at + 2].copy_from_slice(&packet.to_be_bytes());
        let lent = buffers.lend(buffer, 12..60_012).expect("memory");
        let whole = 14 + usize::from(packet) + if at == 18 { 40 } else { 0 };
        assert_eq!((lent.buffer.len(), lent.frame().len()), (2 << 10, whole));
        buffers.settle(lent);
    }
}

#[test]
fn a_frame_holds_no_more_than_is_said() {
    for size in [1514, 3014, 9014, 65_559] {
        let mut buffers = ReceiveBuffers::new(size, 1 << 20);
        for length in [1, 60, 1514, 2048, 2049, 9000, 33_000, 65_559] {
            if length > size {
                continue;
            }
            let buffer = buffers.take();
            let lent = buffers.lend(buffer, 0..length).expect("memory");
            let (held, said) = (lent.buffer.len(), super::held_by_frame(length));
            assert!(held < said, "{length} octets of {size} hold {held}");
            buffers.settle(lent);
        }
    }
}

#[test]
fn buffers_that_are_kept_are_counted_bounded_and_given_up() {
    let mut buffers = ReceiveBuffers::new(1514, 1 << 20);
    let lent: Vec<_> = (0..256)
        .map(|_| {
            let buffer = buffers.take();
            buffers.lend(buffer, 0..1514).expect("memory")
        })
        .collect();
    let frames: Vec<_> = lent.iter().map(super::Lent::frame).collect();
    lent.into_iter().for_each(|lent| buffers.settle(lent));
    let held = buffers.held();
    assert!((1514..=36 << 10).contains(&held), "{held}");
    drop(frames);
    for _ in 0..256 {
        let buffer = buffers.take();
        buffers.give_back(buffer);
    }
    let held = buffers.held();
    assert!((1514..=64 << 10).contains(&held), "{held}");
    buffers.give_up();
    assert_eq!(
        buffers.held(),
        1514 + super::OVERHEAD,
        "what is read into next"
    );
}

#[test]
fn a_frame_is_lost_where_there_is_no_memory_for_it_or_for_the_next() {
    let mut buffers = ReceiveBuffers::new(65_559, 1 << 20);
    let none = usize::MAX / 4;
    let mut buffer = buffers.take();
    buffers.smaller[1].size = none;
    assert!(buffers.lend(buffer, 0..3000).is_none());
    buffer = buffers.take();
    buffers.whole.size = none;
    assert!(buffers.lend(buffer, 0..65_559).is_none());
    let next = buffers.take();
    assert_eq!(next.len(), 65_559, "which is read into again");
    let short = buffers.lend(next, 0..60);
    assert_eq!(short.expect("memory").frame().len(), 60);
}

#[test]
fn a_buffer_comes_back_when_its_last_slice_is_gone() {
    let mut pool = FramePool::new(100);
    let buffer = pool.take();
    assert_eq!(buffer.len(), 100);
    let address = buffer.as_ptr();
    let whole = FramePool::lend(buffer);
    let slice = whole.slice(10..20);
    pool.settle(whole);
    let other = pool.take();
    assert_ne!(
        other.as_ptr(),
        address,
        "a buffer in use was given out again"
    );
    drop(slice);
    let again = pool.take();
    assert_eq!(again.as_ptr(), address);
    assert_eq!(again.len(), 100);
}

#[test]
fn an_unused_buffer_is_the_next_one() {
    let mut pool = FramePool::new(64);
    let buffer = pool.take();
    let address = buffer.as_ptr();
    pool.settle(FramePool::lend(buffer));
    let buffer = pool.take();
    assert_eq!(buffer.as_ptr(), address);
    pool.give_back(buffer);
    assert_eq!(pool.take().as_ptr(), address);
}

#[test]
fn what_is_kept_is_bounded() {
    let mut pool = FramePool::new(8);
    let slices: Vec<_> = (0..2 * super::KEPT)
        .map(|_| {
            let whole = FramePool::lend(pool.take());
            let slice = whole.slice(..4);
            pool.settle(whole);
            slice
        })
        .collect();
    assert_eq!(pool.lent.len(), super::KEPT);
    drop(slices);
}
