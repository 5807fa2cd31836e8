//! UDP: datagrams by the stack, and inside of the program.

mod groups;
mod options;
mod outside;
mod runs;
mod send;

use core::cell::{Cell, OnceCell, RefCell};
use core::ffi::c_int;
use core::task::{Context, Poll};
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::rc::{Rc, Weak};
use std::task::Waker;

use libc::{
    EADDRNOTAVAIL, EAFNOSUPPORT, EINVAL, ENOTCONN, EOPNOTSUPP, IPPROTO_UDP, S_IFSOCK, SOCK_DGRAM,
};
use netstack::proto::udp::Datagram;

use super::address::{Address, Family};
use super::beside::Beside;
use super::inbox::{Inbox, copy};
use super::network::Network;
use super::notice::{Noticed, Which, waker};
use super::options::{Options, Value};
use super::{Flags, Received, Socket};
use crate::descriptors::open::{Description, Kind};
use crate::error::{Errno, Result, fail};
use crate::readiness::queue::Queue;
use crate::readiness::{ALL, ERR, Events, HUP, RDHUP, READ, WRITE};
use options::Own;
use outside::Outside;

/// Where a datagram has come from, and where it was sent to.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Ends {
    from: SocketAddr,
    to: IpAddr,
}

/// A UDP socket.
pub(crate) struct Udp {
    this: Weak<Self>,
    network: Rc<Network>,
    family: Family,
    queue: Queue,
    options: Options,
    own: Own,
    bound: Cell<Option<SocketAddr>>,
    peer: Cell<Option<SocketAddr>>,
    /// The peer is inside of the program: the network has nothing to say.
    is_tied_inside: Cell<bool>,
    outside: RefCell<Option<Rc<Outside>>>,
    inbox: RefCell<Inbox<Ends>>,
    /// Multicast groups that it is in.
    groups: RefCell<Vec<IpAddr>>,
    error: Cell<c_int>,
    is_read_closed: Cell<bool>,
    is_write_closed: Cell<bool>,
    waker: OnceCell<Waker>,
}

impl Ends {
    fn of(datagram: &Datagram) -> Self {
        Self {
            from: datagram.source,
            to: datagram.destination.ip(),
        }
    }
}

impl Udp {
    pub(super) fn new(network: &Rc<Network>, family: Family) -> Rc<Self> {
        Rc::new_cyclic(|this| Self {
            this: this.clone(),
            network: network.clone(),
            family,
            queue: Queue::default(),
            options: Options::default(),
            own: Own::default(),
            bound: Cell::default(),
            peer: Cell::default(),
            is_tied_inside: Cell::default(),
            outside: RefCell::default(),
            inbox: RefCell::default(),
            groups: RefCell::default(),
            error: Cell::default(),
            is_read_closed: Cell::default(),
            is_write_closed: Cell::default(),
            waker: OnceCell::new(),
        })
    }

    fn outside(&self) -> Option<Rc<Outside>> {
        self.outside.borrow().clone()
    }

    /// What comes next by the stack, or what has failed, taken or looked at. Of a socket that is shared each has its part in its
    /// inbox.
    fn poll_outside(&self, peek: bool) -> Poll<io::Result<Datagram>> {
        let Some(outside) = self.outside().filter(|_| !self.is_tied_inside.get()) else {
            return Poll::Pending;
        };
        if outside.is_shared() {
            let mut context = Context::from_waker(Waker::noop());
            let next = outside.socket.poll_peek_datagram(&mut context);
            return match next {
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                _ => Poll::Pending,
            };
        }
        let mut context = Context::from_waker(self.waker());
        match peek {
            true => outside.socket.poll_peek_datagram(&mut context),
            false => outside.socket.poll_recv_datagram(&mut context),
        }
    }

    /// What ICMP, or the stack's end, has to say.
    fn take_outside_error(&self) -> c_int {
        if !matches!(self.poll_outside(true), Poll::Ready(Err(_))) {
            return 0;
        }
        match self.poll_outside(false) {
            Poll::Ready(Err(error)) => Errno::from(error).0,
            _ => 0,
        }
    }

    /// Where it is: tied to a peer inside, a socket that is bound to all addresses has that one's.
    fn here(&self) -> SocketAddr {
        let mut here = self.bound.get().unwrap_or(self.family.any());
        if let Some(peer) = self.peer.get()
            && here.ip().is_unspecified()
            && self.is_tied_inside.get()
        {
            here.set_ip(peer.ip());
        }
        here
    }

    fn waker(&self) -> &Waker {
        self.waker
            .get_or_init(|| waker(self.this.clone(), Which::Read))
    }

    /// What is told of a datagram that is received.
    fn told(&self, ends: Ends) -> Received {
        let to = self.own.tells_destination.get().then_some(ends.to);
        Received {
            from: Some(self.family.outward(ends.from)),
            to: to.map(|to| self.family.outward_ip(to)),
            ..Received::default()
        }
    }

    /// The ends of the datagram that is received next, and its octets.
    fn next(&self) -> Option<(Ends, usize)> {
        if let Some((ends, octets)) = self.inbox.borrow().next() {
            return Some((*ends, octets));
        }
        match self.poll_outside(true) {
            Poll::Ready(Ok(datagram)) => Some((Ends::of(&datagram), datagram.payload.len())),
            _ => None,
        }
    }

    fn receive_one(&self, buffers: &mut [IoSliceMut<'_>], peek: bool) -> Result<Received> {
        let told = |ends: &mut Ends| self.told(*ends);
        let next = self.inbox.borrow_mut().receive(buffers, peek, told);
        if let Some(received) = next {
            return Ok(received);
        }
        match self.receive_outside(buffers, peek)? {
            Some(received) => Ok(received),
            None if self.is_read_closed.get() => Ok(Received::default()),
            None => Err(Errno::AGAIN),
        }
    }

    /// What has come by the stack, taken or looked at.
    fn receive_outside(
        &self,
        buffers: &mut [IoSliceMut<'_>],
        peek: bool,
    ) -> Result<Option<Received>> {
        match self.poll_outside(peek) {
            Poll::Pending => Ok(None),
            Poll::Ready(datagram) => {
                let datagram = datagram?;
                let octets = copy(&datagram.payload, buffers);
                Ok(Some(Received {
                    octets,
                    whole: datagram.payload.len(),
                    ..self.told(Ends::of(&datagram))
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
        self.send_datagram(buffers, None, &Beside::default())
    }

    fn ready(&self) -> Events {
        let mut events = WRITE;
        let outside = self.poll_outside(true);
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

    fn keep_error(&self, error: Errno) {
        self.error.set(error.0);
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
        match self.own.joins.get() && !flags.peek {
            true => self.receive_run(buffers),
            false => self.receive_one(buffers, flags.peek),
        }
    }

    fn send(
        &self,
        buffers: &[IoSlice<'_>],
        to: Option<&Address>,
        beside: &mut Beside,
    ) -> Result<usize> {
        self.send_datagram(buffers, to, beside)
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
        Ok(self.family.outward(self.here()))
    }

    fn peer(&self) -> Result<Address> {
        let peer = self.peer.get().ok_or(Errno(ENOTCONN))?;
        Ok(self.family.outward(peer))
    }

    fn take_error(&self) -> c_int {
        match self.error.take() {
            0 => self.take_outside_error(),
            error => error,
        }
    }

    fn options(&self) -> &Options {
        &self.options
    }

    fn set_option(&self, level: c_int, name: c_int, value: &[u8]) -> Result<()> {
        match self.read_change(level, name, value)? {
            Some(change) => self.change_group(change),
            None if self.set_own(level, name, value)? => Ok(()),
            None => self.options.set(self, level, name, value),
        }
    }

    fn option(&self, level: c_int, name: c_int) -> Result<Value> {
        match self.own_value(level, name) {
            Some(number) => Ok(Value::Number(number)),
            None => self.options.value(self, level, name),
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
        self.part();
    }
}
