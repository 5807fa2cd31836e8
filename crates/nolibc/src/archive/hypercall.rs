//! Solo5's functions (`solo5.h`), as far as this library calls them, and what its linker scripts
//! define.

use core::ffi::{c_char, c_int};

/// `struct solo5_start_info`.
#[repr(C)]
pub(crate) struct StartInfo {
    pub(crate) command_line: *const c_char,
    pub(crate) heap_start: usize,
    /// In bytes.
    pub(crate) heap_size: usize,
}

/// One bit for each device.
pub(crate) type HandleSet = u64;

/// `solo5_result_t`'s value for success.
pub(crate) const OK: c_int = 0;

unsafe extern "C" {
    pub(crate) fn solo5_exit(status: c_int) -> !;
    pub(crate) safe fn solo5_abort() -> !;
    pub(crate) safe fn solo5_tls_size() -> usize;
    pub(crate) safe fn solo5_tls_tp_offset(block: usize) -> usize;
    pub(crate) fn solo5_tls_init(block: usize) -> c_int;
    pub(crate) fn solo5_set_tls_base(thread_pointer: usize) -> c_int;
    pub(crate) safe fn solo5_clock_monotonic() -> u64;
    pub(crate) safe fn solo5_clock_wall() -> u64;
    pub(crate) fn solo5_yield(deadline: u64, ready: *mut HandleSet);
    pub(crate) fn solo5_console_write(data: *const c_char, size: usize);
}

// Solo5's own bindings, which can be linked in place of ours, do not have it.
core::arch::global_asm!(".weak solo5_yield_set");

/// Waits until `deadline`, or less long.
pub(crate) fn wait_without_devices(deadline: u64) {
    let yield_set: usize;
    // SAFETY: it loads a constant: the address of the function, zero if it is not there. Programs are linked at addresses
    // below 2 GiB.
    unsafe {
        core::arch::asm!(
            "mov {:e}, offset solo5_yield_set",
            out(reg) yield_set,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    if yield_set == 0 {
        // SAFETY: a null pointer asks for no set of ready devices.
        unsafe { solo5_yield(deadline, core::ptr::null_mut()) };
        return;
    }
    type YieldSet = unsafe extern "C" fn(u64, HandleSet, *mut HandleSet);
    // SAFETY: what is not zero is the address of the function, whose signature in `solo5.h` is this one.
    unsafe {
        let yield_set = core::mem::transmute::<usize, YieldSet>(yield_set);
        yield_set(deadline, 0, core::ptr::null_mut());
    }
}

/// Writes to the console, which is the tender's standard output.
pub(crate) fn console_write(data: &[u8]) {
    // SAFETY: a slice is valid for reads of its length.
    unsafe { solo5_console_write(data.as_ptr().cast(), data.len()) };
}

/// Says on the console why the program cannot go on, and aborts it (status 255).
pub(crate) fn fatal(reason: &str) -> ! {
    console_write(b"nolibc: ");
    console_write(reason.as_bytes());
    console_write(b"\n");
    solo5_abort()
}

/// The addresses that the linker script gives.
pub(crate) mod script {
    use core::ffi::c_void;

    unsafe extern "C" {
        #[link_name = "_stext"]
        pub(crate) static TEXT_START: c_void;
        #[link_name = "_end"]
        pub(crate) static IMAGE_END: c_void;
        #[link_name = "__eh_frame_hdr_start"]
        pub(crate) static EH_FRAME_HDR_START: c_void;
        #[link_name = "__eh_frame_hdr_end"]
        pub(crate) static EH_FRAME_HDR_END: c_void;
        #[link_name = "__solo5_stack_bottom"]
        pub(crate) static STACK_BOTTOM: c_void;
        #[link_name = "__solo5_stack_top"]
        pub(crate) static STACK_TOP: c_void;
    }
}
