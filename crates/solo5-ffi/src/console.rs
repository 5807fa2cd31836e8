//! The console, and the ways to end.

use crate::backend;

/// Writes to the console. What the host does not take is lost.
pub fn console_write(bytes: &[u8]) {
    backend::console_write(bytes);
}

/// Ends the program; the tender's own exit status is `status` modulo 256.
///
/// No destructor runs. Keep to 0..=254: 255 tells the host of an abort.
pub fn exit(status: i32) -> ! {
    backend::exit(status)
}

/// Ends the program with status 255.
pub fn abort() -> ! {
    backend::abort()
}

/// What a program does before anything else, once it is known to be the real thing: on a host
/// without `MIOU_PROFILING`, prints the program's manifest as JSON and ends with status 0; otherwise
/// nothing.
///
/// Acquiring a device implies it.
pub fn start() {
    backend::start();
}
