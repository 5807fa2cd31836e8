use super::{Lifetimes, Stable, Temporary, is_reserved, join, of, regen_advance};
use crate::proto::Instant;
use crate::proto::random::Random;
use core::net::Ipv6Addr;
use core::time::Duration;
use std::collections::HashSet;

const START: Instant = Instant::from_nanos(5_000_000_000);
const PREFIX: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, 0);
const OTHER: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 2, 0, 0, 0, 0);
const MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];
const FOR_EVER: Lifetimes = Lifetimes {
    preferred: None,
    valid: None,
};
const HOUR: Duration = Duration::from_secs(3600);
const ADVANCE: Duration = Duration::from_secs(5);

fn identifier(stable: &Stable, prefix: Ipv6Addr, network: &[u8], mut counter: u8) -> u64 {
    let before = counter;
    let identifier = stable.identifier(prefix, network, &mut counter);
    assert_eq!(counter, before);
    identifier
}

#[test]
fn rfc7217_5_the_identifier_is_the_same_for_the_same_and_another_for_every_part() {
    let ours = Stable::new([7; 16], &MAC);
    let first = identifier(&ours, PREFIX, b"", 0);
    assert_eq!(
        identifier(&Stable::new([7; 16], &MAC), PREFIX, b"", 0),
        first
    );
    // What is behind the prefix is not looked at.
    assert_eq!(identifier(&ours, join(PREFIX, 77), b"", 0), first);
    let others = [
        identifier(&ours, OTHER, b"", 0),
        identifier(&ours, PREFIX, b"home", 0),
        identifier(&ours, PREFIX, b"", 1),
        identifier(&Stable::new([8; 16], &MAC), PREFIX, b"", 0),
        identifier(&Stable::new([7; 16], &[2, 0, 0, 0, 0, 8]), PREFIX, b"", 0),
        // An octet that moves from one part to the next.
        identifier(&Stable::new([7; 16], &MAC[..5]), PREFIX, &MAC[5..], 0),
    ];
    let distinct: HashSet<_> = others.into_iter().chain([first]).collect();
    assert_eq!(distinct.len(), 7);
}

#[test]
fn rfc7217_5_the_hardware_address_cannot_be_seen() {
    let ours = Stable::new([7; 16], &MAC);
    let octets = identifier(&ours, PREFIX, b"", 0).to_be_bytes();
    assert_ne!(octets[3..5], [0xff, 0xfe]);
    assert_ne!(octets[5..], MAC[3..]);
}

#[test]
fn rfc7217_5_half_of_the_bits_change_with_the_prefix() {
    let ours = Stable::new([7; 16], &MAC);
    let differing: u32 = (0..1000)
        .map(|n| {
            let prefix = Ipv6Addr::from_bits(PREFIX.to_bits() + (n << 64));
            let next = Ipv6Addr::from_bits(PREFIX.to_bits() + ((n + 1) << 64));
            (identifier(&ours, prefix, b"", 0) ^ identifier(&ours, next, b"", 0)).count_ones()
        })
        .sum();
    assert!((31_000..33_000).contains(&differing), "{differing}");
}

#[test]
fn rfc5453_reserved_identifiers_are_known_by_their_edges() {
    for reserved in [
        0,
        0x0200_5eff_fe00_0000,
        0x0200_5eff_fe00_5213,
        0x0200_5eff_feff_ffff,
        0xfdff_ffff_ffff_ff80,
        0xfdff_ffff_ffff_ffff,
    ] {
        assert!(is_reserved(reserved), "{reserved:x}");
    }
    for free in [
        1,
        0x0200_5eff_fdff_ffff,
        0x0200_5eff_ff00_0000,
        0xfdff_ffff_ffff_ff7f,
        0xfe00_0000_0000_0000,
        u64::MAX,
    ] {
        assert!(!is_reserved(free), "{free:x}");
    }
}

#[test]
fn an_address_is_prefix_and_identifier() {
    let address = join(join(PREFIX, u64::MAX), 0x0123_4567_89ab_cdef);
    assert_eq!(address.to_string(), "2001:db8:0:1:123:4567:89ab:cdef");
    assert_eq!(of(address), 0x0123_4567_89ab_cdef);
}

fn temporary(lifetimes: Lifetimes, random: [u64; 3]) -> Option<Temporary> {
    Temporary::new(START, lifetimes, ADVANCE, random, |_| false)
}

#[test]
fn rfc8981_3_4_lifetimes_are_the_lower_of_the_prefix_and_our_own() {
    let day = 24 * HOUR;
    let most = temporary(FOR_EVER, [0, 1, 2]).expect("an address");
    assert_eq!(most.identifier(), 1);
    assert_eq!(most.preferred_until() - START, day);
    assert_eq!(most.valid_until() - START, 2 * day);
    let lifetimes = Lifetimes {
        preferred: Some(HOUR),
        valid: Some(2 * HOUR),
    };
    let short = temporary(lifetimes, [u64::MAX, 1, 2]).expect("an address");
    assert_eq!(short.preferred_until() - START, HOUR);
    assert_eq!(short.valid_until() - START, 2 * HOUR);
}

#[test]
fn rfc8981_3_4_an_advertisement_never_extends_beyond_what_the_address_began_with() {
    let mut address = temporary(FOR_EVER, [u64::MAX / 2, 1, 2]).expect("an address");
    let (preferred, valid) = (address.preferred_until(), address.valid_until());
    for hours in 0..72 {
        address.advertised(START + hours * HOUR, FOR_EVER);
        assert_eq!(
            (address.preferred_until(), address.valid_until()),
            (preferred, valid)
        );
    }
    // A router can end it sooner, also at once.
    let now = START + HOUR;
    let ended = Lifetimes {
        preferred: Some(Duration::ZERO),
        valid: Some(HOUR),
    };
    address.advertised(now, ended);
    assert_eq!(address.preferred_until(), now);
    assert_eq!(address.valid_until(), now + HOUR);
}

#[test]
fn rfc8981_3_4_none_is_made_that_would_hardly_be_preferred() {
    for (preferred, made) in [(0, false), (5, false), (6, true)] {
        let lifetimes = Lifetimes {
            preferred: Some(Duration::from_secs(preferred)),
            valid: None,
        };
        assert_eq!(
            temporary(lifetimes, [0, 1, 2]).is_some(),
            made,
            "{preferred} s"
        );
    }
}

#[test]
fn rfc8981_3_3_1_reserved_and_taken_identifiers_are_not_used() {
    let address = temporary(FOR_EVER, [0, 0xfdff_ffff_ffff_ffff, 9]).expect("the second");
    assert_eq!(address.identifier(), 9);
    let taken = |identifier| identifier == 9;
    let none = Temporary::new(START, FOR_EVER, ADVANCE, [0, 0, 9], taken);
    assert_eq!(none, None);
}

#[test]
fn rfc8981_3_8_hosts_do_not_renew_at_the_same_time() {
    let mut random = Random::new([3; 16]);
    let shortened: Vec<_> = (0..1000)
        .map(|_| {
            let address = temporary(FOR_EVER, [random.next_u64(), 1, 2]).expect("an address");
            24 * HOUR - (address.preferred_until() - START)
        })
        .collect();
    let most = 24 * HOUR * 2 / 5;
    assert!(shortened.iter().all(|by| *by < most));
    let (early, late) = (most / 10, most * 9 / 10);
    assert!(shortened.iter().filter(|by| **by < early).count() > 50);
    assert!(shortened.iter().filter(|by| **by > late).count() > 50);
}

#[test]
fn rfc8981_3_5_the_next_is_made_before_the_last_is_deprecated() {
    let address = temporary(FOR_EVER, [0, 1, 2]).expect("an address");
    let advance = regen_advance(1, Duration::from_secs(1));
    assert_eq!(advance, Duration::from_secs(5));
    assert_eq!(
        address.regenerate_at(advance) + advance,
        address.preferred_until()
    );
    assert_eq!(regen_advance(u32::MAX, Duration::MAX), Duration::MAX);
}
