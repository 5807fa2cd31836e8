//! What the processor and nolibc keep for each thread. On a host, where tests run, that is the system's affair: all
//! threads of a test share what its own thread has.

pub(crate) use imp::{
    LibcState, block_size, end_thread_locals, exchange_libc_state, new_pointer, print, set_pointer,
};
#[cfg(solo5)]
pub(crate) use imp::{current_pointer, detect, solo5_clock_monotonic};

#[cfg(solo5)]
mod imp {
    use core::arch::{asm, global_asm};
    use core::cell::Cell;
    use core::ffi::c_int;

    /// nolibc's `errno`, and its list of thread-local variables that have destructors.
    #[repr(C)]
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct LibcState {
        errno: c_int,
        registered: *mut u8,
    }

    impl LibcState {
        /// That of a new thread.
        pub(crate) const NEW: Self = Self {
            errno: 0,
            registered: core::ptr::null_mut(),
        };
    }

    unsafe extern "C" {
        static mut __solo5_thread_state: LibcState;
        safe fn __solo5_thread_block_size() -> usize;
        fn __solo5_thread_block_init(block: usize) -> usize;
        fn __solo5_end_thread_locals();
        fn solo5_set_tls_base(thread_pointer: usize) -> c_int;
        fn solo5_console_write(data: *const u8, size: usize);
        /// The monotonic clock's time, in nanoseconds.
        pub(crate) safe fn solo5_clock_monotonic() -> u64;
    }

    // Solo5's own bindings, which can be linked in place of ours, do not have it.
    global_asm!(".weak solo5_has_wrfsbase");

    global! {
        /// Whether the instruction sets the thread pointer: otherwise the bindings do.
        static WRFSBASE: Cell<bool> = Cell::new(false);
    }

    /// Writes to the console.
    pub(crate) fn print(text: &[u8]) {
        // SAFETY: a slice is valid for reads of its length.
        unsafe { solo5_console_write(text.as_ptr(), text.len()) };
    }

    /// Finds out how the thread pointer is set.
    pub(crate) fn detect() {
        let function: usize;
        // SAFETY: it loads a constant: the address of the function, zero if it is not there. Programs are linked at addresses
        // below 2 GiB.
        unsafe {
            asm!(
                "mov {:e}, offset solo5_has_wrfsbase",
                out(reg) function,
                options(pure, nomem, nostack, preserves_flags)
            );
        }
        if function != 0 {
            // SAFETY: what is not zero is the address of the function, whose signature in `solo5.h` is this one.
            let function =
                unsafe { core::mem::transmute::<usize, extern "C" fn() -> bool>(function) };
            WRFSBASE.with(|wrfsbase| wrfsbase.set(function()));
        }
    }

    /// Puts a state in place, and gives the one that was.
    pub(crate) fn exchange_libc_state(new: LibcState) -> LibcState {
        // SAFETY: a plain value of nolibc's, which nothing refers to meanwhile; any state that was there can be put back.
        unsafe { core::ptr::replace(&raw mut __solo5_thread_state, new) }
    }

    /// Runs the destructors of the thread's variables.
    pub(crate) fn end_thread_locals() {
        // SAFETY: the variables are those of the thread that runs, which ends.
        unsafe { __solo5_end_thread_locals() }
    }

    /// The octets of a thread's block of variables.
    pub(crate) fn block_size() -> usize {
        __solo5_thread_block_size()
    }

    /// Fills a block in, and gives its thread pointer.
    ///
    /// # Safety
    ///
    /// It has [`block_size`] octets, all of them zero, that stay as long as the pointer is used.
    pub(crate) unsafe fn new_pointer(block: *mut u8) -> usize {
        // SAFETY: the caller's promise is the same.
        unsafe { __solo5_thread_block_init(block.expose_provenance()) }
    }

    /// The thread pointer in use.
    pub(crate) fn current_pointer() -> usize {
        let pointer;
        // SAFETY: a thread pointer points to a word that holds it, by the ABI of thread-local storage.
        unsafe {
            asm!("mov {}, fs:0", out(reg) pointer, options(nostack, readonly, preserves_flags));
        }
        pointer
    }

    /// Has thread-local variables be found by this pointer from now on.
    ///
    /// # Safety
    ///
    /// It is one of [`new_pointer`] or [`current_pointer`], and the caller has no reference to a thread-local variable.
    pub(crate) unsafe fn set_pointer(pointer: usize) {
        // SAFETY: see above; an address of ours is one that the processor accepts, and `detect` was told of the instruction.
        unsafe {
            if WRFSBASE.with(Cell::get) {
                asm!("wrfsbase {}", in(reg) pointer, options(nostack, preserves_flags));
            } else {
                solo5_set_tls_base(pointer);
            }
        }
    }
}

#[cfg(not(solo5))]
mod imp {
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct LibcState;

    impl LibcState {
        pub(crate) const NEW: Self = Self;
    }

    pub(crate) fn exchange_libc_state(new: LibcState) -> LibcState {
        new
    }

    pub(crate) fn end_thread_locals() {}

    pub(crate) fn print(text: &[u8]) {
        // What cannot be told is nobody's loss.
        let _ = std::io::Write::write_all(&mut std::io::stderr(), text);
    }

    pub(crate) fn block_size() -> usize {
        0
    }

    /// # Safety
    ///
    /// As in a unikernel.
    pub(crate) unsafe fn new_pointer(_block: *mut u8) -> usize {
        0
    }

    /// # Safety
    ///
    /// As in a unikernel.
    pub(crate) unsafe fn set_pointer(_pointer: usize) {}
}
