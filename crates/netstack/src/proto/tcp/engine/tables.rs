//! The tables and lists of the engine, and their charge to the account; coming and going of
//! connections.

use std::collections::VecDeque;

use super::{Source, Tcp};
use crate::proto::account::{Account, Kind, octets};
use crate::proto::tcp::api::ConnectionId;
use crate::proto::tcp::connection::Tcb;
use crate::proto::tcp::connection::shared::Reply;

/// Tables of so few octets are kept when they are empty.
const KEPT: usize = 16 << 10;

/// Frees an empty queue.
fn shrink<T>(queue: &mut VecDeque<T>, account: &mut Account) {
    if queue.is_empty() {
        account.release(Kind::Connections, octets(queue));
        *queue = VecDeque::new();
    }
}

impl Tcp {
    /// Adds a connection whose `id` is [`Connections::next_id`](super::demux::Connections::next_id).
    pub(crate) fn add(&mut self, mut tcb: Box<Tcb>) {
        let index = tcb.id.index;
        tcb.peer = self.shared.peers.join(tcb.tuple.remote.ip());
        tcb.weigh(&self.shared);
        self.connections.insert(tcb);
        self.timers.reserve(self.connections.places());
        self.recharge(index);
        if let Some(tcb) = self.connections.at(index) {
            tcb.note(&mut self.shared);
        }
        self.place(index);
        self.recharge_tables();
    }

    /// Removes a connection that is in no table and no list any more.
    pub(crate) fn remove(&mut self, index: u32) {
        let Some(mut tcb) = self.connections.remove(index) else {
            return;
        };
        tcb.release_all(&mut self.shared);
        drop(tcb);
        if self.connections.len() == 0 && self.tables > KEPT {
            self.connections.shrink();
            self.timers.shrink();
            self.shared.peers.shrink();
            self.transmit.clear();
            let account = &mut self.shared.account;
            shrink(&mut self.transmit, account);
            shrink(&mut self.events, account);
            shrink(&mut self.shared.replies, account);
        }
        self.recharge_tables();
    }

    /// Charges what the tables have grown by.
    pub(super) fn recharge_tables(&mut self) {
        let connections = self.connections.held() + self.timers.held() + self.shared.peers.held();
        let before = core::mem::replace(&mut self.tables, connections);
        let account = &mut self.shared.account;
        account.recharge(Kind::Connections, before, connections);
    }

    /// Octets of the queues, which are charged as they grow.
    pub(super) fn queues_held(&self) -> usize {
        let listening: usize = self.listeners.iter().map(|one| octets(&one.waiting)).sum();
        octets::<ConnectionId>(&self.transmit)
            + octets::<Source>(&self.events)
            + octets::<Reply>(&self.shared.replies)
            + listening
    }
}
