//! Locks of whole files, as `flock` has them: each belongs to an open file description.

use core::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use crate::readiness::ALL;
use crate::readiness::queue::Queue;

/// Who has a file locked, by numbers.
#[derive(Default)]
pub(crate) struct Locks {
    exclusive: Cell<Option<u64>>,
    shared: RefCell<BTreeSet<u64>>,
    /// Is woken when one goes.
    pub(super) changed: Queue,
}

impl Locks {
    /// Locks the file for `owner`, if no other is in the way.
    pub(super) fn lock(&self, owner: u64, exclusive: bool) -> bool {
        let others = self.exclusive.get().is_some_and(|other| other != owner);
        let mut shared = self.shared.borrow_mut();
        if others || exclusive && shared.iter().any(|other| *other != owner) {
            return false;
        }
        shared.remove(&owner);
        self.exclusive.set(exclusive.then_some(owner));
        if !exclusive {
            shared.insert(owner);
        }
        true
    }

    /// Gives up what `owner` has.
    pub(super) fn unlock(&self, owner: u64) {
        let was_shared = self.shared.borrow_mut().remove(&owner);
        if self.exclusive.get() == Some(owner) {
            self.exclusive.set(None);
        } else if !was_shared {
            return;
        }
        self.changed.wake(ALL);
    }
}
