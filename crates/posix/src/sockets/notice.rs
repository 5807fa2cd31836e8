//! What the stack wakes: a socket, which then tells its queue.

use std::rc::Weak;
use std::sync::Arc;
use std::task::{Wake, Waker};

/// A socket that the stack tells of events.
pub(super) trait Noticed {
    fn notice(&self, which: Which);
}

/// What of a socket an event is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Read,
    Write,
}

struct Notice {
    socket: Weak<dyn Noticed>,
    which: Which,
}

// SAFETY: a waker of this kind is given to the stack alone, which belongs to one thread of the host's (it is not `Send`):
// in a unikernel, where threads of ours share it, all of them are one to the processor, and they change places only where
// one waits, which no call of the stack does.
unsafe impl Send for Notice {}
// SAFETY: as above.
unsafe impl Sync for Notice {}

impl Wake for Notice {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(socket) = self.socket.upgrade() {
            socket.notice(self.which);
        }
    }
}

/// A waker that tells `socket`.
pub(super) fn waker(socket: Weak<dyn Noticed>, which: Which) -> Waker {
    Arc::new(Notice { socket, which }).into()
}
