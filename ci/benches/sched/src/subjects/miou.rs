//! miou-rs.

use std::future::Future;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use miou_rs::host::Async;

pub struct Miou;

impl super::Subject for Miou {
    type Handle = miou_rs::Promise<()>;
    type Sleep = miou_rs::Sleep;
    type Stream = Async<UnixStream>;

    fn run<F: Future<Output = ()> + 'static>(main: F) {
        let mut builder = miou_rs::Builder::new();
        // Under callgrind time passes a hundred times faster than work is done,
        // and ticks would be most of what is counted. One for 1,024 polls, as
        // there is in any case, comes near what there is without callgrind.
        if std::env::var_os("SCHED_BENCH_CALLGRIND").is_some() {
            builder = builder.quantum(Duration::MAX);
        }
        builder
            .run(main)
            .expect("the kernel gives poll descriptors");
    }

    fn spawn<F: Future<Output = ()> + 'static>(future: F) -> Self::Handle {
        miou_rs::spawn(future)
    }

    async fn join(handle: Self::Handle) {
        handle.await.expect("the task ends");
    }

    fn yield_now() -> impl Future<Output = ()> {
        miou_rs::yield_now()
    }

    fn sleep(duration: Duration) -> Self::Sleep {
        miou_rs::sleep(duration)
    }

    fn stream(stream: UnixStream) -> io::Result<Self::Stream> {
        Async::new(stream)
    }

    async fn read(stream: &mut Self::Stream, buffer: &mut [u8]) -> io::Result<usize> {
        stream.read_with(|mut stream| stream.read(buffer)).await
    }

    async fn write(stream: &mut Self::Stream, buffer: &[u8]) -> io::Result<usize> {
        stream.write_with(|mut stream| stream.write(buffer)).await
    }
}
