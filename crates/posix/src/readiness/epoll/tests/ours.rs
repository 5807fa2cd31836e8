//! What this crate makes of the same calls.

use core::ffi::c_int;
use std::io::{IoSlice, IoSliceMut};
use std::net::Shutdown;

use libc::{AF_INET, EFD_NONBLOCK, EINPROGRESS, O_NONBLOCK, O_RDWR, SOCK_STREAM, pollfd};

use super::{Kind, World};
use crate::descriptors::calls::{self, Patience};
use crate::descriptors::process;
use crate::error::{Errno, fail};
use crate::readiness::epoll::Told;
use crate::readiness::select::Sets;
use crate::sockets::address::Address;
use crate::sockets::{internet, start, unix};

#[derive(Default)]
pub(super) struct Ours {
    open: Vec<c_int>,
}

impl World for Ours {
    fn pair(&mut self, kind: Kind) -> [c_int; 2] {
        let mode = O_RDWR | O_NONBLOCK;
        let pair = match kind {
            Kind::Pipe => calls::make_pipe(O_NONBLOCK).expect("a pipe"),
            Kind::Unix => {
                let pair = unix::pair(SOCK_STREAM, 0).expect("a pair");
                process::add_both(pair, [mode; 2], false).expect("room")
            }
            Kind::Tcp => {
                let network = start::network();
                let [listener, client] =
                    [0, 1].map(|_| internet(&network, AF_INET, SOCK_STREAM, 0).expect("a socket"));
                // With a number, as the kernel's, so that the others have the same ones.
                let number = process::add(listener.clone(), mode, false).expect("room");
                let any = Address::Internet(([127, 0, 0, 1], 0).into());
                let listening = listener.as_socket().expect("a socket");
                listening.bind(&any).expect("a port");
                listening.listen(1).expect("a bound socket");
                let connecting = client.as_socket().expect("a socket");
                let address = listening.local().expect("a bound socket");
                assert_eq!(connecting.connect(&address), fail(EINPROGRESS));
                assert_eq!(connecting.connected(), Ok(()));
                let (server, _) = listening.accept().expect("a client");
                let pair = process::add_both([client, server], [mode; 2], false);
                calls::close(number).expect("open");
                pair.expect("room")
            }
        };
        self.open.extend(pair);
        pair
    }

    fn event(&mut self) -> c_int {
        let event = calls::make_event(0, EFD_NONBLOCK).expect("room");
        self.open.push(event);
        event
    }

    fn epoll(&mut self) -> c_int {
        let epoll = calls::make_epoll(0).expect("room");
        self.open.push(epoll);
        epoll
    }

    fn read(&mut self, fd: c_int, octets: usize) -> Result<usize, Errno> {
        calls::read(fd, &mut [IoSliceMut::new(&mut vec![0; octets])])
    }

    fn write(&mut self, fd: c_int, octets: &[u8]) -> Result<usize, Errno> {
        calls::write(fd, &mut [IoSlice::new(octets)])
    }

    fn close(&mut self, fd: c_int) -> Result<usize, Errno> {
        self.open.retain(|open| *open != fd);
        calls::close(fd).map(|()| 0)
    }

    fn duplicate(&mut self, fd: c_int) -> c_int {
        let new = calls::duplicate(fd, 0, false).unwrap_or(-1);
        if new >= 0 {
            self.open.push(new);
        }
        new
    }

    fn shutdown(&mut self, fd: c_int, how: c_int) -> Result<usize, Errno> {
        let how = [Shutdown::Read, Shutdown::Write, Shutdown::Both][how as usize];
        let open = process::open(fd)?;
        open.description().as_socket()?.shutdown(how).map(|()| 0)
    }

    fn control(
        &mut self,
        (epoll, operation, fd): (c_int, c_int, c_int),
        event: Told,
    ) -> Result<usize, Errno> {
        calls::control_epoll(epoll, operation, fd, event).map(|()| 0)
    }

    fn wait(&mut self, epoll: c_int, most: usize) -> Vec<Told> {
        calls::wait_epoll(epoll, most, Patience::None).expect("an instance")
    }

    fn poll(&mut self, fd: c_int, events: i16) -> i16 {
        let mut entries = [pollfd {
            fd,
            events,
            revents: 0,
        }];
        calls::poll(&mut entries, Patience::None).expect("no signal");
        entries[0].revents
    }

    fn select(&mut self, sets: &mut Sets, count: usize) -> Result<usize, Errno> {
        calls::select(sets, count, Patience::None)
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        for fd in &self.open {
            // It is open.
            let _ = calls::close(*fd);
        }
    }
}
