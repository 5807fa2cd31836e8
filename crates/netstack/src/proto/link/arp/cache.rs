//! The neighbour cache: bounded, ageing, with a queue of frames per unresolved neighbour.
//!
//! A packet that names another station for an address that we know is believed (RFC 826, RFC 5227
//! §2.3: an address may move, as in a failover), but not more often than once a second, and the new
//! station is asked at once: when it is silent the address is resolved anew. A packet that comes sooner
//! only makes us ask the station that we know.
//!
//! What others can add without an answer of theirs to us is bounded apart: stations that only asked for
//! us ([`HEARD`]), and addresses that nobody has, by the frames that wait for them.

use core::net::Ipv4Addr;
use core::time::Duration;
use std::collections::{HashMap, VecDeque};

use super::Packet;
use crate::proto::Instant;
use crate::proto::link::ethernet::{self, MacAddr};
use crate::proto::link::pending::Pending;

/// Time between two requests for one address (RFC 1122 §2.3.2.1: no more than one a second).
const RETRANSMIT: Duration = Duration::from_secs(1);
/// Least time between two changes of the station that has an address, as Linux's `locktime` has it.
const LOCK_TIME: Duration = Duration::from_secs(1);
/// A use is noted once in this time, lest each frame costs a look into the table.
const USE_GRANULARITY: Duration = Duration::from_secs(1);
/// Stations that have asked for us and were not spoken to: one more makes the first of them go.
const HEARD: usize = 256;
/// Octets that a place in the table takes, at most: twice its entry, as tables double when they are
/// full, and its place in the list of those heard.
const PLACE: usize = 2 * size_of::<(Ipv4Addr, Entry)>() + 8;
/// Requests without an answer before a neighbour counts as unreachable.
const TRIES: u32 = 3;

/// What the cache may hold, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct CacheLimits {
    /// Neighbours; when one more is needed, the one unused for longest goes.
    pub entries: usize,
    /// Frames waiting for one neighbour; the oldest goes first (RFC 1122 §2.3.2.2).
    pub queued_frames: usize,
    /// Frames waiting for all neighbours together; a further one takes the place of those that have waited longest, if
    /// that is a quarter of a second, or is dropped.
    pub all_queued_frames: usize,
    /// Octets of the memory that holds them; for a frame that would exceed them the same holds.
    pub queued_octets: usize,
    /// How long a confirmed entry is believed without asking.
    pub fresh_for: Duration,
    /// How long an entry that nobody uses is kept.
    pub unused_for: Duration,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self {
            entries: 1024,
            queued_frames: 64,
            all_queued_frames: 512,
            queued_octets: 512 << 10,
            fresh_for: Duration::from_secs(60),
            unused_for: Duration::from_secs(20 * 60),
        }
    }
}

/// What [`Cache::poll`] asks the caller to do.
#[derive(Debug, PartialEq, Eq)]
pub enum CachePoll {
    /// Send an ARP request for `target` to `station` (the broadcast address at first; a known
    /// station when an old entry is being confirmed).
    Request {
        /// The address to resolve.
        target: Ipv4Addr,
        /// Whom to ask.
        station: MacAddr,
    },
    /// `target` did not answer; the frames that waited for it cannot be sent.
    Unreachable {
        /// The address that nobody has.
        target: Ipv4Addr,
        /// The frames, the oldest first.
        frames: VecDeque<Vec<u8>>,
    },
}

#[derive(Debug)]
struct Entry {
    state: State,
    last_used: Instant,
    /// When it was made, and when its station was last another one.
    since: Instant,
    changed: Instant,
    /// We have sent something to it, or wanted to.
    spoken_to: bool,
}

#[derive(Debug)]
enum State {
    /// No station is known; `queue` holds whole frames that lack only their destination.
    Incomplete {
        queue: VecDeque<Vec<u8>>,
        tries: u32,
        next: Instant,
    },
    Reachable {
        station: MacAddr,
        confirmed: Instant,
    },
    /// Still used, and being asked whether it is still right.
    Probing {
        station: MacAddr,
        tries: u32,
        next: Instant,
    },
}

/// The table from IPv4 address to hardware address of the stations on our link.
#[derive(Debug)]
pub struct Cache {
    limits: CacheLimits,
    entries: HashMap<Ipv4Addr, Entry>,
    /// The last answer of [`Cache::lookup`] and until when it holds: spares the hash.
    last: Option<(Ipv4Addr, MacAddr, Instant)>,
    /// No entry needs anything before this.
    next: Option<Instant>,
    /// Addresses that were added because they asked for us, the first in front. Some have been spoken
    /// to since, or have gone.
    heard: VecDeque<Ipv4Addr>,
    /// Frames that wait.
    pending: Pending,
}

impl Cache {
    /// An empty cache.
    #[must_use]
    pub fn new(limits: CacheLimits) -> Self {
        Self {
            limits,
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

    /// Drops the frames that wait for neighbours; returns how many octets less are held.
    pub fn give_back(&mut self) -> usize {
        for entry in self.entries.values_mut() {
            if let State::Incomplete { queue, .. } = &mut entry.state {
                *queue = VecDeque::new();
            }
        }
        self.pending.forget()
    }

    /// The station that has `target`, if it is known. Using an entry that is no longer fresh makes
    /// [`Cache::poll`] ask the station whether it still has the address.
    #[inline]
    pub fn lookup(&mut self, now: Instant, target: Ipv4Addr) -> Option<MacAddr> {
        match self.last {
            Some((address, station, until)) if address == target && now < until => Some(station),
            _ => self.lookup_entry(now, target),
        }
    }

    /// Until when the answer of the last [`Cache::lookup`], which was `station`, is fresh.
    pub(crate) fn fresh_until(&self, station: MacAddr) -> Option<Instant> {
        let (_, last, until) = self.last?;
        (last == station).then_some(until)
    }

    fn lookup_entry(&mut self, now: Instant, target: Ipv4Addr) -> Option<MacAddr> {
        let entry = self.entries.get_mut(&target)?;
        entry.last_used = now;
        entry.spoken_to = true;
        match entry.state {
            State::Incomplete { .. } => None,
            State::Probing { station, .. } => Some(station),
            State::Reachable { station, confirmed } => {
                let until = confirmed + self.limits.fresh_for;
                if now < until {
                    self.last = Some((target, station, until.min(now + USE_GRANULARITY)));
                } else {
                    entry.state = State::Probing {
                        station,
                        tries: 0,
                        next: now,
                    };
                    self.next = Some(now);
                }
                Some(station)
            }
        }
    }

    /// Keeps a frame, complete but for its destination address, until `target` is resolved.
    ///
    /// Returns how many frames, this or older ones, were dropped for lack of room.
    pub fn enqueue(&mut self, now: Instant, target: Ipv4Addr, frame: Vec<u8>) -> usize {
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
        self.entry(now, target);
        let Some(entry) = self.entries.get_mut(&target) else {
            return dropped + 1;
        };
        entry.last_used = now;
        entry.spoken_to = true;
        dropped += match &mut entry.state {
            State::Incomplete { queue, .. } => self.pending.push(queue, frame, &self.limits),
            State::Reachable { .. } | State::Probing { .. } => 1,
        };
        dropped
    }

    /// The entry of `target`, made if need be with a first request due at once.
    fn entry(&mut self, now: Instant, target: Ipv4Addr) -> &mut Entry {
        if !self.entries.contains_key(&target) {
            self.make_room(now);
            self.next = Some(now);
        }
        self.entries.entry(target).or_insert_with(|| Entry {
            state: State::Incomplete {
                queue: VecDeque::new(),
                tries: 0,
                next: now,
            },
            last_used: now,
            since: now,
            changed: now,
            spoken_to: false,
        })
    }

    /// Adds a station that asks for us and that we may never speak to.
    fn hear(&mut self, now: Instant, target: Ipv4Addr) {
        if self.heard.len() >= HEARD.min(self.limits.entries.max(1))
            && let Some(first) = self.heard.pop_front()
            && self
                .entries
                .get(&first)
                .is_some_and(|entry| !entry.spoken_to)
        {
            self.remove(first);
        }
        self.heard.push_back(target);
        self.entry(now, target);
    }

    fn make_room(&mut self, now: Instant) {
        if self.entries.len() < self.limits.entries.max(1) {
            return;
        }
        let first = self
            .entries
            .iter()
            .min_by_key(|(_, entry)| entry.worth(now, &self.limits));
        if let Some((&target, _)) = first {
            self.remove(target);
        }
    }

    fn remove(&mut self, target: Ipv4Addr) -> VecDeque<Vec<u8>> {
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

    /// Learns from a packet (RFC 826, "Packet Reception"). `for_us` tells whether its target is an
    /// address of ours: only then is a station that we have not asked for added.
    ///
    /// Returns the frames that waited for the sender, with their destination filled in.
    pub fn handle(&mut self, now: Instant, packet: &Packet, for_us: bool) -> VecDeque<Vec<u8>> {
        if packet.sender.is_unspecified() {
            return VecDeque::new();
        }
        if !self.entries.contains_key(&packet.sender) {
            if !for_us {
                return VecDeque::new();
            }
            self.hear(now, packet.sender);
        }
        let Some(entry) = self.entries.get_mut(&packet.sender) else {
            return VecDeque::new();
        };
        let mut released = VecDeque::new();
        let known = match &mut entry.state {
            State::Incomplete { queue, .. } => {
                released = std::mem::take(queue);
                None
            }
            State::Reachable { station, .. } | State::Probing { station, .. } => Some(*station),
        };
        let moved = known.is_some_and(|station| station != packet.sender_mac);
        let station = match known {
            // Sooner than this, an address that two stations have would go back and forth.
            Some(known) if moved && now < entry.changed + LOCK_TIME => known,
            _ => packet.sender_mac,
        };
        if known != Some(station) {
            entry.changed = now;
        }
        entry.state = match &entry.state {
            // It is being asked already.
            State::Probing { tries, next, .. } if moved && known == Some(station) => {
                State::Probing {
                    station,
                    tries: *tries,
                    next: *next,
                }
            }
            _ if moved => State::Probing {
                station,
                tries: 0,
                next: now,
            },
            _ => State::Reachable {
                station,
                confirmed: now,
            },
        };
        self.pending.remove(&released);
        self.last = None;
        self.next = Some(self.next.map_or(now, |next| next.min(now)));
        for frame in &mut released {
            frame[..6].copy_from_slice(&packet.sender_mac.0);
            debug_assert!(frame.len() >= ethernet::HEADER_LEN);
        }
        released
    }

    /// The next thing to do; call until it returns `None`. Each entry gives at most one per call
    /// round, so the work is bounded by the number of entries.
    pub fn poll(&mut self, now: Instant) -> Option<CachePoll> {
        if self.next.is_none_or(|next| now < next) {
            return None;
        }
        let due = self
            .entries
            .iter()
            .find(|(_, entry)| entry.due(&self.limits) <= now);
        let Some((&target, _)) = due else {
            self.next = self
                .entries
                .values()
                .map(|entry| entry.due(&self.limits))
                .min();
            return None;
        };
        let entry = self.entries.get_mut(&target)?;
        let request = match &mut entry.state {
            State::Incomplete { tries, next, .. } if *tries < TRIES => {
                (*tries, *next) = (*tries + 1, now + RETRANSMIT);
                Some(MacAddr::BROADCAST)
            }
            State::Probing {
                station,
                tries,
                next,
            } if *tries < TRIES => {
                (*tries, *next) = (*tries + 1, now + RETRANSMIT);
                Some(*station)
            }
            _ => None,
        };
        if let Some(station) = request {
            return Some(CachePoll::Request { target, station });
        }
        let frames = self.remove(target);
        Some(CachePoll::Unreachable { target, frames })
    }

    /// When [`Cache::poll`] wants to be called next.
    #[must_use]
    pub fn poll_at(&self) -> Option<Instant> {
        self.next
    }

    /// The known neighbours.
    pub fn iter(&self) -> impl Iterator<Item = (Ipv4Addr, MacAddr)> + '_ {
        self.entries
            .iter()
            .filter_map(|(&address, entry)| match entry.state {
                State::Incomplete { .. } => None,
                State::Reachable { station, .. } | State::Probing { station, .. } => {
                    Some((address, station))
                }
            })
    }
}

impl Entry {
    /// What it is worth to us, when one must go: least are those that were never spoken to, then those
    /// without a station, those that are not in use, and of those in use the ones that were not for
    /// long: a crowd of new neighbours displaces itself.
    fn worth(&self, now: Instant, limits: &CacheLimits) -> (u8, Duration, Instant) {
        let class = match self.state {
            _ if !self.spoken_to => 0,
            State::Incomplete { .. } => 1,
            _ if self.last_used + limits.fresh_for < now => 2,
            _ => 3,
        };
        let used_for = match class {
            3 => self.last_used - self.since,
            _ => Duration::ZERO,
        };
        (class, used_for, self.last_used)
    }

    /// When the entry next needs something of [`Cache::poll`].
    fn due(&self, limits: &CacheLimits) -> Instant {
        match self.state {
            State::Incomplete { next, .. } | State::Probing { next, .. } => next,
            State::Reachable { .. } => self.last_used + limits.unused_for,
        }
    }
}
