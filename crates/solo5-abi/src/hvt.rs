//! The `hvt` target, ABI version 2: the guest is a KVM virtual machine and makes hypercalls by
//! writing the address of an argument structure to an I/O port.
//!
//! Guest-physical and guest-virtual addresses are equal. All addresses here are such addresses.

use crate::layout::layout;

pub mod ring;

/// Version that an `hvt` executable's `ABI1` note must name.
pub const ABI_VERSION: u32 = 2;

/// Boot GDT, three descriptors. Not mapped in the guest, like everything below [`BOOT_INFO`].
pub const BOOT_GDT: u64 = 0x1000;
/// Page-map level 4, one page.
pub const BOOT_PML4: u64 = 0x2000;
/// Page-directory pointer table, one page.
pub const BOOT_PDPT: u64 = 0x3000;
/// The first of four page directories, one for each GiB.
pub const BOOT_PD: u64 = 0x4000;
/// Page table of the first 2 MiB.
pub const BOOT_PT: u64 = 0x8000;
/// Address of [`BootInfo`], the guest's only argument; the guest may only read it.
pub const BOOT_INFO: u64 = 0x1_0000;
/// Address of the manifest copy, directly behind the boot information. Guests follow
/// [`BootInfo::mft`] instead: before Solo5 v0.11 it lay elsewhere.
pub const MANIFEST: u64 = BOOT_INFO + BootInfo::SIZE as u64;

/// Bytes of a large page: memory sizes are rounded down to it, and never smaller.
pub const LARGE_PAGE_SIZE: u64 = 0x20_0000;
/// Largest guest memory in bytes, the reach of the four page directories.
pub const MEM_MAX: u64 = 4 << 30;

/// Distance from the end of memory to the stack pointer at entry, as after a call.
pub const STACK_OFFSET: u64 = 8;

/// Port of hypercall 0, which is reserved; hypercall *n* is a 32-bit `OUT` to this port plus *n*.
pub const PORT_BASE: u16 = 0x500;
/// Port that wakes the tender's network thread, see [`ring`].
pub const PORT_KICK: u16 = 0x600;

/// Bit of [`BootInfo::host_features`]: the tender offers the network [`ring`].
pub const FEATURE_NET_RING: u32 = 1;

/// Bytes that must be readable at a non-zero [`Halt::cookie`].
pub const HALT_COOKIE_SIZE: u64 = 512;

layout! {
    /// `struct hvt_boot_info`: what the tender hands to the guest in RDI.
    ///
    /// Tenders older than Solo5 v0.11 write the first 40 bytes only and put the manifest at 40; a
    /// guest tells from `host_features` *and* `net_ring`, see [`BootInfo::ring`].
    pub struct BootInfo, size 56 {
        /// Usable memory in bytes, without the area of the ring.
        0 => pub mem_size: u64,
        /// End of the last segment that has file content.
        8 => pub kernel_end: u64,
        /// Frequency of the time-stamp counter in Hz.
        16 => pub cpu_cycle_freq: u64,
        /// Address of the command line, NUL-terminated, at most [`CMDLINE_SIZE`](crate::CMDLINE_SIZE) bytes.
        24 => pub cmdline: u64,
        /// Address of the manifest copy, a [`Header`](crate::manifest::Header) and its entries.
        32 => pub mft: u64,
        /// What the tender offers, see [`FEATURE_NET_RING`].
        40 => pub host_features: u32,
        /// Always zero: the page is read-only to the guest.
        44 => pub guest_features: u32,
        /// Address of the network [`ring`], zero if there is none.
        48 => pub net_ring: u64,
    }
}

impl BootInfo {
    /// Address of the network ring if the tender offers one.
    ///
    /// Both signs are asked for, since a tender without the ring fields puts the start of its
    /// manifest there: version 1 looks like the feature bit, but the empty name of the first entry
    /// is zero.
    pub const fn ring(&self) -> Option<u64> {
        if self.host_features & FEATURE_NET_RING != 0 && self.net_ring != 0 {
            Some(self.net_ring)
        } else {
            None
        }
    }
}

const _: () = assert!(MANIFEST == 0x1_0038);

/// The hypercalls and their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Hypercall {
    /// Reads the wall clock; argument [`Walltime`].
    Walltime = 1,
    /// Writes to the console; argument [`Puts`].
    Puts = 2,
    /// Waits for a readable network device or a timeout; argument [`Poll`].
    Poll = 3,
    /// Writes to a block device; argument [`BlockIo`].
    BlockWrite = 4,
    /// Reads from a block device; argument [`BlockIo`].
    BlockRead = 5,
    /// Sends a frame; argument [`NetIo`].
    NetWrite = 6,
    /// Receives a frame; argument [`NetIo`].
    NetRead = 7,
    /// Ends the guest; argument [`Halt`].
    Halt = 8,
    /// Waits for some of the network devices, or for none, or a timeout; argument [`PollSet`]. An extension of this
    /// project's, of tenders that say [`TENDER_POLL_SET`](crate::manifest::TENDER_POLL_SET).
    PollSet = 128,
    /// Makes durable what was written to a block device; argument [`BlockFlush`]. An extension of this project's, of
    /// devices that say [`BLOCK_FLUSH`](crate::manifest::BLOCK_FLUSH).
    BlockFlush = 129,
    /// Gives up blocks of a block device; argument [`BlockDiscard`]. An extension, too, of devices that say
    /// [`BLOCK_DISCARD`](crate::manifest::BLOCK_DISCARD).
    BlockDiscard = 130,
    /// Begins a flush that goes on while the guest does; argument [`BlockFlush`], of which the result is
    /// [`Again`](crate::api::SolResult::Again) if one is under way. An extension, too, of tenders that grant
    /// [`TENDER_FLUSH`](crate::manifest::TENDER_FLUSH).
    FlushBegin = 131,
    /// Tells what came of the flush that was begun; argument [`BlockFlush`], of which the result is
    /// [`Again`](crate::api::SolResult::Again) as long as it is under way. Another one may be begun then.
    FlushEnd = 132,
}

impl Hypercall {
    /// The port that a guest writes the argument's address to.
    pub const fn port(self) -> u16 {
        PORT_BASE + self as u16
    }

    /// The hypercall behind a port, if there is one.
    pub const fn from_port(port: u16) -> Option<Self> {
        match port.wrapping_sub(PORT_BASE) {
            1 => Some(Self::Walltime),
            2 => Some(Self::Puts),
            3 => Some(Self::Poll),
            4 => Some(Self::BlockWrite),
            5 => Some(Self::BlockRead),
            6 => Some(Self::NetWrite),
            7 => Some(Self::NetRead),
            8 => Some(Self::Halt),
            128 => Some(Self::PollSet),
            129 => Some(Self::BlockFlush),
            130 => Some(Self::BlockDiscard),
            131 => Some(Self::FlushBegin),
            132 => Some(Self::FlushEnd),
            _ => None,
        }
    }
}

layout! {
    /// Argument of [`Hypercall::Walltime`].
    pub struct Walltime, size 8 {
        /// Out: nanoseconds since 1970-01-01 UTC.
        0 => pub nsecs: u64,
    }
}

layout! {
    /// Argument of [`Hypercall::Puts`].
    pub struct Puts, size 16 {
        /// In: address of the bytes to write.
        0 => pub data: u64,
        /// In: how many.
        8 => pub len: u64,
    }
}

layout! {
    /// Argument of [`Hypercall::Poll`].
    pub struct Poll, size 24 {
        /// In: nanoseconds to wait at most, from now.
        0 => pub timeout_nsecs: u64,
        /// Out: bit *h* is set if the network device with handle *h* is readable.
        8 => pub ready_set: u64,
        /// Out: how many devices are readable, 0 on timeout (not a `solo5_result_t`).
        16 => pub ret: i32,
    }
}

layout! {
    /// Argument of [`Hypercall::PollSet`].
    pub struct PollSet, size 32 {
        /// In: nanoseconds to wait at most, from now.
        0 => pub timeout_nsecs: u64,
        /// In: bit *h* is set if the network device with handle *h* is waited for, or the end of a flush of the block device
        /// with that handle ([`TENDER_FLUSH`](crate::manifest::TENDER_FLUSH)), bit 0 if the end that the host wishes for is
        /// ([`TENDER_SHUTDOWN`](crate::manifest::TENDER_SHUTDOWN)); other bits count for nothing.
        8 => pub wanted_set: u64,
        /// Out: those of them that are readable, or have come.
        16 => pub ready_set: u64,
        /// Out: how many these are, 0 on timeout (not a `solo5_result_t`).
        24 => pub ret: i32,
    }
}

layout! {
    /// Argument of [`Hypercall::BlockWrite`] and [`Hypercall::BlockRead`].
    pub struct BlockIo, size 40 {
        /// In: the device, an index into the manifest.
        0 => pub handle: u64,
        /// In: byte offset on the device.
        8 => pub offset: u64,
        /// In: address of the buffer.
        16 => pub data: u64,
        /// In: bytes to transfer; never changed by the tender.
        24 => pub len: u64,
        /// Out: a `solo5_result_t`.
        32 => pub ret: i32,
    }
}

layout! {
    /// Argument of [`Hypercall::BlockFlush`], [`Hypercall::FlushBegin`] and [`Hypercall::FlushEnd`].
    pub struct BlockFlush, size 16 {
        /// In: the device, an index into the manifest.
        0 => pub handle: u64,
        /// Out: a `solo5_result_t`.
        8 => pub ret: i32,
    }
}

layout! {
    /// Argument of [`Hypercall::BlockDiscard`].
    pub struct BlockDiscard, size 32 {
        /// In: the device, an index into the manifest.
        0 => pub handle: u64,
        /// In: byte offset on the device.
        8 => pub offset: u64,
        /// In: bytes to give up.
        16 => pub len: u64,
        /// Out: a `solo5_result_t`.
        24 => pub ret: i32,
    }
}

layout! {
    /// Argument of [`Hypercall::NetWrite`] and [`Hypercall::NetRead`].
    pub struct NetIo, size 32 {
        /// In: the device, an index into the manifest.
        0 => pub handle: u64,
        /// In: address of the frame or the buffer.
        8 => pub data: u64,
        /// In: bytes of the frame or the buffer. Out, of a read that succeeds: bytes of the frame.
        16 => pub len: u64,
        /// Out: a `solo5_result_t`.
        24 => pub ret: i32,
    }
}

layout! {
    /// Argument of [`Hypercall::Halt`].
    pub struct Halt, size 16 {
        /// In: address of a [`TrapFrame`] with [`HALT_COOKIE_SIZE`] readable bytes, or zero.
        0 => pub cookie: u64,
        /// In: the guest's exit status; a host process keeps the low 8 bits.
        8 => pub exit_status: i32,
    }
}

layout! {
    /// What a guest that trapped leaves for a core dump.
    pub struct TrapFrame, size 56 {
        /// Faulting address of a page fault.
        0 => pub cr2: u64,
        /// Error code of the exception.
        8 => pub ec: u64,
        /// Where it happened.
        16 => pub rip: u64,
        /// Code segment selector.
        24 => pub cs: u64,
        /// Flags.
        32 => pub rflags: u64,
        /// Stack pointer.
        40 => pub rsp: u64,
        /// Stack segment selector.
        48 => pub ss: u64,
    }
}
