//! What of `printf` is not compared with the host's word by word: errors, and arguments that Rust cannot pass.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::{mem, ptr};

use nolibc::printf;

/// The C type of a function with a variable number of arguments.
type Print = unsafe extern "C" fn(*mut c_char, usize, *const c_char, ...) -> c_int;

fn print() -> Print {
    // SAFETY: it is a C function with these arguments, which Rust cannot declare so.
    unsafe { mem::transmute::<unsafe extern "C" fn(), Print>(printf::snprintf) }
}

unsafe extern "C" {
    /// The host's.
    fn vsnprintf(
        to: *mut c_char,
        size: usize,
        format: *const c_char,
        arguments: *mut c_void,
    ) -> c_int;
}

/// Where all registers are used: the rest of the arguments is on the stack, a `long double` at a multiple of 16.
#[test]
fn long_doubles_are_printed_and_what_follows_them() {
    #[repr(C, align(16))]
    struct Stack([u64; 8]);
    let numbers = [
        (0xc000_0000_0000_0000, 0x3fff_u64),
        (0xc000_0000_0000_0000, 0xbffe),
        (0x8000_0000_0000_0000, 0x4009),
        (0xffff_ffff_ffff_f800, 0x43fe),
        (0x8000_0000_0000_0000, 0x3c01),
        (0x8000_0000_0000_0000, 0x7fff),
        (0x8000_0000_0000_0000, 0xffff),
        (0, 0),
        (0, 0x8000),
    ];
    for (significand, head) in numbers {
        for format in [c"%d %Lf %s %d", c"%d %Lg %s %d", c"%d %+Le %s %d"] {
            let text = c"text".as_ptr().expose_provenance() as u64;
            let stack = Stack([7, 0, significand, head, text, 8, 0, 0]);
            let print = |theirs: bool| {
                let mut to = [0_u8; 512];
                let place: *mut c_char = to.as_mut_ptr().cast();
                // A `va_list`: what of the registers is used, the stack, and the registers.
                let stack = (&raw const stack).expose_provenance() as u64;
                let mut list = [48 | 176 << 32, stack, 0];
                // SAFETY: there is room, and the list has what the format asks for.
                let length = unsafe {
                    if theirs {
                        vsnprintf(place, 512, format.as_ptr(), list.as_mut_ptr().cast())
                    } else {
                        let list = list.as_mut_ptr().cast();
                        printf::vsnprintf(place, 512, format.as_ptr(), list)
                    }
                };
                let text = CStr::from_bytes_until_nul(&to).unwrap();
                (length, text.to_owned())
            };
            assert_eq!(print(false), print(true), "{significand:#x} {head:#x}");
        }
    }
}

#[test]
fn no_argument_is_read_after_what_is_not_a_conversion() {
    for (format, expected) in [
        (c"%d%n%s", c"1%n%s"),
        (c"%d %a%f", c"1 %a%f"),
        (c"%d%", c"1%"),
    ] {
        let (mut to, number) = ([0_u8; 64], 2);
        // SAFETY: there is room; `%s` would be the address of a number, which is no text.
        let length = unsafe {
            print()(
                to.as_mut_ptr().cast(),
                to.len(),
                format.as_ptr(),
                1,
                &raw const number,
                ptr::without_provenance::<c_char>(1),
            )
        };
        assert_eq!(CStr::from_bytes_until_nul(&to).unwrap(), expected);
        assert_eq!(length as usize, expected.count_bytes());
    }
}

/// POSIX: `EOVERFLOW` if the length is greater than `INT_MAX`.
#[test]
fn a_text_that_is_too_long_to_be_counted_is_an_error() {
    let (mut to, width) = ([0_u8; 4], 1 << 30);
    // SAFETY: there is room, and the arguments are those of the format.
    let length = unsafe {
        print()(
            to.as_mut_ptr().cast(),
            to.len(),
            c"%*d%*d".as_ptr(),
            width,
            1,
            width,
            2,
        )
    };
    assert_eq!(length, -1);
    let error = std::io::Error::last_os_error().raw_os_error();
    assert_eq!((to, error), (*b"   \0", Some(libc::EOVERFLOW)));
}
