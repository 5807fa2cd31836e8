//! Numbers and structures of the application interface, `solo5.h`.
//!
//! Pointers are given as `u64` and sizes too: on x86_64 the layouts are those of the C structures.

use crate::layout::layout;

/// `solo5_result_t`: what a hypercall answers.
///
/// The discriminants are the numbers of the ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum SolResult {
    /// `SOLO5_R_OK`: done.
    Ok = 0,
    /// `SOLO5_R_AGAIN`: nothing to be had now, try again later.
    Again = 1,
    /// `SOLO5_R_EINVAL`: an argument is wrong.
    Einval = 2,
    /// `SOLO5_R_EUNSPEC`: an error that the interface does not name.
    Eunspec = 3,
    /// `SOLO5_R_ESHRUNK`: the image behind a block device is shorter than it was. An extension of this project's, which
    /// no call answers that is not one, too.
    Eshrunk = 128,
    /// `SOLO5_R_ENOSPC`: the host has no room for what is to be written. An extension, too.
    Enospc = 129,
}

impl SolResult {
    /// The result with this number, if there is one.
    pub const fn from_raw(raw: u32) -> Option<Self> {
        match raw {
            0 => Some(Self::Ok),
            1 => Some(Self::Again),
            2 => Some(Self::Einval),
            3 => Some(Self::Eunspec),
            128 => Some(Self::Eshrunk),
            129 => Some(Self::Enospc),
            _ => None,
        }
    }
}

/// `SOLO5_EXIT_SUCCESS`.
pub const EXIT_SUCCESS: i32 = 0;
/// `SOLO5_EXIT_FAILURE`.
pub const EXIT_FAILURE: i32 = 1;
/// `SOLO5_EXIT_ABORT`: the status of a guest that aborted or trapped.
pub const EXIT_ABORT: i32 = 255;

/// `SOLO5_BLOCK_MANY_MAX`: bytes of the largest transfer of many blocks, a multiple of every block size.
pub const BLOCK_MANY_MAX: usize = 1 << 20;

/// `SOLO5_NET_ALEN`: bytes of a MAC address.
pub const NET_ALEN: usize = 6;
/// `SOLO5_NET_HLEN`: bytes of an Ethernet header, which an MTU does not count.
pub const NET_HLEN: usize = 14;

layout! {
    /// `struct solo5_start_info`: what `solo5_app_main` is given.
    pub struct StartInfo, size 24 {
        /// Address of the command line, NUL-terminated.
        0 => pub cmdline: u64,
        /// First byte of the memory that the application owns.
        8 => pub heap_start: u64,
        /// Bytes of that memory; the stack grows down from its end.
        16 => pub heap_size: u64,
    }
}

layout! {
    /// `struct solo5_net_info`: a network device, as `solo5_net_acquire` describes it.
    pub struct NetInfo, size 16 {
        /// The guest's own address on this device.
        0 => pub mac_address: [u8; 6],
        /// Features that the device has: [`NET_OFFLOAD`](crate::manifest::NET_OFFLOAD); only beside it
        /// [`NET_OFFLOAD_V6`](crate::manifest::NET_OFFLOAD_V6); and only beside that
        /// [`NET_OFFLOAD_UDP`](crate::manifest::NET_OFFLOAD_UDP).
        /// Padding in Solo5's own interface, whose bindings leave it as it is.
        6 => pub features: u16,
        /// Bytes of the largest payload of a frame, without the 14 bytes of Ethernet header.
        8 => pub mtu: u64,
    }
}

layout! {
    /// `struct solo5_block_info`: a block device, as `solo5_block_acquire` describes it.
    pub struct BlockInfo, size 16 {
        /// Bytes of the whole device.
        0 => pub capacity: u64,
        /// Bytes of one block, the unit of every transfer.
        8 => pub block_size: u64,
    }
}
