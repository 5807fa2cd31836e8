//! What is asked of the tender's own process.

use crate::error::Error;

/// Refuses to run under a personality that makes readable memory executable: no protection would mean anything.
pub(crate) fn refuse_read_implies_exec() -> Result<(), Error> {
    /// `personality(2)`: ask without changing anything.
    const ASK: libc::c_ulong = 0xffff_ffff;
    // SAFETY: the call takes no pointer, and with this argument changes nothing.
    let personality = unsafe { libc::personality(ASK) };
    if personality & libc::READ_IMPLIES_EXEC != 0 {
        Err(Error::ReadImpliesExec)
    } else {
        Ok(())
    }
}

/// Has a console whose reader has gone, and a limit on the size of files, be errors of a write instead of the end.
pub(crate) fn ignore_signals_of_writes() {
    for signal in [libc::SIGPIPE, libc::SIGXFSZ] {
        // SAFETY: SIG_IGN is a valid disposition.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}
