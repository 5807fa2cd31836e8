//! Connections by the stack.

use core::ffi::c_int;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;
use std::net::{Shutdown, SocketAddr};

use futures_io::{AsyncRead, AsyncWrite};
use libc::{ENOTCONN, EPIPE};
use netstack::TcpStream;
use netstack::proto::tcp::State as Phase;

use super::Tcp;
use crate::error::{Errno, Result, fail};
use crate::readiness::{ALL, ERR, Events, HUP, RDHUP, READ, WRITE};
use crate::sockets::notice::Which;

/// The peer of a connection that is there.
pub(super) fn peer(stream: &TcpStream) -> Result<SocketAddr> {
    let status = stream.status()?;
    match status.state {
        Phase::SynSent | Phase::SynReceived | Phase::Closed => fail(ENOTCONN),
        _ => Ok(status.remote),
    }
}

/// What has ended a connection, if something has.
fn outside_error(stream: &TcpStream) -> Option<Errno> {
    let error = stream.status().ok()?.error?;
    Some(io::Error::from(error).into())
}

impl Tcp {
    pub(super) fn read_outside(&self, stream: &TcpStream, buffer: &mut [u8]) -> Result<usize> {
        let mut context = Context::from_waker(self.waker(Which::Read));
        let mut stream = stream;
        let read = Pin::new(&mut stream).poll_read(&mut context, buffer);
        self.read_outcome(read)
    }

    pub(super) fn peek_outside(&self, stream: &TcpStream, buffer: &mut [u8]) -> Result<usize> {
        let mut context = Context::from_waker(self.waker(Which::Read));
        self.read_outcome(stream.poll_peek(&mut context, buffer))
    }

    /// An error that has ended the connection is told once; then it has just ended.
    fn read_outcome(&self, outcome: Poll<io::Result<usize>>) -> Result<usize> {
        match outcome {
            Poll::Ready(Ok(octets)) => Ok(octets),
            Poll::Ready(Err(_)) if self.is_told.replace(true) => Ok(0),
            Poll::Ready(Err(error)) => Err(error.into()),
            Poll::Pending if self.is_read_closed.get() => Ok(0),
            Poll::Pending => Err(Errno::AGAIN),
        }
    }

    /// Writes until nothing is left or there is no room: who was told of less than it has given waits to be told of room,
    /// without asking again.
    pub(super) fn write_outside(&self, stream: &TcpStream, octets: &[u8]) -> Result<usize> {
        if self.is_write_closed.get() {
            return fail(EPIPE);
        }
        let mut context = Context::from_waker(self.waker(Which::Write));
        let mut stream = stream;
        let mut done = 0;
        loop {
            match Pin::new(&mut stream).poll_write(&mut context, &octets[done..]) {
                Poll::Ready(Ok(written)) => {
                    done += written;
                    if written == 0 || done == octets.len() {
                        return Ok(done);
                    }
                }
                _ if done > 0 => return Ok(done),
                Poll::Ready(Err(_)) if self.is_told.replace(true) => return fail(EPIPE),
                Poll::Ready(Err(error)) => return Err(error.into()),
                Poll::Pending => return Err(Errno::AGAIN),
            }
        }
    }

    pub(super) fn take_outside_error(&self, stream: &TcpStream) -> c_int {
        match outside_error(stream) {
            Some(error) if !self.is_told.replace(true) => error.0,
            _ => 0,
        }
    }

    /// What was taken is to be told another time.
    pub(super) fn keep_outside_error(&self, stream: &TcpStream, error: Errno) {
        if outside_error(stream) == Some(error) {
            self.is_told.set(false);
        }
    }

    /// Makes a call for several buffers: an error that comes after some octets is told by the next.
    pub(super) fn tell_later(&self, call: impl FnOnce() -> Result<usize>) -> Result<usize> {
        let is_told = self.is_told.get();
        let done = call()?;
        if done > 0 {
            self.is_told.set(is_told);
        }
        Ok(done)
    }

    pub(super) fn shut_outside(&self, stream: &TcpStream, how: Shutdown) -> Result<()> {
        if how != Shutdown::Read && !self.is_write_closed.replace(true) {
            stream.shutdown()?;
        }
        if how != Shutdown::Write {
            self.is_read_closed.set(true);
        }
        self.queue.wake(ALL);
        Ok(())
    }

    pub(super) fn outside_ready(&self, stream: &TcpStream) -> Events {
        let mut context = Context::from_waker(self.waker(Which::Read));
        let readable = stream.poll_readable(&mut context).is_ready();
        let mut context = Context::from_waker(self.waker(Which::Write));
        let writable = stream.poll_writable(&mut context).is_ready();
        let Ok(status) = stream.status() else {
            return READ | WRITE | HUP | RDHUP;
        };
        let is_connecting = matches!(status.state, Phase::SynSent | Phase::SynReceived);
        if is_connecting && status.error.is_none() {
            // There is room to write already, of which nobody is told again.
            let _ = stream.poll_connected(&mut context);
            return 0;
        }
        let has_ended = matches!(status.state, Phase::Closed | Phase::TimeWait);
        let no_more = has_ended
            || matches!(
                status.state,
                Phase::CloseWait | Phase::Closing | Phase::LastAck
            )
            || self.is_read_closed.get();
        let closed = has_ended || self.is_write_closed.get();
        let mut events = 0;
        if readable || no_more {
            events |= READ;
        }
        if no_more {
            events |= RDHUP;
        }
        if no_more && closed {
            events |= HUP;
        }
        if writable || closed {
            events |= WRITE;
        }
        if status.error.is_some() && !self.is_told.get() {
            events |= ERR;
        }
        events
    }
}
