//! User, groups, capabilities, and what would bring some back.

use std::io;

use super::{ConfineError, done, give_up};

/// `_LINUX_CAPABILITY_VERSION_3` (linux/capability.h).
const CAPABILITY_VERSION: u32 = 0x2008_0522;

/// Becomes `user`, if there is one, and drops every capability.
pub(super) fn drop_all(user: Option<(u32, u32)>) -> Result<(), ConfineError> {
    // No program that this process might run gives it any, and without any it can install filters.
    prctl(libc::PR_SET_NO_NEW_PRIVS, 1).map_err(give_up("privileges"))?;
    // While there still is the privilege to; without that no capability can come back anyway.
    let _ = (0..64).try_for_each(|capability| prctl(libc::PR_CAPBSET_DROP, capability));
    if let Some((uid, gid)) = user {
        become_user(uid, gid).map_err(|source| ConfineError::User { uid, gid, source })?;
    }
    // A kernel before 4.3 has none to clear.
    let _ = prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as u64);
    // The header, with 0 for this thread, and two times effective, permitted and inheritable: none.
    let header = [CAPABILITY_VERSION, 0];
    let none = [0_u32; 6];
    // SAFETY: both are live, and as long as this version of the call has them.
    let dropped =
        done(unsafe { libc::syscall(libc::SYS_capset, &raw const header, &raw const none) });
    dropped.map_err(give_up("capabilities"))
}

fn become_user(uid: u32, gid: u32) -> io::Result<()> {
    let mut signal: libc::c_int = 0;
    // SAFETY: the calls read nothing but numbers, and the one that writes writes to `signal`.
    unsafe {
        // Another user is another parent's child as it were: the kernel forgets who wanted it to die with them.
        libc::prctl(libc::PR_GET_PDEATHSIG, &raw mut signal);
        done(libc::setgroups(0, std::ptr::null()).into())?;
        done(libc::setresgid(gid, gid, gid).into())?;
        done(libc::setresuid(uid, uid, uid).into())?;
    }
    match u64::try_from(signal) {
        Ok(0) | Err(_) => Ok(()),
        Ok(signal) => prctl(libc::PR_SET_PDEATHSIG, signal),
    }
}

/// Whether another process of the same user may read and write this one's memory and find its descriptors, and a core hold
/// it.
pub(super) fn set_dumpable(dumpable: bool) -> Result<(), ConfineError> {
    // It has to be said either way: who becomes another user is not.
    prctl(libc::PR_SET_DUMPABLE, dumpable.into()).map_err(give_up("tracing"))
}

fn prctl(operation: libc::c_int, argument: u64) -> io::Result<()> {
    // SAFETY: none of the operations that are asked for here takes a pointer.
    done(unsafe { libc::prctl(operation, argument, 0_u64, 0_u64, 0_u64) }.into())
}
