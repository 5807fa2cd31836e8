mod hostile;
mod options;
mod server;

use super::{Client, Event, Lease};
use crate::proto::Instant;
use crate::proto::link::ethernet::MacAddr;
use core::net::Ipv6Addr;
use core::time::Duration;
use server::{
    ADVERTISE, CONFIRM, DECLINE, INFORMATION_REQUEST, OTHER, REBIND, RELEASE, RENEW, REPLY,
    REQUEST, SERVER, SOLICIT, address, answer, asked, association, grant, option, status, value,
};

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 9]);
const OURS: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x50);
const START: Instant = Instant::from_nanos(1_000_000_000);

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn client() -> Client {
    Client::new(START, MAC, [7; 16])
}

/// Goes on to when something is due, which is a message.
fn send(client: &mut Client, now: &mut Instant) -> Vec<u8> {
    let before = *now;
    *now = before.max(client.poll_at());
    let (message, event) = client.poll(*now);
    assert_eq!(event, None);
    message.expect("something to send")
}

/// A client that got its lease, at the time that is returned too.
fn bound(valid: u32) -> (Client, Instant) {
    let (mut client, mut now) = (client(), START);
    let solicit = send(&mut client, &mut now);
    client.handle(now, &grant(&solicit, ADVERTISE, valid));
    let request = send(&mut client, &mut now);
    let event = client.handle(now, &grant(&request, REPLY, valid));
    assert!(matches!(event, Some(Event::Bound(_))), "{event:?}");
    (client, now)
}

/// What is sent, and when, from `now` on for `period`, each message given to `server` at once.
fn converse(
    client: &mut Client,
    mut now: Instant,
    period: Duration,
    mut server: impl FnMut(&[u8]) -> Option<Vec<u8>>,
) -> Vec<(Duration, u8)> {
    let (end, start) = (now + period, now);
    let mut messages = Vec::new();
    while now <= end && messages.len() < 10_000 {
        let (message, event) = client.poll(now);
        if message.is_none() && event.is_none() {
            assert!(client.poll_at() > now, "what was due is still due");
            now = client.poll_at();
        }
        if let Some(message) = message {
            messages.push((now - start, message[0]));
            if let Some(answer) = server(&message) {
                client.handle(now, &answer);
            }
        }
    }
    messages
}

fn kinds(messages: &[(Duration, u8)]) -> Vec<u8> {
    messages.iter().map(|(_, kind)| *kind).collect()
}

#[test]
fn rfc8415_5_2_an_address_in_four_messages() {
    let (mut client, mut now) = (client(), START);
    let solicit = send(&mut client, &mut now);
    assert!(now - START < seconds(1), "SOL_MAX_DELAY");
    assert_eq!(solicit[0], SOLICIT);
    // RFC 8415 §11.4: DUID-LL.
    let duid = [&[0, 3, 0, 1][..], &MAC.0].concat();
    assert_eq!(value(&solicit[4..], 1), Some(&duid[..]));
    assert_eq!(value(&solicit[4..], 2), None);
    assert_eq!(value(&solicit[4..], 8), Some(&[0, 0][..]));
    assert!(asked(&solicit).is_empty());
    let wanted = value(&solicit[4..], 6).expect("an option request");
    assert!(
        wanted.chunks(2).any(|code| code == [0, 82]),
        "RFC 8415 §21.24"
    );

    assert_eq!(client.handle(now, &grant(&solicit, ADVERTISE, 3600)), None);
    let request = send(&mut client, &mut now);
    assert!(now - START >= seconds(1), "others may answer for a second");
    assert_eq!(request[0], REQUEST);
    assert_ne!(request[1..4], solicit[1..4], "another transaction");
    assert_eq!(value(&request[4..], 2), Some(SERVER));
    assert_eq!(asked(&request), [OURS]);

    let event = client.handle(now, &grant(&request, REPLY, 3600));
    let Some(Event::Bound(lease)) = event else {
        panic!("{event:?}")
    };
    assert_eq!(lease.addresses.len(), 1);
    assert_eq!(lease.addresses[0].address, OURS);
    assert_eq!(lease.addresses[0].preferred_until, now + seconds(1800));
    assert_eq!(lease.addresses[0].valid_until, now + seconds(3600));
    assert_eq!(client.lease(), Some(&lease));
    // RFC 8415 §21.4: a half and eight tenths of the preferred time.
    assert_eq!(client.poll_at(), now + seconds(900));
    assert_eq!(lease.rebind, now + seconds(1440));
}

#[test]
fn rfc8415_18_2_1_rapid_commit_takes_two() {
    let (mut client, mut now) = (client(), START);
    let solicit = send(&mut client, &mut now);
    assert_eq!(value(&solicit[4..], 14), Some(&[][..]));
    // Without the option it is no answer to a Solicit.
    let reply = grant(&solicit, REPLY, 3600);
    assert_eq!(client.handle(now, &reply), None);
    let rapid = [reply, option(14, &[])].concat();
    assert!(matches!(client.handle(now, &rapid), Some(Event::Bound(_))));
}

/// The DUID of the server that a client asks for one of these offers, of preference, server and number of addresses.
fn chosen(offers: &[(u8, &[u8], usize)]) -> (Vec<u8>, Duration) {
    let (mut client, mut now) = (client(), START);
    let solicit = send(&mut client, &mut now);
    let asked = now;
    for (preference, server, count) in offers {
        let addresses: Vec<_> = ["2001:db8::50", "2001:db8::51"][..*count]
            .iter()
            .map(|text| address(text, 60, 60))
            .collect();
        let association = association(&solicit, (0, 0), &addresses);
        let options = [option(7, &[*preference]), association];
        client.handle(now, &answer(&solicit, ADVERTISE, server, &options));
    }
    let next = send(&mut client, &mut now);
    let server = value(&next[4..], 2).unwrap_or_default();
    (server.to_vec(), now - asked)
}

#[test]
fn rfc8415_18_2_9_the_server_of_the_highest_preference_is_asked() {
    for (offers, server) in [
        (&[(0, SERVER, 1), (1, OTHER, 1)][..], OTHER),
        (&[(1, SERVER, 1), (0, OTHER, 1)], SERVER),
        // Of equals the one that offers more, or the first.
        (&[(1, SERVER, 1), (1, OTHER, 2)], OTHER),
        (&[(1, SERVER, 1), (1, OTHER, 1)], SERVER),
        // One without an address is none, whatever its preference.
        (&[(9, SERVER, 0), (0, OTHER, 1)], OTHER),
    ] {
        let (asked, after) = chosen(offers);
        assert_eq!(asked, server);
        assert!(
            after > seconds(1) && after <= Duration::from_millis(1101),
            "{after:?}"
        );
    }
    let (asked, after) = chosen(&[(254, OTHER, 1), (255, SERVER, 1)]);
    assert_eq!((&asked[..], after), (SERVER, Duration::ZERO), "at once");
    let (asked, _) = chosen(&[(255, SERVER, 0)]);
    assert_eq!(asked, [], "nobody: it solicits again");
}

#[test]
fn rfc8415_18_2_1_later_the_first_to_answer_is_asked() {
    let (mut client, mut now) = (client(), START);
    send(&mut client, &mut now);
    let solicit = send(&mut client, &mut now);
    assert_eq!(solicit[0], SOLICIT);
    let before = now;
    client.handle(now, &grant(&solicit, ADVERTISE, 60));
    assert_eq!(send(&mut client, &mut now)[0], REQUEST);
    assert_eq!(now, before);
}

#[test]
fn rfc8415_15_solicits_back_off_with_jitter_to_an_hour() {
    let messages = converse(&mut client(), START, seconds(80_000), |_| None);
    assert!(messages.iter().all(|(_, kind)| *kind == SOLICIT));
    let waits: Vec<_> = messages
        .windows(2)
        .map(|pair| (pair[1].0 - pair[0].0).as_secs_f64())
        .collect();
    assert!(waits[0] > 1.0 && waits[0] <= 1.11, "{waits:?}");
    for pair in waits.windows(2) {
        let ratio = pair[1] / pair[0];
        let capped = (3240.0..=3960.0).contains(&pair[1]);
        assert!(capped || (1.9..=2.1).contains(&ratio), "{waits:?}");
    }
    assert!(waits.iter().filter(|wait| **wait > 3000.0).count() > 15);
}

#[test]
fn rfc8415_21_24_a_server_may_set_the_longest_wait_within_bounds() {
    for (told, longest) in [(60, 66.0), (59, 3960.0), (86_401, 3960.0)] {
        let mut client = client();
        let told: u32 = told;
        // RFC 8415 §18.2.9: also one that has no address.
        let server = |message: &[u8]| {
            let options = [option(82, &told.to_be_bytes()), status(2)];
            Some(answer(message, ADVERTISE, SERVER, &options))
        };
        let messages = converse(&mut client, START, seconds(40_000), server);
        let waits = messages.windows(2).map(|pair| pair[1].0 - pair[0].0);
        let most = waits.max().expect("some").as_secs_f64();
        assert!(most <= longest && most > longest / 1.25, "{told}: {most}");
    }
}

#[test]
fn rfc8415_18_2_2_a_request_without_an_answer_leads_to_a_new_search() {
    let (mut client, mut now) = (client(), START);
    let solicit = send(&mut client, &mut now);
    client.handle(now, &grant(&solicit, ADVERTISE, 60));
    let messages = converse(&mut client, now, seconds(500), |_| None);
    let requests = messages.iter().filter(|(_, kind)| *kind == REQUEST).count();
    assert_eq!(requests, 10, "REQ_MAX_RC");
    assert_eq!(messages[10].1, SOLICIT);
}

#[test]
fn rfc8415_18_2_4_and_5_renew_asks_the_server_and_rebind_all_until_the_end() {
    let (mut client, start) = bound(4000);
    let mut servers = Vec::new();
    let messages = converse(&mut client, start, seconds(4003), |message| {
        servers.push((message[0], value(&message[4..], 2).map(<[u8]>::to_vec)));
        assert_eq!(message[0] == SOLICIT, asked(message).is_empty());
        None
    });
    let first = |kind| {
        messages
            .iter()
            .find(|(_, other)| *other == kind)
            .expect("one")
            .0
    };
    assert_eq!(first(RENEW), seconds(1000));
    assert_eq!(first(REBIND), seconds(1600));
    assert_eq!(first(SOLICIT), seconds(4000), "the address has ended");
    for (kind, server) in servers {
        assert_eq!(server.as_deref(), (kind == RENEW).then_some(SERVER));
    }
    assert_eq!(client.lease(), None);
}

#[test]
fn rfc8415_18_2_10_1_an_extension_moves_all_times() {
    let (mut client, mut now) = bound(4000);
    let renew = send(&mut client, &mut now);
    let Some(Event::Bound(lease)) = client.handle(now, &grant(&renew, REPLY, 6000)) else {
        panic!("extended")
    };
    assert_eq!(lease.addresses.len(), 1);
    assert_eq!(lease.addresses[0].valid_until, now + seconds(6000));
    assert_eq!(client.poll_at(), now + seconds(1500));
}

#[test]
fn rfc8415_18_2_10_1_what_an_extension_does_not_speak_of_stays() {
    let (mut client, mut now) = bound(4000);
    let ends = now + seconds(4000);
    let renew = send(&mut client, &mut now);
    let within = [address("2001:db8::51", 9000, 9000)];
    let options = [association(&renew, (0, 0), &within)];
    let event = client.handle(now, &answer(&renew, REPLY, SERVER, &options));
    let Some(Event::Bound(lease)) = event else {
        panic!("{event:?}")
    };
    assert_eq!(lease.addresses.len(), 2);
    assert_eq!(lease.addresses[0].valid_until, ends);
    // A valid time of zero takes it away.
    let renew = send(&mut client, &mut now);
    let within = [
        address("2001:db8::50", 0, 0),
        address("2001:db8::51", 9000, 9000),
    ];
    let options = [association(&renew, (0, 0), &within)];
    let event = client.handle(now, &answer(&renew, REPLY, SERVER, &options));
    let Some(Event::Bound(Lease { addresses, .. })) = event else {
        panic!("{event:?}")
    };
    assert_eq!(addresses.len(), 1);
    assert_eq!(addresses[0].address.segments()[7], 0x51);
}

#[test]
fn addresses_end_one_by_one() {
    let (mut client, mut now) = (client(), START);
    let solicit = send(&mut client, &mut now);
    let within = [
        address("2001:db8::50", 60, 60),
        address("2001:db8::51", 90, 90),
    ];
    let offer = answer(
        &solicit,
        ADVERTISE,
        SERVER,
        &[association(&solicit, (0, 0), &within)],
    );
    client.handle(now, &offer);
    let request = send(&mut client, &mut now);
    let reply = answer(
        &request,
        REPLY,
        SERVER,
        &[association(&request, (0, 0), &within)],
    );
    client.handle(now, &reply);
    let mut ended = Vec::new();
    let start = now;
    for _ in 0..100 {
        now = now.max(client.poll_at());
        match client.poll(now).1 {
            Some(Event::Bound(lease)) => ended.push((now - start, lease.addresses.len())),
            Some(Event::Lost(lease)) => {
                assert_eq!(lease.addresses[0].address.segments()[7], 0x51);
                ended.push((now - start, 0));
                break;
            }
            _ => {}
        }
    }
    assert_eq!(ended, [(seconds(60), 1), (seconds(90), 0)]);
}

#[test]
fn rfc8415_18_2_10_1_an_address_that_the_server_does_not_know_is_asked_for_anew() {
    let (mut client, mut now) = bound(4000);
    let renew = send(&mut client, &mut now);
    let options = [association(&renew, (0, 0), &[status(3)])];
    assert_eq!(
        client.handle(now, &answer(&renew, REPLY, SERVER, &options)),
        None
    );
    let request = send(&mut client, &mut now);
    assert_eq!((request[0], asked(&request)), (REQUEST, vec![OURS]));
    assert!(client.lease().is_some(), "it is still ours");
    // Another one takes its place.
    let within = [address("2001:db8::77", 60, 60)];
    let options = [association(&request, (0, 0), &within)];
    let event = client.handle(now, &answer(&request, REPLY, SERVER, &options));
    let Some(Event::Bound(lease)) = event else {
        panic!("{event:?}")
    };
    assert_eq!(lease.addresses.len(), 1);
}

#[test]
fn rfc8415_18_2_3_after_the_link_was_away_every_server_is_asked_whether_it_is_the_same() {
    let (mut client, mut now) = bound(4000);
    let renew_at = client.poll_at();
    client.link_is_back(now);
    let confirm = send(&mut client, &mut now);
    assert_eq!((confirm[0], asked(&confirm)), (CONFIRM, vec![OURS]));
    assert_eq!(value(&confirm[4..], 2), None);
    client.handle(now, &answer(&confirm, REPLY, SERVER, &[status(0)]));
    assert_eq!(client.poll_at(), renew_at, "as before");
    // It is another.
    client.link_is_back(now);
    let confirm = send(&mut client, &mut now);
    let event = client.handle(now, &answer(&confirm, REPLY, OTHER, &[status(4)]));
    assert!(matches!(event, Some(Event::Lost(_))), "{event:?}");
    assert_eq!(send(&mut client, &mut now)[0], SOLICIT);
    // Without an answer in ten seconds it is taken for the same.
    let (mut client, now) = bound(4000);
    client.link_is_back(now);
    let messages = converse(&mut client, now, seconds(900), |_| None);
    assert!(
        messages.iter().all(|(_, kind)| *kind == CONFIRM),
        "{messages:?}"
    );
    assert!(messages.len() > 2 && messages.last().expect("one").0 < seconds(11));
    assert!(client.lease().is_some());
    // Also where T1 comes while it waits.
    let (mut client, now) = bound(4000);
    let t1 = client.poll_at();
    client.link_is_back(t1 - seconds(2));
    let messages = converse(&mut client, t1 - seconds(2), seconds(12), |_| None);
    assert_eq!(messages.last().expect("one").1, RENEW, "from {now:?}");
}

#[test]
fn rfc8415_18_2_8_a_duplicate_is_declined_until_the_server_has_heard_it() {
    let (mut client, now) = bound(4000);
    assert_eq!(client.decline(now, Ipv6Addr::LOCALHOST), None);
    let event = client.decline(now, OURS);
    assert!(matches!(event, Some(Event::Lost(_))), "{event:?}");
    let mut declined = Vec::new();
    let messages = converse(&mut client, now, seconds(60), |message| {
        if message[0] == DECLINE {
            declined.push(asked(message));
            assert_eq!(value(&message[4..], 2), Some(SERVER));
        }
        None
    });
    assert_eq!(declined, vec![vec![OURS]; 4], "DEC_MAX_RC");
    assert!(kinds(&messages).contains(&SOLICIT));
    let (mut client, now) = bound(4000);
    client.decline(now, OURS);
    let messages = converse(&mut client, now, seconds(60), |message| {
        (message[0] == DECLINE).then(|| answer(message, REPLY, SERVER, &[status(1)]))
    });
    let declines = messages.iter().filter(|(_, kind)| *kind == DECLINE).count();
    assert_eq!(declines, 1);
}

#[test]
fn rfc8415_18_2_7_a_release_is_the_last_that_is_heard() {
    let (mut client, now) = bound(4000);
    assert!(client.release(now).is_some());
    assert_eq!(client.lease(), None);
    let messages = converse(&mut client, now, seconds(4000), |_| None);
    assert_eq!(kinds(&messages), [RELEASE; 4], "REL_MAX_RC");
    assert_eq!(client.poll_at(), Instant::FAR_FUTURE);
}

#[test]
fn rfc8415_18_2_6_information_is_asked_for_again_when_the_server_wants_it() {
    for (refresh, least) in [(None, 86_400), (Some(7200_u32), 7200), (Some(1), 600)] {
        let mut client = Client::stateless(START, MAC, [7; 16]);
        let mut now = START;
        let request = send(&mut client, &mut now);
        assert_eq!(request[0], INFORMATION_REQUEST);
        assert_eq!(value(&request[4..], 3), None);
        let dns = option(23, &OURS.octets());
        let refresh = refresh.map(|time| option(32, &time.to_be_bytes()));
        let options = [Some(dns), refresh]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>();
        let event = client.handle(now, &answer(&request, REPLY, SERVER, &options));
        let Some(Event::Informed(information)) = event else {
            panic!("{event:?}")
        };
        assert_eq!(information.dns, [OURS]);
        let before = now;
        assert_eq!(send(&mut client, &mut now)[0], INFORMATION_REQUEST);
        let waited = now - before;
        assert!(
            waited >= seconds(least) && waited <= seconds(least + 1),
            "{waited:?}"
        );
    }
}
