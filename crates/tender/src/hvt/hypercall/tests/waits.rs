//! How long a guest waits, and what for.

use std::io::Read as _;
use std::net::UdpSocket;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::time::{Duration, Instant};

use super::{ARGUMENT, Guest, devices};
use crate::filters::with_devices;
use crate::hvt::console::Console;
use crate::hvt::hypercall::{Hypercall, Hypercalls, Poll, PollSet, Puts};

#[test]
fn poll_without_devices_only_waits() {
    let guest = Guest::new(devices(&[], ""));
    for timeout_nsecs in [0, 1, 1_000_000] {
        let poll = Poll {
            timeout_nsecs,
            ready_set: u64::MAX,
            ret: -1,
        };
        let poll = Poll::from_bytes(&guest.call(Hypercall::Poll, poll.to_bytes()).unwrap());
        assert_eq!(
            poll,
            Poll {
                timeout_nsecs,
                ready_set: 0,
                ret: 0
            }
        );
    }
}

/// A clock that counts on says no less than what has passed, however busy the machine is.
#[test]
fn a_wait_is_no_shorter_than_it_is_asked_to_be() {
    let guest = Guest::new(devices(&[], ""));
    for millis in [30, 1030] {
        let begin = Instant::now();
        let poll = Poll {
            timeout_nsecs: millis * 1_000_000,
            ready_set: 0,
            ret: -1,
        };
        guest.call(Hypercall::Poll, poll.to_bytes()).unwrap();
        assert!(begin.elapsed() >= Duration::from_millis(millis));
    }
}

/// What the console has kept is written while the guest waits, and is no reason for the wait to end.
#[test]
fn a_console_with_room_again_ends_no_wait() {
    const TEXT: usize = 60_000;
    let (mut reader, writer) = std::io::pipe().unwrap();
    let fd = writer.as_raw_fd();
    // SAFETY: the descriptor is open, and neither call takes a pointer.
    let (set, room) = unsafe {
        (
            libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK),
            libc::fcntl(fd, libc::F_SETPIPE_SZ, 4096),
        )
    };
    // So that there is room again more than once.
    assert_eq!(room, 4096);
    assert_eq!(set, 0);
    let guest = Guest::new(devices(&[], ""));
    std::thread::scope(|scope| {
        // In here, so that the reader is at its end when an assertion fails: the scope waits for it.
        let writer = writer;
        let mut calls = Hypercalls::new(&guest.memory, &guest.devices, None);
        calls.console = Console::new(writer.as_fd());
        let put = Puts {
            data: 0,
            len: TEXT as u64,
        };
        guest.memory.write(ARGUMENT, &put.to_bytes());
        calls.puts(ARGUMENT).unwrap();
        assert!(
            calls.console.waits_for().is_some(),
            "a pipe has not so much room"
        );
        let begin = Instant::now();
        scope.spawn(|| reader.read_exact(&mut vec![0; TEXT]).unwrap());
        assert_eq!(calls.wait_for(u64::MAX, 300_000_000).unwrap(), (0, 0));
        assert!(begin.elapsed() >= Duration::from_millis(300));
        calls.finish();
        assert!(calls.console.waits_for().is_none());
    });
}

/// Frames that are not waited for end no wait, whatever else the guest's set says.
#[test]
fn only_frames_that_are_waited_for_end_a_wait() {
    with_devices(2, 1, |devices| {
        let guest = Guest::new(devices);
        let socket = UdpSocket::bind("10.9.0.1:0").unwrap();
        socket.set_broadcast(true).unwrap();
        let wait = |wanted_set, timeout_nsecs| {
            let poll = PollSet {
                timeout_nsecs,
                wanted_set,
                ready_set: u64::MAX,
                ret: -1,
            };
            let answer = guest.call(Hypercall::PollSet, poll.to_bytes()).unwrap();
            let PollSet { ready_set, ret, .. } = PollSet::from_bytes(&answer);
            (ret, ready_set)
        };
        // Handles 1 and 2 are the interfaces; 3 is the disk, and others are nothing. The kernel takes frames only some time
        // after an interface was attached.
        let sent = (0..6000).find(|_| {
            socket.send_to(b"anybody?", "10.9.0.255:9").unwrap();
            wait(1 << 1, 10_000_000) == (1, 1 << 1)
        });
        assert!(sent.is_some(), "no frame has come");
        assert_eq!(wait(u64::MAX, u64::MAX), (1, 1 << 1));
        for others in [0, 1, 1 << 2, 1 << 3, 1 << 63, !(1 << 1)] {
            assert_eq!(wait(others, 1_000_000), (0, 0), "{others:#x}");
        }
    });
}
