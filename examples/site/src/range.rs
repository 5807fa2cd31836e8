//! Ranges of octets (RFC 9110 section 14).

use std::ops::Range;

/// What of a file is to be sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it: what was asked for is no range of octets, or several, which a server may answer so.
    All,
    /// These octets, at least one.
    Octets(Range<u64>),
    /// It has none of those.
    None,
}

/// What the field `Range` asks for of a file of `len` octets.
pub(crate) fn parse(field: &str, len: u64) -> Part {
    let Some((unit, ranges)) = field.split_once('=') else {
        return Part::All;
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Part::All;
    }
    let mut ranges = ranges.split(',').map(str::trim).filter(|it| !it.is_empty());
    let (Some(range), None) = (ranges.next(), ranges.next()) else {
        return Part::All;
    };
    let Some((first, last)) = range.split_once('-') else {
        return Part::All;
    };
    match (number(first), number(last)) {
        _ if first.is_empty() => match number(last) {
            None => Part::All,
            Some(0) => Part::None,
            // Satisfiable (section 14.1.2), but no range of octets says so.
            Some(_) if len == 0 => Part::All,
            Some(suffix) => Part::Octets(len.saturating_sub(suffix)..len),
        },
        (Some(first), None) if last.is_empty() => octets(first, len, len),
        (Some(first), Some(last)) if first <= last => octets(first, last.saturating_add(1), len),
        _ => Part::All,
    }
}

fn octets(start: u64, end: u64, len: u64) -> Part {
    match start < len {
        true => Part::Octets(start..end.min(len)),
        false => Part::None,
    }
}

/// Digits only; what is too large is as large as can be.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_the_rfc() {
        for (field, expected) in [
            ("bytes=0-499", Part::Octets(0..500)),
            ("Bytes = 500-999", Part::Octets(500..1000)),
            ("bytes=-500", Part::Octets(9500..10_000)),
            ("bytes=9500-", Part::Octets(9500..10_000)),
            ("bytes=0-0", Part::Octets(0..1)),
            ("bytes=-20000", Part::Octets(0..10_000)),
            (
                "bytes=9999-99999999999999999999999",
                Part::Octets(9999..10_000),
            ),
            ("bytes=10000-", Part::None),
            ("bytes=-0", Part::None),
            ("bytes=5-4", Part::All),
            ("bytes=0-0,-1", Part::All),
            ("bytes=", Part::All),
            ("bytes=-", Part::All),
            ("bytes=a-b", Part::All),
            ("bytes=+1-2", Part::All),
            ("lines=1-2", Part::All),
            ("", Part::All),
        ] {
            assert_eq!(parse(field, 10_000), expected, "{field}");
        }
        assert_eq!(parse("bytes=0-", 0), Part::None);
        assert_eq!(parse("bytes=-1", 0), Part::All);
    }
}
