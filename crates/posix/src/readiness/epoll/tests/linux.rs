//! The kernel.

use core::ffi::c_int;
use std::net::{TcpListener, TcpStream};
use std::os::fd::IntoRawFd;

use libc::{EFD_NONBLOCK, O_NONBLOCK, SOCK_NONBLOCK, SOCK_STREAM};

use super::{Kind, World};
use crate::error::Errno;
use crate::readiness::epoll::Told;
use crate::readiness::select::Sets;

/// Descriptors of the test's own.
#[derive(Default)]
pub(super) struct Linux {
    open: Vec<c_int>,
}

fn result(value: isize) -> Result<usize, Errno> {
    usize::try_from(value).map_err(|_| {
        let error = std::io::Error::last_os_error();
        Errno(error.raw_os_error().expect("an error of the system"))
    })
}

impl World for Linux {
    fn pair(&mut self, kind: Kind) -> [c_int; 2] {
        let mut pair = [-1; 2];
        match kind {
            // SAFETY: there is a place for two numbers.
            Kind::Pipe => unsafe {
                assert_eq!(libc::pipe2(pair.as_mut_ptr(), O_NONBLOCK), 0);
            },
            // SAFETY: there is a place for two numbers.
            Kind::Unix => unsafe {
                let kind = SOCK_STREAM | SOCK_NONBLOCK;
                let made = libc::socketpair(libc::AF_UNIX, kind, 0, pair.as_mut_ptr());
                assert_eq!(made, 0);
            },
            Kind::Tcp => {
                let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
                let address = listener.local_addr().expect("an address");
                let client = TcpStream::connect(address).expect("a listener");
                let (server, _) = listener.accept().expect("a client");
                for stream in [&client, &server] {
                    stream.set_nonblocking(true).expect("a socket");
                    stream.set_nodelay(true).expect("a socket");
                }
                pair = [client, server].map(IntoRawFd::into_raw_fd);
            }
        }
        self.open.extend(pair);
        pair
    }

    fn event(&mut self) -> c_int {
        // SAFETY: it takes numbers.
        let event = unsafe { libc::eventfd(0, EFD_NONBLOCK) };
        self.open.push(event);
        event
    }

    fn epoll(&mut self) -> c_int {
        // SAFETY: it takes a number.
        let epoll = unsafe { libc::epoll_create1(0) };
        self.open.push(epoll);
        epoll
    }

    fn read(&mut self, fd: c_int, octets: usize) -> Result<usize, Errno> {
        let mut buffer = vec![0_u8; octets];
        // SAFETY: the buffer has so many octets.
        result(unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), octets) })
    }

    fn write(&mut self, fd: c_int, octets: &[u8]) -> Result<usize, Errno> {
        // SAFETY: there are so many octets.
        result(unsafe { libc::write(fd, octets.as_ptr().cast(), octets.len()) })
    }

    fn close(&mut self, fd: c_int) -> Result<usize, Errno> {
        self.open.retain(|open| *open != fd);
        // SAFETY: it is a descriptor of the test's own, or none.
        result(unsafe { libc::close(fd) } as isize)
    }

    fn duplicate(&mut self, fd: c_int) -> c_int {
        // SAFETY: it takes a number.
        let new = unsafe { libc::dup(fd) };
        if new >= 0 {
            self.open.push(new);
        }
        new
    }

    fn shutdown(&mut self, fd: c_int, how: c_int) -> Result<usize, Errno> {
        // SAFETY: it takes numbers.
        result(unsafe { libc::shutdown(fd, how) } as isize)
    }

    fn control(
        &mut self,
        (epoll, operation, fd): (c_int, c_int, c_int),
        (events, u64): Told,
    ) -> Result<usize, Errno> {
        let mut event = libc::epoll_event { events, u64 };
        // SAFETY: there is an event.
        result(unsafe { libc::epoll_ctl(epoll, operation, fd, &raw mut event) } as isize)
    }

    fn wait(&mut self, epoll: c_int, most: usize) -> Vec<Told> {
        let mut events = vec![libc::epoll_event { events: 0, u64: 0 }; most];
        // SAFETY: there is room for so many.
        let count = unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), most as c_int, 0) };
        events.truncate(usize::try_from(count).expect("events"));
        let told = events.into_iter().map(|event| (event.events, event.u64));
        told.collect()
    }

    fn poll(&mut self, fd: c_int, events: i16) -> i16 {
        let mut entry = libc::pollfd {
            fd,
            events,
            revents: 0,
        };
        // SAFETY: there is one entry.
        unsafe { libc::poll(&raw mut entry, 1, 0) };
        entry.revents
    }

    fn select(&mut self, sets: &mut Sets, count: usize) -> Result<usize, Errno> {
        let mut time = libc::timeval {
            tv_sec: 0,
            tv_usec: 0,
        };
        let [read, write, except] = sets.each_mut().map(|set| {
            let set = set.as_mut().map(Vec::as_mut_ptr);
            set.map_or(core::ptr::null_mut(), <*mut u64>::cast::<libc::fd_set>)
        });
        // SAFETY: the kernel reads and writes whole words, as many as the sets have.
        result(unsafe { libc::select(count as c_int, read, write, except, &raw mut time) } as isize)
    }
}

impl Drop for Linux {
    fn drop(&mut self) {
        for fd in &self.open {
            // SAFETY: a descriptor of the test's own, which nobody else has.
            unsafe { libc::close(*fd) };
        }
    }
}
