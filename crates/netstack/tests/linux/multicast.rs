//! Multicast groups, as the kernel's bridge sees them: it snoops on IGMP, and asks as a router does.

use async_channel::Receiver;
use netstack::{Stack, UdpSocket};
use std::io;
use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::Scenario;
use crate::host::{Host, PATIENCE, Spawner};
use crate::link::Conditions;
use crate::namespace::ip;

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("multicast-igmpv3", || snooping(3, "multicast-igmpv3")),
    ("multicast-igmpv2", || snooping(2, "multicast-igmpv2")),
];

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 1, 2, 3);
const PORT: u16 = 5353;

/// Joins and leaves the group as it is told, and tells of each datagram.
async fn listen(
    stack: Stack,
    joins: Receiver<bool>,
    heard: mpsc::Sender<Vec<u8>>,
) -> io::Result<()> {
    let socket = UdpSocket::bind(&stack, ([0; 4], PORT))?;
    let listen = async {
        loop {
            let datagram = socket.recv_datagram().await?;
            if heard.send(datagram.payload.to_vec()).is_err() {
                return io::Result::Ok(());
            }
        }
    };
    let change = async {
        while let Ok(join) = joins.recv().await {
            match join {
                true => socket.join_multicast(GROUP)?,
                false => socket.leave_multicast(GROUP)?,
            }
        }
        Ok(())
    };
    futures_lite::future::or(listen, change).await
}

/// Whether the bridge has the group at the port to the stack.
fn is_snooped() -> bool {
    let output = Command::new("bridge").args(["mdb", "show"]).output();
    let output = output.expect("bridge, of iproute2").stdout;
    String::from_utf8_lossy(&output)
        .lines()
        .any(|line| line.contains(&GROUP.to_string()) && line.contains("port tap0"))
}

fn wait_until(what: &str, holds: impl Fn() -> bool) -> Duration {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what}: not in {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    start.elapsed()
}

fn snooping(version: u8, capture: &'static str) -> String {
    let (told, joins) = async_channel::unbounded();
    let (heard, hears) = mpsc::channel();
    let conditions = Conditions {
        capture: Some(capture),
        ..Conditions::default()
    };
    let host = Host::start(conditions, move |stack: Stack, _: Spawner| {
        listen(stack, joins, heard)
    });
    ip("addr del 10.0.0.1/24 dev tap0");
    ip(&format!(
        "link add br0 type bridge mcast_snooping 1 mcast_querier 1 mcast_igmp_version {version} \
         mcast_startup_query_interval 100 mcast_query_interval 300 mcast_query_response_interval 100 \
         mcast_last_member_interval 20"
    ));
    ip("link set tap0 master br0");
    ip("addr add 10.0.0.1/24 dev br0");
    ip("link set br0 up");
    ip("route add 224.0.0.0/4 dev br0");
    // It has asked by then, so that the stack knows the version.
    std::thread::sleep(Duration::from_millis(2500));
    assert!(!is_snooped());
    told.send_blocking(true).expect("the stack runs");
    let joined = wait_until("the group is joined", is_snooped);
    let socket = std::net::UdpSocket::bind("10.0.0.1:0").expect("a socket");
    socket.send_to(b"news", (GROUP, PORT)).expect("sent");
    assert_eq!(hears.recv_timeout(PATIENCE).expect("news"), b"news");
    // Membership lasts for as long as the questions are answered: 2 * 3 + 1 seconds without.
    std::thread::sleep(Duration::from_secs(9));
    assert!(is_snooped(), "the bridge's questions are answered");
    told.send_blocking(false).expect("the stack runs");
    let left = wait_until("the group is left", || !is_snooped());
    assert!(
        left < Duration::from_secs(5),
        "it is told, and not forgotten: {left:?}"
    );
    drop(host);
    format!(
        "joined after {} ms, left after {} ms",
        joined.as_millis(),
        left.as_millis()
    )
}
