//! SIGINT and SIGTERM end a guest that did not ask to be told, and the tender with a message.

use std::io;

use super::fault::exit;

extern "C" fn terminate(signal: libc::c_int) {
    let text: &[u8] = match signal {
        libc::SIGINT => b"solo5-hvt: ended by SIGINT\n",
        _ => b"solo5-hvt: ended by SIGTERM\n",
    };
    // SAFETY: write(2) may be called in a signal handler; the pointer and the length are those of a live slice.
    unsafe { libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len()) };
    exit(1)
}

/// Installs the handlers.
pub(super) fn install() -> io::Result<()> {
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: `sigaction` is plain C data, for which all zeros is a valid value: no flags, an empty mask.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = terminate as extern "C" fn(libc::c_int) as libc::sighandler_t;
        // SAFETY: `action` is live and its handler has the signature that goes without SA_SIGINFO; the handler calls
        // only what may be called in one, and does not come back.
        if unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
