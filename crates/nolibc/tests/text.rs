//! Formatting, scanning, numbers and sorting against the host's C library.

use std::cmp::Ordering;
use std::ffi::{CStr, CString, c_char, c_int, c_long, c_uint, c_ulong, c_void};
use std::{mem, ptr};

use nolibc::{numbers, printf, scanf, sorting, strings};

/// The C type of a function with a variable number of arguments.
type Print = unsafe extern "C" fn(*mut c_char, usize, *const c_char, ...) -> c_int;
type Scan = unsafe extern "C" fn(*const c_char, *const c_char, ...) -> c_int;

fn print() -> Print {
    // SAFETY: it is a C function with these arguments, which Rust cannot declare so.
    unsafe { mem::transmute::<unsafe extern "C" fn(), Print>(printf::snprintf) }
}

fn scan() -> Scan {
    // SAFETY: it is a C function with these arguments, which Rust cannot declare so.
    unsafe { mem::transmute::<unsafe extern "C" fn(), Scan>(scanf::sscanf) }
}

/// Prints with both libraries into every size up to one that is enough.
macro_rules! same {
    ($format:expr $(, $argument:expr)*) => {{
        let format = CString::new($format).unwrap();
        for size in [0, 1, 2, 5, 2_000] {
            let mut ours = vec![0x55_u8; 2_000];
            let mut theirs = ours.clone();
            // SAFETY: the buffers have `size` bytes, and the arguments are those of the format.
            let (length, expected) = unsafe {
                (
                    print()(ours.as_mut_ptr().cast(), size, format.as_ptr() $(, $argument)*),
                    libc::snprintf(theirs.as_mut_ptr().cast(), size, format.as_ptr() $(, $argument)*),
                )
            };
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes.split(|&byte| byte == 0).next().unwrap()).into_owned();
            assert!(ours == theirs, "{format:?} in {size}: {:?}, not {:?}", text(&ours), text(&theirs));
            assert_eq!(length, expected, "{format:?} in {size}");
        }
    }};
}

#[test]
fn integers_are_printed() {
    for flags in [
        "", "-", "0", "+", " ", "#", "-0", "+0", "#0", "-#", "+-", " 0",
    ] {
        for width in ["", "1", "12", "30"] {
            for precision in ["", ".", ".0", ".3", ".20"] {
                for letter in ["d", "i", "u", "o", "x", "X"] {
                    let format = format!("<%{flags}{width}{precision}{letter}>");
                    let long = format!("<%{flags}{width}{precision}l{letter}>");
                    for number in [0, 1, -1, 8, 255, 4_711, c_int::MIN, c_int::MAX] {
                        same!(format.as_str(), number);
                    }
                    for number in [0, -1, 1 << 40, c_long::MIN, c_long::MAX] {
                        same!(long.as_str(), number);
                    }
                }
            }
        }
    }
    for number in [0, 1, 127, 128, 255, 256, 65_535, 65_536, -1] {
        same!(
            "%hhd %hhu %hd %hu %hx",
            number,
            number,
            number,
            number,
            number
        );
    }
    same!(
        "%zu %jd %td %qd %lld",
        1_usize << 40,
        -1_i64,
        -2_isize,
        3_i64,
        i64::MIN
    );
    same!("%*d|%-*d|%*d|%.*d|%.*d", 7, 1, 7, 2, -7, 3, 4, 4, -4, 5);
}

#[test]
fn texts_are_printed() {
    same!("no conversion");
    same!("100%% of %s", c"it".as_ptr());
    same!(
        "<%s><%8s><%-8s><%.2s><%8.2s>",
        c"abc".as_ptr(),
        c"abc".as_ptr(),
        c"abc".as_ptr(),
        c"abc".as_ptr(),
        c"abc".as_ptr()
    );
    // SAFETY: no null byte, but a precision.
    same!("%.3s", b"abcdef".as_ptr());
    same!(
        "<%c%c><%4c><%-4c>",
        c_int::from(b'a'),
        c_int::from(b'b'),
        c_int::from(b'c'),
        c_int::from(b'd')
    );
    same!(
        "%p %20p %-20p| %p",
        0x1234_usize,
        0x1234_usize,
        0x1234_usize,
        0_usize
    );
}

#[test]
fn floats_are_printed() {
    let numbers = [
        0.0,
        -0.0,
        1.0,
        -1.5,
        0.1,
        123.456,
        999_999.5,
        1e15,
        1e16,
        1e-5,
        1.5e-4,
        1e300,
        5e-324,
        0.5,
        2.5,
        9.9996,
        f64::MAX,
        f64::MIN_POSITIVE,
        f64::INFINITY,
        f64::NEG_INFINITY,
        100_000.0,
        1_000_000.0,
        0.000_099_999,
    ];
    for number in numbers {
        for letter in ["f", "F", "e", "E", "g", "G"] {
            for flags in ["", "-", "0", "+", " ", "#", "+0"] {
                // glibc 2.36 drops the zeros that `#` is to keep where rounding gives one more digit.
                if flags == "#" && number == 999_999.5 {
                    continue;
                }
                for size in ["", "12", ".0", ".1", ".3", "14.10", ".30"] {
                    same!(format!("<%{flags}{size}{letter}>"), number);
                }
            }
        }
    }
    same!("%f", f64::NAN);
}

/// More than the registers hold, of both kinds in turns.
#[test]
fn many_arguments_are_printed() {
    same!(
        "%d %f %d %f %d %f %d %f %d %f %d %f %d %f %d %f %d %f %d %f",
        1,
        1.5,
        2,
        2.5,
        3,
        3.5,
        4,
        4.5,
        5,
        5.5,
        6,
        6.5,
        7,
        7.5,
        8,
        8.5,
        9,
        9.5,
        10,
        10.5
    );
}

/// Scans with both libraries into places of these types, filled with the same at first.
macro_rules! scanned_alike {
    ($text:expr, $format:expr $(, $kind:ty)*) => {{
        let (text, format) = (CString::new($text).unwrap(), CString::new($format).unwrap());
        let run = |function: Scan| {
            let mut places = [[0x55_u8; 64]; 4];
            let [a, b, c, d] = &mut places;
            // SAFETY: the formats of these tests ask for at most four places, of at most 64 bytes.
            let stored = unsafe {
                function(
                    text.as_ptr(),
                    format.as_ptr(),
                    a.as_mut_ptr(),
                    b.as_mut_ptr(),
                    c.as_mut_ptr(),
                    d.as_mut_ptr(),
                )
            };
            (stored, places)
        };
        let (ours, theirs) = (run(scan()), run(libc::sscanf));
        assert!(
            ours == theirs,
            "{text:?} as {format:?}: {ours:?}, not {theirs:?}"
        );
    }};
}

#[test]
fn values_are_scanned() {
    for text in [
        "",
        " ",
        "42",
        " -42x",
        "+7 8",
        "0x1f",
        "0x",
        "017",
        "x",
        "-",
        "ffff ffff",
        "99",
    ] {
        for format in [
            "%d", "%i", "%u", "%x", "%o", "%lx", "%hd", "%hhu", "%2d%n", "%d %d", "%*d %d", "%p",
            "%lli",
        ] {
            scanned_alike!(text, format);
        }
    }
    for text in ["key = value", "key=value", "key", "=", "", "  k=  v w"] {
        for format in [
            "%s = %s",
            "%[^=]=%s",
            "%[a-z] %n",
            "%3c",
            "%c%c",
            "%5s%n",
            "%*[ke]%s",
            "%[]=a-y]",
        ] {
            scanned_alike!(text, format);
        }
    }
    scanned_alike!("7% of 9", "%d%% of%d");
    scanned_alike!("1.2.3.4", "%hhu.%hhu.%hhu.%hhu");
    scanned_alike!("1.2.x", "%d.%d.%d");
}

#[test]
fn numbers_are_read() {
    let texts = [
        "",
        " ",
        "0",
        "42",
        " \t-42",
        "+7",
        "--7",
        "0x1F",
        "0x",
        "0xg",
        "08",
        "077",
        "z",
        "Zz9",
        "12a",
        "- 1",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "18446744073709551615",
        "18446744073709551616",
        "-18446744073709551615",
        "99999999999999999999999x",
    ];
    for text in texts {
        let string = CString::new(text).unwrap();
        for base in [0, 2, 8, 10, 16, 36] {
            let read =
                |signed: unsafe extern "C" fn(*const c_char, *mut *mut c_char, c_int) -> c_long,
                 unsigned: unsafe extern "C" fn(
                    *const c_char,
                    *mut *mut c_char,
                    c_int,
                ) -> c_ulong| {
                    let mut ends = [ptr::null_mut(); 2];
                    // SAFETY: a C string, and places for the ends; errno is this thread's.
                    unsafe {
                        let errno = libc::__errno_location();
                        *errno = 0;
                        let signed = signed(string.as_ptr(), &mut ends[0], base);
                        let error = mem::take(&mut *errno);
                        let unsigned = unsigned(string.as_ptr(), &mut ends[1], base);
                        let ends = ends.map(|end| end.offset_from(string.as_ptr()));
                        (signed, error, unsigned, mem::take(&mut *errno), ends)
                    }
                };
            assert_eq!(
                read(numbers::strtol, numbers::strtoul),
                read(libc::strtol, libc::strtoul),
                "{text:?} in base {base}"
            );
        }
    }
    // SAFETY: C strings.
    unsafe {
        assert_eq!(numbers::atoi(c" -17 apples".as_ptr()), -17);
        assert_eq!(numbers::strtol(c"1".as_ptr(), ptr::null_mut(), 1), 0);
        assert_eq!(*libc::__errno_location(), libc::EINVAL);
    }
}

unsafe extern "C" fn compare(left: *const c_void, right: *const c_void) -> c_int {
    // SAFETY: both are numbers, not necessarily aligned.
    let [left, right] =
        [left, right].map(|number| unsafe { number.cast::<c_uint>().read_unaligned() });
    match left.cmp(&right) {
        Ordering::Less => -7,
        Ordering::Equal => 0,
        Ordering::Greater => 7,
    }
}

#[test]
fn arrays_are_sorted_and_searched() {
    for length in (0..70).chain([1_000]) {
        for spread in [1, 3, u64::from(u32::MAX)] {
            let mut numbers: Vec<c_uint> = (1..=length as u64)
                .map(|index| (index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) % spread)
                .map(|number| number as c_uint)
                .collect();
            let mut expected = numbers.clone();
            expected.sort_unstable();
            // SAFETY: the array has this many numbers.
            unsafe { sorting::qsort(numbers.as_mut_ptr().cast(), length, 4, compare) };
            assert_eq!(numbers, expected);
            for key in numbers.iter().copied().chain([7]) {
                // SAFETY: as above; the key is a number too.
                let found = unsafe {
                    let start = numbers.as_ptr().cast();
                    sorting::bsearch((&raw const key).cast(), start, length, 4, compare)
                };
                let found =
                    (!found.is_null()).then(|| (found.addr() - numbers.as_ptr().addr()) / 4);
                assert_eq!(
                    found.map(|index| numbers[index]),
                    expected.contains(&key).then_some(key)
                );
            }
        }
    }
    // Elements of no size, and of an odd one.
    let mut bytes = *b"3c-1a-2b-";
    unsafe extern "C" fn first_byte(left: *const c_void, right: *const c_void) -> c_int {
        // SAFETY: both are elements of three bytes.
        unsafe { c_int::from(*left.cast::<u8>()) - c_int::from(*right.cast::<u8>()) }
    }
    // SAFETY: three elements of three bytes.
    unsafe {
        sorting::qsort(bytes.as_mut_ptr().cast(), 3, 0, first_byte);
        assert_eq!(&bytes, b"3c-1a-2b-");
        sorting::qsort(bytes.as_mut_ptr().cast(), 3, 3, first_byte);
    }
    assert_eq!(&bytes, b"1a-2b-3c-");
}

#[test]
fn spans_are_measured() {
    let texts = [c"", c"a", c"abcabc,x", c",", c"\xff\xfe"];
    for string in texts {
        for set in [c"", c"abc", c",", c"x,", c"\xff"] {
            let of = |function: unsafe extern "C" fn(*const c_char, *const c_char) -> usize| {
                // SAFETY: C strings.
                unsafe { function(string.as_ptr(), set.as_ptr()) }
            };
            assert_eq!(of(strings::strspn), of(libc::strspn), "{string:?} {set:?}");
            assert_eq!(
                of(strings::strcspn),
                of(libc::strcspn),
                "{string:?} {set:?}"
            );
            // SAFETY: as above.
            let found = unsafe {
                let found = strings::strpbrk(string.as_ptr(), set.as_ptr());
                (!found.is_null()).then(|| CStr::from_ptr(found))
            };
            let at = of(libc::strcspn);
            let rest = string
                .to_bytes_with_nul()
                .get(at..)
                .filter(|rest| rest.len() > 1);
            assert_eq!(
                found.map(CStr::to_bytes_with_nul),
                rest,
                "{string:?} {set:?}"
            );
        }
    }
}
