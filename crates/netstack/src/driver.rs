//! What drives one stack, shared by its handles, sockets and runner.

pub(crate) mod address_events;
pub(crate) mod delay;
#[cfg(feature = "dns")]
mod names;
mod pages;
pub(crate) mod pool;
pub(crate) mod runner;
pub(crate) mod waiters;
pub(crate) mod waiting;
mod waits;

#[cfg(feature = "dns")]
pub(crate) use names::Room;
pub(crate) use waits::{Limit, Queue};

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::device::{FrameDevice, Timer};
use crate::proto::account::Kind;
use crate::proto::interface::{Event, Run};
use crate::proto::tcp::{self, Tcp};
use crate::proto::{Instant, Interface as Proto};
use address_events::{AddressEvent, Log};
use pool::ReceiveBuffers;
use waiters::{Parting, Partings};
use waits::Waits;

/// Frames read in one turn, at most; then other tasks have theirs, and what these say is sent. With more the first waits for
/// the last, and clients that all have been answered at once ask all at once.
const MAX_BATCH: usize = 16;
/// TCP segments sent in one turn, at most.
const SEND_BUDGET: usize = 64;

/// Wakers that have left and wait for the end of a borrow, for which memory is kept.
const PARTINGS: usize = 256;

const DEVICE: usize = 0;
const TIMER: usize = 1;

/// The device or the timer: it parts with a waker while the state is borrowed, and so must not be the
/// last to hold it.
#[derive(Default)]
struct Holder {
    /// Whether it was polled by the task that runs us now.
    polled: bool,
    /// The waker of a task that ran us before, which it may still hold.
    former: Option<Waker>,
}

impl Holder {
    #[inline]
    fn was_polled(&mut self, pending: bool, partings: &mut Partings) {
        self.polled = true;
        if pending && let Some(former) = self.former.take() {
            partings.push_back(Parting::Drop(former));
        }
    }

    fn runner_changed(&mut self, old: &Waker) {
        if std::mem::take(&mut self.polled) {
            self.former.get_or_insert_with(|| old.clone());
        }
    }
}

/// The one owner of everything.
pub(crate) struct Driver {
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
    /// What the device and the timer may hold of those that ran us.
    holders: [Holder; 2],
    /// Whether the runner has been woken, or is running.
    runner_awake: bool,
    waits: Waits,
    address_events: Log,
    #[cfg(feature = "dns")]
    names: names::Names,
    /// Whether wakers that have left are being woken or dropped: what these call is not to do so too,
    /// lest calls nest as deep as there are wakers.
    parting: bool,
    /// Why the stack has ended: kind and text.
    broken: Option<(io::ErrorKind, Box<str>)>,
    /// What whoever spawned the runner was given for it, such as a handle that ends the task when it is
    /// dropped.
    task: Option<Box<dyn Any>>,
}

/// The device, with the count of frames that it did not take.
struct Device {
    device: Box<dyn FrameDevice>,
    failed: u64,
}

impl crate::proto::interface::Transmit for Device {
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

/// A handle to [`Driver`]. Each handle of the stack, each socket and each stream has one, and so has
/// the runner.
#[derive(Clone)]
pub(crate) struct DriverRef(Rc<RefCell<Driver>>);

impl Drop for DriverRef {
    #[inline]
    fn drop(&mut self) {
        // The other one is the runner's, if it is still there: it may be done now.
        if Rc::strong_count(&self.0) == 2 {
            self.with(Driver::wake_runner);
        }
    }
}

impl fmt::Debug for DriverRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DriverRef").finish_non_exhaustive()
    }
}

impl DriverRef {
    /// For a stack whose connections may hold so many octets of `memory`.
    pub(crate) fn new(
        proto: Proto,
        device: Box<dyn FrameDevice>,
        timer: Box<dyn Timer>,
        memory: usize,
    ) -> Self {
        let buffers = ReceiveBuffers::new(device.buffer_size(), memory);
        let now = timer.now();
        Self(Rc::new(RefCell::new(Driver {
            proto,
            device: Device { device, failed: 0 },
            timer,
            buffers,
            now,
            batch: 1,
            alarm: None,
            accepting: false,
            runner: None,
            holders: Default::default(),
            runner_awake: false,
            waits: Waits::default(),
            address_events: Log::default(),
            #[cfg(feature = "dns")]
            names: names::Names::default(),
            parting: false,
            broken: None,
            task: None,
        })))
    }

    /// Runs `f` on the state, then wakes whom it has made ready and drops the wakers of those who
    /// wait no longer: never while the state is borrowed, since either may run code of others that
    /// comes back here.
    #[inline]
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut Driver) -> R) -> R {
        let mut driver = self.0.borrow_mut();
        let result = f(&mut driver);
        if !driver.waits.partings.is_empty() && !driver.parting {
            driver.parting = true;
            drop(driver);
            self.part();
        }
        result
    }

    /// What `f` says of the state, unless it is borrowed: for who prints it, wherever that is.
    pub(crate) fn look<R>(&self, f: impl FnOnce(&mut Driver) -> R) -> Option<R> {
        self.0
            .try_borrow_mut()
            .ok()
            .map(|mut driver| f(&mut driver))
    }

    /// Keeps the task that runs the stack for as long as the stack is there.
    pub(crate) fn keep_task(&self, task: impl Any) {
        self.with(|driver| driver.task = Some(Box::new(task)));
    }

    /// Whether only the runner is left, and nothing that was written is still to be delivered.
    fn is_done(&self) -> bool {
        let (connections, _) = match Rc::strong_count(&self.0) {
            1 => self.with(|driver| driver.tcp().connection_counts()),
            _ => return false,
        };
        connections == 0
    }

    fn part(&self) {
        /// Also when a waker panics others are to get theirs, by the next call.
        struct End<'a>(&'a DriverRef);
        impl Drop for End<'_> {
            #[inline]
            fn drop(&mut self) {
                self.0.0.borrow_mut().parting = false;
            }
        }
        let _end = End(self);
        loop {
            let mut driver = self.0.borrow_mut();
            let partings = &mut driver.waits.partings;
            let Some(parting) = partings.pop_front() else {
                if partings.capacity() > PARTINGS {
                    partings.shrink_to(PARTINGS);
                }
                return;
            };
            drop(driver);
            match parting {
                Parting::Wake(waker) => waker.wake(),
                Parting::Drop(waker) => drop(waker),
            }
        }
    }
}

impl Driver {
    /// The time for a user's call: that of the turn we are in, or, when the runner sleeps, read
    /// from the clock.
    #[inline]
    pub(crate) fn now(&mut self) -> Instant {
        // For a stack that has ended time stands still: its timer may have ended too.
        if !self.runner_awake && self.broken.is_none() {
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
    pub(crate) fn parts(&mut self) -> (&mut Proto, &mut dyn crate::proto::interface::Transmit) {
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
            self.waits.partings.push_back(Parting::Wake(runner.clone()));
        }
    }

    /// What ended the stack, if it has ended.
    pub(crate) fn check(&self) -> io::Result<()> {
        let kind = self.broken.as_ref().map(|(kind, _)| *kind);
        kind.map_or(Ok(()), |kind| Err(kind.into()))
    }

    /// The same, with the device's words.
    pub(crate) fn failure(&self) -> Poll<io::Error> {
        match &self.broken {
            Some((kind, text)) => Poll::Ready(io::Error::new(*kind, &**text)),
            None => Poll::Pending,
        }
    }

    /// One turn of the runner; `Ok(true)` when another is to follow as soon as other tasks have had
    /// theirs.
    pub(crate) fn turn(&mut self, context: &mut Context<'_>) -> io::Result<bool> {
        let waker = context.waker();
        if !self.runner.as_ref().is_some_and(|old| old.will_wake(waker)) {
            self.change_runner(waker);
        }
        self.runner_awake = true;
        if std::mem::take(&mut self.accepting) {
            return Ok(true);
        }
        self.now = self.timer.now();
        let more = self.proto.poll(self.now, SEND_BUDGET, &mut self.device);
        let read = self.receive(context)?;
        self.dispatch();
        // After an end there is a turn when those concerned have seen it.
        let ended = self.waits.expire_delays(self.now);
        if more || read || ended || self.proto.wants_poll() || self.sleep(context).is_ready() {
            return Ok(true);
        }
        self.runner_awake = false;
        Ok(false)
    }

    #[cold]
    fn change_runner(&mut self, waker: &Waker) {
        // The alarm would wake the task that ran us before.
        self.alarm = None;
        if let Some(old) = self.runner.replace(waker.clone()) {
            for holder in &mut self.holders {
                holder.runner_changed(&old);
            }
            self.waits.partings.push_back(Parting::Drop(old));
        }
    }

    /// Has the task woken when time demands it; ready if it does so now.
    fn sleep(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let deadlines = [self.proto.poll_at(self.now), self.waits.next_delay()];
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
        self.holders[TIMER].was_polled(rung.is_pending(), &mut self.waits.partings);
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
        let readable = self.device.device.poll_readable(context);
        self.holders[DEVICE].was_polled(readable.is_pending(), &mut self.waits.partings);
        match readable {
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
            count += 1;
            let Some(lent) = self.buffers.lend(buffer, received.frame) else {
                self.proto.discard();
                self.buffers.give_up();
                continue;
            };
            let frame = lent.frame();
            let (proto, out) = (&mut self.proto, &mut self.device);
            match received.joined {
                None => proto.handle_received(self.now, frame, received.checksummed, out),
                Some(joined) => {
                    proto.handle_run(self.now, &frame, joined, out);
                    // Nothing is kept of it: the buffer is free at once.
                    drop(frame);
                }
            }
            self.buffers.settle(lent);
        }
        let account = self.proto.tcp().account();
        let pressure = account.pressure();
        if pressure {
            self.buffers.give_up();
        }
        account.set(Kind::Buffers, self.buffers.held());
        #[cfg(feature = "dns")]
        if pressure {
            self.give_up_names();
        }
        self.batch = if count == self.batch {
            (2 * count).min(MAX_BATCH)
        } else {
            1
        };
        Ok(count > 0)
    }

    /// Finds out whom the protocols' events make ready.
    fn dispatch(&mut self) {
        while let Some(event) = self.proto.poll_event() {
            match event {
                Event::Tcp(tcp::Event::Connection(id, ready)) => {
                    self.waits.wake_connection(id, ready);
                }
                Event::Tcp(tcp::Event::Acceptable(id)) => {
                    self.accepting |= self.waits.wake(Queue::Accept(id));
                }
                Event::Udp(id) => {
                    self.waits.wake(Queue::Datagram(id));
                }
                #[cfg(feature = "dhcp")]
                Event::Lease(lease) => {
                    self.waits.wake(Queue::Lease);
                    self.tell(lease.map_or(AddressEvent::LeaseLost, AddressEvent::Leased));
                }
                Event::EchoReply {
                    source,
                    identifier,
                    sequence,
                    ..
                } => {
                    let number = u32::from(identifier) << 16 | u32::from(sequence);
                    self.waits.echo_reply(self.now, source, number);
                }
                Event::AddressGranted(address) => {
                    // It may be of a lease.
                    #[cfg(feature = "dhcp")]
                    self.waits.wake(Queue::Lease);
                    self.tell(AddressEvent::Granted(address));
                }
                Event::NameServers => self.tell(AddressEvent::NameServers),
                #[cfg(feature = "dhcp")]
                Event::Dhcpv6(lease) => {
                    self.waits.wake(Queue::Lease);
                    self.tell(lease.map_or(AddressEvent::LeaseV6Lost, AddressEvent::LeasedV6));
                }
                #[cfg(feature = "dhcp")]
                Event::Informed(_) => {
                    self.waits.wake(Queue::Lease);
                    self.tell(AddressEvent::NameServers);
                }
                Event::AddressRefused(address, owner) => {
                    self.tell(AddressEvent::Refused { address, owner });
                }
                Event::AddressConflict(address, other) => {
                    self.tell(AddressEvent::Conflict { address, other });
                }
            }
        }
    }

    /// The stack has ended: every task is woken to learn why. The first reason counts.
    pub(crate) fn break_off(&mut self, error: &io::Error) {
        self.broken
            .get_or_insert_with(|| (error.kind(), error.to_string().into()));
        self.runner_awake = false;
        let former = self
            .holders
            .iter_mut()
            .filter_map(|holder| holder.former.take());
        let wakers = self.runner.take().into_iter().chain(former);
        self.waits.partings.extend(wakers.map(Parting::Drop));
        self.waits.wake_all();
    }
}
