//! `socketpair`: two sockets that are connected to each other.

use core::ffi::c_int;
use std::io::{IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::rc::Rc;

use libc::{AF_UNIX, EINVAL, EISCONN, EOPNOTSUPP, S_IFSOCK, SOCK_STREAM};

use super::address::Address;
use super::options::Options;
use super::stream::{End, Manner};
use super::{Flags, Received, Socket};
use crate::descriptors::open::{Description, Kind};
use crate::error::{Result, fail};
use crate::readiness::Events;
use crate::readiness::queue::Queue;

/// One socket of a pair of streams.
pub(crate) struct Paired {
    end: End,
    queue: Rc<Queue>,
    options: Options,
}

/// Both.
pub(crate) fn pair() -> [Rc<dyn Description>; 2] {
    let queues = [Rc::<Queue>::default(), Rc::<Queue>::default()];
    let [one, other] = End::pair(Manner::Unix, [&queues[0], &queues[1]]);
    let [first, second] = queues;
    let make = |end, queue| -> Rc<dyn Description> {
        Rc::new(Paired {
            end,
            queue,
            options: Options::default(),
        })
    };
    [make(one, first), make(other, second)]
}

impl Description for Paired {
    fn read(&self, buffers: &mut [IoSliceMut<'_>]) -> Result<usize> {
        self.end.read(buffers, false)
    }

    fn write(&self, buffers: &[IoSlice<'_>]) -> Result<usize> {
        self.end.write(buffers)
    }

    fn ready(&self) -> Events {
        self.end.ready()
    }

    fn queue(&self) -> Option<&Queue> {
        Some(&self.queue)
    }

    fn readable(&self) -> Result<usize> {
        Ok(self.end.readable())
    }

    fn kind(&self) -> Kind {
        S_IFSOCK
    }

    fn as_socket(&self) -> Result<&dyn Socket> {
        Ok(self)
    }
}

impl Socket for Paired {
    fn sort(&self) -> (c_int, c_int, c_int) {
        (AF_UNIX, SOCK_STREAM, 0)
    }

    fn bind(&self, _address: &Address) -> Result<()> {
        fail(EOPNOTSUPP)
    }

    fn listen(&self, _backlog: c_int) -> Result<()> {
        fail(EINVAL)
    }

    fn accept(&self) -> Result<(Rc<dyn Description>, Address)> {
        fail(EINVAL)
    }

    fn connect(&self, _address: &Address) -> Result<()> {
        fail(EISCONN)
    }

    fn receive(&self, buffers: &mut [IoSliceMut<'_>], flags: Flags) -> Result<Received> {
        let octets = self.end.read(buffers, flags.peek)?;
        Ok(Received {
            octets,
            whole: octets,
            from: None,
        })
    }

    fn send(&self, buffers: &[IoSlice<'_>], to: Option<&Address>) -> Result<usize> {
        match to {
            Some(_) => fail(EISCONN),
            None => self.end.write(buffers),
        }
    }

    fn shutdown(&self, how: Shutdown) -> Result<()> {
        self.end.shutdown(how)
    }

    fn local(&self) -> Result<Address> {
        Ok(Address::Unnamed)
    }

    fn peer(&self) -> Result<Address> {
        Ok(Address::Unnamed)
    }

    fn take_error(&self) -> c_int {
        self.end.take_error()
    }

    fn options(&self) -> &Options {
        &self.options
    }
}
