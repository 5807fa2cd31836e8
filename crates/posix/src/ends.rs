//! What a system does behind a program that has called `exit`: after the last of its handlers, for which all that it has open
//! is open still.
//!
//! nolibc's `exit` runs the destructors of the image behind the handlers. What is here is one of them, and the last: they run
//! from the end of their array, and the linker script puts those with the lowest priority at its start.

use core::cell::Cell;

use crate::scheduler::inside;

/// What may have to be done, in this order: a peer that takes nothing keeps no file from being written.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    Files,
    Network,
}

global! {
    /// What a program has not begun to use is not even linked.
    static STEPS: [Cell<Option<fn()>>; 2] = [const { Cell::new(None) }; 2];
}

/// Has `work` be done at the end; again, if another thread calls `exit` meanwhile.
pub(crate) fn at_end(step: Step, work: fn()) {
    STEPS.with(|steps| steps[step as usize].set(Some(work)));
}

#[used]
#[unsafe(link_section = ".fini_array.00000")]
static FINISH: extern "C" fn() = finish;

extern "C" fn finish() {
    inside(|| {
        for step in [Step::Files, Step::Network] {
            if let Some(work) = STEPS.with(|steps| steps[step as usize].get()) {
                work();
            }
        }
    });
}
