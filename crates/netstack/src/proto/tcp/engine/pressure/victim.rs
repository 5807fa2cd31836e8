//! Which connection is ended when there is nothing else to give back.

use core::time::Duration;

use super::super::Tcp;
use super::super::demux::Connections;
use super::{FRESH, Places};
use crate::proto::Instant;
use crate::proto::tcp::connection::Tcb;
use crate::proto::tcp::connection::lists::List;
use crate::proto::tcp::connection::peers::Peers;

/// Connections of a list that are looked at for the one to be ended, and peers of a size.
const LOOKS: usize = 16;
const PEERS: usize = 8;
/// Peers whose size is at most so many below the largest hold much.
const FAT: usize = 3;
/// Connections that are many for one peer.
const CROWD: u32 = 8;
/// So many connections in all.
const ALL_LOOKS: usize = 8 * LOOKS;
/// Within this time of its handshake a connection is not blamed for having carried no data.
const GRACE: Duration = Duration::from_millis(250);
/// For so long after its last progress a connection that has carried data counts as in use.
const PATIENCE: Duration = Duration::from_secs(5);

/// How willingly a connection is ended, the most willingly last: within a class by weight.
type Rank = (Class, u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// It has carried data and may carry more at any moment.
    InUse,
    /// Nothing was sent or received since it began a moment ago.
    Young,
    /// Nor since then.
    Unused,
    Idle,
    /// Any of the first three, of a peer that has many connections and holds much.
    Crowded,
    Stalled,
}

fn rank(tcb: &Tcb, now: Instant) -> Rank {
    let waited = now - tcb.progress;
    let used = tcb.has_carried_data();
    let class = if waited >= FRESH && tcb.has_unfinished_data() {
        Class::Stalled
    } else if used && waited < PATIENCE {
        Class::InUse
    } else if waited < GRACE {
        Class::Young
    } else if waited < FRESH {
        Class::Unused
    } else {
        Class::Idle
    };
    let weight = if class >= Class::Idle {
        u64::from(tcb.charged.total()).saturating_mul(waited.as_millis() as u64)
    } else {
        // A pause is the less of a reason the longer the connection was in use before. Both begin with a moment, as a flood
        // may make all its connections progress at the same time.
        let pause = (waited + GRACE).as_micros() as u64;
        (pause << 10) / (4 * u64::from(tcb.life()) + GRACE.as_millis() as u64)
    };
    (class, weight)
}

/// Whether a connection may be ended for data of another: one in use once it has waited for longer than it was in use
/// before.
fn is_over_due(tcb: &Tcb, class: Class, now: Instant) -> bool {
    let least = match class {
        Class::InUse => FRESH.max(Duration::from_millis(tcb.life().into())),
        _ => FRESH,
    };
    now - tcb.progress >= least
}

/// A peer whose connections are looked at.
#[derive(Clone, Copy)]
struct Crowd {
    connections: u32,
    /// It is one of those that hold much.
    fat: bool,
}

impl Crowd {
    const NONE: Self = Self {
        connections: 1,
        fat: false,
    };
}

/// Looks for the connection to be ended.
struct Search {
    now: Instant,
    /// Whether it may be one that is not over-due.
    any: bool,
    /// Connections that may still be looked at.
    looks: usize,
    /// With whether it may be ended.
    found: Option<(Rank, u32, bool)>,
    /// The one to be ended first of those that have just begun.
    young: Option<(Rank, u32, bool)>,
    /// How many more of those were looked at than of those in use.
    young_more: isize,
}

impl Search {
    fn new(now: Instant, any: bool, looks: usize) -> Self {
        Self {
            now,
            any,
            looks,
            found: None,
            young: None,
            young_more: 0,
        }
    }

    /// Looks at the next few of a list, which move to its end, for one of class `least` or above.
    fn look_at(&mut self, list: &mut List, places: &mut Connections, least: Class, crowd: Crowd) {
        let first = list.first();
        for _ in 0..LOOKS.min(self.looks) {
            self.looks -= 1;
            let Some(index) = list.rotate(&mut Places(places)) else {
                return;
            };
            if let Some(tcb) = places.at(index) {
                let (mut class, mut weight) = rank(tcb, self.now);
                let may = self.any || is_over_due(tcb, class, self.now);
                if class < Class::Idle {
                    weight = weight.saturating_mul(1 + u64::from(crowd.connections.max(1).ilog2()));
                    if may && crowd.fat && crowd.connections >= CROWD {
                        class = Class::Crowded;
                    }
                }
                let best = match class {
                    Class::Young => &mut self.young,
                    _ => &mut self.found,
                };
                if class >= least {
                    *best = (*best).max(Some(((class, weight), index, may)));
                    self.young_more += match class {
                        Class::InUse => -1,
                        Class::Young => 1,
                        _ => 0,
                    };
                }
            }
            if list.first() == first {
                return;
            }
        }
    }

    /// Whether one was found that goes before those in use.
    fn is_over(&self) -> bool {
        self.found.is_some_and(|(rank, ..)| rank.0 >= Class::Idle)
    }

    /// Of those that have just begun one goes only before others in use where most have just begun: else a new client
    /// would have no time to say what it wants.
    fn result(self) -> Option<u32> {
        let in_use = self.found.is_none_or(|(rank, ..)| rank.0 == Class::InUse);
        let first = match self.young {
            Some(young) if in_use && (self.young_more > 0 || self.found.is_none()) => Some(young),
            _ => self.found,
        };
        first.filter(|(.., may)| *may).map(|(_, index, _)| index)
    }
}

impl Tcp {
    /// The connection to be ended next, if there is one.
    pub(super) fn victim(&mut self, any: bool) -> Option<u32> {
        let now = self.shared.latest;
        let half_open = self.pressure.half_open.first();
        if let Some(index) = half_open
            && let Some(tcb) = self.connections.at(index)
            && now - tcb.progress >= FRESH
        {
            return Some(index);
        }
        let mut search = Search::new(now, false, LOOKS);
        let list = &mut self.pressure.ownerless;
        search.look_at(list, &mut self.connections, Class::InUse, Crowd::NONE);
        search.result().or_else(|| self.victim_of_peers(now, any))
    }

    /// One of a peer's, or one without an owner that has made progress of late.
    fn victim_of_peers(&mut self, now: Instant, any: bool) -> Option<u32> {
        let mut search = Search::new(now, any, ALL_LOOKS);
        let list = &mut self.pressure.ownerless;
        search.look_at(list, &mut self.connections, Class::InUse, Crowd::NONE);
        let mut fattest = None;
        for size in Peers::sizes() {
            let fat = fattest.is_none_or(|fattest| size + FAT >= fattest);
            if !fat && search.is_over() {
                break;
            }
            let least = if any || fat {
                Class::InUse
            } else {
                Class::Idle
            };
            let mut first = None;
            for _ in 0..PEERS {
                let peers = &mut self.shared.peers;
                let Some(peer) = peers.next_of_size(size).filter(|peer| first != Some(*peer))
                else {
                    break;
                };
                first.get_or_insert(peer);
                fattest.get_or_insert(size);
                let crowd = Crowd {
                    connections: peers.connections_of(peer),
                    fat,
                };
                let Some(list) = peers.members(peer) else {
                    break;
                };
                search.look_at(list, &mut self.connections, least, crowd);
            }
        }
        search.result()
    }
}
