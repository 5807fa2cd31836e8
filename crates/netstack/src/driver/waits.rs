//! Who waits for what: queues of futures, delays, pings.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::task::{Poll, Waker};
use std::time::Duration;

use super::Driver;
use crate::driver::pages::Pages;
use crate::driver::waiters::{Parting, Partings, Ticket, Tickets, Waiters, keep};
use crate::proto::Instant;
use crate::proto::tcp::{ConnectionId, ListenerId, Readiness};
use crate::proto::udp::SocketId;

/// What a future may wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Queue {
    /// Something to read from a connection.
    Read(ConnectionId),
    /// Room to write to a connection, or an acknowledgement of what was written.
    Write(ConnectionId),
    /// A connection to accept.
    Accept(ListenerId),
    /// A datagram.
    Datagram(SocketId),
    /// A lease.
    #[cfg(feature = "dhcp")]
    Lease,
    /// An event of an address.
    Address,
    /// The end of the stack.
    Failure,
}

/// The tasks that wait for one connection.
#[derive(Debug, Default)]
struct Connection {
    read: Waiters,
    write: Waiters,
}

/// Somebody who waits for an echo reply.
#[derive(Debug)]
struct Ping {
    host: IpAddr,
    waker: Option<Waker>,
    answered: Option<Instant>,
}

/// When a future has waited long enough; it begins with its first wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    deadline: Instant,
    ticket: Option<Ticket>,
}

impl Limit {
    /// One that ends at `deadline`.
    pub(crate) const fn at(deadline: Instant) -> Self {
        let ticket = None;
        Self { deadline, ticket }
    }

    /// Whether a waker is kept for it.
    #[inline]
    pub(crate) fn is_set(&self) -> bool {
        self.ticket.is_some()
    }
}

impl Default for Limit {
    /// One that has not begun.
    fn default() -> Self {
        Self::at(Instant::FAR_FUTURE)
    }
}

/// All who wait.
#[derive(Default)]
pub(super) struct Waits {
    pub(super) partings: Partings,
    tickets: Tickets,
    connections: Pages<Connection>,
    listeners: Pages<Waiters>,
    sockets: Pages<Waiters>,
    lease: Waiters,
    address: Waiters,
    failure: Waiters,
    /// By identifier and sequence number of the request.
    pings: BTreeMap<u32, Ping>,
    /// Identifies the next echo request.
    next_ping: u32,
    delays: BTreeMap<(Instant, Ticket), Waker>,
    /// Up to when the last turn found delays to have ended, and the turn before it.
    expired: [Instant; 2],
}

impl Waits {
    #[inline]
    fn split(&mut self, queue: Queue) -> Option<(&mut Waiters, &mut Tickets, &mut Partings)> {
        let waiters = match queue {
            Queue::Read(id) => &mut self.connections.at(id.index())?.read,
            Queue::Write(id) => &mut self.connections.at(id.index())?.write,
            Queue::Accept(id) => self.listeners.at(id.index())?,
            Queue::Datagram(id) => self.sockets.at(id.index())?,
            #[cfg(feature = "dhcp")]
            Queue::Lease => &mut self.lease,
            Queue::Address => &mut self.address,
            Queue::Failure => &mut self.failure,
        };
        Some((waiters, &mut self.tickets, &mut self.partings))
    }

    /// Wakes all of a queue; tells whether there were any.
    pub(super) fn wake(&mut self, queue: Queue) -> bool {
        self.split(queue)
            .is_some_and(|(waiters, _, partings)| waiters.wake(partings))
    }

    pub(super) fn wake_connection(&mut self, id: ConnectionId, ready: Readiness) {
        let reads = [Readiness::READABLE, Readiness::CLOSED];
        let writes = [
            Readiness::CONNECTED,
            Readiness::WRITABLE,
            Readiness::FLUSHED,
            Readiness::CLOSED,
        ];
        let Some(connection) = self.connections.at(id.index()) else {
            return;
        };
        if reads.into_iter().any(|flag| ready.contains(flag)) {
            connection.read.wake(&mut self.partings);
        }
        if writes.into_iter().any(|flag| ready.contains(flag)) {
            connection.write.wake(&mut self.partings);
        }
    }

    /// An echo reply has come; nobody keeps one that was not asked for.
    pub(super) fn echo_reply(&mut self, now: Instant, host: IpAddr, number: u32) {
        if let Some(ping) = self.pings.get_mut(&number)
            && ping.host == host
        {
            ping.answered.get_or_insert(now);
            if let Some(waker) = ping.waker.take() {
                self.partings.push_back(Parting::Wake(waker));
            }
        }
    }

    /// Wakes those whose time has come; tells whether there were any.
    pub(super) fn expire_delays(&mut self, now: Instant) -> bool {
        self.expired = [now, self.expired[0]];
        let before = self.partings.len();
        while let Some(entry) = self.delays.first_entry()
            && entry.key().0 <= now
        {
            self.partings.push_back(Parting::Wake(entry.remove()));
        }
        self.partings.len() > before
    }

    /// When the first delay ends.
    pub(super) fn next_delay(&self) -> Option<Instant> {
        self.delays.first_key_value().map(|((at, _), _)| *at)
    }

    /// Wakes everybody.
    pub(super) fn wake_all(&mut self) {
        for connection in self.connections.iter_mut() {
            connection.read.wake(&mut self.partings);
            connection.write.wake(&mut self.partings);
        }
        for waiters in self.listeners.iter_mut().chain(self.sockets.iter_mut()) {
            waiters.wake(&mut self.partings);
        }
        for waiters in [&mut self.lease, &mut self.address, &mut self.failure] {
            waiters.wake(&mut self.partings);
        }
        let pings = self.pings.values_mut();
        let pings = pings.filter_map(|ping| ping.waker.take());
        let delays = std::mem::take(&mut self.delays).into_values();
        self.partings.extend(pings.chain(delays).map(Parting::Wake));
    }
}

impl Driver {
    /// Has a future wait; `ticket` is its place, to be given back by [`Driver::leave`].
    #[inline]
    pub(crate) fn wait(&mut self, queue: Queue, ticket: &mut Option<Ticket>, waker: &Waker) {
        if let Some((waiters, tickets, partings)) = self.waits.split(queue) {
            waiters.wait(ticket, waker, tickets, partings);
        }
    }

    /// Has a task that has no future of ours wait for the next event.
    pub(crate) fn wait_task(&mut self, queue: Queue, waker: &Waker) {
        if let Some((waiters, tickets, partings)) = self.waits.split(queue) {
            waiters.wait_task(waker, tickets, partings);
        }
    }

    /// Wakes all who wait.
    pub(crate) fn wake(&mut self, queue: Queue) {
        self.waits.wake(queue);
    }

    /// A future has got what it waited for, or waits no longer.
    #[inline]
    pub(crate) fn leave(&mut self, queue: Queue, ticket: &mut Option<Ticket>) {
        if let Some(ticket) = ticket.take()
            && let Some((waiters, _, partings)) = self.waits.split(queue)
        {
            waiters.leave(ticket, partings);
        }
    }

    /// Makes room for those who wait for a connection that a user holds from now on.
    pub(crate) fn open_connection(&mut self, id: ConnectionId) {
        self.waits.connections.open(id.index());
    }

    /// Forgets who waits for a connection that is given back.
    pub(crate) fn close_connection(&mut self, id: ConnectionId) {
        if let Some(mut connection) = self.waits.connections.close(id.index()) {
            connection.read.clear(&mut self.waits.partings);
            connection.write.clear(&mut self.waits.partings);
        }
    }

    /// Makes room for those who wait for a listener.
    pub(crate) fn open_listener(&mut self, id: ListenerId) {
        self.waits.listeners.open(id.index());
    }

    /// Forgets who waits for a listener that is closed.
    pub(crate) fn close_listener(&mut self, id: ListenerId) {
        if let Some(mut waiters) = self.waits.listeners.close(id.index()) {
            waiters.clear(&mut self.waits.partings);
        }
    }

    /// Makes room for those who wait for a socket.
    pub(crate) fn open_socket(&mut self, id: SocketId) {
        self.waits.sockets.open(id.index());
    }

    /// Forgets who waits for a socket that is closed.
    pub(crate) fn close_socket(&mut self, id: SocketId) {
        if let Some(mut waiters) = self.waits.sockets.close(id.index()) {
            waiters.clear(&mut self.waits.partings);
        }
    }

    /// Ready when the limit's deadline has come, or the stack has ended; else `waker` is woken then.
    pub(crate) fn poll_limit(&mut self, limit: &mut Limit, waker: &Waker) -> Poll<()> {
        if self.check().is_err() || self.now() >= limit.deadline {
            self.end_limit(limit);
            return Poll::Ready(());
        }
        let waits = &mut self.waits;
        if let Some(ticket) = limit.ticket
            && let Some(old) = waits.delays.get_mut(&(limit.deadline, ticket))
        {
            if !old.will_wake(waker) {
                let old = std::mem::replace(old, waker.clone());
                waits.partings.push_back(Parting::Drop(old));
            }
            return Poll::Pending;
        }
        let ticket = waits.tickets.next();
        limit.ticket = Some(ticket);
        waits.delays.insert((limit.deadline, ticket), waker.clone());
        // The runner's alarm may be set for later.
        self.after_call();
        Poll::Pending
    }

    /// As [`Driver::poll_limit`], for a limit that begins with the first poll.
    pub(crate) fn poll_timeout(
        &mut self,
        limit: &mut Limit,
        timeout: Duration,
        waker: &Waker,
    ) -> Poll<io::Error> {
        if limit.deadline == Instant::FAR_FUTURE {
            limit.deadline = self.now() + timeout;
        }
        self.poll_limit(limit, waker)
            .map(|()| io::ErrorKind::TimedOut.into())
    }

    /// As [`Driver::poll_timeout`], for the polls of a task that has no future of ours: the time runs
    /// from the last poll. It has passed for the poll that follows its end; a later one is a new
    /// beginning, as whoever began the wait has given it up.
    pub(crate) fn poll_task_timeout(
        &mut self,
        limit: &mut Limit,
        timeout: Duration,
        waker: &Waker,
    ) -> Poll<io::Error> {
        let [until, from] = self.waits.expired;
        let passed = limit.is_set() && limit.deadline <= until;
        let ended = passed && limit.deadline > from;
        self.end_limit(limit);
        if ended {
            return Poll::Ready(io::ErrorKind::TimedOut.into());
        }
        *limit = Limit::default();
        self.poll_timeout(limit, timeout, waker)
    }

    /// Forgets the waker that is kept for a limit.
    #[inline]
    pub(crate) fn end_limit(&mut self, limit: &mut Limit) {
        if let Some(ticket) = limit.ticket.take()
            && let Some(waker) = self.waits.delays.remove(&(limit.deadline, ticket))
        {
            self.waits.partings.push_back(Parting::Drop(waker));
        }
    }

    /// The number of an echo request to `host` that is sent now: identifier and sequence number.
    pub(crate) fn open_ping(&mut self, host: IpAddr) -> u32 {
        // Numbers come again after four billions: those of pings that still wait are left out.
        let mut number = self.waits.next_ping.wrapping_add(1);
        while self.waits.pings.contains_key(&number) {
            number = number.wrapping_add(1);
        }
        self.waits.next_ping = number;
        let (waker, answered) = (None, None);
        self.waits.pings.insert(
            number,
            Ping {
                host,
                waker,
                answered,
            },
        );
        number
    }

    /// When the reply to an echo request came.
    pub(crate) fn poll_ping(&mut self, number: u32, waker: &Waker) -> Poll<Instant> {
        let Some(ping) = self.waits.pings.get_mut(&number) else {
            return Poll::Pending;
        };
        if let Some(answered) = ping.answered {
            return Poll::Ready(answered);
        }
        keep(&mut ping.waker, waker, &mut self.waits.partings);
        Poll::Pending
    }

    /// Nobody waits for the reply any more.
    pub(crate) fn close_ping(&mut self, number: u32) {
        if let Some(ping) = self.waits.pings.remove(&number) {
            self.waits.partings.extend(ping.waker.map(Parting::Drop));
        }
    }
}
