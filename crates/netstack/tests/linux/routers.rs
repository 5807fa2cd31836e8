//! Routers and servers of IPv6 as there are in the world: radvd and dnsmasq on the kernel's side.

use netstack::{Config, Ipv6, Resolver, Stack, TcpListener, TcpStream};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::Scenario;
use crate::host::{Host, PATIENCE, Spawner};
use crate::link::Conditions;
use crate::namespace::{Interface, ip};

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("router-radvd", || slaac(Ipv6::default(), "router-radvd")),
    ("router-radvd-without-dad", || {
        slaac(Ipv6::default().dad_transmits(0), "router-radvd-without-dad")
    }),
    ("dhcpv6-dnsmasq", || dhcpv6(false, "dhcpv6-dnsmasq")),
    ("dhcpv6-dnsmasq-by-flags", || {
        dhcpv6(true, "dhcpv6-dnsmasq-by-flags")
    }),
    ("dhcpv6-dnsmasq-stateless", || {
        dhcpv6_stateless(false, "dhcpv6-stateless")
    }),
    ("dhcpv6-dnsmasq-stateless-by-flags", || {
        dhcpv6_stateless(true, "dhcpv6-stateless-by-flags")
    }),
];

/// The kernel's address in the network that its router advertises.
const ROUTER: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1);

/// A program of the kernel's side, which ends with this.
struct Daemon(Child);

impl Daemon {
    fn start(program: &str, arguments: &[&str], input: &str) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped());
        let child = command.spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{program}: {error}"));
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(input.as_bytes()).expect("it reads");
        Self(child)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The interface of a router, which has its addresses at once.
fn router() -> Interface {
    let interface = Interface::new(1500);
    for (name, value) in [("all/forwarding", "1"), ("tap0/accept_dad", "0")] {
        let path = format!("/proc/sys/net/ipv6/conf/{name}");
        std::fs::write(&path, value).expect("a setting of this namespace");
    }
    ip(&format!("addr add {ROUTER}/64 dev tap0 nodad"));
    interface
}

fn radvd(name: &str) -> Daemon {
    let settings = "interface tap0 {
        AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4;
        prefix 2001:db8:1::/64 { AdvValidLifetime 600; AdvPreferredLifetime 300; };
        RDNSS 2001:db8:1::1 { AdvRDNSSLifetime 8; };
        DNSSL example.org { AdvDNSSLLifetime 8; };
    };\n";
    let folder = std::env::temp_dir();
    let pid = folder.join(format!("netstack-{name}.pid"));
    let pid = pid.to_str().expect("a text");
    let arguments = ["-n", "-m", "none", "-C", "/dev/stdin", "-p", pid];
    Daemon::start("radvd", &arguments, settings)
}

fn dnsmasq(range: &str) -> Daemon {
    let arguments = [
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--pid-file",
        "--user=root",
        "--leasefile-ro",
        "--no-resolv",
        "--no-hosts",
        "--interface=tap0",
        "--except-interface=lo",
        "--bind-dynamic",
        "--enable-ra",
        range,
        "--dhcp-option=option6:dns-server,[2001:db8:1::1]",
        "--dhcp-option=option6:ntp-server,[2001:db8:1::1]",
        "--dhcp-option=option6:domain-search,example.org",
        "--host-record=both.example.org,10.0.0.1,2001:db8:1::1",
    ];
    Daemon::start("dnsmasq", &arguments, "")
}

fn conditions(capture: &'static str) -> Conditions {
    Conditions {
        capture: Some(capture),
        ..Conditions::default()
    }
}

/// The address in the router's network, when there is one.
async fn address(stack: &Stack) -> IpAddr {
    loop {
        let addresses = stack.addresses();
        let mut addresses = addresses.iter().map(|it| it.address());
        let network = |it: &IpAddr| matches!(it, IpAddr::V6(it) if it.segments()[..3] == ROUTER.segments()[..3]);
        if let Some(address) = addresses.find(network) {
            return address;
        }
        stack.sleep(Duration::from_millis(5)).await;
    }
}

fn slaac(ipv6: Ipv6, capture: &'static str) -> String {
    let interface = router();
    let _radvd = radvd(capture);
    let (told, tells) = mpsc::channel();
    let start = Instant::now();
    let config = Config::default().ipv6(ipv6);
    let serve = move |stack: Stack, _: Spawner| async move {
        let listener = TcpListener::bind(&stack, (Ipv6Addr::UNSPECIFIED, 7))?;
        let address = address(&stack).await;
        let said = (stack.name_servers(), stack.domains());
        told.send((address, start.elapsed(), said))
            .expect("the scenario waits");
        let (stream, _) = listener.accept().await?;
        while let Some(chunk) = stream.read_chunk(usize::MAX).await? {
            stream.write_chunk(chunk).await?;
        }
        stream.shutdown()?;
        std::future::pending::<io::Result<()>>().await
    };
    let _host = Host::start_on(interface, conditions(capture), config, serve);
    let (address, after, (servers, domains)) = tells.recv_timeout(PATIENCE).expect("an address");
    assert_eq!(servers, [IpAddr::V6(ROUTER)]);
    assert_eq!(domains, ["example.org"]);
    let peer = SocketAddr::from((address, 7));
    let mut stream = std::net::TcpStream::connect_timeout(&peer, PATIENCE).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    let sent: Vec<u8> = (0..100_000_u32).map(|n| n as u8).collect();
    let mut copy = stream.try_clone().expect("a copy");
    let octets = sent.clone();
    let writer = std::thread::spawn(move || {
        copy.write_all(&octets).expect("sent");
        copy.shutdown(std::net::Shutdown::Write).expect("ended");
    });
    let mut received = Vec::new();
    stream.read_to_end(&mut received).expect("an echo");
    writer.join().expect("no panic");
    assert!(received == sent, "{} octets came back", received.len());
    format!("{address} after {} ms, and TCP over it", after.as_millis())
}

/// Names by the servers that the network has told of, and a connection by name.
async fn look_up(stack: &Stack) -> io::Result<()> {
    assert_eq!(stack.name_servers(), [IpAddr::V6(ROUTER)]);
    assert_eq!(stack.time_servers(), [IpAddr::V6(ROUTER)]);
    assert_eq!(stack.domains(), ["example.org"]);
    let resolver = Resolver::new(stack, stack.name_servers());
    let found = resolver.lookup("both.example.org").await?;
    assert_eq!(found[0], IpAddr::V6(ROUTER));
    let stream = TcpStream::connect_host(&resolver, "both.example.org", 7777).await?;
    assert_eq!(stream.peer_addr()?, (ROUTER, 7777).into());
    Ok(())
}

/// Waits for what a client finds that is asked for by nothing but a router's flags.
async fn found<T>(stack: &Stack, find: impl Fn(&Stack) -> Option<T>) -> T {
    loop {
        match find(stack) {
            Some(found) => return found,
            None => stack.sleep(Duration::from_millis(5)).await,
        }
    }
}

fn dhcpv6(by_flags: bool, capture: &'static str) -> String {
    let interface = router();
    let _dnsmasq = dnsmasq("--dhcp-range=2001:db8:1::100,2001:db8:1::1ff,64,2m");
    let _listener = std::net::TcpListener::bind("[::]:7777").expect("a free port");
    let (told, tells) = mpsc::channel();
    let start = Instant::now();
    let config = Config::default().ipv6(Ipv6::default().dhcpv6(by_flags));
    let serve = move |stack: Stack, _: Spawner| async move {
        let lease = match by_flags {
            false => stack.dhcpv6(PATIENCE).await?,
            true => {
                let lease = found(&stack, Stack::lease_v6).await;
                let ours = IpAddr::V6(lease.addresses[0].address);
                let mine = |stack: &Stack| {
                    let mut addresses = stack.addresses().into_iter();
                    addresses.find(|it| it.address() == ours)
                };
                found(&stack, mine).await;
                lease
            }
        };
        let after = start.elapsed();
        look_up(&stack).await?;
        stack.dhcpv6_release();
        let released = stack.lease_v6();
        told.send((lease, after, released))
            .expect("the scenario waits");
        std::future::pending::<io::Result<()>>().await
    };
    let _host = Host::start_on(interface, conditions(capture), config, serve);
    let (lease, after, released) = tells.recv_timeout(PATIENCE).expect("a lease");
    let segments = lease.addresses[0].address.segments();
    assert_eq!(segments[..7], ROUTER.segments()[..7]);
    assert!((0x100..0x200).contains(&segments[7]), "{lease:?}");
    assert_eq!(released, None);
    format!(
        "{} after {} ms, names and TCP",
        lease.addresses[0].address,
        after.as_millis()
    )
}

fn dhcpv6_stateless(by_flags: bool, capture: &'static str) -> String {
    let interface = router();
    let _dnsmasq = dnsmasq("--dhcp-range=2001:db8:1::,ra-stateless,64,2m");
    let _listener = std::net::TcpListener::bind("[::]:7777").expect("a free port");
    let (told, tells) = mpsc::channel();
    let config = Config::default().ipv6(Ipv6::default().dhcpv6(by_flags));
    let serve = move |stack: Stack, _: Spawner| async move {
        if !by_flags {
            stack.dhcpv6_information(PATIENCE).await?;
        }
        // Of which no router tells.
        found(&stack, |stack| stack.time_servers().pop()).await;
        let address = address(&stack).await;
        look_up(&stack).await?;
        told.send(address).expect("the scenario waits");
        std::future::pending::<io::Result<()>>().await
    };
    let _host = Host::start_on(interface, conditions(capture), config, serve);
    let address = tells.recv_timeout(PATIENCE).expect("an address");
    format!("{address} of the router, names of the server")
}
