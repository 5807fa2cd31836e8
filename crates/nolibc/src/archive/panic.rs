//! What a panic of this library does: nothing here is expected to panic.

use super::hypercall::{console_write, fatal};
use core::panic::PanicInfo;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    if let Some(location) = info.location() {
        console_write(location.file().as_bytes());
        console_write(b": ");
    }
    fatal("internal error")
}
