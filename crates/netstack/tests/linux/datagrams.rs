//! UDP, ICMP, fragments, and connections that the stack opens.

use etherparse::{IcmpEchoHeader, Icmpv4Header, Icmpv4Type};
use netstack::{Stack, TcpStream, UdpSocket};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::mpsc;
use std::time::Duration;

use crate::Scenario;
use crate::host::{ADDRESS, Host, PATIENCE, Spawner};
use crate::link::Conditions;
use crate::stream::Octets;

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("udp-echo-and-fragments", || udp_echo(1500, "udp-echo-1500")),
    ("udp-echo-and-fragments-576", || {
        udp_echo(576, "udp-echo-576")
    }),
    ("udp-port-unreachable", port_unreachable),
    ("ping", ping),
    ("ping-from-the-kernel", ping_from_the_kernel),
    ("connect-to-the-kernel", connect_to_the_kernel),
];

const KERNEL: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

async fn echo(stack: Stack, _: Spawner) -> io::Result<()> {
    let socket = UdpSocket::bind(&stack, ([0; 4], 7))?;
    loop {
        let datagram = socket.recv_datagram().await?;
        socket.send_to(&datagram.payload, datagram.source)?;
    }
}

fn udp_echo(mtu: usize, capture: &'static str) -> String {
    let capture = Some(capture);
    let _host = Host::start(
        Conditions {
            mtu,
            capture,
            ..Conditions::default()
        },
        echo,
    );
    let socket = std::net::UdpSocket::bind("10.0.0.1:0").expect("a socket");
    socket
        .connect(SocketAddr::from((ADDRESS, 7)))
        .expect("connected");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    let lengths = [0, 1, 511, 512, 1472, 1473, 5000, 30_000, 65_507];
    let mut answer = vec![0; 65_536];
    for len in lengths {
        let mut payload = vec![0; len];
        Octets::new(len as u64).fill(&mut payload);
        socket.send(&payload).expect("sent");
        let received = socket.recv(&mut answer).expect("an echo");
        assert!(
            answer[..received] == payload,
            "{len} octets came back as {received} others"
        );
    }
    format!("datagrams of {lengths:?} octets came back")
}

fn port_unreachable() -> String {
    let (told, error) = mpsc::channel();
    let capture = Some("udp-port-unreachable");
    let conditions = Conditions {
        capture,
        ..Conditions::default()
    };
    let _host = Host::start(conditions, move |stack: Stack, _| async move {
        let socket = UdpSocket::bind(&stack, ([0; 4], 4446))?;
        socket.connect((KERNEL, 4444))?;
        socket.send(b"anybody?")?;
        let kind = socket.recv_datagram().await.map_err(|error| error.kind());
        told.send(kind.map(|_| ())).expect("the scenario waits");
        Ok(())
    });
    let ours = error.recv_timeout(PATIENCE).expect("an error");
    assert_eq!(ours, Err(io::ErrorKind::ConnectionRefused));
    // Not any port: tshark takes some for those of traceroute.
    let socket = std::net::UdpSocket::bind("10.0.0.1:4445").expect("a socket");
    socket
        .connect(SocketAddr::from((ADDRESS, 4444)))
        .expect("connected");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    socket.send(b"anybody?").expect("sent");
    let theirs = socket.recv(&mut [0; 8]).expect_err("nobody");
    assert_eq!(theirs.kind(), io::ErrorKind::ConnectionRefused);
    "ConnectionRefused on both sides".into()
}

fn ping() -> String {
    let (told, times) = mpsc::channel();
    let conditions = Conditions {
        capture: Some("ping"),
        ..Conditions::default()
    };
    let _host = Host::start(conditions, move |stack: Stack, _| async move {
        let there = stack.ping(KERNEL, PATIENCE).await;
        let nobody = stack.ping([10, 0, 0, 99], Duration::from_millis(100)).await;
        told.send((there, nobody)).expect("the scenario waits");
        Ok(())
    });
    let (there, nobody) = times.recv_timeout(PATIENCE).expect("an answer");
    let time = there.expect("the kernel answers");
    assert_eq!(nobody.expect_err("nobody").kind(), io::ErrorKind::TimedOut);
    format!("an echo after {time:.1?}; TimedOut from nobody")
}

/// Echo requests of the kernel's, whole and in fragments.
fn ping_from_the_kernel() -> String {
    let conditions = Conditions {
        capture: Some("ping-from-the-kernel"),
        ..Conditions::default()
    };
    let _host = Host::start(conditions, echo);
    let lengths = [0, 56, 1472, 1473, 4000, 30_000, 65_507];
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4));
    let mut socket = socket.expect("a raw socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    let to = SockAddr::from(SocketAddr::from((ADDRESS, 0)));
    let mut answer = vec![0; 65_536];
    for (sequence, len) in (0..).zip(lengths) {
        let mut payload = vec![0; len];
        Octets::new(len as u64).fill(&mut payload);
        let echo = IcmpEchoHeader {
            id: 77,
            seq: sequence,
        };
        let request = Icmpv4Type::EchoRequest(echo);
        let header = Icmpv4Header::with_checksum(request, &payload).to_bytes();
        let request = [&header[..], &payload].concat();
        socket.send_to(&request, &to).expect("sent");
        let received = socket.read(&mut answer).expect("an echo");
        // Behind an IPv4 header of 20 octets: type 0, code 0, a checksum, then what was sent.
        let reply = &answer[20..received];
        assert_eq!(reply[..2], [0, 0], "an echo reply");
        assert!(reply[4..] == request[4..], "{len} octets came back changed");
    }
    format!("echoes of {lengths:?} octets came back")
}

fn connect_to_the_kernel() -> String {
    const COUNT: usize = 10_000_000;
    let listener = TcpListener::bind("0.0.0.0:0").expect("a listener");
    let port = listener.local_addr().expect("an address").port();
    let (told, results) = mpsc::channel();
    let conditions = Conditions {
        capture: Some("connect-to-the-kernel"),
        ..Conditions::default()
    };
    let _host = Host::start(conditions, move |stack: Stack, _| async move {
        let refused = TcpStream::connect(&stack, (KERNEL, 1)).await.map(|_| ());
        told.send(refused.map_err(|error| error.kind()))
            .expect("the scenario waits");
        let stream = TcpStream::connect(&stack, (KERNEL, port)).await?;
        let (mut octets, mut buffer) = (Octets::new(5), vec![0; 50_000]);
        for _ in 0..COUNT / buffer.len() {
            octets.fill(&mut buffer);
            stream.write_all(&buffer).await?;
        }
        stream.shutdown()?;
        stream.flushed().await
    });
    let (mut stream, peer) = listener.accept().expect("a connection");
    assert_eq!(peer.ip(), Ipv4Addr::from(ADDRESS));
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    assert_eq!(
        Octets::new(5).receive(&mut stream).expect("received"),
        COUNT
    );
    assert_eq!(stream.read(&mut [0]).expect("the end"), 0);
    let refused = results.recv_timeout(PATIENCE).expect("a result");
    assert_eq!(refused, Err(io::ErrorKind::ConnectionRefused));
    format!("ConnectionRefused at a closed port; {COUNT} octets to an open one")
}
