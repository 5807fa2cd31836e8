//! embassy-executor on std. Its tasks live in static storage and cannot be
//! awaited; sockets are those of async-io, which wakes them from its thread.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use embassy_executor::raw::TaskStorage;
use embassy_executor::{Executor, Spawner};
use futures_lite::io::{AsyncReadExt, AsyncWriteExt};

pub struct Embassy;

thread_local! {
    static CURRENT: RefCell<Option<Spawner>> = const { RefCell::new(None) };
    static DONE: Cell<bool> = const { Cell::new(false) };
}

impl super::Subject for Embassy {
    type Handle = ();
    type Sleep = async_io::Timer;
    type Stream = async_io::Async<UnixStream>;

    fn run<F: Future<Output = ()> + 'static>(main: F) {
        DONE.set(false);
        let executor: &'static mut Executor = Box::leak(Box::new(Executor::new()));
        executor.run_until(
            |spawner| {
                CURRENT.set(Some(spawner));
                Self::spawn(async {
                    main.await;
                    DONE.set(true);
                });
            },
            || DONE.get(),
        );
    }

    /// The storage, which the `task` macro would put into a `static`, is
    /// allocated and leaked: the macro does not take generic futures.
    fn spawn<F: Future<Output = ()> + 'static>(future: F) {
        let storage: &'static TaskStorage<F> = Box::leak(Box::new(TaskStorage::new()));
        let token = storage.spawn(|| future).expect("a new storage is free");
        CURRENT.with_borrow(|spawner| spawner.as_ref().expect("an executor runs").spawn(token));
    }

    const JOINS: bool = false;

    async fn join((): Self::Handle) {}

    fn yield_now() -> impl Future<Output = ()> {
        futures_lite::future::yield_now()
    }

    const TIMERS: bool = false;

    fn sleep(duration: Duration) -> Self::Sleep {
        async_io::Timer::after(duration)
    }

    fn stream(stream: UnixStream) -> io::Result<Self::Stream> {
        async_io::Async::new(stream)
    }

    async fn read(stream: &mut Self::Stream, buffer: &mut [u8]) -> io::Result<usize> {
        stream.read(buffer).await
    }

    async fn write(stream: &mut Self::Stream, buffer: &[u8]) -> io::Result<usize> {
        stream.write(buffer).await
    }
}
