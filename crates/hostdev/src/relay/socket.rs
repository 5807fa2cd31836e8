//! A stream socket with a name in the file system, at which two meet.

use std::ffi::{CString, OsString};
use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, ErrorKind};
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

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
                    ErrorKind::WouldBlock => {
                        let reason = "who listens there leaves others waiting already";
                        return Err(error("connect", io::Error::other(reason)));
                    }
                    _ => return Err(error("connect", source)),
                },
            };
            if stale && fs::metadata(path).is_ok_and(|it| !it.file_type().is_socket()) {
                return Err(JoinError::NoSocket(path.to_owned()));
            }
            match listen(path, stale) {
                Ok(joint) => return Ok(joint),
                Err(source) if source.kind() == ErrorKind::AlreadyExists => {}
                Err(source) => return Err(error("listen", source)),
            }
        }
        Err(error("connect", ErrorKind::AddrInUse.into()))
    }
}

/// Listens at `path`, where there is nothing or a socket that nobody has; that this is no longer so is an error, or, where
/// somebody else has been quicker, a connection to them. The socket is never there without somebody who listens.
fn listen(path: &Path, stale: bool) -> io::Result<Joint> {
    // Not by the number of a process: where a folder is shared by containers, each has a first one.
    let random = RandomState::new().build_hasher().finish() as u32;
    let mut before = OsString::from(path);
    before.push(format!(".{random:08x}"));
    let before = Path::new(&before);
    let listener = UnixListener::bind(before)?;
    let joint = match stale {
        true => replace(before, path),
        false => fs::hard_link(before, path).map(|()| None),
    };
    // Where it has been renamed it is no longer there.
    let _ = fs::remove_file(before);
    Ok(match joint? {
        Some(stream) => Joint::Connected(stream),
        None => Joint::Listening(listener.into()),
    })
}

/// Puts the socket `new` in the place of one that nobody has; unless somebody has it by now, to whom this then connects.
fn replace(new: &Path, path: &Path) -> io::Result<Option<OwnedFd>> {
    match exchange(new, path) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(ErrorKind::AlreadyExists.into());
        }
        // The file system has no such thing.
        Err(_) => return fs::rename(new, path).map(|()| None),
    }
    match connect(new) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(None),
        theirs => {
            fs::rename(new, path)?;
            theirs.map(Some)
        }
    }
}

/// Each of the two takes the other's place, at once.
fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    let [one, other] = [one, other].map(|path| CString::new(path.as_os_str().as_bytes()));
    let (one, other) = (one?, other?);
    // SAFETY: both are C strings.
    let result = unsafe {
        libc::renameat2(
            libc::AT_FDCWD,
            one.as_ptr(),
            libc::AT_FDCWD,
            other.as_ptr(),
            libc::RENAME_EXCHANGE,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Connects to who listens at `path`. Where they leave others waiting this does not wait behind them, which would be for as
/// long as they like.
pub(super) fn connect(path: &Path) -> io::Result<OwnedFd> {
    // SAFETY: `sockaddr_un` is plain C data, for which all zeros is a valid value.
    let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    let octets = path.as_os_str().as_bytes();
    // It ends with a zero; with one in front it would be no path.
    if octets.is_empty() || octets.len() >= address.sun_path.len() || octets.contains(&0) {
        return Err(io::Error::new(
            ErrorKind::InvalidInput,
            "expected a path of 1 to 107 octets",
        ));
    }
    for (to, &from) in address.sun_path.iter_mut().zip(octets) {
        *to = from.cast_signed();
    }
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: the call takes no pointer.
    let socket = retry(|| unsafe { libc::socket(libc::AF_UNIX, kind, 0) as isize })?;
    // SAFETY: the call has just opened it, and nothing else knows it.
    let stream = unsafe { OwnedFd::from_raw_fd(socket as i32) };
    // SAFETY: the address is live, and of the length given.
    retry(|| unsafe {
        let length = size_of_val(&address) as libc::socklen_t;
        libc::connect(stream.as_raw_fd(), (&raw const address).cast(), length) as isize
    })?;
    enlarge(stream.as_fd());
    Ok(stream)
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
