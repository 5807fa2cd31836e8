//! What a connection holds, and its charge to the account.

use super::interface::State;
use super::shared::Shared;
use super::tcb::{Owner, Tcb};
use crate::proto::account::Kind;

/// Octets that a connection holds, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) connection: u32,
    pub(super) send: u32,
    pub(super) receive: u32,
    pub(super) early: u32,
}

impl Held {
    #[inline]
    pub(super) fn total(&self) -> u32 {
        self.connection + self.send + self.receive + self.early
    }

    /// Whether there is more than the connection itself.
    pub(super) fn has_data(&self) -> bool {
        self.send + self.receive + self.early > 0
    }
}

impl Tcb {
    /// What the connection holds: the sizes of its allocations.
    #[inline]
    pub(super) fn held(&self) -> Held {
        Held {
            connection: self.block + (self.flight.held() + self.loss.held()) as u32,
            send: self.snd.queue.held() as u32,
            receive: self.receive_held(),
            early: self
                .rcv
                .reassembly
                .as_ref()
                .map_or(0, |reassembly| reassembly.held() as u32),
        }
    }

    #[inline]
    fn receive_held(&self) -> u32 {
        let queue = self.rcv.queue.get_allocated();
        queue.map_or(0, |queue| (size_of_val(queue) + queue.held()) as u32)
    }

    /// Notes the size of the block, of what it owns apart from queues, and of what the service spends
    /// on it: after one of them has come or gone.
    pub(super) fn weigh(&mut self, shared: &Shared) {
        self.block = self.block_octets(shared) as u32;
    }

    pub(super) fn block_octets(&self, shared: &Shared) -> usize {
        let congestion = self
            .congestion
            .as_deref()
            .map_or(0, super::congestion::Controller::held);
        let pacer = self.pacer.as_deref().map_or(0, size_of_val);
        let application = match self.owner {
            Owner::User | Owner::Waiting(_) => shared.config.application_octets,
            Owner::HalfOpen(_) | Owner::Nobody => 0,
        };
        size_of::<Self>() + self.settings.held() + congestion + pacer + application
    }

    /// Charges what has changed. Returns whether that was what was received out of order.
    #[inline]
    pub(super) fn recharge(&mut self, shared: &mut Shared) -> bool {
        let held = self.held();
        held != self.charged && self.charge(held, shared)
    }

    /// The same where nothing but the receive queue can have changed: data came in order, or was read.
    #[inline]
    pub(super) fn recharge_receive(&mut self, shared: &mut Shared) {
        let held = self.receive_held();
        let before = core::mem::replace(&mut self.charged.receive, held);
        if held != before {
            let account = &mut shared.account;
            account.recharge(Kind::ReceiveQueues, before as usize, held as usize);
            shared.recharge_receive_queues();
            self.note_if_much(shared);
        }
    }

    /// The same where nothing but the send queue can have changed: the user has sent.
    #[inline]
    pub(super) fn recharge_send(&mut self, shared: &mut Shared) {
        let held = self.snd.queue.held() as u32;
        let before = core::mem::replace(&mut self.charged.send, held);
        if held != before {
            let account = &mut shared.account;
            account.recharge(Kind::SendQueues, before as usize, held as usize);
            shared.recharge_spares();
            self.note_if_much(shared);
        }
    }

    fn charge(&mut self, held: Held, shared: &mut Shared) -> bool {
        let before = core::mem::replace(&mut self.charged, held);
        let account = &mut shared.account;
        for (kind, before, after) in [
            (Kind::Connections, before.connection, held.connection),
            (Kind::SendQueues, before.send, held.send),
            (Kind::ReceiveQueues, before.receive, held.receive),
            (Kind::OutOfOrder, before.early, held.early),
        ] {
            account.recharge(kind, before as usize, after as usize);
        }
        shared.recharge_spares();
        self.note_if_much(shared);
        before.early != held.early
    }

    #[inline]
    fn note_if_much(&mut self, shared: &mut Shared) {
        if self.charged.total().abs_diff(self.noted) >= shared.account.grain() {
            self.note(shared);
        }
    }

    /// Whether the connection is one whose receive queue alone changes in size when a segment arrives:
    /// established, with nothing in flight and nothing out of order.
    #[inline]
    pub(super) fn only_receives(&self) -> bool {
        self.state == State::Established
            && self.snd.una == self.snd.nxt
            && self.snd.queue.len() == 0
            && self.rcv.reassembly.is_none()
    }

    /// Releases everything: the connection is about to go.
    pub(super) fn release_all(&mut self, shared: &mut Shared) {
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
    pub(super) fn note(&mut self, shared: &mut Shared) {
        let total = self.charged.total();
        let before = core::mem::replace(&mut self.noted, total);
        shared.peers.note(self.peer, before, total);
    }

    /// Octets that the connection may hold beyond what it does: its share of its peer's share.
    pub(super) fn share_left(&self, shared: &Shared) -> usize {
        let peer = shared.peers.held_by(self.peer);
        shared
            .account
            .share_left(peer, self.charged.total() as usize)
    }
}
