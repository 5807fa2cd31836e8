//! Errors as users see them.

use std::io;

use crate::proto::interface::SendError;

pub(crate) fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

#[cfg(feature = "dns")]
pub(crate) fn timed_out() -> io::Error {
    io::ErrorKind::TimedOut.into()
}

pub(crate) fn send_error(error: SendError) -> io::Error {
    match error {
        SendError::NoRoute => io::ErrorKind::NetworkUnreachable.into(),
        SendError::AddrNotAvailable(_) => io::ErrorKind::AddrNotAvailable.into(),
        SendError::TooLarge(largest) => invalid(format!(
            "datagram too long: at most {largest} octets of payload fit"
        )),
    }
}
