//! Runs the virtual processor and turns its exits into hypercalls or faults.

use std::ops::Range;

use kvm_ioctls::{VcpuExit, VcpuFd};

use super::fault::Fault;
use super::hypercall::{Hypercalls, Outcome};
use crate::kernel::overflow;

/// An exit that is neither a hypercall nor to be repeated, without what borrows from the processor.
enum Stop {
    Fault(Fault),
    Translation,
    NoMemory(u64),
    Hlt,
    /// KVM could not go on by itself: an instruction that it cannot emulate, or a state that it cannot enter.
    Unusable(u32),
    Other(u32),
}

/// Runs the guest until it halts; its status.
///
/// # Errors
///
/// When the guest does what no guest may do, or the host fails it.
pub(super) fn run(
    vcpu: &mut VcpuFd,
    hypercalls: &mut Hypercalls<'_>,
    stack: Option<&Range<u64>>,
) -> Result<i32, Fault> {
    loop {
        let stop = match vcpu.run() {
            Ok(VcpuExit::IoOut(port, data)) => match hypercalls.serve(port, data) {
                Ok(Outcome::Continue) => continue,
                Ok(Outcome::Halt(status)) => return Ok(status),
                Err(fault) => Stop::Fault(fault),
            },
            Ok(VcpuExit::IoIn(port, data)) => Stop::Fault(Fault::In {
                port,
                len: data.len(),
            }),
            Ok(VcpuExit::MmioRead(address, _) | VcpuExit::MmioWrite(address, _)) => {
                Stop::NoMemory(address)
            }
            Ok(VcpuExit::MemoryFault { .. }) => Stop::Translation,
            Ok(VcpuExit::Hlt) => Stop::Hlt,
            Ok(VcpuExit::Shutdown) => Stop::Fault(Fault::Shutdown),
            Ok(VcpuExit::Intr) => continue,
            Ok(VcpuExit::InternalError | VcpuExit::FailEntry(..)) => {
                Stop::Unusable(vcpu.get_kvm_run().exit_reason)
            }
            Ok(_) => Stop::Other(vcpu.get_kvm_run().exit_reason),
            Err(error) => match error.errno() {
                libc::EINTR => continue,
                libc::EFAULT => Stop::Translation,
                errno => Stop::Fault(Fault::Run {
                    what: "KVM_RUN",
                    errno,
                }),
            },
        };
        return Err(explain(vcpu, stop, stack));
    }
}

fn explain(vcpu: &VcpuFd, stop: Stop, stack: Option<&Range<u64>>) -> Fault {
    if let Stop::Fault(fault) = stop {
        return fault;
    }
    let (rip, rsp) = match vcpu.get_regs() {
        Ok(regs) => (regs.rip, regs.rsp),
        Err(error) => {
            return Fault::Run {
                what: "KVM_GET_REGS",
                errno: error.errno(),
            };
        }
    };
    match stop {
        Stop::Fault(fault) => fault,
        Stop::Translation => match stack.filter(|stack| overflow(stack).contains(&rsp)) {
            Some(stack) => Fault::Overflow {
                size: stack.end - stack.start,
            },
            None => Fault::Translation { rip },
        },
        Stop::NoMemory(address) => Fault::NoMemory { address, rip },
        Stop::Hlt => Fault::Hlt { rip },
        Stop::Unusable(reason) => Fault::Unusable { reason, rip },
        Stop::Other(reason) => Fault::Exit { reason, rip },
    }
}
