//! Sieges in virtual time: connections come faster than memory has room for, from one address or from many, and stay. Honest
//! clients beside them are served, and lose no connection, while it lasts and afterwards.

mod siege;
mod wire;

use siege::{Manner, Origin, Siege};

/// Strangers come, so many in each millisecond, beside clients that pause between requests for up to two seconds, and
/// beside one that connects anew for each.
fn honest_clients_are_served(origin: Origin, manner: Manner, rate: u32) {
    let mut siege = Siege::new();
    siege.honest(&[100, 500, 2000, 1000, 200]);
    siege.honest(&[2000]);
    siege.honest(&[]);
    // They have been there for some time.
    siege.wait(5000);
    siege.outcome();
    siege.besiege(origin, manner, rate, 4000);
    assert!(
        siege.ended() > 500,
        "{} strangers were ended",
        siege.ended()
    );
    assert_served(&mut siege);
    siege.wait(3000);
    assert_served(&mut siege);
}

#[track_caller]
fn assert_served(siege: &mut Siege) {
    for (client, outcome) in siege.outcome().iter().enumerate() {
        println!("client {client}: {outcome:?}");
        assert!(outcome.served > 0, "client {client}");
        assert_eq!(outcome.resets, 0, "client {client}");
        assert!(
            outcome.longest < 1000,
            "client {client}: {} ms",
            outcome.longest
        );
    }
}

#[test]
fn connections_of_one_address_that_carry_an_octet() {
    honest_clients_are_served(Origin::One, Manner::Octet, 4);
}

#[test]
fn connections_of_one_address_that_say_something_now_and_then() {
    honest_clients_are_served(Origin::One, Manner::Ticks, 1);
}

#[test]
fn closed_windows_of_some_addresses() {
    honest_clients_are_served(Origin::Many(64), Manner::Closed, 4);
}

#[test]
fn gaps_of_some_addresses() {
    honest_clients_are_served(Origin::Many(64), Manner::Gap, 4);
}

#[test]
fn silent_connections_each_of_an_address_of_its_own() {
    honest_clients_are_served(Origin::Many(10_000), Manner::Nothing, 4);
}

#[test]
fn gaps_each_of_an_address_of_its_own() {
    honest_clients_are_served(Origin::Many(10_000), Manner::Gap, 4);
}

#[test]
fn connections_that_carry_an_octet_each_of_an_address_of_its_own() {
    honest_clients_are_served(Origin::Many(10_000), Manner::Octet, 4);
}

#[test]
fn connections_that_say_something_now_and_then_each_of_an_address_of_its_own() {
    honest_clients_are_served(Origin::Many(10_000), Manner::Ticks, 4);
}
