//! The neighbour cache (RFC 4861 §5.1, §7): bounded, with a queue of frames per unresolved neighbour.

use core::net::Ipv6Addr;
use core::time::Duration;
use std::collections::VecDeque;

use crate::proto::Instant;
use crate::proto::link::ethernet::MacAddr;
use crate::proto::link::neighbours::{self, Asking, CacheLimits, State, Table, USE_GRANULARITY};

/// How long TCP may confirm a neighbour before it is asked (RFC 4861 §10, DELAY_FIRST_PROBE_TIME).
const DELAY_FIRST_PROBE: Duration = Duration::from_secs(5);

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

#[derive(Clone, Copy, Debug)]
struct Known {
    station: MacAddr,
    reachability: Reachability,
    /// It has answered a question of ours from there, or connections have gone on by way of it.
    confirmed: bool,
}

/// RFC 4861 §7.3.2.
#[derive(Clone, Copy, Debug)]
enum Reachability {
    Reachable { until: Instant },
    Stale,
    Delay { until: Instant },
    Probe(Asking),
}

impl neighbours::Known for Known {
    fn station(&self) -> MacAddr {
        self.station
    }

    fn due(&self) -> Option<Instant> {
        match self.reachability {
            Reachability::Reachable { .. } | Reachability::Stale => None,
            Reachability::Delay { until } => Some(until),
            Reachability::Probe(asking) => Some(asking.due()),
        }
    }
}

/// The table from IPv6 address to hardware address of the stations on our link.
#[derive(Debug)]
pub struct Cache {
    /// Its `fresh_for` is [`Timing::reachable`].
    table: Table<Ipv6Addr, Known>,
    retransmit: Duration,
}

impl Cache {
    /// An empty cache, with the times of [`Timing::default`].
    #[must_use]
    pub fn new(limits: CacheLimits) -> Self {
        let mut cache = Self {
            table: Table::new(limits),
            retransmit: Duration::ZERO,
        };
        cache.set_timing(Timing::default());
        cache
    }

    /// Octets of memory held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.table.held()
    }

    /// The link's times, from now on.
    pub fn set_timing(&mut self, timing: Timing) {
        self.table.limits.fresh_for = timing.reachable;
        self.retransmit = timing.retransmit;
    }

    /// Drops the frames that wait for neighbours; returns how many octets less are held.
    pub fn give_back(&mut self) -> usize {
        self.table.give_back()
    }

    /// The station that has `target`, if it is known. Using one that was not confirmed for a while makes
    /// [`Cache::poll`] doubt it.
    #[inline]
    pub fn lookup(&mut self, now: Instant, target: Ipv6Addr) -> Option<MacAddr> {
        match self.table.answered(now, target) {
            Some(station) => Some(station),
            None => self.lookup_entry(now, target),
        }
    }

    /// Until when the answer of the last [`Cache::lookup`], which was `station`, holds.
    pub(crate) fn fresh_until(&self, station: MacAddr) -> Option<Instant> {
        self.table.fresh_until(station)
    }

    fn lookup_entry(&mut self, now: Instant, target: Ipv6Addr) -> Option<MacAddr> {
        let known = self.table.spoken_to(now, target)?;
        let station = known.station;
        let mut until = now + USE_GRANULARITY;
        match known.reachability {
            Reachability::Reachable { until: end } if now < end => until = until.min(end),
            Reachability::Reachable { .. } | Reachability::Stale => {
                let end = now + DELAY_FIRST_PROBE;
                known.reachability = Reachability::Delay { until: end };
                self.table.wake(end);
            }
            Reachability::Delay { .. } | Reachability::Probe(_) => {}
        }
        self.table.answer(target, station, until);
        Some(station)
    }

    /// Whether a neighbour can be reached, as far as is known (RFC 4861 §6.3.6): `None` where no station is known, and
    /// false where the last question to it is still without an answer.
    #[must_use]
    pub fn is_reachable(&self, target: Ipv6Addr) -> Option<bool> {
        self.known(target).map(|known| match known.reachability {
            Reachability::Probe(asking) => !asking.is_last(),
            _ => true,
        })
    }

    /// Has [`Cache::poll`] ask for a neighbour, with nothing to be sent to it.
    pub(crate) fn ask(&mut self, now: Instant, target: Ipv6Addr) {
        if self.lookup(now, target).is_none() {
            self.table.ask(now, target);
        }
    }

    /// Whether a neighbour has shown that it is there: it has answered a question, or TCP has made progress by way of
    /// it, and it has not failed since.
    pub(crate) fn is_confirmed(&self, target: Ipv6Addr) -> bool {
        self.known(target).is_some_and(|known| known.confirmed)
    }

    fn known(&self, target: Ipv6Addr) -> Option<Known> {
        self.table.get(target)?.known()
    }

    /// Keeps a frame, complete but for its destination address, until `target` is resolved.
    ///
    /// Returns how many frames, this or older ones, were dropped for lack of room.
    pub fn enqueue(&mut self, now: Instant, target: Ipv6Addr, frame: Vec<u8>) -> usize {
        self.table.enqueue(now, target, frame)
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
        match self.table.get(address).map(State::known) {
            None => self.table.hear(now, address),
            Some(Some(known)) if known.station == station => return VecDeque::new(),
            Some(_) => {}
        }
        let known = Known {
            station,
            reachability: Reachability::Stale,
            confirmed: false,
        };
        self.table.learn(now, address, known)
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
        let (known, asked) = match self.table.get(target) {
            None => return nothing,
            Some(State::Incomplete { .. }) => (None, true),
            Some(State::Known(known)) => (
                Some(*known),
                matches!(known.reachability, Reachability::Probe(_)),
            ),
        };
        let Some(station) = said.station.or(known.map(|known| known.station)) else {
            return nothing;
        };
        if let Some(mut known) = known
            && known.station != station
            && !said.replaces
        {
            if matches!(known.reachability, Reachability::Reachable { .. }) {
                known.reachability = Reachability::Stale;
                self.table.learn(now, target, known);
            }
            return nothing;
        }
        let resigned = !said.router;
        let reachability = match said.solicited {
            true => self.reachable(now),
            false if known.is_some_and(|known| known.station == station) => {
                return (VecDeque::new(), resigned);
            }
            false => Reachability::Stale,
        };
        let same = known.filter(|known| known.station == station);
        let known = Known {
            station,
            reachability,
            // Anybody can answer what nobody has asked.
            confirmed: (said.solicited && asked) || same.is_some_and(|known| known.confirmed),
        };
        (self.table.learn(now, target, known), resigned)
    }

    /// TCP has made progress by way of `target` (RFC 4861 §7.3.1).
    pub fn confirm(&mut self, now: Instant, target: Ipv6Addr) {
        if let Some(mut known) = self.known(target) {
            known.reachability = self.reachable(now);
            known.confirmed = true;
            self.table.learn(now, target, known);
        }
    }

    /// What a confirmation now makes of a neighbour.
    fn reachable(&self, now: Instant) -> Reachability {
        Reachability::Reachable {
            until: now + self.table.limits.fresh_for,
        }
    }

    /// The next thing to do; call until it returns `None`. Each entry gives at most two per call round,
    /// so the work is bounded by the number of entries.
    pub fn poll(&mut self, now: Instant) -> Option<CachePoll> {
        loop {
            let target = self.table.due(now)?;
            let (station, asking) = match self.table.get_mut(target)? {
                State::Incomplete { asking, .. } => (None, asking),
                State::Known(known) => match &mut known.reachability {
                    Reachability::Delay { .. } => {
                        known.reachability = Reachability::Probe(Asking::from(now));
                        self.table.changed(now);
                        return Some(CachePoll::Doubt(target));
                    }
                    Reachability::Probe(asking) => (Some(known.station), asking),
                    // It was not used for long, and nothing is known against it.
                    Reachability::Reachable { .. } | Reachability::Stale => {
                        self.table.remove(target);
                        continue;
                    }
                },
            };
            if asking.again(now, self.retransmit) {
                return Some(CachePoll::Solicit { target, station });
            }
            let frames = self.table.remove(target);
            return Some(CachePoll::Unreachable { target, frames });
        }
    }

    /// When [`Cache::poll`] wants to be called next.
    #[must_use]
    pub fn poll_at(&self) -> Option<Instant> {
        self.table.poll_at()
    }

    /// The known neighbours.
    pub fn iter(&self) -> impl Iterator<Item = (Ipv6Addr, MacAddr)> + '_ {
        self.table.iter()
    }
}

#[cfg(test)]
mod tests;
