//! Numbers out of text: `strtol` and its family.

use crate::errno::fail;
use core::ffi::{c_char, c_int, c_long, c_longlong, c_ulong, c_ulonglong};
use libc::{EINVAL, ERANGE};

/// Whether a byte is white space of the C locale.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// An integer as it stands in a text.
pub(crate) struct Integer {
    pub(crate) negative: bool,
    /// `None` if it does not fit.
    pub(crate) magnitude: Option<u64>,
    /// How many bytes of the text it has, white space before it not counted.
    pub(crate) length: usize,
}

/// The integer that `text` begins with: a sign, a prefix (`0x`, `0`) where the base allows it, digits. A base of zero
/// takes the prefix's.
pub(crate) fn integer(text: &[u8], base: u32) -> Option<Integer> {
    let mut rest = text;
    let mut negative = false;
    if let Some((sign @ (b'+' | b'-'), after)) = rest.split_first() {
        negative = *sign == b'-';
        rest = after;
    }
    let digit = |byte: &u8, base| char::from(*byte).to_digit(base);
    let mut base = base;
    if matches!(base, 0 | 16) {
        match rest {
            [b'0', b'x' | b'X', next, ..] if digit(next, 16).is_some() => {
                rest = &rest[2..];
                base = 16;
            }
            [b'0', ..] if base == 0 => base = 8,
            _ if base == 0 => base = 10,
            _ => {}
        }
    }
    let digits = rest.iter().map_while(|byte| digit(byte, base)).count();
    let magnitude = rest[..digits].iter().try_fold(0_u64, |number, byte| {
        let number = number.checked_mul(u64::from(base))?;
        number.checked_add(u64::from(digit(byte, base)?))
    });
    (digits > 0).then(|| Integer {
        negative,
        magnitude,
        length: text.len() - rest.len() + digits,
    })
}

/// Finds an integer behind white space and tells where it ends, which is at the beginning if there is none.
///
/// # Safety
///
/// `text` is a C string; `end` is null or valid for writes.
unsafe fn parse(text: *const c_char, end: *mut *mut c_char, base: c_int) -> Option<Integer> {
    // SAFETY: the caller gives a C string.
    let bytes = unsafe { core::ffi::CStr::from_ptr(text) }.to_bytes();
    let blanks = bytes.iter().take_while(|&&byte| is_space(byte)).count();
    let base = u32::try_from(base)
        .ok()
        .filter(|base| matches!(base, 0 | 2..=36));
    if base.is_none() {
        fail(EINVAL);
    }
    let found = base.and_then(|base| integer(&bytes[blanks..], base));
    let length = found.as_ref().map_or(0, |found| blanks + found.length);
    if !end.is_null() {
        // SAFETY: the caller gives a place; the end lies in the string.
        unsafe { end.write(text.add(length).cast_mut()) };
    }
    found
}

/// The integer that `text` begins with, behind white space, in `base` (0, or 2 to 36); zero if there is none. `end` gets
/// where it ends. What does not fit is the nearest number that does, with `ERANGE`; another base is `EINVAL`.
///
/// # Safety
///
/// `text` is a C string; `end` is null or valid for writes.
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub unsafe extern "C" fn strtol(text: *const c_char, end: *mut *mut c_char, base: c_int) -> c_long {
    // SAFETY: the caller's promises are the same.
    let Some(found) = (unsafe { parse(text, end, base) }) else {
        return 0;
    };
    let limit = c_long::MIN.unsigned_abs() - u64::from(!found.negative);
    let magnitude = found.magnitude.filter(|&magnitude| magnitude <= limit);
    if magnitude.is_none() {
        fail(ERANGE);
    }
    let magnitude = magnitude.unwrap_or(limit);
    if found.negative {
        magnitude.wrapping_neg().cast_signed()
    } else {
        magnitude.cast_signed()
    }
}

/// As [`strtol`], but without a sign in the result: a minus gives the two's complement, and what does not fit is the
/// largest number.
///
/// # Safety
///
/// `text` is a C string; `end` is null or valid for writes.
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub unsafe extern "C" fn strtoul(
    text: *const c_char,
    end: *mut *mut c_char,
    base: c_int,
) -> c_ulong {
    // SAFETY: the caller's promises are the same.
    let Some(found) = (unsafe { parse(text, end, base) }) else {
        return 0;
    };
    match found.magnitude {
        Some(magnitude) if found.negative => magnitude.wrapping_neg(),
        Some(magnitude) => magnitude,
        None => {
            fail(ERANGE);
            c_ulong::MAX
        }
    }
}

/// Names of the functions above for types that are the same on x86_64, and those that glibc's headers give them where
/// they follow C23.
macro_rules! alias {
    ($($name:ident = $function:ident -> $result:ty,)*) => {
        $(
            #[doc = concat!("[`", stringify!($function), "`].")]
            ///
            /// # Safety
            ///
            /// That of the function.
            #[cfg_attr(nolibc_archive, unsafe(no_mangle))]
            pub unsafe extern "C" fn $name(
                text: *const c_char,
                end: *mut *mut c_char,
                base: c_int,
            ) -> $result {
                // SAFETY: the caller's promises are the same.
                unsafe { $function(text, end, base) }
            }
        )*
    };
}

alias! {
    strtoll = strtol -> c_longlong,
    strtoull = strtoul -> c_ulonglong,
    __isoc23_strtol = strtol -> c_long,
    __isoc23_strtoul = strtoul -> c_ulong,
    __isoc23_strtoll = strtol -> c_longlong,
    __isoc23_strtoull = strtoul -> c_ulonglong,
}

/// The number that `text` begins with, in decimal; zero if there is none, without an error if it does not fit.
///
/// # Safety
///
/// `text` is a C string.
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub unsafe extern "C" fn atoi(text: *const c_char) -> c_int {
    // SAFETY: the caller's promise is the same.
    unsafe { strtol(text, core::ptr::null_mut(), 10) as c_int }
}
