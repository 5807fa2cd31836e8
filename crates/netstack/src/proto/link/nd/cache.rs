//! The neighbour cache (RFC 4861 §5.1, §7): bounded, with a queue of frames per unresolved neighbour.
//!
//! What others can add without an answer of theirs to us is bounded apart: stations that only asked for
//! us ([`HEARD`]), and addresses that nobody has, by the frames that wait for them. Of all that is known
//! those go first that were never spoken to.

use core::net::Ipv6Addr;
use core::time::Duration;
use std::collections::{HashMap, VecDeque};

use crate::proto::Instant;
use crate::proto::link::arp::CacheLimits as Limits;
use crate::proto::link::ethernet::{self, MacAddr};
use crate::proto::link::pending::Pending;

pub use crate::proto::link::arp::CacheLimits;

/// Solicitations without an answer before a neighbour counts as unreachable (RFC 4861 §10,
/// MAX_MULTICAST_SOLICIT and MAX_UNICAST_SOLICIT).
const TRIES: u32 = 3;
/// How long TCP may confirm a neighbour before it is asked (RFC 4861 §10, DELAY_FIRST_PROBE_TIME).
const DELAY_FIRST_PROBE: Duration = Duration::from_secs(5);
/// A use is noted once in this time, lest each frame costs a look into the table.
const USE_GRANULARITY: Duration = Duration::from_secs(1);
/// Stations that have asked for us and were not spoken to: one more makes the first of them go.
const HEARD: usize = 256;
/// Octets that a place in the table takes, at most: twice its entry, as tables double when they are
/// full, and its place in the list of those heard.
const PLACE: usize = 2 * size_of::<(Ipv6Addr, Entry)>() + 32;

/// What routers say of a link's times.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How long a neighbour is reachable after a confirmation (ReachableTime).
    pub reachable: Duration,
    /// Time between two solicitations (RetransTimer).
    pub retransmit: Duration,
}

impl Default for Timing {
    /// RFC 4861 §10.
    fn default() -> Self {
        Self {
            reachable: Duration::from_secs(30),
            retransmit: Duration::from_secs(1),
        }
    }
}

/// What an advertisement says of a neighbour.
#[derive(Clone, Copy, Debug)]
pub struct Advertised {
    /// The station that has the address, if it says so.
    pub station: Option<MacAddr>,
    /// It is a router.
    pub router: bool,
    /// It was solicited.
    pub solicited: bool,
    /// It takes the place of what is known.
    pub replaces: bool,
}

/// What [`Cache::poll`] asks the caller to do.
#[derive(Debug, PartialEq, Eq)]
pub enum CachePoll {
    /// Send a solicitation for `target`: to its group, or to `station` where one is known.
    Solicit {
        /// The address to resolve.
        target: Ipv6Addr,
        /// Whom to ask.
        station: Option<MacAddr>,
    },
    /// Say by [`Cache::confirm`] if TCP has made progress by way of `target` in the last moments;
    /// otherwise it is asked.
    Doubt(Ipv6Addr),
    /// `target` did not answer; the frames that waited for it cannot be sent.
    Unreachable {
        /// The address that nobody has.
        target: Ipv6Addr,
        /// The frames, the oldest first.
        frames: VecDeque<Vec<u8>>,
    },
}

#[derive(Debug)]
struct Entry {
    state: State,
    /// Zero while none is known.
    station: MacAddr,
    last_used: Instant,
    since: Instant,
    /// We have sent something to it, or wanted to.
    spoken_to: bool,
}

/// RFC 4861 §7.3.2.
#[derive(Debug)]
enum State {
    /// No station is known; `queue` holds whole frames that lack only their destination.
    Incomplete {
        queue: VecDeque<Vec<u8>>,
        tries: u32,
        next: Instant,
    },
    Reachable {
        until: Instant,
    },
    Stale,
    Delay {
        until: Instant,
    },
    Probe {
        tries: u32,
        next: Instant,
    },
}

/// The table from IPv6 address to hardware address of the stations on our link.
#[derive(Debug)]
pub struct Cache {
    limits: Limits,
    timing: Timing,
    entries: HashMap<Ipv6Addr, Entry>,
    /// The last answer of [`Cache::lookup`] and until when it holds: spares the hash.
    last: Option<(Ipv6Addr, MacAddr, Instant)>,
    /// No entry needs anything before this.
    next: Option<Instant>,
    /// Addresses that were added because they asked for us, the first in front. Some have been spoken
    /// to since, or have gone.
    heard: VecDeque<Ipv6Addr>,
    /// Frames that wait.
    pending: Pending,
}

impl Cache {
    /// An empty cache.
    #[must_use]
    pub fn new(limits: CacheLimits) -> Self {
        Self {
            limits,
            timing: Timing::default(),
            entries: HashMap::new(),
            last: None,
            next: None,
            heard: VecDeque::new(),
            pending: Pending::default(),
        }
    }

    /// Octets of memory held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.entries.capacity() * PLACE + self.pending.octets()
    }

    /// The link's times, from now on.
    pub fn set_timing(&mut self, timing: Timing) {
        self.timing = timing;
    }

    /// Drops the frames that wait for neighbours; returns how many octets less are held.
    pub fn give_back(&mut self) -> usize {
        for entry in self.entries.values_mut() {
            if let State::Incomplete { queue, .. } = &mut entry.state {
                *queue = VecDeque::new();
            }
        }
        self.pending.forget()
    }

    /// The station that has `target`, if it is known. Using one that was not confirmed for a while makes
    /// [`Cache::poll`] doubt it.
    #[inline]
    pub fn lookup(&mut self, now: Instant, target: Ipv6Addr) -> Option<MacAddr> {
        match self.last {
            Some((address, station, until)) if address == target && now < until => Some(station),
            _ => self.lookup_entry(now, target),
        }
    }

    /// Until when the answer of the last [`Cache::lookup`], which was `station`, holds.
    pub(crate) fn fresh_until(&self, station: MacAddr) -> Option<Instant> {
        let (_, last, until) = self.last?;
        (last == station).then_some(until)
    }

    fn lookup_entry(&mut self, now: Instant, target: Ipv6Addr) -> Option<MacAddr> {
        let entry = self.entries.get_mut(&target)?;
        entry.last_used = now;
        entry.spoken_to = true;
        let mut until = now + USE_GRANULARITY;
        match entry.state {
            State::Incomplete { .. } => return None,
            State::Reachable { until: end } if now < end => until = until.min(end),
            State::Reachable { .. } | State::Stale => {
                let end = now + DELAY_FIRST_PROBE;
                entry.state = State::Delay { until: end };
                self.next = Some(self.next.map_or(end, |next| next.min(end)));
            }
            State::Delay { .. } | State::Probe { .. } => {}
        }
        self.last = Some((target, entry.station, until));
        Some(entry.station)
    }

    /// Whether a neighbour is known, and is not one of which nothing was heard for long (RFC 4861 §6.3.6).
    #[must_use]
    pub fn is_reachable(&self, target: Ipv6Addr) -> bool {
        self.entries.get(&target).is_some_and(|entry| {
            !matches!(
                entry.state,
                State::Incomplete { .. } | State::Probe { tries: 1.., .. }
            )
        })
    }

    /// Keeps a frame, complete but for its destination address, until `target` is resolved.
    ///
    /// Returns how many frames, this or older ones, were dropped for lack of room.
    pub fn enqueue(&mut self, now: Instant, target: Ipv6Addr, frame: Vec<u8>) -> usize {
        let mut dropped = 0;
        while !self.pending.has_room(&frame, &self.limits) {
            let waiting = self.entries.iter().filter(|(address, entry)| {
                **address != target && matches!(entry.state, State::Incomplete { .. })
            });
            let waiting = waiting.map(|(address, entry)| (*address, entry.since));
            match self.pending.displaced(now, waiting) {
                Some(first) => dropped += self.remove(first).len(),
                None => return dropped + 1,
            }
        }
        self.add(now, target);
        let Some(entry) = self.entries.get_mut(&target) else {
            return dropped + 1;
        };
        entry.last_used = now;
        entry.spoken_to = true;
        dropped += match &mut entry.state {
            State::Incomplete { queue, .. } => self.pending.push(queue, frame, &self.limits),
            _ => 1,
        };
        dropped
    }

    /// Makes an entry of `target` if there is none, with a first solicitation due at once.
    fn add(&mut self, now: Instant, target: Ipv6Addr) {
        if self.entries.contains_key(&target) {
            return;
        }
        self.make_room(now);
        self.next = Some(now);
        let entry = Entry {
            state: State::Incomplete {
                queue: VecDeque::new(),
                tries: 0,
                next: now,
            },
            station: MacAddr::default(),
            last_used: now,
            since: now,
            spoken_to: false,
        };
        self.entries.insert(target, entry);
    }

    fn make_room(&mut self, now: Instant) {
        if self.entries.len() < self.limits.entries.max(1) {
            return;
        }
        let reachable = self.timing.reachable;
        let first = self
            .entries
            .iter()
            .min_by_key(|(_, entry)| entry.worth(now, reachable));
        if let Some((&target, _)) = first {
            self.remove(target);
        }
    }

    fn remove(&mut self, target: Ipv6Addr) -> VecDeque<Vec<u8>> {
        if self.last.is_some_and(|(address, ..)| address == target) {
            self.last = None;
        }
        match self.entries.remove(&target).map(|entry| entry.state) {
            Some(State::Incomplete { queue, .. }) => {
                self.pending.remove(&queue);
                queue
            }
            _ => VecDeque::new(),
        }
    }

    /// Learns that `station` has `address` from what it asked or told of itself (RFC 4861 §6.2.6, §6.3.4,
    /// §7.2.3, §8.3): no confirmation that it can be reached. An address that is not known is
    /// added.
    ///
    /// Returns the frames that waited for it, with their destination filled in.
    pub fn heard(
        &mut self,
        now: Instant,
        address: Ipv6Addr,
        station: MacAddr,
    ) -> VecDeque<Vec<u8>> {
        if !self.entries.contains_key(&address) {
            self.hear(now, address);
        }
        let Some(entry) = self.entries.get_mut(&address) else {
            return VecDeque::new();
        };
        let known = !matches!(entry.state, State::Incomplete { .. });
        if known && entry.station == station {
            return VecDeque::new();
        }
        let before = entry.settle(station, State::Stale);
        self.changed(now);
        self.released(before, station)
    }

    /// Adds a station that asks for us and that we may never speak to.
    fn hear(&mut self, now: Instant, address: Ipv6Addr) {
        if self.heard.len() >= HEARD.min(self.limits.entries.max(1))
            && let Some(first) = self.heard.pop_front()
            && self
                .entries
                .get(&first)
                .is_some_and(|entry| !entry.spoken_to)
        {
            self.remove(first);
        }
        self.heard.push_back(address);
        self.add(now, address);
    }

    /// Learns from an advertisement (RFC 4861 §7.2.5). Returns the frames that waited for the neighbour,
    /// with their destination filled in, and whether it is to be believed that it is no router.
    pub fn advertised(
        &mut self,
        now: Instant,
        target: Ipv6Addr,
        said: Advertised,
    ) -> (VecDeque<Vec<u8>>, bool) {
        let nothing = (VecDeque::new(), false);
        let reachable = State::Reachable {
            until: now + self.timing.reachable,
        };
        let Some(entry) = self.entries.get_mut(&target) else {
            return nothing;
        };
        let incomplete = matches!(entry.state, State::Incomplete { .. });
        let station = match said.station {
            None if incomplete => return nothing,
            None => entry.station,
            Some(station) => station,
        };
        let moved = !incomplete && station != entry.station;
        if moved && !said.replaces {
            if matches!(entry.state, State::Reachable { .. }) {
                entry.state = State::Stale;
                self.changed(now);
            }
            return nothing;
        }
        let resigned = !said.router;
        let before = match said.solicited {
            true => entry.settle(station, reachable),
            false if incomplete || moved => entry.settle(station, State::Stale),
            false => return (VecDeque::new(), resigned),
        };
        self.changed(now);
        (self.released(before, station), resigned)
    }

    /// TCP has made progress by way of `target` (RFC 4861 §7.3.1).
    pub fn confirm(&mut self, now: Instant, target: Ipv6Addr) {
        if let Some(entry) = self.entries.get_mut(&target)
            && !matches!(entry.state, State::Incomplete { .. })
        {
            entry.state = State::Reachable {
                until: now + self.timing.reachable,
            };
            self.changed(now);
        }
    }

    /// What was concluded from the entries no longer holds.
    fn changed(&mut self, now: Instant) {
        self.last = None;
        self.next = Some(self.next.map_or(now, |next| next.min(now)));
    }

    fn released(&mut self, before: State, station: MacAddr) -> VecDeque<Vec<u8>> {
        let State::Incomplete { mut queue, .. } = before else {
            return VecDeque::new();
        };
        self.pending.remove(&queue);
        for frame in &mut queue {
            debug_assert!(frame.len() >= ethernet::HEADER_LEN);
            frame[..6].copy_from_slice(&station.0);
        }
        queue
    }

    /// The next thing to do; call until it returns `None`. Each entry gives at most two per call round,
    /// so the work is bounded by the number of entries.
    pub fn poll(&mut self, now: Instant) -> Option<CachePoll> {
        if self.next.is_none_or(|next| now < next) {
            return None;
        }
        let unused = self.limits.unused_for;
        let due = self
            .entries
            .iter()
            .find(|(_, entry)| entry.due(unused) <= now);
        let Some((&target, _)) = due else {
            let next = self.entries.values().map(|entry| entry.due(unused));
            self.next = next.min();
            return None;
        };
        let retransmit = self.timing.retransmit;
        let entry = self.entries.get_mut(&target)?;
        match &mut entry.state {
            State::Delay { .. } => {
                (entry.state, self.last) = (
                    State::Probe {
                        tries: 0,
                        next: now,
                    },
                    None,
                );
                Some(CachePoll::Doubt(target))
            }
            State::Incomplete { tries, next, .. } if *tries < TRIES => {
                (*tries, *next) = (*tries + 1, now + retransmit);
                let station = None;
                Some(CachePoll::Solicit { target, station })
            }
            State::Probe { tries, next } if *tries < TRIES => {
                (*tries, *next) = (*tries + 1, now + retransmit);
                let station = Some(entry.station);
                Some(CachePoll::Solicit { target, station })
            }
            _ => {
                let frames = self.remove(target);
                Some(CachePoll::Unreachable { target, frames })
            }
        }
    }

    /// When [`Cache::poll`] wants to be called next.
    #[must_use]
    pub fn poll_at(&self) -> Option<Instant> {
        self.next
    }

    /// The known neighbours.
    pub fn iter(&self) -> impl Iterator<Item = (Ipv6Addr, MacAddr)> + '_ {
        self.entries
            .iter()
            .filter(|(_, entry)| !matches!(entry.state, State::Incomplete { .. }))
            .map(|(&address, entry)| (address, entry.station))
    }
}

impl Entry {
    /// Takes a station and a state; gives the state before.
    fn settle(&mut self, station: MacAddr, state: State) -> State {
        self.station = station;
        core::mem::replace(&mut self.state, state)
    }

    /// What it is worth to us, when one must go: least are those that were never spoken to, then those
    /// without a station, those that are not in use, and of those in use the ones that were not for
    /// long: a crowd of new neighbours displaces itself.
    fn worth(&self, now: Instant, reachable: Duration) -> (u8, Duration, Instant) {
        let class = match self.state {
            _ if !self.spoken_to => 0,
            State::Incomplete { .. } => 1,
            _ if self.last_used + reachable < now => 2,
            _ => 3,
        };
        let used_for = match class {
            3 => self.last_used - self.since,
            _ => Duration::ZERO,
        };
        (class, used_for, self.last_used)
    }

    /// When the entry next needs something of [`Cache::poll`].
    fn due(&self, unused_for: Duration) -> Instant {
        match self.state {
            State::Incomplete { next, .. } | State::Probe { next, .. } => next,
            State::Delay { until } => until,
            State::Reachable { .. } | State::Stale => self.last_used + unused_for,
        }
    }
}

#[cfg(test)]
mod tests;
