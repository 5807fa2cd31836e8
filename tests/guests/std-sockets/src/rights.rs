//! Descriptors that go from one Unix socket to another.

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::ptr;

/// The end of a pipe goes to who writes to it.
pub(crate) fn pass() -> io::Result<()> {
    let (one, other) = UnixStream::pair()?;
    let (mut reader, writer) = io::pipe()?;
    send(&one, writer.as_raw_fd())?;
    drop(writer);
    let mut writer = std::fs::File::from(receive(&other)?);
    writer.write_all(b"passed on")?;
    drop(writer);
    let mut text = String::new();
    reader.read_to_string(&mut text)?;
    assert_eq!(text, "passed on");
    // What could hold itself is refused.
    let refused = send(&one, one.as_raw_fd()).map_err(|error| error.kind());
    assert_eq!(refused, Err(io::ErrorKind::Unsupported));
    Ok(())
}

/// Calls `f` with a message of one octet, and room for a descriptor.
fn with_message<T>(f: impl FnOnce(&mut libc::msghdr) -> T) -> T {
    let mut octet = 0_u8;
    let mut control = [0_u64; 3];
    let mut part = libc::iovec {
        iov_base: ptr::from_mut(&mut octet).cast(),
        iov_len: 1,
    };
    // SAFETY: zeros are a message of nothing.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control);
    f(&mut message)
}

fn send(socket: &UnixStream, fd: i32) -> io::Result<()> {
    let sent = with_message(|message| {
        // SAFETY: the message is live, with room for a header and a number.
        unsafe {
            let header = libc::CMSG_FIRSTHDR(message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(4) as usize;
            libc::CMSG_DATA(header).cast::<i32>().write_unaligned(fd);
            libc::sendmsg(socket.as_raw_fd(), message, 0)
        }
    });
    if sent == 1 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn receive(socket: &UnixStream) -> io::Result<OwnedFd> {
    with_message(|message| {
        // SAFETY: the message is live; a number that came with it is nobody else's.
        unsafe {
            assert_eq!(
                libc::recvmsg(socket.as_raw_fd(), message, libc::MSG_CMSG_CLOEXEC),
                1
            );
            let header = libc::CMSG_FIRSTHDR(message);
            assert!(!header.is_null() && message.msg_flags & libc::MSG_CTRUNC == 0);
            assert_eq!((*header).cmsg_len, libc::CMSG_LEN(4) as usize);
            let fd = libc::CMSG_DATA(header).cast::<i32>().read_unaligned();
            assert_eq!(libc::fcntl(fd, libc::F_GETFD), libc::FD_CLOEXEC);
            Ok(OwnedFd::from_raw_fd(fd))
        }
    })
}
