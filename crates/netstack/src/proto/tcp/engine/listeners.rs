//! Listeners: LISTEN of RFC 9293 §3.3.2, with a backlog.

use core::net::Ipv6Addr;
use std::collections::VecDeque;
use std::sync::Arc;

use crate::proto::Instant;
use crate::proto::ip::Endpoint;
use crate::proto::tcp::api::{ConnectionId, Error, ListenerId};
use crate::proto::tcp::config::Options;

/// A passive open.
#[derive(Debug)]
pub(super) struct Listener {
    pub(crate) local: Endpoint,
    pub(crate) options: Arc<Options>,
    pub(crate) backlog: usize,
    /// Connections in SYN-RECEIVED.
    pub(crate) half_open: usize,
    /// Connections to be accepted.
    pub(crate) waiting: VecDeque<ConnectionId>,
    /// When the backlog was last full: only for a while after that are cookies looked for.
    pub(super) overflowed: Option<Instant>,
    /// An event for it waits.
    pub(crate) in_events: bool,
}

/// All listeners.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    slots: Vec<(u32, Option<Listener>)>,
    /// Places by address, in order: they are few, and no peer chooses them.
    table: Vec<(Endpoint, u32)>,
}

impl Listeners {
    /// The listener for a destination: that of the address, or that of all addresses, of its family
    /// rather than of both.
    pub(crate) fn find(&self, local: Endpoint) -> Option<ListenerId> {
        let index = |local| self.position(local).ok().map(|at| self.table[at].1);
        let index = index(local)
            .or_else(|| index(local.any()))
            .or_else(|| index(everything(local)).filter(|index| self.serves_both(*index)))?;
        Some(ListenerId {
            index,
            generation: self.slots[index as usize].0,
        })
    }

    /// Where in the table an address is, or would be.
    fn position(&self, local: Endpoint) -> Result<usize, usize> {
        self.table
            .binary_search_by_key(&local, |(address, _)| *address)
    }

    /// Whether a listener on :: serves IPv4 too.
    fn serves_both(&self, index: u32) -> bool {
        let slot = self.slots.get(index as usize);
        slot.and_then(|(_, listener)| listener.as_ref())
            .is_some_and(|listener| !listener.options.only_v6)
    }

    /// Whether some listener has this port on the address, or on all addresses.
    pub(crate) fn has(&self, local: Endpoint) -> bool {
        self.find(local).is_some()
    }

    /// Whether this very address is taken.
    pub(crate) fn is_bound(&self, local: Endpoint) -> bool {
        self.position(local).is_ok()
    }

    pub(crate) fn add(&mut self, local: Endpoint, backlog: usize, options: Options) -> ListenerId {
        let listener = Listener {
            local,
            options: Arc::new(options),
            backlog: backlog.max(1),
            half_open: 0,
            waiting: VecDeque::new(),
            overflowed: None,
            in_events: false,
        };
        let index = match self
            .slots
            .iter()
            .position(|(_, listener)| listener.is_none())
        {
            Some(index) => {
                self.slots[index].1 = Some(listener);
                index
            }
            None => {
                self.slots.push((0, Some(listener)));
                self.slots.len() - 1
            }
        };
        match self.position(local) {
            Ok(at) => self.table[at].1 = index as u32,
            Err(at) => self.table.insert(at, (local, index as u32)),
        }
        ListenerId {
            index: index as u32,
            generation: self.slots[index].0,
        }
    }

    pub(crate) fn get(&self, id: ListenerId) -> Result<&Listener, Error> {
        match self.slots.get(id.index as usize) {
            Some((generation, Some(listener))) if *generation == id.generation => Ok(listener),
            _ => Err(Error::Released),
        }
    }

    pub(crate) fn get_mut(&mut self, id: ListenerId) -> Result<&mut Listener, Error> {
        match self.slots.get_mut(id.index as usize) {
            Some((generation, Some(listener))) if *generation == id.generation => Ok(listener),
            _ => Err(Error::Released),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Listener> {
        self.slots
            .iter()
            .filter_map(|(_, listener)| listener.as_ref())
    }

    pub(crate) fn remove(&mut self, id: ListenerId) -> Option<Listener> {
        let (generation, listener) = self.slots.get_mut(id.index as usize)?;
        if *generation != id.generation {
            return None;
        }
        let listener = listener.take()?;
        *generation = generation.wrapping_add(1);
        if let Ok(at) = self.position(listener.local) {
            self.table.remove(at);
        }
        Some(listener)
    }
}

/// The address on which a listener serves both families.
fn everything(local: Endpoint) -> Endpoint {
    Endpoint::new(Ipv6Addr::UNSPECIFIED.into(), local.port())
}
