//! async-executor: a `LocalExecutor` under `futures_lite`'s `block_on`, with async-io's
//! timers and sockets.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use futures_lite::io::{AsyncReadExt, AsyncWriteExt};

pub struct AsyncExecutor;

thread_local! {
    static CURRENT: Cell<Option<&'static async_executor::LocalExecutor<'static>>> = const { Cell::new(None) };
}

impl super::Subject for AsyncExecutor {
    type Handle = async_executor::Task<()>;
    type Sleep = async_io::Timer;
    type Stream = async_io::Async<UnixStream>;

    fn run<F: Future<Output = ()> + 'static>(main: F) {
        let executor: &async_executor::LocalExecutor<'static> = Box::leak(Box::default());
        CURRENT.set(Some(executor));
        futures_lite::future::block_on(executor.run(main));
    }

    fn spawn<F: Future<Output = ()> + 'static>(future: F) -> Self::Handle {
        CURRENT.get().expect("an executor runs").spawn(future)
    }

    async fn join(handle: Self::Handle) {
        handle.await;
    }

    fn yield_now() -> impl Future<Output = ()> {
        futures_lite::future::yield_now()
    }

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
