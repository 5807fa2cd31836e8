//! The thread that takes SIGTERM and SIGINT for a guest that asked to be told, and ends it.

use std::io;
use std::os::fd::AsRawFd;
use std::ptr;
use std::thread;

use seccompiler::{BpfProgram, apply_filter};

use super::HvtError;
use super::fault::exit;
use super::seccomp::watch_filter;
use crate::Tender;
use crate::shutdown::{STATUS, Shutdown, WINDOW_NS};

/// Blocks the signals for this thread and those that it starts from now on, and starts the one that takes them, behind a
/// filter of its own.
pub(super) fn start(shutdown: &'static Shutdown) -> Result<(), HvtError> {
    shutdown.block_signals().map_err(HvtError::Signals)?;
    let filter = watch_filter(shutdown).map_err(HvtError::Filter)?;
    let texts = [shutdown.late(Tender::Hvt), Shutdown::again(Tender::Hvt)];
    let thread = thread::Builder::new().name("signals".to_owned());
    let watch = move || watch(&filter, shutdown, &texts);
    let thread = thread.spawn(watch).map_err(HvtError::Signals)?;
    drop(thread);
    Ok(())
}

fn watch(filter: &BpfProgram, shutdown: &Shutdown, [late, again]: &[String; 2]) -> ! {
    if let Err(error) = apply_filter(filter) {
        Tender::Hvt.notice(&HvtError::Install(error).to_string());
        exit(1);
    }
    wait(shutdown.signals, None);
    let one = 1_u64.to_ne_bytes();
    // SAFETY: the pointer and the length are those of a live array. The count is far from its limit.
    unsafe { libc::write(shutdown.told.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    // What comes at once is the first one again: a while, and then whatever of the two waits.
    wait(0, Some(&time(0, WINDOW_NS)));
    for _ in 0..2 {
        wait(shutdown.signals, Some(&time(0, 0)));
    }
    let (rest, second) = (time(0, 1_000_000_000 - WINDOW_NS), time(1, 0));
    let mut seconds = (0..shutdown.seconds).map(|second_of| match second_of {
        0 => &rest,
        _ => &second,
    });
    let is_late = seconds.all(|time| !wait(shutdown.signals, Some(time)));
    say(shutdown, if is_late { late } else { again });
    exit(STATUS)
}

fn time(seconds: i64, nanoseconds: u32) -> libc::timespec {
    libc::timespec {
        tv_sec: seconds,
        tv_nsec: nanoseconds.into(),
    }
}

/// Waits for one of the signals, of which `signals` is the kernel's set; whether there was one within the time.
fn wait(signals: u64, time: Option<&libc::timespec>) -> bool {
    loop {
        // The system call itself, whose set is one word.
        // SAFETY: set and time are live, and nothing is asked about the signal.
        let signal = unsafe {
            libc::syscall(
                libc::SYS_rt_sigtimedwait,
                &raw const signals,
                ptr::null_mut::<libc::siginfo_t>(),
                time.map_or(ptr::null(), ptr::from_ref),
                size_of::<u64>(),
            )
        };
        if signal > 0 {
            return true;
        }
        // SIGCONT interrupts.
        if io::Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
            return false;
        }
    }
}

/// Says why the guest is ended, where that keeps nobody waiting.
fn say(shutdown: &Shutdown, text: &str) {
    let (text, len) = (text.as_ptr().cast::<libc::c_void>(), text.len());
    let no_wait = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: the pointer and the length are those of a live text; there is no address.
    unsafe {
        if libc::sendto(libc::STDERR_FILENO, text, len, no_wait, ptr::null(), 0) < 0 {
            libc::write(shutdown.notice, text, len);
        }
    }
}
