use super::*;

#[test]
fn all_but_the_special_mappings_must_go() {
    let ranges = ranges(
        0x1f_f000..0x20_0000,
        0x20_1000,
        &[(0x7000_0000, 0x7000_4000), (0x7000_4000, 0x7000_6000)],
    );
    let range = |start, end, must| Range {
        start,
        len: end - start,
        must,
    };
    assert_eq!(
        ranges[..7],
        [
            range(0, 0x1_0000, 1),
            range(0x1f_f000, 0x20_0000, 1),
            range(0x20_1000, 0x7000_0000, 1),
            range(0x7000_0000, 0x7000_4000, 0),
            Range::default(),
            range(0x7000_4000, 0x7000_6000, 0),
            range(0x7000_6000, USER_END, 1),
        ]
    );
    assert!(ranges[7..].iter().all(|range| range.len == 0));
}

#[test]
fn many_special_mappings_leave_no_gap() {
    let special: Vec<_> = (1..100_u64).map(|n| (n << 20, (n << 20) + 4096)).collect();
    let mut at = 5 * PAGE;
    let ranges = ranges(3 * PAGE..4 * PAGE, at, &special);
    for range in ranges[2..].iter().filter(|range| range.len > 0) {
        assert_eq!(range.start, at);
        at += range.len;
    }
    assert_eq!(at, USER_END);
}

#[test]
fn the_mappings_of_the_kernel_are_found_in_this_process() {
    assert!(!special_mappings().is_empty());
}
