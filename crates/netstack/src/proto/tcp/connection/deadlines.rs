//! The timers of a connection apart from those of its two sides.

use crate::proto::Instant;

/// The deadlines of a connection; [`Instant::FAR_FUTURE`] where none runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadlines {
    pub(super) keep_alive: Instant,
    /// End of FIN-WAIT-2 without a user, or of lingering.
    pub(super) close: Instant,
}

impl Deadlines {
    pub(super) const NONE: Self = Self {
        keep_alive: Instant::FAR_FUTURE,
        close: Instant::FAR_FUTURE,
    };

    #[inline]
    pub(super) fn first(&self) -> Instant {
        self.keep_alive.min(self.close)
    }
}
