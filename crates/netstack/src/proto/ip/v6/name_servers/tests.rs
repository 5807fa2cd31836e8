use super::{DOMAINS, NameServers, SERVERS};
use crate::proto::Instant;
use core::net::Ipv6Addr;
use core::time::Duration;

const START: Instant = Instant::from_nanos(1_000_000_000);

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// An option: its type, and what is behind its length.
type Advertised = (u8, Vec<u8>);

fn option(kind: u8, lifetime: u32, value: &[u8]) -> Advertised {
    let body = [&[0, 0][..], &lifetime.to_be_bytes(), value].concat();
    (kind, body)
}

impl NameServers {
    fn hear(&mut self, now: Instant, (kind, body): &Advertised) -> bool {
        self.advertised(now, *kind, body)
    }
}

/// The server whose last number is this.
fn server(number: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, number)
}

fn servers(lifetime: u32, numbers: &[u16]) -> Advertised {
    let octets: Vec<_> = numbers.iter().map(|it| server(*it).octets()).collect();
    option(SERVERS, lifetime, &octets.concat())
}

fn numbers(held: &NameServers) -> Vec<u16> {
    held.servers().map(|it| it.segments()[7]).collect()
}

#[test]
fn rfc8106_5_1_servers_hold_for_their_lifetime() {
    let mut held = NameServers::default();
    assert!(held.hear(START, &servers(60, &[1, 2])));
    assert!(held.hear(START + secs(30), &servers(10, &[3])));
    assert!(
        !held.hear(START + secs(30), &servers(60, &[1])),
        "the same for longer"
    );
    assert_eq!(numbers(&held), [1, 2, 3]);
    for (at, left) in [(40, &[1, 2][..]), (60, &[1]), (90, &[])] {
        let at = START + secs(at);
        assert_eq!(held.poll_at(), Some(at));
        assert!(!held.poll(at - Duration::from_nanos(1)));
        assert!(held.poll(at));
        assert_eq!(numbers(&held), left);
    }
    assert_eq!(held.poll_at(), None);
}

#[test]
fn rfc8106_5_1_a_lifetime_of_zero_ends_it_and_one_of_all_ones_never_does() {
    let mut held = NameServers::default();
    held.hear(START, &servers(u32::MAX, &[1, 2]));
    assert_eq!(held.poll_at(), Some(Instant::FAR_FUTURE));
    assert!(held.hear(START, &servers(0, &[1])));
    assert!(!held.hear(START, &servers(0, &[9])));
    assert_eq!(numbers(&held), [2]);
}

#[test]
fn rfc8106_5_2_domains_too() {
    let mut held = NameServers::default();
    let option = option(DOMAINS, 60, b"\x03lan\x00\x07example\x03org\x00\x00\x00");
    assert!(held.hear(START, &option));
    assert!(!held.hear(START, &option));
    assert_eq!(held.domains().collect::<Vec<_>>(), ["lan", "example.org"]);
    assert!(held.poll(START + secs(60)));
    assert_eq!(held.domains().count(), 0);
}

#[test]
fn rfc8106_6_1_of_many_those_are_kept_that_hold_longest() {
    let mut held = NameServers::default();
    for number in 0..1000 {
        held.hear(START, &servers(1000 - u32::from(number), &[number]));
    }
    assert_eq!(numbers(&held), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert!(held.hear(START, &servers(2000, &[5000])));
    assert_eq!(numbers(&held), [0, 1, 2, 3, 4, 5, 6, 5000]);
    for number in 0..1000 {
        let name = format!("\x08a{number:07}\x00");
        held.hear(START, &option(DOMAINS, number + 1, name.as_bytes()));
    }
    assert_eq!(held.domains().count(), 8);
    assert_eq!(held.domains().next(), Some("a0000992"));
}

#[test]
fn what_is_malformed_costs_nothing() {
    let mut held = NameServers::default();
    held.hear(START, &servers(60, &[1]));
    for bad in [
        (SERVERS, vec![]),
        (SERVERS, vec![0; 5]),
        option(SERVERS, 60, &[]),
        option(SERVERS, 60, &[1; 24]),
        option(SERVERS, 60, &[0; 16]),
        option(SERVERS, 60, &[0xff; 16]),
        option(DOMAINS, 60, &[]),
        option(DOMAINS, 60, &[0; 16]),
        option(DOMAINS, 60, &[200; 16]),
        option(3, 60, &[1; 24]),
    ] {
        assert!(!held.hear(START, &bad), "{bad:?}");
    }
    assert_eq!((numbers(&held), held.domains().count()), (vec![1], 0));
}
