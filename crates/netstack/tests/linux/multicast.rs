//! Multicast groups, as the kernel's bridge sees them: it snoops on IGMP and MLD, and asks as a router does.

use async_channel::Receiver;
use netstack::{Config, Ipv6, Stack, UdpSocket};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::Scenario;
use crate::host::{Host, PATIENCE, Spawner};
use crate::link::Conditions;
use crate::namespace::{Interface, ip};

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("multicast-igmpv3", || {
        snooping(GROUP, "mcast_igmp_version 3", "multicast-igmpv3")
    }),
    ("multicast-igmpv2", || {
        snooping(GROUP, "mcast_igmp_version 2", "multicast-igmpv2")
    }),
    ("multicast-mldv2", || {
        snooping(GROUP_V6, "mcast_mld_version 2", "multicast-mldv2")
    }),
    ("multicast-mldv1", || {
        snooping(GROUP_V6, "mcast_mld_version 1", "multicast-mldv1")
    }),
];

const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(239, 1, 2, 3));
const GROUP_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff15, 0, 0, 0, 0, 0, 0, 0x123));
const PORT: u16 = 5353;

/// Joins and leaves the group as it is told, and tells of each datagram.
async fn listen(
    stack: Stack,
    group: IpAddr,
    joins: Receiver<bool>,
    heard: mpsc::Sender<Vec<u8>>,
) -> io::Result<()> {
    let socket = UdpSocket::bind(&stack, (Ipv6Addr::UNSPECIFIED, PORT))?;
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
                true => socket.join_multicast(group)?,
                false => socket.leave_multicast(group)?,
            }
        }
        Ok(())
    };
    futures_lite::future::or(listen, change).await
}

/// Whether the bridge has a group at the port to the stack, whose name begins so.
fn is_snooped(group: &str) -> bool {
    let output = Command::new("bridge").args(["mdb", "show"]).output();
    let output = output.expect("bridge, of iproute2").stdout;
    let wanted = format!("grp {group}");
    String::from_utf8_lossy(&output)
        .lines()
        .any(|line| line.contains(&wanted) && line.contains("port tap0"))
}

/// A socket of the kernel that sends to groups by the bridge.
fn speaker(group: IpAddr) -> std::net::UdpSocket {
    let local: IpAddr = match group {
        IpAddr::V4(_) => [10, 0, 0, 1].into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = std::net::UdpSocket::bind((local, 0)).expect("a socket");
    if group.is_ipv6() {
        let shown = Command::new("ip")
            .args(["-o", "link", "show", "br0"])
            .output();
        let shown = shown.expect("ip, of iproute2").stdout;
        let shown = String::from_utf8_lossy(&shown);
        let (index, _) = shown.split_once(':').expect("a number in front");
        let index = index.parse().expect("a number");
        let by_index = socket2::SockRef::from(&socket).set_multicast_if_v6(index);
        by_index.expect("its interface");
    }
    socket
}

fn wait_until(what: &str, holds: impl Fn() -> bool) -> Duration {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what}: not in {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    start.elapsed()
}

fn snooping(group: IpAddr, version: &str, capture: &'static str) -> String {
    let (told, joins) = async_channel::unbounded();
    let (heard, hears) = mpsc::channel();
    let conditions = Conditions {
        capture: Some(capture),
        ..Conditions::default()
    };
    let config = Config::default()
        .address("10.0.0.2/24".parse().expect("an address"))
        .ipv6(Ipv6::default());
    let serve = move |stack: Stack, _: Spawner| listen(stack, group, joins, heard);
    let interface = Interface::new(conditions.mtu);
    ip("addr del 10.0.0.1/24 dev tap0");
    ip(&format!(
        "link add br0 type bridge mcast_snooping 1 mcast_querier 1 {version} \
         mcast_startup_query_interval 100 mcast_query_interval 300 \
         mcast_query_response_interval 100 mcast_last_member_interval 20"
    ));
    ip("link set tap0 master br0");
    ip("addr add 10.0.0.1/24 dev br0");
    ip("link set br0 up");
    ip("route add 224.0.0.0/4 dev br0");
    let host = Host::start_on(interface, conditions, config, serve);
    // It has asked by then, so that the stack knows the version.
    std::thread::sleep(Duration::from_millis(3500));
    let name = group.to_string();
    assert!(!is_snooped(&name));
    assert!(
        is_snooped("ff02::1:ff"),
        "where solicitations are listened for"
    );
    told.send_blocking(true).expect("the stack runs");
    let joined = wait_until("the group is joined", || is_snooped(&name));
    let sent = speaker(group).send_to(b"news", (group, PORT));
    sent.expect("sent");
    assert_eq!(hears.recv_timeout(PATIENCE).expect("news"), b"news");
    // Membership lasts for as long as the questions are answered: 2 * 3 + 1 seconds without.
    std::thread::sleep(Duration::from_secs(9));
    assert!(is_snooped(&name), "the bridge's questions are answered");
    told.send_blocking(false).expect("the stack runs");
    let left = wait_until("the group is left", || !is_snooped(&name));
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
