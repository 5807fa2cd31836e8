//! smol: its `LocalExecutor` under its own `block_on`, which drives the reactor.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use smol::io::{AsyncReadExt, AsyncWriteExt};

pub struct Smol;

thread_local! {
    static CURRENT: Cell<Option<&'static smol::LocalExecutor<'static>>> = const { Cell::new(None) };
}

impl super::Subject for Smol {
    type Handle = smol::Task<()>;
    type Sleep = smol::Timer;
    type Stream = smol::Async<UnixStream>;

    fn run<F: Future<Output = ()> + 'static>(main: F) {
        let executor: &smol::LocalExecutor<'static> = Box::leak(Box::default());
        CURRENT.set(Some(executor));
        smol::block_on(executor.run(main));
    }

    fn spawn<F: Future<Output = ()> + 'static>(future: F) -> Self::Handle {
        CURRENT.get().expect("an executor runs").spawn(future)
    }

    async fn join(handle: Self::Handle) {
        handle.await;
    }

    fn yield_now() -> impl Future<Output = ()> {
        smol::future::yield_now()
    }

    fn sleep(duration: Duration) -> Self::Sleep {
        smol::Timer::after(duration)
    }

    fn stream(stream: UnixStream) -> io::Result<Self::Stream> {
        smol::Async::new(stream)
    }

    async fn read(stream: &mut Self::Stream, buffer: &mut [u8]) -> io::Result<usize> {
        stream.read(buffer).await
    }

    async fn write(stream: &mut Self::Stream, buffer: &[u8]) -> io::Result<usize> {
        stream.write(buffer).await
    }
}
