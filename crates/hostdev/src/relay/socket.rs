//! A stream socket with a name in the file system, at which two meet.

use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process;

use super::retry;
use crate::cable::enlarge;

/// Attempts to meet one that begins and ends at the same time.
const ATTEMPTS: u32 = 5;

/// What is found at a socket's path.
#[derive(Debug)]
pub enum Joint {
    /// Somebody listens there, and we are connected.
    Connected(OwnedFd),
    /// Nobody did: now we do.
    Listening(OwnedFd),
}

/// Why there is nobody to meet.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// There is something else.
    #[error("{0:?} is no socket: expected one, or a path where there is nothing yet")]
    NoSocket(PathBuf),
    /// One can neither connect nor listen there.
    #[error("cannot {what} at {path:?}: {source}")]
    Socket {
        /// What was tried.
        what: &'static str,
        /// The path.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl Joint {
    /// Connects to who listens at `path`, or listens there if nobody does, also in place of one that has ended without
    /// taking its socket away.
    ///
    /// # Errors
    ///
    /// When neither is possible.
    pub fn at(path: &Path) -> Result<Self, JoinError> {
        let error = |what, source| JoinError::Socket {
            what,
            path: path.to_owned(),
            source,
        };
        for _ in 0..ATTEMPTS {
            let stale = match connect(path) {
                Ok(stream) => return Ok(Self::Connected(stream)),
                Err(source) => match source.kind() {
                    ErrorKind::NotFound => false,
                    ErrorKind::ConnectionRefused => true,
                    _ => return Err(error("connect", source)),
                },
            };
            if stale && fs::metadata(path).is_ok_and(|it| !it.file_type().is_socket()) {
                return Err(JoinError::NoSocket(path.to_owned()));
            }
            match listen(path, stale) {
                Ok(listener) => return Ok(Self::Listening(listener.into())),
                Err(source) if source.kind() == ErrorKind::AlreadyExists => {}
                Err(source) => return Err(error("listen", source)),
            }
        }
        Err(error("connect", ErrorKind::AddrInUse.into()))
    }
}

/// Listens at `path`, where there is nothing or a socket that nobody has; that there is one now is an error. The socket is
/// never there without somebody who listens.
fn listen(path: &Path, stale: bool) -> io::Result<UnixListener> {
    let mut before = OsString::from(path);
    before.push(format!(".{}", process::id()));
    let listener = UnixListener::bind(&before)?;
    let placed = match stale {
        true => fs::rename(&before, path),
        false => fs::hard_link(&before, path),
    };
    // Where it has been renamed it is no longer there.
    let _ = fs::remove_file(&before);
    placed.map(|()| listener)
}

/// Connects to who listens at `path`.
pub(super) fn connect(path: &Path) -> io::Result<OwnedFd> {
    let stream = UnixStream::connect(path)?;
    enlarge(stream.as_fd());
    Ok(stream.into())
}

/// Takes the next one that has connected.
pub(super) fn accept(listener: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let none = std::ptr::null_mut();
    // SAFETY: the peer's address is not asked for.
    let accepted = retry(|| unsafe {
        libc::accept4(listener.as_raw_fd(), none, none.cast(), libc::SOCK_CLOEXEC) as isize
    })?;
    // SAFETY: the call has just opened it, and nothing else knows it.
    let stream = unsafe { OwnedFd::from_raw_fd(accepted as i32) };
    enlarge(stream.as_fd());
    Ok(stream)
}

#[cfg(test)]
mod tests;
