//! Calls of C with null where something is to be read or written.

use std::io::{Error, Result};
use std::os::fd::AsRawFd;
use std::ptr::{null, null_mut};

use libc::{EFAULT, EINVAL};

/// As on Linux.
pub(crate) fn check() -> Result<()> {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    let fd = socket.as_raw_fd();
    // SAFETY: none of them reads or writes what is not given; the descriptors are numbers.
    unsafe {
        let epoll = libc::epoll_create1(0);
        let timer = libc::timerfd_create(libc::CLOCK_MONOTONIC, 0);
        refused(
            "clock_gettime",
            libc::clock_gettime(libc::CLOCK_MONOTONIC, null_mut()),
        );
        refused(
            "clock_gettime",
            libc::clock_gettime(libc::CLOCK_REALTIME, null_mut()),
        );
        refused("nanosleep", libc::nanosleep(null(), null_mut()));
        refused("pipe", libc::pipe(null_mut()));
        refused(
            "getrlimit",
            libc::getrlimit(libc::RLIMIT_NOFILE, null_mut()),
        );
        refused("ioctl", libc::ioctl(fd, libc::FIONBIO, null_mut::<i32>()));
        refused("ioctl", libc::ioctl(fd, libc::FIONREAD, null_mut::<i32>()));
        refused("uname", libc::uname(null_mut()));
        refused("poll", libc::poll(null_mut(), 1, 0));
        refused(
            "epoll_ctl",
            libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, null_mut()),
        );
        refused(
            "timerfd_settime",
            libc::timerfd_settime(timer, 0, null(), null_mut()),
        );
        refused("timerfd_gettime", libc::timerfd_gettime(timer, null_mut()));
        refused("signalfd", libc::signalfd(-1, null(), 0));
        refused("sigsuspend", libc::sigsuspend(null()));
        refused("sigpending", libc::sigpending(null_mut()));
        refused(
            "sigtimedwait",
            libc::sigtimedwait(null(), null_mut(), null()),
        );
        refused("bind", libc::bind(fd, null(), 16));
        refused("connect", libc::connect(fd, null(), 16));
        refused("getsockname", libc::getsockname(fd, null_mut(), null_mut()));
        let (level, name) = (libc::SOL_SOCKET, libc::SO_ERROR);
        refused(
            "getsockopt",
            libc::getsockopt(fd, level, name, null_mut(), null_mut()),
        );
        let pair = libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, null_mut());
        refused("socketpair", pair);
        refused("sendmsg", libc::sendmsg(fd, null(), 0) as i32);
        refused("recvmsg", libc::recvmsg(fd, null_mut(), 0) as i32);
        refused("open", libc::open(null(), libc::O_RDONLY));
        refused("mkdir", libc::mkdir(null(), 0));
        refused("rename", libc::rename(null(), c"/a".as_ptr()));
        refused("stat", libc::stat(null(), null_mut()));
        refused("stat", libc::stat(c"/".as_ptr(), null_mut()));
        refused("statvfs", libc::statvfs(c"/".as_ptr(), null_mut()));
        assert_eq!(libc::realpath(null(), null_mut()), null_mut());
        assert_eq!(Error::last_os_error().raw_os_error(), Some(EINVAL));
    }
    Ok(())
}

fn refused(call: &str, result: i32) {
    let error = Error::last_os_error();
    assert_eq!((result, error.raw_os_error()), (-1, Some(EFAULT)), "{call}");
}
