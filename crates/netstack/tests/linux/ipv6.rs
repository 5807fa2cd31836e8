//! TCP, UDP and ICMPv6 over IPv6, with the kernel's neighbour discovery.

use netstack::{Config, Ipv6, Stack, TcpListener, TcpStream, UdpSocket};
use std::io::{self, ErrorKind, Read};
use std::net::{Ipv6Addr, Shutdown, SocketAddr};
use std::sync::mpsc;
use std::time::Duration;

use crate::Scenario;
use crate::host::{Host, PATIENCE, Spawner};
use crate::link::Conditions;
use crate::namespace::{ip, is_long};
use crate::stream::Octets;

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("ipv6-transfer-1280", || transfer(1280, 0)),
    ("ipv6-transfer-1500", || transfer(1500, 0)),
    ("ipv6-transfer-9000", || transfer(9000, 0)),
    ("ipv6-transfer-1500-lossy", || transfer(1500, 20)),
    ("ipv6-udp-echo-and-fragments", udp_echo),
    ("ipv6-ping-both-ways", ping),
    ("ipv6-connect-to-the-kernel", connect_to_the_kernel),
    ("ipv6-link-local", link_local),
];

/// The stack's address and the kernel's.
const OURS: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);
const KERNEL: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);

/// Has a stack speak IPv6, with its address at once.
pub(crate) fn added_to(config: Config) -> Config {
    config
        .ipv6(Ipv6::default().dad_transmits(0))
        .address("fd00::2/64".parse().expect("an address"))
}

fn conditions(capture: &'static str) -> Conditions {
    Conditions {
        ipv6: true,
        capture: Some(capture),
        ..Conditions::default()
    }
}

/// Sends back what comes, by a listener on all addresses of both families.
async fn echo(stack: Stack, spawner: Spawner) -> io::Result<()> {
    let listener = TcpListener::bind(&stack, (Ipv6Addr::UNSPECIFIED, 7))?;
    loop {
        let (stream, _) = listener.accept().await?;
        let serve = async move {
            while let Some(chunk) = stream.read_chunk(usize::MAX).await? {
                stream.write_chunk(chunk).await?;
            }
            stream.shutdown()
        };
        spawner.spawn(serve).detach();
    }
}

/// As many octets there and back as a part of `loss` in a thousand frames leaves time for.
fn transfer(mtu: usize, loss: u32) -> String {
    let count = match (is_long(), loss) {
        (true, 0) => 100_000_000,
        (true, _) | (false, 0) => 10_000_000,
        (false, _) => 1_000_000,
    };
    let conditions = Conditions {
        mtu,
        loss,
        duplication: loss / 2,
        reordering: loss,
        ipv6: true,
        ..Conditions::default()
    };
    let host = Host::start(conditions, echo);
    for address in [SocketAddr::from((OURS, 7)), ([10, 0, 0, 2], 7).into()] {
        let stream = std::net::TcpStream::connect_timeout(&address, PATIENCE);
        let mut stream = stream.expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        let mut sender = stream.try_clone().expect("a handle");
        let sends = std::thread::spawn(move || {
            Octets::new(3).send(&mut sender, count).expect("sent");
            sender.shutdown(Shutdown::Write).expect("shut down");
        });
        let received = Octets::new(3).receive(&mut stream).expect("received");
        sends.join().expect("no panic");
        assert_eq!(received, count);
    }
    let counters = host.counters();
    assert!(counters.ip6.in_delivers > 0 && counters.nd.in_msgs > 0);
    format!("{count} octets there and back over each family")
}

fn udp_echo() -> String {
    let _host = Host::start(conditions("ipv6-udp-echo"), |stack, _| async move {
        let socket = UdpSocket::bind(&stack, (Ipv6Addr::UNSPECIFIED, 7))?;
        loop {
            let datagram = socket.recv_datagram().await?;
            socket.send_to(&datagram.payload, datagram.source)?;
        }
    });
    let socket = std::net::UdpSocket::bind("[fd00::1]:0").expect("a socket");
    socket.connect((OURS, 7)).expect("connected");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    let lengths = [0, 1, 1452, 1453, 5000, 30_000, 65_000];
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
    socket.connect((OURS, 9)).expect("connected");
    socket.send(b"anybody?").expect("sent");
    let nobody = socket.recv(&mut answer).expect_err("nobody");
    assert_eq!(nobody.kind(), io::ErrorKind::ConnectionRefused);
    format!("datagrams of {lengths:?} octets came back; ConnectionRefused from nobody")
}

fn ping() -> String {
    let (told, times) = mpsc::channel();
    let _host = Host::start(conditions("ipv6-ping"), move |stack: Stack, _| async move {
        let there = stack.ping(KERNEL, PATIENCE).await;
        told.send(there).expect("the scenario waits");
        std::future::pending().await
    });
    let time = times.recv_timeout(PATIENCE).expect("an answer");
    let time = time.expect("the kernel answers");
    let ping = std::process::Command::new("ping")
        .args(["-6", "-c", "3", "-i", "0.2", "-s", "4000", "fd00::2"])
        .output();
    let theirs = match ping {
        Ok(output) => {
            assert!(output.status.success(), "{output:?}");
            "three of the kernel's in fragments"
        }
        Err(_) => "there is no ping",
    };
    format!("an echo after {time:.1?}; {theirs}")
}

fn connect_to_the_kernel() -> String {
    const COUNT: usize = 1_000_000;
    let (told, ports) = mpsc::channel::<u16>();
    let _host = Host::start(
        conditions("ipv6-connect"),
        move |stack: Stack, _| async move {
            let refused = TcpStream::connect(&stack, (KERNEL, 1)).await;
            assert_eq!(
                refused.map(|_| ()).map_err(|error| error.kind()),
                Err(io::ErrorKind::ConnectionRefused)
            );
            let port = ports.recv().expect("the scenario tells");
            let stream = TcpStream::connect(&stack, (KERNEL, port)).await?;
            let (mut octets, mut buffer) = (Octets::new(5), vec![0; 50_000]);
            for _ in 0..COUNT / buffer.len() {
                octets.fill(&mut buffer);
                stream.write_all(&buffer).await?;
            }
            stream.shutdown()?;
            stream.flushed().await
        },
    );
    let listener = std::net::TcpListener::bind("[::]:0").expect("a listener");
    let port = listener.local_addr().expect("an address").port();
    told.send(port).expect("the stack waits");
    let (mut stream, peer) = listener.accept().expect("a connection");
    assert_eq!(peer.ip(), OURS);
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    let received = Octets::new(5).receive(&mut stream).expect("received");
    assert_eq!(
        (received, stream.read(&mut [0]).expect("the end")),
        (COUNT, 0)
    );
    format!("{COUNT} octets")
}

/// The kernel's neighbour discovery finds the link-local address, and the other way round.
fn link_local() -> String {
    let (told, addresses) = mpsc::channel();
    let _host = Host::start(conditions("ipv6-link-local"), move |stack, spawner| {
        let ours = stack.addresses();
        told.send(ours).expect("the scenario waits");
        echo(stack, spawner)
    });
    let ours = addresses.recv_timeout(PATIENCE).expect("addresses");
    let local = ours.iter().find_map(|cidr| {
        let address = cidr.v6()?.address();
        address.is_unicast_link_local().then_some(address)
    });
    let local = local.expect("a link-local address");
    ip("neigh flush dev tap0");
    let index = std::fs::read_to_string("/sys/class/net/tap0/ifindex");
    let index = index.ok().and_then(|it| it.trim().parse().ok());
    let scope = index.unwrap_or(2);
    let address = std::net::SocketAddrV6::new(local, 7, 0, scope);
    // The kernel has a route there only when it has noticed that the link is up, in its own time.
    let connect = |_| match std::net::TcpStream::connect_timeout(&address.into(), PATIENCE) {
        Err(error) if error.kind() == ErrorKind::NetworkUnreachable => {
            std::thread::sleep(Duration::from_millis(100));
            None
        }
        stream => Some(stream.expect("a connection")),
    };
    let mut stream = (0..100).find_map(connect).expect("a route");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    Octets::new(9).send(&mut stream, 1000).expect("sent");
    stream.shutdown(Shutdown::Write).expect("shut down");
    let received = Octets::new(9).receive(&mut stream).expect("received");
    assert_eq!(received, 1000);
    format!("1000 octets by {local}")
}
