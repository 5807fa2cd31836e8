use super::{Answers, BURST, RATE, SOURCES};
use std::{
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

const OWN: [u16; 4] = [3000, 3009, 3019, 3013];
const HEADERS: u64 = 28;

fn source(last: u32, port: u16) -> SocketAddr {
    (Ipv4Addr::from_bits(0x0a00_0000 + last), port).into()
}

/// Octets that `answers` sends to one source in answer to many datagrams.
fn sent(answers: &mut Answers, now: Instant, octets: usize) -> u64 {
    let allowed = (0..10_000).filter(|_| answers.allow(now, source(9, 40_000), true, octets));
    allowed.count() as u64 * (HEADERS + octets as u64)
}

#[test]
fn neither_services_nor_many_are_answered() {
    let mut answers = Answers::new(OWN);
    let now = Instant::now();
    for port in OWN.into_iter().chain([0, 7, 19, 53, 1023]) {
        assert!(!answers.allow(now, source(9, port), true, 1), "port {port}");
    }
    assert!(!answers.allow(now, source(9, 40_000), false, 1));
    for port in [1024, 2999, 3001, 65_535] {
        assert!(answers.allow(now, source(9, port), true, 1), "port {port}");
    }
}

#[test]
fn one_source_gets_a_burst_and_then_its_rate() {
    for octets in [0, 1, 444, 1472] {
        let mut answers = Answers::new(OWN);
        let packet = HEADERS + octets as u64;
        let start = Instant::now();
        let first = sent(&mut answers, start, octets);
        assert!(first <= BURST && first > BURST - packet, "{first}");
        // Ten seconds, asked a thousand times each.
        let later: u64 = (1..=10_000)
            .map(|step| {
                let now = start + Duration::from_millis(step);
                let allowed = answers.allow(now, source(9, 40_000), true, octets);
                u64::from(allowed) * packet
            })
            .sum();
        let asked = 10_000 * packet;
        let least = asked.min(10 * RATE - packet);
        assert!(
            (least..=10 * RATE + packet).contains(&later),
            "{octets} octets: {later}"
        );
    }
}

#[test]
fn after_a_long_silence_it_is_the_burst_again_and_no_more() {
    let mut answers = Answers::new(OWN);
    let start = Instant::now();
    sent(&mut answers, start, 444);
    let year = Duration::from_secs(365 * 24 * 3600);
    let again = sent(&mut answers, start + year, 444);
    assert!(again <= BURST && again > BURST - HEADERS - 444, "{again}");
}

#[test]
fn the_table_is_bounded_and_forgets_those_who_have_their_burst_again() {
    let mut answers = Answers::new(OWN);
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let count = |answers: &mut Answers, now, from: u32| {
        let sources = from..from + 4 * SOURCES as u32;
        sources
            .filter(|last| answers.allow(now, source(*last, 40_000), true, 444))
            .count()
    };
    assert_eq!(count(&mut answers, at(10), 0), SOURCES);
    assert_eq!(count(&mut answers, at(10), 100_000), 0);
    assert_eq!(answers.sources.len(), SOURCES);
    assert_eq!(count(&mut answers, at(12), 200_000), SOURCES);
    assert_eq!(answers.sources.len(), SOURCES);
}
