//! The future of a task from another thread, and what is known of the task.

use core::panic::Location;
use core::pin::Pin;
use core::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use core::task::{Context, Poll};
use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use crate::task::outcome::{Panic, drop_quietly, guarded};

/// A task that is to be polled.
pub(crate) type Runnable = async_task::Runnable<Arc<Info>>;

/// What is known of a task besides its future.
pub(crate) struct Info {
    pub(crate) name: Option<Cow<'static, str>>,
    pub(crate) location: &'static Location<'static>,
    /// The key of the stand-in, for the scheduler's thread; `NO_KEY` before it
    /// has one.
    key: AtomicUsize,
    end: AtomicU8,
    /// A panic of the future's destructor when the task was cancelled.
    panic: Mutex<Option<Panic>>,
}

const NO_KEY: usize = usize::MAX;

/// How a future ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum End {
    /// It has not.
    None,
    /// It gave a value.
    Finished,
    /// It or its destructor panicked.
    Panicked,
    /// It was dropped before.
    Cancelled,
}

impl Info {
    pub(crate) fn new(
        name: Option<Cow<'static, str>>,
        location: &'static Location<'static>,
    ) -> Self {
        Self {
            name,
            location,
            key: AtomicUsize::new(NO_KEY),
            end: AtomicU8::new(End::None as u8),
            panic: Mutex::new(None),
        }
    }

    /// The key of the stand-in, if it has one (owner).
    pub(crate) fn key(&self) -> Option<usize> {
        // Relaxed: only the scheduler's thread reads and writes it.
        let key = self.key.load(Ordering::Relaxed);
        (key != NO_KEY).then_some(key)
    }

    /// Sets the key of the stand-in (owner).
    pub(crate) fn set_key(&self, key: usize) {
        self.key.store(key, Ordering::Relaxed);
    }

    /// How the future ended, for the thread that polls it.
    pub(crate) fn end(&self) -> End {
        // Relaxed: written by the same thread, or not at all.
        [End::None, End::Finished, End::Panicked, End::Cancelled]
            [usize::from(self.end.load(Ordering::Relaxed))]
    }

    fn set_end(&self, end: End) {
        self.end.store(end as u8, Ordering::Relaxed);
    }

    /// Takes the panic that came of dropping the future.
    pub(super) fn take_panic(&self) -> Option<Panic> {
        let mut panic = self.panic.lock().unwrap_or_else(PoisonError::into_inner);
        panic.take()
    }
}

/// The future, whose panics do not reach `async-task`: that would pass those of
/// `poll` on to the scheduler, and abort the program for those of a destructor.
pub(super) struct Body<F> {
    /// `None` when it has ended.
    future: Option<Pin<Box<F>>>,
    info: Arc<Info>,
}

impl<F> Body<F> {
    pub(super) fn new(future: F, info: Arc<Info>) -> Self {
        Self {
            future: Some(Box::pin(future)),
            info,
        }
    }
}

impl<F: Future> Future for Body<F> {
    type Output = Outcome<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let polled = guarded(|| match &mut this.future {
            Some(future) => future.as_mut().poll(context),
            // `async-task` does not poll what has ended.
            None => Poll::Pending,
        });
        let result = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(value)) => Ok(value),
            Err(panic) => Err(panic),
        };
        let future = this.future.take();
        let result = match (result, guarded(move || drop(future))) {
            (result, Ok(())) => result,
            // The first of two panics counts.
            (Err(first), Err(panic)) => {
                drop_quietly(panic);
                Err(first)
            }
            (Ok(value), Err(panic)) => {
                drop_quietly(value);
                Err(panic)
            }
        };
        this.info.set_end(match result {
            Ok(_) => End::Finished,
            Err(_) => End::Panicked,
        });
        Poll::Ready(Outcome(Some(result)))
    }
}

/// What a future gave. Where nobody takes it, `async-task` drops it, and would
/// abort the program if a destructor panicked.
pub(super) struct Outcome<T>(Option<Result<T, Panic>>);

impl<T> Outcome<T> {
    pub(super) fn take(mut self) -> Option<Result<T, Panic>> {
        self.0.take()
    }
}

impl<T> Drop for Outcome<T> {
    fn drop(&mut self) {
        drop_quietly(self.0.take());
    }
}

impl<F> Drop for Body<F> {
    fn drop(&mut self) {
        let Some(future) = self.future.take() else {
            return;
        };
        self.info.set_end(End::Cancelled);
        if let Err(panic) = guarded(move || drop(future)) {
            self.info.set_end(End::Panicked);
            let mut slot = self
                .info
                .panic
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *slot = Some(panic);
        }
    }
}
