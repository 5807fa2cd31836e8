use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use futures_lite::io::{AsyncReadExt, AsyncWriteExt};
use miou_rs::host::{Async, Host, connect, unblock};
use miou_rs::{
    Builder, Instant, Orphans, Remote, run, sleep, spawn, spawn_named, stats, timeout, yield_now,
};

const LOOPBACK: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

#[test]
fn many_connections_are_echoed_at_once() {
    const CONNECTIONS: usize = 50;
    const LENGTH: usize = 100_000;
    run(async {
        let listener = Async::<TcpListener>::bind(LOOPBACK).unwrap();
        let address = listener.get_ref().local_addr().unwrap();
        let _server = spawn(async move {
            let mut connections = Orphans::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(async move { futures_lite::io::copy(&stream, &stream).await });
                while let miou_rs::Care::Finished(result) = connections.care() {
                    assert_eq!(result.unwrap().unwrap(), LENGTH as u64);
                }
            }
        });
        let clients = (0..CONNECTIONS).map(|number| {
            spawn(async move {
                let stream = connect(address).await.unwrap();
                let sent: Vec<u8> = (0..LENGTH).map(|at| (at * 31 + number) as u8).collect();
                let mut received = vec![0; LENGTH];
                let (write, read) = (
                    async {
                        let mut writer = &stream;
                        writer.write_all(&sent).await.unwrap();
                    },
                    async {
                        let mut reader = &stream;
                        reader.read_exact(&mut received).await.unwrap();
                    },
                );
                futures_lite::future::zip(write, read).await;
                assert!(sent == received);
            })
        });
        for result in miou_rs::await_all(clients).await {
            result.unwrap();
        }
    });
}

#[test]
fn a_connection_that_is_refused_is_an_error() {
    // A port that was free a moment ago.
    let address = TcpListener::bind(LOOPBACK).unwrap().local_addr().unwrap();
    let error = run(async { connect(address).await.unwrap_err() });
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

#[test]
fn a_thread_wakes_a_scheduler_that_sleeps() {
    let (ask, asked) = mpsc::channel::<std::task::Waker>();
    let thread = thread::spawn(move || {
        for waker in asked {
            waker.wake();
        }
    });
    run(async {
        for _ in 0..100 {
            let mut polled = false;
            std::future::poll_fn(|context| {
                if polled {
                    return Poll::Ready(());
                }
                polled = true;
                ask.send(context.waker().clone()).unwrap();
                Poll::Pending
            })
            .await;
        }
        drop(ask);
    });
    thread.join().unwrap();
}

#[test]
fn channels_reach_from_thread_to_thread() {
    let (sender, receiver) = miou_rs::sync::bounded(3);
    let (back, answers) = miou_rs::sync::bounded(3);
    let thread = thread::spawn(move || {
        while let Ok(number) = receiver.recv_blocking() {
            back.send_blocking(number * 2_u64).unwrap();
        }
    });
    let sum = run(async {
        let sending = spawn(async move {
            for number in 0..1_000 {
                sender.send(number).await.unwrap();
            }
        });
        let mut sum = 0;
        while let Ok(number) = answers.recv().await {
            sum += number;
        }
        sending.await.unwrap();
        sum
    });
    thread.join().unwrap();
    assert_eq!(sum, 999_000);
}

#[test]
fn a_scheduler_that_sleeps_is_woken_in_time() {
    run(async {
        let start = Instant::now();
        sleep(Duration::from_millis(3)).await;
        assert!(start.elapsed() >= Duration::from_millis(3));
        assert!(
            timeout(Duration::from_millis(1), std::future::pending::<()>())
                .await
                .is_err()
        );
    });
}

#[test]
fn a_socket_may_be_read_and_written_at_once_and_taken_back() {
    run(async {
        let (one, other) = UnixStream::pair().unwrap();
        let (one, other) = (Async::new(one).unwrap(), Async::new(other).unwrap());
        let mut byte = [0];
        assert!(
            timeout(Duration::from_millis(1), (&other).read(&mut byte))
                .await
                .is_err(),
            "nothing was written yet"
        );
        let reading = spawn(async move {
            let mut byte = [0];
            let length = other
                .read_with(|mut other| other.read(&mut byte))
                .await
                .unwrap();
            (other, byte, length)
        });
        yield_now().await;
        one.write_with(|mut one| one.write(b"x")).await.unwrap();
        let (other, byte, length) = reading.await.unwrap();
        assert_eq!((byte, length), (*b"x", 1));
        let other: UnixStream = other.into_inner();
        other.set_nonblocking(false).unwrap();
        (&other).write_all(b"y").unwrap();
        let mut byte = [0];
        (&one).read_exact(&mut byte).await.unwrap();
        assert_eq!(byte, *b"y");
    });
}

#[test]
fn without_a_scheduler_nothing_is_watched() {
    let (one, _other) = UnixStream::pair().unwrap();
    let error = Async::new(one).unwrap_err();
    assert!(error.to_string().contains("miou_rs::host::Host"), "{error}");
}

#[test]
fn a_regular_file_cannot_be_watched() {
    run(async {
        let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
        let error = Async::new(std::os::fd::OwnedFd::from(file)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}");
    });
}

#[test]
fn tasks_that_compute_do_not_keep_a_socket_waiting() {
    run(async {
        let (one, other) = UnixStream::pair().unwrap();
        let (one, other) = (Async::new(one).unwrap(), Async::new(other).unwrap());
        let _busy: Vec<_> = (0..100)
            .map(|_| {
                spawn(async {
                    loop {
                        yield_now().await;
                    }
                })
            })
            .collect();
        let echo = spawn(async move { futures_lite::io::copy(&other, &other).await });
        for number in 0..100 {
            (&one).write_all(&[number]).await.unwrap();
            let mut byte = [0];
            (&one).read_exact(&mut byte).await.unwrap();
            assert_eq!(byte, [number]);
        }
        one.get_ref().shutdown(std::net::Shutdown::Both).unwrap();
        assert_eq!(echo.await.unwrap().unwrap(), 100);
        assert!(stats().events >= 200);
    });
}

#[test]
fn an_event_source_is_found_by_the_thread_and_gone_with_it() {
    let first = Host::new().unwrap();
    let second = Host::new().unwrap();
    Builder::new().run_with(second, async {
        let (stream, _other) = UnixStream::pair().unwrap();
        Async::new(stream).unwrap();
    });
    // `first` is found again.
    let (stream, _other) = UnixStream::pair().unwrap();
    drop(Async::<UnixStream>::new(stream).unwrap());
    drop(first);
    let (stream, _other) = UnixStream::pair().unwrap();
    assert!(Async::<UnixStream>::new(stream).is_err());
}

/// Yields many times, so that the clock is not read after each of these polls,
/// then computes for as long as is asked for.
async fn yield_then_compute(time: Duration) {
    for _ in 0..10_000 {
        yield_now().await;
    }
    let start = std::time::Instant::now();
    while start.elapsed() < time {}
}

#[test]
fn a_long_poll_after_many_short_ones_is_seen() {
    const LONG: Duration = Duration::from_millis(20);
    run(async {
        let others = spawn(yield_then_compute(Duration::ZERO));
        spawn(yield_then_compute(LONG)).await.unwrap();
        others.await.unwrap();
        // When the scheduler waits it has measured all.
        sleep(Duration::from_millis(1)).await;
        assert!(stats().longest_poll >= LONG, "{:?}", stats());
    });
}

#[test]
fn a_hog_after_many_short_polls_is_told_by_name() {
    const LONG: Duration = Duration::from_millis(20);
    let hogs: Rc<RefCell<Vec<String>>> = Rc::default();
    let builder = Builder::new().on_hog(LONG, {
        let hogs = hogs.clone();
        move |report| {
            hogs.borrow_mut()
                .extend(report.name.as_deref().map(Into::into))
        }
    });
    let finished = builder.run(async {
        let others = spawn(yield_then_compute(Duration::ZERO));
        let hog = spawn_named("hog", yield_then_compute(LONG));
        hog.await.unwrap();
        others.await.unwrap();
    });
    finished.unwrap();
    assert!(hogs.take().contains(&"hog".into()));
}

#[test]
fn a_thread_that_spawns_wakes_a_scheduler_that_sleeps() {
    run(async {
        let remote = Remote::current();
        let (sender, receiver) = miou_rs::sync::bounded(1);
        let thread = thread::spawn(move || {
            for number in 0..100 {
                let sender = sender.clone();
                // The thread sleeps until the task has run, and the scheduler
                // until the next is spawned.
                let promise = remote.spawn(async move { sender.send(number).await });
                futures_lite::future::block_on(promise).unwrap().unwrap();
            }
        });
        for number in 0..100 {
            assert_eq!(receiver.recv().await, Ok(number));
        }
        // It has nothing left to do but to be told that its last task is done.
        while !thread.is_finished() {
            yield_now().await;
        }
        thread.join().unwrap();
    });
}

#[test]
fn closures_that_block_run_on_few_threads_and_tell_their_panics() {
    let running = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    run(async {
        let here = thread::current().id();
        let promises: Vec<_> = (0..100)
            .map(|number| {
                let running = running.clone();
                unblock(move || {
                    assert_ne!(thread::current().id(), here);
                    let now = running[0].fetch_add(1, Ordering::SeqCst) + 1;
                    running[1].fetch_max(now, Ordering::SeqCst);
                    thread::yield_now();
                    running[0].fetch_sub(1, Ordering::SeqCst);
                    assert_ne!(number, 50, "of the closure");
                    number
                })
            })
            .collect();
        for (number, promise) in promises.into_iter().enumerate() {
            match promise.await {
                Ok(value) => assert_eq!(value, number),
                Err(aborted) => {
                    assert_eq!(number, 50);
                    let panic = aborted.into_panic().unwrap();
                    assert!(panic.message().contains("of the closure"));
                }
            }
        }
    });
    assert!(running[1].load(Ordering::SeqCst) <= 8);
}

#[test]
fn a_closure_whose_promise_is_dropped_before_it_begins_never_runs() {
    let ran = Arc::new(AtomicUsize::new(0));
    run(async {
        let (begin, begun) = mpsc::channel();
        let blocked: Vec<_> = (0..8)
            .map(|_| {
                let begin = begin.clone();
                let (release, released) = mpsc::channel::<()>();
                let promise = unblock(move || {
                    begin.send(()).unwrap();
                    let _ = released.recv();
                });
                (release, promise)
            })
            .collect();
        (0..8).for_each(|_| begun.recv().unwrap());
        // No thread is left.
        let runs = ran.clone();
        drop(unblock(move || runs.fetch_add(1, Ordering::SeqCst)));
        for (release, promise) in blocked {
            drop(release);
            promise.await.unwrap();
        }
        // Behind it in the queue.
        unblock(|| ()).await.unwrap();
    });
    assert_eq!(ran.load(Ordering::SeqCst), 0);
}

/// What nobody takes, as its promise is gone.
struct PanicsOnDrop(mpsc::Sender<()>);

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        self.0.send(()).unwrap();
        panic!("of the destructor");
    }
}

#[test]
fn a_value_that_panics_as_nobody_takes_it_harms_no_thread() {
    let (dropped, drops) = mpsc::channel();
    run(async {
        // On a thread of the pool.
        let (begin, begun) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let value = PanicsOnDrop(dropped.clone());
        let promise = unblock(move || {
            begin.send(()).unwrap();
            let _ = released.recv();
            value
        });
        begun.recv().unwrap();
        drop(promise);
        drop(release);
        drops.recv().unwrap();
        unblock(|| ()).await.unwrap();
        // On the scheduler's, where the task itself drops the promise.
        let promise = Arc::new(Mutex::new(None));
        let (own, value) = (promise.clone(), PanicsOnDrop(dropped));
        // It runs at the next yield.
        let task = Remote::current().spawn(async move {
            drop(own.lock().unwrap().take());
            value
        });
        *promise.lock().unwrap() = Some(task);
        while drops.try_recv().is_err() {
            yield_now().await;
        }
        Remote::current().spawn(async {}).await.unwrap();
    });
}

/// Counts, by its references, who may still wake it.
struct Sleeper;

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn who_waits_no_longer_is_forgotten() {
    run(async {
        let (one, _other) = UnixStream::pair().unwrap();
        let one = Async::new(one).unwrap();
        let sleepers = [Arc::new(Sleeper), Arc::new(Sleeper)];
        let wakers = sleepers.clone().map(Waker::from);
        let counts = || sleepers.each_ref().map(Arc::strong_count);
        let mut buffer = [0; 1];
        let mut read = pin!(one.read_with(|mut one| one.read(&mut buffer)));
        for waker in &wakers {
            let mut context = Context::from_waker(waker);
            assert!(read.as_mut().poll(&mut context).is_pending());
        }
        // The waker of the last poll is kept, and a second future of the same task is another.
        assert_eq!(counts(), [2, 3]);
        let mut context = Context::from_waker(&wakers[1]);
        {
            let mut buffer = [0; 1];
            let second = pin!(one.read_with(|mut one| one.read(&mut buffer)));
            assert!(second.poll(&mut context).is_pending());
            assert_eq!(counts(), [2, 4]);
        }
        assert_eq!(counts(), [2, 3]);
    });
}
