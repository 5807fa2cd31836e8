//! The ends of a program.

use super::hypercall::{console_write, solo5_abort, solo5_exit};
use super::single_thread::SingleThread;
use super::start::run_destructors;
use super::threads::__solo5_end_thread_locals;
use core::ffi::{CStr, c_char, c_int, c_uint, c_void};

/// What runs at `exit`, last registered first.
enum Handler {
    /// From `atexit`.
    Plain(extern "C" fn()),
    /// From `__cxa_atexit`.
    WithArgument(unsafe extern "C" fn(*mut c_void), *mut c_void),
}

/// As many handlers as ISO C promises.
const CAPACITY: usize = 32;

struct Handlers {
    registered: [Option<Handler>; CAPACITY],
    length: usize,
}

static HANDLERS: SingleThread<Handlers> = SingleThread::new(Handlers {
    registered: [const { None }; CAPACITY],
    length: 0,
});

impl Handlers {
    fn push(&mut self, handler: Handler) -> c_int {
        let Some(place) = self.registered.get_mut(self.length) else {
            return -1;
        };
        *place = Some(handler);
        self.length += 1;
        0
    }

    fn pop(&mut self) -> Option<Handler> {
        self.length = self.length.checked_sub(1)?;
        self.registered[self.length].take()
    }
}

#[unsafe(no_mangle)]
extern "C" fn atexit(handler: extern "C" fn()) -> c_int {
    // SAFETY: the reference ends with the statement; `push` calls nothing back.
    unsafe { (*HANDLERS.get()).push(Handler::Plain(handler)) }
}

#[unsafe(no_mangle)]
extern "C" fn __cxa_atexit(
    handler: unsafe extern "C" fn(*mut c_void),
    argument: *mut c_void,
    _library: *mut c_void,
) -> c_int {
    // SAFETY: the reference ends with the statement; `push` calls nothing back.
    unsafe { (*HANDLERS.get()).push(Handler::WithArgument(handler, argument)) }
}

/// A handler may register another or call `exit` again, so no reference is held during a call.
#[unsafe(no_mangle)]
pub(super) extern "C" fn exit(status: c_int) -> ! {
    __solo5_end_thread_locals();
    // SAFETY: the reference ends with the expression; `pop` calls nothing back.
    while let Some(handler) = unsafe { (*HANDLERS.get()).pop() } {
        match handler {
            Handler::Plain(handler) => handler(),
            // SAFETY: whoever registered the handler promised that it takes this argument.
            Handler::WithArgument(handler, argument) => unsafe { handler(argument) },
        }
    }
    run_destructors();
    _exit(status)
}

#[unsafe(no_mangle)]
extern "C" fn _exit(status: c_int) -> ! {
    // SAFETY: any status may be passed; the tender takes it modulo 256.
    unsafe { solo5_exit(status) }
}

#[unsafe(no_mangle)]
extern "C" fn _Exit(status: c_int) -> ! {
    _exit(status)
}

#[unsafe(no_mangle)]
extern "C" fn abort() -> ! {
    solo5_abort()
}

/// Called by `assert` in C code.
#[unsafe(no_mangle)]
unsafe extern "C" fn __assert_fail(
    expression: *const c_char,
    file: *const c_char,
    _line: c_uint,
    _function: *const c_char,
) -> ! {
    for text in [
        file,
        c": assertion failed: ".as_ptr(),
        expression,
        c"\n".as_ptr(),
    ] {
        // SAFETY: the compiler passes C strings.
        console_write(unsafe { CStr::from_ptr(text) }.to_bytes());
    }
    solo5_abort()
}
