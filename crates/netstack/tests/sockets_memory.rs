//! What the async sockets allocate: nothing for a message in steady state, nothing that stays when
//! futures come and go, little for an idle connection.

mod heap;

use bytes::BytesMut;
use netstack::proto::Instant;
use netstack::proto::link::ethernet::MacAddr;
use netstack::{
    Config, FrameDevice, Received, Resolver, Stack, TcpListener, TcpStream, Timer, UdpSocket,
};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::net::Ipv4Addr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const NOBODY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);

/// A clock that moves on with each round of the tasks, and the alarm of each stack.
#[derive(Default)]
struct Clock {
    now: Cell<u64>,
    alarms: [Cell<u64>; 2],
}

struct Alarm {
    clock: Rc<Clock>,
    stack: usize,
}

impl Timer for Alarm {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.clock.now.get())
    }

    fn poll_until(&mut self, _: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        if self.now() >= deadline {
            return Poll::Ready(());
        }
        self.clock.alarms[self.stack].set(deadline.as_nanos());
        Poll::Pending
    }
}

/// Frames on their way to one end, in buffers that go round.
#[derive(Default)]
struct Lane {
    frames: VecDeque<Vec<u8>>,
    free: Vec<Vec<u8>>,
    waker: Option<Waker>,
    cut: bool,
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
        let mut here = self.here.borrow_mut();
        Ok(here.frames.pop_front().map(|frame| {
            let length = frame.len();
            buffer[..length].copy_from_slice(&frame);
            here.free.push(frame);
            Received::unchecked(length)
        }))
    }

    fn write(&mut self, frame: &[u8]) -> io::Result<()> {
        let mut there = self.there.borrow_mut();
        if !there.cut {
            let free = there.free.pop();
            let mut copy = free.unwrap_or_else(|| Vec::with_capacity(1514));
            copy.clear();
            copy.extend_from_slice(frame);
            there.frames.push_back(copy);
            there.waker.take().into_iter().for_each(Waker::wake);
        }
        Ok(())
    }

    fn poll_readable(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut here = self.here.borrow_mut();
        if here.frames.is_empty() {
            here.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

#[derive(Default)]
struct Ready(AtomicBool);

impl Wake for Ready {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

type Task = (Pin<Box<dyn Future<Output = ()>>>, Arc<Ready>, Waker);

fn task(future: impl Future<Output = ()> + 'static) -> Task {
    let ready = Arc::new(Ready(AtomicBool::new(true)));
    (Box::pin(future), ready.clone(), ready.into())
}

/// Two stacks, back to back, with an executor that allocates nothing.
struct World {
    clock: Rc<Clock>,
    lanes: [Rc<RefCell<Lane>>; 2],
    /// The first two drive the stacks.
    tasks: Vec<Task>,
    client: Stack,
    server: Stack,
}

impl World {
    fn new() -> Self {
        let clock = Rc::new(Clock::default());
        clock.now.set(1_000_000);
        let lanes: [Rc<RefCell<Lane>>; 2] = Default::default();
        let mut tasks = Vec::new();
        let [client, server] = [0, 1].map(|index| {
            let address = ["10.0.0.1/24", "10.0.0.2/24"][index];
            let config = Config::default()
                .address(address.parse().expect("an address"))
                .seed([index as u8 + 1; 32]);
            let device = Device {
                mac: MacAddr([2, 0, 0, 0, 0, index as u8 + 1]),
                here: lanes[index].clone(),
                there: lanes[1 - index].clone(),
            };
            clock.alarms[index].set(u64::MAX);
            let (clock, stack) = (clock.clone(), index);
            let alarm = Alarm { clock, stack };
            let (stack, runner) = Stack::new(device, alarm, config).expect("a stack");
            tasks.push(task(async { drop(runner.await) }));
            stack
        });
        Self {
            clock,
            lanes,
            tasks,
            client,
            server,
        }
    }

    fn spawn(&mut self, future: impl Future<Output = ()> + 'static) {
        self.tasks.push(task(future));
    }

    /// Runs `main` to its end beside the tasks that were spawned.
    fn run<T>(&mut self, main: impl Future<Output = T>) -> T {
        let mut main = pin!(main);
        let ready = Arc::new(Ready(AtomicBool::new(true)));
        let waker = Waker::from(ready.clone());
        loop {
            let mut idle = true;
            for (future, ready, waker) in &mut self.tasks {
                if ready.0.swap(false, Ordering::Relaxed) {
                    idle = false;
                    let _ = future.as_mut().poll(&mut Context::from_waker(waker));
                }
            }
            if ready.0.swap(false, Ordering::Relaxed) {
                idle = false;
                let mut context = Context::from_waker(&waker);
                if let Poll::Ready(result) = main.as_mut().poll(&mut context) {
                    return result;
                }
            }
            let mut now = self.clock.now.get() + 10_000;
            for (alarm, (_, ready, _)) in self.clock.alarms.iter().zip(&self.tasks) {
                if idle {
                    now = now.max(alarm.get().min(now + 1_000_000));
                }
                if alarm.get() <= now {
                    alarm.set(u64::MAX);
                    ready.0.store(true, Ordering::Relaxed);
                }
            }
            self.clock.now.set(now);
        }
    }

    /// Connections, with the ends that the server accepted.
    fn connect(&mut self, port: u16, count: usize) -> Vec<(TcpStream, TcpStream)> {
        let (client, server) = (self.client.clone(), self.server.clone());
        self.run(async move {
            let listener = TcpListener::bind(&server, (SERVER, port)).expect("a free port");
            let mut pairs = Vec::with_capacity(count);
            for _ in 0..count {
                let near = TcpStream::connect(&client, (SERVER, port)).await;
                let (far, _) = listener.accept().await.expect("a connection");
                pairs.push((near.expect("a connection"), far));
            }
            pairs
        })
    }
}

/// Allocations of a thousand rounds of `round`, after a thousand others.
async fn allocations(mut round: impl AsyncFnMut()) -> usize {
    for _ in 0..1000 {
        round().await;
    }
    let before = heap::calls();
    for _ in 0..1000 {
        round().await;
    }
    heap::calls() - before
}

fn echoes_by_copies(timeout: Option<Duration>) {
    let mut world = World::new();
    let (near, far) = world.connect(7, 1).remove(0);
    near.set_read_timeout(timeout);
    far.set_read_timeout(timeout);
    world.spawn(async move {
        let mut buffer = [0; 256];
        loop {
            let length = far.read(&mut buffer).await.expect("a message");
            far.write_all(&buffer[..length]).await.expect("sent");
        }
    });
    let mut buffer = [0; 64];
    let count = world.run(allocations(async || {
        near.write_all(&[7; 64]).await.expect("sent");
        let length = near.read(&mut buffer).await.expect("an answer");
        assert_eq!(length, 64);
    }));
    assert_eq!(count, 0);
}

#[test]
fn an_echo_by_copies_allocates_nothing() {
    echoes_by_copies(None);
}

#[test]
fn an_echo_with_time_outs_allocates_nothing() {
    echoes_by_copies(Some(60 * SECOND));
}

#[test]
fn an_echo_through_the_traits_of_futures_io_allocates_nothing() {
    use futures_lite::{AsyncReadExt, AsyncWriteExt};
    let mut world = World::new();
    let (mut near, mut far) = world.connect(7, 1).remove(0);
    world.spawn(async move {
        let mut buffer = [0; 256];
        loop {
            let read = AsyncReadExt::read(&mut far, &mut buffer).await;
            let message = &buffer[..read.expect("a message")];
            let written = AsyncWriteExt::write_all(&mut far, message).await;
            written.expect("sent");
        }
    });
    let mut buffer = [0; 64];
    let count = world.run(allocations(async || {
        let written = AsyncWriteExt::write_all(&mut near, &[7; 64]).await;
        written.expect("sent");
        let read = AsyncReadExt::read(&mut near, &mut buffer).await;
        assert_eq!(read.expect("an answer"), 64);
    }));
    assert_eq!(count, 0);
}

#[test]
fn an_echo_of_datagrams_allocates_at_most_what_it_hands_out() {
    let mut world = World::new();
    let far = UdpSocket::bind(&world.server, (SERVER, 7)).expect("a free port");
    let near = UdpSocket::bind(&world.client, (CLIENT, 0)).expect("a free port");
    world.spawn(async move {
        loop {
            let datagram = far.recv_datagram().await.expect("a datagram");
            far.send_to(&datagram.payload, datagram.source)
                .expect("a route");
        }
    });
    let mut buffer = [0; 64];
    let count = world.run(allocations(async || {
        near.send_to(&[7; 64], (SERVER, 7)).expect("a route");
        let (length, _) = near.recv_from(&mut buffer).await.expect("an answer");
        assert_eq!(length, 64);
    }));
    // A short payload is copied out of its frame, once at each end: its octets, and their count of
    // holders.
    assert!(count <= 2 * 2 * 1000, "{count}");
}

#[test]
fn sleeping_and_accepting_allocate_nothing() {
    let mut world = World::new();
    let (client, server) = (world.client.clone(), world.server.clone());
    let listener = TcpListener::bind(&server, (SERVER, 8)).expect("a free port");
    let count = world.run(allocations(async || {
        let mut accept = pin!(listener.accept());
        let mut sleep = pin!(client.sleep(Duration::from_micros(1)));
        poll_fn(|context| {
            assert!(accept.as_mut().poll(context).is_pending());
            sleep.as_mut().poll(context)
        })
        .await;
    }));
    assert_eq!(count, 0);
}

/// Makes a future, polls it by a waker of its own, and drops it, a thousand times in each turn of the
/// runners.
fn come_and_go<T, F>(world: &mut World, name: &str, thousands: usize, future: impl Fn() -> F)
where
    F: Future<Output = T>,
{
    let mut before = 0;
    for turn in 0..=thousands {
        for _ in 0..1000 {
            let waker = Waker::from(Arc::new(Ready::default()));
            let mut future = pin!(future());
            let poll = future.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(poll.is_pending(), "{name} waits for nothing");
        }
        world.run(futures_lite::future::yield_now());
        if turn == 0 {
            before = heap::held();
        }
    }
    let more = heap::held() - before;
    assert!(
        more < 4096,
        "{name}: {more} octets in {thousands},000 rounds"
    );
}

#[test]
fn futures_that_come_and_go_leave_memory_as_it_was() {
    let mut world = World::new();
    let (near, _far) = world.connect(7, 1).remove(0);
    for lane in &world.lanes {
        lane.borrow_mut().cut = true;
    }
    near.set_read_timeout(Some(SECOND));
    near.set_write_timeout(Some(SECOND));
    let stack = &world.client.clone();
    let world = &mut world;
    let listener = TcpListener::bind(stack, (CLIENT, 8)).expect("a free port");
    let socket = UdpSocket::bind(stack, (CLIENT, 8)).expect("a free port");
    let resolver = Resolver::new(stack, [NOBODY.into()]);
    let mut context = Context::from_waker(Waker::noop());
    while pin!(near.write(&[0; 4096])).poll(&mut context).is_ready() {}
    come_and_go(world, "read", 200, async || near.read(&mut [0]).await);
    come_and_go(world, "write", 200, || near.write(b"x"));
    come_and_go(world, "flushed", 200, || near.flushed());
    come_and_go(world, "accept", 200, || listener.accept());
    come_and_go(world, "recv_datagram", 200, || socket.recv_datagram());
    come_and_go(world, "sleep", 200, || stack.sleep(SECOND));
    come_and_go(world, "ping", 100, || stack.ping(NOBODY, SECOND));
    come_and_go(world, "lookup", 50, || resolver.lookup("example.org"));
    let connect = || TcpStream::connect(stack, (NOBODY, 7));
    come_and_go(world, "connect", 50, connect);
    // Those that do not tell when they have given up.
    let accept = || poll_fn(|context| listener.poll_accept(context));
    come_and_go(world, "poll_accept", 200, accept);
    let receive = || poll_fn(|context| socket.poll_recv_datagram(context));
    come_and_go(world, "poll_recv_datagram", 200, receive);
}

#[test]
fn an_idle_connection_with_a_reader_that_waits_holds_little() {
    const CONNECTIONS: usize = 1000;
    let mut world = World::new();
    let _first = world.connect(6, 1);
    let before = (heap::held(), heap::taken());
    let pairs = world.connect(7, CONNECTIONS);
    let idle = (heap::held() - before.0) as usize / (2 * CONNECTIONS);
    let taken = (heap::taken() - before.1) as usize / (2 * CONNECTIONS);
    let waker = Waker::from(Arc::new(Ready::default()));
    let streams: Vec<&TcpStream> = pairs.iter().flat_map(|(near, far)| [near, far]).collect();
    let mut buffers = vec![[0]; streams.len()];
    let mut waiting = Vec::new();
    for (stream, buffer) in streams.iter().zip(&mut buffers) {
        waiting.push(Box::pin(stream.read(buffer)));
    }
    let before = heap::held();
    for future in &mut waiting {
        let mut context = Context::from_waker(&waker);
        assert!(future.as_mut().poll(&mut context).is_pending());
    }
    let more = heap::held() - before;
    println!(
        "{idle} octets, {taken} taken, {more} more for {} waits",
        waiting.len()
    );
    assert!(taken <= 1024, "{taken} octets, {idle} asked for");
    assert_eq!(more, 0, "there is room for one who waits in each direction");
}
