//! A stack whose only neighbour is a DHCP server, in virtual time.

use crate::proto::Instant;
use crate::proto::dhcp::tests::server::{
    ACK, DECLINE, DISCOVER, OFFER, REQUEST, bare, kind, reply,
};
use crate::proto::dhcp::{CLIENT_PORT, Lease, SERVER_PORT};
use crate::proto::interface::{Event, Interface, InterfaceConfig, Transmit};
use crate::proto::ip::v4::{Header, protocol};
use crate::proto::ip::{Cidr, Route};
use crate::proto::link::arp::{Operation, Packet};
use crate::proto::link::ethernet::{self, MacAddr};
use crate::proto::tcp::Options;
use crate::proto::udp;
use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 9]);
const SERVER_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
const OURS: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 50);
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 77);
const MASK: (u8, &[u8]) = (1, &[255, 255, 255, 0]);
const ROUTER: (u8, &[u8]) = (3, &[10, 9, 0, 1]);
const HOUR: (u8, &[u8]) = (51, &[0, 0, 14, 16]);
const USUAL: [(u8, &[u8]); 4] = [HOUR, MASK, ROUTER, (6, &[10, 9, 0, 53])];

#[derive(Default)]
struct Sent(Vec<Vec<u8>>);

impl Transmit for Sent {
    fn transmit(&mut self, frame: &[u8]) {
        self.0.push(frame.to_vec());
    }
}

/// A frame from the server's port to the client's.
fn frame(to: Ipv4Addr, message: &[u8]) -> Vec<u8> {
    let source = SocketAddrV4::new(SERVER, SERVER_PORT);
    let destination = SocketAddrV4::new(to, CLIENT_PORT);
    let mut datagram = vec![0; udp::HEADER_LEN + message.len()];
    udp::write(source, destination, message, &mut datagram);
    let header = Header::new(SERVER, to, protocol::UDP, datagram.len());
    let station = if to.is_broadcast() {
        MacAddr::BROADCAST
    } else {
        MAC
    };
    let mut frame = vec![0; ethernet::HEADER_LEN + header.total_len];
    ethernet::Header {
        destination: station,
        source: SERVER_MAC,
        ether_type: ethernet::IPV4,
    }
    .write(&mut frame);
    header.write(&mut frame[ethernet::HEADER_LEN..]);
    frame[34..].copy_from_slice(&datagram);
    frame
}

/// The DHCP message in a frame of ours.
fn message(frame: &[u8]) -> Option<&[u8]> {
    let dhcp = frame[12..14] == [8, 0] && frame[23] == 17 && frame[36..38] == [0, 67];
    dhcp.then(|| &frame[42..])
}

struct World {
    stack: Interface,
    now: Instant,
    events: Vec<Event>,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            stack: Interface::new(InterfaceConfig::new(MAC, 1500, [3; 32])),
            now: Instant::from_nanos(1_000_000_000),
            events: Vec::new(),
        };
        world.stack.start_dhcp(world.now);
        world
    }

    fn bound(options: &[(u8, &[u8])]) -> Self {
        let mut world = Self::new();
        world.bind(OURS, options);
        world
    }

    /// What is sent after `call`, with ARP for the server answered.
    fn call(&mut self, call: impl FnOnce(&mut Interface, Instant, &mut Sent)) -> Vec<Vec<u8>> {
        let mut sent = Sent::default();
        call(&mut self.stack, self.now, &mut sent);
        while self.stack.poll(self.now, 64, &mut sent) {}
        for index in 0..sent.0.len() {
            let frame = sent.0[index].clone();
            let asked = (frame[12..14] == [8, 6]).then(|| Packet::parse(&frame[14..]));
            if let Some(Some(packet)) = asked
                && packet.operation == Operation::Request
                && packet.target == SERVER
                && packet.sender != SERVER
            {
                let reply = packet.reply(SERVER_MAC).to_bytes();
                let frame = [&MAC.0[..], &SERVER_MAC.0, &[8, 6], &reply].concat();
                self.stack.handle_frame(self.now, frame.into(), &mut sent);
                while self.stack.poll(self.now, 64, &mut sent) {}
            }
        }
        self.events
            .extend(core::iter::from_fn(|| self.stack.poll_event()));
        sent.0
    }

    fn give(&mut self, frame: Vec<u8>) -> Vec<Vec<u8>> {
        self.call(|stack, now, sent| stack.handle_frame(now, frame.into(), sent))
    }

    /// The next DHCP message, for which time passes if need be.
    fn next_message(&mut self) -> Vec<u8> {
        for _ in 0..100 {
            let sent = self.call(|_, _, _| {});
            if let Some(message) = sent.iter().find_map(|frame| message(frame)) {
                return message.to_vec();
            }
            let next = self.stack.poll_at(self.now).expect("a deadline");
            self.now = self.now.max(next);
        }
        panic!("no message");
    }

    /// Answers `request`; the DHCP message that comes of it at once.
    fn answer(
        &mut self,
        request: &[u8],
        (kind, address): (u8, Ipv4Addr),
        options: &[(u8, &[u8])],
    ) -> Option<Vec<u8>> {
        let reply = reply(request, SERVER, (kind, address), options);
        let sent = self.give(frame(Ipv4Addr::BROADCAST, &reply));
        let message = sent.iter().find_map(|frame| message(frame));
        message.map(<[u8]>::to_vec)
    }

    fn bind(&mut self, address: Ipv4Addr, options: &[(u8, &[u8])]) {
        let discover = self.next_message();
        assert_eq!(kind(&discover), DISCOVER);
        let request = self.answer(&discover, (OFFER, address), options);
        let request = request.expect("a request");
        self.answer(&request, (ACK, address), options);
    }

    /// Answers the next request for more time.
    fn extend(&mut self, address: Ipv4Addr, options: &[(u8, &[u8])]) {
        let request = self.next_message();
        assert_eq!(kind(&request), REQUEST);
        self.answer(&request, (ACK, address), options);
    }

    fn addresses(&self) -> Vec<String> {
        self.stack.addresses().iter().map(Cidr::to_string).collect()
    }

    fn leases(&mut self) -> Vec<Option<Lease>> {
        let events = core::mem::take(&mut self.events).into_iter();
        let leases = events.filter_map(|event| match event {
            Event::Lease(lease) => Some(lease),
            _ => None,
        });
        leases.collect()
    }
}

#[test]
fn a_renewal_that_says_little_changes_nothing() {
    let mut world = World::bound(&USUAL);
    let (routes, lease) = (
        world.stack.routes().to_vec(),
        world.stack.lease().expect("bound").clone(),
    );
    world.extend(OURS, &[HOUR]);
    assert_eq!(world.addresses(), ["10.9.0.50/24"]);
    assert_eq!(world.stack.routes(), routes);
    assert_eq!(world.stack.lease(), Some(&lease));
}

#[test]
fn another_address_leaves_nothing_of_the_old_one() {
    let mut world = World::bound(&USUAL);
    world.extend(OTHER, &[HOUR, (1, &[255, 255, 0, 0])]);
    assert_eq!(world.addresses(), ["10.9.0.77/16"]);
    assert_eq!(
        world.stack.routes(),
        [],
        "the router was the old address' own"
    );
}

#[test]
fn another_mask_is_taken_with_the_same_address() {
    let mut world = World::bound(&USUAL);
    world.extend(OURS, &[HOUR, (1, &[255, 255, 0, 0])]);
    assert_eq!(world.addresses(), ["10.9.0.50/16"]);
}

#[test]
fn a_router_that_is_replaced_or_lost_leaves_no_route() {
    // Outside of the network: with a route of its own.
    let mut world = World::bound(&[HOUR, MASK, (3, &[10, 20, 0, 1])]);
    assert_eq!(world.stack.routes().len(), 2);
    world.extend(OURS, &[HOUR, MASK, ROUTER]);
    let gateways: Vec<_> = world
        .stack
        .routes()
        .iter()
        .map(|route| route.gateway)
        .collect();
    assert_eq!(gateways, [SERVER]);
    // Classless routes without one to everything take it away (RFC 3442).
    world.extend(OURS, &[HOUR, MASK, (121, &[8, 11, 10, 9, 0, 2])]);
    let shown: Vec<_> = world
        .stack
        .routes()
        .iter()
        .map(|route| route.destination.to_string())
        .collect();
    assert_eq!(shown, ["11.0.0.0/8"]);
}

#[test]
fn a_route_that_the_user_put_in_place_of_the_leases_stays() {
    let mut world = World::bound(&USUAL);
    let destination = world.stack.routes()[0].destination;
    let gateway = Ipv4Addr::new(10, 9, 0, 200);
    let own = Route {
        destination,
        gateway: gateway.into(),
    };
    world.stack.add_route(own);
    world.call(|stack, now, sent| stack.stop_dhcp(now, sent));
    assert_eq!(world.stack.routes(), [own]);
    assert!(world.stack.addresses().is_empty());
}

#[test]
fn a_second_start_withdraws_what_the_first_had_taken() {
    let mut world = World::bound(&USUAL);
    assert_eq!(world.leases().len(), 1);
    // An event of the first client waits when the second starts.
    world.stack.push_event(Event::Lease(None));
    world.stack.start_dhcp(world.now);
    assert!(world.stack.addresses().is_empty() && world.stack.routes().is_empty());
    assert_eq!(world.stack.lease(), None);
    world.bind(OTHER, &[HOUR, MASK]);
    assert_eq!(world.addresses(), ["10.9.0.77/24"]);
    let leases = world.leases();
    let addresses: Vec<_> = leases
        .iter()
        .map(|lease| lease.as_ref().map(|lease| lease.address.address()))
        .collect();
    assert_eq!(addresses, [None, Some(OTHER)], "first lost, then granted");
}

#[test]
fn a_router_outside_of_a_network_of_one_address_is_reached() {
    let mut world = World::bound(&[HOUR, (1, &[255; 4]), ROUTER]);
    assert_eq!(world.addresses(), ["10.9.0.50/32"]);
    for to in [[8, 8, 8, 8].into(), SERVER] {
        let any = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
        let sent = world.call(|stack, now, _| {
            let to = SocketAddrV4::new(to, 80);
            stack
                .connect(now, any, to, &Options::default())
                .expect("a route");
        });
        let syn = sent
            .iter()
            .find(|frame| frame[12..14] == [8, 0] && frame[23] == 6);
        let syn = syn.expect("a SYN");
        assert_eq!(syn[..6], SERVER_MAC.0, "to {to} by the router");
        assert_eq!(syn[26..30], OURS.octets());
    }
}

#[test]
fn the_mtu_of_the_lease_holds_for_as_long_as_the_lease() {
    let segment = |world: &mut World| {
        let any = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
        let sent = world.call(|stack, now, _| {
            let to = SocketAddrV4::new(SERVER, 80);
            stack
                .connect(now, any, to, &Options::default())
                .expect("a route");
        });
        let syn = sent
            .iter()
            .find(|frame| frame[12..14] == [8, 0] && frame[23] == 6)
            .expect("a SYN");
        u16::from_be_bytes([syn[56], syn[57]])
    };
    // What is named, and what comes of it.
    for (named, mtu) in [
        (1400, 1400),
        (576, 576),
        (575, 1500),
        (0, 1500),
        (9000, 1500),
    ] {
        let octets = u16::to_be_bytes(named);
        let mut world = World::bound(&[HOUR, MASK, (26, &octets)]);
        assert_eq!(world.stack.mtu(), mtu, "MTU {named}");
        assert_eq!(usize::from(segment(&mut world)), mtu - 40);
        world.extend(OURS, &[HOUR]);
        assert_eq!(world.stack.mtu(), mtu, "a renewal without it");
        world.call(|stack, now, sent| stack.stop_dhcp(now, sent));
        assert_eq!(world.stack.mtu(), 1500);
    }
}

#[test]
fn a_datagram_is_cut_to_the_mtu_that_is_set() {
    let mut world = World::bound(&USUAL);
    world.stack.set_mtu(Some(600));
    let any = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
    let socket = world.stack.udp_bind(any).expect("a free port");
    let sent = world.call(|stack, now, sent| {
        let to = SocketAddrV4::new(SERVER, 9);
        stack
            .udp_send(now, socket, to, &[1; 1000], sent)
            .expect("a route");
    });
    let packets: Vec<_> = sent
        .iter()
        .filter(|frame| frame[12..14] == [8, 0])
        .map(|frame| frame.len() - 14)
        .collect();
    assert_eq!(packets, [596, 452]);
    for (asked, set) in [(Some(10), 68), (Some(1 << 20), 1500), (None, 1500)] {
        world.stack.set_mtu(asked);
        assert_eq!(world.stack.mtu(), set);
    }
}

#[test]
fn a_remembered_address_is_asked_for_first() {
    let mut world = World::new();
    world.stack.resume_dhcp(world.now, OURS);
    let request = world.next_message();
    assert_eq!(kind(&request), REQUEST);
    world.answer(&request, (ACK, OURS), &USUAL);
    assert_eq!(world.addresses(), ["10.9.0.50/24"]);
}

/// A stranger's announcement of the address that is leased to us.
fn claim_of_a_stranger() -> Vec<u8> {
    let stranger = MacAddr([2, 0, 0, 0, 0, 0x55]);
    let packet = Packet::announcement(stranger, OURS).to_bytes();
    [&[0xff; 6][..], &stranger.0, &[8, 6], &packet].concat()
}

#[test]
fn rfc5227_section_2_4_one_packet_does_not_take_a_leased_address_away() {
    let mut world = World::bound(&USUAL);
    world.now += Duration::from_secs(5);
    world.call(|_, _, _| {});
    world.leases();
    for _ in 0..3 {
        let sent = world.give(claim_of_a_stranger());
        assert!(sent.iter().all(|frame| message(frame).is_none()));
        let defence = Packet::announcement(MAC, OURS).to_bytes();
        assert!(sent.iter().any(|frame| frame[14..] == defence));
        assert_eq!(world.addresses(), ["10.9.0.50/24"]);
        assert_eq!(world.leases(), []);
        world.now += Duration::from_secs(11);
    }
    // Two within ten seconds do.
    world.give(claim_of_a_stranger());
    world.now += Duration::from_secs(9);
    let sent = world.give(claim_of_a_stranger());
    let decline = sent.iter().find_map(|frame| message(frame));
    assert_eq!(decline.map(kind), Some(DECLINE));
    assert_eq!(world.leases(), [None]);
}

#[test]
fn rfc2131_section_3_1_an_address_that_another_station_has_is_declined() {
    let mut world = World::bound(&USUAL);
    world.leases();
    let sent = world.give(claim_of_a_stranger());
    let decline = sent
        .iter()
        .find_map(|frame| message(frame))
        .expect("a message");
    assert_eq!(kind(decline), DECLINE);
    assert!(world.stack.addresses().is_empty() && world.stack.routes().is_empty());
    assert_eq!(world.leases(), [None]);
    let declined = world.now;
    assert_eq!(kind(&world.next_message()), DISCOVER);
    assert!(world.now - declined >= Duration::from_secs(10));
}

#[test]
fn rfc768_length_and_checksum_hold_for_dhcp() {
    let offer = |world: &mut World| {
        let discover = world.next_message();
        let offer = reply(&discover, SERVER, (OFFER, OURS), &USUAL);
        frame(Ipv4Addr::BROADCAST, &offer)
    };
    let mut world = World::new();
    let mut wrong = offer(&mut world);
    wrong[41] ^= 1;
    assert!(world.give(wrong.clone()).is_empty());
    assert_eq!(world.stack.counters().udp.in_csum_errors, 1);
    // A device may vouch for it: then what stands there is the host's unfinished sum.
    let vouched = world.call(|stack, now, sent| {
        stack.handle_received(now, wrong.into(), true, sent);
    });
    assert!(vouched.iter().any(|frame| message(frame).is_some()));
    // What is behind the datagram is not the message's.
    let mut world = World::new();
    let mut cut = offer(&mut world);
    cut[38..40].copy_from_slice(&(8_u16 + 240).to_be_bytes());
    cut[40..42].fill(0);
    assert!(world.give(cut).is_empty());
}

#[test]
fn one_datagram_from_anywhere_does_no_harm() {
    let mut world = World::bound(&USUAL);
    let mut message = vec![0; 240];
    message[..3].copy_from_slice(&[2, 1, 6]);
    message[236..].copy_from_slice(&[99, 130, 83, 99]);
    for code in 1..=254 {
        for len in 0..=9 {
            let mut message = message.clone();
            message.extend([code, len]);
            message.resize(message.len() + usize::from(len), 0xff);
            message.push(255);
            assert!(world.give(frame(OURS, &message)).is_empty());
        }
    }
    assert_eq!(world.addresses(), ["10.9.0.50/24"]);
}

#[test]
fn while_a_lease_is_held_datagrams_to_other_addresses_are_dropped() {
    let mut world = World::bound(&USUAL);
    let before = world.stack.counters();
    world.give(frame(OTHER, &[0; 240]));
    let after = world.stack.counters();
    assert_eq!(after.ip.in_addr_errors, before.ip.in_addr_errors + 1);
    assert_eq!(after.udp.in_datagrams, before.udp.in_datagrams);
}

#[test]
fn rfc2131_section_4_3_6_a_renewal_to_a_server_beyond_the_router_goes_by_it() {
    let far = Ipv4Addr::new(172, 16, 0, 1);
    let mut world = World::new();
    for kind in [OFFER, ACK] {
        let request = world.next_message();
        let (kind, server) = ([kind], far.octets());
        let mut options: Vec<(u8, &[u8])> = vec![(53, &kind), (54, &server)];
        options.extend(USUAL);
        world.give(frame(Ipv4Addr::BROADCAST, &bare(&request, OURS, &options)));
    }
    let renewal = (0..100).find_map(|_| {
        world.now = world.now.max(world.stack.poll_at(world.now)?);
        let sent = world.call(|_, _, _| {});
        sent.into_iter().find(|frame| message(frame).is_some())
    });
    let renewal = renewal.expect("a renewal");
    assert_eq!(renewal[..6], SERVER_MAC.0, "which is the router's");
    assert_eq!(renewal[30..34], far.octets());
}
