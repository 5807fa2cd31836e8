//! A stack that gets its address from a server of ours.

use crate::world::{SERVER, World};
use netstack::{Config, TcpListener, TcpStream, UdpSocket};
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::time::Duration;

pub(crate) const LEASED: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 50);

/// What the server says to `request`: a message of 240 octets, then options (RFC 2131 §2).
fn answer(request: &[u8]) -> Vec<u8> {
    let discover = request[240..].starts_with(&[53, 1, 1]);
    let mut reply = vec![0; 240];
    reply[..3].copy_from_slice(&[2, 1, 6]);
    reply[4..8].copy_from_slice(&request[4..8]);
    reply[16..20].copy_from_slice(&LEASED.octets());
    reply[28..34].copy_from_slice(&request[28..34]);
    reply[236..].copy_from_slice(&[99, 130, 83, 99]);
    reply.extend([53, 1, if discover { 2 } else { 5 }]);
    reply.extend([51, 4, 0, 0, 14, 16]);
    reply.extend([1, 4, 255, 255, 255, 0]);
    for router_and_server in [3, 54] {
        reply.extend([router_and_server, 4]);
        reply.extend(SERVER.octets());
    }
    reply.push(255);
    reply
}

pub(crate) fn without_address() -> World {
    let server = Config::default().address("10.0.0.2/24".parse().expect("an address"));
    World::with([Config::default(), server])
}

#[test]
fn a_leased_address_is_used_renewed_and_reaches_beyond_the_router() {
    let world = without_address();
    let socket = UdpSocket::bind(&world.server, ([0; 4], 67)).expect("a free port");
    world.spawn(lease_to_all(socket));
    world.run(async {
        let lease = world
            .client
            .dhcp(Duration::from_secs(10))
            .await
            .expect("a lease");
        assert_eq!(lease.address.to_string(), "10.0.0.50/24");
        assert_eq!(world.client.addresses(), [lease.address.into()]);
        assert_eq!(world.client.routes()[0].gateway, SERVER);
        let listener = TcpListener::bind(&world.server, (SERVER, 7)).expect("a free port");
        let stream = TcpStream::connect(&world.client, (SERVER, 7))
            .await
            .expect("connected");
        assert_eq!(stream.local_addr().expect("connected").ip(), LEASED);
        listener.accept().await.expect("a connection");
        // Three times the lease: it was renewed at each half.
        world.client.sleep(Duration::from_secs(3 * 3600)).await;
        assert_eq!(world.client.lease(), Some(lease));
    });
}

#[test]
fn without_a_server_there_is_no_lease() {
    let world = without_address();
    world.run(async {
        let error = world
            .client
            .dhcp(Duration::from_secs(20))
            .await
            .expect_err("nobody");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(world.client.addresses().is_empty());
    });
}

/// Leases to whoever asks, from the server's end.
pub(crate) async fn lease_to_all(socket: UdpSocket) {
    loop {
        let asked = socket.recv_datagram().await.expect("a request");
        let (request, peer) = (asked.payload, asked.source);
        let to = match peer.ip().is_unspecified() {
            true => Ipv4Addr::BROADCAST.into(),
            false => peer.ip(),
        };
        let sent = socket.send_to(&answer(&request), (to, 68));
        sent.expect("a route");
    }
}

#[test]
fn whoever_asks_again_joins_the_search_and_then_shares_the_lease() {
    let world = without_address();
    world.run(async {
        let within = |seconds| world.client.dhcp(Duration::from_secs(seconds));
        let error = within(20).await.expect_err("nobody yet");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let socket = UdpSocket::bind(&world.server, ([0; 4], 67)).expect("a free port");
        world.spawn(lease_to_all(socket));
        let (one, other) = futures_lite::future::zip(within(200), within(200)).await;
        let lease = one.expect("a lease");
        assert_eq!(other.expect("the same"), lease);
        // Bound already: nothing is asked for anew, and the address stays.
        let before = world.seconds();
        assert_eq!(within(1).await.expect("the same"), lease);
        assert_eq!(world.seconds(), before);
        assert_eq!(world.client.addresses(), [lease.address.into()]);
    });
}

#[test]
fn the_mtu_of_the_configuration_holds_within_the_devices() {
    let config = Config::default().mtu(1400);
    let world = World::with([config, Config::default()]);
    assert_eq!((world.client.mtu(), world.server.mtu()), (1400, 1500));
}

#[test]
fn rfc2131_section_3_2_a_remembered_address_is_confirmed_by_one_answer() {
    let world = without_address();
    let socket = UdpSocket::bind(&world.server, ([0; 4], 67)).expect("a free port");
    world.spawn(lease_to_all(socket));
    world.run(async {
        let wanted = world.client.dhcp_again(LEASED, Duration::from_secs(1));
        let lease = wanted.await.expect("a lease");
        assert_eq!(lease.address.address(), LEASED);
        assert_eq!(world.server.counters().udp.in_datagrams, 1, "one question");
    });
}
