//! Signals that are read.

use libc::{SIG_BLOCK, SIGHUP, SIGTERM, SIGUSR1};

use super::super::{bit, mask, send, send_to_program};
use super::*;
use crate::descriptors::calls::{self, Patience};
use crate::testing::{run, spawn, together};
use crate::wait::give_way;

/// What is read at once, or waited for.
fn read(fd: c_int, most: usize) -> Result<Vec<c_int>> {
    let mut buffer = vec![1; most * SIZE + 7];
    let octets = calls::read(fd, &mut [IoSliceMut::new(&mut buffer)])?;
    assert_eq!(octets % SIZE, 0);
    let told = buffer[..octets].chunks(SIZE);
    Ok(told
        .map(|one| c_int::from_ne_bytes(one[..4].try_into().expect("four")))
        .collect())
}

#[test]
fn what_is_blocked_is_read_the_lowest_first() {
    run(|| {
        let set = bit(SIGTERM) | bit(SIGHUP);
        assert_eq!(mask(SIG_BLOCK, Some(set | bit(SIGUSR1))), Ok(0));
        let fd = signalfd(-1, set, SFD_NONBLOCK).expect("room");
        assert_eq!(read(fd, 4), Err(Errno::AGAIN));
        assert_eq!(read(fd, 0), fail(EINVAL));
        let this = thread::current().expect("a thread");
        assert_eq!(send(this, SIGTERM), Ok(()));
        for signal in [SIGHUP, SIGUSR1] {
            assert_eq!(send_to_program(signal), Ok(()));
        }
        // Those to the thread come first.
        assert_eq!(read(fd, 1), Ok(vec![SIGTERM]));
        assert_eq!(read(fd, 4), Ok(vec![SIGHUP]));
        assert_eq!(read(fd, 4), Err(Errno::AGAIN));
        assert_eq!(signalfd(fd, bit(SIGUSR1), 0), Ok(fd));
        assert_eq!(read(fd, 4), Ok(vec![SIGUSR1]));
        let other = calls::make_event(0, 0).expect("room");
        assert_eq!(signalfd(other, set, 0), fail(EINVAL));
        assert_eq!(signalfd(-1, set, 1), fail(EINVAL));
        for fd in [fd, other] {
            calls::close(fd).expect("open");
        }
    });
}

#[test]
fn who_waits_is_told() {
    run(|| {
        let set = bit(SIGHUP);
        assert_eq!(mask(SIG_BLOCK, Some(set)), Ok(0));
        let fd = signalfd(-1, set, 0).expect("room");
        let epoll = calls::make_epoll(0).expect("room");
        let told = (libc::EPOLLIN as u32, 7);
        let added = calls::control_epoll(epoll, libc::EPOLL_CTL_ADD, fd, told);
        assert_eq!(added, Ok(()));
        let other = spawn(|| {
            for _ in 0..2 {
                assert_eq!(send_to_program(SIGHUP), Ok(()));
                give_way();
            }
        });
        assert_eq!(
            calls::wait_epoll(epoll, 8, Patience::Forever),
            Ok(vec![told])
        );
        assert_eq!(read(fd, 4), Ok(vec![SIGHUP]));
        let open = process::open(fd).expect("open");
        assert_eq!(open.description().ready(), 0);
        drop(open);
        assert_eq!(read(fd, 4), Ok(vec![SIGHUP]));
        together([other]);
        for fd in [fd, epoll] {
            calls::close(fd).expect("open");
        }
    });
}
