//! Time, and waiting.

use crate::{Handle, HandleSet, backend};

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

/// Whether [`Block::flush_end`](crate::Block::flush_end) of the device with this handle has something to tell; costs less than
/// [`yield_for`].
pub fn flush_has_ended(device: Handle) -> bool {
    backend::flush_has_ended(device)
}

/// Asks the tender to tell the program when it is to end, by SIGTERM or SIGINT to the tender, in place of ending it at
/// once. That holds for the whole run of a program that can reach a call of this function, called or not.
///
/// The handle stands for this in [`yield_for`]: each call that wants it returns at once when the program is to end. The
/// program then has ten seconds, unless the tender's option `--shutdown-timeout` says another time; a second signal ends it
/// at once.
///
/// `None` for a program that nobody tells: on a host, and with bindings of Solo5's own. Under a tender of Solo5's own there
/// is a handle, and it never becomes ready.
pub fn shutdown() -> Option<Handle> {
    backend::shutdown_wanted().then_some(Handle::SHUTDOWN)
}
