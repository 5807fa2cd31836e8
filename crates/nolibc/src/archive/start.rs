//! From the bindings' `solo5_app_main` to the program's `main`.

use super::environment::{environ, take_from};
use super::exit::exit;
use super::heap;
use super::hypercall::{
    OK, StartInfo, fatal, script, solo5_set_tls_base, solo5_tls_init, solo5_tls_size,
    solo5_tls_tp_offset,
};
use super::time;
use crate::command_line::{Piece, split};
use crate::memory;
use core::arch::x86_64::_rdtsc;
use core::arch::{global_asm, naked_asm};
use core::ffi::{CStr, c_char, c_int};

unsafe extern "C" {
    /// The program's `main`, which rustc generates around `fn main()`, by another name that the linker script gives it: where
    /// solo5-posix has a function of this name, that makes a thread of `main`.
    fn __solo5_call_main(argc: c_int, argv: *const *mut c_char, envp: *const *mut c_char) -> c_int;
}

/// What the bindings call, on the stack they use themselves: its address tells where the heap may
/// end. The program gets the stack of the linker script, which has read-only pages below it, so that
/// an overflow faults instead of running into the heap.
#[unsafe(naked)]
#[unsafe(no_mangle)]
unsafe extern "C" fn solo5_app_main(info: *const StartInfo) -> ! {
    naked_asm!(
        "mov rsi, rsp",
        "lea rsp, [rip + {stack_top}]",
        "xor ebp, ebp",
        "call {start}",
        "ud2",
        // Only the linker script refers to it otherwise.
        ".reloc ., R_X86_64_NONE, main",
        stack_top = sym script::STACK_TOP,
        start = sym start,
    )
}

unsafe extern "C" fn start(info: *const StartInfo, bindings_stack: usize) -> ! {
    // SAFETY: the bindings pass a structure that stays, with a C string in it.
    let (info, line) = unsafe { (&*info, CStr::from_ptr((*info).command_line)) };
    // SAFETY: the bindings give this range to the application, once. Their own stack lies at its
    // upper end; the frames in use are kept.
    unsafe { heap::initialise(info.heap_start, bindings_stack) };
    memory::detect_processor();
    time::initialise();
    set_up_thread_local_storage();
    let (argc, argv) = arguments(take_from(line.to_bytes()));
    // SAFETY: nothing else refers to `environ` yet.
    let envp = unsafe { environ };
    run_array(
        &raw const __preinit_array_start,
        &raw const __preinit_array_end,
        argc,
        argv,
    );
    run_array(
        &raw const __init_array_start,
        &raw const __init_array_end,
        argc,
        argv,
    );
    // SAFETY: the arguments are what C promises to `main`.
    exit(unsafe { __solo5_call_main(argc, argv, envp) })
}

/// Compilers that do not know of Solo5 read the stack protector's guard at this offset from the
/// thread pointer.
const STACK_GUARD_OFFSET: usize = 0x28;

/// The first thread's block of thread-local variables.
fn set_up_thread_local_storage() {
    let block = heap::zeroed(__solo5_thread_block_size());
    // SAFETY: the block is of the size asked for, and zeroed, unless there is none. The thread pointer belongs to it.
    let result = unsafe {
        if block.is_null() {
            fatal("not enough memory for thread-local variables: give the unikernel more (--mem)");
        }
        solo5_set_tls_base(__solo5_thread_block_init(block as usize))
    };
    if result != OK {
        fatal("the tender does not let thread-local storage be set up");
    }
}

/// Our bindings align the thread pointer by themselves; upstream's leave it to the block.
const THREAD_BLOCK_ALIGNMENT: usize = 64;

/// The octets of a thread's block of thread-local variables. It ends with the thread pointer's target; some words follow,
/// because code compiled for glibc expects its thread control block there.
#[unsafe(no_mangle)]
extern "C" fn __solo5_thread_block_size() -> usize {
    const CONTROL_BLOCK: usize = 128;
    solo5_tls_size() + CONTROL_BLOCK + THREAD_BLOCK_ALIGNMENT
}

/// Fills a block in, and gives its thread pointer.
///
/// # Safety
///
/// The block has as many zeroed octets as [`__solo5_thread_block_size`] says.
#[unsafe(no_mangle)]
unsafe extern "C" fn __solo5_thread_block_init(block: usize) -> usize {
    let block = block.next_multiple_of(THREAD_BLOCK_ALIGNMENT);
    // SAFETY: see above; the word at the guard's offset lies behind the thread pointer's target.
    unsafe {
        // It fails for a null pointer alone.
        solo5_tls_init(block);
        let thread_pointer = solo5_tls_tp_offset(block);
        // From the clock, as the bindings' own; a zero byte lowest, against strings that run over.
        let guard = _rdtsc().wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32) & !0xff;
        ((thread_pointer + STACK_GUARD_OFFSET) as *mut u64).write_unaligned(guard);
        thread_pointer
    }
}

// The name of the program, which solo5-rustc gives to the linker as numbers: eight bytes in each of
// these symbols, and zeros (weak symbols that nobody defines) from its end on.
global_asm!(
    ".pushsection .rodata.solo5_program_name, \"a\", @progbits",
    "solo5_program_name:",
    ".irp index, 0, 1, 2, 3, 4, 5, 6, 7",
    ".weak __solo5_program_name_\\index",
    ".quad __solo5_program_name_\\index",
    ".endr",
    ".quad 0",
    ".popsection",
);

unsafe extern "C" {
    static solo5_program_name: c_char;
}

/// Makes `argv` out of the command line: pointers and strings in one allocation that stays.
fn arguments(line: &[u8]) -> (c_int, *const *mut c_char) {
    let mut count = 1;
    let mut bytes = 0;
    split(line, |piece| {
        bytes += 1;
        count += usize::from(piece == Piece::End);
    });
    let pointers =
        heap::zeroed((count + 1) * size_of::<*mut c_char>() + bytes).cast::<*mut c_char>();
    if pointers.is_null() {
        fatal("not enough memory for the arguments: give the unikernel more (--mem)");
    }
    // SAFETY: the allocation has room for `count` pointers, a null pointer, and `bytes` bytes, as
    // many as `split` gives again.
    unsafe {
        let mut next = pointers.add(count + 1).cast::<c_char>();
        pointers.write((&raw const solo5_program_name).cast_mut());
        let mut argument = pointers.add(1);
        let mut begins = true;
        split(line, |piece| {
            if begins {
                argument.write(next);
                argument = argument.add(1);
            }
            begins = piece == Piece::End;
            next.write(match piece {
                Piece::Byte(byte) => byte.cast_signed(),
                Piece::End => 0,
            });
            next = next.add(1);
        });
    }
    // A command line has at most 8,191 bytes.
    (c_int::try_from(count).unwrap_or(c_int::MAX), pointers)
}

type Constructor = unsafe extern "C" fn(c_int, *const *mut c_char, *const *mut c_char);
type Destructor = unsafe extern "C" fn();

unsafe extern "C" {
    static __preinit_array_start: Constructor;
    static __preinit_array_end: Constructor;
    static __init_array_start: Constructor;
    static __init_array_end: Constructor;
    static __fini_array_start: Destructor;
    static __fini_array_end: Destructor;
}

fn run_array(
    mut next: *const Constructor,
    end: *const Constructor,
    argc: c_int,
    argv: *const *mut c_char,
) {
    while next < end {
        // SAFETY: the linker script delimits an array of such functions.
        unsafe {
            (*next)(argc, argv, environ);
            next = next.add(1);
        }
    }
}

/// Runs the destructors of the image, last first.
pub(super) fn run_destructors() {
    let start = &raw const __fini_array_start;
    let mut next = &raw const __fini_array_end;
    while next > start {
        // SAFETY: the linker script delimits an array of such functions.
        unsafe {
            next = next.sub(1);
            (*next)();
        }
    }
}

#[unsafe(no_mangle)]
static __dso_handle: usize = 0;
