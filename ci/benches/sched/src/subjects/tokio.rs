//! tokio: a `LocalSet` on the current-thread runtime.

use std::future::Future;
use std::io;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub struct Tokio;

impl super::Subject for Tokio {
    type Handle = tokio::task::JoinHandle<()>;
    type Sleep = Pin<Box<tokio::time::Sleep>>;
    type Stream = tokio::net::UnixStream;

    fn run<F: Future<Output = ()> + 'static>(main: F) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        tokio::task::LocalSet::new().block_on(&runtime, main);
    }

    fn spawn<F: Future<Output = ()> + 'static>(future: F) -> Self::Handle {
        tokio::task::spawn_local(future)
    }

    async fn join(handle: Self::Handle) {
        handle.await.expect("the task ends");
    }

    fn yield_now() -> impl Future<Output = ()> {
        tokio::task::yield_now()
    }

    fn sleep(duration: Duration) -> Self::Sleep {
        Box::pin(tokio::time::sleep(duration))
    }

    fn stream(stream: UnixStream) -> io::Result<Self::Stream> {
        stream.set_nonblocking(true)?;
        tokio::net::UnixStream::from_std(stream)
    }

    async fn read(stream: &mut Self::Stream, buffer: &mut [u8]) -> io::Result<usize> {
        stream.read(buffer).await
    }

    async fn write(stream: &mut Self::Stream, buffer: &[u8]) -> io::Result<usize> {
        stream.write(buffer).await
    }
}
