//! Network offload: `offload.c`, which reflects packets, so that a connection of the host's to it ends up at the host
//! itself, and its data goes through the guest twice.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::Duration;

use hostdev::Tap;
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, SockaddrStorage, bind, socket};
use system_tests::{Network, Target};

use crate::c_guest::{LINKERS, Program, TARGETS, boot, kvm_runs_general_code};
use crate::network::{RawSocket, frame};

/// Ethernet header and MTU.
const LONGEST_ON_THE_WIRE: usize = 1514;

/// The host's address and the guest's, of either version.
const V4: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)),
];
const V6: [IpAddr; 2] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2)),
];

/// A connection from this port of the host's to the same one of the guest's.
fn connect([host, guest]: [IpAddr; 2], port: u16) -> TcpStream {
    let family = match host {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    let address = |ip| SockaddrStorage::from(SocketAddr::new(ip, port));
    let socket = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).expect("a socket");
    let connected = bind(socket.as_raw_fd(), &address(host))
        .and_then(|()| socket::connect(socket.as_raw_fd(), &address(guest)));
    connected.unwrap_or_else(|error| panic!("no connection to {guest}: {error}"));
    let stream = TcpStream::from(socket);
    stream
        .set_write_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream
}

/// Sends and receives so many bytes, which must be the same.
fn exchange(stream: &TcpStream, length: usize) {
    let data: Vec<u8> = (0..length).map(|at| (at * 7 + at / 251) as u8).collect();
    let mut received = vec![0; length];
    thread::scope(|scope| {
        let (mut reader, mut writer) = (stream, stream);
        let data = &data;
        scope.spawn(move || writer.write_all(data).expect("sending"));
        reader.read_exact(&mut received).expect("receiving");
    });
    assert!(received == data, "the data has changed on its way");
}

struct Reflected {
    features: u64,
    /// Bytes of the longest frame, of IPv4 and of IPv6.
    longest: usize,
    longest_v6: usize,
}

/// Makes the TAP interface, with the host's addresses on it.
fn add_tap(network: &Network, name: &str) {
    network.add_tap(name, "10.0.0.1/24");
    network.add_ipv6(name, "fd00::1/64");
}

fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "ip {arguments}"
    );
}

/// Boots `program`, whose network device is `source`, has data reflected, and ends it.
fn reflect(program: &Program<'_>, target: Target, tap: &str, source: &str) -> Reflected {
    // A port that has been used stays so for a minute.
    static PORTS: AtomicU16 = AtomicU16::new(5000);
    let port = PORTS.fetch_add(1, Ordering::Relaxed);
    let executable = program.link(target, LINKERS[1]);
    let options = ["--mem=8".to_owned(), format!("--net:service={source}")];
    for [_, guest] in [V4, V6] {
        ip(&format!(
            "neigh replace {guest} lladdr 02:00:00:00:00:02 dev {tap}"
        ));
    }

    let mut guest = boot(&executable, target, &options, "--solo5:quiet", true);
    guest.wait_for("features ");
    // The kernel makes its segments the longer, the faster it sends: on a busy machine that takes a while to be fast.
    let length = match target {
        Target::Spt => 16 << 20,
        Target::Hvt => 1 << 20,
    };
    for addresses in [V4, V6] {
        exchange(&connect(addresses, port), length);
    }
    let socket = RawSocket::bind(tap);
    for _ in 0..3 {
        socket.send(&frame(0, 60)); // the end, should one be lost
    }
    let outcome = guest.wait();
    assert_eq!(outcome.status, 0, "{outcome}");
    let number = |name: &str| {
        let line = outcome
            .stdout
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|number| number.trim().parse().ok())
            .unwrap_or_else(|| panic!("{name}: {outcome}"))
    };
    Reflected {
        features: number("features"),
        longest: number("longest") as usize,
        longest_v6: number("longest6") as usize,
    }
}

#[test]
fn offload_is_for_those_who_ask_for_it() {
    let asking = Program::new("offload.c");
    // As a guest that knows IPv4's alone, or asks for IPv6's alone, which is nothing to ask for.
    let asking_v4 = Program::new("offload.c").define("WANTED", 1);
    let asking_v6 = Program::new("offload.c").define("WANTED", 2);
    let plain = Program::new("offload.c").define("WANTED", 0);
    for target in TARGETS {
        Network::with(|network| {
            let tap = format!("offload{target:?}").to_lowercase();
            add_tap(network, &tap);
            // Each after one of the other kind, on the same interface. An emulated machine makes a new one for each.
            let direct = target == Target::Spt || kvm_runs_general_code();
            for _ in 0..if direct { 2 } else { 1 } {
                for (program, features) in
                    [(&plain, 0), (&asking, 3), (&asking_v4, 1), (&asking_v6, 0)]
                {
                    let reflected = reflect(program, target, &tap, &tap);
                    assert_eq!(reflected.features, features);
                    for (longest, feature) in [(reflected.longest, 1), (reflected.longest_v6, 2)] {
                        if features & feature == 0 {
                            assert!(longest <= LONGEST_ON_THE_WIRE, "{longest} bytes");
                        } else {
                            // An emulated network may have cut the segments before they reach the tender's interface.
                            assert!(!direct || longest > 10 * LONGEST_ON_THE_WIRE);
                        }
                    }
                }
            }
        });
    }
}

#[test]
fn an_inherited_interface_has_no_offload() {
    Network::with(|network| {
        add_tap(network, "inherited0");
        let tap = Tap::open("inherited0").unwrap();
        // SAFETY: the call touches no memory. The copy stays open in programs that this process starts.
        let fd = unsafe { libc::dup(tap.as_raw_fd()) };
        assert!(fd >= 0, "{}", io::Error::last_os_error());
        drop(tap);
        let asking = Program::new("offload.c");
        let reflected = reflect(&asking, Target::Spt, "inherited0", &format!("@{fd}"));
        // SAFETY: the descriptor was opened above and nothing uses it any more.
        unsafe { libc::close(fd) };
        assert_eq!(reflected.features, 0);
        assert!(reflected.longest.max(reflected.longest_v6) <= LONGEST_ON_THE_WIRE);
    });
}
