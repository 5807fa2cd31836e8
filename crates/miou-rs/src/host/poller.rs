//! The event source: epoll, and an eventfd for other threads.

use core::cell::{Cell, RefCell};
use core::mem;
use core::task::Waker;
use core::time::Duration;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd};
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
    epoll: OwnedFd,
    /// Written to by other threads to end a wait.
    bell: Arc<OwnedFd>,
    start: std::time::Instant,
    /// Filled and emptied by `collect`.
    events: RefCell<Vec<Event>>,
    sources: RefCell<Slab<Source>>,
    /// The next ticket.
    ticket: Cell<u64>,
    /// Used and put back by `collect`.
    woken: Cell<Vec<Waker>>,
}

/// Who waits for a descriptor, by [`Direction`].
#[derive(Default)]
struct Source {
    waiters: [Vec<Waiter>; 2],
}

struct Waiter {
    /// Of the future that waits; those that are polled without one have none.
    ticket: Option<u64>,
    waker: Waker,
}

/// What is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Direction {
    Read,
    Write,
}

/// The key of the eventfd, which no source has.
const BELL: u64 = u64::MAX;

/// What a reader is woken by, and a writer: `EPOLLERR` and `EPOLLHUP` are told
/// without being asked for.
const READABLE: EventFlags = EventFlags::IN
    .union(EventFlags::PRI)
    .union(EventFlags::RDHUP)
    .union(EventFlags::HUP)
    .union(EventFlags::ERR);
const WRITABLE: EventFlags = EventFlags::OUT
    .union(EventFlags::HUP)
    .union(EventFlags::ERR);

const AT_ONCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};

/// So many events are taken at a look; the others at the next.
const MAX_EVENTS: usize = 1024;

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
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        // Edge-triggered: each write is an event, and nobody needs to read.
        let edges = EventFlags::IN | EventFlags::ET;
        epoll::add(&epoll, &bell, EventData::new_u64(BELL), edges)?;
        let inner = Rc::new(Inner {
            epoll,
            bell: Arc::new(bell),
            start: std::time::Instant::now(),
            events: RefCell::new(Vec::with_capacity(MAX_EVENTS)),
            sources: RefCell::default(),
            ticket: Cell::default(),
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
        // A ring of the bell needs no look: the scheduler has its own.
        if self.inner.sources.borrow().is_empty() {
            return 0;
        }
        self.inner.collect(Some(&AT_ONCE))
    }

    fn wait(&self, deadline: Option<Instant>) -> Result<usize, Deadlock> {
        // Without a deadline and without descriptors another thread may still
        // wake a task: never a deadlock.
        let Some(deadline) = deadline else {
            return Ok(self.inner.collect(None));
        };
        self.inner
            .wait(deadline.saturating_duration_since(self.now()));
        Ok(self.inner.collect(Some(&AT_ONCE)))
    }

    fn notifier(&self) -> Option<Notifier> {
        // Weak: wakers may outlive the scheduler, the descriptors need not.
        let bell = Arc::downgrade(&self.inner.bell);
        Some(Arc::new(move || {
            if let Some(bell) = bell.upgrade() {
                // It fails only after 2^64 rings.
                let _ = rustix::io::write(&*bell, &1_u64.to_ne_bytes());
            }
        }))
    }

    /// 4 µs: a look that finds nothing is one system call, of some 0.2 µs.
    fn quantum(&self) -> Duration {
        Duration::from_micros(4)
    }
}

impl Inner {
    /// The event source of the scheduler on this thread.
    pub(super) fn current() -> Option<Rc<Self>> {
        CURRENT.with_borrow(Weak::upgrade)
    }

    /// Waits until there are events, or at most `timeout`.
    fn wait(&self, timeout: Duration) {
        let mut descriptors = [PollFd::new(&self.epoll, PollFlags::IN)];
        // One that is too long for the kernel has no end.
        let timeout = Timespec::try_from(timeout).ok();
        // Interrupted by a signal: waiting may end early.
        let _ = rustix::event::poll(&mut descriptors, timeout.as_ref());
    }

    /// Wakes who waits for what happened; without a timeout, waits until
    /// something has. Others than zero would be rounded to milliseconds.
    fn collect(&self, timeout: Option<&Timespec>) -> usize {
        let mut events = self.events.borrow_mut();
        events.clear();
        let events_found = epoll::wait(&self.epoll, spare_capacity(&mut events), timeout);
        // Interrupted by a signal: waiting may end early.
        if events_found.is_err() {
            return 0;
        }
        let mut woken = self.woken.take();
        let mut count = 0;
        {
            let mut sources = self.sources.borrow_mut();
            for event in events.iter() {
                let (key, flags) = (event.data.u64(), event.flags);
                // The bell, or a source that was removed since.
                let Some(source) = sources.get_mut(key as usize) else {
                    continue;
                };
                count += 1;
                let happened = [READABLE, WRITABLE].map(|mask| flags.intersects(mask));
                for (happened, waiters) in happened.into_iter().zip(&mut source.waiters) {
                    if happened {
                        woken.extend(waiters.drain(..).map(|waiter| waiter.waker));
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
    pub(super) fn add(&self, descriptor: BorrowedFd<'_>) -> io::Result<usize> {
        let mut sources = self.sources.borrow_mut();
        let vacant = sources.vacant_entry();
        let key = vacant.key();
        // Edge-triggered: one system call for the descriptor's whole life.
        let events = READABLE | WRITABLE | EventFlags::ET;
        epoll::add(
            &self.epoll,
            descriptor,
            EventData::new_u64(key as u64),
            events,
        )?;
        vacant.insert(Source::default());
        Ok(key)
    }

    pub(super) fn remove(&self, key: usize, descriptor: BorrowedFd<'_>) {
        let source = self.sources.borrow_mut().try_remove(key);
        drop(source);
        // It fails only if the descriptor is not watched.
        let _ = epoll::delete(&self.epoll, descriptor);
    }

    /// What tells one future that waits from others.
    pub(super) fn ticket(&self) -> u64 {
        let ticket = self.ticket.get();
        self.ticket.set(ticket + 1);
        ticket
    }

    /// Has the next event wake `waker`, in place of the one of the same ticket.
    ///
    /// Events are seen between the polls of tasks: a task that has found that
    /// an operation would block, and calls this in the same poll, misses none.
    pub(super) fn register(
        &self,
        key: usize,
        direction: Direction,
        ticket: Option<u64>,
        waker: &Waker,
    ) {
        let mut waker = waker.clone();
        if let Some(source) = self.sources.borrow_mut().get_mut(key) {
            let waiters = &mut source.waiters[direction as usize];
            let same = |held: &&mut Waiter| {
                held.ticket == ticket && (ticket.is_some() || held.waker.will_wake(&waker))
            };
            match waiters.iter_mut().find(same) {
                // The former one is dropped when nothing is borrowed any more.
                Some(held) => mem::swap(&mut held.waker, &mut waker),
                None => {
                    waiters.push(Waiter { ticket, waker });
                    return;
                }
            }
        }
        drop(waker);
    }

    /// The future of this ticket waits no longer.
    pub(super) fn leave(&self, key: usize, direction: Direction, ticket: u64) {
        let waiter = self.sources.borrow_mut().get_mut(key).and_then(|source| {
            let waiters = &mut source.waiters[direction as usize];
            let index = waiters.iter().position(|held| held.ticket == Some(ticket));
            index.map(|index| waiters.remove(index))
        });
        drop(waiter);
    }
}
