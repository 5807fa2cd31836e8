use core::fmt;
use core::ops::{Add, AddAssign, Sub};
use core::time::Duration;

use crate::scheduler;

/// A point on the monotonic clock of the scheduler's event source, in
/// nanoseconds.
///
/// The origin is the event source's choice (its start, or the boot of the
/// unikernel); only differences mean something. It is not
/// `std::time::Instant` because that type cannot be made from a number, which
/// a virtual clock has to do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// The origin of the clock.
    pub const ZERO: Self = Self(0);
    /// A point that no clock reaches: 584 years after the origin.
    pub const FAR_FUTURE: Self = Self(u64::MAX);

    /// What the clock of the running scheduler shows.
    ///
    /// # Panics
    ///
    /// Outside of a scheduler.
    #[track_caller]
    pub fn now() -> Self {
        scheduler::with(|local| local.now())
    }

    /// The point `nanos` nanoseconds after the clock's origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the clock's origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`, zero if `earlier` is the later one.
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The time since this point, by the clock of the running scheduler.
    ///
    /// # Panics
    ///
    /// Outside of a scheduler.
    #[track_caller]
    pub fn elapsed(self) -> Duration {
        Self::now().saturating_duration_since(self)
    }

    /// This point moved by `duration`; [`Instant::FAR_FUTURE`] if that cannot
    /// be expressed.
    pub const fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(saturating_nanos(duration)))
    }
}

/// The nanoseconds of `duration`, `u64::MAX` if there are more.
pub(crate) const fn saturating_nanos(duration: Duration) -> u64 {
    let nanos = duration.as_nanos();
    if nanos > u64::MAX as u128 {
        u64::MAX
    } else {
        nanos as u64
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// Saturates at [`Instant::FAR_FUTURE`].
    fn add(self, duration: Duration) -> Self {
        self.saturating_add(duration)
    }
}

impl AddAssign<Duration> for Instant {
    /// Saturates at [`Instant::FAR_FUTURE`].
    fn add_assign(&mut self, duration: Duration) {
        *self = self.saturating_add(duration);
    }
}

impl Sub for Instant {
    type Output = Duration;

    /// Saturates at zero.
    fn sub(self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", Duration::from_nanos(self.0))
    }
}
