//! `sscanf`: values out of text.
//!
//! There are the conversions `d i u o x X p c s [ n %` with widths, lengths and `*`. At any other, floating point among
//! them, scanning ends as it does where the text does not match.

use crate::numbers::{integer, is_space};
use crate::variadic::{VaList, variadic};
use core::ffi::{CStr, c_char, c_int};

/// What stands between `%` and the letter of a conversion.
struct Specification {
    /// `*`: the value is not stored.
    skipped: bool,
    width: Option<usize>,
    /// The bytes of an integer.
    bytes: usize,
}

/// Why scanning ends before the format does.
enum End {
    /// The text has ended.
    Input,
    /// The text does not match.
    Matching,
}

/// The text that is left, and what has become of it.
struct Scan<'a> {
    text: &'a [u8],
    /// The length of the whole text.
    length: usize,
    /// The values stored.
    stored: c_int,
}

/// Scans `text`; gives the number of values stored, or -1 if the text ends before the first.
///
/// # Safety
///
/// `text` and `format` are C strings, and `arguments` are the places that the format asks for.
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub unsafe extern "C" fn vsscanf(
    text: *const c_char,
    format: *const c_char,
    arguments: *mut VaList,
) -> c_int {
    // SAFETY: see above.
    let (text, format, arguments) = unsafe {
        (
            CStr::from_ptr(text).to_bytes(),
            CStr::from_ptr(format).to_bytes(),
            &mut *arguments,
        )
    };
    let mut scan = Scan {
        text,
        length: text.len(),
        stored: 0,
    };
    // SAFETY: the caller's promise is the same.
    match unsafe { scan.all(format, arguments) } {
        Err(End::Input) if scan.stored == 0 => -1,
        _ => scan.stored,
    }
}

variadic! {
    /// As [`vsscanf`], with the places themselves.
    pub sscanf(2, "rdx") = vsscanf;
    /// What glibc's headers call [`sscanf`].
    pub __isoc99_sscanf(2, "rdx") = vsscanf;
    /// What glibc's headers call [`sscanf`] where they follow C23.
    pub __isoc23_sscanf(2, "rdx") = vsscanf;
}

impl Scan<'_> {
    /// # Safety
    ///
    /// `arguments` are the places that the format asks for.
    unsafe fn all(&mut self, mut format: &[u8], arguments: &mut VaList) -> Result<(), End> {
        while let Some((&byte, after)) = format.split_first() {
            format = after;
            if is_space(byte) {
                self.skip_spaces();
            } else if byte != b'%' {
                self.literal(byte)?;
            } else {
                let (specification, after) = specification(after);
                let Some((&letter, after)) = after.split_first() else {
                    return Err(End::Matching);
                };
                format = after;
                // SAFETY: the caller's promise is the same.
                unsafe {
                    match letter {
                        b'%' => {
                            self.skip_spaces();
                            self.literal(b'%')?;
                        }
                        b'n' => {
                            let read = (self.length - self.text.len()) as u64;
                            store(&specification, read, arguments);
                        }
                        b'[' => {
                            let (set, after) = Set::new(format).ok_or(End::Matching)?;
                            format = after;
                            self.bytes(&specification, usize::MAX, true, arguments, |byte| {
                                set.contains(byte)
                            })?;
                        }
                        b's' => {
                            self.skip_spaces();
                            self.bytes(&specification, usize::MAX, true, arguments, |byte| {
                                !is_space(byte)
                            })?;
                        }
                        b'c' => self.bytes(&specification, 1, false, arguments, |_| true)?,
                        _ => self.integer(&specification, letter, arguments)?,
                    }
                }
            }
        }
        Ok(())
    }

    fn skip_spaces(&mut self) {
        while let Some((&byte, after)) = self.text.split_first()
            && is_space(byte)
        {
            self.text = after;
        }
    }

    fn literal(&mut self, byte: u8) -> Result<(), End> {
        let (&next, after) = self.text.split_first().ok_or(End::Input)?;
        if next != byte {
            return Err(End::Matching);
        }
        self.text = after;
        Ok(())
    }

    /// Takes bytes as long as they are wanted, at most `width` unless the specification says how many.
    ///
    /// # Safety
    ///
    /// The next of `arguments` has room for them, and for a null byte if the text is to be `ended`.
    unsafe fn bytes(
        &mut self,
        specification: &Specification,
        width: usize,
        ended: bool,
        arguments: &mut VaList,
        wanted: impl Fn(u8) -> bool,
    ) -> Result<(), End> {
        if self.text.is_empty() {
            return Err(End::Input);
        }
        let width = specification.width.unwrap_or(width);
        let available = &self.text[..width.min(self.text.len())];
        let count = available.iter().take_while(|&&byte| wanted(byte)).count();
        if count == 0 {
            return Err(End::Matching);
        }
        let (taken, after) = self.text.split_at(count);
        self.text = after;
        if !specification.skipped {
            // SAFETY: the caller gives the room.
            unsafe {
                let place: *mut u8 = arguments.pointer();
                place.copy_from_nonoverlapping(taken.as_ptr(), count);
                if ended {
                    place.add(count).write(0);
                }
            }
            self.stored += 1;
        }
        Ok(())
    }

    /// # Safety
    ///
    /// The next of `arguments` is the place for an integer as wide as the specification says.
    unsafe fn integer(
        &mut self,
        specification: &Specification,
        letter: u8,
        arguments: &mut VaList,
    ) -> Result<(), End> {
        let base = match letter {
            b'd' | b'u' => 10,
            b'i' => 0,
            b'o' => 8,
            b'x' | b'X' | b'p' => 16,
            _ => return Err(End::Matching),
        };
        self.skip_spaces();
        if self.text.is_empty() {
            return Err(End::Input);
        }
        let width = specification.width.unwrap_or(usize::MAX);
        let available = &self.text[..width.min(self.text.len())];
        let found = integer(available, base).ok_or(End::Matching)?;
        self.text = &self.text[found.length..];
        if !specification.skipped {
            // What does not fit is undefined in C; here it is the nearest number of 64 bits.
            let magnitude = found.magnitude.unwrap_or(u64::MAX);
            let value = if found.negative {
                magnitude.wrapping_neg()
            } else {
                magnitude
            };
            let specification = Specification {
                bytes: if letter == b'p' {
                    8
                } else {
                    specification.bytes
                },
                ..*specification
            };
            // SAFETY: the caller gives the place.
            unsafe { store(&specification, value, arguments) };
            self.stored += 1;
        }
        Ok(())
    }
}

/// Stores the lower bytes of a value, as many as the specification says.
///
/// # Safety
///
/// The next of `arguments` is the place for them.
unsafe fn store(specification: &Specification, value: u64, arguments: &mut VaList) {
    if specification.skipped {
        return;
    }
    let value = value.to_le_bytes();
    // SAFETY: see above.
    unsafe {
        let place: *mut u8 = arguments.pointer();
        place.copy_from_nonoverlapping(value.as_ptr(), specification.bytes.min(value.len()));
    }
}

/// Reads `*`, width and length; gives them and what follows.
fn specification(mut text: &[u8]) -> (Specification, &[u8]) {
    let mut specification = Specification {
        skipped: false,
        width: None,
        bytes: 4,
    };
    if let [b'*', after @ ..] = text {
        specification.skipped = true;
        text = after;
    }
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, after) = text.split_at(digits);
    let number = number.iter().fold(0_usize, |number, digit| {
        number
            .saturating_mul(10)
            .saturating_add(usize::from(digit - b'0'))
    });
    specification.width = (number > 0).then_some(number);
    text = after;
    while let Some((length @ (b'h' | b'l' | b'L' | b'q' | b'j' | b'z' | b't'), after)) =
        text.split_first()
    {
        specification.bytes = match length {
            b'h' => (specification.bytes / 2).max(1),
            _ => 8,
        };
        text = after;
    }
    (specification, text)
}

/// The bytes between `[` and `]`.
struct Set<'a> {
    listed: &'a [u8],
    negated: bool,
}

impl<'a> Set<'a> {
    /// The set that `format` begins with, and what follows it. A `]` that comes first is one of the bytes.
    fn new(format: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (negated, listed) = match format {
            [b'^', after @ ..] => (true, after),
            _ => (false, format),
        };
        let end = 1 + listed.get(1..)?.iter().position(|&byte| byte == b']')?;
        let (listed, after) = listed.split_at(end);
        Some((Self { listed, negated }, &after[1..]))
    }

    /// A `-` that is neither first nor last makes a range.
    fn contains(&self, byte: u8) -> bool {
        let ranges = self.listed.windows(3);
        let in_range = |range: &[u8]| range[1] == b'-' && (range[0]..=range[2]).contains(&byte);
        (self.listed.contains(&byte) || ranges.into_iter().any(in_range)) != self.negated
    }
}
