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
