//! futures: `LocalPool`, with async-io's timers and sockets.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use futures::executor::LocalSpawner;
use futures::future::RemoteHandle;
use futures::task::LocalSpawnExt;
use futures_lite::io::{AsyncReadExt, AsyncWriteExt};

pub struct LocalPool;

thread_local! {
    static CURRENT: RefCell<Option<LocalSpawner>> = const { RefCell::new(None) };
}

impl super::Subject for LocalPool {
    type Handle = RemoteHandle<()>;
    type Sleep = async_io::Timer;
    type Stream = async_io::Async<UnixStream>;

    fn run<F: Future<Output = ()> + 'static>(main: F) {
        let mut pool = futures::executor::LocalPool::new();
        CURRENT.set(Some(pool.spawner()));
        pool.run_until(main);
    }

    fn spawn<F: Future<Output = ()> + 'static>(future: F) -> Self::Handle {
        CURRENT.with_borrow(|spawner| {
            spawner
                .as_ref()
                .expect("a pool runs")
                .spawn_local_with_handle(future)
                .expect("the pool accepts tasks")
        })
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
