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
    fn hear(&mut self, now: Instant, option: &Advertised) -> bool {
        self.hear_from(now, 1, option)
    }

    /// An option of one of many routers, of which none has shown that it is there.
    fn hear_from(&mut self, now: Instant, router: u16, (kind, body): &Advertised) -> bool {
        self.advertised(now, server(router), (*kind, body), |_| false)
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
    assert_eq!(numbers(&held), [3, 1, 2]);
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
fn rfc8106_6_1_new_servers_are_asked_before_old_ones_in_the_order_of_their_option() {
    let mut held = NameServers::default();
    held.hear(START, &servers(60, &[1, 2]));
    held.hear(START, &servers(60, &[2, 3, 1, 4]));
    assert_eq!(numbers(&held), [3, 4, 1, 2]);
}

#[test]
fn a_full_list_of_servers_without_an_end_lets_a_router_in() {
    let mut held = NameServers::default();
    for number in 100..1100 {
        held.hear_from(START, number, &servers(u32::MAX, &[number]));
        let name = format!("\x08a{number:07}\x00");
        held.hear_from(START, number, &option(DOMAINS, u32::MAX, name.as_bytes()));
    }
    assert_eq!(numbers(&held), [107, 106, 105, 104, 103, 102, 101, 100]);
    assert_eq!(held.domains().count(), 8);
    // It has not shown that it is there, nor have the others.
    assert!(held.hear(START + secs(1), &servers(60, &[1, 2])));
    assert_eq!(numbers(&held), [1, 2, 105, 104, 103, 102, 101, 100]);
    // One that has is heard at once, and what it repeats stays.
    let proven = |router| router == server(2);
    let (kind, body) = servers(u32::MAX, &[3]);
    assert!(held.advertised(START + secs(1), server(2), (kind, &body), proven));
    for number in 2000..3000 {
        let now = START + secs(u64::from(number) - 1998);
        held.hear_from(now, number, &servers(u32::MAX, &[number]));
    }
    assert!(numbers(&held).contains(&3));
}

#[test]
fn rfc8106_5_1_who_may_not_be_there_changes_nothing_of_what_a_router_says_that_is() {
    let mut held = NameServers::default();
    let mut hear = |router, lifetime, number, there: u16| {
        let (kind, body) = servers(lifetime, &[number]);
        let is_there = |router| router == server(there);
        let changed = held.advertised(START, server(router), (kind, &body), is_there);
        (changed, held.poll_at())
    };
    let minute = Some(START + secs(60));
    assert_eq!(hear(2, 60, 1, 2), (true, minute));
    for lifetime in [0, 10, u32::MAX] {
        assert_eq!(hear(9, lifetime, 1, 0), (false, minute), "{lifetime}");
    }
    // It shows later that it is there; and of itself it may say anything.
    let half = Some(START + secs(30));
    assert_eq!(hear(3, 30, 4, 0), (true, half));
    assert_eq!(hear(9, 0, 4, 3), (false, half));
    assert_eq!(hear(3, 0, 4, 0), (true, minute));
    // Another that is there is heard, and anybody of what nobody vouches for.
    assert_eq!(hear(9, 0, 1, 9), (true, None));
    assert_eq!(hear(3, 30, 4, 0), (true, half));
    assert_eq!(hear(9, 60, 4, 0), (false, minute));
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
