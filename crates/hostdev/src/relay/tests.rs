use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;

use super::*;
use crate::Cable;

/// A relay at work in a thread, the guest's end and the stream's.
fn relay(max: usize) -> (File, UnixStream, thread::JoinHandle<End>) {
    let (cable, end) = Cable::new(1500).unwrap();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut relay = Relay::new(end, max);
    let thread = thread::spawn(move || relay.run(theirs.as_fd()).unwrap());
    let guest = cable.as_fd().try_clone_to_owned().unwrap();
    (guest.into(), ours, thread)
}

/// Waits for a frame for the guest.
fn frame(guest: &mut File) -> Vec<u8> {
    let mut buffer = vec![0; MAX_STREAM_FRAME];
    wait([(guest.as_fd(), libc::POLLIN)], -1).unwrap();
    let len = guest.read(&mut buffer).unwrap();
    buffer.truncate(len);
    buffer
}

fn framed(frame: &[u8]) -> Vec<u8> {
    [&(frame.len() as u32).to_be_bytes(), frame].concat()
}

#[test]
fn frames_go_both_ways() {
    let (mut guest, mut stream, thread) = relay(1514);
    for len in [14, 60, 1514] {
        guest.write_all(&vec![7; len]).unwrap();
        let mut read = vec![0; 4 + len];
        stream.read_exact(&mut read).unwrap();
        assert_eq!(read, framed(&vec![7; len]));
        stream.write_all(&framed(&vec![9; len])).unwrap();
        assert_eq!(frame(&mut guest), vec![9; len]);
    }
    drop(stream);
    assert_eq!(frame(&mut guest), [], "the end of the other side");
    assert_eq!(thread.join().unwrap(), End::Stream);
}

#[test]
fn what_is_no_frame_is_dropped_either_way() {
    let (mut guest, mut stream, thread) = relay(1514);
    for len in [0, 13, 1515, 60_000, 14] {
        assert_eq!(guest.write(&vec![7; len]).unwrap(), len);
        stream.write_all(&framed(&vec![9; len])).unwrap();
    }
    assert_eq!(frame(&mut guest), [9; 14]);
    drop(guest);
    let mut read = Vec::new();
    stream.read_to_end(&mut read).unwrap();
    assert_eq!(read, framed(&[7; 14]));
    assert_eq!(thread.join().unwrap(), End::Guest);
}

#[test]
fn the_last_words_of_a_guest_are_delivered() {
    let (mut guest, mut stream, thread) = relay(1514);
    let mut sent = Vec::new();
    for octet in 0..100 {
        guest.write_all(&[octet; 1000]).unwrap();
        sent.extend(framed(&[octet; 1000]));
    }
    drop(guest);
    let mut read = Vec::new();
    stream.read_to_end(&mut read).unwrap();
    assert!(read == sent, "{} octets of {}", read.len(), sent.len());
    assert_eq!(thread.join().unwrap(), End::Guest);
}

#[test]
fn what_nobody_hears_is_lost_and_the_next_one_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wire");
    let Joint::Listening(listener) = Joint::at(&path).unwrap() else {
        panic!("nobody else is there")
    };
    let (cable, end) = Cable::new(1500).unwrap();
    let mut guest: File = cable.as_fd().try_clone_to_owned().unwrap().into();
    drop(cable);
    let relay = thread::spawn(move || {
        let mut relay = Relay::new(end, 1514);
        let mut peers = 0;
        while let Some(stream) = relay.accept(listener.as_fd()).unwrap() {
            peers += 1;
            if relay.run(stream.as_fd()).unwrap() == End::Guest {
                break;
            }
        }
        peers
    });
    for octet in [1, 2] {
        let mut peer = UnixStream::connect(&path).unwrap();
        peer.write_all(&framed(&[octet; 60])).unwrap();
        assert_eq!(frame(&mut guest), [octet; 60]);
        // Half a frame is none for the one that comes next.
        peer.write_all(&framed(&[octet; 60])[..30]).unwrap();
    }
    drop(guest);
    assert_eq!(relay.join().unwrap(), 2);
}
