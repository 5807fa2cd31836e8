//! The system calls of each of the tender's threads while the guest runs.

use std::collections::BTreeMap;
use std::os::fd::AsRawFd;

use hostdev::PUNCH_HOLE;
use seccompiler::SeccompCmpOp::Eq;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use solo5_abi::manifest::{BLOCK_DISCARD, BLOCK_FLUSH};

use super::ring::Doorbell;
use crate::attach::Devices;
use crate::flush::Background;
use crate::shutdown::Shutdown;

/// Requests of the virtual processor's descriptor (linux/kvm.h).
const KVM_RUN: u32 = 0xae80;
const KVM_GET_REGS: u32 = 0x8090_ae81;

/// An allow list; anything else kills the process with SIGSYS.
struct AllowList(BTreeMap<i64, Vec<SeccompRule>>);

impl AllowList {
    /// What every thread may do: print why it ends, and end, in a signal handler too.
    fn new() -> Result<Self, BackendError> {
        let mut list = Self(BTreeMap::new());
        list.0.insert(libc::SYS_exit_group, Vec::new());
        list.allow(libc::SYS_write, &[libc::STDERR_FILENO])?;
        Ok(list)
    }

    /// Allows a call if its first arguments have these values, each an `int`.
    fn allow(&mut self, call: libc::c_long, arguments: &[i32]) -> Result<(), BackendError> {
        let conditions = (0..).zip(arguments).map(|(index, value)| {
            SeccompCondition::new(
                index,
                SeccompCmpArgLen::Dword,
                Eq,
                u64::from(value.cast_unsigned()),
            )
        });
        let rule = SeccompRule::new(conditions.collect::<Result<_, _>>()?)?;
        self.0.entry(call).or_default().push(rule);
        Ok(())
    }

    fn allow_frames(&mut self, devices: &Devices) -> Result<(), BackendError> {
        for device in &devices.net {
            self.allow(libc::SYS_read, &[device.interface.as_raw_fd()])?;
            self.allow(libc::SYS_write, &[device.interface.as_raw_fd()])?;
        }
        Ok(())
    }

    fn compile(self) -> Result<BpfProgram, BackendError> {
        let (otherwise, listed) = (SeccompAction::KillProcess, SeccompAction::Allow);
        SeccompFilter::new(self.0, otherwise, listed, TargetArch::x86_64)?.try_into()
    }
}

/// The filter of the thread that runs the virtual processor and serves hypercalls.
pub(super) fn vcpu_filter(
    vcpu: &impl AsRawFd,
    devices: &Devices,
    doorbell: Option<&Doorbell>,
) -> Result<BpfProgram, BackendError> {
    let mut list = AllowList::new()?;
    for request in [KVM_RUN, KVM_GET_REGS] {
        list.allow(libc::SYS_ioctl, &[vcpu.as_raw_fd(), request.cast_signed()])?;
    }
    list.allow(libc::SYS_write, &[libc::STDOUT_FILENO])?;
    // Where the host's clock is not one that the vDSO can read.
    for clock in [libc::CLOCK_REALTIME, libc::CLOCK_MONOTONIC] {
        list.allow(libc::SYS_clock_gettime, &[clock])?;
    }
    list.0.insert(libc::SYS_ppoll, Vec::new());
    list.allow_frames(devices)?;
    for device in &devices.block {
        list.allow(libc::SYS_pread64, &[device.image.as_raw_fd()])?;
        list.allow(libc::SYS_pwrite64, &[device.image.as_raw_fd()])?;
        list.allow(libc::SYS_lseek, &[device.image.as_raw_fd()])?;
        if device.has(BLOCK_FLUSH) {
            list.allow(libc::SYS_fdatasync, &[device.image.as_raw_fd()])?;
        }
        if device.has(BLOCK_DISCARD) {
            let hole = [device.image.as_raw_fd(), PUNCH_HOLE];
            list.allow(libc::SYS_fallocate, &hole)?;
        }
        if let Some(background) = &device.background {
            list.allow(libc::SYS_write, &[background.begin.as_raw_fd()])?;
            list.allow(libc::SYS_read, &[background.end.as_raw_fd()])?;
        }
    }
    if let Some(doorbell) = doorbell {
        list.allow(libc::SYS_write, &[doorbell.kick.as_raw_fd()])?;
        list.allow(libc::SYS_read, &[doorbell.done.as_raw_fd()])?;
    }
    list.compile()
}

/// The filter of the thread that serves the network ring.
pub(super) fn ring_filter(
    devices: &Devices,
    doorbell: &Doorbell,
) -> Result<BpfProgram, BackendError> {
    let mut list = AllowList::new()?;
    list.allow_frames(devices)?;
    list.allow(libc::SYS_read, &[doorbell.kick.as_raw_fd()])?;
    list.allow(libc::SYS_write, &[doorbell.done.as_raw_fd()])?;
    // A thread that has nothing left to do waits for the other to end the process.
    list.0.insert(libc::SYS_pause, Vec::new());
    list.compile()
}

/// The filter of the thread that flushes this image.
pub(super) fn flush_filter(
    image: &impl AsRawFd,
    background: &Background,
) -> Result<BpfProgram, BackendError> {
    let mut list = AllowList::new()?;
    list.allow(libc::SYS_read, &[background.begin.as_raw_fd()])?;
    list.allow(libc::SYS_lseek, &[image.as_raw_fd()])?;
    list.allow(libc::SYS_fdatasync, &[image.as_raw_fd()])?;
    list.allow(libc::SYS_write, &[background.end.as_raw_fd()])?;
    list.compile()
}

/// The filter of the thread that takes signals.
pub(super) fn watch_filter(shutdown: &Shutdown) -> Result<BpfProgram, BackendError> {
    let mut list = AllowList::new()?;
    list.0.insert(libc::SYS_rt_sigtimedwait, Vec::new());
    list.allow(libc::SYS_write, &[shutdown.told.as_raw_fd()])?;
    list.allow(libc::SYS_write, &[shutdown.notice])?;
    list.allow(libc::SYS_sendto, &[libc::STDERR_FILENO])?;
    list.compile()
}

#[cfg(test)]
mod tests;
