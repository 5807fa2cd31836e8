//! What is dirty goes to the device: when a page is needed, and before a flush.

use alloc::vec::Vec;
use core::ops::Range;

use super::Cached;
use crate::SectorDevice;

/// Most bytes that are written at once when a page is needed.
const CLUSTER: usize = 128 << 10;

impl<D: SectorDevice> Cached<D> {
    /// Hands all that is dirty to the device, in ascending order. It is not flushed.
    ///
    /// # Errors
    ///
    /// The first, when any of it cannot be written. That stays dirty; all the rest is tried.
    pub fn write_back(&mut self) -> Result<(), D::Error> {
        let mut result = Ok(());
        let mut at = 0;
        while let Some(run) = self.pages.dirty_run(at, self.max_transfer) {
            at = run.end;
            let written = self.write_run(run);
            result = result.and(written);
        }
        result
    }

    /// The page of `at`: the one that there is, or another in whose place it comes. None when every
    /// other page is dirty and cannot be written.
    pub(super) fn claim(&mut self, at: u64) -> Option<usize> {
        if let Some(slot) = self.pages.find(at).or_else(|| self.pages.grow(at)) {
            return Some(slot);
        }
        let mut fails = false;
        for _ in 0..2 * self.pages.len() {
            let (slot, used, dirty) = self.pages.step();
            if used || (dirty && fails) {
                continue;
            }
            // Others are not tried after one that failed: with a device that is gone each request
            // would try them all.
            fails = dirty && self.write_page(slot).is_err();
            if !fails {
                self.pages.reuse(slot, at);
                return Some(slot);
            }
        }
        None
    }

    /// Writes what is dirty of a page, with what is dirty around it.
    fn write_page(&mut self, slot: usize) -> Result<(), D::Error> {
        let most = CLUSTER
            .min(self.max_transfer)
            .max(self.geometry.block_size());
        while let Some(first) = self.pages.first_dirty(slot) {
            let start = self.pages.dirty_start(first, most / 2);
            let Some(run) = self.pages.dirty_run(start, most) else {
                break;
            };
            self.write_run(run)?;
        }
        Ok(())
    }

    /// Writes a run of dirty blocks, one by one if they cannot be written together.
    fn write_run(&mut self, run: Range<u64>) -> Result<(), D::Error> {
        let Err(error) = self.write_together(&run) else {
            return Ok(());
        };
        let block_size = self.geometry.block_size() as u64;
        if run.end - run.start == block_size {
            return Err(error);
        }
        let mut result = Ok(());
        for start in run.step_by(block_size as usize) {
            let written = self.write_together(&(start..start + block_size));
            result = result.and(written);
        }
        result
    }

    fn write_together(&mut self, run: &Range<u64>) -> Result<(), D::Error> {
        match self.pages.slice(run) {
            Some(blocks) => self.device.write_blocks(run.start, blocks)?,
            None => {
                let mut blocks = Vec::new();
                self.pages.gather(run, &mut blocks);
                self.device.write_blocks(run.start, &blocks)?;
            }
        }
        self.pages.clean(run);
        Ok(())
    }
}
