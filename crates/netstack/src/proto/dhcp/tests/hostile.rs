//! What a server or a neighbour may try, and what table 5 asks of us.

use super::server::{ACK, DISCOVER, NAK, OFFER, REQUEST, kind, reply, xid};
use super::{MAC, OURS, Options, SERVER, START, answer, bound, client, lease_of, seconds, send};
use crate::proto::dhcp::{Event, Outgoing};
use core::net::Ipv4Addr;

#[test]
fn rfc2131_section_3_1_a_request_says_the_seconds_of_its_discover() {
    let seconds_of = |outgoing: &Outgoing| outgoing.payload[8..10].to_vec();
    let mut client = client();
    send(&mut client, START);
    let mut now = client.poll_at(START);
    let discover = send(&mut client, now);
    assert_ne!(seconds_of(&discover), [0, 0]);
    now += seconds(2);
    client.handle(now, &answer(&discover, OFFER, 3600));
    for _ in 0..3 {
        let request = send(&mut client, now);
        assert_eq!(kind(&request.payload), REQUEST);
        assert_eq!(seconds_of(&request), seconds_of(&discover));
        now = client.poll_at(now);
    }
}

#[test]
fn rfc2131_table_5_farewells_say_no_seconds() {
    let later = START + seconds(100);
    let mut client = bound(3600);
    client.decline(later);
    assert_eq!(send(&mut client, later).payload[8..10], [0, 0]);
    let mut client = bound(3600);
    client.release();
    assert_eq!(send(&mut client, later).payload[8..10], [0, 0]);
}

#[test]
fn rfc3442_a_route_by_ourselves_is_left_out() {
    let mut routes = vec![0];
    routes.extend(OURS.octets());
    routes.extend([8, 11, 10, 0, 0, 4]);
    let options: Options<'_> = &[
        (51, &[0, 0, 14, 16]),
        (1, &[255, 255, 255, 0]),
        (121, &routes),
    ];
    let lease = lease_of(&mut client(), OURS, options).expect("a lease");
    assert_eq!(lease.gateway, None);
    let routers: Vec<_> = lease.routes.iter().map(|route| route.gateway).collect();
    assert_eq!(routers, [Ipv4Addr::new(10, 0, 0, 4)]);
}

#[test]
fn rfc3442_no_more_routes_are_taken_than_there_is_room_for() {
    let routes: Vec<u8> = (0..300_u32)
        .flat_map(|n| {
            [
                24,
                11,
                (n >> 8) as u8,
                n as u8,
                192,
                168,
                (n >> 8) as u8,
                n as u8 | 1,
            ]
        })
        .collect();
    let mut options: Vec<(u8, &[u8])> = vec![(51, &[0, 0, 14, 16]), (1, &[255, 255, 255, 0])];
    options.extend(routes.chunks(255).map(|part| (121, part)));
    let lease = lease_of(&mut client(), OURS, &options).expect("a lease");
    assert!(
        (32..=64).contains(&lease.routes.len()),
        "{}",
        lease.routes.len()
    );
}

#[test]
fn rfc6842_section_3_an_answer_to_another_client_identifier_is_passed_over() {
    let theirs: Options<'_> = &[(51, &[0, 0, 14, 16]), (61, &[255, 1, 2, 3])];
    let mut client = client();
    let discover = send(&mut client, START);
    client.handle(
        START,
        &reply(&discover.payload, SERVER, (OFFER, OURS), theirs),
    );
    assert_eq!(client.poll(START), (None, None));
    let ours = [&[1], MAC.0.as_slice()].concat();
    // One that is too short to be any costs itself only.
    for identifier in [ours.as_slice(), &[]] {
        let mut client = super::client();
        let options: Options<'_> = &[(51, &[0, 0, 14, 16]), (61, identifier)];
        assert!(lease_of(&mut client, OURS, options).is_some());
    }
}

#[test]
fn rfc2131_section_4_4_1_an_acknowledgement_of_a_past_exchange_is_passed_over() {
    let mut client = bound(3600);
    let t1 = client.poll_at(START);
    let renewal = send(&mut client, t1);
    let ack = answer(&renewal, ACK, 3600);
    assert_eq!(client.handle(t1, &ack), Some(Event::Renewed));
    let due = client.poll_at(t1);
    // The same again, and in the next exchange.
    assert_eq!(client.handle(t1, &ack), None);
    assert_eq!(client.handle(t1, &answer(&renewal, NAK, 0)), None);
    let next = send(&mut client, due);
    assert_ne!(xid(&next.payload), xid(&renewal.payload));
    assert_eq!(client.handle(due, &ack), None);
    assert_eq!(client.handle(due, &answer(&renewal, NAK, 0)), None);
    assert!(client.lease().is_some());
}

#[test]
fn rfc2131_section_4_4_1_an_address_declined_again_and_again_is_asked_for_each_ten_seconds() {
    let (mut client, mut now, mut messages) = (client(), START, 0);
    while now < START + seconds(600) {
        if let (Some(outgoing), _) = client.poll(now) {
            messages += 1;
            let kind = if kind(&outgoing.payload) == DISCOVER {
                OFFER
            } else {
                ACK
            };
            client.handle(now, &answer(&outgoing, kind, 3600));
            client.decline(now);
        }
        now = now.max(client.poll_at(now));
    }
    assert!((150..=183).contains(&messages), "{messages}");
}

#[test]
fn addresses_that_no_host_can_have_are_not_taken() {
    for address in [
        [0, 0, 0, 0],
        [0, 0, 0, 1],
        [127, 0, 0, 1],
        [224, 0, 0, 1],
        [240, 0, 0, 1],
        [255; 4],
        // Of the network, of all that are in it, and the server's own.
        [10, 0, 0, 0],
        [10, 0, 0, 255],
        SERVER.octets(),
    ] {
        let mut client = client();
        let discover = send(&mut client, START);
        let options: Options<'_> = &[(51, &[0, 0, 14, 16]), (1, &[255, 255, 255, 0])];
        let offer = reply(&discover.payload, SERVER, (OFFER, address.into()), options);
        client.handle(START, &offer);
        assert_eq!(client.poll(START), (None, None), "{address:?}");
    }
}

#[test]
fn answers_to_others_and_hostile_bytes_are_passed_over() {
    let mut client = client();
    let discover = send(&mut client, START);
    let good = answer(&discover, OFFER, 60);
    let mut changed = Vec::new();
    // op, htype, hlen, xid, chaddr, magic cookie
    for at in [0, 1, 2, 4, 28, 33, 236, 239] {
        let mut bad = good.clone();
        bad[at] ^= 3;
        changed.push(bad);
    }
    changed.extend((0..240).map(|len| good[..len].to_vec()));
    for bad in changed {
        assert_eq!(client.handle(START, &bad), None);
        assert_eq!(
            client.poll(START),
            (None, None),
            "an answer of {} octets",
            bad.len()
        );
    }
    client.handle(START, &good);
    send(&mut client, START);
}
