//! The descriptors for waiting, `epoll(7)` and `timerfd_create(2)`.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

/// Takes ownership of what a system call has just opened.
fn opened(fd: libc::c_int) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the callers pass the result of a call that opens a descriptor, which nothing else knows yet.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// An empty epoll set.
pub(crate) fn epoll_create() -> io::Result<OwnedFd> {
    // SAFETY: the call takes no pointer.
    opened(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })
}

/// A disarmed, non-blocking timer on `CLOCK_MONOTONIC`.
pub(crate) fn timerfd_create() -> io::Result<OwnedFd> {
    // SAFETY: the call takes no pointer.
    opened(unsafe {
        libc::timerfd_create(
            libc::CLOCK_MONOTONIC,
            libc::TFD_NONBLOCK | libc::TFD_CLOEXEC,
        )
    })
}

/// A count that starts at zero and is readable once something was added to it.
pub(crate) fn eventfd() -> io::Result<OwnedFd> {
    // SAFETY: the call takes no pointer.
    opened(unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) })
}

/// As [`eventfd`], but who reads it waits until it is.
pub(crate) fn eventfd_that_waits() -> io::Result<OwnedFd> {
    // SAFETY: the call takes no pointer.
    opened(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) })
}

/// Adds to a count.
pub(crate) fn add_count(fd: &OwnedFd, count: u64) -> io::Result<()> {
    let bytes = count.to_ne_bytes();
    // SAFETY: the pointer and the length are those of a live array.
    let written = unsafe { libc::write(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) };
    match written {
        8 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Takes what a count holds.
pub(crate) fn read_count(fd: &OwnedFd) -> io::Result<u64> {
    let mut bytes = [0; 8];
    loop {
        // SAFETY: the pointer and the length are those of a live array that nothing else refers to.
        let read = unsafe { libc::read(fd.as_raw_fd(), bytes.as_mut_ptr().cast(), bytes.len()) };
        if read == 8 {
            return Ok(u64::from_ne_bytes(bytes));
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Adds a descriptor to an epoll set: readable, level-triggered, under the data word `data`.
pub(crate) fn epoll_add(epoll: &impl AsFd, fd: &impl AsFd, data: u64) -> io::Result<()> {
    add(epoll, fd, libc::EPOLLIN, data)
}

/// As [`epoll_add`], but tells once.
pub(crate) fn epoll_add_once(epoll: &impl AsFd, fd: &impl AsFd, data: u64) -> io::Result<()> {
    add(epoll, fd, libc::EPOLLIN | libc::EPOLLONESHOT, data)
}

fn add(epoll: &impl AsFd, fd: &impl AsFd, events: libc::c_int, data: u64) -> io::Result<()> {
    let mut event = libc::epoll_event {
        events: events.cast_unsigned(),
        u64: data,
    };
    let (epoll, fd) = (epoll.as_fd().as_raw_fd(), fd.as_fd().as_raw_fd());
    // SAFETY: `event` is live and the kernel copies it before the call returns.
    match unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &raw mut event) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
