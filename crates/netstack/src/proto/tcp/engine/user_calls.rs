//! The user's calls (RFC 9293 §3.10.1 to §3.10.6).

use core::net::{IpAddr, SocketAddr};
use core::task::Poll;

use bytes::Bytes;

use super::{Tcp, line_up};
use crate::proto::Instant;
use crate::proto::account::{Kind, octets};
use crate::proto::ip::{Endpoint, is_host};
use crate::proto::tcp::api::{ConnectionId, Error, Failure, ListenerId, State};
use crate::proto::tcp::config::Options;
use crate::proto::tcp::connection::{Owner, Tcb};
use crate::proto::tcp::receive::queue::ReceiveQueue;
use crate::proto::tcp::send::queue::{ChunkPool, SendQueue};
use crate::proto::tcp::wire::segment::FourTuple;

impl Tcp {
    /// OPEN, passive (RFC 9293 §3.10.1). An unspecified address listens on all; port 0 takes a free
    /// one. `backlog` bounds the connections that are half-open, and those that wait for `accept`.
    ///
    /// # Errors
    ///
    /// [`Error::AddrInUse`] when there is a listener on the address already.
    pub fn listen(
        &mut self,
        local: impl Into<SocketAddr>,
        backlog: usize,
        options: Options,
    ) -> Result<ListenerId, Error> {
        let local = Endpoint::from(local.into());
        let local = if local.port() == 0 {
            self.choose_listening_port(local.ip())?
        } else {
            local
        };
        if self.listeners.is_bound(local) {
            return Err(Error::AddrInUse(local.into()));
        }
        let options = options.within(self.shared.config.budget());
        Ok(self.listeners.add(local, backlog, options))
    }

    /// The address that a listener was bound to.
    ///
    /// # Errors
    ///
    /// [`Error::Released`].
    pub fn listener_address(&self, listener: ListenerId) -> Result<SocketAddr, Error> {
        Ok(self.listeners.get(listener)?.local.into())
    }

    /// Takes an established connection from a listener, if one waits.
    ///
    /// # Errors
    ///
    /// [`Error::Released`].
    pub fn accept(&mut self, listener: ListenerId) -> Result<Option<ConnectionId>, Error> {
        let listener = self.listeners.get_mut(listener)?;
        while let Some(id) = listener.waiting.pop_front() {
            if let Ok(tcb) = self.connections.get_mut(id) {
                tcb.owner = Owner::User;
                // What has happened before is reported now.
                self.settle(id.index);
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// Whether [`Tcp::accept`] would return a connection.
    ///
    /// # Errors
    ///
    /// [`Error::Released`].
    pub fn is_acceptable(&mut self, listener: ListenerId) -> Result<bool, Error> {
        let mut waiting = self.listeners.get(listener)?.waiting.iter();
        Ok(waiting.any(|id| self.connections.get_mut(*id).is_ok()))
    }

    /// Ends a listener; connections that were not accepted are reset.
    pub fn close_listener(&mut self, now: Instant, listener: ListenerId) {
        let theirs: Vec<ConnectionId> = self.connections.ids().collect();
        for id in theirs {
            let Ok(tcb) = self.connections.get_mut(id) else {
                continue;
            };
            if tcb.owner == Owner::HalfOpen(listener) || tcb.owner == Owner::Waiting(listener) {
                tcb.owner = Owner::Nobody;
                tcb.abort(&mut self.shared);
                self.settle_at(now, id.index);
            }
        }
        if let Some(gone) = self.listeners.remove(listener) {
            let account = &mut self.shared.account;
            account.release(Kind::Connections, octets(&gone.waiting));
        }
    }

    /// An address is no longer ours: its connections end with [`Error::AddrNotAvailable`], and
    /// nothing more is sent from it, not even a reset. Listeners stay.
    pub fn remove_address(&mut self, now: Instant, address: impl Into<IpAddr>) {
        let address = address.into();
        let all: Vec<ConnectionId> = self.connections.ids().collect();
        for id in all {
            let Ok(tcb) = self.connections.get_mut(id) else {
                continue;
            };
            if tcb.tuple.local.ip() == address && tcb.state != State::Closed {
                tcb.close(Some(Failure::AddrNotAvailable), &mut self.shared);
                self.settle_at(now, id.index);
            }
        }
        let replies = &mut self.shared.replies;
        replies.retain(|reply| reply.header.tuple.local.ip() != address);
    }

    /// OPEN, active (RFC 9293 §3.10.1). Port 0 of `local` takes an ephemeral one (RFC 6056).
    ///
    /// # Errors
    ///
    /// [`Error::AddrInUse`], [`Error::NoPort`], [`Error::OutOfMemory`], [`Error::InvalidInput`] for
    /// an unspecified, broadcast or multicast address or a remote port of 0.
    pub fn connect(
        &mut self,
        now: Instant,
        local: impl Into<SocketAddr>,
        remote: impl Into<SocketAddr>,
        options: &Options,
    ) -> Result<ConnectionId, Error> {
        let (local, remote) = (Endpoint::from(local.into()), Endpoint::from(remote.into()));
        if remote.port() == 0 || !is_host(remote.ip()) {
            return Err(Error::InvalidInput(
                "the remote end needs a port other than 0 and a host's address",
            ));
        }
        if !is_host(local.ip()) {
            return Err(Error::InvalidInput(
                "the local end needs an address of this host",
            ));
        }
        if !self.make_room(size_of::<Tcb>() + self.shared.config.application_octets) {
            return Err(Error::OutOfMemory);
        }
        let (tuple, above) = if local.port() == 0 {
            self.choose_port(now, local.ip(), remote)?
        } else {
            let tuple = FourTuple { local, remote };
            if self.connections.contains(&tuple) || local == remote {
                return Err(Error::AddrInUse(local.into()));
            }
            let ends = (&tuple, self.connections.hash_of(&tuple));
            let above = self
                .time_waits
                .reusable(now, ends, self.shared.config.time_wait)
                .map_err(|()| Error::AddrInUse(local.into()))?;
            (tuple, above)
        };
        let hash = self.connections.hash_of(&tuple);
        self.time_waits.remove(&tuple, hash, &mut self.shared);
        let options = &options.clone().within(self.shared.config.budget());
        let id = self.connections.next_id();
        let mut tcb = Box::new(Tcb::new(
            id,
            tuple,
            Owner::User,
            options,
            now,
            &mut self.shared,
        ));
        if let Some(above) = above
            && tcb.snd.iss().le(above)
        {
            tcb.snd.set_iss(above + 1);
        }
        tcb.active = true;
        tcb.state = State::SynSent;
        tcb.snd.use_ecn(options.ecn);
        tcb.arm_syn(now);
        self.add(tcb);
        self.shared.counters.active_opens += 1;
        self.settle(id.index);
        Ok(id)
    }

    /// Ready when SEND would take something, or fail; pending until
    /// [`Readiness::WRITABLE`](crate::proto::tcp::Readiness::WRITABLE).
    pub fn poll_writable(&mut self, id: ConnectionId) -> Poll<Result<(), Error>> {
        let tcb = self.connections.user_mut(id)?;
        tcb.room(1, &self.shared).map_ok(|_| ())
    }

    /// SEND (RFC 9293 §3.10.2): queues a copy of as much of `data` as there is room for and returns
    /// how much. Pending until [`Readiness::WRITABLE`](crate::proto::tcp::Readiness::WRITABLE) when
    /// there is none.
    pub fn send(&mut self, id: ConnectionId, data: &[u8]) -> Poll<Result<usize, Error>> {
        self.queue(id, data.len(), |queue, room, pool| {
            queue.push_copy(&data[..room], pool);
        })
    }

    /// SEND without a copy: queues as much of `data` as there is room for, advances it by that and
    /// returns how much.
    pub fn send_bytes(&mut self, id: ConnectionId, data: &mut Bytes) -> Poll<Result<usize, Error>> {
        self.queue(id, data.len(), |queue, room, pool| {
            queue.push_shared(data.split_to(room), pool);
        })
    }

    /// Has `push` put as many of `wanted` octets into the send queue as there is room for.
    #[inline]
    fn queue(
        &mut self,
        id: ConnectionId,
        wanted: usize,
        push: impl FnOnce(&mut SendQueue, usize, &mut ChunkPool),
    ) -> Poll<Result<usize, Error>> {
        let tcb = self.connections.user_mut(id)?;
        let room = match tcb.room(wanted, &self.shared) {
            Poll::Ready(room) => room?,
            Poll::Pending => return Poll::Pending,
        };
        tcb.lean = false;
        let pool = &mut self.shared.stock.pool;
        tcb.snd.enqueue(|queue| push(queue, room, pool));
        tcb.recharge_send(&mut self.shared);
        tcb.transmit = true;
        line_up(tcb, &mut self.transmit, &mut self.shared.account);
        self.look_at_account();
        Poll::Ready(Ok(room))
    }

    /// RECEIVE (RFC 9293 §3.10.3) into `buffer`: the number of octets copied, 0 at the end of the
    /// stream. Pending until [`Readiness::READABLE`](crate::proto::tcp::Readiness::READABLE) when
    /// there is nothing.
    pub fn receive(
        &mut self,
        now: Instant,
        id: ConnectionId,
        buffer: &mut [u8],
    ) -> Poll<Result<usize, Error>> {
        if buffer.is_empty() {
            return Poll::Ready(self.connections.user(id).map(|_| 0));
        }
        self.take(now, id, |queue| queue.read(buffer))
    }

    /// RECEIVE without a copy: the next chunk of at most `max` octets, empty at the end of the stream. It
    /// is a copy where it would keep more than twice its length of memory from being freed, and more
    /// than the smallest buffer of a frame.
    pub fn receive_bytes(
        &mut self,
        now: Instant,
        id: ConnectionId,
        max: usize,
    ) -> Poll<Result<Bytes, Error>> {
        if max == 0 {
            return Poll::Ready(self.connections.user(id).map(|_| Bytes::new()));
        }
        self.take(now, id, |queue| queue.read_chunk(max))
    }

    /// The same of at least one octet, for who drops the chunk at once: it is never a copy.
    #[cfg(feature = "hyper")]
    pub(crate) fn receive_slice(
        &mut self,
        now: Instant,
        id: ConnectionId,
        max: usize,
    ) -> Poll<Result<Bytes, Error>> {
        self.take(now, id, |queue| queue.read_slice(max))
    }

    /// What `read` takes out of the receive queue; the default at the end of the stream.
    #[inline]
    fn take<T: Default>(
        &mut self,
        now: Instant,
        id: ConnectionId,
        read: impl FnOnce(&mut ReceiveQueue) -> T,
    ) -> Poll<Result<T, Error>> {
        let tcb = self.connections.user_mut(id)?;
        let Some((taken, octets)) = tcb.rcv.read(read, &mut self.shared.receive_queues) else {
            return tcb.nothing_to_receive().map_ok(|()| T::default());
        };
        let tell = tcb.after_read(now, octets, &mut self.shared);
        tcb.recharge_receive(&mut self.shared);
        if tell {
            self.give_turn(id);
        }
        Poll::Ready(Ok(taken))
    }

    /// Copies what [`Tcp::receive`] would return without taking it.
    pub fn peek(&self, id: ConnectionId, buffer: &mut [u8]) -> Poll<Result<usize, Error>> {
        let tcb = self.connections.user(id)?;
        if tcb.rcv.readable() == 0 {
            return tcb.nothing_to_receive().map_ok(|()| 0);
        }
        Poll::Ready(Ok(tcb.rcv.peek(buffer)))
    }

    /// CLOSE (RFC 9293 §3.10.4): no more will be sent after what is queued; receiving goes on.
    ///
    /// # Errors
    ///
    /// [`Error::NotConnected`], [`Error::Released`] or what ended the connection.
    pub fn shutdown(&mut self, now: Instant, id: ConnectionId) -> Result<(), Error> {
        let tcb = self.connections.user_mut(id)?;
        let result = tcb.shutdown(&mut self.shared);
        self.settle_at(now, id.index);
        result
    }

    /// Ready once all that was sent, and the FIN if there was a shutdown, is acknowledged; pending
    /// until [`Readiness::FLUSHED`](crate::proto::tcp::Readiness::FLUSHED).
    pub fn poll_flushed(&mut self, id: ConnectionId) -> Poll<Result<(), Error>> {
        let tcb = self.connections.user_mut(id)?;
        if let Some(error) = tcb.error {
            return Poll::Ready(Err(error.into()));
        }
        if tcb.snd.is_flushed() || matches!(tcb.state, State::Closed | State::TimeWait) {
            return Poll::Ready(Ok(()));
        }
        tcb.wants_flushed = true;
        Poll::Pending
    }

    /// ABORT (RFC 9293 §3.10.5): resets the connection. The handle stays valid.
    pub fn abort(&mut self, now: Instant, id: ConnectionId) {
        if let Ok(tcb) = self.connections.user_mut(id) {
            tcb.abort(&mut self.shared);
            self.settle_at(now, id.index);
        }
    }

    /// Gives the handle back. What was sent is still delivered as
    /// [`Options::linger`](crate::proto::tcp::Options::linger) says; data that was received and not
    /// read, or comes later, resets the connection (RFC 2525 §2.17).
    pub fn release(&mut self, now: Instant, id: ConnectionId) {
        let Ok(tcb) = self.connections.get_mut(id) else {
            return;
        };
        if tcb.owner != Owner::User {
            return;
        }
        tcb.owner = Owner::Nobody;
        tcb.released(now, &mut self.shared);
        tcb.weigh(&self.shared);
        self.place(id.index);
        self.settle_at(now, id.index);
    }
}
