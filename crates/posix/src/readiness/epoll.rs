//! `epoll`, level- and edge-triggered.
//!
//! As in Linux there is a list of descriptions that may be ready: an event puts one there, a look takes it off and asks it,
//! and one that is level-triggered goes back as long as it is ready.

use core::cell::{Cell, RefCell};
use core::ffi::c_int;
use core::mem;
use std::collections::{BTreeMap, VecDeque};
use std::rc::{Rc, Weak};

use libc::{
    EEXIST, EINVAL, ELOOP, ENOENT, EPERM, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLET,
    EPOLLEXCLUSIVE, EPOLLONESHOT, EPOLLWAKEUP,
};

use super::queue::{Queue, Watcher};
use super::{ERR, Events, HUP, READ};
use crate::descriptors::open::{Description, Open};
use crate::error::{Result, fail};

const EDGE: Events = EPOLLET as Events;
const ONCE: Events = EPOLLONESHOT as Events;
/// What says how to tell, and not what of.
const MODES: Events = EDGE | ONCE | EPOLLWAKEUP as Events | EPOLLEXCLUSIVE as Events;
/// Instances that watch each other in a row, at most.
const MOST_NESTED: usize = 5;

/// What `epoll_wait` tells: the events, and what the program has given with the descriptor.
pub(crate) type Told = (Events, u64);

/// An instance.
pub(crate) struct Epoll {
    this: Weak<Self>,
    items: RefCell<BTreeMap<Key, Rc<Item>>>,
    ready: RefCell<VecDeque<Rc<Item>>>,
    queue: Queue,
}

/// A descriptor, and the number of what it stood for when it was added: what `dup` makes is another.
type Key = (c_int, u64);

/// A description that an instance watches.
pub(crate) struct Item {
    epoll: Weak<Epoll>,
    open: Weak<Open>,
    key: Key,
    wanted: Cell<Events>,
    data: Cell<u64>,
    is_listed: Cell<bool>,
}

impl Epoll {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new_cyclic(|this| Self {
            this: this.clone(),
            items: RefCell::default(),
            ready: RefCell::default(),
            queue: Queue::default(),
        })
    }

    /// `epoll_ctl` for the descriptor `fd`, which stands for `open`.
    pub(crate) fn control(
        &self,
        operation: c_int,
        fd: c_int,
        open: &Rc<Open>,
        wanted: Events,
        data: u64,
    ) -> Result<()> {
        if open.description().queue().is_none() {
            return fail(EPERM);
        }
        let key = (fd, open.id());
        let wanted = wanted | ERR | HUP;
        let item = self.items.borrow().get(&key).cloned();
        match (operation, item) {
            (EPOLL_CTL_ADD, Some(_)) => fail(EEXIST),
            (EPOLL_CTL_ADD, None) => self.add(key, open, wanted, data),
            (EPOLL_CTL_DEL | EPOLL_CTL_MOD, None) => fail(ENOENT),
            (EPOLL_CTL_DEL, Some(item)) => {
                item.leave(open);
                self.remove(&item);
                Ok(())
            }
            (EPOLL_CTL_MOD, Some(item)) => {
                item.wanted.set(wanted);
                item.data.set(data);
                self.look(&item, open);
                Ok(())
            }
            _ => fail(EINVAL),
        }
    }

    fn add(&self, key: Key, open: &Rc<Open>, wanted: Events, data: u64) -> Result<()> {
        if let Some(other) = open.description().as_epoll() {
            if core::ptr::eq(other, self) {
                return fail(EINVAL);
            }
            if other.reaches(self, MOST_NESTED) {
                return fail(ELOOP);
            }
        }
        let item = Rc::new(Item {
            epoll: self.this.clone(),
            open: Rc::downgrade(open),
            key,
            wanted: Cell::new(wanted),
            data: Cell::new(data),
            is_listed: Cell::new(false),
        });
        self.items.borrow_mut().insert(key, item.clone());
        open.remember(&item);
        if let Some(queue) = open.description().queue() {
            queue.watch(item.as_watcher());
        }
        self.look(&item, open);
        Ok(())
    }

    /// Whether this instance watches `target`, itself or by others, or is too deep to tell.
    fn reaches(&self, target: &Self, depth: usize) -> bool {
        let items = self.items.borrow();
        let opens = items.values().filter_map(|item| item.open.upgrade());
        opens.into_iter().any(|open| {
            open.description().as_epoll().is_some_and(|epoll| {
                depth == 0 || core::ptr::eq(epoll, target) || epoll.reaches(target, depth - 1)
            })
        })
    }

    /// Lists a description that is ready.
    fn look(&self, item: &Rc<Item>, open: &Rc<Open>) {
        if open.description().ready() & item.wanted.get() != 0 {
            self.list(item);
        }
    }

    fn list(&self, item: &Rc<Item>) {
        if !item.is_listed.replace(true) {
            self.ready.borrow_mut().push_back(item.clone());
        }
        self.queue.wake(READ);
    }

    /// Forgets a description, of which the last descriptor may have been closed.
    pub(crate) fn remove(&self, item: &Item) {
        let gone = self.items.borrow_mut().remove(&item.key);
        if item.is_listed.get() {
            let mut ready = self.ready.borrow_mut();
            ready.retain(|other| !core::ptr::eq(&raw const **other, item));
        }
        drop(gone);
    }

    /// What is ready, at most so much: `epoll_wait` without waiting.
    pub(crate) fn take(&self, most: usize) -> Vec<Told> {
        let mut listed = mem::take(&mut *self.ready.borrow_mut());
        let mut told = Vec::with_capacity(most.min(listed.len()));
        let mut again = VecDeque::new();
        while told.len() < most
            && let Some(item) = listed.pop_front()
        {
            item.is_listed.set(false);
            let Some(open) = item.open.upgrade() else {
                continue;
            };
            let wanted = item.wanted.get();
            let events = open.description().ready() & wanted;
            if events == 0 {
                continue;
            }
            told.push((events, item.data.get()));
            if wanted & ONCE != 0 {
                item.wanted.set(wanted & MODES);
            } else if wanted & EDGE == 0 && !item.is_listed.replace(true) {
                again.push_back(item);
            }
        }
        // Those that were not looked at come first the next time.
        let mut ready = self.ready.borrow_mut();
        listed.append(&mut again);
        listed.append(&mut ready);
        *ready = listed;
        told
    }
}

impl Description for Epoll {
    fn ready(&self) -> Events {
        let listed: Vec<Rc<Item>> = self.ready.borrow().iter().cloned().collect();
        let is_ready = |item: &Rc<Item>| {
            let open = item.open.upgrade();
            open.is_some_and(|open| open.description().ready() & item.wanted.get() != 0)
        };
        match listed.iter().any(is_ready) {
            true => READ,
            false => 0,
        }
    }

    fn queue(&self) -> Option<&Queue> {
        Some(&self.queue)
    }

    fn as_epoll(&self) -> Option<&Epoll> {
        Some(self)
    }
}

/// What is open for longer does not know of it any more.
impl Drop for Epoll {
    fn drop(&mut self) {
        for item in mem::take(self.items.get_mut()).into_values() {
            if let Some(open) = item.open.upgrade() {
                item.leave(&open);
            }
        }
    }
}

impl Item {
    /// Has the description forget that it is watched.
    fn leave(self: &Rc<Self>, open: &Open) {
        if let Some(queue) = open.description().queue() {
            queue.unwatch(&self.as_watcher());
        }
        open.forget(self);
    }

    fn as_watcher(self: &Rc<Self>) -> Weak<dyn Watcher> {
        let item: Weak<Self> = Rc::downgrade(self);
        item
    }

    /// The description is gone.
    pub(crate) fn end(&self) {
        if let Some(epoll) = self.epoll.upgrade() {
            epoll.remove(self);
        }
    }
}

impl Watcher for Item {
    fn notify(self: Rc<Self>, events: Events) {
        let wanted = self.wanted.get();
        // One that was told of once is silent until it is set anew.
        if wanted & !MODES == 0 || (events != 0 && events & wanted == 0) {
            return;
        }
        if let Some(epoll) = self.epoll.upgrade() {
            epoll.list(&self);
        }
    }
}

#[cfg(test)]
mod tests;
