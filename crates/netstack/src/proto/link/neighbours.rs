//! What both neighbour caches have in common: a bounded table of neighbours, with a queue of frames for each that is
//! not known yet. What they believe of those that are known is their own.
//!
//! What others can add without an answer of theirs to us is bounded apart: stations that only asked for us ([`HEARD`]),
//! and addresses that nobody has, by the frames that wait for them. Of all that is known those go first that were never
//! spoken to.

use core::hash::Hash;
use core::time::Duration;
use std::collections::{HashMap, VecDeque};

use super::ethernet::{self, MacAddr};
use super::pending::Pending;
use crate::proto::Instant;

/// A use is noted once in this time, lest each frame costs a look into the table.
pub(super) const USE_GRANULARITY: Duration = Duration::from_secs(1);
/// Stations that have asked for us and were not spoken to: one more makes the first of them go.
const HEARD: usize = 256;
/// Requests without an answer before a neighbour counts as unreachable (for IPv6 RFC 4861 §10, MAX_MULTICAST_SOLICIT
/// and MAX_UNICAST_SOLICIT).
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
    /// How long a confirmed entry is believed without asking. For IPv6 the link's routers say it.
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

/// What a cache believes of a neighbour whose station it knows.
pub(super) trait Known: Copy {
    /// The station that has the address.
    fn station(&self) -> MacAddr;

    /// When it is to be asked, or doubted; `None` while it need not be.
    fn due(&self) -> Option<Instant>;
}

/// Requests that are sent until one is answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asking {
    tries: u32,
    next: Instant,
}

impl Asking {
    /// With the first due now.
    pub(super) fn from(now: Instant) -> Self {
        Self {
            tries: 0,
            next: now,
        }
    }

    /// Whether all were sent.
    pub(super) fn is_last(&self) -> bool {
        self.tries >= TRIES
    }

    /// When the next is due, or the last has waited long enough.
    pub(super) fn due(&self) -> Instant {
        self.next
    }

    /// Counts one more, which waits for `wait`; false if there were enough.
    pub(super) fn again(&mut self, now: Instant, wait: Duration) -> bool {
        let more = self.tries < TRIES;
        if more {
            (self.tries, self.next) = (self.tries + 1, now + wait);
        }
        more
    }
}

#[derive(Debug)]
pub(super) enum State<K> {
    /// No station is known; `queue` holds whole frames that lack only their destination.
    Incomplete {
        queue: VecDeque<Vec<u8>>,
        asking: Asking,
    },
    Known(K),
}

impl<K: Known> State<K> {
    /// What is known.
    pub(super) fn known(&self) -> Option<K> {
        match self {
            Self::Incomplete { .. } => None,
            Self::Known(known) => Some(*known),
        }
    }
}

#[derive(Debug)]
struct Entry<K> {
    state: State<K>,
    last_used: Instant,
    /// When it was made.
    since: Instant,
    /// We have sent something to it, or wanted to.
    spoken_to: bool,
}

/// The table from address to what is known of who has it.
#[derive(Debug)]
pub(super) struct Table<A, K> {
    pub(super) limits: CacheLimits,
    entries: HashMap<A, Entry<K>>,
    /// The last answer of a look-up and until when it holds: spares the hash.
    last: Option<(A, MacAddr, Instant)>,
    /// No entry needs anything before this.
    next: Option<Instant>,
    /// Addresses that were added because they asked for us, the first in front. Some have been spoken
    /// to since, or have gone.
    heard: VecDeque<A>,
    /// Frames that wait.
    pending: Pending,
}

impl<A: Copy + Eq + Hash, K: Known> Table<A, K> {
    /// Octets that a place in the table takes, at most: twice its entry, as tables double when they are full, and its
    /// place in the list of those heard.
    const PLACE: usize = 2 * size_of::<(A, Entry<K>)>() + 2 * size_of::<A>();

    pub(super) fn new(limits: CacheLimits) -> Self {
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
    pub(super) fn held(&self) -> usize {
        self.entries.capacity() * Self::PLACE + self.pending.octets()
    }

    /// Drops the frames that wait for neighbours; returns how many octets less are held.
    pub(super) fn give_back(&mut self) -> usize {
        for entry in self.entries.values_mut() {
            if let State::Incomplete { queue, .. } = &mut entry.state {
                *queue = VecDeque::new();
            }
        }
        self.pending.forget()
    }

    /// The answer of the last look-up, if it was for `target` and holds.
    #[inline]
    pub(super) fn answered(&self, now: Instant, target: A) -> Option<MacAddr> {
        match self.last {
            Some((address, station, until)) if address == target && now < until => Some(station),
            _ => None,
        }
    }

    /// Keeps the answer of a look-up until `until`.
    pub(super) fn answer(&mut self, target: A, station: MacAddr, until: Instant) {
        self.last = Some((target, station, until));
    }

    /// Until when the answer of the last look-up, which was `station`, holds.
    pub(super) fn fresh_until(&self, station: MacAddr) -> Option<Instant> {
        let (_, last, until) = self.last?;
        (last == station).then_some(until)
    }

    /// Notes that something is sent to `target`; gives what is known of it.
    pub(super) fn spoken_to(&mut self, now: Instant, target: A) -> Option<&mut K> {
        let entry = self.entries.get_mut(&target)?;
        entry.last_used = now;
        entry.spoken_to = true;
        match &mut entry.state {
            State::Incomplete { .. } => None,
            State::Known(known) => Some(known),
        }
    }

    pub(super) fn get(&self, target: A) -> Option<&State<K>> {
        self.entries.get(&target).map(|entry| &entry.state)
    }

    pub(super) fn get_mut(&mut self, target: A) -> Option<&mut State<K>> {
        self.entries.get_mut(&target).map(|entry| &mut entry.state)
    }

    /// Keeps a frame, complete but for its destination address, until `target` is resolved.
    ///
    /// Returns how many frames, this or older ones, were dropped for lack of room.
    pub(super) fn enqueue(&mut self, now: Instant, target: A, frame: Vec<u8>) -> usize {
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
            State::Known(_) => 1,
        };
        dropped
    }

    /// Asks for `target` for its own sake.
    pub(super) fn ask(&mut self, now: Instant, target: A) {
        self.add(now, target);
        if let Some(entry) = self.entries.get_mut(&target) {
            entry.spoken_to = true;
        }
    }

    /// Makes an entry of `target` if there is none, with a first request due at once.
    fn add(&mut self, now: Instant, target: A) {
        if self.entries.contains_key(&target) {
            return;
        }
        self.make_room(now);
        self.next = Some(now);
        let entry = Entry {
            state: State::Incomplete {
                queue: VecDeque::new(),
                asking: Asking::from(now),
            },
            last_used: now,
            since: now,
            spoken_to: false,
        };
        self.entries.insert(target, entry);
    }

    /// Adds a station that asks for us and that we may never speak to.
    pub(super) fn hear(&mut self, now: Instant, target: A) {
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
        self.add(now, target);
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

    /// Returns the frames that waited for it.
    pub(super) fn remove(&mut self, target: A) -> VecDeque<Vec<u8>> {
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

    /// Takes what is known of `target` from now on, if it is in the table. Returns the frames that waited for it, with
    /// their destination filled in.
    pub(super) fn learn(&mut self, now: Instant, target: A, known: K) -> VecDeque<Vec<u8>> {
        let Some(state) = self.get_mut(target) else {
            return VecDeque::new();
        };
        let before = core::mem::replace(state, State::Known(known));
        self.changed(now);
        let State::Incomplete { mut queue, .. } = before else {
            return VecDeque::new();
        };
        self.pending.remove(&queue);
        for frame in &mut queue {
            debug_assert!(frame.len() >= ethernet::HEADER_LEN);
            frame[..6].copy_from_slice(&known.station().0);
        }
        queue
    }

    /// What was concluded from the entries no longer holds.
    pub(super) fn changed(&mut self, now: Instant) {
        self.last = None;
        self.wake(now);
    }

    /// An entry needs something at `at`.
    pub(super) fn wake(&mut self, at: Instant) {
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }

    /// An entry that needs something now.
    pub(super) fn due(&mut self, now: Instant) -> Option<A> {
        if self.next.is_none_or(|next| now < next) {
            return None;
        }
        let unused_for = self.limits.unused_for;
        let due = self
            .entries
            .iter()
            .find(|(_, entry)| entry.due(unused_for) <= now);
        let Some((&target, _)) = due else {
            let next = self.entries.values().map(|entry| entry.due(unused_for));
            self.next = next.min();
            return None;
        };
        Some(target)
    }

    /// When [`Table::due`] wants to be called next.
    pub(super) fn poll_at(&self) -> Option<Instant> {
        self.next
    }

    /// The known neighbours.
    pub(super) fn iter(&self) -> impl Iterator<Item = (A, MacAddr)> + '_ {
        self.entries
            .iter()
            .filter_map(|(&address, entry)| Some((address, entry.state.known()?.station())))
    }
}

impl<K: Known> Entry<K> {
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

    /// When it next needs something: to be asked, or to go when nobody has used it.
    fn due(&self, unused_for: Duration) -> Instant {
        match &self.state {
            State::Incomplete { asking, .. } => asking.due(),
            State::Known(known) => known.due().unwrap_or(self.last_used + unused_for),
        }
    }
}
