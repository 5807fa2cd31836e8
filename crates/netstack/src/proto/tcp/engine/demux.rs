//! Which connection a segment belongs to: the connections, and a table of their addresses.

use crate::proto::tcp::api::{ConnectionId, Error};
use crate::proto::tcp::connection::index::Index;
use crate::proto::tcp::connection::{Owner, Tcb};
use crate::proto::tcp::defence::isn::TableHash;
use crate::proto::tcp::wire::segment::FourTuple;

/// A place for a connection. The generation tells a handle of its present connection from those of
/// earlier ones.
#[derive(Debug)]
struct Slot {
    generation: u32,
    /// Of the connection's addresses, while it is linked.
    hash: u32,
    tcb: Option<Box<Tcb>>,
}

/// All connections but those in TIME-WAIT that no user holds.
#[derive(Debug)]
pub(crate) struct Connections {
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// That of a place that is new.
    generation: u32,
    table: Index,
    hash: TableHash,
    /// The connection of the last segment: in a batch nearly always that of the next.
    last: Option<(FourTuple, u32)>,
    /// What was last looked up in vain, and its hash: most often that of the next connection.
    missed: Option<(FourTuple, u32)>,
}

impl Connections {
    pub(crate) fn new(hash: TableHash) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            generation: 0,
            table: Index::default(),
            hash,
            last: None,
            missed: None,
        }
    }

    /// Connections, half-open ones and those that are closed and still held included.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Places that connections have or had.
    pub(crate) fn places(&self) -> usize {
        self.slots.len()
    }

    /// Octets of the tables, without the connections themselves.
    pub(crate) fn held(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
            + self.free.capacity() * size_of::<u32>()
            + self.table.held()
    }

    /// The connection of a segment.
    #[inline]
    pub(crate) fn find(&mut self, tuple: &FourTuple) -> Option<u32> {
        match &self.last {
            Some((last, index)) if last == tuple => Some(*index),
            _ => self.find_anew(tuple),
        }
    }

    #[inline(never)]
    fn find_anew(&mut self, tuple: &FourTuple) -> Option<u32> {
        let hash = self.hash.of(tuple);
        let found = self.table.find(hash, |index| {
            let tcb = self.slots[index as usize].tcb.as_ref();
            tcb.is_some_and(|tcb| tcb.tuple == *tuple)
        });
        match found {
            Some(index) => self.last = Some((*tuple, index)),
            None => self.missed = Some((*tuple, hash)),
        }
        found
    }

    /// The hash of addresses, which tables of them have in common.
    pub(super) fn hash_of(&self, tuple: &FourTuple) -> u32 {
        match &self.missed {
            Some((missed, hash)) if missed == tuple => *hash,
            _ => self.hash.of(tuple),
        }
    }

    /// The hash of the addresses of the connection at a place.
    pub(super) fn hash_at(&self, index: u32) -> u32 {
        self.slots.get(index as usize).map_or(0, |slot| slot.hash)
    }

    /// Whether a connection has these addresses.
    pub(crate) fn contains(&mut self, tuple: &FourTuple) -> bool {
        self.find(tuple).is_some()
    }

    /// The handle that the next connection gets.
    pub(super) fn next_id(&mut self) -> ConnectionId {
        let index = match self.free.last() {
            Some(index) => *index,
            None => {
                let index = self.slots.len() as u32;
                self.slots.push(Slot {
                    generation: self.generation,
                    hash: 0,
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
    pub(crate) fn insert(&mut self, mut tcb: Box<Tcb>) {
        let index = tcb.id.index;
        debug_assert_eq!(self.free.last(), Some(&index));
        self.free.pop();
        let hash = self.hash_of(&tcb.tuple);
        tcb.linked = true;
        let slot = &mut self.slots[index as usize];
        (slot.hash, slot.tcb) = (hash, Some(tcb));
        self.table
            .insert(hash, index, &|index| self.slots[index as usize].hash);
    }

    #[inline]
    pub(crate) fn at(&mut self, index: u32) -> Option<&mut Tcb> {
        self.slots.get_mut(index as usize)?.tcb.as_deref_mut()
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: ConnectionId) -> Result<&mut Tcb, Error> {
        match self.slots.get_mut(id.index as usize) {
            Some(Slot {
                generation,
                tcb: Some(tcb),
                ..
            }) if *generation == id.generation => Ok(tcb),
            _ => Err(Error::Released),
        }
    }

    /// A connection that a user holds.
    pub(crate) fn user(&self, id: ConnectionId) -> Result<&Tcb, Error> {
        match self.slots.get(id.index as usize) {
            Some(Slot {
                generation,
                tcb: Some(tcb),
                ..
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
        if let Some(slot) = self.slots.get_mut(index as usize)
            && let Some(tcb) = &mut slot.tcb
            && core::mem::take(&mut tcb.linked)
        {
            self.table.remove(slot.hash, index);
        }
    }

    /// Removes a connection that was unlinked.
    pub(crate) fn remove(&mut self, index: u32) -> Option<Box<Tcb>> {
        let slot = self.slots.get_mut(index as usize)?;
        let tcb = slot.tcb.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(index);
        Some(tcb)
    }

    /// Frees the tables: there is no connection.
    pub(crate) fn shrink(&mut self) {
        debug_assert_eq!(self.len(), 0);
        // A handle of a connection that was removed must not fit one that comes.
        let generations = self.slots.iter().map(|slot| slot.generation);
        self.generation = generations.max().unwrap_or(self.generation);
        self.slots = Vec::new();
        self.free = Vec::new();
        self.table = Index::default();
    }

    /// All connections.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Tcb> {
        self.slots.iter().filter_map(|slot| slot.tcb.as_deref())
    }

    /// The handles of all connections.
    pub(crate) fn ids(&self) -> impl Iterator<Item = ConnectionId> + '_ {
        self.slots
            .iter()
            .filter_map(|slot| slot.tcb.as_ref().map(|tcb| tcb.id))
    }
}
