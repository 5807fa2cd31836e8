//! The system calls that an spt guest may make: the whole of its interface to the host.

mod transfers;

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, RawFd};

use seccompiler::SeccompCmpOp::Eq;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use solo5_abi::manifest::BLOCK_FLUSH;

use crate::attach::Devices;
use crate::flush::Background;

/// `ARCH_SET_FS` of `arch_prctl(2)`.
const ARCH_SET_FS: u64 = 0x1002;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// The filter for these devices: an allow list by call and argument, anything else kills with SIGSYS.
///
/// Pointers are not looked at: the guest shares the tender's address space and could read and write all of it anyway.
pub(super) fn filter(
    devices: &Devices,
    epoll: RawFd,
    timer: RawFd,
) -> Result<BpfProgram, BackendError> {
    let mut rules = Rules::new();
    // A list without rules allows the call whatever its arguments.
    rules.insert(libc::SYS_exit_group, Vec::new());
    allow(&mut rules, libc::SYS_write, [fd(libc::STDOUT_FILENO)?])?;
    // With no mask of signals, so that a guest cannot hold off the one that is to end it.
    let unmasked = [fd(epoll)?, word(4, 0)?];
    allow(&mut rules, libc::SYS_epoll_pwait, unmasked)?;
    allow(&mut rules, libc::SYS_timerfd_settime, [fd(timer)?])?;
    for clock in [libc::CLOCK_MONOTONIC, libc::CLOCK_REALTIME] {
        allow(&mut rules, libc::SYS_clock_gettime, [fd(clock)?])?;
    }
    allow(&mut rules, libc::SYS_arch_prctl, [word(0, ARCH_SET_FS)?])?;
    for device in &devices.net {
        let tap = device.interface.as_raw_fd();
        for call in [libc::SYS_read, libc::SYS_write] {
            allow(&mut rules, call, [fd(tap)?])?;
        }
        // Which of its devices it waits for is the guest's affair.
        for operation in [libc::EPOLL_CTL_ADD, libc::EPOLL_CTL_DEL] {
            let own = [fd(epoll)?, int(1, operation)?, int(2, tap)?];
            allow(&mut rules, libc::SYS_epoll_ctl, own)?;
        }
    }
    for device in &devices.block {
        let length = [
            fd(device.image.as_raw_fd())?,
            word(1, 0)?,
            int(2, libc::SEEK_END)?,
        ];
        allow(&mut rules, libc::SYS_lseek, length)?;
        if device.has(BLOCK_FLUSH) {
            let image = fd(device.image.as_raw_fd())?;
            allow(&mut rules, libc::SYS_fdatasync, [image])?;
        }
        if let Some(background) = &device.background {
            let (begin, end) = (background.begin.as_raw_fd(), background.end.as_raw_fd());
            allow(&mut rules, libc::SYS_write, [fd(begin)?])?;
            allow(&mut rules, libc::SYS_read, [fd(end)?])?;
        }
    }
    // Who makes the other calls pays a few instructions for those of blocks.
    let mut filter = transfers::filter(&devices.block);
    filter.extend(compile(rules)?);
    Ok(filter)
}

/// The filter of the thread that takes the signals: see [`watch`](super::watch).
pub(super) fn watch_filter(told: RawFd, notice: RawFd) -> Result<BpfProgram, BackendError> {
    let mut rules = Rules::new();
    rules.insert(libc::SYS_exit_group, Vec::new());
    rules.insert(libc::SYS_rt_sigtimedwait, Vec::new());
    allow(&mut rules, libc::SYS_sendto, [fd(libc::STDERR_FILENO)?])?;
    allow(&mut rules, libc::SYS_write, [fd(told)?])?;
    allow(&mut rules, libc::SYS_write, [fd(notice)?])?;
    compile(rules)
}

/// The filter of the thread that flushes this image: see [`flush`](super::flush).
pub(super) fn flush_filter(
    image: RawFd,
    background: &Background,
) -> Result<BpfProgram, BackendError> {
    let mut rules = Rules::new();
    rules.insert(libc::SYS_exit_group, Vec::new());
    let (begin, end) = (background.begin.as_raw_fd(), background.end.as_raw_fd());
    allow(&mut rules, libc::SYS_read, [fd(begin)?])?;
    allow(&mut rules, libc::SYS_fdatasync, [fd(image)?])?;
    allow(&mut rules, libc::SYS_write, [fd(end)?])?;
    compile(rules)
}

fn compile(rules: Rules) -> Result<BpfProgram, BackendError> {
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::KillProcess,
        SeccompAction::Allow,
        TargetArch::x86_64,
    )?;
    filter.try_into()
}

fn allow<const N: usize>(
    rules: &mut Rules,
    call: libc::c_long,
    conditions: [SeccompCondition; N],
) -> Result<(), BackendError> {
    rules
        .entry(call)
        .or_default()
        .push(SeccompRule::new(conditions.into())?);
    Ok(())
}

/// The first argument, an `int`, of which the kernel looks at the low 32 bits only.
fn fd(value: i32) -> Result<SeccompCondition, BackendError> {
    int(0, value)
}

/// An argument that is an `int`.
fn int(argument: u8, value: i32) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(
        argument,
        SeccompCmpArgLen::Dword,
        Eq,
        u64::from(value.cast_unsigned()),
    )
}

/// A 64-bit argument.
fn word(argument: u8, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Qword, Eq, value)
}

#[cfg(test)]
mod tests;
