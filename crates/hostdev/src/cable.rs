use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Octets that a socket may hold, as far as the kernel lets it (`net.core.wmem_max`): some of the largest frames.
const SOCKET_BUFFER: libc::c_int = 4 << 20;

/// A guest's end of a wire that is a pair of sockets: each `read(2)` and each `write(2)` is one Ethernet frame, and never
/// waits. A read of no octets says that the other end has gone.
#[derive(Debug)]
pub struct Cable {
    end: OwnedFd,
    mtu: u16,
}

impl Cable {
    /// A cable for packets of up to `mtu` octets, the 14-byte Ethernet header excluded, and its other end, for a
    /// [`Relay`](crate::Relay).
    ///
    /// # Errors
    ///
    /// When this process has no descriptor left.
    pub fn new(mtu: u16) -> io::Result<(Self, OwnedFd)> {
        let [end, other] = pair(libc::SOCK_SEQPACKET | libc::SOCK_NONBLOCK)?;
        Ok((Self { end, mtu }, other))
    }

    /// The MTU in bytes, the 14-byte Ethernet header excluded.
    #[must_use]
    pub fn mtu(&self) -> u16 {
        self.mtu
    }
}

impl AsFd for Cable {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.as_fd()
    }
}

impl AsRawFd for Cable {
    fn as_raw_fd(&self) -> RawFd {
        self.end.as_raw_fd()
    }
}

/// Two connected sockets of that kind, closed on `execve(2)`, each with a large buffer.
pub(crate) fn pair(kind: libc::c_int) -> io::Result<[OwnedFd; 2]> {
    let mut ends = [-1; 2];
    let kind = kind | libc::SOCK_CLOEXEC;
    // SAFETY: `ends` is a live array of two.
    if unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has just opened both, which nothing else knows yet.
    let ends = ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) });
    for end in &ends {
        enlarge(end.as_fd());
    }
    Ok(ends)
}

/// Lets a socket hold as much as it may.
pub(crate) fn enlarge(socket: BorrowedFd<'_>) {
    let octets = SOCKET_BUFFER;
    // The second is the superuser's. Without either, less is on its way at a time.
    for option in [libc::SO_SNDBUF, libc::SO_SNDBUFFORCE] {
        // SAFETY: the value is live and of the length given.
        unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                option,
                (&raw const octets).cast(),
                size_of_val(&octets) as libc::socklen_t,
            );
        }
    }
}
