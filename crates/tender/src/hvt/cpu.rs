//! The state in which the virtual processor enters the guest: 64-bit mode, paging on, interrupts off.

use kvm_bindings::{CpuId, kvm_cpuid_entry2, kvm_regs, kvm_segment, kvm_sregs};
use solo5_abi::hvt::{BOOT_GDT, BOOT_INFO, BOOT_PML4};

/// Control register bits (Intel SDM volume 3, 2.5).
const CR0_PE: u64 = 1;
const CR0_NE: u64 = 1 << 5;
const CR0_WP: u64 = 1 << 16;
const CR0_PG: u64 = 1 << 31;
const CR4_PAE: u64 = 1 << 5;
const CR4_OSFXSR: u64 = 1 << 9;
const CR4_OSXMMEXCPT: u64 = 1 << 10;
const EFER_LME: u64 = 1 << 8;
const EFER_LMA: u64 = 1 << 10;
const EFER_NXE: u64 = 1 << 11;
/// The bit of RFLAGS that is always set.
const RFLAGS_RESERVED: u64 = 1 << 1;

/// The boot descriptors: null, 64-bit code, data. Their pages are not mapped in the guest, which brings its own.
pub(super) const GDT: [u64; 3] = [0, 0x00AF_9900_0000_FFFF, 0x00CF_9300_0000_FFFF];
const CODE_SELECTOR: u16 = 8;
const DATA_SELECTOR: u16 = 16;

/// Whether the processor has the no-execute bit (CPUID 8000_0001h, EDX bit 20).
pub(super) fn has_no_execute(cpuid: &CpuId) -> bool {
    cpuid
        .as_slice()
        .iter()
        .any(|leaf| leaf.function == 0x8000_0001 && leaf.edx & 1 << 20 != 0)
}

/// Of what KVM supports, what a guest is to see: no virtualisation of its own, which nothing here serves, and no
/// paravirtual interfaces of KVM's, which reach the host kernel by other ways than the hypercalls of the ABI.
pub(super) fn visible(supported: &CpuId) -> Result<CpuId, vmm_sys_util::fam::Error> {
    const VMX: u32 = 1 << 5; // CPUID 1, ECX (Intel SDM volume 2, CPUID).
    const SVM: u32 = 1 << 2; // CPUID 8000_0001h, ECX (AMD APM volume 3, appendix E).
    const HYPERVISOR: std::ops::RangeInclusive<u32> = 0x4000_0000..=0x4fff_ffff;
    const SVM_FEATURES: u32 = 0x8000_000a;
    let mut leaves: Vec<_> = supported
        .as_slice()
        .iter()
        .filter(|leaf| !HYPERVISOR.contains(&leaf.function) && leaf.function != SVM_FEATURES)
        .copied()
        .collect();
    for leaf in &mut leaves {
        match leaf.function {
            1 => leaf.ecx &= !VMX,
            0x8000_0001 => leaf.ecx &= !SVM,
            _ => {}
        }
    }
    // A range without leaves would read as the last basic one: this one says that there are no more.
    leaves.push(kvm_cpuid_entry2 {
        function: *HYPERVISOR.start(),
        eax: *HYPERVISOR.start(),
        ..Default::default()
    });
    CpuId::from_entries(&leaves)
}

/// The special registers at entry.
pub(super) fn sregs(no_execute: bool) -> kvm_sregs {
    let code = kvm_segment {
        selector: CODE_SELECTOR,
        limit: u32::MAX,
        type_: 9, // Execute-only, accessed.
        present: 1,
        s: 1,
        l: 1,
        g: 1,
        ..Default::default()
    };
    let data = kvm_segment {
        selector: DATA_SELECTOR,
        limit: u32::MAX,
        type_: 3, // Read/write, accessed.
        present: 1,
        s: 1,
        db: 1,
        g: 1,
        ..Default::default()
    };
    let mut sregs = kvm_sregs {
        cs: code,
        ds: data,
        es: data,
        fs: data,
        gs: data,
        ss: data,
        tr: kvm_segment {
            type_: 11,
            present: 1,
            ..Default::default()
        }, // Busy 64-bit TSS.
        ldt: kvm_segment {
            unusable: 1,
            ..Default::default()
        },
        cr0: CR0_PE | CR0_NE | CR0_WP | CR0_PG,
        cr3: BOOT_PML4,
        cr4: CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT,
        efer: EFER_LME | EFER_LMA | if no_execute { EFER_NXE } else { 0 },
        ..Default::default()
    };
    sregs.gdt.base = BOOT_GDT;
    sregs.gdt.limit = size_of_val(&GDT) as u16 - 1;
    sregs
}

/// The general registers at entry.
pub(super) fn regs(entry: u64, stack: u64) -> kvm_regs {
    kvm_regs {
        rip: entry,
        rsp: stack,
        rdi: BOOT_INFO,
        rflags: RFLAGS_RESERVED,
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of the ABI, as a genuine tender sets them.
    #[test]
    fn registers_are_those_of_the_abi() {
        let sregs = sregs(false);
        assert_eq!(
            (sregs.cr0, sregs.cr3, sregs.cr4, sregs.efer),
            (0x8001_0021, 0x2000, 0x620, 0x500)
        );
        assert_eq!(
            (sregs.gdt.base, sregs.gdt.limit, sregs.idt.limit),
            (0x1000, 23, 0)
        );
        assert_eq!((sregs.cs.selector, sregs.cs.l, sregs.cs.db), (8, 1, 0));
        assert_eq!((sregs.ss.selector, sregs.ss.l, sregs.ss.db), (16, 0, 1));
        let regs = regs(0x10_0020, 0x3f_fff8);
        assert_eq!(
            (regs.rip, regs.rsp, regs.rdi, regs.rflags),
            (0x10_0020, 0x3f_fff8, 0x1_0000, 2)
        );
    }

    #[test]
    fn a_guest_sees_neither_virtualisation_nor_paravirtual_interfaces() {
        let leaf = |function, eax, ecx| kvm_cpuid_entry2 {
            function,
            eax,
            ecx,
            ..Default::default()
        };
        let supported = CpuId::from_entries(&[
            leaf(0, 7, 9),
            leaf(1, 7, u32::MAX),
            leaf(0x4000_0000, 0x4000_0001, 9),
            leaf(0x4000_0001, u32::MAX, 0),
            leaf(0x8000_0001, 7, u32::MAX),
            leaf(0x8000_000a, 1, 1),
        ]);
        let visible = visible(&supported.unwrap()).unwrap();
        let expected = [
            leaf(0, 7, 9),
            leaf(1, 7, !(1 << 5)),
            leaf(0x8000_0001, 7, !(1 << 2)),
            leaf(0x4000_0000, 0x4000_0000, 0),
        ];
        assert_eq!(visible.as_slice(), expected);
    }

    #[test]
    fn no_execute_is_one_bit_of_efer() {
        assert_eq!(sregs(true).efer, sregs(false).efer | 0x800);
    }
}
