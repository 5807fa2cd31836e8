//! The host's wish that a guest end, which is SIGTERM or SIGINT to the tender: a guest that has asked for it is told, by a
//! count that it can wait for, and ended at the second signal or after some time.
//!
//! Signals that come within [`WINDOW_NS`] of the first are that one again: timeout(1) signals its child and then the group that
//! this is in, and a parent may hand on what it was sent as well.
//!
//! Both signals are blocked, so that no handler has to run where the guest is, and a thread takes them that does nothing
//! else: on spt `spt/trampoline.rs`, on hvt `hvt/watch.rs`.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};

use crate::Tender;
use crate::polling::eventfd;

/// The exit status of a tender that has ended a guest which did not end by itself. (Albatross does not restart after it.)
pub(crate) const STATUS: i32 = 62;

/// Nanoseconds from the first signal on in which another is no second one; less than a second.
pub(crate) const WINDOW_NS: u32 = 100_000_000;

/// What it takes to tell a guest, and to end it.
pub(crate) struct Shutdown {
    /// Seconds that the guest has.
    pub(crate) seconds: u32,
    /// The count: above zero when the guest is to end.
    pub(crate) told: OwnedFd,
    /// The signals that tell it, as the kernel's set: bit *n* - 1 for signal *n*.
    pub(crate) signals: u64,
    /// Standard error, if it can be written to without waiting for a reader, and is no socket, which is asked by
    /// `sendto(2)`.
    pub(crate) notice: RawFd,
    _notice: Option<OwnedFd>,
}

impl Shutdown {
    /// Prepares for a guest that has `seconds`.
    ///
    /// # Errors
    ///
    /// When the host has no descriptor left.
    pub(crate) fn new(seconds: u32) -> io::Result<Self> {
        let (notice, owned) = stderr_that_never_waits();
        Ok(Self {
            seconds,
            told: eventfd()?,
            signals: heeded(),
            notice,
            _notice: owned,
        })
    }

    /// Has the signals wait for who asks for them, in this thread and those that it starts.
    pub(crate) fn block_signals(&self) -> io::Result<()> {
        // The system call itself, whose set is one word.
        // SAFETY: the word is live, and there is no place for the former set.
        let result = unsafe {
            libc::syscall(
                libc::SYS_rt_sigprocmask,
                libc::SIG_BLOCK,
                &raw const self.signals,
                std::ptr::null_mut::<u64>(),
                size_of::<u64>(),
            )
        };
        match result {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// What is said when the guest has had its time.
    pub(crate) fn late(&self, tender: Tender) -> String {
        let (program, seconds) = (tender.program(), self.seconds);
        format!(
            "{program}: ended the unikernel: it has not ended within {seconds} s of being told to (see --shutdown-timeout)\n"
        )
    }

    /// What is said at the second signal.
    pub(crate) fn again(tender: Tender) -> String {
        let program = tender.program();
        format!("{program}: ended the unikernel: there was a second signal\n")
    }
}

/// SIGTERM and SIGINT, as far as whoever started this process does not have them ignored.
fn heeded() -> u64 {
    let signals = [libc::SIGTERM, libc::SIGINT].into_iter();
    let heeded = signals.filter(|&signal| {
        // SAFETY: `sigaction` is plain C data, for which all zeros is a valid value; nothing is set.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal, std::ptr::null(), &raw mut action) == 0
                && action.sa_sigaction != libc::SIG_IGN
        }
    });
    heeded.fold(0, |set, signal| set | 1 << (signal - 1))
}

/// Standard error, opened anew where it could keep its writer waiting; -1 where that cannot be.
fn stderr_that_never_waits() -> (RawFd, Option<OwnedFd>) {
    const STDERR: &str = "/proc/self/fd/2";
    let kind = std::fs::metadata(STDERR).map(|metadata| metadata.file_type());
    match kind {
        Ok(kind) if kind.is_file() => (libc::STDERR_FILENO, None),
        Ok(kind) if kind.is_fifo() || kind.is_char_device() => {
            let mut anew = OpenOptions::new();
            anew.write(true)
                .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
            let anew = anew.open(STDERR).map(OwnedFd::from).ok();
            (anew.as_ref().map_or(-1, AsRawFd::as_raw_fd), anew)
        }
        _ => (-1, None),
    }
}
