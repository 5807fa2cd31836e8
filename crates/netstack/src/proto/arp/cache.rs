//! The neighbour cache: bounded, ageing, with a queue of frames per unresolved neighbour.
//!
//! An entry that was confirmed a short while ago is never overwritten by a packet that we did not
//! ask for: the packet only makes us ask the known station again, and when that one is silent the
//! address is resolved anew.

use core::net::Ipv4Addr;
use core::time::Duration;
use std::collections::{HashMap, VecDeque};

use super::Packet;
use crate::proto::Instant;
use crate::proto::ethernet::{self, MacAddr};

/// Time between two requests for one address (RFC 1122 §2.3.2.1: no more than one a second).
const RETRANSMIT: Duration = Duration::from_secs(1);
/// Requests without an answer before a neighbour counts as unreachable.
const TRIES: u32 = 3;

/// What the cache may hold, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct CacheLimits {
    /// Neighbours; when one more is needed, the one unused for longest goes.
    pub entries: usize,
    /// Frames waiting for one neighbour; the oldest goes first (RFC 1122 §2.3.2.2).
    pub queued_frames: usize,
    /// Frames waiting for all neighbours together; a further one is dropped.
    pub all_queued_frames: usize,
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
        }
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
        match entry.state {
            State::Incomplete { .. } => None,
            State::Probing { station, .. } => Some(station),
            State::Reachable { station, confirmed } => {
                let until = confirmed + self.limits.fresh_for;
                if now < until {
                    self.last = Some((target, station, until));
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
    /// Returns how many older frames were dropped to make room.
    pub fn enqueue(&mut self, now: Instant, target: Ipv4Addr, frame: Vec<u8>) -> usize {
        let limit = self.limits.queued_frames.max(1);
        if self.queued_frames() >= self.limits.all_queued_frames.max(1) {
            return 1;
        }
        let entry = self.entry(now, target);
        entry.last_used = now;
        let mut dropped = 0;
        match &mut entry.state {
            State::Incomplete { queue, .. } => {
                while queue.len() >= limit {
                    queue.pop_front();
                    dropped += 1;
                }
                queue.push_back(frame);
            }
            State::Reachable { .. } | State::Probing { .. } => dropped += 1,
        }
        dropped
    }

    /// Frames waiting for all neighbours: counted anew, since only few are unresolved at a time.
    fn queued_frames(&self) -> usize {
        let queues = self.entries.values().map(|entry| match &entry.state {
            State::Incomplete { queue, .. } => queue.len(),
            State::Reachable { .. } | State::Probing { .. } => 0,
        });
        queues.sum()
    }

    /// The entry of `target`, made if need be with a first request due at once.
    fn entry(&mut self, now: Instant, target: Ipv4Addr) -> &mut Entry {
        if !self.entries.contains_key(&target) {
            self.make_room();
            self.next = Some(now);
        }
        self.entries.entry(target).or_insert_with(|| Entry {
            state: State::Incomplete {
                queue: VecDeque::new(),
                tries: 0,
                next: now,
            },
            last_used: now,
        })
    }

    fn make_room(&mut self) {
        if self.entries.len() < self.limits.entries.max(1) {
            return;
        }
        let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.last_used);
        if let Some((&target, _)) = oldest {
            self.remove(target);
        }
    }

    fn remove(&mut self, target: Ipv4Addr) -> VecDeque<Vec<u8>> {
        if self.last.is_some_and(|(address, ..)| address == target) {
            self.last = None;
        }
        match self.entries.remove(&target).map(|entry| entry.state) {
            Some(State::Incomplete { queue, .. }) => queue,
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
            self.entry(now, packet.sender);
        }
        let Some(entry) = self.entries.get_mut(&packet.sender) else {
            return VecDeque::new();
        };
        let mut released = VecDeque::new();
        match &mut entry.state {
            State::Incomplete { queue, .. } => released = std::mem::take(queue),
            // We ask the station that we know; what others say meanwhile does not count.
            State::Probing { station, .. } if *station != packet.sender_mac => return released,
            State::Probing { .. } => {}
            State::Reachable { station, confirmed } => {
                let fresh = now < *confirmed + self.limits.fresh_for;
                if *station != packet.sender_mac && fresh {
                    let (station, tries) = (*station, 0);
                    entry.state = State::Probing {
                        station,
                        tries,
                        next: now,
                    };
                    self.last = None;
                    self.next = Some(now);
                    return released;
                }
            }
        }
        entry.state = State::Reachable {
            station: packet.sender_mac,
            confirmed: now,
        };
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
    /// When the entry next needs something of [`Cache::poll`].
    fn due(&self, limits: &CacheLimits) -> Instant {
        match self.state {
            State::Incomplete { next, .. } | State::Probing { next, .. } => next,
            State::Reachable { .. } => self.last_used + limits.unused_for,
        }
    }
}
