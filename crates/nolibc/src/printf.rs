//! `printf` into memory, and the formatting behind every function of its family.
//!
//! There are the conversions `d i u o x X c s p f F e E g G %` with all flags, widths, precisions and lengths of ISO C.
//! From what is not a conversion (`%n` and `%a` neither) on, the format is printed as it stands: whether an argument
//! belongs to it, and so which are those that follow, is not known.

use crate::errno::fail;
use crate::strings::strnlen;
use crate::variadic::{VaList, variadic};
use core::ffi::{c_char, c_int};
use core::fmt::{self, Write};
use libc::EOVERFLOW;

/// What stands between `%` and the letter of a conversion.
#[derive(Default)]
struct Specification {
    left: bool,
    sign: Option<u8>,
    alternative: bool,
    zeros: bool,
    width: usize,
    precision: Option<usize>,
    /// The bytes of an integer.
    bytes: u32,
    /// `L`: a floating-point number is a `long double`.
    long: bool,
}

/// Takes the pieces of the text.
type Sink<'a> = &'a mut dyn FnMut(&[u8]);

/// Gives the text of `format` and its arguments to `sink`.
///
/// # Safety
///
/// `format` is a C string, and `arguments` are those that it asks for.
pub(crate) unsafe fn format(format: *const c_char, arguments: &mut VaList, sink: Sink<'_>) {
    // SAFETY: the caller gives a C string.
    let mut rest = unsafe { core::ffi::CStr::from_ptr(format) }.to_bytes();
    while !rest.is_empty() {
        let plain = rest
            .iter()
            .position(|&byte| byte == b'%')
            .unwrap_or(rest.len());
        let (text, conversion) = rest.split_at(plain);
        if !text.is_empty() {
            sink(text);
        }
        let Some(after) = conversion.get(1..) else {
            return;
        };
        // SAFETY: the caller's promise is the same.
        rest = unsafe {
            let (specification, after) = specification(after, arguments);
            let letter = after.first().copied().unwrap_or(0);
            if convert(letter, &specification, arguments, sink) {
                &after[1..]
            } else {
                sink(conversion);
                return;
            }
        };
    }
}

/// Reads flags, width, precision and length; gives them and what follows.
///
/// # Safety
///
/// `arguments` has an integer for each `*`.
unsafe fn specification<'a>(
    mut text: &'a [u8],
    arguments: &mut VaList,
) -> (Specification, &'a [u8]) {
    let mut specification = Specification {
        bytes: 4,
        ..Specification::default()
    };
    while let Some((flag @ (b'-' | b'+' | b' ' | b'#' | b'0'), after)) = text.split_first() {
        match flag {
            b'-' => specification.left = true,
            b'#' => specification.alternative = true,
            b'0' => specification.zeros = true,
            b'+' => specification.sign = Some(b'+'),
            _ => specification.sign = specification.sign.or(Some(b' ')),
        }
        text = after;
    }
    // SAFETY: the caller's promise is the same.
    let (width, after) = unsafe { count(text, arguments) };
    specification.left |= width < 0;
    specification.width = width.unsigned_abs() as usize;
    text = after;
    if let [b'.', after @ ..] = text {
        // SAFETY: the caller's promise is the same.
        let (precision, after) = unsafe { count(after, arguments) };
        specification.precision = usize::try_from(precision).ok();
        text = after;
    }
    while let Some((length @ (b'h' | b'l' | b'L' | b'q' | b'j' | b'z' | b't'), after)) =
        text.split_first()
    {
        specification.bytes = match length {
            b'h' => specification.bytes / 2,
            _ => 8,
        };
        specification.long |= *length == b'L';
        text = after;
    }
    (specification, text)
}

/// A number in the text, or the argument that `*` stands for; zero if there is neither.
///
/// # Safety
///
/// `arguments` has an integer if there is a `*`.
unsafe fn count<'a>(text: &'a [u8], arguments: &mut VaList) -> (c_int, &'a [u8]) {
    if let [b'*', after @ ..] = text {
        // SAFETY: the caller's promise is the same.
        return (unsafe { arguments.integer() } as c_int, after);
    }
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, after) = text.split_at(digits);
    let number = number.iter().fold(0_i32, |number, digit| {
        number
            .saturating_mul(10)
            .saturating_add(i32::from(digit - b'0'))
    });
    (number, after)
}

/// Prints one argument; false if the letter is none of a conversion.
///
/// # Safety
///
/// `arguments` has what the letter asks for.
unsafe fn convert(
    letter: u8,
    specification: &Specification,
    arguments: &mut VaList,
    sink: Sink<'_>,
) -> bool {
    let shift = 64 - 8 * specification.bytes.clamp(1, 8);
    // SAFETY: the caller has passed these; a string ends with a null byte or has as many bytes as the precision says.
    unsafe {
        match letter {
            b'd' | b'i' => {
                let number = (arguments.integer() << shift).cast_signed() >> shift;
                let sign = if number < 0 {
                    Some(b'-')
                } else {
                    specification.sign
                };
                integer(specification, sign, number.unsigned_abs(), b'd', sink);
            }
            b'u' | b'o' | b'x' | b'X' => {
                let number = arguments.integer() << shift >> shift;
                integer(specification, None, number, letter, sink);
            }
            b'p' => match arguments.integer() {
                0 => padded(specification, b"", 0, b"(nil)", sink),
                address => {
                    let alternative = Specification {
                        alternative: true,
                        ..*specification
                    };
                    integer(&alternative, None, address, b'x', sink);
                }
            },
            b'c' => padded(specification, b"", 0, &[arguments.integer() as u8], sink),
            b's' => {
                let string: *const c_char = arguments.pointer();
                let string = if string.is_null() {
                    c"(null)".as_ptr()
                } else {
                    string
                };
                let length = strnlen(string, specification.precision.unwrap_or(usize::MAX));
                let bytes = core::slice::from_raw_parts(string.cast(), length);
                padded(specification, b"", 0, bytes, sink);
            }
            b'f' | b'F' | b'e' | b'E' | b'g' | b'G' => {
                let number = if specification.long {
                    arguments.long_float()
                } else {
                    arguments.float()
                };
                float(specification, number, letter, sink);
            }
            b'%' => sink(b"%"),
            _ => return false,
        }
    }
    true
}

/// Prints a prefix, zeros and a text, with blanks before or after them up to the width.
fn padded(specification: &Specification, prefix: &[u8], zeros: usize, text: &[u8], sink: Sink<'_>) {
    let blanks = specification
        .width
        .saturating_sub(prefix.len() + zeros + text.len());
    let repeat = |byte, mut count, sink: Sink<'_>| {
        while count > 0 {
            let part = [byte; 64];
            let part = &part[..part.len().min(count)];
            sink(part);
            count -= part.len();
        }
    };
    let (before, after) = if specification.left {
        (0, blanks)
    } else {
        (blanks, 0)
    };
    repeat(b' ', before, sink);
    sink(prefix);
    repeat(b'0', zeros, sink);
    sink(text);
    repeat(b' ', after, sink);
}

/// The zeros that fill the width, if that is asked for.
fn filling(specification: &Specification, length: usize) -> usize {
    if specification.zeros && !specification.left {
        specification.width.saturating_sub(length)
    } else {
        0
    }
}

fn integer(
    specification: &Specification,
    sign: Option<u8>,
    number: u64,
    letter: u8,
    sink: Sink<'_>,
) {
    let mut text = Text::default();
    let shown = number != 0 || specification.precision != Some(0);
    // Writing to a `Text` cannot fail.
    let _ = match letter {
        _ if !shown => Ok(()),
        b'o' => write!(text, "{number:o}"),
        b'x' => write!(text, "{number:x}"),
        b'X' => write!(text, "{number:X}"),
        _ => write!(text, "{number}"),
    };
    let digits = text.bytes();
    let mut zeros = specification
        .precision
        .map_or(0, |least| least.saturating_sub(digits.len()));
    let mut prefix = sign.as_slice();
    if specification.alternative {
        match letter {
            b'x' if number != 0 => prefix = b"0x",
            b'X' if number != 0 => prefix = b"0X",
            b'o' if zeros == 0 && digits.first() != Some(&b'0') => zeros = 1,
            _ => {}
        }
    }
    if specification.precision.is_none() {
        zeros = zeros.max(filling(specification, prefix.len() + digits.len()));
    }
    padded(specification, prefix, zeros, digits, sink);
}

/// More digits behind the point than a `double` has; all others are zero and are left out.
const MOST_DIGITS: usize = 1_100;

/// Room for a number with as many digits: a `double` has at most 309 before the point.
struct Text {
    bytes: [u8; MOST_DIGITS + 320],
    length: usize,
}

impl Default for Text {
    fn default() -> Self {
        Self {
            bytes: [0; MOST_DIGITS + 320],
            length: 0,
        }
    }
}

impl Text {
    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Removes zeros at the end, and the point if nothing is left behind it.
    fn trim(&mut self) {
        if self.bytes().contains(&b'.') {
            while self.bytes().ends_with(b"0") {
                self.length -= 1;
            }
            if self.bytes().ends_with(b".") {
                self.length -= 1;
            }
        }
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let place = self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

fn float(specification: &Specification, number: f64, letter: u8, sink: Sink<'_>) {
    let sign = if number.is_sign_negative() {
        Some(b'-')
    } else {
        specification.sign
    };
    let prefix = sign.as_slice();
    let mut text = Text::default();
    // There is room: the precision is bounded.
    let _ = match (number.is_finite(), letter.to_ascii_lowercase()) {
        (false, _) if number.is_nan() => text.write_str("nan"),
        (false, _) => text.write_str("inf"),
        (true, b'f') => fixed(
            &mut text,
            number.abs(),
            specification,
            digits(specification),
        ),
        (true, b'e') => scientific(
            &mut text,
            number.abs(),
            specification,
            digits(specification),
        ),
        (true, _) => general(&mut text, number.abs(), specification),
    };
    if letter.is_ascii_uppercase() {
        text.bytes.make_ascii_uppercase();
    }
    let length = prefix.len() + text.length;
    let zeros = if number.is_finite() {
        filling(specification, length)
    } else {
        0
    };
    padded(specification, prefix, zeros, text.bytes(), sink);
}

/// The digits behind the point.
fn digits(specification: &Specification) -> usize {
    specification.precision.unwrap_or(6).min(MOST_DIGITS)
}

fn fixed(
    text: &mut Text,
    number: f64,
    specification: &Specification,
    digits: usize,
) -> fmt::Result {
    write!(text, "{number:.digits$}")?;
    if specification.alternative && digits == 0 {
        text.write_str(".")?;
    }
    Ok(())
}

/// The exponent has a sign and two digits at least, which Rust's has not.
fn scientific(
    text: &mut Text,
    number: f64,
    specification: &Specification,
    digits: usize,
) -> fmt::Result {
    let exponent = mantissa(text, number, digits)?;
    if specification.alternative && digits == 0 {
        text.write_str(".")?;
    }
    write_exponent(text, exponent)
}

/// Writes a number between 1 and 10, and gives the exponent.
fn mantissa(text: &mut Text, number: f64, digits: usize) -> Result<i32, fmt::Error> {
    write!(text, "{number:.digits$e}")?;
    let letter = text.bytes().iter().position(|&byte| byte == b'e');
    let letter = letter.ok_or(fmt::Error)?;
    let exponent = core::str::from_utf8(&text.bytes()[letter + 1..]);
    let exponent = exponent.ok().and_then(|exponent| exponent.parse().ok());
    text.length = letter;
    exponent.ok_or(fmt::Error)
}

fn write_exponent(text: &mut Text, exponent: i32) -> fmt::Result {
    let sign = if exponent < 0 { '-' } else { '+' };
    write!(text, "e{sign}{:02}", exponent.unsigned_abs())
}

/// `%g`: the precision counts all digits, and the exponent decides which of the two forms it is.
fn general(text: &mut Text, number: f64, specification: &Specification) -> fmt::Result {
    let digits = digits(specification).max(1);
    let exponent = mantissa(text, number, digits - 1)?;
    let before = usize::try_from(exponent + 1).unwrap_or(0);
    if (-4..0).contains(&exponent) || (exponent >= 0 && before <= digits) {
        text.length = 0;
        let behind = if exponent < 0 {
            digits - 1 + exponent.unsigned_abs() as usize
        } else {
            digits - before
        };
        fixed(text, number, specification, behind)?;
        if !specification.alternative {
            text.trim();
        }
        return Ok(());
    }
    if specification.alternative && digits == 1 {
        text.write_str(".")?;
    } else if !specification.alternative {
        text.trim();
    }
    write_exponent(text, exponent)
}

/// The length of a text, as functions give it: `EOVERFLOW` above 2³¹-1.
pub(crate) fn printed(length: usize) -> c_int {
    c_int::try_from(length).unwrap_or_else(|_| fail(EOVERFLOW))
}

/// Prints into `size` bytes, the last of them null; gives the length of the whole text, whether it fits or not, or -1 with
/// `EOVERFLOW` if that is above 2³¹-1.
///
/// # Safety
///
/// `to` is valid for writes of `size` bytes; `format` is a C string, and `arguments` are those that it asks for.
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub unsafe extern "C" fn vsnprintf(
    to: *mut c_char,
    size: usize,
    format: *const c_char,
    arguments: *mut VaList,
) -> c_int {
    let mut length = 0;
    let mut sink = |text: &[u8]| {
        let room = size.saturating_sub(length + 1).min(text.len());
        // SAFETY: `room` bytes behind the first `length` are within `size`.
        unsafe {
            if room > 0 {
                to.cast::<u8>()
                    .add(length)
                    .copy_from_nonoverlapping(text.as_ptr(), room);
            }
        }
        length += text.len();
    };
    // SAFETY: the caller's promises are the same; the null byte is within `size`.
    unsafe {
        self::format(format, &mut *arguments, &mut sink);
        if size > 0 {
            to.add(length.min(size - 1)).write(0);
        }
    }
    printed(length)
}

/// What `_FORTIFY_SOURCE` makes of [`vsnprintf`]: the room there really is comes behind the flags.
///
/// # Safety
///
/// That of [`vsnprintf`].
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub unsafe extern "C" fn __vsnprintf_chk(
    to: *mut c_char,
    size: usize,
    _flags: c_int,
    room: usize,
    format: *const c_char,
    arguments: *mut VaList,
) -> c_int {
    // SAFETY: the caller's promises are the same; where they are broken, less is written.
    unsafe { vsnprintf(to, size.min(room), format, arguments) }
}

variadic! {
    /// As [`vsnprintf`], with the arguments themselves.
    pub snprintf(3, "rcx") = vsnprintf;
    /// As [`__vsnprintf_chk`], with the arguments themselves.
    pub __snprintf_chk(5, "r9") = __vsnprintf_chk;
}
