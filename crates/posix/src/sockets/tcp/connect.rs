//! Connecting.

use core::ffi::c_int;
use core::task::{Context, Poll};
use std::net::SocketAddr;
use std::rc::Rc;

use libc::{
    EADDRNOTAVAIL, EAFNOSUPPORT, EALREADY, ECONNREFUSED, EINPROGRESS, EISCONN, ENETUNREACH,
};
use netstack::TcpStream;

use super::{State, Tcp};
use crate::error::{Errno, Result, fail};
use crate::readiness::ALL;
use crate::sockets::address::{Address, Family, reachable};
use crate::sockets::notice::Which;

impl Tcp {
    pub(super) fn start_connecting(&self, address: &Address) -> Result<()> {
        if self.connects.get() {
            return match self.finish_connecting() {
                Err(Errno::AGAIN) => fail(EALREADY),
                result => result,
            };
        }
        match self.state() {
            State::Fresh | State::Failed => {}
            _ => return fail(EISCONN),
        }
        let Address::Internet(to) = *address else {
            return fail(EAFNOSUPPORT);
        };
        let to = reachable(self.family.inward(to)?);
        self.options.admit(to, ENETUNREACH)?;
        self.enter(State::Fresh);
        match self.network.is_ours(to.ip()) {
            true => self.connect_inside(to)?,
            false => self.connect_outside(to)?,
        }
        self.connects.set(true);
        fail(EINPROGRESS)
    }

    fn connect_inside(&self, to: SocketAddr) -> Result<()> {
        let bound = self.bind_to(SocketAddr::new(to.ip(), 0))?;
        if bound.ip().is_unspecified() {
            // From now on it has an address.
            self.bound.set(Some(SocketAddr::new(to.ip(), bound.port())));
        }
        let found = self.network.tcp.find(to);
        let listeners = found.filter_map(|socket| match socket.state() {
            State::Listening(listener) => Some((socket, listener)),
            _ => None,
        });
        let listener = listeners.min_by_key(|(_, listener)| listener.len());
        match (listener, self.this.upgrade()) {
            (Some((socket, listener)), Some(client)) => socket.take_in(&listener, &client, to),
            _ => self.fail_to_connect(ECONNREFUSED),
        }
        Ok(())
    }

    fn connect_outside(&self, to: SocketAddr) -> Result<()> {
        let Some(stack) = self.network.stack() else {
            return fail(ENETUNREACH);
        };
        let mut local = Family::of(to.ip()).any();
        match self.bound.get() {
            Some(bound) if bound.ip().is_loopback() => return fail(EADDRNOTAVAIL),
            Some(bound) if bound.ip().is_unspecified() => local.set_port(bound.port()),
            Some(bound) if bound.is_ipv4() != to.is_ipv4() => return fail(ENETUNREACH),
            Some(bound) => local = bound,
            None => {}
        }
        let stream = TcpStream::begin_connect(stack, local, to, &self.stack_options())?;
        self.apply(&stream);
        self.enter(State::Outside(Rc::new(stream)));
        Ok(())
    }

    /// What was begun has failed.
    pub(super) fn fail_to_connect(&self, error: c_int) {
        self.error.set(error);
        self.enter(State::Failed);
        self.queue.wake(ALL);
    }

    /// What came of it, if that is known.
    pub(super) fn finish_connecting(&self) -> Result<()> {
        let outcome = match self.state() {
            State::Waiting(_) => return Err(Errno::AGAIN),
            State::Outside(stream) => {
                let mut context = Context::from_waker(self.waker(Which::Write));
                match stream.poll_connected(&mut context) {
                    Poll::Pending => return Err(Errno::AGAIN),
                    Poll::Ready(outcome) => outcome.map_err(Errno::from),
                }
            }
            _ => Ok(()),
        };
        self.connects.set(false);
        match self.pending_error() {
            0 => outcome,
            error => {
                self.enter(State::Failed);
                fail(error)
            }
        }
    }
}
