//! How a task ended, for whoever awaits it.

use core::any::Any;
use core::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Why a task gave no value.
pub enum Aborted {
    /// It was cancelled: by [`Promise::cancel`](crate::Promise::cancel), or
    /// because the scheduler ended.
    Cancelled,
    /// It panicked, in its body or in a destructor that its cancellation ran.
    Panicked(Panic),
}

impl Aborted {
    /// Whether the task was cancelled.
    pub const fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled)
    }

    /// Whether the task panicked.
    pub const fn is_panicked(&self) -> bool {
        matches!(self, Self::Panicked(_))
    }

    /// The panic, if there was one.
    pub fn into_panic(self) -> Option<Panic> {
        match self {
            Self::Cancelled => None,
            Self::Panicked(panic) => Some(panic),
        }
    }
}

impl fmt::Debug for Aborted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("Cancelled"),
            Self::Panicked(panic) => f.debug_tuple("Panicked").field(&panic.message()).finish(),
        }
    }
}

impl fmt::Display for Aborted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("the task was cancelled"),
            Self::Panicked(panic) => write!(f, "the task panicked: {}", panic.message()),
        }
    }
}

impl core::error::Error for Aborted {}

/// The payload of a panic.
// Boxed twice so that a task keeps a word for it, not two.
pub struct Panic(Box<Box<dyn Any + Send>>);

impl Panic {
    pub(crate) fn new(payload: Box<dyn Any + Send>) -> Self {
        Self(Box::new(payload))
    }

    /// What was given to `panic!`, when that was a message.
    pub fn message(&self) -> &str {
        let payload: &(dyn Any + Send) = &**self.0;
        if let Some(message) = payload.downcast_ref::<&'static str>() {
            message
        } else if let Some(message) = payload.downcast_ref::<String>() {
            message
        } else {
            "(a payload that is not a string)"
        }
    }

    /// The payload itself, as `catch_unwind` gives it.
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        *self.0
    }

    /// Continues the panic in the current task.
    pub fn resume(self) -> ! {
        resume_unwind(self.into_payload())
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Panic").field(&self.message()).finish()
    }
}

/// Runs code that is not ours and keeps its panic from spreading.
pub(crate) fn guarded<R>(f: impl FnOnce() -> R) -> Result<R, Panic> {
    // Unwind safety: what `f` may leave broken belongs to the task or hook
    // that panicked, and is dropped with it.
    catch_unwind(AssertUnwindSafe(f)).map_err(Panic::new)
}

/// Drops a value that is not ours, and whatever panic comes of it.
pub(crate) fn drop_quietly<T>(value: T) {
    if let Err(panic) = guarded(move || drop(value)) {
        // The payload's own destructor may panic too; that one is left alone.
        if let Err(second) = guarded(move || drop(panic)) {
            core::mem::forget(second);
        }
    }
}
