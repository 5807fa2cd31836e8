//! Sockets: TCP and UDP over the network device and inside of the program, and Unix sockets.

pub(crate) mod address;
pub(crate) mod beside;
mod inbox;
mod local;
pub(crate) mod names;
mod network;
mod notice;
mod options;
pub(crate) mod rights;
pub(crate) mod start;
mod stream;
#[cfg(solo5)]
mod symbols;
mod tcp;
mod udp;
pub(crate) mod unix;

use core::ffi::c_int;
use core::time::Duration;
use std::io::{IoSlice, IoSliceMut};
use std::net::{IpAddr, Shutdown};
use std::rc::Rc;

use libc::{
    EAFNOSUPPORT, EPROTONOSUPPORT, EPROTOTYPE, IPPROTO_TCP, IPPROTO_UDP, SOCK_DGRAM, SOCK_STREAM,
};

pub(crate) use network::Network;
pub(crate) use options::Value;

use crate::descriptors::open::{Description, total};
use crate::error::{Result, fail};
use address::{Address, Family};
use beside::Beside;
use options::Options;
use rights::Rights;

/// What came of a call that receives; nothing by default.
#[derive(Default)]
pub(crate) struct Received {
    /// Octets that were copied.
    pub(crate) octets: usize,
    /// Octets of the datagram, of which some may have been lost; of a stream, those copied.
    pub(crate) whole: usize,
    /// Who sent it.
    pub(crate) from: Option<Address>,
    /// The descriptors that came with it.
    pub(crate) rights: Rights,
    /// Where it was sent to, if that is asked for.
    pub(crate) to: Option<IpAddr>,
    /// Octets of each datagram but the last, of several.
    pub(crate) segment: Option<usize>,
}

/// What may be asked of a call that receives.
#[derive(Clone, Copy, Default)]
pub(crate) struct Flags {
    /// What is received stays.
    pub(crate) peek: bool,
}

/// A socket: what can be done with it without waiting.
pub(crate) trait Socket {
    /// `SO_DOMAIN`, `SO_TYPE` and `SO_PROTOCOL`.
    fn sort(&self) -> (c_int, c_int, c_int);

    fn bind(&self, address: &Address) -> Result<()>;

    fn listen(&self, backlog: c_int) -> Result<()>;

    /// The next connection, with its peer.
    fn accept(&self) -> Result<(Rc<dyn Description>, Address)>;

    /// Connects, or begins to: `EINPROGRESS`, and `EALREADY` as long as that goes on.
    fn connect(&self, address: &Address) -> Result<()>;

    /// What came of what `connect` has begun.
    fn connected(&self) -> Result<()> {
        Ok(())
    }

    fn receive(&self, buffers: &mut [IoSliceMut<'_>], flags: Flags) -> Result<Received>;

    /// Sends octets, with what goes beside them: descriptors are taken if it succeeds.
    fn send(
        &self,
        buffers: &[IoSlice<'_>],
        to: Option<&Address>,
        beside: &mut Beside,
    ) -> Result<usize>;

    fn shutdown(&self, how: Shutdown) -> Result<()>;

    fn local(&self) -> Result<Address>;

    fn peer(&self) -> Result<Address>;

    /// `SO_ERROR`: what has happened since it was last asked.
    fn take_error(&self) -> c_int;

    /// Those that every socket has.
    fn options(&self) -> &Options;

    fn set_option(&self, level: c_int, name: c_int, value: &[u8]) -> Result<()> {
        self.options().set(self, level, name, value)
    }

    fn option(&self, level: c_int, name: c_int) -> Result<Value> {
        self.options().value(self, level, name)
    }

    /// How long calls wait to receive and to send.
    fn limits(&self) -> (Option<Duration>, Option<Duration>) {
        let options = self.options();
        (options.receive_limit.get(), options.send_limit.get())
    }

    /// Whether what is received has no borders.
    fn is_stream(&self) -> bool {
        self.sort().1 == SOCK_STREAM
    }
}

/// A new socket for the Internet.
///
/// # Errors
///
/// `EAFNOSUPPORT`, `EPROTOTYPE` and `EPROTONOSUPPORT` for sockets that there are not.
pub(crate) fn internet(
    network: &Rc<Network>,
    domain: c_int,
    kind: c_int,
    protocol: c_int,
) -> Result<Rc<dyn Description>> {
    let family = match domain {
        libc::AF_INET => Family::V4,
        libc::AF_INET6 => Family::V6,
        _ => return fail(EAFNOSUPPORT),
    };
    match (kind, protocol) {
        (SOCK_STREAM, 0 | IPPROTO_TCP) => Ok(tcp::Tcp::new(network, family)),
        (SOCK_DGRAM, 0 | IPPROTO_UDP) => Ok(udp::Udp::new(network, family)),
        (SOCK_STREAM | SOCK_DGRAM, _) => fail(EPROTONOSUPPORT),
        _ => fail(EPROTOTYPE),
    }
}

/// Calls `receive` until the buffers are full, the stream ends or descriptors have come. What has come before an error counts,
/// and the next call tells the error.
pub(crate) fn receive_all(
    description: &dyn Description,
    mut rest: &mut [IoSliceMut<'_>],
    mut receive: impl FnMut(&mut [IoSliceMut<'_>]) -> Result<Received>,
) -> Result<Received> {
    let wanted = total(rest);
    let mut received = receive(rest)?;
    let mut last = received.octets;
    while last > 0 && received.octets < wanted && received.rights.is_empty() {
        IoSliceMut::advance_slices(&mut rest, last);
        last = match receive(rest) {
            Ok(more) => {
                received.rights = more.rights;
                more.octets
            }
            Err(error) => {
                description.keep_error(error);
                0
            }
        };
        received.octets += last;
        received.whole = received.octets;
    }
    Ok(received)
}

/// How many connections may wait to be accepted where `listen` asks for so many.
fn places(backlog: c_int) -> usize {
    /// Linux' `somaxconn`.
    const MOST: usize = 4096;
    usize::try_from(backlog).unwrap_or(MOST).min(MOST)
}

#[cfg(test)]
mod tests;
