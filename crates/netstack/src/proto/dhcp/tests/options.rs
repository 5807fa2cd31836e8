//! How options are read: those of routes, those that go on elsewhere, and those that are wrong.

use super::server::{ACK, OFFER, REQUEST, bare, kind};
use super::{Event, OURS, Options, SERVER, START, answer, client, lease_of, option, reply, send};
use core::net::Ipv4Addr;

#[test]
fn rfc3442_classless_routes_take_the_place_of_routers() {
    let lease_time: (u8, &[u8]) = (51, &[0, 0, 14, 16]);
    let mask: (u8, &[u8]) = (1, &[255, 255, 255, 0]);
    let routes = [
        &[0, 10, 0, 0, 3][..],
        &[8, 11, 10, 0, 0, 4],
        &[25, 12, 1, 2, 128, 10, 0, 0, 5],
        &[32, 13, 1, 2, 3, 0, 0, 0, 0],
    ]
    .concat();
    let options: Options<'_> = &[lease_time, mask, (3, &[10, 0, 0, 9]), (121, &routes)];
    let lease = lease_of(&mut client(), OURS, options).expect("bound");
    let shown: Vec<_> = lease
        .routes
        .iter()
        .map(|route| format!("{} {}", route.destination, route.gateway))
        .collect();
    let expected = [
        "0.0.0.0/0 10.0.0.3",
        "11.0.0.0/8 10.0.0.4",
        "12.1.2.128/25 10.0.0.5",
        "13.1.2.3/32 0.0.0.0",
    ];
    assert_eq!(shown, expected);
    assert_eq!(lease.gateway, Some([10, 0, 0, 3].into()));
    // One that cannot be read counts as none: then the router does.
    for bad in [
        &[33, 1, 2, 3, 4, 5, 10, 0, 0, 3][..],
        &[0, 10, 0, 0],
        &[24, 1, 2],
        &[],
    ] {
        let options: Options<'_> = &[lease_time, mask, (3, &[10, 0, 0, 9]), (121, bad)];
        let lease = lease_of(&mut client(), OURS, options).expect("bound");
        assert_eq!(lease.gateway, Some([10, 0, 0, 9].into()), "{bad:?}");
    }
}

#[test]
fn a_router_outside_of_the_network_is_reached_on_the_link() {
    let options: Options<'_> = &[(51, &[0, 0, 14, 16]), (1, &[255; 4]), (3, &[10, 128, 0, 1])];
    let lease = lease_of(&mut client(), OURS, options).expect("bound");
    assert_eq!(lease.address.prefix(), 32);
    let routes: Vec<_> = lease
        .routes
        .iter()
        .map(|route| (route.destination.to_string(), route.gateway))
        .collect();
    let router = Ipv4Addr::new(10, 128, 0, 1);
    let expected = [
        ("0.0.0.0/0".to_owned(), router),
        ("10.128.0.1/32".to_owned(), Ipv4Addr::UNSPECIFIED),
    ];
    assert_eq!(routes, expected);
}

#[test]
fn rfc2131_section_4_1_options_go_on_in_file_and_sname() {
    for overload in [1, 2, 3] {
        let mut client = client();
        for kind in [OFFER, ACK] {
            let request = send(&mut client, START);
            let mut message = bare(&request.payload, OURS, &[(53, &[kind]), (52, &[overload])]);
            let file = [1, 4, 255, 255, 0, 0, 51, 4, 0, 0, 14, 16, 255];
            let sname = [54, 4, 10, 0, 0, 1, 6, 4, 10, 0, 0, 7, 255];
            // What one field does not hold is in the other.
            let both = [&file[..12], &sname].concat();
            let (file, sname): (&[u8], &[u8]) = match overload {
                1 => (&both, &[]),
                2 => (&[], &both),
                _ => (&file, &sname),
            };
            message[108..][..file.len()].copy_from_slice(file);
            message[44..][..sname.len()].copy_from_slice(sname);
            client.handle(START, &message);
        }
        let lease = client.lease().expect("bound");
        assert_eq!(lease.address.prefix(), 16, "overload {overload}");
        assert_eq!(lease.dns, [Ipv4Addr::new(10, 0, 0, 7)]);
    }
}

#[test]
fn rfc3396_section_5_parts_of_an_option_are_joined() {
    let options: Options<'_> = &[
        (51, &[0, 0, 14, 16]),
        (6, &[10, 0, 0, 1, 8, 8]),
        (1, &[255, 255, 255, 0]),
        (6, &[8, 8]),
    ];
    let lease = lease_of(&mut client(), OURS, options).expect("bound");
    assert_eq!(lease.dns, [SERVER, [8, 8, 8, 8].into()]);
}

#[test]
fn rfc2132_3_17_and_8_3_domain_and_time_servers_are_asked_for_and_kept_until_others_are_named() {
    let lease_time: (u8, &[u8]) = (51, &[0, 0, 14, 16]);
    let named: Options<'_> = &[
        lease_time,
        (15, b"example.org"),
        (42, &[10, 0, 0, 3, 0, 0, 0, 0, 10, 0, 0, 4]),
    ];
    let mut client = client();
    let lease = lease_of(&mut client, OURS, named).expect("bound");
    assert_eq!(lease.domain.as_deref(), Some("example.org"));
    let servers = [[10, 0, 0, 3], [10, 0, 0, 4]].map(Ipv4Addr::from);
    assert_eq!(lease.ntp, servers);
    // A renewal that does not speak of them, and one that does.
    let renewals: [(Options<'_>, &str); 2] = [
        (&[lease_time], "example.org"),
        (&[lease_time, (15, b"other.example.")], "other.example"),
    ];
    for (options, domain) in renewals {
        let now = client.poll_at(START);
        let request = send(&mut client, now);
        let asked = option(&request.payload, 55).expect("a list of parameters");
        assert!(asked.contains(&15) && asked.contains(&42), "{asked:?}");
        let answer = reply(&request.payload, SERVER, (ACK, OURS), options);
        let event = client.handle(now, &answer);
        assert!(
            matches!(event, Some(Event::Renewed | Event::Bound(_))),
            "{event:?}"
        );
        let lease = client.lease().expect("bound");
        assert_eq!(lease.domain.as_deref(), Some(domain));
        assert_eq!(lease.ntp, servers);
    }
}

#[test]
fn a_domain_is_one_that_can_be_asked_for() {
    let label = [b'a'; 63];
    let dotted = |count: usize| vec![&label[..]; count].join(&b'.');
    for (value, domain) in [
        (&b"example.org\0"[..], Some("example.org")),
        (b"a_b-c.d", Some("a_b-c.d")),
        (b"", None),
        (b".", None),
        (b"a..b", None),
        (b"a b", None),
        (b"\x1b[2J", None),
        (b"\xff", None),
        (&[b'a'; 64], None),
        (&dotted(4), None),
    ] {
        let options: Options<'_> = &[(51, &[0, 0, 14, 16]), (15, value)];
        let lease = lease_of(&mut client(), OURS, options).expect("bound");
        assert_eq!(lease.domain.as_deref(), domain, "{value:?}");
    }
}

#[test]
fn a_bad_option_costs_itself_and_not_the_offer() {
    let bad: Options<'_> = &[
        (1, &[255, 0, 255, 0]),
        (1, &[0; 4]),
        (1, &[255]),
        (3, &[10, 0, 0]),
        (6, &[10, 0, 0, 1, 9]),
        (12, &[255]),
        (15, &[2, 255, 254]),
        (19, &[]),
        (26, &[5]),
        (42, &[1, 2, 3, 4, 5]),
        (51, &[]),
        (53, &[]),
        (54, &[1]),
        (58, &[1, 2]),
        (59, &[1; 8]),
        (81, &[0]),
        (119, &[192, 255]),
        (121, &[99]),
    ];
    for (code, value) in bad {
        let mut options = vec![(*code, *value)];
        let good: Options<'_> = &[
            (53, &[OFFER]),
            (54, &[10, 0, 0, 1]),
            (51, &[0, 0, 14, 16]),
            (1, &[255, 255, 255, 0]),
            (3, &[10, 0, 0, 1]),
        ];
        options.extend(good);
        let mut client = client();
        let discover = send(&mut client, START);
        client.handle(START, &bare(&discover.payload, OURS, &options));
        let request = send(&mut client, START);
        assert_eq!(kind(&request.payload), REQUEST, "option {code}: {value:?}");
    }
}

/// An option that would reach beyond the message is none, and costs nothing that came before it.
#[test]
fn an_option_that_is_cut_off_ends_the_options() {
    let mut client = client();
    let discover = send(&mut client, START);
    let mut offer = answer(&discover, OFFER, 3600);
    offer.pop();
    offer.extend([26, 200, 5]);
    client.handle(START, &offer);
    assert_eq!(kind(&send(&mut client, START).payload), REQUEST);
}

/// Every option with every length that matters, with a transaction identifier of ours and of others.
#[test]
fn no_option_does_harm() {
    for code in 0..=255_u8 {
        for len in 0..=20 {
            for pattern in [0_u8, 1, 32, 0x7f, 0xc0, 0xff] {
                let mut client = client();
                let discover = send(&mut client, START);
                let value = vec![pattern; len];
                let mut message = bare(&discover.payload, OURS, &[(53, &[2]), (code, &value)]);
                client.handle(START, &message);
                message[4] ^= 0xff;
                client.handle(START, &message);
                assert!(client.lease().is_none());
            }
        }
    }
}
