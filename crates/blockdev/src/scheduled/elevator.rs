//! What is done next.

use alloc::sync::Arc;

use super::state::State;
use crate::device::failed;
use crate::{Operation, SectorDevice};

impl<D: SectorDevice> State<D> {
    /// Does a slice of what is queued: something, if there is anything.
    pub(super) fn turn(&mut self) {
        if self.flush() {
            return;
        }
        let slice = self.config.slice as u64;
        let mut spent = 0;
        let mut next = self.overdue().or_else(|| self.next_upwards());
        while let Some(index) = next {
            spent += self.serve(index, slice.saturating_sub(spent));
            next = self
                .next_upwards()
                .filter(|&index| spent.saturating_add(self.cost(index)) <= slice);
        }
        self.served += spent;
    }

    /// Flushes the device for all whose writes before it are done, if there is one.
    fn flush(&mut self) -> bool {
        let Some(first) = self.next_flush(0) else {
            return false;
        };
        let result = self.device.flush().map_err(Arc::new);
        let result = result.map_err(failed(Operation::Flush, 0, 0));
        let mut next = Some(first);
        while let Some(index) = next {
            self.finish(index, result.clone());
            // Those that get a place now were submitted before this flush too.
            next = self.next_flush(index);
        }
        true
    }

    fn next_flush(&self, from: usize) -> Option<usize> {
        let mut behind = self.active.iter().skip(from);
        let found = behind.position(|request| request.is_flush() && request.is_free());
        found.map(|index| from + index)
    }

    /// The oldest that has been overtaken by too much.
    fn overdue(&self) -> Option<usize> {
        self.active.iter().position(|request| {
            !request.is_flush()
                && request.is_free()
                && self.served - request.since >= self.config.patience
        })
    }

    /// The next above the head, or the lowest of all (C-SCAN).
    fn next_upwards(&self) -> Option<usize> {
        self.active.next_upwards(self.head)
    }
}
