//! When an image was made.

const SECONDS_A_DAY: u64 = 86_400;
/// The last second that RFC 3339 has a form for is before that one, in the year 10000.
const END: u64 = 253_402_300_800;

/// A second since 1970 in RFC 3339's form; none after the year 9999.
#[must_use]
pub fn date(time: u64) -> Option<String> {
    if time >= END {
        return None;
    }
    let (mut day, second) = (time / SECONDS_A_DAY, time % SECONDS_A_DAY);
    let mut year = 1970;
    while day >= days_of(year) {
        day -= days_of(year);
        year += 1;
    }
    let february = days_of(year) - 337;
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while day >= lengths[month] {
        day -= lengths[month];
        month += 1;
    }
    Some(format!(
        "{year:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        month + 1,
        day + 1,
        second / 3600,
        second / 60 % 60,
        second % 60
    ))
}

fn days_of(year: u64) -> u64 {
    let leaps = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    365 + u64::from(leaps)
}

/// As `date --utc --date=@SECONDS` has it.
#[test]
fn seconds_have_dates() {
    for (time, expected) in [
        (0, Some("1970-01-01T00:00:00Z")),
        (68_169_599, Some("1972-02-28T23:59:59Z")),
        (68_169_600, Some("1972-02-29T00:00:00Z")),
        (951_868_800, Some("2000-03-01T00:00:00Z")),
        (1_796_044_799, Some("2026-11-30T13:19:59Z")),
        (4_107_542_400, Some("2100-03-01T00:00:00Z")),
        (END - 1, Some("9999-12-31T23:59:59Z")),
        (END, None),
        (u64::MAX, None),
    ] {
        assert_eq!(date(time).as_deref(), expected, "{time}");
    }
}
