//! The same program as an ordinary Linux process.
//!
//! With `MIOU_PROFILING=profiling.json` in the environment, devices are TAP interfaces and disk
//! images. The file names, for each device of the program, what is behind it, in the terms of the
//! tenders' options:
//!
//! ```json
//! {
//!   "service": { "net": "tap100", "net-mac": "02:00:00:12:34:56" },
//!   "disk": { "block": "disk.img", "block-sector-size": 512 }
//! }
//! ```
//!
//! `net` is a TAP interface that exists and is up; `net-mac` is a random address if absent. `block`
//! is a path, a relative one counting from the folder of the file; `block-sector-size` is 512 if
//! absent.
//!
//! Without the variable, the first device that the program acquires, or [`start`](crate::start),
//! prints the program's [`manifest`] as JSON, which is what `solo5-elftool query-manifest` prints of
//! the same program built as a unikernel, and ends the program with status 0.

pub(crate) mod backend;
mod manifest;
mod profile;

pub use manifest::{ManifestError, manifest};

/// Whether `MIOU_PROFILING` is set, so that devices can be acquired.
pub fn is_profiling() -> bool {
    std::env::var_os(profile::VARIABLE).is_some_and(|value| !value.is_empty())
}
