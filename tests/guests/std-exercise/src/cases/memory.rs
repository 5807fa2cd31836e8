//! The heap. The unikernel has the default of 512 MiB.

use std::hint::black_box;

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
