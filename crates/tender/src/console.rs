//! Standard output as the guest's console: a service never waits for its log.

use std::fs::OpenOptions;
use std::io;
use std::io::IsTerminal;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};

/// Octets that a pipe is to hold, if the kernel lets it: a burst of lines then finds room.
const PIPE_SIZE: libc::c_int = 1 << 20;

/// Has writes to standard output fail instead of waiting, wherever they could wait.
///
/// A pipe, a FIFO or a terminal is opened anew, since to be non-blocking is a property of the open file, which others
/// share: a shell, or what stands before us in a pipeline. Where that is not permitted, and for all else, as a socket,
/// which cannot be opened anew, it is set for all. A regular file never waits for a reader.
///
/// # Errors
///
/// When the descriptor cannot be asked or set.
pub(crate) fn make_nonblocking() -> io::Result<()> {
    let kind = std::fs::metadata("/proc/self/fd/1").map(|metadata| metadata.file_type());
    let Ok(kind) = kind else {
        // No /proc.
        return set_nonblocking();
    };
    if kind.is_file() || kind.is_dir() || kind.is_block_device() {
        return Ok(());
    }
    // What other devices do when they are opened there is no telling.
    if !kind.is_fifo() && !io::stdout().is_terminal() {
        return set_nonblocking();
    }
    let anew = OpenOptions::new()
        .write(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open("/proc/self/fd/1");
    let Ok(anew) = anew else {
        return set_nonblocking();
    };
    // SAFETY: both descriptors are open; standard output is the guest's from here on, and Rust's stdout only holds its
    // number. The size of a pipe takes no memory of this process.
    unsafe {
        if libc::fcntl(anew.as_raw_fd(), libc::F_GETPIPE_SZ) < PIPE_SIZE {
            libc::fcntl(anew.as_raw_fd(), libc::F_SETPIPE_SZ, PIPE_SIZE);
        }
        if libc::dup2(anew.as_raw_fd(), libc::STDOUT_FILENO) < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

fn set_nonblocking() -> io::Result<()> {
    // SAFETY: F_GETFL and F_SETFL touch no memory.
    let done = unsafe {
        let flags = libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFL);
        flags >= 0 && libc::fcntl(libc::STDOUT_FILENO, libc::F_SETFL, flags | libc::O_NONBLOCK) >= 0
    };
    match done {
        true => Ok(()),
        false => Err(io::Error::last_os_error()),
    }
}
