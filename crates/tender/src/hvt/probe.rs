//! Whether virtual machines run here.

use kvm_bindings::kvm_userspace_memory_region;
use kvm_ioctls::VcpuExit;
use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryMmap};

use super::{HvtError, create_vm, kvm_error};

/// `CR4.OSFXSR`: instructions on vector registers are no fault.
const OSFXSR: u64 = 1 << 9;
/// `pxor xmm0, xmm0`, which KVM itself does not emulate, and `hlt`.
const CODE: [u8; 5] = [0x66, 0x0f, 0xef, 0xc0, 0xf4];
const PAGE: usize = 4096;

/// Has a virtual processor execute two instructions. That `/dev/kvm` is there and can be opened does not say that it can: it may
/// be a machine without hardware virtualisation.
///
/// # Errors
///
/// When no unikernel could run.
pub fn probe() -> Result<(), HvtError> {
    let (_kvm, vm) = create_vm()?;
    let memory =
        GuestMemoryMmap::<()>::from_ranges(&[(GuestAddress(0), PAGE)]).map_err(|error| {
            HvtError::Map {
                size: PAGE as u64,
                source: std::io::Error::other(error),
            }
        })?;
    let host = memory.get_host_address(GuestAddress(0));
    let written = memory.write_slice(&CODE, GuestAddress(0));
    let (Ok(host), Ok(())) = (host, written) else {
        return Err(HvtError::Unusable);
    };
    let region = kvm_userspace_memory_region {
        slot: 0,
        flags: 0,
        guest_phys_addr: 0,
        memory_size: PAGE as u64,
        userspace_addr: host.addr() as u64,
    };
    // SAFETY: the processor and the virtual machine are dropped below before the memory is; on the way out of an error they do
    // not run.
    unsafe { vm.set_user_memory_region(region) }.map_err(kvm_error("map guest memory"))?;
    let mut vcpu = vm
        .create_vcpu(0)
        .map_err(kvm_error("make a virtual processor"))?;
    let mut special = vcpu.get_sregs().map_err(kvm_error("tell registers"))?;
    special.cs.base = 0;
    special.cs.selector = 0;
    special.cr4 |= OSFXSR;
    vcpu.set_sregs(&special)
        .map_err(kvm_error("set registers"))?;
    let mut registers = vcpu.get_regs().map_err(kvm_error("tell registers"))?;
    registers.rip = 0;
    registers.rflags = 2;
    vcpu.set_regs(&registers)
        .map_err(kvm_error("set registers"))?;
    let halted = matches!(vcpu.run(), Ok(VcpuExit::Hlt));
    drop(vcpu);
    drop(vm);
    drop(memory);
    match halted {
        true => Ok(()),
        false => Err(HvtError::Unusable),
    }
}
