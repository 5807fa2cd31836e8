//! The least that can be built on async-task: a `VecDeque` of its runnables.
//!
//! No events, no wakes from other threads (a runnable scheduled there would be
//! lost): not an executor that anybody could use, but the bound of what one on
//! async-task could reach, and so the figure for which miou-rs has tasks of its
//! own.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use async_task::{Runnable, Task};

pub struct AsyncTask;

thread_local! {
    static QUEUE: RefCell<VecDeque<Runnable>> = const { RefCell::new(VecDeque::new()) };
}

impl super::Subject for AsyncTask {
    type Handle = Task<()>;
    type Sleep = async_io::Timer;
    type Stream = ();

    fn run<F: Future<Output = ()> + 'static>(main: F) {
        let main = Self::spawn(main);
        while !main.is_finished() {
            let next = QUEUE.with_borrow_mut(VecDeque::pop_front);
            match next {
                Some(runnable) => drop(runnable.run()),
                None => break,
            }
        }
    }

    fn spawn<F: Future<Output = ()> + 'static>(future: F) -> Self::Handle {
        let schedule = |runnable| QUEUE.with_borrow_mut(|queue| queue.push_back(runnable));
        let (runnable, task) = async_task::spawn_local(future, schedule);
        runnable.schedule();
        task
    }

    async fn join(handle: Self::Handle) {
        handle.await;
    }

    fn yield_now() -> impl Future<Output = ()> {
        futures_lite::future::yield_now()
    }

    const TIMERS: bool = false;

    fn sleep(duration: Duration) -> Self::Sleep {
        async_io::Timer::after(duration)
    }

    const IO: bool = false;

    fn stream(_: UnixStream) -> io::Result<Self::Stream> {
        Ok(())
    }

    async fn read(_: &mut Self::Stream, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }

    async fn write(_: &mut Self::Stream, _: &[u8]) -> io::Result<usize> {
        Ok(0)
    }
}
