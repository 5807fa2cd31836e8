//! Threads in a test: in virtual time, and in an order that a seed gives.

mod everything;
mod stress;

use core::ffi::c_void;
use core::ptr::{self, NonNull};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};

use miou_rs::{Builder, VirtualClock};

use crate::pthread::threads::tests::join;
use crate::scheduler::Source;
use crate::thread::{self, Body, Start, Thread};

const STACK: usize = 256 << 10;

/// To be held by tests that make calls of the kernel with descriptors: those of one may close what another has opened.
pub(crate) fn descriptors() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `f` as `main`, and the threads that it makes: first in, first out.
pub(crate) fn run(f: impl FnOnce() + 'static) {
    run_with(Builder::new(), f);
}

/// As [`run`], with the scheduler's settings.
pub(crate) fn run_with(builder: Builder, f: impl FnOnce() + 'static) {
    let main = Thread::new(STACK, call(f)).expect("memory for a stack");
    let source = Source::new(Rc::new(VirtualClock::new()));
    builder.run_with(source, Body(NonNull::from(main)));
    let result = main.result.get();
    // SAFETY: it has ended, and nobody refers to it.
    unsafe { Thread::free(main) };
    hand_on(result);
}

/// Makes a thread.
pub(crate) fn spawn(f: impl FnOnce() + 'static) -> &'static Thread {
    thread::spawn(STACK, call(f), false).expect("memory for a stack")
}

/// Makes threads, and waits for all of them. The first panic of one is handed on.
pub(crate) fn together(threads: impl IntoIterator<Item = &'static Thread>) {
    for thread in threads {
        hand_on(join(thread));
    }
}

type Call = Box<dyn FnOnce()>;
type Panic = Box<dyn core::any::Any + Send>;

/// What calls `f` on a thread; its result is a panic, or null.
pub(crate) fn call(f: impl FnOnce() + 'static) -> Start {
    extern "C" fn run(argument: *mut c_void) -> *mut c_void {
        // SAFETY: made below, for this call.
        let f = unsafe { Box::from_raw(argument.cast::<Call>()) };
        match catch_unwind(AssertUnwindSafe(f)) {
            Ok(()) => ptr::null_mut(),
            Err(panic) => Box::into_raw(Box::new(panic)).cast(),
        }
    }
    let boxed: Call = Box::new(f);
    Start {
        function: run,
        argument: Box::into_raw(Box::new(boxed)).cast(),
    }
}

fn hand_on(result: *mut c_void) {
    if !result.is_null() {
        // SAFETY: `call` made it of a box, and each result is looked at once.
        resume_unwind(*unsafe { Box::from_raw(result.cast::<Panic>()) });
    }
}
