//! What is in a file: pages, of which those that were never written are not there.

use core::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use libc::{EFBIG, ENOSPC};

use super::volume::Octets;
use crate::error::{Result, fail};
use crate::memory;

const PAGE: usize = 4096;
/// Octets that a page takes, with its place in a tree.
const HELD: usize = PAGE + 32;
/// A file's longest length, so that sums do not overflow.
pub(super) const LONGEST: u64 = 1 << 60;

/// What all files together may hold.
pub(crate) struct Budget {
    left: Cell<usize>,
}

impl Budget {
    pub(crate) fn new(octets: usize) -> Rc<Self> {
        let left = Cell::new(octets);
        Rc::new(Self { left })
    }

    /// # Errors
    ///
    /// `ENOSPC`.
    pub(crate) fn take(&self, octets: usize) -> Result<()> {
        match self.left.get().checked_sub(octets) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => fail(ENOSPC),
        }
    }

    pub(crate) fn left(&self) -> u64 {
        self.left.get() as u64
    }

    pub(crate) fn give_back(&self, octets: usize) {
        self.left.set(self.left.get() + octets);
    }
}

/// The content of a file.
pub(crate) struct Pages {
    budget: Rc<Budget>,
    pages: BTreeMap<u64, Box<[u8; PAGE]>>,
    len: u64,
}

/// The page of an octet, and its place there.
fn split(offset: u64) -> (u64, usize) {
    (offset / PAGE as u64, (offset % PAGE as u64) as usize)
}

impl Pages {
    pub(crate) fn new(budget: &Rc<Budget>) -> Self {
        Self {
            budget: budget.clone(),
            pages: BTreeMap::new(),
            len: 0,
        }
    }
}

impl Octets for Pages {
    fn len(&self) -> u64 {
        self.len
    }

    fn held(&self) -> u64 {
        self.pages.len() as u64 * PAGE as u64
    }

    fn read(&self, mut offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let left = self.len.saturating_sub(offset);
        let size = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let mut rest = &mut buffer[..size];
        while !rest.is_empty() {
            let (page, at) = split(offset);
            let (now, later) = rest.split_at_mut((PAGE - at).min(rest.len()));
            match self.pages.get(&page) {
                Some(page) => now.copy_from_slice(&page[at..at + now.len()]),
                None => now.fill(0),
            }
            offset += now.len() as u64;
            rest = later;
        }
        Ok(size)
    }

    fn write(&mut self, offset: u64, octets: &[u8]) -> Result<usize> {
        let mut rest = octets;
        let mut to = offset;
        if offset.saturating_add(octets.len() as u64) > LONGEST {
            return fail(EFBIG);
        }
        while !rest.is_empty() {
            let (page, at) = split(to);
            let (now, later) = rest.split_at((PAGE - at).min(rest.len()));
            if !self.pages.contains_key(&page) {
                match memory::check().and_then(|()| self.budget.take(HELD)) {
                    Ok(()) => {}
                    Err(error) if to == offset => return Err(error),
                    Err(_) => break,
                }
            }
            let page = self
                .pages
                .entry(page)
                .or_insert_with(|| Box::new([0; PAGE]));
            page[at..at + now.len()].copy_from_slice(now);
            to += now.len() as u64;
            rest = later;
            self.len = self.len.max(to);
        }
        Ok(octets.len() - rest.len())
    }

    fn set_len(&mut self, len: u64) -> Result<()> {
        if len > LONGEST {
            return fail(EFBIG);
        }
        if len < self.len {
            let (page, at) = split(len);
            if at > 0
                && let Some(page) = self.pages.get_mut(&page)
            {
                page[at..].fill(0);
            }
            let gone = self.pages.split_off(&(page + u64::from(at > 0)));
            self.budget.give_back(gone.len() * HELD);
        }
        self.len = len;
        Ok(())
    }

    fn reserve(&mut self, _start: u64, end: u64) -> Result<()> {
        match end.saturating_sub(self.held()) > self.budget.left() {
            true => fail(ENOSPC),
            false if end > self.len => self.set_len(end),
            false => Ok(()),
        }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.budget.give_back(self.pages.len() * HELD);
    }
}
