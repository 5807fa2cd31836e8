//! The numbers by which calls of C say why they failed.

mod texts;

use core::ffi::c_int;
use std::io::{self, ErrorKind};

use libc::{
    EADDRINUSE, EADDRNOTAVAIL, EAGAIN, ECONNABORTED, ECONNREFUSED, ECONNRESET, EHOSTUNREACH,
    EINVAL, EIO, ENETDOWN, ENETUNREACH, ENOBUFS, ENOMEM, ENOTCONN, EPIPE, ETIMEDOUT,
};

/// Why a call failed, as `errno` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errno(pub(crate) c_int);

impl Errno {
    /// The call would have to wait.
    pub(crate) const AGAIN: Self = Self(EAGAIN);
}

pub(crate) type Result<T> = core::result::Result<T, Errno>;

/// An error of this number.
pub(crate) const fn fail<T>(number: c_int) -> Result<T> {
    Err(Errno(number))
}

impl From<&io::Error> for Errno {
    fn from(error: &io::Error) -> Self {
        Self(match error.kind() {
            ErrorKind::WouldBlock => EAGAIN,
            ErrorKind::ConnectionRefused => ECONNREFUSED,
            ErrorKind::ConnectionReset => ECONNRESET,
            ErrorKind::ConnectionAborted => ECONNABORTED,
            ErrorKind::TimedOut => ETIMEDOUT,
            ErrorKind::AddrInUse => EADDRINUSE,
            ErrorKind::AddrNotAvailable => EADDRNOTAVAIL,
            ErrorKind::NetworkUnreachable => ENETUNREACH,
            ErrorKind::HostUnreachable => EHOSTUNREACH,
            ErrorKind::NetworkDown => ENETDOWN,
            ErrorKind::NotConnected => ENOTCONN,
            ErrorKind::BrokenPipe => EPIPE,
            ErrorKind::InvalidInput => EINVAL,
            ErrorKind::OutOfMemory => ENOMEM,
            ErrorKind::QuotaExceeded => ENOBUFS,
            _ => EIO,
        })
    }
}

impl From<io::Error> for Errno {
    fn from(error: io::Error) -> Self {
        Self::from(&error)
    }
}
