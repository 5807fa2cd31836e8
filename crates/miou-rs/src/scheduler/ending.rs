//! The end of a scheduler.

use core::ptr;

use super::{CURRENT, Local, POLLED};
use crate::task::shared::Message;
use crate::task::state::flag;
use crate::task::waker;

impl Local {
    /// Cancels all tasks and lets go of those that others still refer to.
    /// Afterwards no scheduler runs on this thread.
    pub(super) fn end(&self) {
        self.ending.set(true);
        // If this is because a subscriber has panicked it is not yet.
        POLLED.set(ptr::null());
        self.cancel_all();
        // Wakers and closures that are not ours: their destructors may call
        // anything here, and find nothing to do.
        #[cfg(feature = "remote")]
        {
            // Tasks that are here but were not looked at: their destructors,
            // too, may call anything.
            self.attend_inbox();
            self.remotes.clear();
        }
        let timers = self.timers.borrow_mut().clear();
        drop(timers);
        self.hooks.clear();
        while let Some(task) = self.lanes.pop() {
            // SAFETY: `SCHEDULED` pinned it.
            unsafe { task.as_ref() }.clear(flag::SCHEDULED);
            self.release(task);
        }
        CURRENT.set(ptr::null());
        self.sever();
    }

    /// Cancels one task after another. Bounded, as what is spawned meanwhile is
    /// cancelled at once.
    fn cancel_all(&self) {
        let mut next = self.arena.first_task();
        while let Some(task) = next {
            // SAFETY: `DOOMED` pins it until `release` decides; the one after it
            // is not freed in between, where nothing happens but that release.
            unsafe {
                task.as_ref().set(flag::DOOMED);
                self.cancel(task);
                next = self.arena.task_after(task);
                task.as_ref().clear(flag::DOOMED);
            }
            self.release(task);
        }
    }

    /// Moves all references to what is left into the counts that any thread may
    /// decrement, then closes the inbox. See [`crate::task`].
    fn sever(&self) {
        // SAFETY: no scheduler is current, so no task is made or freed any more,
        // and nobody changes a `state`. A task that has not been freed was
        // referred to when it was last released.
        unsafe {
            self.arena.sever();
            for task in self.arena.tasks() {
                let header = task.as_ref();
                // A future that could not be dropped, as code that is not a
                // task's has panicked while it ran, is never moved: it stays.
                let more = [flag::PROMISE, flag::ALIVE].map(|flag| u32::from(header.has(flag)));
                header.state.move_to(&header.remote, more[0] + more[1]);
            }
        }
        self.shared.inbox.close();
        while let Some(message) = self.shared.inbox.pop() {
            match message {
                // SAFETY: the message carries a reference, and the inbox is
                // closed.
                Message::Wake(task) | Message::Drop(task) => unsafe {
                    waker::drop_severed(task);
                },
                #[cfg(feature = "remote")]
                Message::Run(runnable) => drop(runnable),
            }
        }
    }
}
