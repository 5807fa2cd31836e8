//! What a connection holds, and its charge to the account.

use super::shared::Shared;
use super::{Owner, Tcb};
use crate::proto::Instant;
use crate::proto::account::{Account, Kind};
use crate::proto::tcp::api::State;

/// Octets that a connection holds, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) connection: u32,
    pub(crate) send: u32,
    pub(crate) receive: u32,
    pub(crate) early: u32,
}

impl Held {
    #[inline]
    pub(crate) fn total(&self) -> u32 {
        self.connection + self.send + self.receive + self.early
    }
}

/// Charges what now holds `held` octets. Returns by how many that has changed.
#[inline(always)]
fn shift(account: &mut Account, kind: Kind, charged: &mut u32, held: u32) -> i32 {
    let grown = held as isize - *charged as isize;
    if grown != 0 {
        *charged = held;
        account.shift(kind, grown);
    }
    grown as i32
}

impl Tcb {
    /// What the connection holds: the sizes of its allocations.
    #[inline]
    pub(crate) fn held(&self) -> Held {
        Held {
            connection: self.block + self.snd.held_flight(),
            send: self.snd.held(),
            receive: self.rcv.held(),
            early: self.rcv.held_early(),
        }
    }

    /// Notes the size of the block, of what it owns apart from queues, and of what the service spends
    /// on it: after one of them has come or gone.
    pub(crate) fn weigh(&mut self, shared: &Shared) {
        self.block = self.block_octets(shared) as u32;
        self.lean = false;
    }

    pub(crate) fn block_octets(&self, shared: &Shared) -> usize {
        let application = match self.owner {
            Owner::User | Owner::Waiting(_) => shared.config.application_octets,
            Owner::HalfOpen(_) | Owner::Nobody => 0,
        };
        size_of::<Self>() + self.settings.held() + self.snd.held_congestion() + application
    }

    /// Charges what has changed. Returns whether that was what was received out of order.
    #[inline]
    pub(crate) fn recharge(&mut self, shared: &mut Shared) -> bool {
        let held = self.held();
        self.lean = held.connection == self.block && held.send + held.early == 0;
        self.charge(held, shared)
    }

    /// The same where nothing but the receive queue can have changed: data came in order, or was read.
    #[inline]
    pub(crate) fn recharge_receive(&mut self, shared: &mut Shared) {
        let held = self.rcv.held();
        let before = self.charged.receive;
        let charged = &mut self.charged.receive;
        let grown = shift(&mut shared.account, Kind::ReceiveQueues, charged, held);
        if before == 0 || held == 0 {
            // The queue came from the spares, or went there.
            shared.recharge_spares();
        }
        self.note_growth(grown, shared);
    }

    /// The same where nothing but the send queue can have changed: the user has sent.
    #[inline]
    pub(crate) fn recharge_send(&mut self, shared: &mut Shared) {
        let held = self.snd.held();
        let before = &mut self.charged.send;
        let grown = shift(&mut shared.account, Kind::SendQueues, before, held);
        if grown != 0 {
            shared.recharge_spares();
            self.note_growth(grown, shared);
        }
    }

    /// Returns whether what was received out of order has changed.
    #[inline(always)]
    fn charge(&mut self, held: Held, shared: &mut Shared) -> bool {
        let (account, charged) = (&mut shared.account, &mut self.charged);
        let early = shift(account, Kind::OutOfOrder, &mut charged.early, held.early);
        let (block, queues) = (&mut charged.connection, &mut charged.receive);
        let grown = [
            early,
            shift(account, Kind::Connections, block, held.connection),
            shift(account, Kind::SendQueues, &mut charged.send, held.send),
            shift(account, Kind::ReceiveQueues, queues, held.receive),
        ];
        // Also where they cancel out: a part may have come from the spares as another was freed.
        if grown.iter().any(|octets| *octets != 0) {
            shared.recharge_spares();
            self.note_growth(grown.into_iter().fold(0, i32::wrapping_add), shared);
        }
        early != 0
    }

    /// The connection holds so many octets more: tells its peer's share once that is much.
    #[inline]
    fn note_growth(&mut self, octets: i32, shared: &mut Shared) {
        self.unnoted = self.unnoted.wrapping_add(octets);
        if self.unnoted.unsigned_abs() >= shared.account.grain() {
            self.note(shared);
        }
    }

    /// Whether the connection is one whose receive queue alone can have changed in size: a user's,
    /// established, with nothing in flight and nothing out of order.
    #[inline]
    pub(crate) fn only_receives(&self) -> bool {
        self.lean && self.state == State::Established && self.owner == Owner::User
    }

    /// Releases everything: the connection is about to go.
    pub(crate) fn release_all(&mut self, shared: &mut Shared) {
        if self.leaving > 0 {
            shared.account.left_for_good(self.leaving as usize);
            shared.leaving -= 1;
        }
        self.charge(Held::default(), shared);
        self.note(shared);
        shared.peers.leave(self.peer);
    }

    /// Tells the peer's share exactly what the connection holds.
    #[inline(never)]
    pub(crate) fn note(&mut self, shared: &mut Shared) {
        let octets = core::mem::take(&mut self.unnoted);
        shared.peers.note(self.peer, octets as isize);
    }

    /// Octets that the connection may hold beyond what it does: its share of its peer's share.
    pub(crate) fn share_left(&self, shared: &Shared) -> usize {
        shared.account.share_left(
            || shared.peers.held_by(self.peer),
            || self.charged.total() as usize,
        )
    }
    /// Something went on: the peer or the user has taken data, or the peer has sent what was expected.
    #[inline]
    pub(super) fn progressed(&mut self, now: Instant) {
        self.progress = now;
    }

    /// Whether it holds data that the peer or the user has yet to take. Queues may hold memory without any.
    pub(crate) fn has_unfinished_data(&self) -> bool {
        self.snd.queued() > 0 || self.rcv.readable() > 0 || self.rcv.has_early()
    }

    /// Milliseconds from when the connection began to its last progress.
    pub(crate) fn life(&self) -> u32 {
        (self.progress.as_millis() as u32).wrapping_sub(self.began)
    }

    /// Whether anything but the handshake was sent or received.
    pub(crate) fn has_carried_data(&self) -> bool {
        self.snd.has_sent() || self.rcv.has_received()
    }
}
