//! What happens to the addresses of a stack.

use crate::dhcp::{LEASED, lease_to_all, without_address};
use crate::world::{CLIENT, SERVER, World};
use futures_lite::StreamExt;
use netstack::proto::link::ethernet::MacAddr;
use netstack::{AddressEvent, TcpListener, TcpStream, UdpSocket};
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::time::Duration;

const SERVER_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);

#[test]
fn rfc2131_section_4_4_6_a_lease_is_given_back_and_all_that_came_with_it() {
    let world = without_address();
    let socket = UdpSocket::bind(&world.server, ([0; 4], 67)).expect("a free port");
    world.spawn(lease_to_all(socket));
    world.run(async {
        let mut events = world.client.address_events();
        let within = Duration::from_secs(10);
        let lease = world.client.dhcp(within).await.expect("a lease");
        assert_eq!(events.next().await, Some(AddressEvent::Leased(lease)));
        let _listener = TcpListener::bind(&world.server, (SERVER, 7)).expect("a free port");
        let stream = TcpStream::connect(&world.client, (SERVER, 7)).await;
        let stream = stream.expect("connected");
        let before = world.server.counters().udp.in_datagrams;
        world.client.dhcp_release();
        assert_eq!(world.client.lease(), None);
        assert_eq!(
            (world.client.addresses(), world.client.routes()),
            (vec![], vec![])
        );
        let error = stream.read(&mut [0]).await.expect_err("without an address");
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
        world.client.sleep(Duration::from_secs(1)).await;
        let after = world.server.counters().udp.in_datagrams;
        assert_eq!(after - before, 1, "the server was told");
        // And another can be had.
        let lease = world.client.dhcp(within).await.expect("a lease");
        assert_eq!(lease.address.address(), LEASED);
    });
}

#[test]
fn rfc5227_section_2_4_another_station_with_our_address_is_told_of() {
    let world = World::new();
    world.run(async {
        // Long after our own announcements.
        world.client.sleep(Duration::from_secs(60)).await;
        let mut events = world.client.address_events();
        world
            .server
            .add_address("10.0.0.1/24".parse().expect("an address"));
        let conflict = AddressEvent::Conflict {
            address: CLIENT.into(),
            other: SERVER_MAC,
        };
        assert_eq!(events.next().await, Some(conflict));
    });
}

#[test]
fn rfc5227_section_2_1_whether_an_address_is_free_is_told() {
    let world = World::new();
    world.run(async {
        let mut events = world.client.address_events();
        world.client.probe_address(SERVER);
        let refused = AddressEvent::Refused {
            address: SERVER.into(),
            owner: SERVER_MAC,
        };
        assert_eq!(events.next().await, Some(refused));
        let nobody = Ipv4Addr::new(10, 0, 0, 9);
        world.client.probe_address(nobody);
        assert_eq!(
            events.next().await,
            Some(AddressEvent::Granted(nobody.into()))
        );
        assert_eq!(world.client.addresses().len(), 1, "it is not taken");
        world.break_client();
        assert_eq!(events.next().await, None);
    });
}
