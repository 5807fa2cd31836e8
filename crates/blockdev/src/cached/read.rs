//! Reads, and reading ahead.

use core::mem;

use super::{Cached, DIRECT};
use crate::SectorDevice;

/// Pages that are read ahead at first; it doubles from one miss to the next.
const FIRST_WINDOW: usize = 4;

impl<D: SectorDevice> Cached<D> {
    pub(super) fn read(&mut self, offset: u64, blocks: &mut [u8]) -> Result<(), D::Error> {
        let in_sequence = offset == self.stream.next;
        if !in_sequence {
            self.stream.window = 0;
        }
        let direct = blocks.len() >= DIRECT;
        let mut done = 0;
        while done < blocks.len() {
            let at = offset + done as u64;
            let left = blocks.len() - done;
            done += match self.pages.extent(at, left) {
                (Some(slot), len) => {
                    self.pages.get(slot, at, &mut blocks[done..done + len]);
                    len
                }
                (None, _) => {
                    let len = self.pages.missing(at, left).min(self.max_transfer);
                    let target = &mut blocks[done..done + len];
                    if direct {
                        self.device.read_blocks(at, target)?;
                    } else {
                        // Only what is asked for last is followed by more.
                        let ahead = in_sequence && len == left;
                        self.fill(at, target, ahead)?;
                    }
                    len
                }
            };
        }
        self.stream.next = offset + blocks.len() as u64;
        Ok(())
    }

    /// Reads blocks that are not here, in one transfer, and keeps them.
    fn fill(&mut self, at: u64, target: &mut [u8], ahead: bool) -> Result<(), D::Error> {
        let len = target.len();
        let end = at + len as u64;
        let ahead = if ahead { self.ahead(end, len) } else { 0 };
        let mut scratch = mem::take(&mut self.scratch);
        scratch.resize((len + ahead).max(scratch.len()), 0);
        let mut read = len + ahead;
        let mut result = self.device.read_blocks(at, &mut scratch[..read]);
        if result.is_err() && ahead > 0 {
            // Perhaps only what nobody has asked for cannot be read.
            self.stream.window = 0;
            read = len;
            result = self.device.read_blocks(at, &mut scratch[..read]);
        }
        if result.is_ok() {
            target.copy_from_slice(&scratch[..len]);
        }
        self.scratch = scratch;
        result?;
        self.keep(at, read);
        Ok(())
    }

    /// How many bytes from `end` on are read with the `len` in front of it.
    fn ahead(&mut self, end: u64, len: usize) -> usize {
        let page_size = self.pages.page_size();
        let window = (2 * self.stream.window).max(FIRST_WINDOW * page_size);
        let window = window.min(self.read_ahead);
        self.stream.window = window;
        // To the end of a page, so that the next begins with one.
        let whole = (end + window as u64) / page_size as u64 * page_size as u64;
        let window = usize::try_from(whole.saturating_sub(end)).unwrap_or(0);
        let window = window.min(self.max_transfer.saturating_sub(len));
        self.pages.missing(end, self.pages.to_end(end, window))
    }

    /// Puts the first `len` bytes of the scratch buffer into pages, as far as there is room.
    fn keep(&mut self, at: u64, len: usize) {
        let mut done = 0;
        while done < len {
            let at = at + done as u64;
            let part = self.pages.left(at).min(len - done);
            let Some(slot) = self.claim(at) else { return };
            self.pages
                .put(slot, at, &self.scratch[done..done + part], false);
            done += part;
        }
    }
}
