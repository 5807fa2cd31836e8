//! A pool of threads for what blocks.

use std::collections::VecDeque;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use core::panic::Location;

use crate::RemotePromise;
use crate::remote::{self, Info, Runnable};

/// At most so many closures run at once; others wait for their turn.
const MAX_THREADS: usize = 8;
/// For how long a thread waits for another closure before it ends.
const KEEP: Duration = Duration::from_secs(5);

/// Runs `closure` on a thread of a small pool, so that what it waits for does
/// not keep the scheduler waiting: file systems, name resolution, compression.
///
/// It is queued at once and runs in turn: at most eight at a time in the
/// program. A panic is told to whoever awaits the promise. Dropping the promise
/// takes back a closure that has not begun; one that has goes on, and its value
/// is dropped. If the system refuses even one thread, the closure is
/// [cancelled](crate::Aborted::Cancelled).
///
/// ```
/// use miou_rs::host::unblock;
///
/// miou_rs::run(async {
///     let read = unblock(|| std::fs::read_to_string("/proc/self/comm"));
///     assert!(!read.await.unwrap()?.is_empty());
///     std::io::Result::Ok(())
/// })
/// .unwrap();
/// ```
#[doc(alias = "spawn_blocking")]
#[track_caller]
pub fn unblock<T: Send + 'static>(
    closure: impl FnOnce() -> T + Send + 'static,
) -> RemotePromise<T> {
    let info = Info::new(None, Location::caller());
    remote::spawn(async move { closure() }, info, |runnable| {
        POOL.push(runnable);
    })
}

static POOL: Pool = Pool {
    state: Mutex::new(State {
        queue: VecDeque::new(),
        threads: 0,
        idle: 0,
    }),
    work: Condvar::new(),
};

struct Pool {
    state: Mutex<State>,
    /// Signalled when there is something in the queue.
    work: Condvar,
}

struct State {
    queue: VecDeque<Runnable>,
    threads: usize,
    /// How many of the threads wait for work.
    idle: usize,
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is locked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&'static self, runnable: Runnable) {
        let mut state = self.lock();
        state.queue.push_back(runnable);
        // One that was signalled still counts as idle until it runs.
        if state.idle >= state.queue.len() {
            drop(state);
            self.work.notify_one();
        } else if state.threads < MAX_THREADS
            && self.start_thread(&mut state).is_err()
            && state.threads == 0
        {
            let refused = state.queue.pop_back();
            drop(state);
            drop(refused);
        }
    }

    fn start_thread(&'static self, state: &mut State) -> io::Result<()> {
        thread::Builder::new()
            .name("unblock".into())
            .spawn(|| self.serve())?;
        state.threads += 1;
        Ok(())
    }

    /// What a thread of the pool does.
    fn serve(&self) {
        let mut state = self.lock();
        loop {
            if let Some(runnable) = state.queue.pop_front() {
                drop(state);
                runnable.run();
                state = self.lock();
                continue;
            }
            state.idle += 1;
            let (woken, timeout) = self
                .work
                .wait_timeout(state, KEEP)
                .unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            if timeout.timed_out() && state.queue.is_empty() {
                state.threads -= 1;
                return;
            }
        }
    }
}
