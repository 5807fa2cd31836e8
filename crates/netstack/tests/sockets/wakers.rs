//! What becomes of wakers: none is left behind by a future that is dropped, and none is dropped while
//! the stack could not be called.

use crate::tcp::pair;
use crate::world::{CLIENT, World};
use futures_lite::{AsyncRead, AsyncWrite};
use netstack::proto::tcp::Options;
use netstack::{Resolver, Stack, TcpListener, TcpStream, UdpSocket};
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::net::Ipv4Addr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const NOBODY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);

thread_local! {
    static STACK: RefCell<Option<Stack>> = const { RefCell::new(None) };
    static ALIVE: Cell<usize> = const { Cell::new(0) };
}

/// A task whose end calls the stack, as one does that owns a socket.
struct Task;

impl Task {
    fn waker() -> Waker {
        ALIVE.set(ALIVE.get() + 1);
        Waker::from(Arc::new(Self))
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Task {
    fn drop(&mut self) {
        ALIVE.set(ALIVE.get() - 1);
        STACK.with_borrow(|stack| {
            let stack = stack.as_ref().expect("a stack");
            drop(UdpSocket::bind(stack, ([0; 4], 0)).expect("a free port"));
        });
    }
}

/// Polls with a waker that only the stack holds on to.
fn poll_pending<T>(future: Pin<&mut impl Future<Output = T>>) {
    let waker = Task::waker();
    assert!(future.poll(&mut Context::from_waker(&waker)).is_pending());
}

/// One future that waits, by two wakers in turn, and is dropped: nothing is left.
fn check<T>(name: &str, future: impl Future<Output = T>) {
    {
        let mut future = pin!(future);
        poll_pending(future.as_mut());
        poll_pending(future.as_mut());
        assert_ne!(ALIVE.get(), 0, "{name} waits for nothing");
    }
    assert_eq!(ALIVE.get(), 0, "{name} leaves a waker");
}

/// Makes a future of each kind that has to wait.
async fn for_each_kind(world: &World, rounds: usize) {
    let stack = &world.client;
    let (stream, _server) = pair(world).await;
    let listener = TcpListener::bind(stack, (CLIENT, 7)).expect("a free port");
    let socket = UdpSocket::bind(stack, (CLIENT, 7)).expect("a free port");
    let resolver = Resolver::new(stack, [NOBODY.into()]);
    stream.set_read_timeout(Some(SECOND));
    stream.set_write_timeout(Some(SECOND));
    while let Poll::Ready(written) =
        pin!(stream.write(&[0; 4096])).poll(&mut Context::from_waker(Waker::noop()))
    {
        written.expect("sent");
    }
    let any = (Ipv4Addr::UNSPECIFIED, 0);
    let options = Options::default();
    for _ in 0..rounds {
        check("read", stream.read(&mut [0]));
        check("read_chunk", stream.read_chunk(1));
        check("peek", stream.peek(&mut [0]));
        check("write", stream.write(b"x"));
        check("write_all", stream.write_all(b"x"));
        check("write_chunk", stream.write_chunk("x".into()));
        check("flushed", stream.flushed());
        check("accept", listener.accept());
        check("recv_datagram", socket.recv_datagram());
        check("sleep", stack.sleep(SECOND));
        check("ping", stack.ping(NOBODY, SECOND));
        check("dhcp", stack.dhcp(SECOND));
        check("lookup", resolver.lookup("example.org"));
        let connect = TcpStream::connect_with(stack, any, (NOBODY, 7), &options);
        check("connect", connect);
    }
}

/// Runs a test on a world whose client is called by wakers that are dropped.
fn run(test: impl AsyncFn(&World)) {
    let world = World::new();
    STACK.set(Some(world.client.clone()));
    world.run(test(&world));
    STACK.with_borrow_mut(Option::take);
}

#[test]
fn a_future_that_is_dropped_leaves_no_waker() {
    run(async |world| for_each_kind(world, 1).await);
}

#[test]
fn futures_that_come_and_go_do_not_accumulate() {
    run(async |world| for_each_kind(world, 2_000).await);
}

#[test]
fn polls_without_a_future_keep_a_bounded_number_of_wakers() {
    run(async |world| {
        let (stream, _server) = pair(world).await;
        stream.set_read_timeout(Some(SECOND));
        let listener = TcpListener::bind(&world.client, (CLIENT, 7)).expect("a free port");
        let socket = UdpSocket::bind(&world.client, (CLIENT, 7)).expect("a free port");
        for _ in 0..10_000 {
            poll_pending(pin!(poll_fn(|context| listener.poll_accept(context))));
            poll_pending(pin!(poll_fn(|context| socket.poll_recv_datagram(context))));
            poll_pending(pin!(poll_fn(
                |context| Pin::new(&mut &stream).poll_read(context, &mut [0])
            )));
        }
        assert!(ALIVE.get() <= 3 * 17, "{}", ALIVE.get());
        // They go with what they waited for.
        drop((stream, listener, socket));
        assert_eq!(ALIVE.get(), 0);
    });
}

#[test]
fn a_stream_that_is_dropped_drops_its_wakers_when_the_stack_can_be_called() {
    run(async |world| {
        let (stream, _server) = pair(world).await;
        let (mut read, mut write) = stream.into_split();
        poll_pending(pin!(poll_fn(
            |context| Pin::new(&mut read).poll_read(context, &mut [0])
        )));
        let write = &mut write;
        let fill = async {
            while poll_fn(|context| Pin::new(&mut *write).poll_write(context, &[0; 4096]))
                .await
                .is_ok()
            {}
        };
        poll_pending(pin!(fill));
        assert_eq!(ALIVE.get(), 2);
        world.stop_client();
        world.server.sleep(SECOND).await;
        assert_eq!(ALIVE.get(), 0);
    });
}

#[test]
fn a_runner_that_ends_drops_its_waker_when_the_stack_can_be_called() {
    let world = World::new();
    STACK.set(Some(world.client.clone()));
    let config = netstack::Config::default();
    let (stack, runner) = Stack::new(Silent, Silent, config).expect("a stack");
    STACK.set(Some(stack));
    let mut runner = Box::pin(runner);
    poll_pending(runner.as_mut());
    // Another task takes over.
    poll_pending(runner.as_mut());
    assert_eq!(ALIVE.get(), 1);
    drop(runner);
    assert_eq!(ALIVE.get(), 0);
    STACK.with_borrow_mut(Option::take);
}

#[test]
fn the_device_and_the_timer_part_with_a_former_task_when_the_stack_can_be_called() {
    // What they still hold of the first task they give up when they are polled for another, also when
    // there were turns in between that did not come to that.
    for turns in 1..5 {
        let kept = Rc::new(Kept::default());
        let (device, timer) = (Keeping(kept.clone()), Keeping(kept.clone()));
        let config = netstack::Config::default();
        let (stack, runner) = Stack::new(device, timer, config).expect("a stack");
        STACK.set(Some(stack.clone()));
        let mut runner = Box::pin(runner);
        let mut sleep = Box::pin(stack.sleep(SECOND));
        poll_pending(sleep.as_mut());
        poll_pending(runner.as_mut());
        // Full batches are read without asking whether there is more.
        kept.frames.set(4);
        poll_pending(runner.as_mut());
        poll_pending(runner.as_mut());
        kept.frames.set(4 * turns);
        for _ in 0..turns + 2 {
            poll_pending(runner.as_mut());
        }
        drop((runner, sleep));
        kept.wakers.iter().for_each(|waker| drop(waker.take()));
        assert_eq!(ALIVE.get(), 0);
        STACK.with_borrow_mut(Option::take);
    }
}

#[test]
fn wakers_that_call_the_stack_do_not_nest() {
    run(async |world| {
        let socket = UdpSocket::bind(&world.client, (CLIENT, 7)).expect("a free port");
        let mut waiting: Vec<_> = (0..50_000)
            .map(|_| Box::pin(socket.recv_datagram()))
            .collect();
        for future in &mut waiting {
            poll_pending(future.as_mut());
        }
        world.stop_client();
        world.server.sleep(SECOND).await;
        assert_eq!(ALIVE.get(), 0);
    });
}

/// A device and a timer that keep the waker of their last call, and frames of nothing.
#[derive(Default)]
struct Kept {
    wakers: [Cell<Option<Waker>>; 2],
    frames: Cell<usize>,
}

struct Keeping(Rc<Kept>);

impl netstack::FrameDevice for Keeping {
    fn mtu(&self) -> usize {
        1500
    }

    fn mac(&self) -> netstack::proto::link::ethernet::MacAddr {
        Default::default()
    }

    fn try_read(&mut self, _: &mut bytes::BytesMut) -> std::io::Result<Option<netstack::Received>> {
        let frames = self.0.frames.get();
        self.0.frames.set(frames.saturating_sub(1));
        Ok((frames > 0).then_some(netstack::Received::unchecked(60)))
    }

    fn write(&mut self, _: &[u8]) -> std::io::Result<()> {
        Ok(())
    }

    fn poll_readable(&mut self, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        if self.0.frames.get() > 0 {
            return Poll::Ready(Ok(()));
        }
        self.0.wakers[0].set(Some(context.waker().clone()));
        Poll::Pending
    }
}

impl netstack::Timer for Keeping {
    fn now(&self) -> netstack::proto::Instant {
        netstack::proto::Instant::from_nanos(0)
    }

    fn poll_until(&mut self, context: &mut Context<'_>, _: netstack::proto::Instant) -> Poll<()> {
        self.0.wakers[1].set(Some(context.waker().clone()));
        Poll::Pending
    }
}

/// A device and a timer that keep no waker.
struct Silent;

impl netstack::FrameDevice for Silent {
    fn mtu(&self) -> usize {
        1500
    }

    fn mac(&self) -> netstack::proto::link::ethernet::MacAddr {
        Default::default()
    }

    fn try_read(&mut self, _: &mut bytes::BytesMut) -> std::io::Result<Option<netstack::Received>> {
        Ok(None)
    }

    fn write(&mut self, _: &[u8]) -> std::io::Result<()> {
        Ok(())
    }

    fn poll_readable(&mut self, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Pending
    }
}

impl netstack::Timer for Silent {
    fn now(&self) -> netstack::proto::Instant {
        netstack::proto::Instant::from_nanos(0)
    }

    fn poll_until(&mut self, _: &mut Context<'_>, _: netstack::proto::Instant) -> Poll<()> {
        Poll::Pending
    }
}
