//! The DHCPv6 client at the interface.

use super::discovery::advertise;
use super::groups::{ROUTER, SECOND, sent};
use super::{OURS, cidr, frame, icmp, link_local, v6};
use crate::proto::Instant;
use crate::proto::account::Kind;
use crate::proto::dhcpv6;
use crate::proto::interface::tests::{MACS, stack};
use crate::proto::interface::{Event, Interface, Ipv6};
use crate::proto::ip::v6::Header;
use crate::proto::udp;
use core::net::Ipv6Addr;
use core::time::Duration;

const SOLICIT: u8 = 1;
const INFORMATION_REQUEST: u8 = 11;

/// Whether a frame is a message of the client.
fn is_dhcp(frame: &[u8]) -> bool {
    frame.get(54..58) == Some(&[2, 34, 2, 35])
}

/// The last message of the client among frames, with where it came from.
fn dhcp_of(frames: &[(Duration, Vec<u8>)]) -> Option<(Ipv6Addr, Vec<u8>)> {
    let mut frames = frames.iter().rev();
    let (_, frame) = frames.find(|(_, frame)| is_dhcp(frame))?;
    assert_eq!(frame[..6], [0x33, 0x33, 0, 1, 0, 2]);
    let source = Header::parse(&frame[14..]).expect("an IPv6 packet").source;
    Some((source, frame[62..].to_vec()))
}

/// The frame of a server that grants 2001:db8::50 for a minute, or less, to the client of `message`, and names a name
/// server.
fn grant(message: &[u8], to: Ipv6Addr, kind: u8) -> Vec<u8> {
    let mut options = vec![0, 3, 0, 40];
    options.extend(&MACS[0].0[2..]);
    options.extend([0; 8]);
    options.extend([0, 5, 0, 24]);
    options.extend(v6("2001:db8::50").octets());
    options.extend([0, 0, 0, 60, 0, 0, 0, 60]);
    options.extend([0, 23, 0, 16]);
    options.extend(v6("2001:db8::53").octets());
    answer(message, to, kind, &options)
}

/// The frame of a server that answers `message` with these options.
fn answer(message: &[u8], to: Ipv6Addr, kind: u8, options: &[u8]) -> Vec<u8> {
    let mut answer = vec![kind, message[1], message[2], message[3]];
    answer.extend([0, 1, 0, 10, 0, 3, 0, 1]);
    answer.extend(MACS[0].0);
    answer.extend([0, 2, 0, 3, 0, 2, 7]);
    answer.extend([0, 7, 0, 1, 255]);
    answer.extend(options);
    from_port(dhcpv6::SERVER_PORT, to, &answer)
}

/// The frame of a server with a message from a port.
fn from_port(port: u16, to: Ipv6Addr, answer: &[u8]) -> Vec<u8> {
    let mut datagram = vec![0; udp::HEADER_LEN + answer.len()];
    let from = (ROUTER, port);
    udp::write(from, (to, dhcpv6::CLIENT_PORT), answer, &mut datagram);
    frame(
        MACS[0],
        &Header::new(ROUTER, to, 17, datagram.len()),
        &datagram,
    )
}

/// A stack with a lease whose address is being asked for, and the time.
fn leased() -> (Interface, Instant) {
    leased_beside(&[])
}

/// The same of a stack that was given addresses.
fn leased_beside(given: &[&str]) -> (Interface, Instant) {
    let mut stack = stack(0);
    let mut now = Instant::from_nanos(0);
    stack.start_ipv6(now, &Ipv6::default().accept_ra(false));
    for address in given {
        stack.add_address(now, cidr(address));
    }
    assert!(stack.start_dhcpv6(now));
    let frames = sent(&mut stack, now, 4 * SECOND);
    now += 4 * SECOND;
    let (source, solicit) = dhcp_of(&frames).expect("a Solicit");
    assert_eq!(
        source,
        link_local(&stack),
        "once there is an address to speak from"
    );
    let advertise = grant(&solicit, source, 2);
    stack.handle_frame(now, advertise.into(), &mut |_: &[u8]| {});
    let (_, request) = dhcp_of(&sent(&mut stack, now, Duration::ZERO)).expect("a Request");
    let reply = grant(&request, source, 7);
    stack.handle_frame(now, reply.into(), &mut |_: &[u8]| {});
    assert!(stack.lease_v6().is_some());
    (stack, now)
}

#[test]
fn rfc8415_18_2_10_1_a_granted_address_is_asked_for_and_used_for_its_time() {
    let (mut stack, now) = leased();
    let granted = cidr("2001:db8::50/128");
    assert!(!stack.addresses().contains(&granted), "it may be another's");
    sent(&mut stack, now, 3 * SECOND);
    assert!(stack.addresses().contains(&granted));
    let mut told = Vec::new();
    while let Some(event) = stack.poll_event() {
        if let Event::Dhcpv6(lease) = event {
            told.push(lease.is_some());
        }
    }
    assert_eq!(told, [true]);
    // Nobody extends it.
    sent(&mut stack, now + 3 * SECOND, 58 * SECOND);
    assert!(!stack.addresses().contains(&granted));
    let lost = core::iter::from_fn(|| stack.poll_event());
    assert!(lost.into_iter().any(|event| event == Event::Dhcpv6(None)));
}

#[test]
fn rfc8415_7_2_servers_answer_from_what_port_they_like() {
    let mut stack = stack(0);
    let now = Instant::from_nanos(0);
    stack.start_ipv6(now, &Ipv6::default().accept_ra(false));
    assert!(stack.start_dhcpv6(now));
    let (source, solicit) = dhcp_of(&sent(&mut stack, now, 4 * SECOND)).expect("a Solicit");
    let advertise = grant(&solicit, source, 2);
    let advertise = from_port(50_000, source, &advertise[62..]);
    let now = now + 4 * SECOND;
    stack.handle_frame(now, advertise.into(), &mut |_: &[u8]| {});
    let (_, request) = dhcp_of(&sent(&mut stack, now, Duration::ZERO)).expect("a Request");
    assert_eq!(request[0], 3);
}

#[test]
fn rfc8415_18_2_10_1_name_servers_of_a_lease_end_with_it() {
    for stops in [false, true] {
        let (mut stack, now) = leased();
        assert_eq!(stack.name_servers(), [v6("2001:db8::53")]);
        if stops {
            stack.stop_dhcpv6(now);
        }
        sent(&mut stack, now, 61 * SECOND);
        assert_eq!(stack.lease_v6(), None);
        assert_eq!(stack.name_servers().len(), 0);
    }
}

#[test]
fn rfc8415_18_2_7_a_client_that_takes_the_place_of_another_says_its_release() {
    for clients in 1..4 {
        let (mut stack, now) = leased();
        for _ in 0..clients {
            assert!(stack.start_dhcpv6_stateless(now));
        }
        let frames = sent(&mut stack, now, 100 * SECOND);
        let of_kind = |kind| {
            frames
                .iter()
                .filter(move |(_, it)| is_dhcp(it) && it[62] == kind)
        };
        assert_eq!(of_kind(8).count(), 4, "to be said four times at most");
        assert!(of_kind(INFORMATION_REQUEST).count() > 0);
    }
    // What is granted again is not given back any more.
    let (mut stack, mut now) = leased();
    assert!(stack.start_dhcpv6(now));
    let frames = sent(&mut stack, now, 3 * SECOND / 2);
    now += 3 * SECOND / 2;
    let mut solicits = frames.into_iter();
    let solicit = solicits.find(|(_, it)| is_dhcp(it) && it[62] == SOLICIT);
    let (source, solicit) = dhcp_of(&[solicit.expect("within a second")]).expect("a Solicit");
    let advertise = grant(&solicit, source, 2);
    stack.handle_frame(now, advertise.into(), &mut |_: &[u8]| {});
    let frames = sent(&mut stack, now, Duration::ZERO);
    let request = frames
        .into_iter()
        .find(|(_, it)| is_dhcp(it) && it[62] == 3);
    let (_, request) = dhcp_of(&[request.expect("at once")]).expect("a Request");
    stack.handle_frame(now, grant(&request, source, 7).into(), &mut |_: &[u8]| {});
    assert!(stack.lease_v6().is_some());
    let frames = sent(&mut stack, now, 20 * SECOND);
    assert!(!frames.iter().any(|(_, it)| is_dhcp(it) && it[62] == 8));
}

#[test]
fn rfc8415_18_2_8_an_address_that_another_has_is_declined() {
    let (mut stack, now) = leased();
    let address = v6("2001:db8::50");
    let mut message = vec![136, 0, 0, 0, 0x20, 0, 0, 0];
    message.extend(address.octets());
    message.extend([2, 1]);
    message.extend(MACS[1].0);
    let advertisement = icmp(OURS[1], v6("ff02::1"), 255, &message);
    stack.handle_frame(now, advertisement.into(), &mut |_: &[u8]| {});
    let (_, decline) = dhcp_of(&sent(&mut stack, now, Duration::ZERO)).expect("a Decline");
    assert_eq!(decline[0], 9);
    assert_eq!(stack.lease_v6(), None);
    assert!(!stack.addresses().contains(&cidr("2001:db8::50/128")));
}

#[test]
fn rfc8415_18_2_7_what_is_given_back_is_no_longer_used() {
    let (mut stack, now) = leased();
    sent(&mut stack, now, 3 * SECOND);
    let now = now + 3 * SECOND;
    stack.stop_dhcpv6(now);
    assert!(!stack.addresses().contains(&cidr("2001:db8::50/128")));
    assert!(!stack.runs_dhcpv6());
    let frames = sent(&mut stack, now, 100 * SECOND);
    let releases = frames.iter();
    let releases = releases.filter(|(_, frame)| is_dhcp(frame) && frame[62] == 8);
    assert_eq!(releases.count(), 4);
    assert!(
        stack.start_dhcpv6(now + 100 * SECOND),
        "and another can be asked for"
    );
    assert!(stack.runs_dhcpv6());
}

#[test]
fn rfc8415_18_2_10_1_a_lease_takes_no_address_away_that_we_were_given() {
    for stops in [false, true] {
        let (mut stack, mut now) = leased_beside(&["2001:db8::50/64"]);
        if stops {
            stack.stop_dhcpv6(now);
        }
        sent(&mut stack, now, 70 * SECOND);
        now += 70 * SECOND;
        assert!(stack.addresses().contains(&cidr("2001:db8::50/64")));
        assert!(!stack.addresses().contains(&cidr("2001:db8::50/128")));
        sent(&mut stack, now, SECOND);
    }
}

/// The kinds of messages of the client that a stack sends when routers advertise these flags, one after the other.
fn asked(settings: &Ipv6, flags: &[u8]) -> Vec<u8> {
    let mut stack = stack(0);
    let mut now = Instant::from_nanos(0);
    stack.start_ipv6(now, settings);
    sent(&mut stack, now, 2 * SECOND);
    now += 2 * SECOND;
    let mut kinds = Vec::new();
    for flags in flags {
        let advertisement = advertise(1800, *flags, &[]);
        stack.handle_frame(now, advertisement.into(), &mut |_: &[u8]| {});
        let message = dhcp_of(&sent(&mut stack, now, 2 * SECOND));
        kinds.extend(message.map(|(_, message)| message[0]));
        now += 2 * SECOND;
    }
    kinds
}

#[test]
fn rfc4861_4_2_servers_are_asked_for_what_the_flags_of_a_router_say() {
    let by_flags = Ipv6::default().dhcpv6(true);
    for (flags, expected) in [
        (&[0][..], &[][..]),
        (&[0x40], &[INFORMATION_REQUEST]),
        (&[0x80], &[SOLICIT]),
        (&[0xc0], &[SOLICIT]),
        // It goes on, and is not begun again for less.
        (&[0x80, 0x40], &[SOLICIT, SOLICIT]),
    ] {
        assert_eq!(asked(&by_flags, flags), expected, "{flags:x?}");
        assert_eq!(asked(&Ipv6::default(), flags), [0; 0], "not unless told so");
        let deaf = by_flags.clone().accept_ra(false);
        assert_eq!(asked(&deaf, flags), [0; 0]);
    }
}

#[test]
fn rfc4861_4_2_information_is_asked_for_again_until_there_is_a_lease() {
    let mut stack = stack(0);
    let mut now = Instant::from_nanos(0);
    stack.start_ipv6(now, &Ipv6::default().dhcpv6(true));
    let mut pass = |stack: &mut Interface, frame: Vec<u8>, time: Duration| {
        stack.handle_frame(now, frame.into(), &mut |_: &[u8]| {});
        let mut frames = sent(stack, now, time);
        now += time;
        frames.retain(|(_, frame)| is_dhcp(frame));
        frames
    };
    pass(&mut stack, Vec::new(), 2 * SECOND);
    let frames = pass(&mut stack, advertise(1800, 0x40, &[]), SECOND);
    let (source, request) = dhcp_of(&frames).expect("a question");
    assert_eq!(request[0], INFORMATION_REQUEST);
    // To be asked for again after ten minutes.
    let informed = answer(&request, source, 7, &[0, 32, 0, 4, 0, 0, 2, 88]);
    pass(&mut stack, informed, SECOND);
    assert!(stack.information_v6().is_some());
    let mut frames = pass(&mut stack, advertise(1800, 0x80, &[]), 700 * SECOND);
    assert!(stack.information_v6().is_some());
    let asks = |(_, frame): &(Duration, Vec<u8>)| frame[62] == INFORMATION_REQUEST;
    assert!(frames.iter().any(asks));
    frames.retain(|(_, frame)| frame[62] == SOLICIT);
    let (_, solicit) = dhcp_of(&frames).expect("both are asked for");
    let frames = pass(&mut stack, grant(&solicit, source, 2), Duration::ZERO);
    let (_, request) = dhcp_of(&frames).expect("a Request");
    let frames = pass(&mut stack, grant(&request, source, 7), 55 * SECOND);
    assert!(!frames.iter().any(asks), "the lease tells it");
    assert!(stack.lease_v6().is_some());
    // And when it has ended.
    let mut frames = pass(&mut stack, Vec::new(), 10 * SECOND);
    assert!(stack.lease_v6().is_none() && stack.name_servers().is_empty());
    frames.retain(asks);
    let (_, request) = dhcp_of(&frames).expect("a question");
    let servers = [&[0, 23, 0, 16][..], &v6("2001:db8::53").octets()].concat();
    pass(&mut stack, answer(&request, source, 7, &servers), SECOND);
    assert_eq!(stack.name_servers(), [v6("2001:db8::53")]);
}

#[test]
fn rfc4861_4_2_a_client_that_was_stopped_is_not_started_again_by_a_router() {
    let mut stack = stack(0);
    let now = Instant::from_nanos(0);
    stack.start_ipv6(now, &Ipv6::default().dhcpv6(true));
    sent(&mut stack, now, 2 * SECOND);
    for _ in 0..2 {
        let advertisement = advertise(1800, 0xc0, &[]);
        stack.handle_frame(now, advertisement.into(), &mut |_: &[u8]| {});
        stack.stop_dhcpv6(now);
        assert!(!stack.runs_dhcpv6());
    }
}

#[test]
fn a_lease_and_groups_are_charged() {
    let used = |stack: &mut Interface, now| {
        sent(stack, now, Duration::ZERO);
        stack.tcp().account().used_by(Kind::Neighbours)
    };
    let mut bare = stack(0);
    let now = Instant::from_nanos(0);
    bare.start_ipv6(now, &Ipv6::default().accept_ra(false));
    sent(&mut bare, now, 4 * SECOND);
    let before = used(&mut bare, now + 4 * SECOND);
    let (mut with_lease, later) = leased();
    let after = used(&mut with_lease, later);
    // Twice the lease's address, the DUID of its server, and the client.
    assert!(after >= before + 2 * 16 + 3 + 200, "{before} {after}");
    for groups in ["224.1.2.3", "ff02::1:2:3"] {
        let before = used(&mut bare, now);
        let socket = bare.udp_bind(([0, 0, 0, 0], 0)).expect("free");
        let group = groups.parse().expect("an address");
        bare.join_multicast(now, socket, group).expect("room");
        let joined = used(&mut bare, now);
        assert!(joined >= before, "{groups} {before} {joined}");
    }
    let all: usize = used(&mut bare, now);
    assert!(all > before + 2 * 16, "{before} {all}");
}
