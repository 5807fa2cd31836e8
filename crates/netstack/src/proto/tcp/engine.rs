//! The engine.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::task::Poll;

use bytes::Bytes;

use super::{
    Config, ConnectionId, Counters, Error, Event, IcmpError, IpMeta, KeepAlive, Linger, ListenerId,
    Options, Status, TxSink,
};
use crate::proto::Instant;

/// All TCP listeners and connections of a stack.
#[derive(Debug)]
pub struct Tcp {
    config: Config,
    counters: Counters,
}

#[allow(unused_variables, clippy::unused_self)] // The interface first: bodies follow.
impl Tcp {
    /// An engine without connections. `seed` must be secret and different at each start: initial
    /// sequence numbers, ports, SYN cookies and hash keys come from it.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        Self {
            config,
            counters: Counters::default(),
        }
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// A segment has arrived: the TCP header and all that follows it. The payload is not copied but
    /// kept as a slice of `segment`.
    pub fn handle_segment(&mut self, now: Instant, ip: &IpMeta, segment: Bytes) {}

    /// An ICMP error has arrived that quotes a datagram of ours: `quoted` is what it holds of that
    /// datagram's TCP header (at least eight octets, otherwise it is ignored).
    pub fn handle_icmp(
        &mut self,
        now: Instant,
        source: Ipv4Addr,
        destination: Ipv4Addr,
        quoted: &[u8],
        error: IcmpError,
    ) {
    }

    /// When [`Tcp::handle_timeout`] is to be called next; `None` when no timer runs.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        None
    }

    /// Runs the timers that have expired.
    pub fn handle_timeout(&mut self, now: Instant) {}

    /// Writes what is to be sent to `sink`, at most `budget` segments, taking turns among the
    /// connections that have something. Returns how many it wrote.
    pub fn poll_transmit(&mut self, now: Instant, sink: &mut impl TxSink, budget: usize) -> usize {
        0
    }

    /// Whether [`Tcp::poll_transmit`] has something to send now.
    #[must_use]
    pub fn wants_transmit(&self) -> bool {
        false
    }

    /// The next event, if any.
    pub fn poll_event(&mut self) -> Option<Event> {
        None
    }

    /// OPEN, passive (RFC 9293 §3.10.1). An unspecified address listens on all; port 0 takes a free
    /// one. `backlog` bounds the connections that are half-open, and those that wait for `accept`.
    ///
    /// # Errors
    ///
    /// [`Error::AddrInUse`] when there is a listener on the address already.
    pub fn listen(
        &mut self,
        local: SocketAddrV4,
        backlog: usize,
        options: Options,
    ) -> Result<ListenerId, Error> {
        Err(Error::AddrInUse(local))
    }

    /// The address that a listener was bound to.
    pub fn listener_address(&self, listener: ListenerId) -> Result<SocketAddrV4, Error> {
        Err(Error::Released)
    }

    /// Takes an established connection from a listener, if one waits.
    ///
    /// # Errors
    ///
    /// [`Error::Released`].
    pub fn accept(&mut self, listener: ListenerId) -> Result<Option<ConnectionId>, Error> {
        Err(Error::Released)
    }

    /// Ends a listener; connections that were not accepted are reset.
    pub fn close_listener(&mut self, now: Instant, listener: ListenerId) {}

    /// OPEN, active (RFC 9293 §3.10.1). Port 0 of `local` takes an ephemeral one (RFC 6056).
    ///
    /// # Errors
    ///
    /// [`Error::AddrInUse`], [`Error::NoPort`], [`Error::OutOfMemory`], [`Error::InvalidInput`] for
    /// an unspecified, broadcast or multicast address or a remote port of 0.
    pub fn connect(
        &mut self,
        now: Instant,
        local: SocketAddrV4,
        remote: SocketAddrV4,
        options: &Options,
    ) -> Result<ConnectionId, Error> {
        Err(Error::OutOfMemory)
    }

    /// SEND (RFC 9293 §3.10.2): queues a copy of as much of `data` as there is room for and returns
    /// how much. Pending until [`Readiness::WRITABLE`](super::Readiness::WRITABLE) when there is none.
    pub fn send(
        &mut self,
        now: Instant,
        id: ConnectionId,
        data: &[u8],
    ) -> Poll<Result<usize, Error>> {
        Poll::Ready(Err(Error::Released))
    }

    /// SEND without a copy: queues as much of `data` as there is room for, advances it by that and
    /// returns how much.
    pub fn send_bytes(
        &mut self,
        now: Instant,
        id: ConnectionId,
        data: &mut Bytes,
    ) -> Poll<Result<usize, Error>> {
        Poll::Ready(Err(Error::Released))
    }

    /// RECEIVE (RFC 9293 §3.10.3) into `buffer`: the number of octets copied, 0 at the end of the
    /// stream. Pending until [`Readiness::READABLE`](super::Readiness::READABLE) when there is nothing.
    pub fn receive(
        &mut self,
        now: Instant,
        id: ConnectionId,
        buffer: &mut [u8],
    ) -> Poll<Result<usize, Error>> {
        Poll::Ready(Err(Error::Released))
    }

    /// RECEIVE without a copy: the next chunk of at most `max` octets, empty at the end of the stream.
    pub fn receive_bytes(
        &mut self,
        now: Instant,
        id: ConnectionId,
        max: usize,
    ) -> Poll<Result<Bytes, Error>> {
        Poll::Ready(Err(Error::Released))
    }

    /// Copies what [`Tcp::receive`] would return without taking it.
    pub fn peek(&self, id: ConnectionId, buffer: &mut [u8]) -> Poll<Result<usize, Error>> {
        Poll::Ready(Err(Error::Released))
    }

    /// CLOSE (RFC 9293 §3.10.4): no more will be sent after what is queued; receiving goes on.
    ///
    /// # Errors
    ///
    /// [`Error::NotConnected`], [`Error::Released`] or what ended the connection.
    pub fn shutdown(&mut self, now: Instant, id: ConnectionId) -> Result<(), Error> {
        Err(Error::Released)
    }

    /// Ready once all that was sent, and the FIN if there was a shutdown, is acknowledged; pending
    /// until [`Readiness::FLUSHED`](super::Readiness::FLUSHED).
    pub fn poll_flushed(&mut self, id: ConnectionId) -> Poll<Result<(), Error>> {
        Poll::Ready(Err(Error::Released))
    }

    /// ABORT (RFC 9293 §3.10.5): resets the connection. The handle stays valid.
    pub fn abort(&mut self, now: Instant, id: ConnectionId) {}

    /// Gives the handle back. What was sent is still delivered as [`Options::linger`] says; data
    /// that was received and not read, or comes later, resets the connection (RFC 2525 §2.17).
    pub fn release(&mut self, now: Instant, id: ConnectionId) {}

    /// STATUS (RFC 9293 §3.10.6).
    ///
    /// # Errors
    ///
    /// [`Error::Released`].
    pub fn status(&self, id: ConnectionId) -> Result<Status, Error> {
        Err(Error::Released)
    }

    /// Sets [`Options::nodelay`] of a connection.
    ///
    /// # Errors
    ///
    /// [`Error::Released`], as for all settings.
    pub fn set_nodelay(&mut self, now: Instant, id: ConnectionId, on: bool) -> Result<(), Error> {
        Err(Error::Released)
    }

    /// Sets [`Options::keep_alive`] of a connection.
    pub fn set_keep_alive(
        &mut self,
        now: Instant,
        id: ConnectionId,
        on: Option<KeepAlive>,
    ) -> Result<(), Error> {
        Err(Error::Released)
    }

    /// Sets [`Options::user_timeout`] of a connection.
    pub fn set_user_timeout(
        &mut self,
        now: Instant,
        id: ConnectionId,
        timeout: Option<core::time::Duration>,
    ) -> Result<(), Error> {
        Err(Error::Released)
    }

    /// Sets [`Options::linger`] of a connection.
    pub fn set_linger(&mut self, id: ConnectionId, linger: Linger) -> Result<(), Error> {
        Err(Error::Released)
    }
}
