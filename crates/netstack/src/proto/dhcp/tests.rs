use super::{Client, Event, Outgoing};
use crate::proto::Instant;
use crate::proto::ethernet::MacAddr;
use core::net::Ipv4Addr;
use core::time::Duration;
use dhcproto::v4::{DhcpOption, Message, MessageType, Opcode, OptionCode};
use dhcproto::{Decodable, Decoder, Encodable};

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 9]);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const OURS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 50);
const START: Instant = Instant::from_nanos(1_000_000_000);

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn decode(outgoing: &Outgoing) -> Message {
    Message::decode(&mut Decoder::new(&outgoing.payload)).expect("a well-formed message")
}

/// The server's answer to `request`.
fn answer(request: &Outgoing, kind: MessageType, lease: u32) -> Vec<u8> {
    let request = decode(request);
    let none = Ipv4Addr::UNSPECIFIED;
    let mut reply = Message::new_with_id(request.xid(), none, OURS, none, none, &MAC.0);
    reply.set_opcode(Opcode::BootReply);
    let options = reply.opts_mut();
    options.insert(DhcpOption::MessageType(kind));
    options.insert(DhcpOption::ServerIdentifier(SERVER));
    if kind != MessageType::Nak {
        options.insert(DhcpOption::AddressLeaseTime(lease));
        options.insert(DhcpOption::SubnetMask([255, 255, 255, 0].into()));
        options.insert(DhcpOption::Router(vec![SERVER]));
        options.insert(DhcpOption::DomainNameServer(vec![
            SERVER,
            [8, 8, 8, 8].into(),
        ]));
    }
    reply.to_vec().expect("encodes")
}

fn client() -> Client {
    Client::new(START, MAC, [7; 16])
}

fn send(client: &mut Client, now: Instant) -> Outgoing {
    let (outgoing, event) = client.poll(now);
    assert_eq!(event, None);
    outgoing.expect("something to send")
}

/// A client that got its lease of `lease` seconds at [`START`].
fn bound(lease: u32) -> Client {
    let mut client = client();
    let discover = send(&mut client, START);
    assert_eq!(
        client.handle(START, &answer(&discover, MessageType::Offer, lease)),
        None
    );
    let request = send(&mut client, START);
    let event = client.handle(START, &answer(&request, MessageType::Ack, lease));
    assert!(matches!(event, Some(Event::Bound(_))), "{event:?}");
    client
}

#[test]
fn rfc2131_section_3_1_lease_in_four_messages() {
    let mut client = client();
    let discover = send(&mut client, START);
    assert_eq!(
        (discover.source, discover.destination),
        (Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST)
    );
    let message = decode(&discover);
    assert_eq!(message.opts().msg_type(), Some(MessageType::Discover));
    assert_eq!(message.chaddr(), MAC.0);
    assert_eq!(client.poll(START), (None, None));

    assert_eq!(
        client.handle(START, &answer(&discover, MessageType::Offer, 3600)),
        None
    );
    let request = send(&mut client, START);
    let message = decode(&request);
    assert_eq!(message.opts().msg_type(), Some(MessageType::Request));
    assert_eq!(
        message.opts().get(OptionCode::RequestedIpAddress),
        Some(&DhcpOption::RequestedIpAddress(OURS))
    );
    assert_eq!(
        message.opts().get(OptionCode::ServerIdentifier),
        Some(&DhcpOption::ServerIdentifier(SERVER))
    );
    assert!(message.ciaddr().is_unspecified());

    let event = client.handle(START, &answer(&request, MessageType::Ack, 3600));
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
fn rfc2131_section_4_1_retransmission_backs_off_with_jitter() {
    let mut client = client();
    let (mut now, mut waits) = (START, Vec::new());
    let xid = decode(&send(&mut client, now)).xid();
    for _ in 0..6 {
        let next = client.poll_at(now);
        waits.push((next - now).as_secs_f64());
        now = next;
        assert_eq!(decode(&send(&mut client, now)).xid(), xid);
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
    let message = decode(&request);
    assert_eq!(message.ciaddr(), OURS);
    assert!(message.opts().get(OptionCode::RequestedIpAddress).is_none());
    assert!(message.opts().get(OptionCode::ServerIdentifier).is_none());
    let event = client.handle(t1, &answer(&request, MessageType::Ack, 3600));
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
    let again = decode(&send(&mut client, now));
    assert_eq!(again.opts().msg_type(), Some(MessageType::Discover));
}

#[test]
fn rfc2131_section_3_1_nak_begins_again() {
    let mut client = client();
    let discover = send(&mut client, START);
    client.handle(START, &answer(&discover, MessageType::Offer, 60));
    let request = send(&mut client, START);
    assert_eq!(
        client.handle(START, &answer(&request, MessageType::Nak, 0)),
        None
    );
    let now = client.poll_at(START);
    let again = decode(&send(&mut client, now));
    assert_eq!(again.opts().msg_type(), Some(MessageType::Discover));
}

#[test]
fn a_nak_while_renewing_takes_the_address_away() {
    let mut client = bound(3600);
    let t1 = client.poll_at(START);
    let request = send(&mut client, t1);
    let event = client.handle(t1, &answer(&request, MessageType::Nak, 0));
    assert!(matches!(event, Some(Event::Lost(_))), "{event:?}");
    assert_eq!(client.lease(), None);
}

#[test]
fn rfc2131_section_3_3_infinite_lease_is_never_renewed() {
    let client = bound(u32::MAX);
    assert_eq!(client.lease().expect("bound").duration, None);
    assert_eq!(client.poll_at(START), Instant::FAR_FUTURE);
}

#[test]
fn rfc2131_section_4_4_1_decline_waits_ten_seconds() {
    let mut client = bound(3600);
    assert!(client.decline(START).is_some());
    let decline = send(&mut client, START);
    assert_eq!(
        decode(&decline).opts().msg_type(),
        Some(MessageType::Decline)
    );
    assert_eq!(decline.destination, Ipv4Addr::BROADCAST);
    assert_eq!(client.poll_at(START) - START, seconds(10));
}

#[test]
fn rfc2131_section_4_4_6_release_is_unicast_and_final() {
    let mut client = bound(3600);
    assert!(client.release(START).is_some());
    let release = send(&mut client, START);
    assert_eq!(
        decode(&release).opts().msg_type(),
        Some(MessageType::Release)
    );
    assert_eq!((release.source, release.destination), (OURS, SERVER));
    assert_eq!(client.poll_at(START), Instant::FAR_FUTURE);
}

#[test]
fn answers_to_others_and_hostile_bytes_are_passed_over() {
    let mut client = client();
    let discover = send(&mut client, START);
    let good = answer(&discover, MessageType::Offer, 60);
    let mut changed = Vec::new();
    for at in [0, 4, 28] {
        // op, xid, chaddr
        let mut bad = good.clone();
        bad[at] ^= 3;
        changed.push(bad);
    }
    let mut long_hardware_address = good.clone();
    long_hardware_address[2] = 255;
    changed.push(long_hardware_address);
    changed.extend((0..good.len() - 1).map(|len| good[..len].to_vec()));
    for bad in changed
        .iter()
        .filter(|bad| bad.len() < 240 || bad.len() == good.len())
    {
        assert_eq!(client.handle(START, bad), None);
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
