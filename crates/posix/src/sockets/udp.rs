//! UDP: datagrams by the stack, and inside of the program.

mod groups;
mod send;

use core::cell::{Cell, OnceCell, RefCell};
use core::ffi::c_int;
use core::task::{Context, Poll};
use std::io::{IoSlice, IoSliceMut};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::rc::{Rc, Weak};
use std::task::Waker;

use libc::{
    EADDRNOTAVAIL, EAFNOSUPPORT, EINVAL, ENOTCONN, EOPNOTSUPP, IPPROTO_UDP, S_IFSOCK, SOCK_DGRAM,
};
use netstack::UdpSocket;

use super::address::{Address, Family};
use super::inbox::{Inbox, copy};
use super::network::Network;
use super::notice::{Noticed, Which, waker};
use super::options::Options;
use super::{Flags, Received, Socket};
use crate::descriptors::open::{Description, Kind};
use crate::error::{Errno, Result, fail};
use crate::readiness::queue::Queue;
use crate::readiness::{ALL, ERR, Events, HUP, RDHUP, READ, WRITE};

/// A UDP socket.
pub(crate) struct Udp {
    this: Weak<Self>,
    network: Rc<Network>,
    family: Family,
    queue: Queue,
    options: Options,
    bound: Cell<Option<SocketAddr>>,
    peer: Cell<Option<SocketAddr>>,
    outside: RefCell<Option<Rc<UdpSocket>>>,
    inbox: RefCell<Inbox<SocketAddr>>,
    /// Multicast groups that it is in.
    groups: RefCell<Vec<IpAddr>>,
    error: Cell<c_int>,
    is_read_closed: Cell<bool>,
    is_write_closed: Cell<bool>,
    waker: OnceCell<Waker>,
}

impl Udp {
    pub(super) fn new(network: &Rc<Network>, family: Family) -> Rc<Self> {
        Rc::new_cyclic(|this| Self {
            this: this.clone(),
            network: network.clone(),
            family,
            queue: Queue::default(),
            options: Options::default(),
            bound: Cell::default(),
            peer: Cell::default(),
            outside: RefCell::default(),
            inbox: RefCell::default(),
            groups: RefCell::default(),
            error: Cell::default(),
            is_read_closed: Cell::default(),
            is_write_closed: Cell::default(),
            waker: OnceCell::new(),
        })
    }

    fn outside(&self) -> Option<Rc<UdpSocket>> {
        self.outside.borrow().clone()
    }

    fn waker(&self) -> &Waker {
        self.waker
            .get_or_init(|| waker(self.this.clone(), Which::Read))
    }

    /// What has come by the stack, taken or looked at.
    fn receive_outside(
        &self,
        buffers: &mut [IoSliceMut<'_>],
        peek: bool,
    ) -> Result<Option<Received>> {
        let Some(outside) = self.outside() else {
            return Ok(None);
        };
        let mut context = Context::from_waker(self.waker());
        let datagram = match peek {
            true => outside.poll_peek_datagram(&mut context),
            false => outside.poll_recv_datagram(&mut context),
        };
        match datagram {
            Poll::Pending => Ok(None),
            Poll::Ready(datagram) => {
                let datagram = datagram?;
                let octets = copy(&datagram.payload, buffers);
                Ok(Some(Received {
                    octets,
                    whole: datagram.payload.len(),
                    from: Some(self.family.outward(datagram.source)),
                }))
            }
        }
    }
}

impl Description for Udp {
    fn read(&self, buffers: &mut [IoSliceMut<'_>]) -> Result<usize> {
        Ok(self.receive(buffers, Flags::default())?.octets)
    }

    fn write(&self, buffers: &[IoSlice<'_>]) -> Result<usize> {
        self.send_datagram(buffers, None)
    }

    fn ready(&self) -> Events {
        let mut events = WRITE;
        let has_come = |outside: Rc<UdpSocket>| {
            let mut context = Context::from_waker(self.waker());
            outside.poll_peek_datagram(&mut context)
        };
        let outside = self.outside().map_or(Poll::Pending, has_come);
        if !self.inbox.borrow().is_empty() || matches!(outside, Poll::Ready(Ok(_))) {
            events |= READ;
        }
        if self.error.get() != 0 || matches!(outside, Poll::Ready(Err(_))) {
            events |= ERR;
        }
        if self.is_read_closed.get() {
            events |= READ | RDHUP;
            if self.is_write_closed.get() {
                events |= HUP;
            }
        }
        events
    }

    fn queue(&self) -> Option<&Queue> {
        Some(&self.queue)
    }

    /// Octets of the next datagram.
    fn readable(&self) -> Result<usize> {
        if let Some(octets) = self.inbox.borrow().next_len() {
            return Ok(octets);
        }
        let next = self.receive_outside(&mut [], true)?;
        Ok(next.map_or(0, |next| next.whole))
    }

    fn kind(&self) -> Kind {
        S_IFSOCK
    }

    fn as_socket(&self) -> Result<&dyn Socket> {
        Ok(self)
    }
}

impl Socket for Udp {
    fn sort(&self) -> (c_int, c_int, c_int) {
        (self.family.number(), SOCK_DGRAM, IPPROTO_UDP)
    }

    fn bind(&self, address: &Address) -> Result<()> {
        let Address::Internet(address) = *address else {
            return fail(EAFNOSUPPORT);
        };
        let address = self.family.inward(address)?;
        self.options.admit(address, EINVAL)?;
        if self.bound.get().is_some() {
            return fail(EINVAL);
        }
        if !self.network.is_ours(address.ip()) {
            return fail(EADDRNOTAVAIL);
        }
        self.bind_to(address).map(drop)
    }

    fn listen(&self, _backlog: c_int) -> Result<()> {
        fail(EOPNOTSUPP)
    }

    fn accept(&self) -> Result<(Rc<dyn Description>, Address)> {
        fail(EOPNOTSUPP)
    }

    fn connect(&self, address: &Address) -> Result<()> {
        self.tie(address)
    }

    fn receive(&self, buffers: &mut [IoSliceMut<'_>], flags: Flags) -> Result<Received> {
        match self.error.take() {
            0 => {}
            error => return fail(error),
        }
        let told = |from: &SocketAddr| Some(self.family.outward(*from));
        let next = self.inbox.borrow_mut().receive(buffers, flags.peek, told);
        if let Some(received) = next {
            return Ok(received);
        }
        match self.receive_outside(buffers, flags.peek)? {
            Some(received) => Ok(received),
            None if self.is_read_closed.get() => Ok(Received::default()),
            None => Err(Errno::AGAIN),
        }
    }

    fn send(&self, buffers: &[IoSlice<'_>], to: Option<&Address>) -> Result<usize> {
        self.send_datagram(buffers, to)
    }

    fn shutdown(&self, how: Shutdown) -> Result<()> {
        if self.peer.get().is_none() {
            return fail(ENOTCONN);
        }
        if how != Shutdown::Write {
            self.is_read_closed.set(true);
        }
        if how != Shutdown::Read {
            self.is_write_closed.set(true);
        }
        self.queue.wake(ALL);
        Ok(())
    }

    fn local(&self) -> Result<Address> {
        let bound = self.bound.get().unwrap_or(self.family.any());
        Ok(self.family.outward(bound))
    }

    fn peer(&self) -> Result<Address> {
        let peer = self.peer.get().ok_or(Errno(ENOTCONN))?;
        Ok(self.family.outward(peer))
    }

    fn take_error(&self) -> c_int {
        self.error.take()
    }

    fn options(&self) -> &Options {
        &self.options
    }

    fn set_option(&self, level: c_int, name: c_int, value: &[u8]) -> Result<()> {
        match self.read_change(level, name, value)? {
            Some(change) => self.change_group(change),
            None => self.options.set(self, level, name, value),
        }
    }
}

impl Noticed for Udp {
    fn notice(&self, _which: Which) {
        let ready = self.ready();
        self.queue.wake(if ready & ERR != 0 { ALL } else { READ });
    }
}

impl Drop for Udp {
    fn drop(&mut self) {
        if let Some(bound) = self.bound.get() {
            self.network.udp.release(bound.port(), &self.this);
        }
    }
}
