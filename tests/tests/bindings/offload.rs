//! Network offload: `offload.c`, which reflects packets, so that a connection of the host's to it ends up at the host
//! itself, and its data goes through the guest twice.

use std::io::{self, Read, Write};
use std::mem;
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::Duration;

use hostdev::Tap;
use system_tests::{Network, Target};

use crate::c_guest::{LINKERS, Program, TARGETS, boot, kvm_runs_general_code};
use crate::network::{RawSocket, frame};

/// Ethernet header and MTU.
const LONGEST_ON_THE_WIRE: usize = 1514;

/// A connection from this port of the host's to the same one of the guest's.
fn connect(port: u16) -> TcpStream {
    let address = |last| {
        // SAFETY: every field of the structure may be zero.
        let mut address: libc::sockaddr_in = unsafe { mem::zeroed() };
        let socket = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, last), port);
        address.sin_family = libc::AF_INET as u16;
        address.sin_port = socket.port().to_be();
        address.sin_addr.s_addr = socket.ip().to_bits().to_be();
        address
    };
    let length = mem::size_of::<libc::sockaddr_in>() as libc::socklen_t;
    let (host, guest) = (address(1), address(2));
    // SAFETY: `socket` touches no memory.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) };
    assert!(fd >= 0, "no socket: {}", io::Error::last_os_error());
    // SAFETY: the descriptor has just been opened and nothing else knows it.
    let stream = unsafe { TcpStream::from_raw_fd(fd) };
    stream
        .set_write_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    // SAFETY: the pointers and the length are those of the two structures.
    let connected = unsafe {
        libc::bind(fd, (&raw const host).cast(), length) == 0
            && libc::connect(fd, (&raw const guest).cast(), length) == 0
    };
    assert!(connected, "no connection: {}", io::Error::last_os_error());
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
    longest: usize,
}

/// Boots `program`, whose network device is `source`, has data reflected, and ends it.
fn reflect(program: &Program<'_>, target: Target, tap: &str, source: &str) -> Reflected {
    // A port that has been used stays so for a minute.
    static PORTS: AtomicU16 = AtomicU16::new(5000);
    let port = PORTS.fetch_add(1, Ordering::Relaxed);
    let executable = program.link(target, LINKERS[1]);
    let options = ["--mem=8".to_owned(), format!("--net:service={source}")];
    let neighbour = format!("neigh replace 10.0.0.2 lladdr 02:00:00:00:00:02 dev {tap}");
    let set = Command::new("ip").args(neighbour.split(' ')).status();
    assert!(set.is_ok_and(|status| status.success()), "ip {neighbour}");

    let mut guest = boot(&executable, target, &options, "--solo5:quiet", true);
    guest.wait_for("features ");
    exchange(&connect(port), 1 << 20);
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
            .find_map(|line| line.strip_prefix(name));
        line.and_then(|number| number.trim().parse().ok())
            .unwrap_or_else(|| panic!("{name}: {outcome}"))
    };
    Reflected {
        features: number("features"),
        longest: number("longest") as usize,
    }
}

#[test]
fn offload_is_for_those_who_ask_for_it() {
    let asking = Program::new("offload.c");
    let plain = Program::new("offload.c").define("WANTED", 0);
    for target in TARGETS {
        Network::with(|network| {
            let tap = format!("offload{target:?}").to_lowercase();
            network.add_tap(&tap, "10.0.0.1/24");
            // Each after one of the other kind, on the same interface. An emulated machine makes a new one for each.
            let direct = target == Target::Spt || kvm_runs_general_code();
            for _ in 0..if direct { 2 } else { 1 } {
                let reflected = reflect(&plain, target, &tap, &tap);
                assert_eq!(reflected.features, 0);
                assert!(reflected.longest <= LONGEST_ON_THE_WIRE);

                let reflected = reflect(&asking, target, &tap, &tap);
                assert_eq!(reflected.features, 1);
                // An emulated network may have cut the segments before they reach the tender's interface.
                assert!(!direct || reflected.longest > 10 * LONGEST_ON_THE_WIRE);
            }
        });
    }
}

#[test]
fn an_inherited_interface_has_no_offload() {
    Network::with(|network| {
        network.add_tap("inherited0", "10.0.0.1/24");
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
        assert!(reflected.longest <= LONGEST_ON_THE_WIRE);
    });
}
