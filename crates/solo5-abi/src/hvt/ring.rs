//! The network ring of Solo5 v0.11 and later: submissions of the guest and completions of the
//! tender, in guest memory, served by a thread of the tender for all network devices at once.
//!
//! One producer and one consumer in each direction. Indices are free-running 32-bit counters: a
//! slot is the index modulo [`SLOTS`], a direction is empty when head equals tail. A write posts no
//! completion; a read posts one. After publishing `ent_tail` and a full barrier, the guest reads
//! `needs_kick` and, if it is set, writes to [`PORT_KICK`](super::PORT_KICK).
//!
//! Each side may change its words at any moment, so the ring as a whole is never copied or
//! referenced: this module gives offsets only.

use core::mem::offset_of;

use crate::layout::layout;

/// Slots in each direction, a power of two.
pub const SLOTS: u32 = 1024;

/// [`Entry::operation`] of a frame to send.
pub const OPERATION_WRITE: u32 = 1;
/// [`Entry::operation`] of a buffer to receive into.
pub const OPERATION_READ: u32 = 2;

/// Longest frame that Solo5's own bindings send through the ring, in bytes: the size of their
/// buffer for each slot. Longer ones go by hypercall.
pub const GUEST_BUFFER_SIZE: usize = 2048;

layout! {
    /// A submission, written by the guest.
    pub struct Entry, size 32 {
        /// [`OPERATION_WRITE`] or [`OPERATION_READ`].
        0 => pub operation: u32,
        /// The device, an index into the manifest.
        4 => pub handle: u32,
        /// Address of the frame or the buffer.
        8 => pub data: u64,
        /// Bytes of the frame or the buffer.
        16 => pub len: u32,
        /// Any number; a completion repeats it.
        20 => pub id: u32,
        /// Not used.
        24 => pub reserved: u64,
    }
}

layout! {
    /// A completion, written by the tender.
    pub struct Commit, size 16 {
        /// The submission's [`Entry::id`].
        0 => pub id: u32,
        /// A `solo5_result_t`.
        4 => pub ret: i32,
        /// Bytes of the frame received, 0 unless `ret` says success.
        8 => pub len: u32,
        /// Not used.
        12 => pub reserved: u32,
    }
}

/// The ring's layout, one cache line apart for the words of each side.
///
/// It exists for its offsets; there is no value of it.
#[repr(C)]
struct Ring {
    ent_tail: u32,
    com_head: u32,
    _guest_padding: [u32; 14],
    ent_head: u32,
    com_tail: u32,
    needs_kick: u32,
    _host_padding: [u32; 13],
    entries: [Entry; SLOTS as usize],
    commits: [Commit; SLOTS as usize],
}

/// Bytes of the whole ring.
pub const SIZE: u64 = size_of::<Ring>() as u64;
/// Offset of the count of submissions produced, written by the guest.
pub const ENT_TAIL: u64 = offset_of!(Ring, ent_tail) as u64;
/// Offset of the count of completions consumed, written by the guest.
pub const COM_HEAD: u64 = offset_of!(Ring, com_head) as u64;
/// Offset of the count of submissions consumed, written by the tender.
pub const ENT_HEAD: u64 = offset_of!(Ring, ent_head) as u64;
/// Offset of the count of completions produced, written by the tender.
pub const COM_TAIL: u64 = offset_of!(Ring, com_tail) as u64;
/// Offset of the word by which the tender asks to be woken.
pub const NEEDS_KICK: u64 = offset_of!(Ring, needs_kick) as u64;
/// Offset of the first submission.
pub const ENTRIES: u64 = offset_of!(Ring, entries) as u64;
/// Offset of the first completion.
pub const COMMITS: u64 = offset_of!(Ring, commits) as u64;

const _: () = {
    assert!(SIZE == 49_280);
    assert!(ENT_TAIL == 0);
    assert!(COM_HEAD == 4);
    assert!(ENT_HEAD == 64);
    assert!(COM_TAIL == 68);
    assert!(NEEDS_KICK == 72);
    assert!(ENTRIES == 128);
    assert!(COMMITS == 32_896);
    assert!(SLOTS.is_power_of_two());
};

/// Offset of the submission slot that a free-running index stands for.
pub const fn entry_offset(index: u32) -> u64 {
    ENTRIES + (index % SLOTS) as u64 * Entry::SIZE as u64
}

/// Offset of the completion slot that a free-running index stands for.
pub const fn commit_offset(index: u32) -> u64 {
    COMMITS + (index % SLOTS) as u64 * Commit::SIZE as u64
}
