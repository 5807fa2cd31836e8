//! Writes that reach the device in the order in which they were asked for, whatever it makes of those not flushed.
//!
//! `hadris-fat` writes so that between any two writes nothing is lost but clusters that nobody has. A device may lose
//! any write since the last flush and keep a later one, so there is a flush between every two. Writes of the same
//! blocks in a row are one: an entry with its long name, or a file that changes its name within a block, is there as a
//! whole or not at all.

use super::super::ErrorKind;
use super::Storage;

pub(super) struct InOrder<S: ?Sized> {
    /// What was written last, which the device does not have yet; empty if it has it.
    held: Vec<u8>,
    held_at: u64,
    /// Whether the device has what it was not made to keep.
    unflushed: bool,
    /// Why a write or a flush failed: from then on nothing is written.
    failed: Option<ErrorKind>,
    storage: S,
}

impl<S> InOrder<S> {
    pub(super) fn new(storage: S) -> Self {
        Self {
            held: Vec::new(),
            held_at: 0,
            unflushed: false,
            failed: None,
            storage,
        }
    }
}

impl<S: Storage + ?Sized> InOrder<S> {
    pub(super) fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), ErrorKind> {
        let held = self.held_at..self.held_at + self.held.len() as u64;
        if held.start < offset + buffer.len() as u64 && offset < held.end {
            self.settle()?;
        }
        self.storage.read_at(offset, buffer)
    }

    pub(super) fn write(&mut self, offset: u64, octets: &[u8]) -> Result<(), ErrorKind> {
        self.check()?;
        if offset != self.held_at || octets.len() != self.held.len() {
            self.settle()?;
        }
        self.held.clear();
        self.held.extend_from_slice(octets);
        self.held_at = offset;
        Ok(())
    }

    /// Hands on what is held, when all before it lasts.
    pub(super) fn settle(&mut self) -> Result<(), ErrorKind> {
        if self.held.is_empty() {
            return Ok(());
        }
        let outcome = match self.unflushed {
            true => self.storage.flush(),
            false => Ok(()),
        };
        self.unflushed = true;
        let outcome = outcome.and_then(|()| self.storage.write_at(self.held_at, &self.held));
        self.held.clear();
        self.note(outcome)
    }

    pub(super) fn flush(&mut self) -> Result<(), ErrorKind> {
        self.check()?;
        self.settle()?;
        if !self.unflushed {
            return Ok(());
        }
        let outcome = self.storage.flush();
        self.unflushed = false;
        self.note(outcome)
    }

    fn note(&mut self, outcome: Result<(), ErrorKind>) -> Result<(), ErrorKind> {
        self.failed = outcome.as_ref().err().cloned();
        outcome
    }

    fn check(&self) -> Result<(), ErrorKind> {
        match &self.failed {
            Some(kind) => Err(kind.clone()),
            None => Ok(()),
        }
    }
}
