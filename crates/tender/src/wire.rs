//! The other end of a network device that is no TAP interface: a process of its own that relays frames.
//!
//! An spt guest reads and writes its descriptors itself, and nothing of the tender is left beside it. So the relay is a
//! process, forked before the guest's memory is mapped; it ends when the guest's end of the wire is closed, which the
//! kernel does whatever ends the guest, and closes the stream, with which passt ends. It has a filter of its own.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use hostdev::passt::PasstError;
use hostdev::{Cable, ETHERNET_HEADER_LEN, End, Relay};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use crate::Tender;
use crate::user::Plan;

/// A device's wire, before there is anything at its other end.
#[derive(Debug)]
pub(crate) struct Wire {
    /// The device's name.
    pub(crate) name: String,
    pub(crate) end: OwnedFd,
    pub(crate) to: Plan,
}

/// Why there is nothing at the other end of a wire.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// There is no user-mode network.
    #[error(transparent)]
    Passt(#[from] PasstError),
    /// The host lets this process make no socket, filter or process.
    #[error("cannot relay its frames: {0}")]
    Relay(#[source] io::Error),
}

impl Wire {
    /// A cable, and the wire that it is an end of.
    pub(crate) fn new(name: &str, to: Plan) -> Result<(Cable, Self), WireError> {
        let (cable, end) = Cable::new(to.passt.mtu).map_err(WireError::Relay)?;
        let name = name.to_owned();
        Ok((cable, Self { name, end, to }))
    }

    /// Starts the relay, and what is behind it.
    pub(crate) fn start(self, tender: Tender) -> Result<(), WireError> {
        let Self { name, end, to } = self;
        let stream = to.passt.start()?;
        let max = usize::from(to.passt.mtu) + ETHERNET_HEADER_LEN;
        let gone = format!(
            "{}: passt has ended, and with it network device {name:?}\n",
            tender.program()
        );
        let filter = filter(end.as_raw_fd(), stream.as_raw_fd()).map_err(WireError::Relay)?;
        tender.notice(&to.notice(&name));
        // SAFETY: this process has one thread, so the child may do what it wants; it never comes back.
        match unsafe { libc::fork() } {
            -1 => Err(WireError::Relay(io::Error::last_os_error())),
            0 => serve(end, stream, max, &gone, &filter),
            _ => Ok(()),
        }
    }
}

/// The relay's whole life, in a process of its own.
fn serve(guest: OwnedFd, stream: OwnedFd, max: usize, gone: &str, filter: &BpfProgram) -> ! {
    // Should anything panic, it is not the tender's code above that goes on.
    let _end = Exit;
    leave(&mut [libc::STDERR_FILENO, guest.as_raw_fd(), stream.as_raw_fd()]);
    let mut relay = Relay::new(guest, stream, max);
    if seccompiler::apply_filter(filter).is_ok() && matches!(relay.run(), Ok(End::Guest)) {
        exit(0);
    }
    crate::print(gone);
    exit(1)
}

/// Ends the process in any case.
struct Exit;

impl Drop for Exit {
    fn drop(&mut self) {
        exit(1);
    }
}

fn exit(status: i32) -> ! {
    // SAFETY: the call has no precondition.
    unsafe { libc::_exit(status) }
}

/// Leaves the guest's terminal and its signals, which are not for the relay, and closes all but `kept`.
fn leave(kept: &mut [RawFd]) {
    // SAFETY: none of the calls takes a pointer but the name, which is a C string; descriptors that other values of this
    // process own are never used again in it.
    unsafe {
        libc::setsid();
        libc::prctl(libc::PR_SET_NAME, c"solo5-relay".as_ptr());
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT] {
            libc::signal(signal, libc::SIG_IGN);
        }
        kept.sort_unstable();
        let mut from = 0;
        for &mut fd in kept {
            if from < fd {
                libc::syscall(libc::SYS_close_range, from, fd - 1, 0);
            }
            from = fd + 1;
        }
        libc::syscall(libc::SYS_close_range, from, libc::c_uint::MAX, 0);
    }
}

/// What the relay may do.
fn filter(guest: RawFd, stream: RawFd) -> io::Result<BpfProgram> {
    let first = |fd: RawFd| {
        let value = u64::from(fd.cast_unsigned());
        let condition = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)?;
        SeccompRule::new(vec![condition])
    };
    let mut rules = BTreeMap::new();
    for (call, fd) in [
        (libc::SYS_recvmmsg, guest),
        (libc::SYS_sendmmsg, guest),
        (libc::SYS_recvfrom, stream),
        (libc::SYS_sendmsg, stream),
        (libc::SYS_write, libc::STDERR_FILENO),
    ] {
        rules.insert(call, vec![first(fd).map_err(io::Error::other)?]);
    }
    for call in [
        libc::SYS_poll,
        libc::SYS_restart_syscall,
        libc::SYS_exit_group,
    ] {
        rules.insert(call, Vec::new());
    }
    let (otherwise, listed) = (SeccompAction::KillProcess, SeccompAction::Allow);
    let filter = SeccompFilter::new(rules, otherwise, listed, TargetArch::x86_64);
    filter.and_then(TryInto::try_into).map_err(io::Error::other)
}
