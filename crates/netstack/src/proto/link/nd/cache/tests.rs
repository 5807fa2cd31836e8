use core::net::Ipv6Addr;

use super::{Advertised, Cache, CachePoll};
use crate::proto::Instant;
use crate::proto::link::arp::CacheLimits;
use crate::proto::link::ethernet::MacAddr;

const PEER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
const OTHER: MacAddr = MacAddr([2, 0, 0, 0, 0, 3]);
/// An answer to a solicitation.
const ANSWER: Advertised = Advertised {
    station: Some(MAC),
    router: false,
    solicited: true,
    replaces: true,
};

fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

fn frame(number: u8) -> Vec<u8> {
    vec![number; 60]
}

fn polled(cache: &mut Cache, now: Instant) -> Vec<CachePoll> {
    core::iter::from_fn(|| cache.poll(now)).collect()
}

fn solicit(station: Option<MacAddr>) -> CachePoll {
    let target = PEER;
    CachePoll::Solicit { target, station }
}

#[test]
fn rfc4861_section_7_2_2_three_solicitations_a_second_apart_and_then_it_is_unreachable() {
    let mut cache = Cache::new(CacheLimits::default());
    assert_eq!(cache.lookup(at(0), PEER), None);
    assert_eq!(cache.enqueue(at(0), PEER, frame(1)), 0);
    for second in 0..3 {
        assert_eq!(polled(&mut cache, at(1000 * second)), [solicit(None)]);
        assert_eq!(polled(&mut cache, at(1000 * second + 999)), []);
    }
    let failed = polled(&mut cache, at(3000));
    let frames = [frame(1)].into();
    assert_eq!(
        failed,
        [CachePoll::Unreachable {
            target: PEER,
            frames
        }]
    );
    let empty = cache.held();
    assert_eq!(polled(&mut cache, at(9000)), []);
    cache.enqueue(at(9000), PEER, frame(1));
    assert!(cache.held() > empty, "what waits is counted");
}

#[test]
fn rfc4861_section_7_2_5_an_answer_releases_what_waits() {
    let mut cache = Cache::new(CacheLimits::default());
    cache.enqueue(at(0), PEER, frame(1));
    cache.enqueue(at(0), PEER, frame(2));
    polled(&mut cache, at(0));
    let silent = Advertised {
        station: None,
        ..ANSWER
    };
    assert!(
        cache.advertised(at(1), PEER, silent).0.is_empty(),
        "it names no station"
    );
    let (released, _) = cache.advertised(at(1), PEER, ANSWER);
    assert_eq!(released.len(), 2);
    assert!(released.iter().all(|frame| frame[..6] == MAC.0));
    assert_eq!(cache.lookup(at(2), PEER), Some(MAC));
    // Nobody asked for this one.
    let stranger = Ipv6Addr::LOCALHOST;
    cache.advertised(at(2), stranger, ANSWER);
    assert_eq!(cache.iter().count(), 1);
}

/// A cache in which the peer was confirmed at 0.
fn reachable() -> Cache {
    let mut cache = Cache::new(CacheLimits::default());
    cache.enqueue(at(0), PEER, frame(1));
    cache.advertised(at(0), PEER, ANSWER);
    polled(&mut cache, at(0));
    cache
}

#[test]
fn rfc4861_section_7_3_3_who_was_not_heard_of_for_a_while_is_asked_five_seconds_after_it_is_used() {
    let mut cache = reachable();
    assert_eq!(cache.lookup(at(29_999), PEER), Some(MAC));
    assert_eq!(polled(&mut cache, at(60_000)), [], "nobody uses it");
    assert_eq!(
        cache.lookup(at(60_000), PEER),
        Some(MAC),
        "it is used meanwhile"
    );
    assert_eq!(polled(&mut cache, at(64_999)), []);
    let asked = polled(&mut cache, at(65_000));
    assert_eq!(asked, [CachePoll::Doubt(PEER), solicit(Some(MAC))]);
    assert_eq!(cache.lookup(at(65_100), PEER), Some(MAC));
    for second in [66, 67] {
        assert_eq!(polled(&mut cache, at(1000 * second)), [solicit(Some(MAC))]);
    }
    let gone = polled(&mut cache, at(68_000));
    assert!(
        matches!(gone[..], [CachePoll::Unreachable { .. }]),
        "{gone:?}"
    );
    assert_eq!(cache.lookup(at(68_000), PEER), None);
}

#[test]
fn rfc4861_section_7_3_1_what_tcp_confirms_is_not_asked() {
    let mut cache = reachable();
    cache.lookup(at(60_000), PEER);
    assert_eq!(cache.poll(at(65_000)), Some(CachePoll::Doubt(PEER)));
    cache.confirm(at(65_000), PEER);
    assert_eq!(polled(&mut cache, at(65_000)), []);
    assert_eq!(cache.lookup(at(94_000), PEER), Some(MAC));
    assert_eq!(polled(&mut cache, at(99_500)), []);
}

#[test]
fn rfc4861_section_7_2_5_another_station_takes_an_address_only_by_override() {
    let mut cache = reachable();
    let moves = |replaces, solicited| Advertised {
        station: Some(OTHER),
        replaces,
        solicited,
        ..ANSWER
    };
    cache.advertised(at(100), PEER, moves(false, true));
    assert_eq!(cache.lookup(at(100), PEER), Some(MAC));
    // But what is known is doubted from then on.
    assert_eq!(polled(&mut cache, at(5_100))[0], CachePoll::Doubt(PEER));
    cache.advertised(at(5_200), PEER, moves(true, false));
    assert_eq!(cache.lookup(at(5_200), PEER), Some(OTHER));
    cache.advertised(at(5_300), PEER, ANSWER);
    assert_eq!(cache.lookup(at(5_300), PEER), Some(MAC));
}

#[test]
fn rfc4861_section_7_2_5_a_router_that_is_none_any_more_says_so() {
    let mut cache = reachable();
    let router = Advertised {
        router: true,
        ..ANSWER
    };
    assert!(!cache.advertised(at(1), PEER, router).1);
    assert!(cache.advertised(at(2), PEER, ANSWER).1);
    // Another station that is not to take its place says nothing.
    let other = Advertised {
        station: Some(OTHER),
        replaces: false,
        ..ANSWER
    };
    assert!(!cache.advertised(at(3), PEER, other).1);
}

#[test]
fn rfc4861_section_7_2_3_who_asks_is_known_and_not_confirmed() {
    let mut cache = Cache::new(CacheLimits::default());
    cache.heard(at(0), PEER, MAC);
    assert_eq!(cache.lookup(at(0), PEER), Some(MAC));
    assert_eq!(polled(&mut cache, at(5_000))[0], CachePoll::Doubt(PEER));
    // One that is being looked for is found by its own question.
    let mut cache = Cache::new(CacheLimits::default());
    cache.enqueue(at(0), PEER, frame(1));
    assert_eq!(cache.heard(at(1), PEER, MAC).len(), 1);
    assert!(cache.heard(at(2), PEER, OTHER).is_empty());
    assert_eq!(cache.lookup(at(2), PEER), Some(OTHER));
}

#[test]
fn a_flood_of_stations_displaces_none_that_is_spoken_to() {
    let mut cache = reachable();
    cache.lookup(at(1), PEER);
    let stranger = |number: u32| Ipv6Addr::from_bits(0xfe80 << 112 | u128::from(number) << 20);
    for number in 0..100_000 {
        cache.heard(at(2), stranger(number), OTHER);
    }
    assert!(cache.iter().count() <= 257, "{}", cache.iter().count());
    assert_eq!(cache.lookup(at(3), PEER), Some(MAC));
    let held = cache.held();
    // Nor do addresses that nobody has take more than there is for them.
    for number in 0..100_000 {
        cache.enqueue(at(4), stranger(200_000 + number), frame(3));
    }
    assert!(cache.held() < held + (1 << 20), "{}", cache.held());
    assert_eq!(cache.lookup(at(5), PEER), Some(MAC));
}

#[test]
fn rfc4861_section_7_2_2_made_up_neighbours_keep_places_from_others_for_a_quarter_of_a_second() {
    let limits = CacheLimits::default();
    let mut cache = Cache::new(limits);
    let made_up = |number: u16| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 1, number);
    let all = limits.all_queued_frames as u16;
    for number in 0..all {
        assert_eq!(cache.enqueue(at(0), made_up(number), frame(1)), 0);
    }
    polled(&mut cache, at(0));
    assert_eq!(cache.enqueue(at(249), PEER, frame(1)), 1);
    assert_eq!(polled(&mut cache, at(249)), []);
    assert_eq!(cache.enqueue(at(250), PEER, frame(1)), 1, "another went");
    assert_eq!(polled(&mut cache, at(250)), [solicit(None)]);
    let (frames, _) = cache.advertised(at(251), PEER, ANSWER);
    assert_eq!(frames.len(), 1);
    // Those that go are no more than there were.
    let dropped: usize = (all..3 * all)
        .map(|number| cache.enqueue(at(300), made_up(number), frame(1)))
        .sum();
    assert_eq!(dropped, 2 * usize::from(all) - 1);
    let asked = polled(&mut cache, at(300)).len();
    assert!(asked <= usize::from(all), "{asked}");
}

#[test]
fn rfc4861_section_6_3_6_who_is_asked_can_be_reached_until_the_last_question() {
    let mut cache = reachable();
    // Long after it was heard of it is used, and asked five seconds later.
    assert_eq!(cache.lookup(at(60_000), PEER), Some(MAC));
    for (second, can_be) in [(65, true), (66, true), (67, false)] {
        polled(&mut cache, at(1000 * second));
        assert_eq!(cache.is_reachable(PEER), Some(can_be), "{second} s");
    }
    polled(&mut cache, at(68_000));
    assert_eq!(cache.is_reachable(PEER), None);
}
