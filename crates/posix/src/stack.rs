//! Stacks, and going from one to another.

use core::arch::{asm, naked_asm};
use core::ffi::c_void;
use core::ptr;

use crate::memory;

/// What a stack ends with at its lowest address, and an overflow changes.
const CANARY: u64 = 0x7ac3_91e5_40db_862f;
/// So many words of it: more than what a function may leave out of its frame by chance.
const CANARY_WORDS: usize = 8;
/// Memory that nothing uses, below a stack that no page guards: an overflow of less harms nobody before it is found.
pub(crate) const SLACK: usize = 16 << 10;

/// What a stack starts with: it never returns.
pub(crate) type Entry = unsafe extern "C" fn(*mut c_void) -> !;

/// The memory of a stack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stack {
    /// Its lowest address, a multiple of 16.
    pub(crate) bottom: *mut u8,
    /// Its octets, a multiple of 16.
    pub(crate) size: usize,
    /// Whether it was marked: a stack with pages below that cannot be written to needs no mark.
    marked: bool,
}

impl Stack {
    /// One below which is memory that faults.
    pub(crate) const fn guarded(bottom: *mut u8, size: usize) -> Self {
        let marked = false;
        Self {
            bottom,
            size,
            marked,
        }
    }

    /// One of `size` octets behind [`SLACK`], whose lowest words it marks.
    ///
    /// # Safety
    ///
    /// The memory has both, 4 KiB of stack at least, is valid for reads and writes as long as the value is used, and nothing
    /// else uses it.
    pub(crate) unsafe fn new(memory: *mut u8, size: usize) -> Self {
        let bottom = memory.wrapping_add(SLACK);
        let mark = bottom.cast::<u64>();
        for index in 0..CANARY_WORDS {
            // SAFETY: see above.
            unsafe { mark.add(index).write(CANARY) };
        }
        let marked = true;
        Self {
            bottom,
            size,
            marked,
        }
    }

    pub(crate) fn top(&self) -> *mut u8 {
        self.bottom.wrapping_add(self.size)
    }

    /// Whether a stack whose pointer is `pointer` has been written beyond, as far as can be seen.
    pub(crate) fn has_overflown(&self, pointer: *mut u8) -> bool {
        let mark = self.bottom.cast::<u64>();
        // SAFETY: `new` promises that the words are there.
        let is_marked = || (0..CANARY_WORDS).all(|word| unsafe { *mark.add(word) } == CANARY);
        self.marked && (pointer < self.bottom || !is_marked())
    }

    /// Has the stack start with a call of `entry`: where it goes on.
    ///
    /// # Safety
    ///
    /// Nothing has run on it yet, or what has never goes on.
    pub(crate) unsafe fn start(&self, entry: Entry, argument: *mut c_void) -> *mut u8 {
        /// The control words of the processor's units for floating point that the ABI starts a program with.
        const CONTROL: u64 = 0x0000_037f_0000_1f80;
        let frame: [u64; 9] = [
            CONTROL,
            0,                                        // r15
            0,                                        // r14
            (entry as *const ()).addr() as u64,       // r13
            argument.expose_provenance() as u64,      // r12
            0,                                        // rbx
            0,                                        // rbp
            (first_frame as *const ()).addr() as u64, // where `switch` returns to
            0,
        ];
        // SAFETY: the stack has 4 KiB at least; its ends are multiples of 16.
        unsafe {
            let start = self.top().cast::<[u64; 9]>().sub(1);
            let start = start.cast::<u8>().sub(start.addr() % 16);
            start.cast::<[u64; 9]>().write_unaligned(frame);
            start
        }
    }
}

/// Where on its stack the caller is, nearly.
#[inline]
pub(crate) fn pointer() -> *mut u8 {
    let pointer;
    // SAFETY: it copies a register.
    unsafe {
        asm!("mov {}, rsp", out(reg) pointer, options(nomem, nostack, preserves_flags));
    }
    pointer
}

/// Leaves the stack in use for another, which goes on where it left. `left` is where this one will go on.
///
/// # Safety
///
/// `to` was written by an earlier call, or comes from [`Stack::start`], and is used once; `left` is valid for writes.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn switch(left: *mut *mut u8, to: *mut u8) {
    naked_asm!(
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "sub rsp, 8",
        "stmxcsr [rsp]",
        "fnstcw [rsp + 4]",
        "mov [rdi], rsp",
        "mov rsp, rsi",
        "ldmxcsr [rsp]",
        "fldcw [rsp + 4]",
        "add rsp, 8",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
    )
}

/// The outermost function of a stack: what unwinds or lists callers finds no caller of it.
#[unsafe(naked)]
unsafe extern "C" fn first_frame() -> ! {
    naked_asm!("mov rdi, r12", "call r13", "ud2")
}

/// Memory for a thread, zeroed from `zeroed` on, if so much more is free: `reserve`.
pub(crate) fn allocate(size: usize, zeroed: usize, reserve: usize) -> Option<*mut u8> {
    // SAFETY: any size may be asked for, what was allocated is given back at most once, and what is written is within it.
    unsafe {
        let mut block = ptr::null_mut();
        if libc::posix_memalign(&raw mut block, 64, size) != 0 {
            return None;
        }
        // First for another one as large: the allocator notes what is left behind it, which is then where that one would end,
        // and not on a page that nothing else touches.
        if reserve > 0 && !memory::is_free(size.max(reserve)) && !memory::is_free(reserve) {
            libc::free(block);
            return None;
        }
        let block = block.cast::<u8>();
        block.add(zeroed).write_bytes(0, size - zeroed);
        Some(block)
    }
}

#[cfg(test)]
mod tests;
