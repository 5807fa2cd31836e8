//! TCP: connections by the stack, and inside of the program.

mod connect;
mod listener;
mod outside;
mod settings;

use core::cell::{Cell, OnceCell, RefCell};
use core::ffi::c_int;
use std::io::{IoSlice, IoSliceMut};
use std::net::{Shutdown, SocketAddr};
use std::rc::{Rc, Weak};
use std::task::Waker;

use libc::{EADDRNOTAVAIL, EINVAL, EISCONN, ENOTCONN, EPIPE, IPPROTO_TCP, S_IFSOCK, SOCK_STREAM};
use netstack::TcpStream;

use super::address::{Address, Family};
use super::beside::Beside;
use super::network::Network;
use super::notice::{Noticed, Which, waker};
use super::options::{Options, Value};
use super::stream::End;
use super::{Flags, Received, Socket};
use crate::descriptors::open::{Description, Kind, gather, scatter};
use crate::error::{Errno, Result, fail};
use crate::readiness::queue::Queue;
use crate::readiness::{ALL, ERR, Events, HUP, RDHUP, READ, WRITE};
use listener::Listener;
use settings::Settings;

/// A TCP socket.
pub(crate) struct Tcp {
    this: Weak<Self>,
    network: Rc<Network>,
    family: Family,
    queue: Rc<Queue>,
    options: Options,
    settings: Settings,
    bound: Cell<Option<SocketAddr>>,
    state: RefCell<State>,
    /// What `connect` has begun has not been asked for since.
    connects: Cell<bool>,
    error: Cell<c_int>,
    /// Whether the error that has ended a connection by the stack was told.
    is_told: Cell<bool>,
    is_read_closed: Cell<bool>,
    is_write_closed: Cell<bool>,
    wakers: OnceCell<[Waker; 2]>,
}

/// What it is.
#[derive(Clone)]
enum State {
    /// Neither connected nor listening.
    Fresh,
    Listening(Rc<Listener>),
    /// Connecting to a listener of the program's own that has no place for it.
    Waiting(SocketAddr),
    /// Connected inside of the program.
    Inside(SocketAddr, Rc<End>),
    /// Connected, or connecting, by the stack.
    Outside(Rc<TcpStream>),
    /// What was begun has failed.
    Failed,
}

impl Tcp {
    pub(super) fn new(network: &Rc<Network>, family: Family) -> Rc<Self> {
        Rc::new_cyclic(|this| Self {
            this: this.clone(),
            network: network.clone(),
            family,
            queue: Rc::default(),
            options: Options::default(),
            settings: Settings::default(),
            bound: Cell::default(),
            state: RefCell::new(State::Fresh),
            connects: Cell::default(),
            error: Cell::default(),
            is_told: Cell::default(),
            is_read_closed: Cell::default(),
            is_write_closed: Cell::default(),
            wakers: OnceCell::new(),
        })
    }

    fn state(&self) -> State {
        self.state.borrow().clone()
    }

    fn enter(&self, state: State) {
        let former = self.state.replace(state);
        drop(former);
    }

    fn waker(&self, which: Which) -> &Waker {
        let wakers = self.wakers.get_or_init(|| {
            [Which::Read, Which::Write].map(|which| waker(self.this.clone(), which))
        });
        &wakers[which as usize]
    }

    /// Binds the socket as `bind`, `listen` and `connect` do, if it is not bound yet.
    fn bind_to(&self, address: SocketAddr) -> Result<SocketAddr> {
        if let Some(bound) = self.bound.get() {
            return Ok(bound);
        }
        let Some(this) = self.this.upgrade() else {
            return fail(EINVAL);
        };
        let binding = self.options.binding(address);
        let bound = self.network.tcp.bind(binding, &this)?;
        self.bound.set(Some(bound));
        Ok(bound)
    }

    /// The error that is to be told next, which is told with that.
    fn pending_error(&self) -> c_int {
        match self.error.take() {
            0 => match self.state() {
                State::Inside(_, end) => end.take_error(),
                State::Outside(stream) => self.take_outside_error(&stream),
                _ => 0,
            },
            error => error,
        }
    }
}

impl Description for Tcp {
    fn read(&self, buffers: &mut [IoSliceMut<'_>]) -> Result<usize> {
        Ok(self.receive(buffers, Flags::default())?.octets)
    }

    fn write(&self, buffers: &[IoSlice<'_>]) -> Result<usize> {
        match self.error.take() {
            0 => {}
            error => return fail(error),
        }
        match self.state() {
            State::Inside(_, end) => end.write(buffers),
            State::Outside(stream) => {
                self.tell_later(|| gather(buffers, |octets| self.write_outside(&stream, octets)))
            }
            State::Waiting(_) => Err(Errno::AGAIN),
            State::Fresh | State::Listening(_) | State::Failed => fail(EPIPE),
        }
    }

    fn keep_error(&self, error: Errno) {
        match self.state() {
            State::Inside(_, end) => end.keep_error(error),
            State::Outside(stream) => self.keep_outside_error(&stream, error),
            _ => {}
        }
    }

    fn ready(&self) -> Events {
        let error = if self.error.get() != 0 { ERR } else { 0 };
        error
            | match self.state() {
                State::Fresh => WRITE | HUP,
                State::Failed => READ | WRITE | HUP | RDHUP,
                State::Listening(listener) => listener.ready(self),
                State::Waiting(_) => 0,
                State::Inside(_, end) => end.ready(),
                State::Outside(stream) => self.outside_ready(&stream),
            }
    }

    fn queue(&self) -> Option<&Queue> {
        Some(&self.queue)
    }

    fn readable(&self) -> Result<usize> {
        match self.state() {
            State::Inside(_, end) => Ok(end.readable()),
            State::Outside(stream) => Ok(stream.status()?.readable),
            State::Listening(_) => fail(EINVAL),
            _ => Ok(0),
        }
    }

    fn kind(&self) -> Kind {
        S_IFSOCK
    }

    fn as_socket(&self) -> Result<&dyn Socket> {
        Ok(self)
    }
}

impl Socket for Tcp {
    fn sort(&self) -> (c_int, c_int, c_int) {
        (self.family.number(), SOCK_STREAM, IPPROTO_TCP)
    }

    fn bind(&self, address: &Address) -> Result<()> {
        let Address::Internet(address) = *address else {
            return fail(libc::EAFNOSUPPORT);
        };
        let address = self.family.inward(address)?;
        self.options.admit(address, EINVAL)?;
        if self.bound.get().is_some() || !matches!(self.state(), State::Fresh) {
            return fail(EINVAL);
        }
        if !self.network.is_ours(address.ip()) {
            return fail(EADDRNOTAVAIL);
        }
        self.bind_to(address).map(drop)
    }

    fn listen(&self, backlog: c_int) -> Result<()> {
        self.start_listening(backlog)
    }

    fn accept(&self) -> Result<(Rc<dyn Description>, Address)> {
        let State::Listening(listener) = self.state() else {
            return fail(EINVAL);
        };
        let (socket, peer) = listener.accept(self)?;
        Ok((socket, self.family.outward(peer)))
    }

    fn connect(&self, address: &Address) -> Result<()> {
        self.start_connecting(address)
    }

    fn connected(&self) -> Result<()> {
        self.finish_connecting()
    }

    fn receive(&self, buffers: &mut [IoSliceMut<'_>], flags: Flags) -> Result<Received> {
        let octets = match self.state() {
            State::Inside(_, end) => end.read(buffers, flags.peek)?,
            State::Outside(stream) if flags.peek => {
                let first = buffers.iter_mut().find(|buffer| !buffer.is_empty());
                first.map_or(Ok(0), |buffer| self.peek_outside(&stream, buffer))?
            }
            State::Outside(stream) => {
                self.tell_later(|| scatter(buffers, |buffer| self.read_outside(&stream, buffer)))?
            }
            State::Waiting(_) => return Err(Errno::AGAIN),
            State::Fresh | State::Listening(_) => return fail(ENOTCONN),
            State::Failed => match self.error.take() {
                0 => 0,
                error => return fail(error),
            },
        };
        Ok(Received {
            octets,
            whole: octets,
            ..Received::default()
        })
    }

    fn send(
        &self,
        buffers: &[IoSlice<'_>],
        to: Option<&Address>,
        _beside: &mut Beside,
    ) -> Result<usize> {
        match to {
            Some(_) if matches!(self.state(), State::Fresh) => fail(EPIPE),
            Some(_) => fail(EISCONN),
            None => self.write(buffers),
        }
    }

    fn shutdown(&self, how: Shutdown) -> Result<()> {
        match self.state() {
            State::Inside(_, end) => end.shutdown(how)?,
            State::Outside(stream) => self.shut_outside(&stream, how)?,
            State::Listening(listener) if how != Shutdown::Write => {
                self.enter(State::Failed);
                listener.end();
                self.queue.wake(ALL);
            }
            _ => return fail(ENOTCONN),
        }
        Ok(())
    }

    fn local(&self) -> Result<Address> {
        let address = match self.state() {
            State::Outside(stream) => stream.local_addr()?,
            _ => self.bound.get().unwrap_or(self.family.any()),
        };
        Ok(self.family.outward(address))
    }

    fn peer(&self) -> Result<Address> {
        match self.state() {
            State::Inside(peer, _) => Ok(self.family.outward(peer)),
            State::Outside(stream) => Ok(self.family.outward(outside::peer(&stream)?)),
            _ => fail(ENOTCONN),
        }
    }

    fn take_error(&self) -> c_int {
        self.pending_error()
    }

    fn set_option(&self, level: c_int, name: c_int, value: &[u8]) -> Result<()> {
        match level {
            IPPROTO_TCP => self.settings.set(name, value)?,
            _ => self.options.set(self, level, name, value)?,
        }
        if let State::Outside(stream) = self.state() {
            self.apply(&stream);
        }
        Ok(())
    }

    fn option(&self, level: c_int, name: c_int) -> Result<Value> {
        match (level, name) {
            (IPPROTO_TCP, _) => self.settings.value(name),
            (libc::SOL_SOCKET, libc::SO_ACCEPTCONN) => {
                let listens = matches!(self.state(), State::Listening(_));
                Ok(Value::Number(listens.into()))
            }
            _ => self.options.value(self, level, name),
        }
    }

    fn options(&self) -> &Options {
        &self.options
    }
}

impl Noticed for Tcp {
    fn notice(&self, which: Which) {
        // Who is told looks what it is, and whether it has ended.
        self.queue.wake(match which {
            Which::Read => READ | RDHUP | HUP | ERR,
            Which::Write => WRITE | HUP | ERR,
        });
    }
}

impl Drop for Tcp {
    fn drop(&mut self) {
        if let Some(bound) = self.bound.get() {
            self.network.tcp.release(bound.port(), &self.this);
        }
        match &*self.state.borrow() {
            State::Inside(_, end) if self.options.linger.get() == Some(0) => end.reset(),
            State::Listening(listener) => listener.end(),
            _ => {}
        }
    }
}
