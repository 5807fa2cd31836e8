//! Time, and waiting.

use crate::{HandleSet, backend};

/// Nanoseconds since an arbitrary origin; never goes back.
pub fn clock_monotonic() -> u64 {
    backend::clock_monotonic()
}

/// Nanoseconds since 1970-01-01 00:00 UTC, asked from the host at each call.
pub fn clock_wall() -> u64 {
    backend::clock_wall()
}

/// Waits until [`clock_monotonic`] reaches `deadline`, in nanoseconds, or a network device that the
/// program has acquired has a frame to read; returns the devices that have, none after a time-out.
///
/// A deadline in the past does not wait; `u64::MAX` waits for a frame alone.
pub fn yield_until(deadline: u64) -> HandleSet {
    backend::yield_until(deadline)
}
