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

/// As [`yield_until`], for these devices alone, of which there may be none: frames that nobody reads then keep nobody
/// awake.
///
/// Under a tender without the extension that this takes, and with bindings of Solo5's own, a frame on another device ends
/// the wait early, with no device in the result.
pub fn yield_for(deadline: u64, wanted: HandleSet) -> HandleSet {
    backend::yield_for(deadline, wanted)
}
