//! The end of a scheduler.

use core::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{CURRENT, Local, Message};
use crate::task::TaskRef;
use crate::task::raw::flag;
use crate::task::waker;

impl Local {
    /// Cancels all tasks and lets go of those that others still refer to.
    /// Afterwards no scheduler runs on this thread.
    pub(super) fn end(&self) {
        self.ending.set(true);
        self.cancel_all();
        // Wakers and closures that are not ours: their destructors may call
        // anything here, and find nothing to do.
        let timers = self.timers.borrow_mut().clear();
        drop(timers);
        self.hooks.clear();
        loop {
            let Some((task, _)) = self.lanes.borrow_mut().pop() else {
                break;
            };
            // SAFETY: `SCHEDULED` pinned it.
            unsafe { task.as_ref() }.clear(flag::SCHEDULED);
            self.release(task);
        }
        CURRENT.set(ptr::null());
        self.sever();
    }

    /// Cancels task after task until none is alive. Bounded, as what is
    /// spawned meanwhile is cancelled at once.
    fn cancel_all(&self) {
        let mut ended: Option<TaskRef> = None;
        while let Some(task) = self.tasks.get() {
            // Out of the list, lest one that has ended but is still referred
            // to be seen again; and pinned, to be put back.
            // SAFETY: tasks in the list are there, and `DOOMED` pins this one.
            let header = unsafe { task.as_ref() };
            header.set(flag::DOOMED);
            self.unlink(task);
            self.cancel(task);
            header.next.set(ended);
            ended = Some(task);
        }
        while let Some(task) = ended {
            // SAFETY: `DOOMED` pinned it, and `release` decides.
            let header = unsafe { task.as_ref() };
            ended = header.next.take();
            self.link(task);
            header.clear(flag::DOOMED);
            self.release(task);
        }
    }

    /// Moves all references to what is left into the counts that any thread may
    /// decrement, then closes the inbox. See [`crate::task`].
    fn sever(&self) {
        while let Some(task) = self.tasks.get() {
            self.unlink(task);
            // SAFETY: tasks in the list are there, and this one was not
            // unreferenced when it was last released. No scheduler is current,
            // so nobody changes `local_refs` any more.
            unsafe {
                let header = task.as_ref();
                Arc::increment_strong_count(header.shared);
                let mut refs = header.local_refs.replace(0);
                if header.has(flag::PROMISE) {
                    refs = refs.wrapping_add(1);
                }
                // A future that could not be dropped, as code that is not a
                // task's has panicked while it ran, is never moved: it stays.
                if header.has(flag::ALIVE) {
                    refs = refs.wrapping_add(1);
                }
                header.set(flag::SEVERED);
                header.remote_refs.fetch_add(refs, Ordering::AcqRel);
            }
        }
        self.shared.inbox.close();
        while let Some(Message::Wake(task) | Message::Drop(task)) = self.shared.inbox.pop() {
            // SAFETY: the message carries a reference, and the inbox is closed.
            unsafe { waker::drop_severed(task) }
        }
    }
}
