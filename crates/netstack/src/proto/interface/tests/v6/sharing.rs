//! Routers that are alike share what goes beyond the link (RFC 4311).

use super::discovery::{advertise, give, prefix, young_of};
use super::{Ipv6, Ipv6Addr, Pair, icmp, v6};
use crate::proto::ip::v6::ALL_NODES;
use core::time::Duration;
use std::array;

const DESTINATIONS: usize = 300;
/// Flags of an advertisement (RFC 4191 §2.2).
const LOW: u8 = 0x18;

/// One of three routers says that it is one, for so many seconds; where it is, too.
fn says(pair: &mut Pair, router: u8, lifetime: u16, flags: u8) {
    says_with(pair, router, lifetime, flags, &[]);
}

/// The same with another option.
fn says_with(pair: &mut Pair, router: u8, lifetime: u16, flags: u8, option: &[u8]) {
    let station = [1, 1, 2, 0, 0, 0, 1, router];
    let source = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, router.into());
    let advertisement = advertise(lifetime, flags, &[&station, option]);
    give(pair, icmp(source, ALL_NODES, 255, &advertisement[54..]));
}

/// A stack with a seed on a link with three routers that are alike.
fn shared(seed: u8) -> Pair {
    let mut pair = young_of(seed, &Ipv6::default().dad_transmits(0));
    (0..3).for_each(|router| says(&mut pair, router, 1800, 0));
    pair
}

/// By which router a packet goes.
fn router(pair: &mut Pair, destination: usize) -> u8 {
    let destination = v6(&format!("2001:db8::{destination:x}"));
    let frame = pair.call(0, |stack, now, out| {
        let sent = stack.send_echo_request(now, destination, 1, 1, b"", out);
        sent.expect("a route");
        out.0.pop().expect("a frame to a station that is known")
    });
    assert_eq!(frame[..5], [2, 0, 0, 0, 1]);
    frame[5]
}

fn routers(pair: &mut Pair) -> [u8; DESTINATIONS] {
    array::from_fn(|destination| router(pair, destination))
}

#[test]
fn rfc4311_2_destinations_are_shared_by_routers_that_are_alike_and_each_has_one() {
    let mut pair = shared(1);
    let by = routers(&mut pair);
    for router in 0..3 {
        let share = by.iter().filter(|it| **it == router).count();
        let even = DESTINATIONS / 3;
        assert!(
            (even * 3 / 4..even * 5 / 4).contains(&share),
            "{share} of {DESTINATIONS} by {router}"
        );
    }
    assert_eq!(routers(&mut pair), by, "the same again");
    assert_ne!(
        routers(&mut shared(2)),
        by,
        "no other host can be foretold from this one"
    );
}

#[test]
fn rfc4311_2_one_that_goes_or_comes_moves_only_what_goes_by_it() {
    let mut pair = shared(1);
    let by = routers(&mut pair);
    says(&mut pair, 1, 0, 0);
    let without = routers(&mut pair);
    for (before, after) in by.into_iter().zip(without) {
        assert!(before == after || before == 1);
        assert_ne!(after, 1);
    }
    let taken = |router| (0..DESTINATIONS).any(|at| by[at] == 1 && without[at] == router);
    assert!(taken(0) && taken(2), "the others share what was its");
    says(&mut pair, 1, 1800, 0);
    assert_eq!(routers(&mut pair), by);
}

#[test]
fn rfc4311_2_those_that_are_less_preferred_or_do_not_answer_have_no_share() {
    let mut pair = shared(1);
    let by = routers(&mut shared(1));
    let first = (0..DESTINATIONS).find(|at| by[*at] == 0).expect("one");
    // It is used, asked whether it is there (RFC 4861 §7.3.2), and does not answer.
    assert_eq!(router(&mut pair, first), 0);
    pair.run(Duration::from_secs(9));
    let without = routers(&mut pair);
    assert!(!without.contains(&0));
    assert!((0..DESTINATIONS).all(|at| by[at] == without[at] || by[at] == 0));
    says(&mut pair, 2, 1800, LOW);
    assert_eq!(routers(&mut pair), [1; DESTINATIONS]);
}

#[test]
fn rfc8028_2_routers_of_other_prefixes_are_not_alike() {
    // On the link or not, with addresses from DHCPv6 or without.
    for flags in [0xc0, 0x80, 0x40, 0] {
        let mut pair = shared(1);
        let [first, second] = ["fd00:1::/64", "fd00:2::/64"].map(|it| {
            let mut option = prefix(it, 7200, 3600);
            option[3] = flags;
            option
        });
        says_with(&mut pair, 0, 1800, 0, &first);
        assert_eq!(routers(&mut pair), [0; DESTINATIONS]);
        says_with(&mut pair, 1, 1800, 0, &second);
        assert_eq!(routers(&mut pair), [0; DESTINATIONS]);
        says_with(&mut pair, 2, 1800, 0, &first);
        let by = routers(&mut pair);
        assert!(by.contains(&0) && by.contains(&2) && !by.contains(&1));
    }
}
