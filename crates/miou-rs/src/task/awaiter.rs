//! Who awaits a task: a `Waker`, in one word.

use core::cell::Cell;
use core::ptr::{self, NonNull};
use core::task::Waker;

use super::{Header, TaskRef, block, waker};

/// Nobody, a task of the same scheduler, or any other waker (boxed).
///
/// A task that is awaited is nearly always awaited by another task of its
/// scheduler, whose address says all that its waker does.
pub(crate) struct Awaiter(Cell<*mut ()>);

/// Set in the address of a boxed waker.
const BOXED: usize = 1;

impl Awaiter {
    pub(crate) const fn none() -> Self {
        Self(Cell::new(ptr::null_mut()))
    }

    /// Makes `waker` the one to be woken.
    ///
    /// # Safety
    ///
    /// `owner` is the task that holds this, and the caller is on its thread.
    pub(crate) unsafe fn set(&self, waker: &Waker, owner: TaskRef) {
        let value = match waker::task_of(waker) {
            // SAFETY: `task` is alive, for `waker` refers to it, and so is
            // `owner`, by contract; `shared` never changes.
            Some(task) if unsafe { block::of(task).shared == block::of(owner).shared } => {
                if self.0.get() == task.as_ptr().cast() {
                    return;
                }
                core::mem::forget(waker.clone());
                task.as_ptr().cast()
            }
            _ => {
                if self.boxed().is_some_and(|held| held.will_wake(waker)) {
                    return;
                }
                let boxed: *mut Waker = Box::into_raw(Box::new(waker.clone()));
                boxed.map_addr(|address| address | BOXED).cast()
            }
        };
        drop(self.replace(value));
    }

    /// Takes the waker out.
    pub(crate) fn take(&self) -> Option<Waker> {
        if self.0.get().is_null() {
            return None;
        }
        self.replace(ptr::null_mut())
    }

    fn boxed(&self) -> Option<&Waker> {
        let value = self.0.get();
        if value.addr() & BOXED == 0 {
            return None;
        }
        // SAFETY: the tag says that this is the address of a waker that `set`
        // boxed and that nobody has taken out. The reference does not outlive
        // `set`, the only caller, which runs no other code while it has it but
        // `will_wake`, a comparison.
        Some(unsafe { &*value.map_addr(|address| address & !BOXED).cast::<Waker>() })
    }

    fn replace(&self, value: *mut ()) -> Option<Waker> {
        let old = self.0.replace(value);
        if old.is_null() {
            None
        } else if old.addr() & BOXED == 0 {
            let task: TaskRef = NonNull::new(old.cast::<Header>())?;
            // SAFETY: `set` kept one reference to this task for us.
            Some(unsafe { waker::from_task(task) })
        } else {
            // SAFETY: the tag says that `set` boxed this waker; it has just
            // been replaced, so it is taken out once.
            let boxed = unsafe { Box::from_raw(old.map_addr(|a| a & !BOXED).cast::<Waker>()) };
            Some(*boxed)
        }
    }
}
