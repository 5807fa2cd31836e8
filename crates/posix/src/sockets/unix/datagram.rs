//! Datagrams.

use core::cell::{Cell, RefCell};
use core::ffi::c_int;
use core::mem;
use std::io::{IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::rc::{Rc, Weak};

use libc::{
    AF_UNIX, ECONNREFUSED, EINVAL, EMSGSIZE, ENOTCONN, EOPNOTSUPP, EPERM, EPIPE, EPROTOTYPE,
    S_IFSOCK, SOCK_DGRAM,
};

use super::{Named, Waiting, address, bind, find, name, release};
use crate::descriptors::open::{Description, Kind, total};
use crate::error::{Errno, Result, fail};
use crate::memory;
use crate::readiness::queue::Queue;
use crate::readiness::{ALL, Events, HUP, RDHUP, READ, WRITE};
use crate::sockets::address::{Address, Name};
use crate::sockets::beside::Beside;
use crate::sockets::inbox::{Inbox, MOST_OCTETS};
use crate::sockets::options::Options;
use crate::sockets::rights::Rights;
use crate::sockets::{Flags, Received, Socket};

/// Octets of a datagram, at most.
const LONGEST: usize = MOST_OCTETS / 2;

/// A socket.
pub(crate) struct Datagram {
    this: Weak<Self>,
    queue: Queue,
    options: Options,
    name: RefCell<Option<Name>>,
    /// Whom it is connected to, and by what name.
    peer: RefCell<Option<(Weak<Self>, Option<Name>)>>,
    inbox: RefCell<Inbox<(Option<Name>, Rights)>>,
    /// Those whose datagram had no room here.
    waiting: Waiting,
    is_read_closed: Cell<bool>,
    is_write_closed: Cell<bool>,
}

impl Datagram {
    pub(super) fn new() -> Rc<Self> {
        Rc::new_cyclic(|this| Self {
            this: this.clone(),
            queue: Queue::default(),
            options: Options::default(),
            name: RefCell::default(),
            peer: RefCell::default(),
            inbox: RefCell::default(),
            waiting: Waiting::default(),
            is_read_closed: Cell::default(),
            is_write_closed: Cell::default(),
        })
    }

    pub(super) fn pair() -> [Rc<Self>; 2] {
        let [one, other] = [Self::new(), Self::new()];
        one.peer.replace(Some((Rc::downgrade(&other), None)));
        other.peer.replace(Some((Rc::downgrade(&one), None)));
        [one, other]
    }

    fn name(&self) -> Option<Name> {
        self.name.borrow().clone()
    }

    /// Whom it is connected to, if it is.
    fn peer_socket(&self) -> Option<Weak<Self>> {
        self.peer.borrow().as_ref().map(|(peer, _)| peer.clone())
    }

    /// The socket of that name, which takes datagrams of this one.
    fn target(&self, address: &Address) -> Result<Rc<Self>> {
        let Named::Datagram(target) = find(name(address)?)? else {
            return fail(EPROTOTYPE);
        };
        let Some(target) = target.upgrade() else {
            return fail(ECONNREFUSED);
        };
        match target.peer_socket() {
            Some(peer) if !peer.ptr_eq(&self.this) => fail(EPERM),
            _ => Ok(target),
        }
    }
}

impl Description for Datagram {
    fn read(&self, buffers: &mut [IoSliceMut<'_>]) -> Result<usize> {
        Ok(self.receive(buffers, Flags::default())?.octets)
    }

    fn write(&self, buffers: &[IoSlice<'_>]) -> Result<usize> {
        self.send(buffers, None, &mut Beside::default())
    }

    fn ready(&self) -> Events {
        let mut events = 0;
        let peer = self.peer_socket().and_then(|peer| peer.upgrade());
        match peer.filter(|peer| !peer.inbox.borrow().has_room()) {
            Some(peer) => peer.waiting.add(self.this.clone()),
            None => events |= WRITE,
        }
        if !self.inbox.borrow().is_empty() {
            events |= READ;
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
        Ok(self.inbox.borrow().next_len().unwrap_or(0))
    }

    fn kind(&self) -> Kind {
        S_IFSOCK
    }

    fn as_socket(&self) -> Result<&dyn Socket> {
        Ok(self)
    }
}

impl Socket for Datagram {
    fn sort(&self) -> (c_int, c_int, c_int) {
        (AF_UNIX, SOCK_DGRAM, 0)
    }

    fn bind(&self, address: &Address) -> Result<()> {
        if self.name.borrow().is_some() {
            return fail(EINVAL);
        }
        let name = name(address)?;
        bind(name, Named::Datagram(self.this.clone()))?;
        self.name.replace(Some(name.clone()));
        Ok(())
    }

    fn listen(&self, _backlog: c_int) -> Result<()> {
        fail(EOPNOTSUPP)
    }

    fn accept(&self) -> Result<(Rc<dyn Description>, Address)> {
        fail(EOPNOTSUPP)
    }

    fn connect(&self, address: &Address) -> Result<()> {
        let peer = match address {
            Address::Unspecified => None,
            _ => {
                let target = self.target(address)?;
                Some((Rc::downgrade(&target), Some(name(address)?.clone())))
            }
        };
        self.peer.replace(peer);
        self.queue.wake(WRITE);
        Ok(())
    }

    fn receive(&self, buffers: &mut [IoSliceMut<'_>], flags: Flags) -> Result<Received> {
        let told = |(from, rights): &mut (Option<Name>, Rights)| Received {
            from: from.clone().map(Address::Unix),
            rights: rights.take(flags.peek),
            ..Received::default()
        };
        let next = self.inbox.borrow_mut().receive(buffers, flags.peek, told);
        let Some(received) = next else {
            return match self.is_read_closed.get() {
                true => Ok(Received::default()),
                false => Err(Errno::AGAIN),
            };
        };
        if !flags.peek {
            self.waiting.wake(WRITE);
        }
        Ok(received)
    }

    fn send(
        &self,
        buffers: &[IoSlice<'_>],
        to: Option<&Address>,
        beside: &mut Beside,
    ) -> Result<usize> {
        if self.is_write_closed.get() {
            return fail(EPIPE);
        }
        let octets = total(buffers);
        if octets > LONGEST {
            return fail(EMSGSIZE);
        }
        let target = match to {
            Some(to) => self.target(to)?,
            None => {
                let peer = self.peer_socket().ok_or(Errno(ENOTCONN))?;
                let Some(peer) = peer.upgrade() else {
                    self.peer.take();
                    return fail(ECONNREFUSED);
                };
                peer
            }
        };
        if target.is_read_closed.get() {
            return fail(EPIPE);
        }
        if !target.inbox.borrow().fits(octets) {
            target.waiting.add(self.this.clone());
            return Err(Errno::AGAIN);
        }
        let payload = memory::join(buffers)?;
        let from = (self.name(), mem::take(&mut beside.rights));
        target.inbox.borrow_mut().keep(from, payload);
        target.queue.wake(READ);
        Ok(octets)
    }

    fn shutdown(&self, how: Shutdown) -> Result<()> {
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
        Ok(address(self.name.borrow().as_ref()))
    }

    fn peer(&self) -> Result<Address> {
        match &*self.peer.borrow() {
            Some((_, name)) => Ok(address(name.as_ref())),
            None => fail(ENOTCONN),
        }
    }

    fn take_error(&self) -> c_int {
        0
    }

    fn options(&self) -> &Options {
        &self.options
    }
}

impl Drop for Datagram {
    fn drop(&mut self) {
        release(self.name.borrow().as_ref());
        self.waiting.wake(ALL);
    }
}
