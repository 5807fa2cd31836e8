//! Servers that answer with anything: no more is sent than the time allows.

use super::server::{
    ADVERTISE, REPLY, SERVER, address, answer, association, grant, option, status, value,
};
use super::{Client, MAC, START, client, converse, seconds};
use crate::proto::random::Random;

/// The most messages that a client sends in so many seconds to servers that grant nothing of use.
const fn most(seconds: u64) -> usize {
    // A burst at first, and then no more often than each refusal's wait grows to.
    24 + seconds as usize / 20
}

#[test]
fn servers_that_refuse_are_asked_ever_more_seldom() {
    for refusal in [2, 4, 6, 99] {
        let mut client = client();
        let messages = converse(&mut client, START, seconds(4000), |message| {
            Some(match message[0] {
                1 => [grant(message, ADVERTISE, 3600), option(7, &[255])].concat(),
                _ => {
                    let options = [association(message, (0, 0), &[status(refusal)])];
                    answer(message, REPLY, SERVER, &options)
                }
            })
        });
        assert!(
            messages.len() <= most(4000),
            "{refusal}: {}",
            messages.len()
        );
    }
}

#[test]
fn grants_that_are_of_no_use_are_asked_for_ever_more_seldom() {
    for valid in [0, 1, 9, 10, 12] {
        let mut client = client();
        let messages = converse(&mut client, START, seconds(4000), |message| {
            let options = [
                association(message, (1, 1), &[address("2001:db8::50", valid, valid)]),
                option(7, &[255]),
                option(14, &[]),
            ];
            let kind = if message[0] == 1 { ADVERTISE } else { REPLY };
            // It grants and never extends.
            (message[0] < 5).then(|| answer(message, kind, SERVER, &options))
        });
        assert!(
            messages.len() <= 2 * most(4000),
            "{valid} s: {}",
            messages.len()
        );
    }
}

#[test]
fn a_server_that_knows_nothing_of_what_it_grants_is_asked_at_the_times_of_a_lease() {
    let mut client = client();
    let messages = converse(&mut client, START, seconds(4000), |message| {
        Some(match message[0] {
            1 => [grant(message, ADVERTISE, 20), option(7, &[255])].concat(),
            5 | 6 => answer(
                message,
                REPLY,
                SERVER,
                &[association(message, (1, 1), &[status(3)])],
            ),
            _ => grant(message, REPLY, 20),
        })
    });
    // Each ten seconds a Renew and a Request.
    assert!(messages.len() <= 4 + 2 * 400, "{}", messages.len());
}

#[test]
fn a_thousand_servers_that_say_anything_do_no_harm() {
    for seed in 0..1000_u64 {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let mut random = Random::new(key);
        let mut client = Client::new(START, MAC, key);
        let mut sent = 0;
        converse(&mut client, START, seconds(2000), |message| {
            sent += 1;
            let kind = [ADVERTISE, REPLY, random.next_u32() as u8][random.next_u32() as usize % 3];
            let mut options = Vec::new();
            for _ in 0..random.next_u32() % 4 {
                let times = (random.next_u32() % 40, random.next_u32() % 40);
                let offered = address(
                    "2001:db8::50",
                    random.next_u32() % 40,
                    random.next_u32() % 40,
                );
                options.push(match random.next_u32() % 5 {
                    0 => status(random.next_u32() as u16 % 8),
                    1 => option(14, &[]),
                    2 => option(7, &[random.next_u32() as u8]),
                    _ if value(&message[4..], 3).is_none() => option(32, &[0; 4]),
                    3 => association(message, times, &[offered]),
                    _ => association(message, times, &[status(random.next_u32() as u16 % 8)]),
                });
            }
            let mut answer = answer(message, kind, SERVER, &options);
            if random.next_u32().is_multiple_of(4) {
                let at = random.next_u32() as usize % answer.len();
                answer[at] = random.next_u32() as u8;
            }
            Some(answer)
        });
        // One that grants for ten seconds is asked each five.
        assert!(sent <= 24 + 2000 / 2, "seed {seed}: {sent}");
    }
}

#[test]
fn a_server_that_grants_ever_more_addresses_fills_no_memory() {
    let mut client = client();
    let mut granted = 0;
    converse(&mut client, START, seconds(4000), |message| {
        let addresses: Vec<_> = (0..8)
            .map(|_| {
                granted += 1;
                address(&format!("2001:db8::{granted:x}"), u32::MAX, u32::MAX)
            })
            .collect();
        let options = [association(message, (1, 1), &addresses), option(14, &[])];
        Some(answer(message, REPLY, SERVER, &options))
    });
    assert!(granted > 100, "it was asked {granted} times");
    let lease = client.lease().expect("held");
    assert_eq!(lease.addresses.len(), 8);
    assert_eq!(
        lease.addresses[0].address.segments()[7],
        1,
        "the first stay"
    );
}
