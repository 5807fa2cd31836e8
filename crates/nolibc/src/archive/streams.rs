//! C's streams: standard output and error are the console, without a buffer; standard input is at its end; there are no
//! others.

use super::errno::fail;
use super::hypercall::console_write;
use super::single_thread::SingleThread;
use crate::printf::{format, printed};
use crate::strings::strlen;
use crate::variadic::{VaList, variadic};
use core::ffi::{c_char, c_int, c_void};
use core::ptr;
use libc::{EBADF, EOF, size_t};

/// `FILE`: the number of its descriptor.
struct Stream(c_int);

static STREAMS: SingleThread<[Stream; 3]> = SingleThread::new([Stream(0), Stream(1), Stream(2)]);

/// The address of a stream, as C's variables have it.
#[repr(transparent)]
struct Pointer(*mut Stream);

// SAFETY: the variables are never changed here, and a unikernel has one thread.
unsafe impl Sync for Pointer {}

const fn pointer(number: usize) -> Pointer {
    // The address of the array is that of its first stream.
    Pointer(STREAMS.get().cast::<Stream>().wrapping_add(number))
}

#[unsafe(no_mangle)]
static stdin: Pointer = pointer(0);
#[unsafe(no_mangle)]
static stdout: Pointer = pointer(1);
#[unsafe(no_mangle)]
static stderr: Pointer = pointer(2);

/// # Safety
///
/// `stream` is one of the three.
unsafe fn is_console(stream: *const Stream) -> bool {
    // SAFETY: see above.
    let console = unsafe { matches!((*stream).0, 1 | 2) };
    if !console {
        fail(EBADF);
    }
    console
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fileno(stream: *const Stream) -> c_int {
    // SAFETY: the caller gives a stream.
    unsafe { (*stream).0 }
}

/// Nothing is kept back.
#[unsafe(no_mangle)]
extern "C" fn fflush(_stream: *mut Stream) -> c_int {
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fwrite(
    data: *const c_void,
    size: size_t,
    count: size_t,
    stream: *mut Stream,
) -> size_t {
    // SAFETY: the caller gives a stream, and so many bytes.
    unsafe {
        // Where there are none, the address may be null.
        if size == 0 || count == 0 || !is_console(stream) {
            return 0;
        }
        console_write(core::slice::from_raw_parts(data.cast(), size * count));
    }
    count
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fputs(text: *const c_char, stream: *mut Stream) -> c_int {
    // SAFETY: the caller gives a C string and a stream.
    let all = unsafe {
        let length = strlen(text);
        fwrite(text.cast(), 1, length, stream) == length
    };
    if all { 0 } else { EOF }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fputc(byte: c_int, stream: *mut Stream) -> c_int {
    let byte = byte as u8;
    // SAFETY: the caller gives a stream.
    match unsafe { fwrite((&raw const byte).cast(), 1, 1, stream) } {
        1 => byte.into(),
        _ => EOF,
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn putc(byte: c_int, stream: *mut Stream) -> c_int {
    // SAFETY: the caller's promise is the same.
    unsafe { fputc(byte, stream) }
}

#[unsafe(no_mangle)]
extern "C" fn putchar(byte: c_int) -> c_int {
    console_write(&[byte as u8]);
    c_int::from(byte as u8)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn puts(text: *const c_char) -> c_int {
    // SAFETY: the caller gives a C string.
    unsafe { fputs(text, stdout.0) };
    putchar(c_int::from(b'\n'))
}

/// Gives the number of bytes written, or -1 if the stream is not the console.
#[unsafe(no_mangle)]
unsafe extern "C" fn vfprintf(
    stream: *mut Stream,
    text: *const c_char,
    arguments: *mut VaList,
) -> c_int {
    let mut length = 0;
    // SAFETY: the caller gives a stream, a C string and the arguments that it asks for.
    unsafe {
        if !is_console(stream) {
            return -1;
        }
        format(text, &mut *arguments, &mut |part| {
            console_write(part);
            length += part.len();
        });
    }
    printed(length)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn vprintf(text: *const c_char, arguments: *mut VaList) -> c_int {
    // SAFETY: the caller's promises are the same.
    unsafe { vfprintf(stdout.0, text, arguments) }
}

/// What `_FORTIFY_SOURCE` makes of `vfprintf`.
#[unsafe(no_mangle)]
unsafe extern "C" fn __vfprintf_chk(
    stream: *mut Stream,
    _flags: c_int,
    text: *const c_char,
    arguments: *mut VaList,
) -> c_int {
    // SAFETY: the caller's promises are the same.
    unsafe { vfprintf(stream, text, arguments) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __vprintf_chk(
    _flags: c_int,
    text: *const c_char,
    arguments: *mut VaList,
) -> c_int {
    // SAFETY: the caller's promises are the same.
    unsafe { vfprintf(stdout.0, text, arguments) }
}

variadic! {
    /// `fprintf`.
    fprintf(2, "rdx") = vfprintf;
    /// `printf`.
    printf(1, "rsi") = vprintf;
    /// `fprintf` with `_FORTIFY_SOURCE`.
    __fprintf_chk(3, "rcx") = __vfprintf_chk;
    /// `printf` with `_FORTIFY_SOURCE`.
    __printf_chk(2, "rdx") = __vprintf_chk;
}

/// Standard input is at its end; others cannot be read.
#[unsafe(no_mangle)]
unsafe extern "C" fn fread(
    _data: *mut c_void,
    _size: size_t,
    _count: size_t,
    _stream: *mut Stream,
) -> size_t {
    0
}

#[unsafe(no_mangle)]
extern "C" fn fgets(_data: *mut c_char, _size: c_int, _stream: *mut Stream) -> *mut c_char {
    ptr::null_mut()
}
