//! What a task's thread shares with all others.

use super::TaskRef;
use super::inbox::Inbox;
use crate::source::Notifier;

/// What another thread says.
pub(crate) enum Message {
    /// Wake the task, and drop the reference that this is.
    Wake(TaskRef),
    /// Drop the reference that this is.
    Drop(TaskRef),
    /// Poll a task that was spawned through a [`Remote`](crate::Remote).
    #[cfg(feature = "remote")]
    Run(crate::remote::Runnable),
}

// SAFETY: a `TaskRef` in a message is a reference on its way to the task's
// thread, which alone does more with it than the atomics of the header allow.
// A `Runnable` is `Send`.
unsafe impl Send for Message {}

/// The part of a scheduler that any thread may use. It outlives the scheduler
/// as long as there are wakers.
pub(crate) struct Shared {
    pub(crate) inbox: Inbox<Message>,
    notifier: Option<Notifier>,
}

impl Shared {
    pub(crate) fn new(notifier: Option<Notifier>) -> Self {
        Self {
            inbox: Inbox::new(),
            notifier,
        }
    }

    /// Sends a message, and wakes the scheduler up if it sleeps.
    ///
    /// # Errors
    ///
    /// The message comes back once the scheduler has ended.
    pub(crate) fn send(&self, message: Message) -> Result<(), Message> {
        if self.inbox.push(message)?
            && let Some(notify) = &self.notifier
        {
            notify();
        }
        Ok(())
    }
}
