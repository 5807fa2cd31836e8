//! `timerfd`: a count of how often a time has come.

use core::cell::{Cell, RefCell};
use core::ffi::c_int;
use core::time::Duration;
use std::collections::BTreeMap;
use std::io::{IoSlice, IoSliceMut};
use std::rc::{Rc, Weak};

use libc::EINVAL;

use super::blocking;
use super::event::spread;
use super::open::{Description, total};
use crate::error::{Errno, Result, fail};
use crate::readiness::queue::Queue;
use crate::readiness::{ALL, Events, IN};

/// The monotonic clock's time.
pub(crate) type Time = Duration;

/// All timers that are set, and who must know when the first changes.
#[derive(Default)]
pub(crate) struct Timers {
    set: RefCell<BTreeMap<(Time, u64), Weak<Timer>>>,
    next: Cell<u64>,
    /// Is woken when a timer is set.
    pub(crate) changes: Queue,
}

/// When a timer rings, and how often after that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) at: Option<Time>,
    pub(crate) interval: Time,
}

/// A timer.
pub(crate) struct Timer {
    this: Weak<Self>,
    timers: Rc<Timers>,
    key: u64,
    /// By which it is set: a number of C's.
    clock: c_int,
    setting: Cell<Setting>,
    count: Cell<u64>,
    queue: Queue,
}

impl Timers {
    /// When the first rings.
    pub(crate) fn next(&self) -> Option<Time> {
        let set = self.set.borrow();
        set.first_key_value().map(|((at, _), _)| *at)
    }

    /// Whether there are any.
    pub(crate) fn is_empty(&self) -> bool {
        self.set.borrow().is_empty()
    }

    /// Rings those whose time has come.
    pub(crate) fn ring(&self, now: Time) {
        loop {
            let mut set = self.set.borrow_mut();
            let due = set.first_entry().filter(|entry| entry.key().0 <= now);
            let Some(timer) = due.map(|entry| entry.remove()) else {
                return;
            };
            drop(set);
            if let Some(timer) = timer.upgrade() {
                timer.rings(now);
            }
        }
    }
}

impl Timer {
    pub(crate) fn new(timers: &Rc<Timers>, clock: c_int) -> Rc<Self> {
        let key = timers.next.get();
        timers.next.set(key + 1);
        Rc::new_cyclic(|this| Self {
            this: this.clone(),
            timers: timers.clone(),
            key,
            clock,
            setting: Cell::default(),
            count: Cell::default(),
            queue: Queue::default(),
        })
    }

    /// Sets it anew; returns what it was set to.
    pub(crate) fn set(&self, setting: Setting) -> Setting {
        self.count.set(0);
        self.unlist();
        let former = self.setting.replace(setting);
        self.list();
        // Those who wait count on the first to ring as it was.
        self.timers.changes.wake(ALL);
        former
    }

    pub(crate) fn clock(&self) -> c_int {
        self.clock
    }

    pub(crate) fn setting(&self) -> Setting {
        self.setting.get()
    }

    fn list(&self) {
        if let Some(at) = self.setting.get().at {
            let mut set = self.timers.set.borrow_mut();
            set.insert((at, self.key), self.this.clone());
        }
    }

    fn unlist(&self) {
        if let Some(at) = self.setting.get().at {
            self.timers.set.borrow_mut().remove(&(at, self.key));
        }
    }

    fn rings(&self, now: Time) {
        let Setting { at, interval } = self.setting.get();
        let Some(at) = at else {
            return;
        };
        let late = now.saturating_sub(at).as_nanos();
        let more = late.checked_div(interval.as_nanos()).unwrap_or(0);
        let times = u64::try_from(more).unwrap_or(u64::MAX - 1) + 1;
        self.count.set(self.count.get().saturating_add(times));
        let passed = Duration::from_nanos_u128(interval.as_nanos().saturating_mul(times.into()));
        let next = (!interval.is_zero()).then(|| at.saturating_add(passed));
        self.setting.set(Setting { at: next, interval });
        self.list();
        self.queue.wake(IN);
    }
}

impl Description for Timer {
    fn read(&self, buffers: &mut [IoSliceMut<'_>]) -> Result<usize> {
        if total(buffers) < size_of::<u64>() {
            return fail(EINVAL);
        }
        // Who only ever reads has nobody else who would.
        self.timers.ring(blocking::time(blocking::now()));
        match self.count.take() {
            0 => Err(Errno::AGAIN),
            count => {
                spread(count, buffers);
                Ok(size_of::<u64>())
            }
        }
    }

    fn write(&self, _buffers: &[IoSlice<'_>]) -> Result<usize> {
        fail(EINVAL)
    }

    fn ready(&self) -> Events {
        if self.count.get() > 0 { IN } else { 0 }
    }

    fn queue(&self) -> Option<&Queue> {
        Some(&self.queue)
    }

    fn as_timer(&self) -> Option<&Timer> {
        Some(self)
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.unlist();
    }
}

#[cfg(test)]
mod tests;
