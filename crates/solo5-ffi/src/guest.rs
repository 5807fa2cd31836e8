//! The backend of a guest: the bindings' own functions.

use core::sync::atomic::{AtomicU64, Ordering};
use core::task::Poll;

use solo5_abi::api::{BLOCK_MANY_MAX, BlockInfo, NetInfo, SolResult};
#[cfg(not(solo5_upstream_bindings))]
use solo5_abi::manifest::TENDER_FLUSH;
use solo5_abi::manifest::{
    BLOCK_DISCARD, BLOCK_FLUSH, BLOCK_MANY, NET_OFFLOAD, NET_OFFLOAD_UDP, NET_OFFLOAD_V6,
};

use crate::{
    AcquireError, Block, BlockError, DeviceType, Entry, Handle, HandleSet, Net, NetError, sys,
};

/// The handle, as the bindings take it.
pub(crate) type NetDevice = u64;
/// As [`NetDevice`].
pub(crate) type BlockDevice = u64;

const OK: u32 = SolResult::Ok as u32;
const AGAIN: u32 = SolResult::Again as u32;
const SHRUNK: u32 = SolResult::Eshrunk as u32;
const NO_SPACE: u32 = SolResult::Enospc as u32;

/// Handles that have been given out: upstream's bindings give one out again and again.
static ACQUIRED: AtomicU64 = AtomicU64::new(0);

/// The handle that `acquire` gives for the entry's name, if it is a new one.
fn acquire(
    entry: &'static Entry,
    device_type: DeviceType,
    acquire: impl FnOnce(*const core::ffi::c_char, &mut u64) -> u32,
) -> Result<Handle, AcquireError> {
    let mut raw = 0;
    // The name is the entry's first field, and NUL-terminated.
    let result = acquire(core::ptr::from_ref(entry).cast(), &mut raw);
    let unavailable = AcquireError::Unavailable {
        name: entry.name().unwrap_or_default(),
        device_type,
    };
    let Some(handle) = Handle::new(raw).filter(|_| result == OK) else {
        return Err(unavailable);
    };
    let bit = 1 << handle.index();
    if ACQUIRED.fetch_or(bit, Ordering::Relaxed) & bit != 0 {
        return Err(unavailable);
    }
    Ok(handle)
}

pub(crate) fn net_acquire(entry: &'static Entry) -> Result<Net, AcquireError> {
    let mut info = NetInfo::default();
    let handle = acquire(entry, DeviceType::NetBasic, |name, handle| {
        // SAFETY: `name` is a NUL-terminated string that lives for ever; the other two point to
        // variables of the types that the function writes.
        unsafe { sys::solo5_net_acquire(name, handle, &mut info) }
    })?;
    Ok(Net {
        device: u64::from(handle.index()),
        handle,
        mac_address: info.mac_address,
        mtu: info.mtu as usize,
        // Upstream's bindings leave the zero of the default.
        offload: info.features & NET_OFFLOAD != 0,
        offload_v6: info.features & NET_OFFLOAD_V6 != 0,
        offload_udp: info.features & NET_OFFLOAD_UDP != 0,
    })
}

pub(crate) fn net_write(net: &Net, frame: &[u8]) -> Result<(), NetError> {
    // SAFETY: the pointer and the length are those of a slice, which the function only reads and
    // does not keep.
    match unsafe { sys::solo5_net_write(net.device, frame.as_ptr(), frame.len()) } {
        OK => Ok(()),
        _ => Err(NetError::Host),
    }
}

pub(crate) fn net_read(net: &Net, buffer: &mut [u8]) -> Result<Option<usize>, NetError> {
    let (data, size) = (buffer.as_mut_ptr(), buffer.len());
    let mut length = 0;
    // SAFETY: `data` and `size` are those of a slice that nothing else refers to during the call,
    // and `length` is a variable of the type that the function writes.
    match unsafe { sys::solo5_net_read(net.device, data, size, &mut length) } {
        OK if length <= buffer.len() => Ok(Some(length)),
        AGAIN => Ok(None),
        _ => Err(NetError::Host),
    }
}

pub(crate) fn block_acquire(entry: &'static Entry) -> Result<Block, AcquireError> {
    let mut info = BlockInfo::default();
    let handle = acquire(entry, DeviceType::BlockBasic, |name, handle| {
        // SAFETY: as in `net_acquire`.
        unsafe { sys::solo5_block_acquire(name, handle, &mut info) }
    })?;
    let device = u64::from(handle.index());
    let features = block_features(device);
    let block_size = info.block_size as usize;
    Ok(Block {
        device,
        handle,
        capacity: info.capacity,
        block_size,
        max_transfer: match features & BLOCK_MANY {
            0 => block_size,
            _ => BLOCK_MANY_MAX,
        },
        flush: features & BLOCK_FLUSH != 0,
        discard: features & BLOCK_DISCARD != 0,
    })
}

/// What the device has beyond Solo5's interface.
#[cfg(not(solo5_upstream_bindings))]
fn block_features(device: u64) -> u16 {
    // The bits are those of the manifest, of which there are 16.
    sys::solo5_block_features(device) as u16
}

/// Bindings of Solo5's own know of nothing.
#[cfg(solo5_upstream_bindings)]
fn block_features(_device: u64) -> u16 {
    0
}

#[cfg(not(solo5_upstream_bindings))]
pub(crate) fn block_flush(block: &Block) -> Result<(), BlockError> {
    block_result(sys::solo5_block_flush(block.device))
}

/// Not reached: no device has the feature.
#[cfg(solo5_upstream_bindings)]
pub(crate) fn block_flush(_block: &Block) -> Result<(), BlockError> {
    Err(BlockError::CannotFlush)
}

#[cfg(not(solo5_upstream_bindings))]
pub(crate) fn block_flush_begin(block: &Block) -> Result<bool, BlockError> {
    let can_go_on =
        flush_wanted() && sys::solo5_block_features(block.device) & u32::from(TENDER_FLUSH) != 0;
    if !can_go_on {
        return block_flush(block).map(|()| false);
    }
    block_result(sys::solo5_block_flush_begin(block.device)).map(|()| true)
}

/// Not reached, either.
#[cfg(solo5_upstream_bindings)]
pub(crate) fn block_flush_begin(_block: &Block) -> Result<bool, BlockError> {
    Err(BlockError::CannotFlush)
}

#[cfg(not(solo5_upstream_bindings))]
pub(crate) fn block_flush_end(block: &Block) -> Poll<Result<(), BlockError>> {
    match sys::solo5_block_flush_end(block.device) {
        AGAIN => Poll::Pending,
        result => Poll::Ready(block_result(result)),
    }
}

/// None was begun.
#[cfg(solo5_upstream_bindings)]
pub(crate) fn block_flush_end(_block: &Block) -> Poll<Result<(), BlockError>> {
    Poll::Ready(Err(BlockError::Host))
}

#[cfg(not(solo5_upstream_bindings))]
pub(crate) fn flush_has_ended(handle: Handle) -> bool {
    sys::solo5_block_flush_has_ended(handle.index().into())
}

#[cfg(solo5_upstream_bindings)]
pub(crate) fn flush_has_ended(_handle: Handle) -> bool {
    false
}

#[cfg(not(solo5_upstream_bindings))]
pub(crate) fn block_discard(block: &Block, offset: u64, length: u64) -> Result<(), BlockError> {
    block_result(sys::solo5_block_discard(block.device, offset, length))
}

/// Not reached, either.
#[cfg(solo5_upstream_bindings)]
pub(crate) fn block_discard(_block: &Block, _offset: u64, _length: u64) -> Result<(), BlockError> {
    Err(BlockError::CannotDiscard)
}

/// What came of a call.
fn block_result(result: u32) -> Result<(), BlockError> {
    match result {
        OK => Ok(()),
        SHRUNK => Err(BlockError::Shrunk),
        NO_SPACE => Err(BlockError::NoSpace),
        _ => Err(BlockError::Host),
    }
}

pub(crate) fn block_read(block: &Block, offset: u64, buffer: &mut [u8]) -> Result<(), BlockError> {
    let (data, size) = (buffer.as_mut_ptr(), buffer.len());
    // SAFETY: `data` and `size` are those of a slice that nothing else refers to during the call.
    block_result(unsafe { sys::solo5_block_read(block.device, offset, data, size) })
}

pub(crate) fn block_write(block: &Block, offset: u64, data: &[u8]) -> Result<(), BlockError> {
    // SAFETY: the pointer and the length are those of a slice, which the function only reads.
    block_result(unsafe { sys::solo5_block_write(block.device, offset, data.as_ptr(), data.len()) })
}

pub(crate) fn clock_monotonic() -> u64 {
    sys::solo5_clock_monotonic()
}

pub(crate) fn clock_wall() -> u64 {
    sys::solo5_clock_wall()
}

pub(crate) fn yield_until(deadline: u64) -> HandleSet {
    let mut ready = 0;
    // SAFETY: `ready` is a variable of the type that the function writes.
    unsafe { sys::solo5_yield(deadline, &mut ready) };
    HandleSet::from_bits(ready)
}

pub(crate) fn yield_for(deadline: u64, wanted: HandleSet) -> HandleSet {
    let mut ready = 0;
    // SAFETY: `ready` is a variable of the type that the function writes.
    #[cfg(not(solo5_upstream_bindings))]
    unsafe {
        sys::solo5_yield_set(deadline, wanted.bits(), &mut ready);
    }
    // SAFETY: as above.
    #[cfg(solo5_upstream_bindings)]
    unsafe {
        sys::solo5_yield(deadline, &mut ready);
    }
    HandleSet::from_bits(ready & wanted.bits())
}

// What the manifest asks of the tender: the linker scripts have the first entry say so, unless `--gc-sections` has found
// that nothing refers to it.
#[cfg(not(solo5_upstream_bindings))]
core::arch::global_asm!(
    ".pushsection .solo5.manifest.wants.shutdown, \"a\", %progbits",
    ".globl solo5_manifest_wants_shutdown",
    ".hidden solo5_manifest_wants_shutdown",
    "solo5_manifest_wants_shutdown:",
    ".byte 0",
    ".popsection",
    ".pushsection .solo5.manifest.wants.flush, \"a\", %progbits",
    ".globl solo5_manifest_wants_flush",
    ".hidden solo5_manifest_wants_flush",
    "solo5_manifest_wants_flush:",
    ".byte 0",
    ".popsection",
);

#[cfg(not(solo5_upstream_bindings))]
unsafe extern "C" {
    static solo5_manifest_wants_shutdown: u8;
    static solo5_manifest_wants_flush: u8;
}

/// Whether the manifest asks to be told of the end: it does if the program can reach this function.
#[cfg(not(solo5_upstream_bindings))]
pub(crate) fn shutdown_wanted() -> bool {
    // SAFETY: the symbol is one of those defined above, which hold a zero and are never written. The read is volatile, so
    // that the program refers to it.
    unsafe { (&raw const solo5_manifest_wants_shutdown).read_volatile() == 0 }
}

/// As [`shutdown_wanted`], for flushes that go on while the program does.
#[cfg(not(solo5_upstream_bindings))]
fn flush_wanted() -> bool {
    // SAFETY: as above.
    unsafe { (&raw const solo5_manifest_wants_flush).read_volatile() == 0 }
}

/// Bindings of Solo5's own do not hand it on: a program that is linked with them must not ask.
#[cfg(solo5_upstream_bindings)]
pub(crate) fn shutdown_wanted() -> bool {
    false
}

pub(crate) fn console_write(bytes: &[u8]) {
    // SAFETY: the pointer and the length are those of a slice, which the function only reads.
    unsafe { sys::solo5_console_write(bytes.as_ptr().cast(), bytes.len()) };
}

pub(crate) fn exit(status: i32) -> ! {
    sys::solo5_exit(status)
}

pub(crate) fn abort() -> ! {
    sys::solo5_abort()
}

pub(crate) fn start() {}
