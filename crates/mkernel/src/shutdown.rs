//! The host's wish that the unikernel end.

use std::{
    cell::{Cell, RefCell},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use slab::Slab;
use solo5_ffi::Handle;

use crate::{
    hypercalls::Hypercalls,
    source::{Solo5, source},
};

/// So many looks for frames go by, while there is always something to do, until one for the end, which costs a
/// hypercall: some tens of milliseconds, by the scheduler's quantum.
const LOOKS: u32 = 4096;

/// Waits until the host wants the unikernel to end: SIGTERM or SIGINT to the tender. From then on it returns at once,
/// and the unikernel has ten seconds, unless the tender's option `--shutdown-timeout` says another time, to finish what
/// it has begun; a second signal ends it at once.
///
/// A program that calls this nowhere is ended by the first signal, as any is by a tender of Solo5's own, under which this
/// never returns. On Linux it never does either.
///
/// ```no_run
/// use std::time::Duration;
///
/// # async fn serve() {}
/// # async fn finish() {}
/// mkernel::run(async {
///     let service = mkernel::spawn(serve());
///     mkernel::shutdown().await;
///     drop(service);
///     let _ = mkernel::timeout(Duration::from_secs(5), finish()).await;
/// });
/// ```
///
/// # Panics
///
/// Outside of [`run`](crate::run).
pub async fn shutdown() {
    let source = source();
    if let Some(handle) = solo5_ffi::shutdown() {
        source.end.expect(handle);
    }
    Shutdown::new(source).await;
}

/// Who waits for the end, and whether it was asked for.
#[derive(Default)]
pub(crate) struct End {
    /// What stands for it, once somebody can be told.
    handle: Cell<Option<Handle>>,
    is_asked_for: Cell<bool>,
    waiting: RefCell<Slab<Waker>>,
    looks: Cell<u32>,
}

impl End {
    pub(crate) fn expect(&self, handle: Handle) {
        self.handle.set(Some(handle));
    }

    /// The handle, as long as somebody waits for it.
    pub(crate) fn awaited(&self) -> Option<Handle> {
        match self.waiting.borrow().is_empty() {
            true => None,
            false => self.handle.get(),
        }
    }

    /// Counts a look for frames; whether it is time to look for the end too.
    pub(crate) fn is_due(&self) -> bool {
        if self.handle.get().is_none() || self.is_asked_for.get() {
            return false;
        }
        let looks = self.looks.get() + 1;
        self.looks.set(looks % LOOKS);
        looks == LOOKS && self.awaited().is_some()
    }

    /// The end is asked for: wakes who waits; the number of tasks.
    pub(crate) fn arrive(&self) -> usize {
        self.is_asked_for.set(true);
        let waiting = self.waiting.take();
        let woken = waiting.len();
        waiting.into_iter().for_each(|(_, waker)| waker.wake());
        woken
    }
}

/// Ready when the end is asked for.
pub(crate) struct Shutdown<H: Hypercalls> {
    source: Rc<Solo5<H>>,
    /// Among those who wait.
    key: Option<usize>,
}

impl<H: Hypercalls> Shutdown<H> {
    pub(crate) fn new(source: Rc<Solo5<H>>) -> Self {
        Self { source, key: None }
    }
}

impl<H: Hypercalls> Future for Shutdown<H> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Self { source, key } = self.get_mut();
        let end = &source.end;
        if end.is_asked_for.get() {
            return Poll::Ready(());
        }
        let mut waiting = end.waiting.borrow_mut();
        match *key {
            Some(key) => waiting[key].clone_from(context.waker()),
            None => *key = Some(waiting.insert(context.waker().clone())),
        }
        Poll::Pending
    }
}

impl<H: Hypercalls> Drop for Shutdown<H> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            // Nobody waits any more once the end was asked for.
            let waker = self.source.end.waiting.borrow_mut().try_remove(key);
            drop(waker);
        }
    }
}

#[cfg(test)]
mod tests;
