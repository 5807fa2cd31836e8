//! What is in a file on the disk.

use core::cell::{Cell, RefCell};
use std::rc::Rc;

use libc::{EFBIG, ENOSPC};

use super::Journal;
use super::extents::{Extents, Found, Run};
use super::log::BLOCK;
use super::ops::Op;
use crate::error::{Result, fail};
use crate::files::pages::LONGEST;
use crate::files::volume::{Octets, Volume as _};

/// The content of a file: its blocks. What is behind its end in the last one means nothing.
pub(crate) struct Stored {
    journal: Rc<Journal>,
    number: u64,
    extents: RefCell<Extents>,
    len: Cell<u64>,
    /// Whether the file has a name, without which the journal says nothing of it.
    is_named: Cell<bool>,
}

impl Stored {
    pub(super) fn new(journal: Rc<Journal>, number: u64) -> Self {
        Self {
            journal,
            number,
            extents: RefCell::default(),
            len: Cell::new(0),
            is_named: Cell::new(false),
        }
    }

    pub(super) fn set_named(&self, is_named: bool) {
        self.is_named.set(is_named);
    }

    pub(super) fn runs(&self) -> Vec<(u64, Run)> {
        self.extents.borrow().iter().collect()
    }

    pub(super) fn run_count(&self) -> usize {
        self.extents.borrow().len()
    }

    /// As it was written in the journal.
    pub(super) fn restore_len(&self, len: u64) {
        self.len.set(len);
    }

    /// As [`restore_len`](Self::restore_len); false if there is something, or no room for it.
    pub(super) fn restore(&self, first: u64, run: Run) -> bool {
        let lies = |at: u64| {
            let end = at.checked_add(run.count);
            end.is_some_and(|end| end <= LONGEST / BLOCK)
        };
        if run.count == 0 || !lies(first) || !lies(run.disk) {
            return false;
        }
        match self.extents.borrow().find(first) {
            Found::Hole(blocks) if blocks >= run.count => {}
            _ => return false,
        }
        self.put(first, run)
    }

    /// As [`restore_len`](Self::restore_len). The blocks are nobody's: who restores looks what is in use when all is done.
    pub(super) fn restore_end(&self, first: u64) {
        self.take_from(first);
    }

    /// Adds blocks, and says what the place in memory costs; false if there is no memory.
    fn put(&self, first: u64, run: Run) -> bool {
        if !self.journal.charge_run(self.is_named.get()) {
            return false;
        }
        let mut extents = self.extents.borrow_mut();
        let before = extents.len();
        extents.insert(first, run);
        for _ in extents.len()..=before {
            self.journal.discharge_run(self.is_named.get());
        }
        true
    }

    /// Takes all blocks out from `first` on.
    fn take_from(&self, first: u64) -> Vec<Run> {
        let mut extents = self.extents.borrow_mut();
        let before = extents.len();
        let gone = extents.split_off(first);
        for _ in extents.len()..before {
            self.journal.discharge_run(self.is_named.get());
        }
        gone
    }

    /// How many of the blocks from one to another there are not.
    fn missing(&self, mut block: u64, end: u64) -> u64 {
        let extents = self.extents.borrow();
        let mut missing = 0;
        while block < end {
            match extents.find(block) {
                Found::At(run) => block += run.count,
                Found::Hole(blocks) => {
                    let blocks = blocks.min(end - block);
                    missing += blocks;
                    block += blocks;
                }
            }
        }
        missing
    }

    fn log(&self, op: &Op<'_>) {
        if self.is_named.get() {
            self.journal.log(op);
        }
    }

    fn grow(&self, len: u64) {
        if len > self.len.get() {
            self.len.set(len);
            self.journal.note_growth();
        }
    }

    /// Makes zeros of what lies between the end and `to`, as far as there is a block for it.
    fn clear_behind_end(&self, to: u64) -> Result<()> {
        let len = self.len.get();
        let end = len.next_multiple_of(BLOCK).min(to);
        if end <= len {
            return Ok(());
        }
        match self.extents.borrow().find(len / BLOCK) {
            Found::At(run) => {
                let zeros = [0; BLOCK as usize];
                let octets = &zeros[..(end - len) as usize];
                self.journal.write(run.disk * BLOCK + len % BLOCK, octets)
            }
            Found::Hole(_) => Ok(()),
        }
    }

    /// Writes what is in one run, or in a hole as much as one new run has room for; the octets.
    fn write_part(&self, offset: u64, octets: &[u8]) -> Result<usize> {
        let (block, within) = (offset / BLOCK, offset % BLOCK);
        let wanted = (within + octets.len() as u64).div_ceil(BLOCK);
        let found = self.extents.borrow().find(block);
        let (run, is_new) = match found {
            Found::At(run) => (run, false),
            Found::Hole(blocks) => {
                let best = self.extents.borrow().best(block);
                (self.journal.take_blocks(best, wanted.min(blocks))?, true)
            }
        };
        let room = run.count * BLOCK - within;
        let part = &octets[..octets
            .len()
            .min(usize::try_from(room).unwrap_or(usize::MAX))];
        let at = run.disk * BLOCK + within;
        if !is_new {
            self.journal.write(at, part)?;
            return Ok(part.len());
        }
        let written = self.write_new(run, within, part);
        if written.is_err() || !self.put(block, run) {
            self.journal.give_back(run);
            return written.and(fail(ENOSPC));
        }
        self.log(&Op::Map {
            node: self.number,
            first: block,
            run,
        });
        Ok(part.len())
    }

    /// Writes to blocks that are new, and zeros to the rest of them.
    fn write_new(&self, run: Run, within: u64, octets: &[u8]) -> Result<()> {
        let at = run.disk * BLOCK;
        let end = within + octets.len() as u64;
        let zeros = [0; BLOCK as usize];
        self.journal.write(at, &zeros[..within as usize])?;
        self.journal.write(at + within, octets)?;
        let rest = run.count * BLOCK - end;
        self.journal.write(at + end, &zeros[..rest as usize])
    }
}

impl Octets for Stored {
    fn len(&self) -> u64 {
        self.len.get()
    }

    fn held(&self) -> u64 {
        self.extents.borrow().blocks() * BLOCK
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let left = self.len.get().saturating_sub(offset);
        let size = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let (mut from, mut rest) = (offset, &mut buffer[..size]);
        while !rest.is_empty() {
            let within = from % BLOCK;
            let found = self.extents.borrow().find(from / BLOCK);
            let (Found::At(Run { count, .. }) | Found::Hole(count)) = found;
            let room = count.saturating_mul(BLOCK) - within;
            let size = rest.len().min(usize::try_from(room).unwrap_or(usize::MAX));
            let (now, later) = rest.split_at_mut(size);
            match found {
                Found::At(run) => self.journal.read(run.disk * BLOCK + within, now)?,
                Found::Hole(_) => now.fill(0),
            }
            from += size as u64;
            rest = later;
        }
        Ok(size)
    }

    fn write(&mut self, offset: u64, octets: &[u8]) -> Result<usize> {
        if offset.saturating_add(octets.len() as u64) > LONGEST {
            return fail(EFBIG);
        }
        if octets.is_empty() {
            return Ok(0);
        }
        self.journal.check()?;
        self.clear_behind_end(offset)?;
        let mut done = 0;
        while done < octets.len() {
            match self.write_part(offset + done as u64, &octets[done..]) {
                Ok(written) => done += written,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        self.grow(offset + done as u64);
        Ok(done)
    }

    fn set_len(&mut self, len: u64) -> Result<()> {
        if len > LONGEST {
            return fail(EFBIG);
        }
        self.journal.check()?;
        if len >= self.len.get() {
            self.clear_behind_end(len)?;
            self.grow(len);
            return Ok(());
        }
        let first = len.div_ceil(BLOCK);
        let gone = self.take_from(first);
        if !gone.is_empty() {
            self.log(&Op::Unmap {
                node: self.number,
                first,
            });
            self.journal.free_later(gone);
        }
        self.len.set(len);
        self.journal.note_needed();
        Ok(())
    }

    fn reserve(&mut self, start: u64, end: u64) -> Result<()> {
        if end > LONGEST {
            return fail(EFBIG);
        }
        self.journal.check()?;
        if self.missing(start / BLOCK, end.div_ceil(BLOCK)) > self.journal.blocks.borrow().free() {
            return fail(ENOSPC);
        }
        self.clear_behind_end(end)?;
        let zeros = vec![0; 64 << 10];
        let mut block = start / BLOCK;
        while block < end.div_ceil(BLOCK) {
            let found = self.extents.borrow().find(block);
            match found {
                Found::At(run) => block += run.count,
                Found::Hole(blocks) => {
                    let wanted = blocks.min(end.div_ceil(BLOCK) - block);
                    let octets = wanted.saturating_mul(BLOCK).min(zeros.len() as u64);
                    let written = self.write_part(block * BLOCK, &zeros[..octets as usize])?;
                    block += written as u64 / BLOCK;
                }
            }
        }
        self.grow(end);
        Ok(())
    }

    fn as_stored(&self) -> Option<&Stored> {
        Some(self)
    }
}

impl Drop for Stored {
    fn drop(&mut self) {
        let gone = self.take_from(0);
        self.journal.free_later(gone);
    }
}
