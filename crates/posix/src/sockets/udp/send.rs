//! Where datagrams come from and go to.

use std::io::IoSlice;
use std::net::SocketAddr;

use libc::{
    EADDRINUSE, EAFNOSUPPORT, ECONNREFUSED, EDESTADDRREQ, EINVAL, EMSGSIZE, ENETUNREACH, ENOBUFS,
    EPIPE,
};
use netstack::proto::udp::{HEADER_LEN, MAX_PAYLOAD};

use super::outside::receiver;
use super::runs::datagrams;
use super::{Ends, Udp};
use crate::descriptors::open::total;
use crate::error::{Errno, Result, fail};
use crate::memory;
use crate::readiness::ERR;
use crate::sockets::Socket;
use crate::sockets::address::{Address, reachable};
use crate::sockets::beside::Beside;

/// So many ports are tried where any will do.
const TRIES: usize = 16;

impl Udp {
    /// Binds the socket, if it is not bound yet.
    pub(super) fn bind_to(&self, address: SocketAddr) -> Result<SocketAddr> {
        if let Some(bound) = self.bound.get() {
            return Ok(bound);
        }
        let mut result = fail(EADDRINUSE);
        for _ in 0..TRIES {
            result = self.try_to_bind(address);
            // A resolver may have just this port.
            if result != fail(EADDRINUSE) || address.port() != 0 {
                break;
            }
        }
        result
    }

    fn try_to_bind(&self, address: SocketAddr) -> Result<SocketAddr> {
        let Some(this) = self.this.upgrade() else {
            return fail(EINVAL);
        };
        let binding = self.options.binding(address);
        let udp = &self.network.udp;
        let bound = udp.bind(binding, &this)?;
        match self.open_outside(bound) {
            Ok(outside) => {
                self.outside.replace(outside);
                self.bound.set(Some(bound));
                Ok(bound)
            }
            Err(error) => {
                udp.release(bound.port(), &self.this);
                Err(error)
            }
        }
    }

    /// Ties the socket to a peer, or to none.
    pub(super) fn tie(&self, address: &Address) -> Result<()> {
        let peer = match *address {
            Address::Unspecified => {
                self.peer.set(None);
                self.is_tied_inside.set(false);
                if let Some(bound) = self.bound.get()
                    && !self.outside().is_some_and(|outside| outside.is_shared())
                {
                    // The stack's socket stays tied: another takes its place.
                    self.outside.take();
                    self.outside.replace(self.open_outside(bound)?);
                }
                return Ok(());
            }
            Address::Internet(peer) => self.family.inward(peer)?,
            Address::Unnamed | Address::Unix(_) => return fail(EAFNOSUPPORT),
        };
        let peer = reachable(peer);
        self.options.admit(peer, ENETUNREACH)?;
        self.bind_to(self.family.any())?;
        let ours = self.network.is_ours(peer.ip());
        match self.outside() {
            Some(outside) if outside.is_shared() => {}
            // If that is inside, the stack takes nothing for this socket.
            Some(outside) => outside.socket.connect(peer)?,
            None if ours => {}
            None => return fail(ENETUNREACH),
        }
        self.is_tied_inside.set(ours);
        self.peer.set(Some(peer));
        self.inbox.borrow_mut().retain(|ends| ends.from == peer);
        Ok(())
    }

    pub(super) fn send_datagram(
        &self,
        buffers: &[IoSlice<'_>],
        to: Option<&Address>,
        beside: &Beside,
    ) -> Result<usize> {
        let error = match self.peer.get() {
            Some(_) => self.take_error(),
            None => self.error.take(),
        };
        match error {
            0 => {}
            error => return fail(error),
        }
        if self.is_write_closed.get() {
            return fail(EPIPE);
        }
        let to = match to {
            Some(Address::Internet(to)) => reachable(self.family.inward(*to)?),
            Some(_) => return fail(EAFNOSUPPORT),
            None => self.peer.get().ok_or(Errno(EDESTADDRREQ))?,
        };
        self.options.admit(to, ENETUNREACH)?;
        let octets = total(buffers);
        if octets > longest(to) {
            return fail(EMSGSIZE);
        }
        let segment = match beside.segment.unwrap_or(self.own.segment.get()) {
            0 => octets,
            segment => {
                self.check_run(to, octets, segment.into())?;
                segment.into()
            }
        };
        let source = beside.source.filter(|source| !source.is_unspecified());
        match source {
            Some(source) if source.is_ipv4() != to.is_ipv4() => return fail(EINVAL),
            Some(source) if !self.network.is_ours(source) => return fail(ENETUNREACH),
            _ => {}
        }
        let parts;
        let payload = match buffers {
            [one] => &one[..],
            _ => {
                parts = memory::join(buffers).or(fail(ENOBUFS))?;
                &parts
            }
        };
        self.bind_to(self.family.any())?;
        let mut bound = self.here();
        if let Some(source) = source {
            bound.set_ip(source);
        }
        if self.network.is_ours(to.ip()) {
            self.send_inside(bound, to, datagrams(payload, segment));
            return Ok(octets);
        }
        if to.ip().is_multicast() && self.options.loops.get() {
            for datagram in datagrams(payload, segment) {
                self.send_to_members(bound, to, datagram);
            }
        }
        let hops = self.options.hops.get();
        if to.ip().is_multicast() && hops == 0 {
            return Ok(octets);
        }
        match self.outside() {
            Some(outside) => {
                outside.socket.set_multicast_ttl(hops);
                outside.socket.set_source(source);
                let segment = segment.max(1);
                Ok(outside.socket.send_segments_to(payload, segment, to)?)
            }
            None => fail(ENETUNREACH),
        }
    }

    fn send_inside<'a>(
        &self,
        bound: SocketAddr,
        to: SocketAddr,
        datagrams: impl Iterator<Item = &'a [u8]>,
    ) {
        let from = match bound.ip().is_unspecified() {
            true => SocketAddr::new(to.ip(), bound.port()),
            false => bound,
        };
        if let Some(socket) = receiver(&self.network, from, to) {
            let ends = Ends { from, to: to.ip() };
            datagrams.for_each(|datagram| socket.put(ends, datagram));
        } else if self.peer.get() == Some(to) {
            // As ICMP would tell who is tied to that peer.
            self.error.set(ECONNREFUSED);
            self.queue.wake(ERR);
        }
    }
}

/// Octets of the longest datagram that can be sent there.
fn longest(to: SocketAddr) -> usize {
    match to {
        SocketAddr::V4(_) => MAX_PAYLOAD,
        SocketAddr::V6(_) => usize::from(u16::MAX) - HEADER_LEN,
    }
}
