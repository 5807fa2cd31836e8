//! The other end of a network device that is no TAP interface: a process of its own that relays frames.
//!
//! An spt guest reads and writes its descriptors itself, and nothing of the tender is left beside it. So the relay is a
//! process, forked before the guest's memory is mapped; it ends when the guest's end of the wire is closed, which the
//! kernel does whatever ends the guest, and closes the stream, with which passt ends. It has a filter of its own, and gives up
//! its privileges as the guest's process does.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};

use hostdev::passt::PasstError;
use hostdev::{Cable, ETHERNET_HEADER_LEN, End, JoinError, Joint, Relay};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use crate::Tender;
use crate::confine::confine_relay;
use crate::options::Options;
use crate::user::{Plan, instead};

/// A device's wire, before there is anything at its other end.
#[derive(Debug)]
pub(crate) struct Wire {
    /// The device's name.
    pub(crate) name: String,
    end: OwnedFd,
    mtu: u16,
    to: Behind,
}

/// What is to be at the other end of a wire.
#[derive(Debug)]
pub(crate) enum Behind {
    Passt(Box<Plan>),
    Socket(PathBuf),
}

/// Why there is nothing at the other end of a wire.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// There is no user-mode network.
    #[error("{0}{hint}", hint = instead(.0))]
    Passt(#[from] PasstError),
    /// There is nobody to meet at a socket.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// The host lets this process make no socket, filter or process.
    #[error("cannot relay its frames: {0}")]
    Relay(#[source] io::Error),
}

impl Wire {
    /// A cable, and the wire that it is an end of.
    pub(crate) fn new(name: &str, mtu: u16, to: Behind) -> Result<(Cable, Self), WireError> {
        let (cable, end) = Cable::new(mtu).map_err(WireError::Relay)?;
        let name = name.to_owned();
        Ok((cable, Self { name, end, mtu, to }))
    }

    /// Starts the relay, and what is behind it.
    pub(crate) fn start(self, tender: Tender, options: &Options) -> Result<(), WireError> {
        let Self { name, end, mtu, to } = self;
        let (joint, path) = match to {
            Behind::Passt(plan) => {
                let stream = plan.passt.start()?;
                tender.notice(&plan.notice(&name));
                (Joint::Connected(stream), None)
            }
            Behind::Socket(path) => (Joint::at(&path)?, Some(path)),
        };
        let program = tender.program();
        let gone = format!("{program}: what was behind network device {name:?} has ended\n");
        let filter = filter(end.as_raw_fd(), &joint, path.is_some()).map_err(WireError::Relay)?;
        let max = usize::from(mtu) + ETHERNET_HEADER_LEN;
        // SAFETY: this process has one thread, so the child may do what it wants; it never comes back.
        match unsafe { libc::fork() } {
            -1 => Err(WireError::Relay(io::Error::last_os_error())),
            0 => {
                // Should anything panic, it is not the tender's code above that goes on.
                let _end = Exit;
                let (Joint::Connected(far) | Joint::Listening(far)) = &joint;
                leave(&mut [libc::STDERR_FILENO, end.as_raw_fd(), far.as_raw_fd()]);
                let mut relay = Relay::new(end, max);
                let reconnects = path.is_some() && matches!(joint, Joint::Connected(_));
                let confined = confine_relay(options, reconnects).is_ok()
                    && seccompiler::apply_filter(&filter).is_ok();
                if confined
                    && relayed(&mut relay, joint, path.as_deref())
                        .is_ok_and(|end| end == End::Guest)
                {
                    exit(0);
                }
                crate::print(&gone);
                exit(1)
            }
            _ => Ok(()),
        }
    }
}

/// Relays until the guest ends, or passt. At a socket, another one is waited for when one has gone: who listened goes on
/// listening, and who connected looks for the next who does.
fn relayed(relay: &mut Relay, joint: Joint, path: Option<&Path>) -> io::Result<End> {
    let (mut stream, listener) = match joint {
        Joint::Connected(stream) => (Some(stream), None),
        Joint::Listening(listener) => (None, Some(listener)),
    };
    loop {
        if let Some(stream) = &stream
            && relay.run(stream.as_fd())? == End::Guest
        {
            return Ok(End::Guest);
        }
        drop(stream);
        stream = match (&listener, path) {
            (Some(listener), _) => relay.accept(listener.as_fd())?,
            (None, Some(path)) => relay.reconnect(path)?,
            (None, None) => return Ok(End::Stream),
        };
        if stream.is_none() {
            return Ok(End::Guest);
        }
    }
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

/// What the relay may do, also when others come after who is `joint`: one at a time, whose descriptor is then the lowest one.
fn filter(guest: RawFd, joint: &Joint, others: bool) -> io::Result<BpfProgram> {
    const LOWEST: RawFd = 0;
    let first = |value: i32| {
        let value = u64::from(value.cast_unsigned());
        let condition = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)?;
        SeccompRule::new(vec![condition])
    };
    let mut calls = vec![
        (libc::SYS_recvmmsg, guest),
        (libc::SYS_sendmmsg, guest),
        (libc::SYS_write, libc::STDERR_FILENO),
    ];
    let mut streams = Vec::new();
    if let Joint::Connected(stream) = joint {
        streams.push(stream.as_raw_fd());
    }
    if others {
        streams.push(LOWEST);
        calls.push((libc::SYS_setsockopt, LOWEST));
        match joint {
            Joint::Connected(_) => {
                calls.extend([
                    (libc::SYS_socket, libc::AF_UNIX),
                    (libc::SYS_connect, LOWEST),
                ]);
            }
            Joint::Listening(listener) => calls.push((libc::SYS_accept4, listener.as_raw_fd())),
        }
    }
    for stream in streams {
        for call in [libc::SYS_recvfrom, libc::SYS_sendmsg, libc::SYS_close] {
            calls.push((call, stream));
        }
        // Without optimisation, Rust's library asks whether what it is about to close is open.
        calls.push((libc::SYS_fcntl, stream));
    }
    let mut rules = BTreeMap::new();
    for (call, value) in calls {
        let rule = first(value).map_err(io::Error::other)?;
        rules.entry(call).or_insert_with(Vec::new).push(rule);
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

#[cfg(test)]
mod tests;
