//! TAP interfaces, in a network namespace of this process's own.
//!
//! There is no test harness: entering a user namespace, as an unprivileged user must, takes a process of one thread.

mod datagrams;
mod offload;

use std::fs;
use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::time::Duration;

use hostdev::{Tap, TapError};

type Check = (&'static str, fn());

const CHECKS: [Check; 11] = [
    ("interfaces_must_be_up", interfaces_must_be_up),
    (
        "only_taps_are_attached_and_only_once",
        only_taps_are_attached_and_only_once,
    ),
    ("the_mtu_is_the_interfaces", the_mtu_is_the_interfaces),
    ("frames_go_both_ways", frames_go_both_ways),
    (
        "frames_that_the_kernel_refuses_are_errors",
        frames_that_the_kernel_refuses_are_errors,
    ),
    (
        "inherited_descriptors_are_asked",
        inherited_descriptors_are_asked,
    ),
    (
        "an_inherited_tap_is_asked_in_its_own_namespace",
        an_inherited_tap_is_asked_in_its_own_namespace,
    ),
    (
        "segments_are_cut_for_those_without_offload_only",
        offload::segments_are_cut_for_those_without_offload_only,
    ),
    (
        "datagrams_are_joined_for_those_who_take_them_only",
        datagrams::datagrams_are_joined_for_those_who_take_them_only,
    ),
    ("bad_headers_are_errors", offload::bad_headers_are_errors),
    (
        "an_inherited_tap_has_no_header",
        offload::an_inherited_tap_has_no_header,
    ),
];

fn main() {
    enter_namespace().expect("a network namespace: be root, or allow unprivileged user namespaces");
    // Else the kernel sends router solicitations of its own.
    let _ = fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
    for (name, check) in CHECKS {
        check();
        println!("test {name} ... ok");
    }
    println!("{} passed, 0 failed", CHECKS.len());
}

fn enter_namespace() -> io::Result<()> {
    // SAFETY: the call takes no pointer and has no effect on memory.
    let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
    let flags = libc::CLONE_NEWNET | if uid == 0 { 0 } else { libc::CLONE_NEWUSER };
    // SAFETY: the call takes no pointer and has no effect on memory.
    if unsafe { libc::unshare(flags) } != 0 {
        return Err(io::Error::last_os_error());
    }
    if uid != 0 {
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
        fs::write("/proc/self/gid_map", format!("0 {gid} 1"))?;
    }
    Ok(())
}

fn ip(arguments: &str) {
    let status = Command::new("ip")
        .args(arguments.split(' '))
        .status()
        .expect("ip, of the package iproute2");
    assert!(status.success(), "ip {arguments}");
}

/// A TAP of this name that is up, without an address.
fn make(name: &str) {
    ip(&format!("tuntap add {name} mode tap"));
    ip(&format!("link set {name} up"));
}

fn interfaces_must_be_up() {
    ip("tuntap add down0 mode tap");
    let error = Tap::open("down0").unwrap_err();
    assert!(matches!(error, TapError::Down(_)), "{error:?}");
    assert_eq!(
        error.to_string(),
        "interface \"down0\" is down (ip link set down0 up)"
    );
    ip("link set down0 up");
    assert_eq!(Tap::open("down0").unwrap().name(), "down0");
}

fn only_taps_are_attached_and_only_once() {
    ip("link set lo up");
    ip("tuntap add tun0 mode tun");
    ip("link set tun0 up");
    for name in ["lo", "tun0"] {
        assert!(
            matches!(Tap::open(name).unwrap_err(), TapError::Attach { .. }),
            "{name}"
        );
    }
    make("once0");
    let first = Tap::open("once0").unwrap();
    let error = Tap::open("once0").unwrap_err();
    assert!(error.to_string().contains("busy"), "{error}");
    drop(first);
    Tap::open("once0").unwrap();
}

fn the_mtu_is_the_interfaces() {
    make("mtu0");
    assert_eq!(Tap::open("mtu0").unwrap().mtu(), 1500);
    ip("link set mtu0 mtu 9000");
    assert_eq!(Tap::open("mtu0").unwrap().mtu(), 9000);
}

const PEER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2);
    let words = words.map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let mut sum = words.sum::<u32>();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !sum as u16
}

/// 10.9.0.2:7 to 10.9.0.1:`port`, without a UDP checksum.
fn udp_frame(to: &[u8; 6], port: u16, payload: &[u8]) -> Vec<u8> {
    let udp_len = 8 + payload.len() as u16;
    let mut ip = vec![
        0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 9, 0, 2, 10, 9, 0, 1,
    ];
    ip[2..4].copy_from_slice(&(20 + udp_len).to_be_bytes());
    let checksum = checksum(&ip);
    ip[10..12].copy_from_slice(&checksum.to_be_bytes());
    let ports = [
        7_u16.to_be_bytes(),
        port.to_be_bytes(),
        udp_len.to_be_bytes(),
        [0, 0],
    ]
    .concat();
    [&to[..], &PEER_MAC, &[8, 0], &ip, &ports, payload].concat()
}

/// Waits for a frame, for so many milliseconds at most.
fn readable(tap: &Tap, timeout: i32) -> bool {
    let mut polled = libc::pollfd {
        fd: tap.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: `polled` is one live structure.
    unsafe { libc::poll(&raw mut polled, 1, timeout) > 0 }
}

fn frames_go_both_ways() {
    make("frames0");
    ip("addr add 10.9.0.1/24 dev frames0");
    ip("neigh add 10.9.0.2 lladdr 02:00:00:00:00:02 dev frames0");
    let tap = Tap::open("frames0").unwrap();
    let mut frame = [0; 1514];
    assert_eq!(
        tap.read_frame(&mut frame).unwrap(),
        None,
        "nothing is queued"
    );

    let socket = UdpSocket::bind("10.9.0.1:4242").unwrap();
    // Until the kernel has noticed that the interface is attached, it drops what is sent there.
    let mut tries = 0..600;
    while !readable(&tap, 100) {
        assert!(tries.next().is_some(), "no frame arrives");
        socket.send_to(b"out", "10.9.0.2:7").unwrap();
    }
    let len = tap.read_frame(&mut frame).unwrap().expect("readable");
    assert_eq!(
        (len, &frame[..6], &frame[12..14]),
        (14 + 20 + 8 + 3, &PEER_MAC[..], &[8, 0][..])
    );
    assert!(frame[..len].ends_with(b"out"));
    while tap.read_frame(&mut frame).unwrap().is_some() {}

    socket.send_to(b"cut", "10.9.0.2:7").unwrap();
    assert!(readable(&tap, 60_000));
    assert_eq!(
        tap.read_frame(&mut frame[..20]).unwrap(),
        Some(20),
        "a longer frame is cut"
    );

    let mac = fs::read_to_string("/sys/class/net/frames0/address");
    let mac = mac.or_else(|_| link_address("frames0")).unwrap();
    let mac: hostdev::MacAddress = mac.trim().parse().unwrap();
    tap.write_frame(&udp_frame(&mac.0, 4242, b"in")).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let mut payload = [0; 16];
    let (len, from) = socket.recv_from(&mut payload).unwrap();
    assert_eq!(
        (&payload[..len], from.to_string().as_str()),
        (&b"in"[..], "10.9.0.2:7")
    );
}

/// The address as `ip` prints it: /sys may still be that of the namespace outside.
fn link_address(name: &str) -> io::Result<String> {
    let output = Command::new("ip")
        .args(["-o", "link", "show", name])
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut words = text
        .split_whitespace()
        .skip_while(|word| *word != "link/ether");
    words
        .nth(1)
        .map(str::to_owned)
        .ok_or_else(|| io::Error::other(text.clone()))
}

fn frames_that_the_kernel_refuses_are_errors() {
    make("refused0");
    let tap = Tap::open("refused0").unwrap();
    assert!(
        tap.write_frame(&[0; 13]).is_err(),
        "shorter than an Ethernet header"
    );
    ip("link set refused0 down");
    assert!(tap.write_frame(&[0; 64]).is_err(), "interface down");
    ip("link del refused0");
    assert!(tap.read_frame(&mut [0; 1514]).is_err(), "interface gone");
}

fn inherited_descriptors_are_asked() {
    make("handed0");
    ip("link set handed0 mtu 4000");
    let tap = Tap::open("handed0").unwrap();
    let copy = Tap::from_inherited(tap.as_raw_fd()).unwrap();
    assert_eq!((copy.name(), copy.mtu()), ("handed0", 4000));
    assert_ne!(copy.as_raw_fd(), tap.as_raw_fd());
    assert_eq!(
        copy.read_frame(&mut [0; 1514]).unwrap(),
        None,
        "non-blocking"
    );
}

/// An interface of the same name in this process's namespace is another one, and is left alone.
fn an_inherited_tap_is_asked_in_its_own_namespace() {
    make("twin0");
    ip("link set twin0 mtu 4000");
    let tap = Tap::open("twin0").unwrap();
    let fd = tap.as_raw_fd();
    let elsewhere = std::thread::spawn(move || {
        // SAFETY: the call takes no pointer; it changes this thread alone.
        assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWNET) }, 0);
        make("twin0");
        let before = generic_segmentation("twin0");
        let inherited = Tap::from_inherited(fd).unwrap();
        assert_eq!((inherited.name(), inherited.mtu()), ("twin0", 4000));
        assert_eq!((before, generic_segmentation("twin0")), (1, 1));
    });
    elsewhere.join().unwrap();
    assert_eq!(generic_segmentation("twin0"), 0);
}

/// Whether the interface of this thread's namespace has generic segmentation offload on.
fn generic_segmentation(name: &str) -> u32 {
    const SIOCETHTOOL: libc::Ioctl = 0x8946;
    const ETHTOOL_GGSO: u32 = 0x23;
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let mut value = [ETHTOOL_GGSO, 0];
    // SAFETY: `ifreq` is plain C data, for which all zeros is a valid value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_data = value.as_mut_ptr().cast();
    // SAFETY: `request` is live, and its data pointer is to a live `ethtool_value`, two integers.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw mut request) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
    value[1]
}
