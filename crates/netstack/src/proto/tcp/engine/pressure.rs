//! What is given back when memory is short, and in which order.
//!
//! Above three quarters of the budget ([`Level::Pressure`](crate::proto::account::Level)) windows and
//! send allowances stop growing, nothing more is kept out of order beyond a connection's share, new
//! connections begin with a small window, and a sweep looks at all connections in turn (see
//! [`Tcp::sweep`]). The last eighth is a reserve: whatever reaches into it makes the engine give back,
//! at once and until the reserve is whole, or [`ROUNDS`] times,
//!
//! 1. what was received out of order, of the connection that holds most of that: its sender keeps it
//!    and sends it again (RFC 2018 §8);
//! 2. the oldest records of connections in TIME-WAIT;
//! 3. a connection: one that has been half-open for [`FRESH`], else one that has had neither an owner
//!    nor progress for that time, else one of the peers that hold most, or an eighth or so of what those
//!    do: of these one that is stalled, with data that somebody has yet to take; then, where such a peer
//!    has `CROWD` connections or more, any of its own; then one that is idle. With nothing of the kind,
//!    an idle or stalled one of the other peers; among equals the one for which the product of what it
//!    holds and of the time since its last progress is greatest.
//!
//!    Only then one in use, that has carried data and made progress within `PATIENCE`: first that which
//!    has waited longest, measured by how long it was in use before and how many its peer has, so that
//!    those that come in a flood take each other's places and not that of a client that pauses. For data
//!    it is ended only if its peer holds much and it has waited for [`FRESH`], and for longer than it was
//!    in use before; for a new connection whose peer has shown that it is there it may be any, and those
//!    that have carried nothing since their handshake `GRACE` ago go before the others; so do younger
//!    ones where they are most of what there is.
//!
//! Progress is an acknowledgement of new data, new data in order, or the user's reading.
//! What then finds no room is refused: data is not acknowledged, a SYN is answered by a cookie.

mod victim;

use core::time::Duration;

use super::Tcp;
use super::demux::Connections;
use crate::proto::Instant;
use crate::proto::account::Kind;
use crate::proto::tcp::api::{Failure, State};
use crate::proto::tcp::connection::Owner;
use crate::proto::tcp::connection::lists::{Link, Links, List, Place};
use crate::proto::tcp::connection::shared::Shared;

/// What is given back at once, at most: the rest waits for the next segment or call.
const ROUNDS: usize = 8;
/// Within this time of its last progress no connection is taken for stalled or idle, and none for
/// abandoned in the middle of a handshake.
const FRESH: Duration = Duration::from_secs(1);

/// How often the sweep runs under pressure, and how many connections it looks at.
const SWEEP_INTERVAL: Duration = Duration::from_millis(100);
const SWEEP: usize = 256;
/// Under pressure: so long may a connection hold data that its peer does not take, or that waits for
/// what its peer does not send, without progress.
const STALL_LIMIT: Duration = Duration::from_secs(60);
/// Under pressure: so long is kept what is out of order without progress.
const EARLY_LIMIT: Duration = Duration::from_secs(15);
/// The lists of connections that something may be taken from.
#[derive(Debug)]
pub(crate) struct Pressure {
    half_open: List,
    ownerless: List,
    /// Connections that hold octets out of order, from 2^n to 2^(n+1) - 1 of them in list n.
    early: [List; 32],
    /// When the sweep runs next, and where it goes on.
    pub(super) sweep_at: Instant,
    hand: u32,
}

impl Default for Pressure {
    fn default() -> Self {
        Self {
            half_open: List::EMPTY,
            ownerless: List::EMPTY,
            early: [List::EMPTY; 32],
            sweep_at: Instant::FAR_FUTURE,
            hand: 0,
        }
    }
}

/// The links of the lists of places.
struct Places<'a>(&'a mut Connections);

impl Links for Places<'_> {
    fn link(&mut self, node: u32) -> Option<&mut Link> {
        self.0.at(node).map(|tcb| &mut tcb.place_link)
    }
}

/// The links of the lists of those that hold something out of order.
struct Early<'a>(&'a mut Connections);

impl Links for Early<'_> {
    fn link(&mut self, node: u32) -> Option<&mut Link> {
        self.0.at(node).map(|tcb| &mut tcb.early_link)
    }
}

impl Tcp {
    /// Something was charged or released: is memory short?
    #[inline]
    pub(super) fn look_at_account(&mut self) {
        if self.shared.account.pressure() {
            self.on_pressure();
        }
    }

    #[cold]
    fn on_pressure(&mut self) {
        if self.pressure.sweep_at == Instant::FAR_FUTURE {
            self.pressure.sweep_at = self.shared.latest + SWEEP_INTERVAL;
        }
        if self.shared.account.used_by(Kind::Spares) > 0 {
            self.shared.stock.clear();
            self.shared.receive_queues.clear();
            self.shared.recharge_spares();
        }
        // What was refused comes again, and should find room then.
        let refused = core::mem::take(&mut self.shared.refused);
        for _ in 0..ROUNDS {
            if !self.shared.account.is_over(refused)
                || !(self.give_back_data() || self.end_one(false))
            {
                break;
            }
        }
    }

    /// Whether a new connection that takes `octets` has a place; makes one if it has not, at the
    /// expense of whichever connection comes last in the order.
    pub(crate) fn make_room(&mut self, octets: usize) -> bool {
        // What was ended is gone only when its user has run: the reserve serves until then, but for what the connections
        // that there are receive in a batch, lest one waits for its data to be sent again and so becomes the oldest.
        let batch = self.shared.account.limit() / 32;
        self.find_place(octets, true)
            || self.is_below_limit() && self.shared.account.left() >= octets + batch
    }

    /// Whether a new connection that takes `octets` has a place and leaves half of the reserve; sees to
    /// that if it is not so, for one `any` at the expense of connections that make progress too.
    pub(super) fn find_place(&mut self, octets: usize, any: bool) -> bool {
        for _ in 0..ROUNDS {
            let below_limit = self.is_below_limit();
            if below_limit && self.shared.account.keeps_half_of_reserve(octets) {
                // It may be that what was ended has yet to go.
                return self.shared.account.left() >= octets;
            }
            if !(below_limit && self.give_back_data() || self.end_one(any)) {
                break;
            }
        }
        false
    }

    /// Whether the number of connections leaves room for one more.
    fn is_below_limit(&self) -> bool {
        self.connections.len() - self.shared.leaving < self.shared.config.max_connections
    }

    /// Gives back something that is no connection.
    fn give_back_data(&mut self) -> bool {
        self.prune_largest() || self.time_waits.give_way(&mut self.shared)
    }

    /// Drops what a connection has received out of order, of the one that holds most of that.
    fn prune_largest(&mut self) -> bool {
        let Some(index) = self.pressure.early.iter().rev().find_map(List::first) else {
            return false;
        };
        self.shared.counters.ofo_pruned += 1;
        self.drop_early(index);
        true
    }

    fn drop_early(&mut self, index: u32) {
        if let Some(tcb) = self.connections.at(index) {
            tcb.rcv.drop_early();
        }
        self.recharge(index);
    }

    /// Ends a connection; one that makes progress only if `any`.
    fn end_one(&mut self, any: bool) -> bool {
        let Some(index) = self.victim(any) else {
            return false;
        };
        self.end(index);
        true
    }

    fn end(&mut self, index: u32) {
        let Some(tcb) = self.connections.at(index) else {
            return;
        };
        self.shared.counters.abort_on_memory += 1;
        self.shared.counters.estab_resets += u64::from(tcb.counted);
        if tcb.state != State::SynSent {
            tcb.send_reset(&mut self.shared);
        }
        tcb.close(Some(Failure::OutOfMemory), &mut self.shared);
        self.settle_lists(self.shared.latest, index);
        // What a user still holds of it counts as given back: its task has not run yet.
        if let Some(tcb) = self.connections.at(index)
            && tcb.owner == Owner::User
            && tcb.state == State::Closed
        {
            tcb.leaving = tcb.charged.total();
            self.shared.account.leaves(tcb.leaving as usize);
            self.shared.leaving += 1;
        }
    }

    /// Sees to it that a connection is in the list that it belongs to.
    pub(crate) fn place(&mut self, index: u32) {
        let Some(tcb) = self.connections.at(index) else {
            return;
        };
        let wanted = match (tcb.owner, tcb.state) {
            (_, State::Closed | State::TimeWait) => Place::None,
            (Owner::HalfOpen(_), _) => Place::HalfOpen,
            (Owner::Nobody, _) => Place::Ownerless,
            (Owner::User | Owner::Waiting(_), _) => Place::Peer,
        };
        let peer = tcb.peer;
        let was = core::mem::replace(&mut tcb.place, wanted);
        if was == wanted {
            return;
        }
        if let Some(list) = list(&mut self.pressure, &mut self.shared, was, peer) {
            list.remove(&mut Places(&mut self.connections), index);
        }
        if let Some(list) = list(&mut self.pressure, &mut self.shared, wanted, peer) {
            list.push_back(&mut Places(&mut self.connections), index);
        }
    }

    /// Charges what has changed of a connection.
    #[inline]
    pub(crate) fn recharge(&mut self, index: u32) {
        if let Some(tcb) = self.connections.at(index)
            && tcb.recharge(&mut self.shared)
        {
            self.place_early(index);
        }
    }

    /// What a connection holds out of order has changed.
    pub(super) fn place_early(&mut self, index: u32) {
        let Some(tcb) = self.connections.at(index) else {
            return;
        };
        let wanted = tcb.charged.early.checked_ilog2().map(|size| size as u8);
        let was = core::mem::replace(&mut tcb.early_size, wanted);
        if was == wanted {
            return;
        }
        let links = &mut Early(&mut self.connections);
        if let Some(was) = was {
            self.pressure.early[usize::from(was)].remove(links, index);
        }
        if let Some(wanted) = wanted {
            self.pressure.early[usize::from(wanted)].push_back(links, index);
        }
    }

    /// Under pressure time gives back: looks at some of the connections, the others have their turn
    /// later.
    pub(super) fn sweep(&mut self, now: Instant) {
        if self.pressure.sweep_at > now {
            return;
        }
        self.pressure.sweep_at = if self.shared.account.pressure() {
            now + SWEEP_INTERVAL
        } else {
            Instant::FAR_FUTURE
        };
        for _ in 0..SWEEP.min(self.connections.places()) {
            if self.pressure.hand as usize >= self.connections.places() {
                self.pressure.hand = 0;
            }
            self.sweep_one(now, self.pressure.hand);
            self.pressure.hand += 1;
        }
    }

    fn sweep_one(&mut self, now: Instant, index: u32) {
        let Some(tcb) = self.connections.at(index) else {
            return;
        };
        if !tcb.is_synchronized() {
            return;
        }
        let waited = now - tcb.progress;
        let stalled = tcb.snd.queued() > 0 || !tcb.snd.is_idle() || tcb.rcv.has_early();
        if stalled && waited >= STALL_LIMIT {
            self.end(index);
        } else if waited >= EARLY_LIMIT && tcb.rcv.has_early() {
            self.shared.counters.ofo_pruned += 1;
            self.drop_early(index);
        } else if tcb.probe_if_silent(now) {
            self.settle_lists(now, index);
        }
    }
}

/// The list of a place.
fn list<'a>(
    pressure: &'a mut Pressure,
    shared: &'a mut Shared,
    place: Place,
    peer: u32,
) -> Option<&'a mut List> {
    match place {
        Place::None => None,
        Place::HalfOpen => Some(&mut pressure.half_open),
        Place::Ownerless => Some(&mut pressure.ownerless),
        Place::Peer => shared.peers.members(peer),
    }
}
