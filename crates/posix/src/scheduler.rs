//! The scheduler, whose tasks the threads are: how it starts, and how a thread gets into its room.

use core::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use miou_rs::{Deadlock, EventSource, Instant};

use crate::machine::{self, LibcState};
use crate::report;
use crate::stack::Stack;
use crate::thread;

#[cfg(solo5)]
mod start;
#[cfg(solo5)]
pub(crate) use start::platform;

global! {
    /// Its thread pointer, and its part of nolibc's state while a thread's is in place.
    static POINTER: Cell<usize> = Cell::new(0);
    static LIBC: Cell<LibcState> = Cell::new(LibcState::NEW);
    /// What its tasks that are not threads run on; in a test, the stack of that.
    static STACK: Cell<Option<Stack>> = Cell::new(None);
    /// Where its events come from.
    static SOURCE: RefCell<Option<Rc<dyn EventSource>>> = RefCell::new(None);
}

/// Calls `f` with thread-local variables that are the scheduler's: for whatever calls `miou_rs`, `netstack` or `blockdev`, or
/// wakes one of their tasks. Within [`wait`](crate::wait::wait), they are already.
pub(crate) fn inside<T>(f: impl FnOnce() -> T) -> T {
    let Some(thread) = thread::current().filter(|thread| thread.enter()) else {
        return f();
    };
    // A panic is counted in a thread-local variable: it goes on as one of the thread's.
    let result = apart(|| catch_unwind(AssertUnwindSafe(f)));
    thread.leave();
    match result {
        Ok(value) => value,
        Err(panic) => resume_unwind(panic),
    }
}

/// A function of its own, so that the address of no thread-local variable is carried over from the caller.
#[inline(never)]
fn apart<T>(f: impl FnOnce() -> T) -> T {
    f()
}

/// Puts aside a thread's part of nolibc's state, and has thread-local variables be the scheduler's.
pub(crate) fn enter(own: &Cell<LibcState>) {
    own.set(machine::exchange_libc_state(LIBC.with(Cell::get)));
    // SAFETY: `start` has set it; `inside` keeps what refers to thread-local variables apart, and a thread that ends has none.
    unsafe { machine::set_pointer(POINTER.with(Cell::get)) };
}

/// The opposite.
pub(crate) fn leave(own: &Cell<LibcState>, pointer: usize) {
    LIBC.with(|libc| libc.set(machine::exchange_libc_state(own.get())));
    // SAFETY: it is that of a thread; for the rest as in `enter`.
    unsafe { machine::set_pointer(pointer) };
}

/// Its events: those of the platform; and where there can be none, a report of the threads.
pub(crate) struct Source(Rc<dyn EventSource>);

impl Source {
    pub(crate) fn new(source: Rc<dyn EventSource>) -> Self {
        SOURCE.with(|kept| kept.replace(Some(source.clone())));
        Self(source)
    }
}

impl EventSource for Source {
    fn now(&self) -> Instant {
        self.0.now()
    }

    fn poll(&self) -> usize {
        look_for_overflow();
        self.0.poll()
    }

    fn wait(&self, deadline: Option<Instant>) -> Result<usize, Deadlock> {
        look_for_overflow();
        let waited = self.0.wait(deadline);
        if waited.is_err() {
            report::deadlock();
        }
        waited
    }

    fn quantum(&self) -> core::time::Duration {
        self.0.quantum()
    }

    fn is_real_time(&self) -> bool {
        self.0.is_real_time()
    }
}

/// A task may have written beyond the scheduler's stack.
fn look_for_overflow() {
    if let Some(stack) = STACK.with(Cell::get)
        && stack.has_overflown(stack.top())
    {
        report::overflow(None, &stack);
    }
}

/// Waits for `deadline` where there is no thread that could: in a task, which holds up all else meanwhile.
pub(crate) fn hold_up_until(deadline: Instant) {
    let source = SOURCE.with(|source| source.borrow().clone());
    let Some(source) = source else {
        return;
    };
    while source.now() < deadline {
        // There is a deadline.
        let _ = source.wait(Some(deadline));
    }
}
