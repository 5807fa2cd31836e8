//! The memory and string functions against their simplest definitions.

use nolibc::memory::{bcmp, detect_processor, memcmp, memcpy, memmove, memset};
use nolibc::strings::{
    memchr, memrchr, stpcpy, strcasecmp, strcat, strchr, strcmp, strcpy, strlen, strncasecmp,
    strncmp, strncpy, strnlen, strrchr, strstr,
};
use std::ffi::{CStr, c_char, c_int};

/// Lengths round all the boundaries at which the functions change their ways.
fn lengths() -> impl Iterator<Item = usize> {
    let longer = [
        511, 512, 513, 1_000, 2_047, 2_048, 2_049, 3_000, 4_096, 5_001,
    ];
    (0..=300).chain(longer)
}

/// Bytes that differ from their neighbours.
fn pattern(length: usize) -> Vec<u8> {
    (0..length)
        .map(|index| (index * 7 + index / 251) as u8)
        .collect()
}

/// Distances by which blocks overlap, or not at all.
const OFFSETS: [usize; 18] = [
    0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 127, 129, 1_000, 6_000,
];

fn moves_like_copy_within() {
    for length in lengths() {
        for offset in OFFSETS {
            for low in [32, 33, 47] {
                check_move(length, low, low + offset);
                check_move(length, low + offset, low);
            }
        }
    }
}

fn check_move(length: usize, from: usize, to: usize) {
    let mut bytes = pattern(length.max(from.max(to)) + length + 64);
    let mut expected = bytes.clone();
    expected.copy_within(from..from + length, to);
    // SAFETY: both ranges lie in `bytes`.
    let result = unsafe {
        let start = bytes.as_mut_ptr();
        memmove(start.add(to).cast(), start.add(from).cast(), length)
    };
    assert_eq!(result.addr(), bytes.as_ptr().addr() + to);
    assert!(bytes == expected, "{length} bytes from {from} to {to}");
}

fn fills() {
    for length in lengths() {
        for start in [0, 1, 7, 8, 15, 16, 31] {
            let mut bytes = pattern(length + 64);
            let mut expected = bytes.clone();
            expected[start..start + length].fill(0xa5);
            // SAFETY: the range lies in `bytes`. Only the lowest eight bits count.
            let result = unsafe { memset(bytes.as_mut_ptr().add(start).cast(), 0x3a5, length) };
            assert_eq!(result.addr(), bytes.as_ptr().addr() + start);
            assert!(bytes == expected, "{length} bytes at {start}");
        }
    }
}

/// One test, because the processor's string instructions come into use for the whole program.
#[test]
fn moving_and_filling() {
    moves_like_copy_within();
    fills();
    detect_processor();
    moves_like_copy_within();
    fills();
    let from = pattern(5_000);
    let mut to = vec![0; 5_000];
    // SAFETY: both have 5,000 bytes.
    unsafe { memcpy(to.as_mut_ptr().cast(), from.as_ptr().cast(), 5_000) };
    assert!(to == from);
}

/// The sign of `memcmp`, and whether `bcmp` finds a difference.
fn compare(left: &[u8], right: &[u8]) -> (c_int, bool) {
    assert_eq!(left.len(), right.len());
    let (start, other) = (left.as_ptr().cast(), right.as_ptr().cast());
    // SAFETY: both have this many bytes.
    unsafe {
        (
            memcmp(start, other, left.len()).signum(),
            bcmp(start, other, left.len()) != 0,
        )
    }
}

#[test]
fn comparing() {
    for length in lengths() {
        let left = pattern(length);
        assert_eq!(compare(&left, &left.clone()), (0, false));
        let places = (0..length.min(20)).chain(length.saturating_sub(20)..length);
        for place in places {
            for changed in [0, 0x7f, 0x80, 0xff] {
                let mut right = left.clone();
                right[place] = changed;
                // What comes after the first difference does not matter.
                right[place + 1..].fill(0x55);
                let expected = left.cmp(&right) as c_int;
                assert_eq!(
                    compare(&left, &right),
                    (expected, expected != 0),
                    "{length} bytes, at {place}"
                );
            }
        }
    }
}

fn offset<T, U>(pointer: *mut T, start: *const U) -> Option<usize> {
    (!pointer.is_null()).then(|| pointer.addr() - start.addr())
}

#[test]
fn searching() {
    let text = b"path/to//unikernel\0/beyond\0";
    let start: *const c_char = text.as_ptr().cast();
    let at = |byte: u8| c_int::from(byte);
    // SAFETY: all lengths are within `text`, which has null bytes.
    unsafe {
        for skipped in 0..18 {
            assert_eq!(strlen(start.add(skipped)), 18 - skipped);
        }
        assert_eq!(strnlen(start, 5), 5);
        assert_eq!(strnlen(start, 27), 18);
        assert_eq!(offset(strchr(start, at(b'/')), start), Some(4));
        assert_eq!(offset(strrchr(start, at(b'/')), start), Some(8));
        assert_eq!(offset(strchr(start, 0), start), Some(18));
        assert_eq!(offset(strchr(start, at(b'x')), start), None);
        assert_eq!(offset(memchr(start.cast(), at(b'b'), 27), start), Some(20));
        assert_eq!(offset(memchr(start.cast(), at(b'b'), 20), start), None);
        assert_eq!(offset(memrchr(start.cast(), at(b'/'), 27), start), Some(19));
        assert_eq!(offset(memrchr(start.cast(), at(b'x'), 27), start), None);
    }
}

#[test]
fn comparing_strings() {
    let order = |left: &str, right: &str, limit: Option<usize>| {
        let (left, right) = (format!("{left}\0"), format!("{right}\0"));
        let (left, right) = (left.as_ptr().cast(), right.as_ptr().cast());
        // SAFETY: both end with a null byte.
        let order = unsafe {
            limit.map_or_else(|| strcmp(left, right), |limit| strncmp(left, right, limit))
        };
        order.signum()
    };
    assert_eq!(order("abc", "abc", None), 0);
    assert_eq!(order("abc", "abd", None), -1);
    assert_eq!(order("abc", "ab", None), 1);
    assert_eq!(order("é", "z", None), 1);
    assert_eq!(order("abc", "abd", Some(2)), 0);
    assert_eq!(order("abc", "abd", Some(3)), -1);
    assert_eq!(order("ab", "ab", Some(100)), 0);
}

#[test]
fn comparing_whatever_the_case() {
    let order = |left: &CStr, right: &CStr, limit| {
        // SAFETY: C strings.
        unsafe { strncasecmp(left.as_ptr(), right.as_ptr(), limit).signum() }
    };
    assert_eq!(order(c"AbC", c"aBc", 9), 0);
    assert_eq!(order(c"abD", c"ABc", 9), 1);
    assert_eq!(order(c"abD", c"ABc", 2), 0);
    assert_eq!(order(c"[", c"A", 1), -1, "small letters come after it");
    // SAFETY: C strings.
    assert!(unsafe { strcasecmp(c"ab".as_ptr(), c"ABC".as_ptr()) } < 0);
}

#[test]
fn copying_strings() {
    let mut room = [b'x'; 12];
    let start: *mut c_char = room.as_mut_ptr().cast();
    // SAFETY: what is copied fits the room.
    unsafe {
        assert_eq!(strcpy(start, c"ab".as_ptr()), start);
        assert_eq!(strcat(start, c"cde".as_ptr()), start);
        assert_eq!(offset(stpcpy(start.add(7), c"f".as_ptr()), start), Some(8));
    }
    assert_eq!(&room, b"abcde\0xf\0xxx");
    // SAFETY: as above.
    unsafe {
        strncpy(start, c"gh".as_ptr(), 4);
        strncpy(start.add(6), c"ijkl".as_ptr(), 3);
    }
    assert_eq!(&room, b"gh\0\0e\0ijkxxx");
}

#[test]
fn finding_strings() {
    let text = c"aab aabb";
    let find = |part: &CStr| {
        // SAFETY: C strings.
        offset(
            unsafe { strstr(text.as_ptr(), part.as_ptr()) },
            text.as_ptr(),
        )
    };
    assert_eq!(find(c""), Some(0));
    assert_eq!(find(c"ab"), Some(1));
    assert_eq!(find(c"aabb"), Some(4));
    assert_eq!(find(c"aabbb"), None);
}
