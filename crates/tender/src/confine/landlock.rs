//! Landlock, which takes no privilege: nothing in any file system can be opened or changed, no TCP socket bound or
//! connected, and no process outside be sent a signal.
//!
//! Two system calls, for which the crate `landlock` would bring a second release of `syn`.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::{Lacking, done};

/// `struct landlock_ruleset_attr` (linux/landlock.h): what is denied unless a rule allows it, and there is no rule.
#[repr(C)]
struct Ruleset {
    file_system: u64,
    network: u64,
    scoped: u64,
}

/// `LANDLOCK_CREATE_RULESET_VERSION`.
const VERSION: u32 = 1;

/// All that version `version` of the interface knows, and octets of the structure that it takes.
fn denied(version: i64) -> (Ruleset, usize) {
    let file_system = match version {
        ..2 => 13,
        2 => 14,
        3 | 4 => 15,
        _ => 16,
    };
    let ruleset = Ruleset {
        file_system: (1 << file_system) - 1,
        network: if version >= 4 { 0b11 } else { 0 },
        scoped: if version >= 6 { 0b11 } else { 0 },
    };
    let size = match version {
        ..4 => 8,
        4 | 5 => 16,
        _ => 24,
    };
    (ruleset, size)
}

/// Denies all of it, as far as the kernel knows it.
pub(super) fn restrict(lacking: &mut Lacking) {
    match try_restrict() {
        Ok(6..) => {}
        Ok(version) => lacking.0.push(format!(
            "the newer part of Landlock (version {version}: expected 6)"
        )),
        Err(error) => lacking.add("Landlock", &error),
    }
}

/// The version of Landlock that is in force from then on.
fn try_restrict() -> io::Result<i64> {
    // SAFETY: with this flag the call takes no pointer and opens nothing.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, 0, 0, VERSION) };
    if version < 0 {
        return Err(io::Error::last_os_error());
    }
    let (ruleset, size) = denied(version);
    // SAFETY: the structure is live and has at least as many octets.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            &raw const ruleset,
            size,
            0,
        )
    };
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call above has opened it, and nothing else knows it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: the call takes no pointer.
    done(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, fd.as_raw_fd(), 0) })?;
    Ok(version)
}
