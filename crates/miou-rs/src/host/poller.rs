//! The event source, on the `polling` crate.

use core::cell::{Cell, RefCell};
use core::task::Waker;
use core::time::Duration;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use polling::{Event, Events, PollMode, Poller};
use rustix::event::{PollFd, PollFlags, Timespec};
use slab::Slab;

use crate::{Deadlock, EventSource, Instant, Notifier};

/// Events from the kernel (epoll), the clock `CLOCK_MONOTONIC`.
///
/// [`Builder::run`](crate::Builder::run) makes one. While the scheduler runs,
/// [`Async`](super::Async) finds it by the thread.
pub struct Host {
    inner: Rc<Inner>,
    /// What `CURRENT` was before.
    former: Weak<Inner>,
}

pub(super) struct Inner {
    poller: Arc<Poller>,
    start: std::time::Instant,
    events: RefCell<Events>,
    sources: RefCell<Slab<Source>>,
    /// Used and put back by `collect`.
    woken: Cell<Vec<Waker>>,
}

/// Who waits for a descriptor, by [`Direction`].
#[derive(Default)]
struct Source {
    wakers: [Vec<Waker>; 2],
}

/// What is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Direction {
    Read,
    Write,
}

thread_local! {
    static CURRENT: RefCell<Weak<Inner>> = const { RefCell::new(Weak::new()) };
}

impl Host {
    /// An event source for a scheduler on this thread.
    ///
    /// # Errors
    ///
    /// When the kernel refuses the descriptors.
    pub fn new() -> io::Result<Self> {
        let inner = Rc::new(Inner {
            poller: Arc::new(Poller::new()?),
            start: std::time::Instant::now(),
            events: RefCell::new(Events::new()),
            sources: RefCell::default(),
            woken: Cell::default(),
        });
        let former = CURRENT.replace(Rc::downgrade(&inner));
        Ok(Self { inner, former })
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let current = CURRENT.take();
        // Not if another was made since, and is still there.
        CURRENT.set(if current.ptr_eq(&Rc::downgrade(&self.inner)) {
            self.former.clone()
        } else {
            current
        });
    }
}

impl core::fmt::Debug for Host {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Host").finish_non_exhaustive()
    }
}

impl EventSource for Host {
    fn now(&self) -> Instant {
        let nanos = self.inner.start.elapsed().as_nanos();
        // 584 years.
        Instant::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    fn poll(&self) -> usize {
        // A notification needs no look: the scheduler has its own.
        if self.inner.sources.borrow().is_empty() || !self.inner.has_events() {
            return 0;
        }
        self.inner.collect(Some(Duration::ZERO))
    }

    fn wait(&self, deadline: Option<Instant>) -> Result<usize, Deadlock> {
        let timeout = deadline.map(|deadline| deadline.saturating_duration_since(self.now()));
        // Without a deadline and without descriptors another thread may still
        // wake a task: never a deadlock.
        Ok(self.inner.collect(timeout))
    }

    fn notifier(&self) -> Option<Notifier> {
        // Weak: wakers may outlive the scheduler, the descriptors need not.
        let poller = Arc::downgrade(&self.inner.poller);
        Some(Arc::new(move || {
            if let Some(poller) = poller.upgrade() {
                // It fails only if the descriptor is broken, and then so is
                // the wait that it should end.
                let _ = poller.notify();
            }
        }))
    }
}

impl Inner {
    /// The event source of the scheduler on this thread.
    pub(super) fn current() -> Option<Rc<Self>> {
        CURRENT.with_borrow(Weak::upgrade)
    }

    /// Whether there are events to collect: one system call, where the poller's
    /// own wait makes five.
    fn has_events(&self) -> bool {
        let mut descriptors = [PollFd::new(&*self.poller, PollFlags::IN)];
        let at_once = Timespec::default();
        // When in doubt, look.
        rustix::event::poll(&mut descriptors, Some(&at_once)) != Ok(0)
    }

    /// Waits at most `timeout`, and wakes who waits for what happened.
    fn collect(&self, timeout: Option<Duration>) -> usize {
        let mut events = self.events.borrow_mut();
        events.clear();
        // An error leaves no events: interrupted by a signal, or a broken
        // descriptor, which reading will tell its owner.
        if self.poller.wait(&mut events, timeout).is_err() {
            return 0;
        }
        let mut woken = self.woken.take();
        let mut count = 0;
        {
            let mut sources = self.sources.borrow_mut();
            for event in events.iter() {
                let Some(source) = sources.get_mut(event.key) else {
                    continue;
                };
                count += 1;
                let happened = [event.readable, event.writable];
                for (happened, wakers) in happened.into_iter().zip(&mut source.wakers) {
                    if happened {
                        woken.append(wakers);
                    }
                }
            }
        }
        for waker in woken.drain(..) {
            waker.wake();
        }
        self.woken.set(woken);
        count
    }

    /// Watches a descriptor; gives a key for it.
    ///
    /// # Safety
    ///
    /// It stays open until [`remove`](Self::remove).
    pub(super) unsafe fn add(&self, descriptor: BorrowedFd<'_>) -> io::Result<usize> {
        let mut sources = self.sources.borrow_mut();
        let vacant = sources.vacant_entry();
        let key = vacant.key();
        // Edge-triggered: one system call for the descriptor's whole life.
        // SAFETY: the caller removes it before it is closed.
        unsafe {
            self.poller
                .add_with_mode(&descriptor, Event::all(key), PollMode::Edge)?;
        }
        vacant.insert(Source::default());
        Ok(key)
    }

    pub(super) fn remove(&self, key: usize, descriptor: BorrowedFd<'_>) {
        let source = self.sources.borrow_mut().try_remove(key);
        drop(source);
        // It fails only if the descriptor is not watched.
        let _ = self.poller.delete(descriptor.as_fd());
    }

    /// Has the next event wake `waker`.
    ///
    /// Events are seen between the polls of tasks: a task that has found that
    /// an operation would block, and calls this in the same poll, misses none.
    pub(super) fn register(&self, key: usize, direction: Direction, waker: &Waker) {
        let waker = waker.clone();
        if let Some(source) = self.sources.borrow_mut().get_mut(key) {
            let wakers = &mut source.wakers[direction as usize];
            if !wakers.iter().any(|held| held.will_wake(&waker)) {
                wakers.push(waker);
            }
        }
    }
}
