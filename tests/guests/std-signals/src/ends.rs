//! How a program ends, and what it cannot start.

use std::cell::RefCell;
use std::process::{self, Command};
use std::thread;

extern "C" fn first() {
    println!("first");
}

extern "C" fn second() {
    println!("second");
    // One that is registered meanwhile comes next.
    at_end(third);
}

extern "C" fn third() {
    println!("third");
}

fn at_end(handler: extern "C" fn()) {
    // SAFETY: the function may be called when the program ends.
    assert_eq!(unsafe { libc::atexit(handler) }, 0);
}

/// Says so when it goes.
struct Told(&'static str);

impl Drop for Told {
    fn drop(&mut self) {
        println!("{} is dropped", self.0);
    }
}

thread_local! {
    static OWN: RefCell<Option<Told>> = const { RefCell::new(None) };
}

/// Handlers run last first, and after those of the thread's variables.
pub(crate) fn at_exit() {
    at_end(first);
    at_end(second);
    OWN.set(Some(Told("main's")));
    process::exit(3);
}

/// Another thread ends the program, while `main` waits for it.
pub(crate) fn in_a_thread() {
    at_end(first);
    let thread = thread::spawn(|| {
        OWN.set(Some(Told("the thread's")));
        process::exit(4)
    });
    thread.join().unwrap();
}

/// No handler runs.
pub(crate) fn aborts() {
    at_end(first);
    process::abort();
}

pub(crate) fn command() {
    let error = Command::new("cat").spawn().map(drop).unwrap_err();
    println!("{:?}: {error}", error.kind());
    let error = Command::new("cat").output().map(drop).unwrap_err();
    println!("{:?}: {error}", error.kind());
}
