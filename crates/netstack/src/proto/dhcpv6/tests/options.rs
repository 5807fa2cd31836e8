//! How options are read: those that are lists, and those that are wrong.

use super::server::{
    ADVERTISE, REPLY, REQUEST, SERVER, SOLICIT, address, answer, association, grant, option, value,
};
use super::{Client, Event, Lease, MAC, OURS, START, client, seconds, send};
use core::net::Ipv6Addr;

/// The lease that comes of a grant with these options beside it.
fn lease_with(options: &[Vec<u8>]) -> Lease {
    let (mut client, mut now) = (client(), START);
    let solicit = send(&mut client, &mut now);
    client.handle(now, &grant(&solicit, ADVERTISE, 3600));
    let request = send(&mut client, &mut now);
    let reply = [grant(&request, REPLY, 3600), options.concat()].concat();
    match client.handle(now, &reply) {
        Some(Event::Bound(lease)) => lease,
        event => panic!("{event:?}"),
    }
}

#[test]
fn rfc3646_and_rfc5908_servers_and_domains_are_handed_on() {
    let servers = ["2001:db8::1", "2001:db8::2", "2001:db8::3"];
    let [first, second, third] = servers.map(|text| text.parse::<Ipv6Addr>().expect("one"));
    let both = [first.octets(), second.octets()].concat();
    let lease = lease_with(&[
        option(23, &both),
        option(24, b"\x07example\x03org\x00\x03lan\x00"),
        option(31, &first.octets()),
        // By address, by multicast address, by name, and the first once more.
        option(
            56,
            &[option(1, &third.octets()), option(2, &[0xff; 16])].concat(),
        ),
        option(
            56,
            &[option(3, b"\x03ntp\x00"), option(1, &first.octets())].concat(),
        ),
    ]);
    assert_eq!(lease.information.dns, [first, second]);
    assert_eq!(lease.information.domains, ["example.org", "lan"]);
    assert_eq!(lease.information.ntp, [first, third]);
}

#[test]
fn what_an_extension_does_not_name_stays() {
    let (mut client, mut now) = (client(), START);
    let solicit = send(&mut client, &mut now);
    client.handle(now, &grant(&solicit, ADVERTISE, 3600));
    let request = send(&mut client, &mut now);
    let dns = option(23, &OURS.octets());
    client.handle(now, &[grant(&request, REPLY, 3600), dns].concat());
    let renew = send(&mut client, &mut now);
    let domains = option(24, b"\x03lan\x00");
    client.handle(now, &[grant(&renew, REPLY, 3600), domains].concat());
    let information = &client.lease().expect("bound").information;
    assert_eq!(information.dns, [OURS]);
    assert_eq!(information.domains, ["lan"]);
}

#[test]
fn a_bad_option_costs_itself_and_not_the_lease() {
    for bad in [
        option(7, &[]),
        option(8, &[1]),
        option(13, &[1]),
        option(23, &[1; 15]),
        option(23, &[0; 16]),
        option(23, &[0xff; 16]),
        option(24, &[200, 1]),
        option(31, &[9; 33]),
        option(32, &[1, 2]),
        option(56, &[0, 1, 0, 16, 1]),
        option(82, &[1]),
        option(83, &[0; 5]),
        option(9999, &[1; 300]),
        // It would reach beyond the message.
        vec![0, 23, 0, 200, 1],
        vec![0, 23, 0],
    ] {
        let lease = lease_with(core::slice::from_ref(&bad));
        assert_eq!(lease.addresses[0].address, OURS);
        assert_eq!(lease.information.dns, [Ipv6Addr::LOCALHOST; 0], "{bad:?}");
    }
}

#[test]
fn rfc8415_16_what_is_no_answer_to_us_is_passed_over() {
    let (mut client, mut now) = (client(), START);
    let solicit = send(&mut client, &mut now);
    let good = grant(&solicit, ADVERTISE, 3600);
    let mut stranger = good.clone();
    stranger[8 + 9] ^= 1;
    let mut transaction = good.clone();
    transaction[3] ^= 1;
    let without = |code: u16| {
        let mut message = good[..4].to_vec();
        for other in [1, 2, 3] {
            let kept = value(&good[4..], other).filter(|_| other != code);
            message.extend(kept.map(|value| option(other, value)).unwrap_or_default());
        }
        message
    };
    let of_kind = |kind: u8| [&[kind][..], &good[1..]].concat();
    let mut long_server = without(2);
    long_server.extend(option(2, &[7; 131]));
    for (what, message) in [
        ("another client's", stranger),
        ("of another transaction", transaction),
        ("without a client", without(1)),
        ("without a server", without(2)),
        (
            "of a server without a name",
            [without(2), option(2, &[])].concat(),
        ),
        ("of a server with a name too long", long_server),
        ("a Solicit", of_kind(SOLICIT)),
        ("a Reconfigure", of_kind(10)),
        ("a Relay-reply", of_kind(13)),
        ("of no kind", of_kind(0)),
        ("cut off", good[..3].to_vec()),
        ("empty", Vec::new()),
    ] {
        assert_eq!(client.handle(now, &message), None);
        let (next, _) = client.poll(now);
        assert_eq!(next, None, "{what}");
    }
    assert_eq!(
        send(&mut client, &mut now)[0],
        SOLICIT,
        "nobody has answered"
    );
}

#[test]
fn rfc8415_21_4_and_21_6_associations_and_addresses_that_contradict_themselves_are_not_there() {
    let (good, valid) = ("2001:db8::50", 3600);
    let cases = [
        ("T1 beyond T2", (30, 20), address(good, valid, valid)),
        (
            "preferred beyond valid",
            (0, 0),
            address(good, valid + 1, valid),
        ),
        ("valid for too short", (0, 0), address(good, 9, 9)),
        ("multicast", (0, 0), address("ff02::1", valid, valid)),
        ("link-local", (0, 0), address("fe80::1", valid, valid)),
        ("loopback", (0, 0), address("::1", valid, valid)),
        ("unspecified", (0, 0), address("::", valid, valid)),
        (
            "IPv4-mapped",
            (0, 0),
            address("::ffff:10.0.0.1", valid, valid),
        ),
        ("cut off", (0, 0), option(5, &[0x20; 23])),
        ("refused", (0, 0), {
            let mut value = address(good, valid, valid)[4..].to_vec();
            value.extend(option(13, &[0, 4]));
            option(5, &value)
        }),
    ];
    for (what, times, offered) in cases {
        let (mut client, mut now) = (client(), START);
        let solicit = send(&mut client, &mut now);
        let options = [association(&solicit, times, &[offered]), option(7, &[255])];
        client.handle(now, &answer(&solicit, ADVERTISE, SERVER, &options));
        let next = send(&mut client, &mut now);
        if next[0] == REQUEST {
            // An offer may say nothing of times; the grant must.
            assert_eq!(what, "valid for too short");
            let options = [association(&next, times, &[address(good, 9, 9)])];
            client.handle(now, &answer(&next, REPLY, SERVER, &options));
        }
        assert_eq!(client.lease(), None, "{what}");
    }
}

#[test]
fn rfc8415_18_2_10_1_a_refusal_of_the_whole_is_one_whatever_the_association_says() {
    let (mut client, mut now) = (client(), START);
    let solicit = send(&mut client, &mut now);
    client.handle(now, &grant(&solicit, ADVERTISE, 3600));
    let request = send(&mut client, &mut now);
    let refused = [grant(&request, REPLY, 3600), option(13, &[0, 4])].concat();
    assert_eq!(client.handle(now, &refused), None);
    assert_eq!(client.lease(), None);
    assert_eq!(send(&mut client, &mut now)[0], SOLICIT);
}

#[test]
fn rfc8415_7_7_what_has_no_end_is_never_extended() {
    let (mut client, mut now) = (client(), START);
    let solicit = send(&mut client, &mut now);
    client.handle(now, &grant(&solicit, ADVERTISE, 3600));
    let request = send(&mut client, &mut now);
    let within = [address("2001:db8::50", u32::MAX, u32::MAX)];
    let options = [association(&request, (0, 0), &within)];
    client.handle(now, &answer(&request, REPLY, SERVER, &options));
    assert!(client.lease().is_some());
    assert_eq!(client.poll_at(), crate::proto::Instant::FAR_FUTURE);
}

#[test]
fn rfc8415_14_2_times_that_are_too_short_are_made_longer() {
    for (times, valid, least) in [((1, 2), 3600, 60), ((1, 1), 20, 10), ((0, 1), 3600, 60)] {
        let (mut client, mut now) = (client(), START);
        let solicit = send(&mut client, &mut now);
        client.handle(now, &grant(&solicit, ADVERTISE, valid));
        let request = send(&mut client, &mut now);
        let within = [address("2001:db8::50", valid, valid)];
        let options = [association(&request, times, &within)];
        client.handle(now, &answer(&request, REPLY, SERVER, &options));
        assert_eq!(client.poll_at(), now + seconds(least), "{times:?}");
    }
}

/// Every option with every length that matters, in the message and in the association.
#[test]
fn no_option_does_harm() {
    for code in (0..=90).chain([u16::MAX]) {
        for length in 0..=42 {
            for pattern in [0_u8, 1, 0x20, 0x7f, 0xff] {
                let (mut client, mut now) = (Client::new(START, MAC, [7; 16]), START);
                let solicit = send(&mut client, &mut now);
                let bad = option(code, &vec![pattern; length]);
                let within = association(&solicit, (0, 0), core::slice::from_ref(&bad));
                client.handle(now, &answer(&solicit, ADVERTISE, SERVER, &[bad, within]));
                assert!(client.lease().is_none());
            }
        }
    }
}
