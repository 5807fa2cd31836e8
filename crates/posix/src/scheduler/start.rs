//! The start: nolibc calls what is here in place of `main`.

use core::ffi::{c_char, c_int, c_void};
use core::ptr::NonNull;

use miou_rs::Builder;

use super::{POINTER, STACK, Source, look_for_overflow};
use crate::Platform;
use crate::arguments;
use crate::machine;
use crate::report;
use crate::stack::{self, SLACK, Stack};
use crate::thread::{self, Body, Thread};

/// What the lowest word of the program's stack is if the second is a function for the tender of spt to call at a fault.
const HOOK: u64 = 0x6b6f_6f68_5f74_7073;

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
    let block = SLACK + size;
    let Some(memory) = stack::allocate(block + machine::block_size(), block, 0) else {
        report::fatal("not enough memory for the scheduler: give the unikernel more (--mem)");
    };
    let program = Stack::guarded(bottom.cast_mut(), size);
    // SAFETY: the program's stack is this one, which is nowhere near its end.
    unsafe {
        let hook = [HOOK, (fault as *const ()).addr() as u64];
        bottom.cast_mut().cast::<[u64; 2]>().write(hook);
    }
    let main_thread = Thread::main(program);
    // SAFETY: the memory was allocated for this, with a zeroed block of variables behind the stack, and stays; nothing has run
    // on it. The arguments are those that `main` expects.
    unsafe {
        POINTER.with(|pointer| pointer.set(machine::new_pointer(memory.add(block))));
        let stack = Stack::new(memory, size);
        STACK.with(|kept| kept.set(Some(stack)));
        let argument = NonNull::from(main_thread).as_ptr().cast();
        main_thread.begin(stack.start(run, argument));
        let (argc, argv) = arguments::take(argc, argv);
        main(argc, argv, envp)
    }
}

/// Called at a fault by who has found `HOOK`, with the stack pointer there.
extern "C" fn fault(pointer: *mut u8) {
    match thread::current() {
        Some(thread) => thread.look_for_overflow(pointer),
        None => look_for_overflow(),
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
