//! The engine: what connects segments, timers and transmission with connections.

mod audit;
mod demux;
mod icmp_errors;
mod listen;
mod listeners;
mod ports;
mod pressure;
mod status;
mod tables;
mod time_wait;
mod timers;
mod user_calls;

use std::collections::VecDeque;

use bytes::Bytes;

use self::demux::Connections;
use self::listeners::Listeners;
use self::pressure::Pressure;
use self::time_wait::TimeWaits;
use self::timers::Timers;
use super::api::{ConnectionId, Event, ListenerId, State};
use super::config::Config;
use super::connection::output::Turn;
use super::connection::shared::Shared;
use super::connection::{Owner, Tcb};
use super::counters::Counters;
use super::wire::segment::{ParseError, Segment};
use crate::proto::Instant;
use crate::proto::account::{Account, push};
use crate::proto::tcp::wire::ip::{IpMeta, TxSink};

/// Segments that a connection sends before another has its turn.
const SHARE: usize = 16;

/// All TCP listeners and connections of a stack.
#[derive(Debug)]
pub struct Tcp {
    shared: Shared,
    connections: Connections,
    listeners: Listeners,
    time_waits: TimeWaits,
    timers: Timers,
    /// Connections that may have something to send, each once.
    transmit: VecDeque<ConnectionId>,
    /// Connections and listeners with events, each once.
    events: VecDeque<Source>,
    pressure: Pressure,
    /// Octets that the tables were charged.
    tables: usize,
    port_counter: u32,
}

/// Where an event comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    Connection(ConnectionId),
    Listener(ListenerId),
}

impl Tcp {
    /// An engine without connections. `seed` must be secret and different at each start: initial
    /// sequence numbers, ports, SYN cookies and hash keys come from it.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let mut shared = Shared::new(config, seed);
        let port_counter = shared.secrets.random() as u32;
        Self {
            connections: Connections::new(shared.secrets.table()),
            listeners: Listeners::default(),
            time_waits: TimeWaits::new(),
            timers: Timers::default(),
            transmit: VecDeque::new(),
            events: VecDeque::new(),
            pressure: Pressure::default(),
            tables: 0,
            port_counter,
            shared,
        }
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    /// Connections that are opened from now on send no packets larger than so many octets, over IPv4 and
    /// over IPv6, and ask for none.
    pub(crate) fn set_mtu(&mut self, v4: u16, v6: u16) {
        (self.shared.config.mtu, self.shared.mtu_v6) = (v4, v6);
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// Connections that take memory, half-open ones included, and those in TIME-WAIT.
    #[must_use]
    pub fn connection_counts(&self) -> (usize, usize) {
        (self.connections.len(), self.time_waits.len())
    }

    /// Octets of [`Config::memory`] that are in use.
    #[must_use]
    pub fn memory_used(&self) -> usize {
        self.shared.account.used()
    }

    /// The account of the whole stack.
    pub(crate) fn account(&mut self) -> &mut Account {
        &mut self.shared.account
    }

    /// A segment has arrived: the TCP header and all that follows it. The payload is not copied but
    /// kept as a slice of `segment`.
    pub fn handle_segment(&mut self, now: Instant, ip: &IpMeta, segment: Bytes) {
        self.shared.counters.in_segs += 1;
        self.shared.latest = now;
        // It stays where it is made: to move it costs more than to look at it.
        let mut parsed = Segment::parse(ip, segment);
        let segment = match &mut parsed {
            Ok(segment) => segment,
            Err(error) => {
                self.shared.counters.in_errs += 1;
                self.shared.counters.in_csum_errors += u64::from(*error == ParseError::Checksum);
                return;
            }
        };
        if let Some(index) = self.connections.find(&segment.tuple) {
            if let Some(tcb) = self.connections.at(index) {
                if tcb.state == State::SynSent {
                    tcb.arrives_syn_sent(now, segment, &mut self.shared);
                } else {
                    tcb.arrives_synchronized(now, segment, &mut self.shared);
                }
                if tcb.only_receives() {
                    // What `settle_at` does, as far as there is anything to do.
                    let account = &mut self.shared.account;
                    report(tcb, &mut self.events, account);
                    line_up(tcb, &mut self.transmit, account);
                    schedule_first(&mut self.timers, tcb, tcb.rcv.delayed_ack());
                    debug_assert!(tcb.timer <= tcb.next_deadline());
                    tcb.recharge_receive(&mut self.shared);
                    self.look_at_account();
                    return;
                }
            }
            self.settle_at(now, index);
        } else if let Ok(segment) = parsed {
            self.arrives_anew(now, segment);
        }
    }

    /// A segment has arrived that is of no connection.
    #[inline(never)]
    fn arrives_anew(&mut self, now: Instant, segment: Segment) {
        let hash = self.connections.hash_of(&segment.tuple);
        match self.time_waits.find(&segment.tuple, hash) {
            Some(index) => self.arrives_time_wait(now, index, segment),
            None => {
                self.arrives_listen(now, segment, None);
            }
        }
    }

    /// When [`Tcp::handle_timeout`] is to be called next; `None` when no timer runs. It may be earlier
    /// than anything is due: calling then does no harm.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        let never = Instant::FAR_FUTURE;
        let timer = self.timers.next().unwrap_or(never);
        let end = self.time_waits.next_end().unwrap_or(never);
        let next = timer.min(end).min(self.pressure.sweep_at);
        (next != never).then_some(next)
    }

    /// Runs the timers that have expired: at most one for each connection.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.shared.latest = now;
        self.time_waits.expire(now, &mut self.shared);
        self.sweep(now);
        for _ in 0..self.connections.len() {
            let Some(index) = self.timers.pop(now) else {
                break;
            };
            if let Some(tcb) = self.connections.at(index) {
                tcb.timer = Instant::FAR_FUTURE;
                if tcb.next_deadline() > now && tcb.next_deadline() != Instant::FAR_FUTURE {
                    // The deadline had moved: nothing is due yet.
                    schedule(&mut self.timers, tcb);
                    continue;
                }
                tcb.on_timers(now, &mut self.shared);
            }
            self.settle_at(now, index);
        }
    }

    /// Writes what is to be sent to `sink`, at most `budget` segments, taking turns among the
    /// connections that have something. Returns how many it wrote.
    pub fn poll_transmit(&mut self, now: Instant, sink: &mut impl TxSink, budget: usize) -> usize {
        self.shared.latest = now;
        let mut sent = 0;
        while sent < budget
            && let Some(reply) = self.shared.replies.front()
        {
            let Some(buffer) = sink.reserve(&reply.meta(&self.shared.secrets)) else {
                return sent;
            };
            reply.header.write(buffer, |sum, _| sum);
            sink.commit();
            self.shared.counters.out_segs += 1;
            self.shared.replies.pop_front();
            sent += 1;
        }
        while sent < budget
            && let Some(id) = self.transmit.pop_front()
        {
            let Ok(tcb) = self.connections.get_mut(id) else {
                continue;
            };
            tcb.transmit = false;
            let turn = tcb.transmit(
                now,
                &mut self.shared,
                sink,
                SHARE.min(budget - sent),
                &mut sent,
            );
            schedule(&mut self.timers, tcb);
            if !tcb.lean {
                tcb.recharge(&mut self.shared);
            }
            match turn {
                Turn::Done => tcb.in_transmit = false,
                Turn::More => self.transmit.push_back(id),
                Turn::Blocked => {
                    self.transmit.push_front(id);
                    break;
                }
            }
        }
        sent
    }

    /// Whether [`Tcp::poll_transmit`] may have something to send now.
    #[must_use]
    pub fn wants_transmit(&self) -> bool {
        !self.transmit.is_empty() || !self.shared.replies.is_empty()
    }

    /// The next event, if any.
    pub fn poll_event(&mut self) -> Option<Event> {
        while let Some(source) = self.events.pop_front() {
            match source {
                Source::Listener(id) => {
                    let Ok(listener) = self.listeners.get_mut(id) else {
                        continue;
                    };
                    listener.in_events = false;
                    if !listener.waiting.is_empty() {
                        return Some(Event::Acceptable(id));
                    }
                }
                Source::Connection(id) => {
                    let Ok(tcb) = self.connections.get_mut(id) else {
                        continue;
                    };
                    tcb.in_events = false;
                    let events = core::mem::take(&mut tcb.events);
                    if !events.is_empty() {
                        return Some(Event::Connection(id, events));
                    }
                }
            }
        }
        None
    }

    /// Puts a connection into the lists that it belongs to after something has happened to it.
    #[inline]
    pub(crate) fn settle(&mut self, index: u32) {
        self.settle_at(Instant::default(), index);
    }

    /// As [`Tcp::settle`], where the connection may enter TIME-WAIT `now`.
    #[inline]
    fn settle_at(&mut self, now: Instant, index: u32) {
        self.settle_lists(now, index);
        self.look_at_account();
    }

    /// As [`Tcp::settle_at`], without giving anything back.
    #[inline]
    fn settle_lists(&mut self, now: Instant, index: u32) {
        let Some(mut tcb) = self.connections.at(index) else {
            return;
        };
        if tcb.owner == Owner::User {
            report(tcb, &mut self.events, &mut self.shared.account);
        } else if let Owner::HalfOpen(listener) = tcb.owner
            && tcb.state != State::SynReceived
        {
            self.promote(index, listener);
            let Some(promoted) = self.connections.at(index) else {
                return;
            };
            tcb = promoted;
        }
        line_up(tcb, &mut self.transmit, &mut self.shared.account);
        schedule(&mut self.timers, tcb);
        if matches!(tcb.state, State::TimeWait | State::Closed) {
            self.finish(now, index);
        } else if tcb.recharge(&mut self.shared) {
            self.place_early(index);
        }
    }

    /// Gives a connection a turn in the next transmission: all that sending or reading changes for the
    /// engine.
    #[inline]
    fn give_turn(&mut self, id: ConnectionId) {
        if let Some(tcb) = self.connections.at(id.index) {
            tcb.transmit = true;
            if !tcb.in_transmit {
                tcb.in_transmit = true;
                push(&mut self.transmit, id, &mut self.shared.account);
            }
        }
    }

    /// A half-open connection is established, or has failed.
    #[inline(never)]
    fn promote(&mut self, index: u32, id: ListenerId) {
        let Some(tcb) = self.connections.at(index) else {
            return;
        };
        let Ok(listener) = self.listeners.get_mut(id) else {
            return;
        };
        listener.half_open = listener.half_open.saturating_sub(1);
        if tcb.state == State::Closed {
            tcb.owner = Owner::Nobody;
            return;
        }
        tcb.owner = Owner::Waiting(id);
        tcb.weigh(&self.shared);
        let account = &mut self.shared.account;
        push(&mut listener.waiting, tcb.id, account);
        if !listener.in_events {
            listener.in_events = true;
            push(&mut self.events, Source::Listener(id), account);
        }
        self.place(index);
    }

    /// A connection is in CLOSED or TIME-WAIT: its addresses are free, or kept in a small record, and
    /// it goes unless a user holds it.
    #[inline(never)]
    fn finish(&mut self, now: Instant, index: u32) {
        let hash = self.connections.hash_at(index);
        let Some(tcb) = self.connections.at(index) else {
            return;
        };
        if tcb.linked && tcb.state == State::TimeWait {
            self.time_waits.insert(now, tcb, hash, &mut self.shared);
        }
        tcb.timer = Instant::FAR_FUTURE;
        self.timers.remove(index);
        let keep = match tcb.owner {
            Owner::User => true,
            // It can still be accepted and read from when it was closed in order.
            Owner::Waiting(_) => tcb.error.is_none(),
            Owner::HalfOpen(_) | Owner::Nobody => false,
        };
        let (owner, id) = (tcb.owner, tcb.id);
        self.connections.unlink(index);
        self.place(index);
        self.recharge(index);
        if keep {
            return;
        }
        if let Owner::Waiting(listener) = owner
            && let Ok(listener) = self.listeners.get_mut(listener)
        {
            listener.waiting.retain(|waiting| *waiting != id);
        }
        self.remove(index);
    }
}

/// Has the events of a connection reported, if it has any.
#[inline]
fn report(tcb: &mut Tcb, events: &mut VecDeque<Source>, account: &mut Account) {
    if !tcb.in_events && !tcb.events.is_empty() {
        tcb.in_events = true;
        push(events, Source::Connection(tcb.id), account);
    }
}

/// Gives a connection that asks for it a turn in the next transmission.
#[inline]
fn line_up(tcb: &mut Tcb, transmit: &mut VecDeque<ConnectionId>, account: &mut Account) {
    if tcb.transmit && !tcb.in_transmit {
        tcb.in_transmit = true;
        push(transmit, tcb.id, account);
    }
}

/// Sees to it that the table of timers looks at a connection when its first deadline comes.
#[inline]
fn schedule(timers: &mut Timers, tcb: &mut Tcb) {
    schedule_first(timers, tcb, tcb.next_deadline());
}

/// The same, where no deadline but the `first` can have come nearer.
#[inline]
fn schedule_first(timers: &mut Timers, tcb: &mut Tcb, first: Instant) {
    if first < tcb.timer {
        tcb.timer = first;
        timers.set(tcb.id.index, first);
    }
}
