//! Two stacks on a wire, and the time they live in.

use async_executor::{LocalExecutor, Task};
use bytes::BytesMut;
use netstack::proto::Instant;
use netstack::proto::link::ethernet::MacAddr;
use netstack::{Config, FrameDevice, Received, Stack, Timer};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

pub(crate) const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

/// The clock, with the alarms that wait for it.
#[derive(Default)]
struct Clock {
    now: Cell<u64>,
    alarms: RefCell<Vec<(u64, Waker)>>,
}

struct Alarm {
    clock: Rc<Clock>,
}

impl Timer for Alarm {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.clock.now.get())
    }

    fn poll_until(&mut self, context: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        if self.now() >= deadline {
            return Poll::Ready(());
        }
        let mut alarms = self.clock.alarms.borrow_mut();
        alarms.push((deadline.as_nanos(), context.waker().clone()));
        Poll::Pending
    }
}

/// Frames on their way to one end.
#[derive(Default)]
struct Lane {
    frames: VecDeque<Vec<u8>>,
    waker: Option<Waker>,
    cut: bool,
    /// The device that reads from here fails.
    broken: bool,
}

struct Device {
    mac: MacAddr,
    here: Rc<RefCell<Lane>>,
    there: Rc<RefCell<Lane>>,
}

impl FrameDevice for Device {
    fn mtu(&self) -> usize {
        1500
    }

    fn mac(&self) -> MacAddr {
        self.mac
    }

    fn try_read(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Received>> {
        Ok(self.here.borrow_mut().frames.pop_front().map(|frame| {
            buffer[..frame.len()].copy_from_slice(&frame);
            Received::unchecked(frame.len())
        }))
    }

    fn write(&mut self, frame: &[u8]) -> io::Result<()> {
        let mut there = self.there.borrow_mut();
        if !there.cut {
            there.frames.push_back(frame.to_vec());
            if let Some(waker) = there.waker.take() {
                waker.wake();
            }
        }
        Ok(())
    }

    fn poll_readable(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut here = self.here.borrow_mut();
        if here.broken {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if here.frames.is_empty() {
            here.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

/// Whether the main task was woken.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Two stacks, of which the second has an address only if it is wanted.
pub(crate) struct World {
    clock: Rc<Clock>,
    executor: Rc<LocalExecutor<'static>>,
    lanes: [Rc<RefCell<Lane>>; 2],
    runners: RefCell<Vec<Task<io::Result<()>>>>,
    pub(crate) client: Stack,
    pub(crate) server: Stack,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(
            ["10.0.0.1/24", "10.0.0.2/24"]
                .map(|address| Config::default().address(address.parse().expect("an address"))),
        )
    }

    pub(crate) fn with(configs: [Config; 2]) -> Self {
        let clock = Rc::new(Clock::default());
        clock.now.set(1_000_000);
        let executor = Rc::new(LocalExecutor::new());
        let lanes: [Rc<RefCell<Lane>>; 2] = Default::default();
        let mut runners = Vec::new();
        let mut stacks = configs.into_iter().enumerate().map(|(index, config)| {
            let config = config.seed([index as u8 + 1; 32]);
            let mac = MacAddr([2, 0, 0, 0, 0, index as u8 + 1]);
            let (here, there) = (lanes[index].clone(), lanes[1 - index].clone());
            let timer = Alarm {
                clock: clock.clone(),
            };
            let (stack, runner) =
                Stack::new(Device { mac, here, there }, timer, config).expect("a stack");
            runners.push(executor.spawn(runner));
            stack
        });
        let (client, server) = (stacks.next().expect("two"), stacks.next().expect("two"));
        drop(stacks);
        Self {
            clock,
            executor,
            lanes,
            runners: RefCell::new(runners),
            client,
            server,
        }
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.executor.spawn(task).detach();
    }

    /// Nothing reaches the server any more, and nothing comes from it.
    pub(crate) fn cut(&self) {
        self.lanes
            .iter()
            .for_each(|lane| lane.borrow_mut().cut = true);
    }

    /// Drops the runner of the client's stack.
    pub(crate) fn stop_client(&self) {
        drop(self.runners.borrow_mut().remove(0));
    }

    /// Gives up the handle of the client's stack; sockets and streams of it stay.
    pub(crate) fn forget_client(&mut self) {
        self.client = self.server.clone();
    }

    /// Whether the runner of the client's stack has ended by itself.
    pub(crate) fn client_has_ended(&self) -> bool {
        self.runners.borrow()[0].is_finished()
    }

    /// Breaks the client's device.
    pub(crate) fn break_client(&self) {
        let mut lane = self.lanes[0].borrow_mut();
        lane.broken = true;
        lane.waker.take().into_iter().for_each(Waker::wake);
    }

    /// Seconds since the beginning.
    pub(crate) fn seconds(&self) -> f64 {
        self.clock.now.get() as f64 / 1e9
    }

    /// Runs `task` to its end: all that can go on does, and then the clock jumps to its next
    /// alarm; at most a million times.
    pub(crate) fn run<T>(&self, task: impl Future<Output = T>) -> T {
        let mut task = std::pin::pin!(task);
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        let waker = Waker::from(flag.clone());
        let mut context = Context::from_waker(&waker);
        for _ in 0..1_000_000 {
            if flag.0.swap(false, Ordering::Relaxed) {
                if let Poll::Ready(result) = task.as_mut().poll(&mut context) {
                    return result;
                }
                continue;
            }
            if self.executor.try_tick() {
                continue;
            }
            let mut alarms = self.clock.alarms.borrow_mut();
            let next = alarms
                .iter()
                .map(|(at, _)| *at)
                .min()
                .expect("somebody waits for a time");
            self.clock.now.set(self.clock.now.get().max(next));
            let (due, later) = alarms.drain(..).partition(|(at, _)| *at <= next);
            *alarms = later;
            drop(alarms);
            let due: Vec<(u64, Waker)> = due;
            due.into_iter().for_each(|(_, waker)| waker.wake());
        }
        panic!("no end after {} seconds", self.seconds());
    }
}
