//! The start: nolibc calls what is here in place of `main`.

use core::ffi::{c_char, c_int, c_void};
use core::ptr::NonNull;

use miou_rs::Builder;

use super::{POINTER, STACK, Source};
use crate::Platform;
use crate::arguments;
use crate::machine;
use crate::report;
use crate::stack::{self, Stack};
use crate::thread::{Body, Thread};

unsafe extern "C" {
    #[link_name = "__solo5_stack_bottom"]
    static STACK_BOTTOM: u8;
    #[link_name = "__solo5_stack_top"]
    static STACK_TOP: u8;
    fn main(argc: c_int, argv: *const *mut c_char, envp: *const *mut c_char) -> c_int;
}

unsafe extern "Rust" {
    /// What [`platform!`](crate::platform) defines.
    safe fn __solo5_posix_platform() -> &'static dyn Platform;
}

/// What is below the program.
pub(crate) fn platform() -> &'static dyn Platform {
    __solo5_posix_platform()
}

/// Makes a thread of `main`, which stays on the stack of the program, and starts the scheduler on another as large.
///
/// # Safety
///
/// The arguments are those of C's `main`; called once, on the program's stack.
#[unsafe(no_mangle)]
unsafe extern "C" fn __solo5_call_main(
    argc: c_int,
    argv: *const *mut c_char,
    envp: *const *mut c_char,
) -> c_int {
    machine::detect();
    let [bottom, top] = [&raw const STACK_BOTTOM, &raw const STACK_TOP];
    let size = top.addr() - bottom.addr();
    let Some(memory) = stack::allocate(size + machine::block_size(), size, 0) else {
        report::fatal("not enough memory for the scheduler: give the unikernel more (--mem)");
    };
    let program = Stack::guarded(bottom.cast_mut(), size);
    let main_thread = Thread::main(program);
    // SAFETY: the memory was allocated for this, with a zeroed block of variables behind the stack, and stays; nothing has run
    // on it. The arguments are those that `main` expects.
    unsafe {
        POINTER.with(|pointer| pointer.set(machine::new_pointer(memory.add(size))));
        let stack = Stack::new(memory, size);
        STACK.with(|kept| kept.set(Some(stack)));
        let argument = NonNull::from(main_thread).as_ptr().cast();
        main_thread.begin(stack.start(run, argument));
        let (argc, argv) = arguments::take(argc, argv);
        main(argc, argv, envp)
    }
}

/// The scheduler; it ends with the program.
unsafe extern "C" fn run(main_thread: *mut c_void) -> ! {
    let source = Source::new(platform().event_source());
    // SAFETY: the address of main's record, which stays.
    let body = Body(unsafe { NonNull::new_unchecked(main_thread.cast()) });
    Builder::new()
        .on_hog(report::LONG, report::hog)
        .run_with(source, body);
    report::fatal("the thread of main has ended: expected the program to end")
}
