//! The neighbour cache: bounded, ageing, with a queue of frames per unresolved neighbour.
//!
//! A packet that names another station for an address that we know is believed (RFC 826, RFC 5227
//! §2.3: an address may move, as in a failover), but not more often than once a second, and the new
//! station is asked at once: when it is silent the address is resolved anew. A packet that comes sooner
//! only makes us ask the station that we know.

use core::net::Ipv4Addr;
use core::time::Duration;
use std::collections::VecDeque;

use super::Packet;
use crate::proto::Instant;
use crate::proto::link::ethernet::MacAddr;
use crate::proto::link::neighbours::{self, Asking, CacheLimits, State, Table, USE_GRANULARITY};

/// Time between two requests for one address (RFC 1122 §2.3.2.1: no more than one a second).
const RETRANSMIT: Duration = Duration::from_secs(1);
/// Least time between two changes of the station that has an address, as Linux's `locktime` has it.
const LOCK_TIME: Duration = Duration::from_secs(1);

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

#[derive(Clone, Copy, Debug)]
struct Known {
    station: MacAddr,
    /// When it was last another one, or none.
    changed: Instant,
    belief: Belief,
}

#[derive(Clone, Copy, Debug)]
enum Belief {
    Reachable {
        confirmed: Instant,
    },
    /// Still used, and being asked whether it is still right.
    Probing(Asking),
}

impl neighbours::Known for Known {
    fn station(&self) -> MacAddr {
        self.station
    }

    fn due(&self) -> Option<Instant> {
        match self.belief {
            Belief::Reachable { .. } => None,
            Belief::Probing(asking) => Some(asking.due()),
        }
    }
}

/// The table from IPv4 address to hardware address of the stations on our link.
#[derive(Debug)]
pub struct Cache {
    table: Table<Ipv4Addr, Known>,
}

impl Cache {
    /// An empty cache.
    #[must_use]
    pub fn new(limits: CacheLimits) -> Self {
        let table = Table::new(limits);
        Self { table }
    }

    /// Octets of memory held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.table.held()
    }

    /// Drops the frames that wait for neighbours; returns how many octets less are held.
    pub fn give_back(&mut self) -> usize {
        self.table.give_back()
    }

    /// The station that has `target`, if it is known. Using an entry that is no longer fresh makes
    /// [`Cache::poll`] ask the station whether it still has the address.
    #[inline]
    pub fn lookup(&mut self, now: Instant, target: Ipv4Addr) -> Option<MacAddr> {
        match self.table.answered(now, target) {
            Some(station) => Some(station),
            None => self.lookup_entry(now, target),
        }
    }

    /// Until when the answer of the last [`Cache::lookup`], which was `station`, is fresh.
    pub(crate) fn fresh_until(&self, station: MacAddr) -> Option<Instant> {
        self.table.fresh_until(station)
    }

    fn lookup_entry(&mut self, now: Instant, target: Ipv4Addr) -> Option<MacAddr> {
        let fresh_for = self.table.limits.fresh_for;
        let known = self.table.spoken_to(now, target)?;
        let station = known.station;
        if let Belief::Reachable { confirmed } = known.belief {
            let until = confirmed + fresh_for;
            if now < until {
                let until = until.min(now + USE_GRANULARITY);
                self.table.answer(target, station, until);
            } else {
                known.belief = Belief::Probing(Asking::from(now));
                self.table.wake(now);
            }
        }
        Some(station)
    }

    /// Keeps a frame, complete but for its destination address, until `target` is resolved.
    ///
    /// Returns how many frames, this or older ones, were dropped for lack of room.
    pub fn enqueue(&mut self, now: Instant, target: Ipv4Addr, frame: Vec<u8>) -> usize {
        self.table.enqueue(now, target, frame)
    }

    /// Learns from a packet (RFC 826, "Packet Reception"). `for_us` tells whether its target is an
    /// address of ours: only then is a station that we have not asked for added.
    ///
    /// Returns the frames that waited for the sender, with their destination filled in.
    pub fn handle(&mut self, now: Instant, packet: &Packet, for_us: bool) -> VecDeque<Vec<u8>> {
        if packet.sender.is_unspecified() {
            return VecDeque::new();
        }
        let known = match self.table.get(packet.sender) {
            None if !for_us => return VecDeque::new(),
            None => {
                self.table.hear(now, packet.sender);
                None
            }
            Some(state) => state.known(),
        };
        let moved = known.is_some_and(|known| known.station != packet.sender_mac);
        let kept = match known {
            // Sooner than this, an address that two stations have would go back and forth.
            Some(known) if moved && now >= known.changed + LOCK_TIME => None,
            known => known,
        };
        let belief = match kept.map(|known| known.belief) {
            // It is being asked already.
            Some(probing @ Belief::Probing(_)) if moved => probing,
            _ if moved => Belief::Probing(Asking::from(now)),
            _ => Belief::Reachable { confirmed: now },
        };
        let known = Known {
            station: kept.map_or(packet.sender_mac, |known| known.station),
            changed: kept.map_or(now, |known| known.changed),
            belief,
        };
        self.table.learn(now, packet.sender, known)
    }

    /// The next thing to do; call until it returns `None`. Each entry gives at most one per call
    /// round, so the work is bounded by the number of entries.
    pub fn poll(&mut self, now: Instant) -> Option<CachePoll> {
        let target = self.table.due(now)?;
        let (station, asking) = match self.table.get_mut(target)? {
            State::Incomplete { asking, .. } => (MacAddr::BROADCAST, Some(asking)),
            State::Known(known) => match &mut known.belief {
                Belief::Reachable { .. } => (known.station, None),
                Belief::Probing(asking) => (known.station, Some(asking)),
            },
        };
        if asking.is_some_and(|asking| asking.again(now, RETRANSMIT)) {
            return Some(CachePoll::Request { target, station });
        }
        let frames = self.table.remove(target);
        Some(CachePoll::Unreachable { target, frames })
    }

    /// When [`Cache::poll`] wants to be called next.
    #[must_use]
    pub fn poll_at(&self) -> Option<Instant> {
        self.table.poll_at()
    }

    /// The known neighbours.
    pub fn iter(&self) -> impl Iterator<Item = (Ipv4Addr, MacAddr)> + '_ {
        self.table.iter()
    }
}
