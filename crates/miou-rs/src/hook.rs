//! Functions that run at each tick.

use core::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::scheduler;
use crate::task::outcome::{drop_quietly, guarded};

/// A function that the scheduler calls at each tick, that is, whenever it looks
/// for events.
///
/// It runs on the scheduler, not in a task: it may wake and spawn tasks, but
/// not wait. One that panics is removed. Dropping this handle removes it too.
///
/// ```
/// use std::cell::Cell;
/// use std::rc::Rc;
/// use std::time::Duration;
/// use miou_rs::{Builder, Hook, VirtualClock, sleep};
///
/// let ticks = Rc::new(Cell::new(0));
/// let counter = ticks.clone();
/// Builder::new().run_with(VirtualClock::new(), async move {
///     let hook = Hook::add(move || counter.set(counter.get() + 1));
///     sleep(Duration::from_millis(1)).await;
///     hook.remove();
/// });
/// assert!(ticks.get() >= 1);
/// ```
#[must_use = "dropping a hook removes it"]
pub struct Hook(Option<Rc<Entry>>);

struct Entry {
    function: RefCell<Option<Box<dyn FnMut()>>>,
    removed: Cell<bool>,
}

/// The hooks of a scheduler, in the order in which they were added.
#[derive(Default)]
pub(crate) struct Hooks {
    entries: RefCell<Vec<Rc<Entry>>>,
}

impl Hook {
    /// Adds a hook to the running scheduler. It first runs at the next tick.
    ///
    /// # Panics
    ///
    /// Outside of a scheduler.
    #[track_caller]
    pub fn add(function: impl FnMut() + 'static) -> Self {
        let entry = Rc::new(Entry {
            function: RefCell::new(Some(Box::new(function))),
            removed: Cell::new(false),
        });
        scheduler::with(|local| local.hooks.entries.borrow_mut().push(entry.clone()));
        Self(Some(entry))
    }

    /// Removes the hook: it is not called any more.
    pub fn remove(self) {}

    /// Leaves the hook in place until the scheduler ends.
    pub fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        let Some(entry) = &self.0 else {
            return;
        };
        entry.removed.set(true);
        // A hook may be dropped by itself, while it is borrowed: then `run`
        // drops it.
        if let Ok(mut function) = entry.function.try_borrow_mut() {
            let function = function.take();
            drop(function);
        }
    }
}

impl Hooks {
    #[inline]
    pub(crate) fn run(&self) {
        if !self.entries.borrow().is_empty() {
            self.run_all();
        }
    }

    fn run_all(&self) {
        // Those added by a hook wait for the next tick.
        let count = self.entries.borrow().len();
        for index in 0..count {
            let Some(entry) = self.entries.borrow().get(index).cloned() else {
                break;
            };
            let mut function = entry.function.borrow_mut();
            if let Some(call) = &mut *function
                && let Err(panic) = guarded(call)
            {
                entry.removed.set(true);
                drop_quietly(panic);
            }
            if entry.removed.get() {
                let function = function.take();
                drop_quietly(function);
            }
        }
        self.entries
            .borrow_mut()
            .retain(|entry| !entry.removed.get());
    }

    pub(crate) fn clear(&self) {
        for entry in self.entries.take() {
            entry.removed.set(true);
            let function = entry.function.take();
            drop_quietly(function);
        }
    }
}

impl core::fmt::Debug for Hook {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Hook").finish_non_exhaustive()
    }
}
