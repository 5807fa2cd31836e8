//! Descriptors that go from socket to socket.

use core::ffi::c_int;
use std::io::{IoSlice, IoSliceMut};

use libc::{EINVAL, EOPNOTSUPP, ETOOMANYREFS, O_NONBLOCK};

use super::*;
use crate::descriptors::calls;
use crate::descriptors::open::Open;
use crate::descriptors::process;
use crate::descriptors::table::LIMIT;
use crate::sockets::rights::Rights;

/// The reading end of a pipe, and what hands over the only descriptor of its other end.
fn pipe() -> (Rc<Open>, Rights) {
    let pipe = calls::make_pipe(O_NONBLOCK).expect("room");
    let [reader, writer] = pipe.map(|fd| process::open(fd).expect("open"));
    for fd in pipe {
        calls::close(fd).expect("open");
    }
    let mut rights = Rights::default();
    rights.push(writer).expect("room");
    (reader, rights)
}

fn send_with(socket: &Rc<dyn Description>, octets: &[u8], rights: Rights) {
    let mut beside = Beside {
        rights,
        ..Beside::default()
    };
    let sent = of(socket).send(&[IoSlice::new(octets)], None, &mut beside);
    assert_eq!(sent, Ok(octets.len()));
    assert!(beside.rights.is_empty());
}

/// What has come, and how many descriptors.
fn receive_all(socket: &Rc<dyn Description>, octets: usize, peek: bool) -> Result<(usize, usize)> {
    let mut buffer = vec![0; octets];
    let received = of(socket).receive(&mut [IoSliceMut::new(&mut buffer)], Flags { peek })?;
    Ok((received.octets, received.rights.iter().count()))
}

fn pair_of(kind: c_int) -> [Rc<dyn Description>; 2] {
    pair(kind, 0).expect("a pair")
}

#[test]
fn what_is_sent_is_open_until_it_has_come_and_is_closed() {
    for kind in [SOCK_STREAM, SOCK_DGRAM] {
        let [here, there] = pair_of(kind);
        let (reader, rights) = pipe();
        send_with(&here, b"take it", rights);
        assert_eq!(reader.description().ready(), 0);
        assert_eq!(receive_all(&there, 64, true), Ok((7, 1)));
        let mut buffer = [0; 64];
        let buffers = &mut [IoSliceMut::new(&mut buffer)];
        let received = of(&there).receive(buffers, Flags::default());
        let received = received.expect("a message");
        let writer = received.rights.iter().next().cloned().expect("a pipe");
        drop(received);
        assert_eq!(writer.description().write(&[IoSlice::new(b"x")]), Ok(1));
        assert_eq!(reader.description().ready(), READ);
        drop(writer);
        assert_eq!(reader.description().ready(), READ | HUP);
    }
}

#[test]
fn what_nobody_takes_is_closed() {
    for kind in [SOCK_STREAM, SOCK_DGRAM] {
        // By a call that knows nothing of it, and with the socket.
        let [here, there] = pair_of(kind);
        let (reader, rights) = pipe();
        send_with(&here, b"x", rights);
        assert_eq!(there.read(&mut [IoSliceMut::new(&mut [0; 8])]), Ok(1));
        assert_eq!(reader.description().ready(), HUP);
        let (reader, rights) = pipe();
        send_with(&here, b"x", rights);
        drop(here);
        assert_eq!(reader.description().ready(), 0);
        drop(there);
        assert_eq!(reader.description().ready(), HUP);
    }
}

#[test]
fn what_could_hold_itself_and_too_many_are_refused() {
    let mut rights = Rights::default();
    let [socket, _other] = pair_of(SOCK_STREAM);
    let socket = Open::new(socket, 0);
    assert_eq!(rights.push(socket), fail(EOPNOTSUPP));
    let [reader, _writer] = calls::make_pipe(0).expect("room");
    let pipe = process::open(reader).expect("open");
    for _ in 0..253 {
        assert_eq!(rights.push(pipe.clone()), Ok(()));
    }
    assert_eq!(rights.push(pipe.clone()), fail(EINVAL));
    // As many as there may be of all.
    let [here, there] = pair_of(SOCK_STREAM);
    send_with(&here, b"x", rights);
    let mut left = LIMIT - 253;
    while left > 0 {
        let mut rights = Rights::default();
        for _ in 0..left.min(253) {
            assert_eq!(rights.push(pipe.clone()), Ok(()));
            left -= 1;
        }
        send_with(&here, b"x", rights);
    }
    let refused = || Rights::default().push(pipe.clone());
    assert_eq!(refused(), fail(ETOOMANYREFS));
    assert_eq!(receive_all(&there, 64, false), Ok((1, 253)));
    assert_eq!(refused(), Ok(()));
    drop(there);
    assert_eq!(Rc::strong_count(&pipe), 2);
}

/// Writes and reads of a stream, some with a descriptor: where reads end, and how many come with them, on Linux and here.
#[test]
fn reads_end_behind_descriptors_as_on_linux() {
    let _descriptors = crate::testing::descriptors();
    let mut random = fastrand::Rng::with_seed(17);
    for _ in 0..200 {
        let linux = linux::Pair::new();
        let [here, there] = pair_of(SOCK_STREAM);
        let mut trace = String::new();
        for _ in 0..40 {
            let octets = random.usize(1..12);
            if random.u8(..3) == 0 {
                let with = random.u8(..3) == 0;
                let rights = if with { pipe().1 } else { Rights::default() };
                send_with(&here, &vec![7; octets], rights);
                linux.send(octets, with);
                trace += &format!("send {octets} {with}\n");
            } else {
                let outcome = receive_all(&there, octets * 2, false);
                let linux = linux.receive(octets * 2);
                trace += &format!("receive {}: {linux:?}\n", octets * 2);
                assert_eq!(outcome, linux, "{trace}");
            }
        }
    }
}

mod linux {
    use libc::{AF_UNIX, MSG_DONTWAIT, SCM_RIGHTS, SOL_SOCKET, iovec, msghdr};

    use super::*;

    /// Two sockets of the kernel's.
    pub(super) struct Pair([c_int; 2]);

    /// A message of so many octets with room for one descriptor.
    fn with_message<T>(octets: usize, call: impl FnOnce(&mut msghdr) -> T) -> T {
        let mut data = vec![0_u8; octets];
        let mut control = [0_u64; 3];
        let mut part = iovec {
            iov_base: data.as_mut_ptr().cast(),
            iov_len: octets,
        };
        // SAFETY: zeros are a message.
        let mut message: msghdr = unsafe { core::mem::zeroed() };
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&control);
        call(&mut message)
    }

    impl Pair {
        pub(super) fn new() -> Self {
            let mut pair = [-1; 2];
            // SAFETY: there is room for two numbers.
            let made = unsafe { libc::socketpair(AF_UNIX, SOCK_STREAM, 0, pair.as_mut_ptr()) };
            assert_eq!(made, 0);
            Self(pair)
        }

        /// With a descriptor, or none.
        pub(super) fn send(&self, octets: usize, with: bool) {
            let sent = with_message(octets, |message| {
                if !with {
                    message.msg_controllen = 0;
                }
                // SAFETY: there is room for a header and a number; all is live.
                unsafe {
                    let header = libc::CMSG_FIRSTHDR(message);
                    if let Some(header) = header.as_mut() {
                        header.cmsg_level = SOL_SOCKET;
                        header.cmsg_type = SCM_RIGHTS;
                        header.cmsg_len = libc::CMSG_LEN(4) as usize;
                        libc::CMSG_DATA(header).cast::<c_int>().write_unaligned(1);
                    }
                    libc::sendmsg(self.0[0], message, 0)
                }
            });
            assert_eq!(sent, octets as isize);
        }

        pub(super) fn receive(&self, octets: usize) -> Result<(usize, usize)> {
            with_message(octets, |message| {
                // SAFETY: all is live; a descriptor that has come is closed.
                unsafe {
                    let received = libc::recvmsg(self.0[1], message, MSG_DONTWAIT);
                    let Ok(received) = usize::try_from(received) else {
                        return Err(Errno::AGAIN);
                    };
                    let header = libc::CMSG_FIRSTHDR(message);
                    if !header.is_null() {
                        libc::close(libc::CMSG_DATA(header).cast::<c_int>().read_unaligned());
                    }
                    Ok((received, usize::from(!header.is_null())))
                }
            })
        }
    }

    impl Drop for Pair {
        fn drop(&mut self) {
            for fd in self.0 {
                // SAFETY: it is the pair's own.
                unsafe { libc::close(fd) };
            }
        }
    }
}
