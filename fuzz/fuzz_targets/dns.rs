//! Answers of DNS servers: no panic, bounded answers, and names that can be asked for again.
//!
//! The input is tried as it is, and behind the header and the question that make it an answer to ours,
//! since chance alone would hardly ever find them.
#![no_main]

use core::time::Duration;

use libfuzzer_sys::fuzz_target;
use netstack::proto::Instant;
use netstack::proto::dns::{Answer, Cache, Cached, answer, question};
use netstack::proto::ip::Family;

const ID: u16 = 0x0102;
const NAME: &str = "www.example.org";
/// RFC 8767 §4.
const WEEK: Duration = Duration::from_secs(604_800);

fuzz_target!(|data: &[u8]| {
    for family in [Family::V4, Family::V6] {
        check_both(family, data);
    }
});

fn check_both(family: Family, data: &[u8]) {
    check(family, data);
    // Flags and counts, then what is behind the question.
    let [flags @ .., _] = data.first_chunk::<9>().copied().unwrap_or_default();
    let mut message = question(ID, NAME, family).expect("a name");
    message[2..4].copy_from_slice(&flags[..2]);
    message[2] |= 0x80;
    message[6..12].copy_from_slice(&flags[2..]);
    message.extend(data.get(9..).unwrap_or_default());
    check(family, &message);
    // The same without an error and with few records, so that these are looked at.
    message[2..4].copy_from_slice(&[0x80, 0]);
    (message[6], message[8]) = (0, 0);
    check(family, &message);
}

fn check(family: Family, message: &[u8]) {
    let found = answer(ID, NAME, family, message);
    let ttl = match &found {
        Some(Answer::Addresses(addresses, ttl)) => {
            assert!((1..=32).contains(&addresses.len()), "{addresses:?}");
            let others = |address| Family::of(address) != family;
            assert!(!addresses.iter().copied().any(others), "{addresses:?}");
            *ttl
        }
        Some(Answer::None(ttl)) => *ttl,
        Some(Answer::Alias(target)) => {
            let again = question(ID, target, family).expect("an alias that can be asked for");
            // And its own answer would be known again.
            let mut refusal = again.clone();
            refusal[2..4].copy_from_slice(&[0x80, 5]);
            assert_eq!(answer(ID, target, family, &refusal), Some(Answer::Failed));
            Duration::ZERO
        }
        Some(Answer::Truncated | Answer::Failed) | None => Duration::ZERO,
    };
    assert!(ttl <= WEEK, "{ttl:?}");
    if found.is_some() {
        let other = answer(ID ^ 1, NAME, family, message);
        assert_eq!(other, None, "another identifier");
    }
    // An answer that ends sooner says no more of addresses, and never that there are none.
    if let (Some(Answer::Addresses(..)), Some(shorter)) = (&found, message.len().checked_sub(1)) {
        let cut = answer(ID, NAME, family, &message[..shorter]);
        assert!(
            !matches!(cut, Some(Answer::None(_))),
            "{found:?}, then {cut:?}"
        );
    }
    let mut cache = Cache::new(2);
    let now = Instant::from_nanos(1);
    cache.insert(now, (NAME, family), Cached::None, ttl);
    assert_eq!(cache.get(now, (NAME, family)).is_some(), !ttl.is_zero());
    assert_eq!(cache.get(now + ttl, (NAME, family)), None);
}
