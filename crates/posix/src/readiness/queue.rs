//! Who waits for one description.

use core::cell::{Cell, RefCell};
use core::mem;
use core::task::Waker;
use std::rc::{Rc, Weak};

use super::{ALL, Events};

/// Is told of every event from [`Queue::watch`] on.
pub(crate) trait Watcher {
    fn notify(self: Rc<Self>, events: Events);
}

/// Those who wait for events of a description: once, or for all of them.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: RefCell<Vec<Waiting>>,
    watchers: RefCell<Vec<Weak<dyn Watcher>>>,
    next: Cell<u64>,
}

struct Waiting {
    key: u64,
    events: Events,
    waker: Waker,
}

impl Queue {
    /// Wakes those who wait for some of `events`; for [`ALL`], everybody.
    pub(crate) fn wake(&self, events: Events) {
        let matches = |wanted: Events| events == ALL || events & wanted != 0;
        // Who comes back meanwhile waits for the next time.
        let next = self.next.get();
        while let Some(one) = self.take(|one| one.key < next && matches(one.events)) {
            one.waker.wake();
        }
        // By index, as what is told may come back here.
        let mut index = 0;
        while let Some(watcher) = self.watcher(index) {
            if let Some(watcher) = watcher.upgrade() {
                watcher.notify(events);
            }
            index += 1;
        }
    }

    fn watcher(&self, index: usize) -> Option<Weak<dyn Watcher>> {
        self.watchers.borrow().get(index).cloned()
    }

    /// Tells `watcher` of all events from now on.
    pub(crate) fn watch(&self, watcher: Weak<dyn Watcher>) {
        self.watchers.borrow_mut().push(watcher);
    }

    pub(crate) fn unwatch(&self, watcher: &Weak<dyn Watcher>) {
        let mut watchers = self.watchers.borrow_mut();
        if let Some(index) = watchers.iter().position(|other| other.ptr_eq(watcher)) {
            watchers.remove(index);
        }
    }

    #[cfg(test)]
    pub(crate) fn watchers(&self) -> usize {
        self.watchers.borrow().len()
    }

    /// Takes out the first of those who wait for which that is so.
    fn take(&self, is_meant: impl FnMut(&Waiting) -> bool) -> Option<Waiting> {
        let mut waiting = self.waiting.borrow_mut();
        let index = waiting.iter().position(is_meant)?;
        Some(waiting.remove(index))
    }
}

/// A place in a [`Queue`], given back when it is dropped.
pub(crate) struct Place<'a> {
    queue: &'a Queue,
    key: Option<u64>,
}

impl<'a> Place<'a> {
    pub(crate) const fn new(queue: &'a Queue) -> Self {
        Self { queue, key: None }
    }

    /// Has `waker` woken at the next of `events`.
    pub(crate) fn wait(&mut self, events: Events, waker: &Waker) {
        let Queue { waiting, next, .. } = self.queue;
        let mut waiting = waiting.borrow_mut();
        if let Some(key) = self.key
            && let Some(one) = waiting.iter_mut().find(|one| one.key == key)
        {
            one.events = events;
            let former = match one.waker.will_wake(waker) {
                true => None,
                false => Some(mem::replace(&mut one.waker, waker.clone())),
            };
            drop(waiting);
            drop(former);
            return;
        }
        let key = next.get();
        next.set(key + 1);
        self.key = Some(key);
        let waker = waker.clone();
        waiting.push(Waiting { key, events, waker });
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            drop(self.queue.take(|one| one.key == key));
        }
    }
}
