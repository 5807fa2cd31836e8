//! The heap. The unikernel has the default of 512 MiB.

use std::ffi::{c_int, c_void};
use std::hint::black_box;
use std::ptr;

const LARGE: usize = 200_000_000;

/// Freed memory is whole again each time, also when it is grown in steps.
pub(crate) fn large_allocations() {
    for round in 0..1_000_usize {
        let mut bytes: Vec<u8> = Vec::with_capacity(LARGE);
        bytes.push(round as u8);
        assert_eq!(black_box(&bytes).capacity(), LARGE);
    }
    let mut growing = vec![1_u8; LARGE / 2];
    growing.resize(LARGE, 2);
    growing.truncate(1_000);
    growing.shrink_to_fit();
    assert!(growing.iter().all(|&byte| byte == 1));
    assert_eq!(vec![0_u8; LARGE].iter().rposition(|&byte| byte != 0), None);
}

pub(crate) fn too_large_allocations() {
    let total = nolibc::total_memory();
    assert!((500 << 20..512 << 20).contains(&total), "{total}");
    for size in [1 << 40, isize::MAX as usize - 4096, isize::MAX as usize] {
        let mut bytes: Vec<u8> = Vec::new();
        assert!(
            black_box(&mut bytes).try_reserve_exact(size).is_err(),
            "{size}"
        );
    }
}

unsafe extern "C" {
    fn mmap(
        hint: *mut c_void,
        size: usize,
        protection: c_int,
        flags: c_int,
        fd: c_int,
        offset: i64,
    ) -> *mut c_void;
    fn munmap(address: *mut c_void, size: usize) -> c_int;
}

/// A part of a mapping cannot be unmapped, and the whole of it stays as it was.
pub(crate) fn mappings() {
    const PAGE: usize = 4096;
    // SAFETY: anonymous memory anywhere.
    let map = |pages: usize| unsafe { mmap(ptr::null_mut(), pages * PAGE, 3, 0x22, -1, 0) };
    // SAFETY: what is unmapped is not used again; what is not a mapping is refused.
    let unmap = |address: *mut c_void, size: usize| unsafe { munmap(address, size) };
    let (first, second) = (map(4).cast::<u8>(), map(1).cast::<u8>());
    // SAFETY: both mappings are writable and of these sizes.
    unsafe {
        first.write_bytes(7, 4 * PAGE);
        second.write_bytes(8, PAGE);
    }
    for (page, size) in [
        (0, PAGE),
        (0, 3 * PAGE),
        (1, 3 * PAGE),
        (3, PAGE),
        (0, 5 * PAGE),
        (0, 0),
    ] {
        let address = first.wrapping_add(page * PAGE);
        assert_eq!(
            unmap(address.cast(), size),
            -1,
            "page {page}, {size} octets"
        );
        assert_eq!(
            std::io::Error::last_os_error().kind(),
            std::io::ErrorKind::InvalidInput
        );
    }
    // SAFETY: the mapping is still there.
    assert!((0..4 * PAGE).all(|at| unsafe { *first.add(at) } == 7));
    assert_eq!(unmap(first.cast(), 4 * PAGE - 1), 0);
    assert_eq!(unmap(first.cast(), 4 * PAGE), -1, "twice");
    assert_eq!(unmap(second.cast(), PAGE), 0);
}
