//! What is asked of the tender's own process.

use crate::error::Error;

/// Refuses to run under a personality that makes readable memory executable: no protection would mean anything.
pub(crate) fn refuse_read_implies_exec() -> Result<(), Error> {
    /// `personality(2)`: ask without changing anything.
    const ASK: libc::c_ulong = 0xffff_ffff;
    // SAFETY: the call takes no pointer, and with this argument changes nothing.
    let asked = u32::try_from(unsafe { libc::personality(ASK) });
    // A service manager's filter may have it that nobody even asks (LockPersonality= of systemd).
    match asked.ok().or_else(personality_of_proc) {
        Some(personality) if personality & libc::READ_IMPLIES_EXEC as u32 == 0 => Ok(()),
        _ => Err(Error::ReadImpliesExec),
    }
}

fn personality_of_proc() -> Option<u32> {
    let text = std::fs::read_to_string("/proc/self/personality").ok()?;
    u32::from_str_radix(text.trim(), 16).ok()
}

/// Has a console whose reader has gone, and a limit on the size of files, be errors of a write instead of the end.
pub(crate) fn ignore_signals_of_writes() {
    for signal in [libc::SIGPIPE, libc::SIGXFSZ] {
        // SAFETY: SIG_IGN is a valid disposition.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}
