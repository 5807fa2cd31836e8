//! Which connection a segment belongs to: the connections, and a table of their addresses.

use std::collections::HashMap;

use super::interface::{ConnectionId, Error};
use super::isn::TableHash;
use super::segment::FourTuple;
use super::tcb::{Owner, Tcb};

/// A place for a connection. The generation tells a handle of its present connection from those of
/// earlier ones.
#[derive(Debug)]
struct Slot {
    generation: u32,
    tcb: Option<Box<Tcb>>,
}

/// All connections but those in TIME-WAIT that no user holds.
#[derive(Debug)]
pub(super) struct Connections {
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Keyed, as a peer chooses its port and could otherwise choose its bucket.
    table: HashMap<FourTuple, u32, TableHash>,
    /// The connection of the last segment: in a batch nearly always that of the next.
    last: Option<(FourTuple, u32)>,
}

impl Connections {
    pub(super) fn new(hash: TableHash) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            table: HashMap::with_hasher(hash),
            last: None,
        }
    }

    /// Connections, half-open ones and those that are closed and still held included.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// The connection of a segment.
    #[inline]
    pub(super) fn find(&mut self, tuple: &FourTuple) -> Option<u32> {
        if let Some((last, index)) = &self.last
            && last == tuple
        {
            return Some(*index);
        }
        let index = *self.table.get(tuple)?;
        self.last = Some((*tuple, index));
        Some(index)
    }

    /// Whether a connection has these addresses.
    pub(super) fn contains(&self, tuple: &FourTuple) -> bool {
        self.table.contains_key(tuple)
    }

    /// The handle that the next connection gets.
    pub(super) fn next_id(&mut self) -> ConnectionId {
        let index = match self.free.last() {
            Some(index) => *index,
            None => {
                let index = self.slots.len() as u32;
                self.slots.push(Slot {
                    generation: 0,
                    tcb: None,
                });
                self.free.push(index);
                index
            }
        };
        ConnectionId {
            index,
            generation: self.slots[index as usize].generation,
        }
    }

    /// Adds a connection whose `id` is [`Connections::next_id`].
    pub(super) fn insert(&mut self, mut tcb: Box<Tcb>) {
        let index = tcb.id.index;
        debug_assert_eq!(self.free.last(), Some(&index));
        self.free.pop();
        self.table.insert(tcb.tuple, index);
        tcb.linked = true;
        self.slots[index as usize].tcb = Some(tcb);
    }

    #[inline]
    pub(super) fn at(&mut self, index: u32) -> Option<&mut Tcb> {
        self.slots.get_mut(index as usize)?.tcb.as_deref_mut()
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Result<&mut Tcb, Error> {
        match self.slots.get_mut(id.index as usize) {
            Some(Slot {
                generation,
                tcb: Some(tcb),
            }) if *generation == id.generation => Ok(tcb),
            _ => Err(Error::Released),
        }
    }

    /// A connection that a user holds.
    pub(super) fn user(&self, id: ConnectionId) -> Result<&Tcb, Error> {
        match self.slots.get(id.index as usize) {
            Some(Slot {
                generation,
                tcb: Some(tcb),
            }) if *generation == id.generation && tcb.owner == Owner::User => Ok(tcb),
            _ => Err(Error::Released),
        }
    }

    /// A connection that a user holds.
    #[inline]
    pub(super) fn user_mut(&mut self, id: ConnectionId) -> Result<&mut Tcb, Error> {
        self.get_mut(id).and_then(|tcb| {
            if tcb.owner == Owner::User {
                Ok(tcb)
            } else {
                Err(Error::Released)
            }
        })
    }

    /// Takes a connection out of the table: its addresses may be used again.
    pub(super) fn unlink(&mut self, index: u32) {
        self.last = None;
        if let Some(tcb) = self.at(index)
            && core::mem::take(&mut tcb.linked)
        {
            let tuple = tcb.tuple;
            self.table.remove(&tuple);
        }
    }

    /// Removes a connection that was unlinked.
    pub(super) fn remove(&mut self, index: u32) {
        if let Some(slot) = self.slots.get_mut(index as usize)
            && slot.tcb.take().is_some()
        {
            slot.generation = slot.generation.wrapping_add(1);
            self.free.push(index);
        }
    }

    /// The handles of all connections.
    pub(super) fn ids(&self) -> impl Iterator<Item = ConnectionId> + '_ {
        self.slots
            .iter()
            .filter_map(|slot| slot.tcb.as_ref().map(|tcb| tcb.id))
    }
}
