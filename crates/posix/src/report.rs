//! What is said of threads, on the console.

use core::cell::Cell;
use core::ffi::{c_int, c_void};
use core::fmt::Write as _;
use core::ptr;
use core::task::{Context, RawWaker, RawWakerVTable, Waker};
use core::time::Duration;

use miou_rs::HogReport;

use crate::machine;
use crate::stack::Stack;
use crate::thread::{self, Thread, until_zero};

/// For how long a thread may compute before it is reported.
pub(crate) const LONG: Duration = Duration::from_secs(1);

global! {
    /// Whether threads that go on say where they are, and then wait again.
    static WANTED: Cell<bool> = Cell::new(false);
    /// Whether a waker was cloned that tells where.
    static TRACED: Cell<bool> = Cell::new(false);
    /// The number of the thread that ran last.
    static RAN: Cell<c_int> = Cell::new(0);
}

pub(crate) fn is_wanted() -> bool {
    WANTED.with(Cell::get)
}

/// Remembers which thread runs.
pub(crate) fn runs(number: c_int) {
    RAN.with(|ran| ran.set(number));
}

/// Writes to the console, whatever locks there are in the way of standard error.
pub(crate) fn print(text: &str) {
    machine::print(text.as_bytes());
}

/// Says why the program cannot go on, and aborts it (status 255).
pub(crate) fn fatal(reason: &str) -> ! {
    print(&format!("posix: {reason}\n"));
    // SAFETY: it takes nothing and does not return.
    unsafe { libc::abort() }
}

/// Says why the program ends, and ends it with this status.
pub(crate) fn end(reason: &str, status: c_int) -> ! {
    print(&format!("{reason}\n"));
    // SAFETY: it may be called from anywhere.
    unsafe { libc::exit(status) }
}

pub(crate) fn described(thread: &Thread) -> String {
    format!("thread {} {:?}", thread.number, thread.name())
}

/// "waits for a futex at 0x1000", or "waits for the end of thread 2 "worker"".
fn waits((what, which): (&'static str, usize)) -> String {
    let joins = |thread: &&Thread| thread.ended.as_ptr().addr() == which;
    if let Some(thread) = Thread::all().find(joins) {
        return format!("waits for {what} {}", described(thread));
    }
    match which {
        0 => format!("waits for {what}"),
        _ => format!("waits for {what} {which:#x}"),
    }
}

/// Every thread waits and nothing can wake one: ends the program with what each waits for, and where, and what tasks do. To be called on the
/// scheduler's stack.
pub(crate) fn deadlock() -> ! {
    print("posix: deadlock: every thread waits, and nothing can wake them\n");
    let mut threads: Vec<&Thread> = Thread::all().collect();
    threads.reverse();
    WANTED.with(|wanted| wanted.set(true));
    for thread in threads {
        if let (false, Some(what)) = (thread.ended.get(), thread.waits.get()) {
            print(&format!("{} {}, at\n", described(thread), waits(what)));
            thread.resume();
        }
    }
    miou_rs::poll_waiting(&tracer(), |task| {
        let is_other = !thread::is_body(task);
        if is_other {
            let name = task.name.as_deref().unwrap_or("");
            print(&format!("task {name:?} of {} waits, at\n", task.location));
        }
        is_other
    });
    fatal("deadlock");
}

/// Prints the callers of what `poll` has its context's waker kept by, or, where that is kept by nobody, its own.
pub(crate) fn callers_of(poll: impl FnOnce(&mut Context<'_>)) {
    TRACED.with(|traced| traced.set(false));
    poll(&mut Context::from_waker(&tracer()));
    if !TRACED.with(Cell::get) {
        callers();
    }
}

/// A waker that prints who clones it: that is what a future waits for. It wakes nobody.
fn tracer() -> Waker {
    static VTABLE: RawWakerVTable = RawWakerVTable::new(
        |_| {
            TRACED.with(|traced| traced.set(true));
            callers();
            RawWaker::new(ptr::null(), &VTABLE)
        },
        |_| {},
        |_| {},
        |_| {},
    );
    // SAFETY: it has no data.
    unsafe { Waker::new(ptr::null(), &VTABLE) }
}

/// Prints the addresses that the calls of the thread, which runs, return to, in the form that `std` gives them and the runner
/// finds names for.
fn callers() {
    extern "C" fn frame(context: *mut c_void, count: *mut c_void) -> c_int {
        // SAFETY: the context is the one given, and the count the one below.
        let (address, count) = unsafe { (_Unwind_GetIP(context), &mut *count.cast::<usize>()) };
        if address != 0 {
            print(&format!("{count:4}: {address:#18x} - <unknown>\n"));
            *count += 1;
        }
        0
    }
    let mut count = 0_usize;
    // SAFETY: it calls the function with each frame of this stack, and the count.
    unsafe { _Unwind_Backtrace(frame, (&raw mut count).cast()) };
}

unsafe extern "C" {
    fn _Unwind_Backtrace(
        frame: extern "C" fn(*mut c_void, *mut c_void) -> c_int,
        argument: *mut c_void,
    ) -> c_int;
    fn _Unwind_GetIP(context: *mut c_void) -> usize;
}

/// A thread, or without one the scheduler, has written beyond its stack, and so perhaps to memory of others: this takes none
/// of the heap's, and trusts in nothing there.
pub(crate) fn overflow(thread: Option<&Thread>, stack: &Stack) -> ! {
    let mut line = Line::default();
    // What does not fit is cut.
    let _ = write!(line, "posix: ");
    let _ = match thread {
        Some(thread) => {
            let name = thread.name.get();
            let name = str::from_utf8(until_zero(&name)).unwrap_or("?");
            write!(line, "thread {} {name:?}", thread.number)
        }
        None => write!(line, "the scheduler"),
    };
    let size = stack.size;
    let _ = write!(line, " has overflowed its stack of {size} bytes");
    let _ = match thread {
        Some(_) => writeln!(line, " (thread::Builder::stack_size gives it more)"),
        None => writeln!(line),
    };
    machine::print(&line.octets[..line.length]);
    // SAFETY: it takes nothing and does not return.
    unsafe { libc::abort() }
}

/// A line of text that takes no memory but its own.
struct Line {
    octets: [u8; 192],
    length: usize,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            octets: [0; 192],
            length: 0,
        }
    }
}

impl core::fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        let room = &mut self.octets[self.length..];
        let length = text.len().min(room.len());
        room[..length].copy_from_slice(&text.as_bytes()[..length]);
        self.length += length;
        Ok(())
    }
}

/// A task would have to wait as a thread does, and hold up all others.
pub(crate) fn waits_in_a_task(what: (&'static str, usize)) -> ! {
    fatal(&format!(
        "a task {}: expected only threads to block, as nothing else runs while a task does",
        waits(what)
    ))
}

/// Reports a poll that took long, if it was a thread's that was not reported before and others were there.
pub(crate) fn hog(report: &HogReport) {
    let ran = RAN.with(Cell::get);
    let Some(thread) = Thread::all().find(|thread| thread.number == ran) else {
        return;
    };
    if Thread::all().nth(1).is_some() && !thread.reported.replace(true) {
        print(&format!(
            "posix: {} computed for {:?} without waiting, and nothing else ran meanwhile\n",
            described(thread),
            report.took
        ));
    }
}
