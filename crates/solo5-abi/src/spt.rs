//! The `spt` target, ABI version 2: the guest shares the address space of a Linux process and makes
//! a handful of system calls that a seccomp filter lets through.

use crate::layout::layout;

/// Version that an `spt` executable's `ABI1` note must name.
pub const ABI_VERSION: u32 = 2;

/// Where guest memory begins; below lies what `vm.mmap_min_addr` forbids.
pub const MEM_BASE: u64 = 0x1_0000;
/// Address of [`BootInfo`], the guest's only argument.
pub const BOOT_INFO: u64 = 0x1_1000;
/// Address of the manifest copy, directly behind the boot information.
pub const MANIFEST: u64 = BOOT_INFO + BootInfo::SIZE as u64;

/// Distance from the end of memory to the stack pointer at entry, as after a call.
pub const STACK_OFFSET: u64 = 8;

/// `epoll` data word of the timer. Every other word in the set is the manifest index of a network
/// device, or that of the first entry ([`TENDER_SHUTDOWN`](crate::manifest::TENDER_SHUTDOWN)).
pub const EPOLL_TIMER: u64 = 0xffff_fffe;

layout! {
    /// `struct spt_boot_info`: what the tender hands to the guest in RDI.
    pub struct BootInfo, size 40 {
        /// End address of guest memory, in bytes.
        0 => pub mem_size: u64,
        /// End of the last segment that has file content.
        8 => pub kernel_end: u64,
        /// Address of the command line, NUL-terminated, at most [`CMDLINE_SIZE`](crate::CMDLINE_SIZE) bytes.
        16 => pub cmdline: u64,
        /// Address of the manifest copy, a [`Header`](crate::manifest::Header) and its entries.
        24 => pub mft: u64,
        /// Descriptor of the `epoll` set: the timer and every network device, level-triggered.
        32 => pub epollfd: i32,
        /// Descriptor of the `CLOCK_MONOTONIC` timer that bounds a yield.
        36 => pub timerfd: i32,
    }
}

const _: () = assert!(MANIFEST == 0x1_1028);
