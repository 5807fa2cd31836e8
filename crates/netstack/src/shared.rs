//! What the handles, the sockets and the runner of one stack share.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::device::{FrameDevice, Timer};
use crate::pool::ReceiveBuffers;
use crate::proto::stack::{Event, Run};
use crate::proto::tcp::{self, Readiness, Tcp};
use crate::proto::{Instant, Stack as Proto};

/// Frames read in one turn, at most; then other tasks have theirs.
const MAX_BATCH: usize = 64;
/// Events kept for observers; older ones are forgotten.
const MAX_OBSERVED: usize = 256;
/// TCP segments sent in one turn, at most.
const SEND_BUDGET: usize = 64;

/// The tasks that wait for one connection.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    pub(crate) read: Option<Waker>,
    pub(crate) write: Option<Waker>,
}

/// The one owner of everything.
pub(crate) struct Inner {
    pub(crate) proto: Proto,
    device: Device,
    timer: Box<dyn Timer>,
    buffers: ReceiveBuffers,
    /// The time when the runner last looked, or a user called while it slept.
    now: Instant,
    /// Frames to read in the next turn: doubles while the device has more, so that a lone frame is
    /// answered without first asking for another.
    batch: usize,
    /// Whether a connection was there to be accepted in the last turn. Then one turn is left out,
    /// so that not only the listener's task but also the one that it starts can say something
    /// before the acknowledgement of what came with the connection is sent.
    accepting: bool,
    /// When the timer will ring, if it is set.
    alarm: Option<Instant>,
    runner: Option<Waker>,
    /// Whether the runner has been woken, or is running.
    runner_awake: bool,
    connections: Vec<Waiting>,
    listeners: Vec<Vec<Waker>>,
    udp: Vec<Option<Waker>>,
    /// Tasks that wait for echo replies or address events.
    observers: Vec<Waker>,
    /// Events that no observer has taken yet.
    observed: VecDeque<Event>,
    /// Identifies the next echo request.
    next_echo: u32,
    delays: BTreeMap<(Instant, u64), Waker>,
    next_delay: u64,
    /// Tasks to be woken as soon as nothing is borrowed.
    woken: VecDeque<Waker>,
    broken: Option<io::ErrorKind>,
}

/// The device, with the count of frames that it did not take.
struct Device {
    device: Box<dyn FrameDevice>,
    failed: u64,
}

impl crate::proto::stack::Transmit for Device {
    #[inline]
    fn transmit(&mut self, frame: &[u8]) {
        if self.device.write(frame).is_err() {
            self.failed += 1;
        }
    }

    #[inline]
    fn transmit_run(&mut self, buffer: &mut [u8], run: &Run) {
        if self.device.write_run(buffer, run).is_err() {
            self.failed += 1;
        }
    }
}

/// A handle to [`Inner`].
#[derive(Clone)]
pub(crate) struct Shared(Rc<RefCell<Inner>>);

impl Shared {
    /// For a stack whose connections may hold so many octets of `memory`.
    pub(crate) fn new(
        proto: Proto,
        device: Box<dyn FrameDevice>,
        timer: Box<dyn Timer>,
        memory: usize,
    ) -> Self {
        let buffers = ReceiveBuffers::new(device.buffer_size(), memory);
        let now = timer.now();
        Self(Rc::new(RefCell::new(Inner {
            proto,
            device: Device { device, failed: 0 },
            timer,
            buffers,
            now,
            batch: 1,
            alarm: None,
            accepting: false,
            runner: None,
            runner_awake: false,
            connections: Vec::new(),
            listeners: Vec::new(),
            udp: Vec::new(),
            observers: Vec::new(),
            observed: VecDeque::new(),
            next_echo: 0,
            delays: BTreeMap::new(),
            next_delay: 0,
            woken: VecDeque::new(),
            broken: None,
        })))
    }

    /// Runs `f` on the state, then wakes whom it has made ready: never while the state is borrowed,
    /// since a waker may run code of others that comes back here.
    #[inline]
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut Inner) -> R) -> R {
        let result = f(&mut self.0.borrow_mut());
        self.wake_all();
        result
    }

    #[inline]
    fn wake_all(&self) {
        loop {
            let waker = self.0.borrow_mut().woken.pop_front();
            match waker {
                Some(waker) => waker.wake(),
                None => return,
            }
        }
    }
}

impl Inner {
    /// The time for a user's call: that of the turn we are in, or, when the runner sleeps, read
    /// from the clock.
    #[inline]
    pub(crate) fn now(&mut self) -> Instant {
        if !self.runner_awake {
            self.now = self.timer.now();
        }
        self.now
    }

    /// Frames that the device did not take.
    pub(crate) fn failed_frames(&self) -> u64 {
        self.device.failed
    }

    /// Splits off what a user's call needs: the protocols, and the way out.
    #[inline]
    pub(crate) fn parts(&mut self) -> (&mut Proto, &mut dyn crate::proto::stack::Transmit) {
        (&mut self.proto, &mut self.device)
    }

    #[inline]
    pub(crate) fn tcp(&mut self) -> &mut Tcp {
        self.proto.tcp()
    }

    /// After a user's call: has the runner send what there is to send, when the tasks that are
    /// ready now have had their turn.
    #[inline]
    pub(crate) fn after_call(&mut self) {
        if !self.runner_awake {
            self.wake_runner();
        }
    }

    fn wake_runner(&mut self) {
        if let Some(runner) = &self.runner {
            self.runner_awake = true;
            self.woken.push_back(runner.clone());
        }
    }

    pub(crate) fn waiting(&mut self, id: tcp::ConnectionId) -> &mut Waiting {
        slot(&mut self.connections, id.index())
    }

    pub(crate) fn wait_accept(&mut self, id: tcp::ListenerId, waker: &Waker) {
        let waiting = slot(&mut self.listeners, id.index());
        if !waiting.iter().any(|other| other.will_wake(waker)) {
            waiting.push(waker.clone());
        }
    }

    pub(crate) fn wait_datagram(&mut self, index: usize, waker: &Waker) {
        wait(slot(&mut self.udp, index), waker);
    }

    /// Forgets who waits for a connection that is given back.
    pub(crate) fn forget_connection(&mut self, id: tcp::ConnectionId) {
        *self.waiting(id) = Waiting::default();
    }

    /// Has `waker` woken at `deadline`; the number takes it back.
    pub(crate) fn add_delay(&mut self, deadline: Instant, waker: Waker) -> (Instant, u64) {
        let key = (deadline, self.next_delay);
        self.next_delay += 1;
        self.delays.insert(key, waker);
        // The runner's alarm may be set for later.
        self.after_call();
        key
    }

    pub(crate) fn remove_delay(&mut self, key: (Instant, u64)) {
        self.delays.remove(&key);
    }

    /// Takes the first event that is `wanted`; if there is none, `waker` hears of the next.
    pub(crate) fn observe(
        &mut self,
        waker: &Waker,
        wanted: impl Fn(&Event) -> bool,
    ) -> Option<Event> {
        let found = self.observed.iter().position(wanted);
        if found.is_none() && !self.observers.iter().any(|other| other.will_wake(waker)) {
            self.observers.push(waker.clone());
        }
        self.observed.remove(found?)
    }

    /// Identifier and sequence number for an echo request.
    pub(crate) fn next_echo(&mut self) -> (u16, u16) {
        self.next_echo = self.next_echo.wrapping_add(1);
        ((self.next_echo >> 16) as u16, self.next_echo as u16)
    }

    /// What ended the stack, if it has ended.
    pub(crate) fn check(&self) -> io::Result<()> {
        self.broken.map_or(Ok(()), |kind| Err(kind.into()))
    }

    /// One turn of the runner; `Ok(true)` when another is to follow as soon as other tasks have had
    /// theirs.
    pub(crate) fn turn(&mut self, context: &mut Context<'_>) -> io::Result<bool> {
        if wait(&mut self.runner, context.waker()) {
            // The alarm would wake the task that ran us before.
            self.alarm = None;
        }
        self.runner_awake = true;
        if std::mem::take(&mut self.accepting) {
            return Ok(true);
        }
        self.now = self.timer.now();
        let more = self.proto.poll(self.now, SEND_BUDGET, &mut self.device);
        let read = self.receive(context)?;
        self.dispatch();
        self.expire_delays();
        if more || read || self.proto.wants_poll() || self.sleep(context).is_ready() {
            return Ok(true);
        }
        self.runner_awake = false;
        Ok(false)
    }

    /// Has the task woken when time demands it; ready if it does so now.
    fn sleep(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let delay = self.delays.first_key_value().map(|((at, _), _)| *at);
        let deadlines = [self.proto.poll_at(self.now), delay];
        let Some(deadline) = deadlines.into_iter().flatten().min() else {
            return Poll::Pending;
        };
        // Most deadlines only move on, as each acknowledgement puts off the retransmission: an
        // alarm that comes too early costs less than setting it anew each time.
        if self.alarm.is_some_and(|at| self.now < at && at <= deadline) {
            return Poll::Pending;
        }
        self.alarm = Some(deadline);
        let rung = self.timer.poll_until(context, deadline);
        if rung.is_ready() {
            self.alarm = None;
        }
        rung
    }

    /// Reads frames if there are any; tells whether there were. When there are none the task is
    /// woken by the next.
    fn receive(&mut self, context: &mut Context<'_>) -> io::Result<bool> {
        // After a full batch of more than one there is likely more; else the device is asked
        // first, which may look ahead and so spares a read in vain.
        if self.batch > 2 && self.read_batch()? {
            return Ok(true);
        }
        match self.device.device.poll_readable(context) {
            Poll::Pending => Ok(false),
            Poll::Ready(result) => {
                result?;
                self.read_batch()?;
                // Also when it was wrong: it is to be asked again.
                Ok(true)
            }
        }
    }

    /// Reads a batch of frames; tells whether there were any.
    fn read_batch(&mut self) -> io::Result<bool> {
        let mut count = 0;
        while count < self.batch {
            let mut buffer = self.buffers.take();
            let Some(received) = self.device.device.try_read(&mut buffer)? else {
                self.buffers.give_back(buffer);
                break;
            };
            let lent = self.buffers.lend(buffer, received.frame);
            let frame = lent.frame();
            let checksummed = received.checksummed;
            self.proto
                .handle_received(self.now, frame, checksummed, &mut self.device);
            self.buffers.settle(lent);
            count += 1;
        }
        self.batch = if count == self.batch {
            (2 * count).min(MAX_BATCH)
        } else {
            1
        };
        Ok(count > 0)
    }

    fn expire_delays(&mut self) {
        while let Some(entry) = self.delays.first_entry()
            && entry.key().0 <= self.now
        {
            self.woken.push_back(entry.remove());
        }
    }

    /// Finds out whom the protocols' events make ready.
    fn dispatch(&mut self) {
        while let Some(event) = self.proto.poll_event() {
            match event {
                Event::Tcp(tcp::Event::Connection(id, ready)) => self.wake_connection(id, ready),
                Event::Tcp(tcp::Event::Acceptable(id)) => {
                    let waiting = slot(&mut self.listeners, id.index());
                    self.accepting |= !waiting.is_empty();
                    self.woken.extend(waiting.drain(..));
                }
                Event::Udp(id) => {
                    let waiting = slot(&mut self.udp, id.index());
                    self.woken.extend(waiting.take());
                }
                event => {
                    if self.observed.len() >= MAX_OBSERVED {
                        self.observed.pop_front();
                    }
                    self.observed.push_back(event);
                    self.woken.extend(self.observers.drain(..));
                }
            }
        }
    }

    fn wake_connection(&mut self, id: tcp::ConnectionId, ready: Readiness) {
        let reads = [Readiness::READABLE, Readiness::CLOSED];
        let writes = [
            Readiness::CONNECTED,
            Readiness::WRITABLE,
            Readiness::FLUSHED,
            Readiness::CLOSED,
        ];
        let waiting = slot(&mut self.connections, id.index());
        if reads.into_iter().any(|flag| ready.contains(flag)) {
            self.woken.extend(waiting.read.take());
        }
        if writes.into_iter().any(|flag| ready.contains(flag)) {
            self.woken.extend(waiting.write.take());
        }
    }

    /// The device is broken: every task is woken to learn it.
    pub(crate) fn break_off(&mut self, kind: io::ErrorKind) {
        self.broken = Some(kind);
        for waiting in &mut self.connections {
            self.woken.extend(waiting.read.take());
            self.woken.extend(waiting.write.take());
        }
        self.woken.extend(
            self.listeners
                .iter_mut()
                .flat_map(|waiting| waiting.drain(..)),
        );
        self.woken
            .extend(self.udp.iter_mut().filter_map(Option::take));
        self.woken.extend(self.observers.drain(..));
        self.woken
            .extend(std::mem::take(&mut self.delays).into_values());
    }
}

/// The entry `index` of a table that grows as needed.
fn slot<T: Default>(table: &mut Vec<T>, index: usize) -> &mut T {
    if index >= table.len() {
        table.resize_with(index + 1, T::default);
    }
    &mut table[index]
}

/// Keeps `waker` in `place`, without cloning it when it is there already; tells whether it is new.
#[inline]
pub(crate) fn wait(place: &mut Option<Waker>, waker: &Waker) -> bool {
    if place.as_ref().is_some_and(|old| old.will_wake(waker)) {
        return false;
    }
    *place = Some(waker.clone());
    true
}
