//! The timers of a connection apart from those of its two sides.

use crate::proto::Instant;

/// The deadlines of a connection; [`Instant::FAR_FUTURE`] where none runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadlines {
    pub(crate) keep_alive: Instant,
    /// End of FIN-WAIT-2 without a user, or of lingering.
    pub(crate) close: Instant,
}

impl Deadlines {
    pub(crate) const NONE: Self = Self {
        keep_alive: Instant::FAR_FUTURE,
        close: Instant::FAR_FUTURE,
    };

    #[inline]
    pub(crate) fn first(&self) -> Instant {
        self.keep_alive.min(self.close)
    }
}
