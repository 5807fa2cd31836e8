//! Streams.

use core::cell::{Cell, RefCell};
use core::ffi::c_int;
use std::collections::VecDeque;
use std::io::{IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::rc::{Rc, Weak};

use libc::{
    AF_UNIX, ECONNREFUSED, EINVAL, EISCONN, ENOTCONN, EOPNOTSUPP, EPROTOTYPE, S_IFSOCK, SOCK_STREAM,
};

use super::{Named, Waiting, address, bind, find, name, release};
use crate::descriptors::open::{Description, Kind};
use crate::error::{Errno, Result, fail};
use crate::readiness::queue::Queue;
use crate::readiness::{ALL, Events, HUP, RDHUP, READ, WRITE};
use crate::sockets::address::{Address, Name};
use crate::sockets::beside::Beside;
use crate::sockets::options::Options;
use crate::sockets::stream::{End, Manner};
use crate::sockets::{Flags, Received, Socket, places};

/// A stream, or what listens for them.
pub(crate) struct Stream {
    this: Weak<Self>,
    queue: Rc<Queue>,
    options: Options,
    name: RefCell<Option<Name>>,
    /// The name is its own: what a listener has accepted only tells it.
    is_bound: Cell<bool>,
    state: RefCell<State>,
}

#[derive(Clone)]
enum State {
    /// Neither connected nor listening.
    Fresh,
    Listening(Rc<Listener>),
    /// Connected, to a peer of this name.
    Connected(Rc<End>, Option<Name>),
}

#[derive(Default)]
struct Listener {
    backlog: Cell<usize>,
    is_closed: Cell<bool>,
    accepted: RefCell<VecDeque<Rc<Stream>>>,
    /// Those that connect and for which there was no place.
    waiting: Waiting,
}

impl Stream {
    pub(super) fn new() -> Rc<Self> {
        Rc::new_cyclic(|this| Self {
            this: this.clone(),
            queue: Rc::default(),
            options: Options::default(),
            name: RefCell::default(),
            is_bound: Cell::default(),
            state: RefCell::new(State::Fresh),
        })
    }

    pub(super) fn pair() -> [Rc<Self>; 2] {
        let [one, other] = [Self::new(), Self::new()];
        Self::tie(&one, None, &other, None);
        [one, other]
    }

    /// Connects two sockets, whose names are known to each other.
    fn tie(one: &Self, name: Option<Name>, other: &Self, others: Option<Name>) {
        let [here, there] = End::pair(Manner::Unix, [&one.queue, &other.queue]);
        one.state.replace(State::Connected(Rc::new(here), others));
        other.state.replace(State::Connected(Rc::new(there), name));
    }

    fn state(&self) -> State {
        self.state.borrow().clone()
    }

    fn name(&self) -> Option<Name> {
        self.name.borrow().clone()
    }

    /// # Errors
    ///
    /// `error` if it is not connected.
    fn end(&self, error: c_int) -> Result<Rc<End>> {
        match self.state() {
            State::Connected(end, _) => Ok(end),
            _ => fail(error),
        }
    }

    /// Connects `client` to this socket, which listens.
    fn take_in(&self, listener: &Listener, client: &Self) -> Result<()> {
        if listener.is_closed.get() {
            return fail(ECONNREFUSED);
        }
        if listener.accepted.borrow().len() > listener.backlog.get() {
            listener.waiting.add(client.this.clone());
            return Err(Errno::AGAIN);
        }
        let server = Self::new();
        server.name.replace(self.name());
        Self::tie(client, client.name(), &server, self.name());
        listener.accepted.borrow_mut().push_back(server);
        client.queue.wake(ALL);
        self.queue.wake(READ);
        Ok(())
    }
}

impl Description for Stream {
    fn read(&self, buffers: &mut [IoSliceMut<'_>]) -> Result<usize> {
        self.end(EINVAL)?.read(buffers, false)
    }

    fn write(&self, buffers: &[IoSlice<'_>]) -> Result<usize> {
        self.end(ENOTCONN)?.write(buffers)
    }

    fn ready(&self) -> Events {
        match self.state() {
            State::Fresh => WRITE | HUP,
            State::Listening(listener) if listener.is_closed.get() => READ | RDHUP | HUP,
            State::Listening(listener) if listener.accepted.borrow().is_empty() => 0,
            State::Listening(_) => READ,
            State::Connected(end, _) => end.ready(),
        }
    }

    fn queue(&self) -> Option<&Queue> {
        Some(&self.queue)
    }

    fn readable(&self) -> Result<usize> {
        Ok(self.end(EINVAL)?.readable())
    }

    fn kind(&self) -> Kind {
        S_IFSOCK
    }

    fn as_socket(&self) -> Result<&dyn Socket> {
        Ok(self)
    }
}

impl Socket for Stream {
    fn sort(&self) -> (c_int, c_int, c_int) {
        (AF_UNIX, SOCK_STREAM, 0)
    }

    fn bind(&self, address: &Address) -> Result<()> {
        if self.name.borrow().is_some() {
            return fail(EINVAL);
        }
        let name = name(address)?;
        bind(name, Named::Stream(self.this.clone()))?;
        self.name.replace(Some(name.clone()));
        self.is_bound.set(true);
        Ok(())
    }

    fn listen(&self, backlog: c_int) -> Result<()> {
        let listener = match self.state() {
            State::Fresh if self.name.borrow().is_some() => Rc::<Listener>::default(),
            State::Listening(listener) => listener,
            _ => return fail(EINVAL),
        };
        listener.backlog.set(places(backlog));
        self.state.replace(State::Listening(listener));
        self.queue.wake(ALL);
        Ok(())
    }

    fn accept(&self) -> Result<(Rc<dyn Description>, Address)> {
        let State::Listening(listener) = self.state() else {
            return fail(EINVAL);
        };
        let next = listener.accepted.borrow_mut().pop_front();
        let Some(socket) = next else {
            return match listener.is_closed.get() {
                true => fail(EINVAL),
                false => Err(Errno::AGAIN),
            };
        };
        listener.waiting.wake(ALL);
        let peer = socket.peer().unwrap_or(Address::Unnamed);
        Ok((socket, peer))
    }

    /// At once, or not at all.
    fn connect(&self, address: &Address) -> Result<()> {
        match self.state() {
            State::Fresh => {}
            State::Connected(..) => return fail(EISCONN),
            State::Listening(_) => return fail(EINVAL),
        }
        let Named::Stream(listening) = find(name(address)?)? else {
            return fail(EPROTOTYPE);
        };
        let Some(listening) = listening.upgrade() else {
            return fail(ECONNREFUSED);
        };
        match listening.state() {
            State::Listening(listener) => listening.take_in(&listener, self),
            _ => fail(ECONNREFUSED),
        }
    }

    fn receive(&self, buffers: &mut [IoSliceMut<'_>], flags: Flags) -> Result<Received> {
        let (octets, rights) = self.end(EINVAL)?.read_with(buffers, flags.peek)?;
        Ok(Received {
            octets,
            whole: octets,
            rights,
            ..Received::default()
        })
    }

    fn send(
        &self,
        buffers: &[IoSlice<'_>],
        to: Option<&Address>,
        beside: &mut Beside,
    ) -> Result<usize> {
        match to {
            None => self.end(ENOTCONN)?.write_with(buffers, &mut beside.rights),
            Some(_) if self.end(0).is_ok() => fail(EISCONN),
            Some(_) => fail(EOPNOTSUPP),
        }
    }

    fn shutdown(&self, how: Shutdown) -> Result<()> {
        match self.state() {
            State::Fresh => {}
            State::Connected(end, _) => return end.shutdown(how),
            State::Listening(_) if how == Shutdown::Write => {}
            State::Listening(listener) => {
                listener.is_closed.set(true);
                self.queue.wake(ALL);
            }
        }
        Ok(())
    }

    fn local(&self) -> Result<Address> {
        Ok(address(self.name.borrow().as_ref()))
    }

    fn peer(&self) -> Result<Address> {
        match self.state() {
            State::Connected(_, peer) => Ok(address(peer.as_ref())),
            _ => fail(ENOTCONN),
        }
    }

    fn take_error(&self) -> c_int {
        self.end(0).map_or(0, |end| end.take_error())
    }

    fn options(&self) -> &Options {
        &self.options
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.is_bound.get() {
            release(self.name.borrow().as_ref());
        }
        let State::Listening(listener) = &*self.state.borrow() else {
            return;
        };
        for server in listener.accepted.take() {
            if let Ok(end) = server.end(0) {
                end.reset();
            }
        }
        listener.waiting.wake(ALL);
    }
}
