use std::os::fd::AsFd;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::cable::pair;

/// Gives `octets` to frames of up to `max` octets, in pieces of these lengths, in turn; the frames that were found.
fn found(max: usize, octets: &[u8], pieces: &[usize]) -> Vec<Vec<u8>> {
    let mut frames = Frames::new(max);
    let mut found = Vec::new();
    let mut rest = octets;
    for piece in pieces.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let room = frames.room();
        let len = rest.len().min(*piece).min(room.len());
        assert!(len > 0, "room for a piece");
        room[..len].copy_from_slice(&rest[..len]);
        frames.rest.end += len;
        rest = &rest[len..];
        while let Some(frame) = frames.next() {
            found.push(frames.buffer[frame].to_vec());
        }
    }
    found
}

fn framed(frame: &[u8]) -> Vec<u8> {
    [&(frame.len() as u32).to_be_bytes(), frame].concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn frames_come_out_whole_and_in_order_however_the_stream_is_cut(
        lens in vec(prop_oneof![0..80usize, 1490..1530usize, 65_000..66_000usize], 1..40),
        pieces in vec(1..100_000usize, 1..20),
        max in prop_oneof![Just(1514usize), Just(65_534)],
    ) {
        let frames: Vec<Vec<u8>> = (0_u8..).zip(&lens).map(|(octet, len)| vec![octet; *len]).collect();
        let stream: Vec<u8> = frames.iter().flat_map(|frame| framed(frame)).collect();
        let expected: Vec<Vec<u8>> =
            frames.into_iter().filter(|frame| (14..=max).contains(&frame.len())).collect();
        prop_assert_eq!(found(max, &stream, &pieces), expected);
    }

    #[test]
    fn whatever_comes_is_held_within_bounds(
        stream in vec(any::<u8>(), 0..5000),
        pieces in vec(1..3000usize, 1..10),
    ) {
        for frame in found(1514, &stream, &pieces) {
            prop_assert!((14..=1514).contains(&frame.len()));
        }
    }
}

#[test]
fn a_length_that_nobody_has_is_passed_over() {
    let mut stream = u32::MAX.to_be_bytes().to_vec();
    stream.extend([7; 100_000]);
    let mut frames = Frames::new(1514);
    frames.room()[..stream.len()].copy_from_slice(&stream);
    frames.rest.end = stream.len();
    assert_eq!(frames.next(), None);
    assert_eq!(frames.skip, u32::MAX as usize - 100_000);
    assert_eq!(frames.rest.len(), 0);
}

#[test]
fn what_the_guest_does_not_take_keeps_the_stream_waiting() {
    let [stream, peer] = pair(libc::SOCK_STREAM | libc::SOCK_NONBLOCK).unwrap();
    let [guest, reader] = pair(libc::SOCK_SEQPACKET | libc::SOCK_NONBLOCK).unwrap();
    let mut frames = Frames::new(65_534);
    let frame = framed(&[1; 65_534]);
    let (mut taken, mut wait) = (0, Wait::Source);
    for _ in 0..1000 {
        // SAFETY: the buffer is live.
        let octets = unsafe { libc::write(peer.as_raw_fd(), frame.as_ptr().cast(), frame.len()) };
        taken += octets.max(0) as usize;
        wait = frames.advance(stream.as_fd(), guest.as_fd());
    }
    assert_eq!(wait, Wait::Sink);
    assert!(taken < 500 * frame.len(), "{taken} octets are held");
    drop(reader);
    assert_eq!(frames.advance(stream.as_fd(), guest.as_fd()), Wait::Closed);
}
