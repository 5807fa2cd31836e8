//! Tasks that wait for the ends of flushes.

use std::{cell::RefCell, task::Waker};

use solo5_ffi::Handle;

/// Who waits, and for which device.
#[derive(Default)]
pub(crate) struct Flushes {
    waiting: RefCell<Vec<(Handle, Waker)>>,
}

impl Flushes {
    /// Has `waker` woken, once, when a flush of the device has ended.
    pub(crate) fn wake_at_end(&self, device: Handle, waker: &Waker) {
        let mut waiting = self.waiting.borrow_mut();
        let mut there = waiting.iter();
        if !there.any(|(of, kept)| *of == device && kept.will_wake(waker)) {
            waiting.push((device, waker.clone()));
        }
    }

    /// The devices for which somebody waits.
    pub(crate) fn awaited(&self) -> Vec<Handle> {
        let waiting = self.waiting.borrow();
        waiting.iter().map(|(device, _)| *device).collect()
    }

    /// Wakes those whose device it is; their number.
    pub(crate) fn wake(&self, has_ended: impl Fn(Handle) -> bool) -> usize {
        if self.waiting.borrow().is_empty() {
            return 0;
        }
        let (ended, waiting) = self
            .waiting
            .take()
            .into_iter()
            .partition(|(device, _)| has_ended(*device));
        let ended: Vec<_> = ended;
        self.waiting.replace(waiting);
        let woken = ended.len();
        ended.into_iter().for_each(|(_, waker)| waker.wake());
        woken
    }
}
