mod hostile;
mod options;
pub(crate) mod server;

use super::{Client, Event, Lease, Outgoing};
use crate::proto::Instant;
use crate::proto::link::ethernet::MacAddr;
use core::net::Ipv4Addr;
use core::time::Duration;
use server::{
    ACK, DECLINE, DISCOVER, NAK, OFFER, RELEASE, REQUEST, client_address, kind, option, reply, xid,
};

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 9]);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const OURS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 50);
const START: Instant = Instant::from_nanos(1_000_000_000);
const DNS: [u8; 8] = [10, 0, 0, 1, 8, 8, 8, 8];

type Options<'a> = &'a [(u8, &'a [u8])];

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// The server's answer to `request`, with a lease of so many seconds, a mask, a router and DNS.
fn answer(request: &Outgoing, kind: u8, lease: u32) -> Vec<u8> {
    let (lease, router) = (lease.to_be_bytes(), SERVER.octets());
    let options: Options<'_> = match kind {
        NAK => &[],
        _ => &[
            (51, &lease),
            (1, &[255, 255, 255, 0]),
            (3, &router),
            (6, &DNS),
        ],
    };
    reply(&request.payload, SERVER, (kind, OURS), options)
}

fn client() -> Client {
    Client::new(START, MAC, [7; 16])
}

fn send(client: &mut Client, now: Instant) -> Outgoing {
    let (outgoing, event) = client.poll(now);
    assert_eq!(event, None);
    outgoing.expect("something to send")
}

/// The lease that comes of an offer and an acknowledgement with these options.
fn lease_of(client: &mut Client, address: Ipv4Addr, options: Options<'_>) -> Option<Lease> {
    for kind in [OFFER, ACK] {
        let request = send(client, START);
        client.handle(
            START,
            &reply(&request.payload, SERVER, (kind, address), options),
        );
    }
    client.lease().cloned()
}

/// A client that got its lease of `lease` seconds at [`START`].
fn bound(lease: u32) -> Client {
    let mut client = client();
    let discover = send(&mut client, START);
    assert_eq!(client.handle(START, &answer(&discover, OFFER, lease)), None);
    let request = send(&mut client, START);
    let event = client.handle(START, &answer(&request, ACK, lease));
    assert!(matches!(event, Some(Event::Bound(_))), "{event:?}");
    client
}

/// Sends what is due in `period` from `now` on, and gives each message to `server` at once. The
/// messages.
fn converse(
    client: &mut Client,
    mut now: Instant,
    period: Duration,
    mut server: impl FnMut(&[u8]) -> Vec<u8>,
) -> Vec<(Duration, u8)> {
    let (end, start) = (now + period, now);
    let mut messages = Vec::new();
    while now <= end && messages.len() < 10_000 {
        if let (Some(outgoing), _) = client.poll(now) {
            messages.push((now - start, kind(&outgoing.payload)));
            client.handle(now, &server(&outgoing.payload));
        }
        now = now.max(client.poll_at(now));
    }
    messages
}

#[test]
fn rfc2131_section_3_1_lease_in_four_messages() {
    let mut client = client();
    let discover = send(&mut client, START);
    assert_eq!(
        (discover.source, discover.destination),
        (Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST)
    );
    assert_eq!(kind(&discover.payload), DISCOVER);
    assert_eq!(discover.payload[..4], [1, 1, 6, 0]);
    assert_eq!(discover.payload[28..34], MAC.0);
    assert_eq!(client.poll(START), (None, None));

    assert_eq!(client.handle(START, &answer(&discover, OFFER, 3600)), None);
    let request = send(&mut client, START);
    assert_eq!(kind(&request.payload), REQUEST);
    assert_eq!(option(&request.payload, 50), Some(&OURS.octets()[..]));
    assert_eq!(option(&request.payload, 54), Some(&SERVER.octets()[..]));
    assert!(client_address(&request.payload).is_unspecified());

    let event = client.handle(START, &answer(&request, ACK, 3600));
    let Some(Event::Bound(lease)) = event else {
        panic!("{event:?}")
    };
    assert_eq!(lease.address.to_string(), "10.0.0.50/24");
    assert_eq!(lease.gateway, Some(SERVER));
    assert_eq!(lease.dns, [SERVER, [8, 8, 8, 8].into()]);
    assert_eq!(lease.duration, Some(seconds(3600)));
    assert_eq!(client.lease(), Some(&lease));
}

#[test]
fn rfc1542_section_2_1_no_message_is_shorter_than_300_octets() {
    let discover = send(&mut client(), START);
    assert!(
        discover.payload.len() >= 300,
        "{} octets",
        discover.payload.len()
    );
    let asked = option(&discover.payload, 55).expect("a list of parameters");
    let at = |code| asked.iter().position(|asked| *asked == code);
    assert!(
        at(121) < at(3) && at(121).is_some(),
        "RFC 3442 wants routes before routers: {asked:?}"
    );
}

#[test]
fn rfc2131_section_4_1_retransmission_backs_off_with_jitter() {
    let mut client = client();
    let (mut now, mut waits) = (START, Vec::new());
    let exchange = xid(&send(&mut client, now).payload);
    for _ in 0..6 {
        let next = client.poll_at(now);
        waits.push((next - now).as_secs_f64());
        now = next;
        assert_eq!(xid(&send(&mut client, now).payload), exchange);
    }
    for (wait, expected) in waits.iter().zip([4.0, 8.0, 16.0, 32.0, 64.0, 64.0]) {
        assert!((wait - expected).abs() <= 1.0, "{waits:?}");
    }
    let whole = waits.iter().all(|wait| wait.fract() == 0.0);
    assert!(!whole, "no jitter in {waits:?}");
}

#[test]
fn rfc2131_section_4_4_5_renews_at_half_the_lease_by_unicast() {
    let mut client = bound(3600);
    let t1 = client.poll_at(START);
    assert_eq!(t1 - START, seconds(1800));
    let request = send(&mut client, t1);
    assert_eq!((request.source, request.destination), (OURS, SERVER));
    assert_eq!(client_address(&request.payload), OURS);
    assert_eq!(option(&request.payload, 50), None);
    assert_eq!(option(&request.payload, 54), None);
    let event = client.handle(t1, &answer(&request, ACK, 3600));
    assert_eq!(event, Some(Event::Renewed));
    assert_eq!(client.poll_at(t1) - t1, seconds(1800));
}

#[test]
fn rfc2131_section_4_4_5_rebinds_at_seven_eighths_by_broadcast_and_expires() {
    let mut client = bound(3600);
    let (mut now, mut destinations) = (START, Vec::new());
    let lost = loop {
        now = client.poll_at(now);
        match client.poll(now) {
            (Some(outgoing), None) => destinations.push((now - START, outgoing.destination)),
            (None, Some(Event::Lost(lease))) => break lease,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(now - START, seconds(3600));
    assert_eq!(lost.address.address(), OURS);
    let t2 = seconds(3150);
    for (at, destination) in &destinations {
        let expected = if *at < t2 {
            SERVER
        } else {
            Ipv4Addr::BROADCAST
        };
        assert_eq!(*destination, expected, "at {at:?}");
    }
    assert!(
        destinations.iter().any(|(at, _)| *at == t2),
        "{destinations:?}"
    );
    for pair in destinations.windows(2) {
        assert!(
            pair[1].0 - pair[0].0 >= seconds(60) || pair[1].0 == t2,
            "{destinations:?}"
        );
    }
    assert_eq!(client.lease(), None);
    let again = send(&mut client, now);
    assert_eq!(kind(&again.payload), DISCOVER);
}

/// Figures of a server that are out of order do not hold; and none makes us ask more often than each
/// minute or half the lease.
#[test]
fn rfc2131_section_4_4_5_t1_and_t2_are_bounded_and_ordered() {
    // Lease, T1, T2, then when we first ask and when we ask all.
    let cases = [
        (3600, 0, 0, 1800, 3150),
        (3600, 1, 2, 60, 60),
        (3600, 900, 600, 342, 600),
        (3600, 100, 3600, 100, 3150),
        (60, 1000, 500, 30, 52),
        (60, u32::MAX, u32::MAX, 30, 52),
        (40, 5, 39, 20, 39),
    ];
    for (lease, t1, t2, renew, rebind) in cases {
        let mut client = client();
        let (octets, t1, t2) = (u32::to_be_bytes(lease), t1.to_be_bytes(), t2.to_be_bytes());
        let options: Options<'_> = &[(51, &octets), (58, &t1), (59, &t2)];
        lease_of(&mut client, OURS, options).expect("bound");
        let first = client.poll_at(START);
        assert_eq!((first - START).as_secs(), renew, "{options:?}");
        let mut now = first;
        let broadcast = loop {
            match client.poll(now) {
                (Some(outgoing), _) if outgoing.destination.is_broadcast() => break now - START,
                (_, Some(event)) => panic!("{event:?} before all were asked"),
                _ => now = client.poll_at(now),
            }
        };
        assert_eq!(broadcast.as_secs(), rebind, "{options:?}");
    }
}

#[test]
fn rfc2131_section_4_4_5_renewal_times_of_zero_cause_no_storm() {
    let mut client = client();
    let messages = converse(&mut client, START, seconds(24 * 3600), |request| {
        let answer = match kind(request) {
            DISCOVER => OFFER,
            _ => ACK,
        };
        let options: Options<'_> = &[(51, &[0, 0, 14, 16]), (58, &[0; 4]), (59, &[0; 4])];
        reply(request, SERVER, (answer, OURS), options)
    });
    assert_eq!(messages.len(), 2 + 48, "{messages:?}");
}

#[test]
fn a_lease_too_short_to_be_extended_is_not_taken() {
    for lease in [0, 1, 9_u32] {
        let mut client = client();
        let messages = converse(&mut client, START, seconds(600), |request| {
            let answer = match kind(request) {
                DISCOVER => OFFER,
                _ => ACK,
            };
            reply(
                request,
                SERVER,
                (answer, OURS),
                &[(51, &lease.to_be_bytes())],
            )
        });
        assert!(
            messages.len() < 20,
            "lease of {lease} s: {} messages",
            messages.len()
        );
        assert_eq!(client.lease(), None);
    }
}

#[test]
fn rfc2131_section_3_1_naks_back_off() {
    let mut client = client();
    let messages = converse(&mut client, START, seconds(600), |request| {
        match kind(request) {
            DISCOVER => reply(
                request,
                SERVER,
                (OFFER, OURS),
                &[(51, &3600_u32.to_be_bytes())],
            ),
            _ => reply(request, SERVER, (NAK, OURS), &[]),
        }
    });
    let discovers: Vec<_> = messages
        .iter()
        .filter(|(_, kind)| *kind == DISCOVER)
        .collect();
    let waits: Vec<_> = discovers
        .windows(2)
        .map(|pair| (pair[1].0 - pair[0].0).as_secs())
        .collect();
    assert_eq!(waits[..7], [1, 2, 4, 8, 16, 32, 64], "{waits:?}");
    assert!(waits[7..].iter().all(|wait| *wait == 64), "{waits:?}");
}

#[test]
fn rfc2131_section_3_1_nak_begins_again() {
    let mut client = client();
    let discover = send(&mut client, START);
    client.handle(START, &answer(&discover, OFFER, 60));
    let request = send(&mut client, START);
    assert_eq!(client.handle(START, &answer(&request, NAK, 0)), None);
    let now = client.poll_at(START);
    let again = send(&mut client, now);
    assert_eq!(kind(&again.payload), DISCOVER);
}

#[test]
fn a_nak_while_renewing_takes_the_address_away() {
    let mut client = bound(3600);
    let t1 = client.poll_at(START);
    let request = send(&mut client, t1);
    let event = client.handle(t1, &answer(&request, NAK, 0));
    assert!(matches!(event, Some(Event::Lost(_))), "{event:?}");
    assert_eq!(client.lease(), None);
    assert_eq!(client.poll_at(t1), t1, "a lease held for long is missed");
}

#[test]
fn rfc2131_section_4_4_5_only_the_servers_own_answer_counts_before_rebinding() {
    let other = Ipv4Addr::new(10, 0, 0, 2);
    let mut client = bound(3600);
    let t1 = client.poll_at(START);
    let request = send(&mut client, t1);
    for kind in [ACK, NAK] {
        let stranger = reply(
            &request.payload,
            other,
            (kind, OURS),
            &[(51, &[0, 0, 1, 0])],
        );
        assert_eq!(client.handle(t1, &stranger), None);
    }
    let mut now = t1;
    let request = loop {
        now = client.poll_at(now);
        let request = send(&mut client, now);
        if request.destination.is_broadcast() {
            break request;
        }
    };
    let stranger = reply(&request.payload, other, (ACK, OURS), &[(51, &[0, 0, 1, 0])]);
    let Some(Event::Bound(lease)) = client.handle(now, &stranger) else {
        panic!("another server may extend it now")
    };
    assert_eq!((lease.server, lease.gateway), (other, Some(SERVER)));
}

#[test]
fn rfc2131_section_4_4_1_times_count_from_the_request() {
    let mut client = client();
    let discover = send(&mut client, START);
    client.handle(START, &answer(&discover, OFFER, 3600));
    let request = send(&mut client, START);
    let later = START + seconds(3);
    assert!(client.handle(later, &answer(&request, ACK, 3600)).is_some());
    assert_eq!(client.poll_at(later) - START, seconds(1800));
}

#[test]
fn rfc2131_section_3_3_infinite_lease_is_never_renewed() {
    let client = bound(u32::MAX);
    assert_eq!(client.lease().expect("bound").duration, None);
    assert_eq!(client.poll_at(START), Instant::FAR_FUTURE);
}

#[test]
fn rfc2131_section_3_2_a_remembered_address_takes_two_messages() {
    let mut client = Client::reboot(START, MAC, [7; 16], OURS);
    let request = send(&mut client, START);
    assert_eq!(kind(&request.payload), REQUEST);
    assert_eq!(option(&request.payload, 50), Some(&OURS.octets()[..]));
    assert_eq!(option(&request.payload, 54), None, "RFC 2131 §4.3.2");
    assert!(client_address(&request.payload).is_unspecified());
    let event = client.handle(START, &answer(&request, ACK, 3600));
    assert!(matches!(event, Some(Event::Bound(_))), "{event:?}");
}

#[test]
fn rfc2131_section_3_2_a_remembered_address_that_is_refused_or_unknown_is_forgotten() {
    let mut client = Client::reboot(START, MAC, [7; 16], OURS);
    let request = send(&mut client, START);
    client.handle(START, &answer(&request, NAK, 0));
    let now = client.poll_at(START);
    assert_eq!(kind(&send(&mut client, now).payload), DISCOVER);
    let mut client = Client::reboot(START, MAC, [7; 16], OURS);
    let silence = converse(&mut client, START, seconds(20), |_| Vec::new());
    let kinds: Vec<_> = silence.iter().map(|(_, kind)| *kind).collect();
    assert_eq!(kinds[..3], [REQUEST, REQUEST, DISCOVER]);
}

#[test]
fn rfc2131_section_4_4_1_decline_waits_ten_seconds() {
    let mut client = bound(3600);
    assert!(client.decline(START).is_some());
    let decline = send(&mut client, START);
    assert_eq!(kind(&decline.payload), DECLINE);
    assert_eq!(option(&decline.payload, 50), Some(&OURS.octets()[..]));
    assert_eq!(option(&decline.payload, 54), Some(&SERVER.octets()[..]));
    assert_eq!(decline.destination, Ipv4Addr::BROADCAST);
    assert_eq!(client.poll_at(START) - START, seconds(10));
}

#[test]
fn rfc2131_section_4_4_6_release_is_unicast_and_final() {
    let mut client = bound(3600);
    assert!(client.release().is_some());
    let release = send(&mut client, START);
    assert_eq!(kind(&release.payload), RELEASE);
    assert_eq!((release.source, release.destination), (OURS, SERVER));
    assert_eq!(client.poll_at(START), Instant::FAR_FUTURE);
}

#[test]
fn what_an_answer_to_a_renewal_leaves_out_stays() {
    let mut client = bound(3600);
    let before = client.lease().expect("bound").clone();
    let t1 = client.poll_at(START);
    let request = send(&mut client, t1);
    let spare = reply(
        &request.payload,
        SERVER,
        (ACK, OURS),
        &[(51, &3600_u32.to_be_bytes())],
    );
    assert_eq!(client.handle(t1, &spare), Some(Event::Renewed));
    assert_eq!(client.lease(), Some(&before));
}

#[test]
fn another_address_brings_nothing_of_the_last_one_with_it() {
    let mut client = bound(3600);
    let t1 = client.poll_at(START);
    let request = send(&mut client, t1);
    let other = Ipv4Addr::new(192, 168, 7, 7);
    let options: Options<'_> = &[(51, &3600_u32.to_be_bytes())];
    let moved = reply(&request.payload, SERVER, (ACK, other), options);
    let Some(Event::Bound(lease)) = client.handle(t1, &moved) else {
        panic!("another address is granted")
    };
    assert_eq!(
        lease.address.to_string(),
        "192.168.7.7/24",
        "as of its class"
    );
    assert_eq!((lease.gateway, lease.dns.len()), (None, 0));
}
