//! The last steps of the tender: signals, standard streams, filter, jump.

use seccompiler::BpfProgramRef;

use super::SptError;
use super::rseq::end_restartable_sequences;
use super::trampoline::{Resident, Start, Trampoline};
use crate::confine::ConfineError;
use crate::error::Error;

/// Gives the signals that Rust's runtime handles their default action back.
///
/// Its SIGSEGV handler would return through a system call that the filter forbids, and so turn every fault of the
/// guest into a SIGSYS.
pub(super) fn reset_signals() {
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        // SAFETY: SIG_DFL is a valid disposition, and no other thread exists that could rely on another.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// Unmaps the tender, starts what is to run beside the guest, installs the filter and jumps to the guest; comes back only if
/// that cannot be prepared. What `confine` gives up is given up last, once nothing is looked up any more.
///
/// # Safety
///
/// `start` must hold addresses of mapped guest memory, which ends at `memory_end`; no other thread may exist; the rest of
/// the process must not rely on anything but its descriptors afterwards.
pub(super) unsafe fn enter(
    filter: BpfProgramRef<'_>,
    memory_end: u64,
    start: Start,
    residents: &[&dyn Resident],
    confine: impl FnOnce() -> Result<(), ConfineError>,
) -> Error {
    let placed = end_restartable_sequences()
        .and_then(|()| Trampoline::place(memory_end, start, filter, residents));
    let trampoline = match placed {
        Ok(trampoline) => trampoline,
        Err(error) => return SptError::Leave(error).into(),
    };
    match confine() {
        // SAFETY: the caller vouches for the addresses and for there being one thread.
        Ok(()) => unsafe { trampoline.jump() },
        Err(error) => error.into(),
    }
}
