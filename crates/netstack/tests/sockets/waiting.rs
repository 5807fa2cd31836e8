//! Many who wait for one thing, futures that are dropped while they wait, stacks that end.

use crate::tcp::pair;
use crate::world::{CLIENT, SERVER, World};
use bytes::Bytes;
use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
use netstack::{Stack, TcpListener, TcpStream, UdpSocket};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Polls once, for nobody.
fn poll_once<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Does `work` unless it takes longer than `seconds`.
async fn within<T>(stack: &Stack, seconds: u64, work: impl Future<Output = T>) -> Option<T> {
    let late = async {
        stack.sleep(Duration::from_secs(seconds)).await;
        None
    };
    future::or(async { Some(work.await) }, late).await
}

/// Fills the connection until a write would wait.
fn fill(stream: &TcpStream) {
    while let Poll::Ready(written) = poll_once(pin!(stream.write(&[0; 4096]))) {
        written.expect("sent");
    }
}

#[test]
fn a_time_out_goes_with_the_read_that_was_dropped() {
    let world = World::new();
    world.run(async {
        let (client, _server) = pair(&world).await;
        client.set_read_timeout(Some(10 * SECOND));
        let dropped = within(&world.client, 9, client.read(&mut [0])).await;
        assert!(dropped.is_none());
        for rest in [0, 5, 60] {
            world.client.sleep(rest * SECOND).await;
            let before = world.seconds();
            let error = client.read_chunk(1).await.expect_err("silence");
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            let waited = world.seconds() - before;
            assert!((9.99..10.5).contains(&waited), "{waited} s");
        }
    });
}

#[test]
fn a_time_out_goes_with_the_write_that_was_dropped() {
    let world = World::new();
    world.run(async {
        let (client, _server) = pair(&world).await;
        client.set_write_timeout(Some(10 * SECOND));
        loop {
            fill(&client);
            if within(&world.client, 9, client.write(b"x")).await.is_none() {
                break;
            }
        }
        let before = world.seconds();
        let error = client.flushed().await.expect_err("nobody reads");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let waited = world.seconds() - before;
        assert!((9.99..10.5).contains(&waited), "{waited} s");
    });
}

#[test]
fn time_outs_through_the_traits_of_futures_io_belong_to_one_wait() {
    let world = World::new();
    world.run(async {
        let (client, _server) = pair(&world).await;
        client.set_read_timeout(Some(10 * SECOND));
        let read = async || AsyncReadExt::read(&mut &client, &mut [0]).await;
        for rest in [0, 5, 60] {
            assert!(within(&world.client, 9, read()).await.is_none());
            world.client.sleep(rest * SECOND).await;
            let before = world.seconds();
            let error = read().await.expect_err("silence");
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            let waited = world.seconds() - before;
            assert!((9.99..10.5).contains(&waited), "{waited} s");
        }
    });
}

#[test]
fn two_tasks_that_read_through_the_traits_of_futures_io_both_time_out() {
    let world = World::new();
    let (client, _server) = world.run(async { pair(&world).await });
    client.set_read_timeout(Some(10 * SECOND));
    let client = Rc::new(client);
    let late = Rc::new(Cell::new(0));
    for _ in 0..2 {
        let (client, late) = (client.clone(), late.clone());
        world.spawn(async move {
            let error = AsyncReadExt::read(&mut &*client, &mut [0]).await;
            assert_eq!(error.expect_err("silence").kind(), ErrorKind::TimedOut);
            late.set(late.get() + 1);
        });
    }
    world.run(world.server.sleep(25 * SECOND));
    assert_eq!(late.get(), 2);
}

/// Has `tasks` tasks wait for something twice each, makes it happen, and returns in which order they
/// got it.
fn served<W, F>(world: &World, tasks: usize, wait: W, happen: impl AsyncFn()) -> Vec<usize>
where
    W: Fn() -> F,
    F: Future<Output = ()> + 'static,
{
    let order = Rc::new(RefCell::new(Vec::new()));
    for task in 0..tasks {
        let (first, second, order) = (wait(), wait(), order.clone());
        world.spawn(async move {
            first.await;
            order.borrow_mut().push(task);
            second.await;
            order.borrow_mut().push(task);
        });
    }
    world.run(async {
        world.client.sleep(SECOND).await;
        for _ in 0..2 * tasks {
            happen().await;
            world.client.sleep(SECOND).await;
        }
    });
    order.take()
}

#[test]
fn readers_of_a_udp_socket_are_served_in_turn() {
    let world = World::new();
    let socket = Rc::new(UdpSocket::bind(&world.server, (SERVER, 9)).expect("a free port"));
    let client = UdpSocket::bind(&world.client, (CLIENT, 0)).expect("a free port");
    let wait = || {
        let socket = socket.clone();
        async move { drop(socket.recv_datagram().await.expect("a datagram")) }
    };
    let send = async || {
        client.send_to(b"x", (SERVER, 9)).expect("a route");
    };
    assert_eq!(served(&world, 3, wait, send), [0, 1, 2, 0, 1, 2]);
}

#[test]
fn readers_of_a_stream_are_served_in_turn() {
    let world = World::new();
    let (client, server) = world.run(async { pair(&world).await });
    let server = Rc::new(server);
    let wait = || {
        let server = server.clone();
        async move { assert_eq!(server.read(&mut [0; 9]).await.expect("there"), 1) }
    };
    let send = async || client.write_all(b"x").await.expect("sent");
    assert_eq!(served(&world, 3, wait, send), [0, 1, 2, 0, 1, 2]);
}

#[test]
fn tasks_that_accept_are_served_in_turn() {
    let world = World::new();
    let listener = Rc::new(TcpListener::bind(&world.server, (SERVER, 7)).expect("a free port"));
    let wait = || {
        let listener = listener.clone();
        async move { drop(listener.accept().await.expect("a connection")) }
    };
    let connect = async || drop(TcpStream::connect(&world.client, (SERVER, 7)).await);
    assert_eq!(served(&world, 3, wait, connect), [0, 1, 2, 0, 1, 2]);
}

#[test]
fn forty_tasks_that_poll_one_listener_come_to_rest_and_each_gets_a_connection() {
    const TASKS: usize = 40;
    let world = World::new();
    let listener = Rc::new(TcpListener::bind(&world.server, (SERVER, 7)).expect("a free port"));
    let (polls, accepted) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    for _ in 0..TASKS {
        let (listener, polls, accepted) = (listener.clone(), polls.clone(), accepted.clone());
        world.spawn(async move {
            let connection = std::future::poll_fn(|context| {
                polls.set(polls.get() + 1);
                listener.poll_accept(context)
            });
            let _held = connection.await.expect("a connection");
            accepted.set(accepted.get() + 1);
            std::future::pending().await
        });
    }
    world.run(async {
        world.client.sleep(SECOND).await;
        assert!(polls.get() < 10 * TASKS, "{} polls", polls.get());
        let mut held = Vec::new();
        for count in 1..=TASKS {
            let connection = TcpStream::connect(&world.client, (SERVER, 7)).await;
            held.push(connection.expect("a connection"));
            world.client.sleep(SECOND).await;
            assert_eq!(accepted.get(), count);
        }
        assert!(polls.get() < 10 * TASKS * TASKS, "{} polls", polls.get());
    });
}

#[test]
fn flushed_waits_beside_write_and_another_write() {
    let world = World::new();
    let (client, server) = world.run(async { pair(&world).await });
    let client = Rc::new(client);
    let done = Rc::new(Cell::new(0));
    fill(&client);
    for kind in 0..3 {
        let (client, done) = (client.clone(), done.clone());
        world.spawn(async move {
            match kind {
                0 => client.write_all(&[1; 1000]).await.expect("sent"),
                1 => client
                    .write_chunk(Bytes::from_static(&[1; 1000]))
                    .await
                    .expect("sent"),
                _ => client.flushed().await.expect("acknowledged"),
            }
            done.set(done.get() + 1);
        });
    }
    world.run(async {
        world.client.sleep(SECOND).await;
        assert_eq!(done.get(), 0, "nobody reads yet");
        world.spawn(async move { while server.read_chunk(usize::MAX).await.is_ok() {} });
        world.client.sleep(60 * SECOND).await;
        assert_eq!(done.get(), 3);
    });
}

/// Of two readers, one is woken by a datagram but dropped before it looks.
fn one_of_two_readers_is_dropped(dropped_is_first: bool) {
    let world = World::new();
    let socket = Rc::new(UdpSocket::bind(&world.server, (SERVER, 9)).expect("a free port"));
    let received = Rc::new(RefCell::new(None));
    let mut dropped = Box::pin(socket.recv_datagram());
    if dropped_is_first {
        assert!(poll_once(dropped.as_mut()).is_pending());
    }
    let (other, into) = (socket.clone(), received.clone());
    world.spawn(async move {
        let datagram = other.recv_datagram().await.expect("a datagram");
        into.replace(Some(datagram.payload));
    });
    world.run(async {
        world.client.sleep(SECOND).await;
        assert!(poll_once(dropped.as_mut()).is_pending());
        let client = UdpSocket::bind(&world.client, (CLIENT, 0)).expect("a free port");
        client.send_to(b"x", (SERVER, 9)).expect("a route");
        world.client.sleep(SECOND).await;
        drop(dropped);
        world.client.sleep(SECOND).await;
    });
    assert_eq!(received.take(), Some(Bytes::from("x")));
}

#[test]
fn a_datagram_that_woke_a_dropped_reader_goes_to_the_one_behind() {
    one_of_two_readers_is_dropped(true);
}

#[test]
fn a_datagram_that_woke_a_dropped_reader_goes_to_the_one_before() {
    one_of_two_readers_is_dropped(false);
}

#[test]
fn pings_at_once_each_get_their_own_reply() {
    let world = World::new();
    world.run(async {
        let far = world.client.ping(SERVER, SECOND);
        let nobody = world.client.ping([10, 0, 0, 9], 9 * SECOND);
        let again = world.client.ping(SERVER, SECOND);
        let near = world.client.ping(CLIENT, SECOND);
        let ((far, nobody), (again, near)) =
            future::zip(future::zip(far, nobody), future::zip(again, near)).await;
        for answered in [far, again, near] {
            answered.expect("an echo");
        }
        assert_eq!(nobody.expect_err("nobody").kind(), ErrorKind::TimedOut);
    });
}

/// Tasks of the client that wait in every way there is, and what they end with.
async fn all_end(world: &World, end: impl FnOnce(&World)) -> Vec<(&'static str, ErrorKind)> {
    let stack = world.client.clone();
    let (stream, _server) = pair(world).await;
    let (full, _deaf) = pair_on(world, 8).await;
    fill(&full);
    let ends = Rc::new(RefCell::new(Vec::new()));
    let listener = TcpListener::bind(&stack, (CLIENT, 7)).expect("a free port");
    let socket = UdpSocket::bind(&stack, (CLIENT, 7)).expect("a free port");
    let (stream, full) = (Rc::new(stream), Rc::new(full));
    let spawn = |name, task: Pin<Box<dyn Future<Output = io::Result<()>>>>| {
        let ends = ends.clone();
        world.spawn(async move {
            let error = task.await.expect_err("nothing comes");
            ends.borrow_mut().push((name, error.kind()));
        });
    };
    let waiting = stream.clone();
    spawn(
        "read",
        Box::pin(async move { waiting.read(&mut [0]).await.map(drop) }),
    );
    let waiting = stream.clone();
    spawn(
        "trait",
        Box::pin(async move { AsyncReadExt::read(&mut &*waiting, &mut [0]).await.map(drop) }),
    );
    let waiting = full.clone();
    spawn(
        "write",
        Box::pin(async move { waiting.write_all(&[0; 9]).await }),
    );
    let waiting = full.clone();
    spawn("flushed", Box::pin(async move { waiting.flushed().await }));
    spawn(
        "accept",
        Box::pin(async move { listener.accept().await.map(drop) }),
    );
    spawn(
        "receive",
        Box::pin(async move { socket.recv_datagram().await.map(drop) }),
    );
    let nobody = [10, 0, 0, 9];
    let waiting = stack.clone();
    spawn(
        "ping",
        Box::pin(async move { waiting.ping(nobody, 999 * SECOND).await.map(drop) }),
    );
    let waiting = stack.clone();
    spawn(
        "connect",
        Box::pin(async move { TcpStream::connect(&waiting, (nobody, 7)).await.map(drop) }),
    );
    let waiting = stack.clone();
    spawn(
        "dhcp",
        Box::pin(async move { waiting.dhcp(999 * SECOND).await.map(drop) }),
    );
    let waiting = netstack::Resolver::new(&stack, [nobody.into()]);
    spawn(
        "lookup",
        Box::pin(async move { waiting.lookup("example.org").await.map(drop) }),
    );
    let waiting = stack.clone();
    spawn(
        "sleep",
        Box::pin(async move {
            waiting.sleep(999 * SECOND).await;
            waiting.ping(CLIENT, SECOND).await.map(drop)
        }),
    );
    world.server.sleep(SECOND / 10).await;
    assert_eq!(ends.take(), []);
    end(world);
    world.server.sleep(SECOND / 10).await;
    let mut ends = ends.take();
    ends.sort_unstable_by_key(|(name, _)| *name);
    ends
}

async fn pair_on(world: &World, port: u16) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(&world.server, (SERVER, port)).expect("a free port");
    let client = TcpStream::connect(&world.client, (SERVER, port)).await;
    let (server, _) = listener.accept().await.expect("a connection");
    (client.expect("a connection"), server)
}

const WAYS: [&str; 11] = [
    "accept", "connect", "dhcp", "flushed", "lookup", "ping", "read", "receive", "sleep", "trait",
    "write",
];

#[test]
fn whoever_waits_when_the_runner_is_dropped_gets_an_error() {
    let world = World::new();
    let ends = world.run(async { all_end(&world, World::stop_client).await });
    assert_eq!(ends, WAYS.map(|name| (name, ErrorKind::NetworkDown)));
}

#[test]
fn whoever_waits_when_the_device_breaks_gets_its_error() {
    let world = World::new();
    let ends = world.run(async { all_end(&world, World::break_client).await });
    assert_eq!(ends, WAYS.map(|name| (name, ErrorKind::BrokenPipe)));
}

#[test]
fn a_stack_without_a_runner_refuses_new_calls() {
    let world = World::new();
    world.run(async {
        let (client, server) = pair(&world).await;
        world.stop_client();
        world.server.sleep(SECOND).await;
        let error = client.write(b"x").await.expect_err("ended");
        assert_eq!(error.kind(), ErrorKind::NetworkDown);
        let error = AsyncWriteExt::write(&mut &client, b"x").await;
        assert_eq!(error.expect_err("ended").kind(), ErrorKind::NetworkDown);
        let error = world.client.dhcp(SECOND).await.expect_err("ended");
        assert_eq!(error.kind(), ErrorKind::NetworkDown);
        // The other stack lives.
        world.server.ping(SERVER, SECOND).await.expect("an echo");
        drop(server);
    });
}
