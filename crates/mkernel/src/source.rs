//! The event source of a unikernel: its devices and its clock.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
    task::Waker,
    time::Duration,
};

use bytes::BytesMut;
use miou_rs::{Deadlock, EventSource, Instant};
use solo5_ffi::{HandleSet, NetError};

use crate::busy_poll::{BusyPoll, Policy, nanos};
use crate::flushes::Flushes;
use crate::hypercalls::{Bindings, Hypercalls, NetDevice};
use crate::shutdown::End;

thread_local! {
    static SOURCE: Rc<Solo5<Bindings>> = Rc::new(Solo5::new(Bindings));
}

/// The event source, of which there is one.
pub(crate) fn source() -> Rc<Solo5<Bindings>> {
    SOURCE.with(Rc::clone)
}

/// A network device, the task that waits for it, and a frame read ahead.
///
/// To look for an event is to try to read: on spt that is one system call
/// where asking for readiness takes two.
pub(crate) struct Port<N> {
    net: N,
    waker: Cell<Option<Waker>>,
    ahead: RefCell<Ahead>,
}

struct Ahead {
    buffer: BytesMut,
    result: Result<Option<usize>, NetError>,
}

impl<N: NetDevice> Port<N> {
    pub(crate) fn net(&self) -> &N {
        &self.net
    }

    /// Reads the next frame into `buffer`, of [`NetDevice::read_size`] bytes, or exchanges it for one of
    /// the same size that holds the frame.
    pub(crate) fn read(&self, buffer: &mut BytesMut) -> Result<Option<usize>, NetError> {
        let mut ahead = self.ahead.borrow_mut();
        match std::mem::replace(&mut ahead.result, Ok(None)) {
            Ok(None) => self.net.read(buffer),
            Ok(Some(length)) => {
                std::mem::swap(buffer, &mut ahead.buffer);
                Ok(Some(length))
            }
            error => error,
        }
    }

    /// Whether [`Port::read`] has something to say; reads ahead to find out.
    pub(crate) fn is_readable(&self) -> bool {
        let Ahead { buffer, result } = &mut *self.ahead.borrow_mut();
        if let Ok(None) = result {
            *result = self.net.read(buffer);
        }
        !matches!(result, Ok(None))
    }

    /// Has `waker` woken when a frame has come; replaces the one before.
    pub(crate) fn wake_when_readable(&self, waker: &Waker) {
        let kept = self.waker.take().filter(|kept| kept.will_wake(waker));
        self.waker.set(Some(kept.unwrap_or_else(|| waker.clone())));
    }

    fn is_awaited(&self) -> bool {
        let waker = self.waker.take();
        let awaited = waker.is_some();
        self.waker.set(waker);
        awaited
    }

    /// Wakes the task that waits; the number of tasks.
    fn wake(&self) -> usize {
        self.waker.take().map(Waker::wake).map_or(0, |()| 1)
    }
}

/// Solo5: the clock, the yield hypercall, all network devices in use, and flushes that go on.
pub(crate) struct Solo5<H: Hypercalls> {
    hypercalls: H,
    /// Those that somebody still holds.
    ports: RefCell<Vec<Weak<Port<H::Net>>>>,
    busy_poll: RefCell<Policy>,
    pub(crate) end: End,
    pub(crate) flushes: Flushes,
}

impl<H: Hypercalls> Solo5<H> {
    pub(crate) fn new(hypercalls: H) -> Self {
        Self {
            hypercalls,
            ports: RefCell::default(),
            busy_poll: RefCell::new(Policy::new(BusyPoll::default())),
            end: End::default(),
            flushes: Flushes::default(),
        }
    }

    pub(crate) fn set_busy_poll(&self, limits: BusyPoll) {
        *self.busy_poll.borrow_mut() = Policy::new(limits);
    }

    /// Watches a device from now on.
    pub(crate) fn add(&self, net: H::Net) -> Rc<Port<H::Net>> {
        let buffer = BytesMut::zeroed(net.read_size());
        let ahead = RefCell::new(Ahead {
            buffer,
            result: Ok(None),
        });
        let port = Rc::new(Port {
            net,
            waker: Cell::default(),
            ahead,
        });
        let mut ports = self.ports.borrow_mut();
        ports.retain(|port| port.strong_count() > 0);
        ports.push(Rc::downgrade(&port));
        port
    }

    /// Polls for at most `duration` from `start` on; the number of events.
    fn spin(&self, start: u64, duration: Duration) -> usize {
        let end = start.saturating_add(nanos(duration));
        loop {
            let events = self.poll();
            if events > 0 || self.hypercalls.clock_monotonic() >= end {
                return events;
            }
        }
    }

    /// The devices that a task waits for, also those whose flush one waits for, and the end if one does. A device whose
    /// stack has gone, or that none was ever started on, has frames that nobody will read: waiting for it would be waiting
    /// for nothing, and at the cost of a processor.
    fn awaited(&self) -> HandleSet {
        let ports = self.ports.borrow();
        let held = ports.iter().filter_map(Weak::upgrade);
        held.filter(|port| port.is_awaited())
            .map(|port| port.net.handle())
            .chain(self.flushes.awaited())
            .chain(self.end.awaited())
            .collect()
    }

    /// Blocks until one of the devices is readable, the end is asked for, or `deadline`; the number of events.
    fn block(&self, awaited: HandleSet, deadline: u64) -> usize {
        let end = self.end.awaited();
        let ready = self.hypercalls.yield_for(deadline, awaited);
        let ports = self.ports.borrow();
        let held = ports.iter().filter_map(Weak::upgrade);
        let woken: usize = held
            .filter(|port| ready.contains(port.net.handle()))
            .map(|port| port.wake())
            .sum();
        let woken = woken + self.flushes.wake(|device| ready.contains(device));
        match end.is_some_and(|end| ready.contains(end)) {
            true => woken + self.end.arrive(),
            false => woken,
        }
    }

    /// Whether a task waits for a frame.
    fn awaits_frames(&self) -> bool {
        let ports = self.ports.borrow();
        let mut held = ports.iter().filter_map(Weak::upgrade);
        held.any(|port| port.is_awaited())
    }

    /// Wakes those for whose devices a frame is there, or the end of a flush; their number.
    fn look(&self) -> usize {
        let ports = self.ports.borrow();
        let awaited = ports
            .iter()
            .filter_map(Weak::upgrade)
            .filter(|port| port.is_awaited());
        let frames: usize = awaited
            .filter(|port| port.is_readable())
            .map(|port| port.wake())
            .sum();
        let flushes = &self.flushes;
        frames + flushes.wake(|device| self.hypercalls.flush_has_ended(device))
    }
}

impl<H: Hypercalls> EventSource for Solo5<H> {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.hypercalls.clock_monotonic())
    }

    fn poll(&self) -> usize {
        let events = self.look();
        match self.end.is_due() {
            true => events + self.block(self.awaited(), 0),
            false => events,
        }
    }

    fn wait(&self, deadline: Option<Instant>) -> Result<usize, Deadlock> {
        let due = self.flushes.wake(|_| false);
        if due > 0 {
            return Ok(due);
        }
        let awaited = self.awaited();
        let deadline = match deadline {
            Some(deadline) => deadline.as_nanos(),
            None if !awaited.is_empty() => u64::MAX,
            None => return Err(Deadlock),
        };
        if !self.awaits_frames() {
            return Ok(self.block(awaited, deadline));
        }
        let start = self.hypercalls.clock_monotonic();
        let left = Duration::from_nanos(deadline.saturating_sub(start));
        let planned = self
            .busy_poll
            .borrow_mut()
            .spin_for(Instant::from_nanos(start));
        let planned = planned.min(left);
        let mut events = 0;
        if !planned.is_zero() {
            events = self.spin(start, planned);
        }
        if events == 0 {
            events = self.block(awaited, deadline);
        }
        let [start, end] = [start, self.hypercalls.clock_monotonic()].map(Instant::from_nanos);
        self.busy_poll.borrow_mut().waited(start, end, planned);
        Ok(events)
    }

    fn is_real_time(&self) -> bool {
        H::REAL_TIME
    }
}

#[cfg(test)]
mod tests;
