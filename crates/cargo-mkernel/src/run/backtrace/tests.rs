use super::*;

/// Without an executable, so that no frame has a name.
fn filter() -> Filter {
    Filter::new(Style::Short, None)
}

#[test]
fn a_frame_is_known_by_its_form() {
    assert_eq!(
        address(b"   7:         0x10f2a0 - <unknown>\n"),
        Some(0x10f2a0)
    );
    for other in [
        "   7: 0x10f2a0 - main\n",
        "at 7: 0x10f2a0 - <unknown>\n",
        "7 0x1 - <unknown>\n",
        "7: 0xg - <unknown>\n",
    ] {
        assert_eq!(address(other.as_bytes()), None, "{other:?}");
    }
}

#[test]
fn what_is_no_frame_is_not_held_back() {
    let mut filter = filter();
    assert_eq!(filter.take(b"hello"), b"hello");
    assert_eq!(filter.take(b" 1: 0x10\n 12 monk"), b" 1: 0x10\n 12 monk");
    assert_eq!(filter.take(b"eys\n  3: 0x"), b"eys\n");
    assert_eq!(filter.finish(), b"  3: 0x");
}

#[test]
fn a_long_line_is_not_held_back_forever() {
    let mut filter = filter();
    let line = vec![b'7'; 10 * LONGEST_FRAME];
    let printed = filter.take(&line);
    assert_eq!(printed, line);
}

#[test]
fn frames_without_names_come_out_as_they_are() {
    let mut filter = filter();
    let backtrace =
        b"stack backtrace:\n   0:     0x10f2a0 - <unknown>\n   1:     0x10f2b0 - <unknown>\n";
    assert_eq!(filter.take(backtrace), b"stack backtrace:\n");
    assert_eq!(
        filter.take(b"after\n"),
        [&backtrace[17..], b"after\n"].concat()
    );
}

#[test]
fn a_backtrace_without_end_is_not_held_back_forever() {
    let mut filter = filter();
    let frame = b"   0:     0x10f2a0 - <unknown>\n";
    let printed = filter.take(&frame.repeat(3 * MOST_FRAMES));
    assert_eq!(printed.len(), 3 * MOST_FRAMES * frame.len());
}
