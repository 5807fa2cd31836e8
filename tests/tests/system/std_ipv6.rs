//! Sockets of std over IPv6: the cases of `tests/guests/std-sockets` that are about it.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6, TcpListener, UdpSocket};
use std::process::Command;
use std::thread;
use std::time::Duration;

use system_tests::{Guest, Network, Running, Target};

on_each_target! {
    long: one_listener_serves_both_families, a_listener_of_ipv6_alone_leaves_ipv4_to_another,
    datagrams_of_both_families_come_to_one_socket, groups_of_both_families_are_joined,
    names_stand_for_addresses_of_both_families, a_lease_of_dhcpv6_has_the_servers_and_domains_of_names, a_server_on_the_link_is_connected_to,
}

const LIMIT: Duration = Duration::from_secs(60);
const OURS: [&str; 2] = ["10.0.0.2", "fd00::2"];

fn guest(target: Target, arguments: &[&str]) -> Guest {
    let guest = Guest::build("std-sockets", target)
        .option("--net:service=tap0")
        .argument("--ipv6=fd00::2/64")
        .argument("--ipv6=2001:db8::2/64")
        .argument("--ipv6-gateway=fd00::1")
        .argument("--accept-ra=false");
    let guest = arguments.iter().fold(guest, |guest, it| guest.argument(it));
    guest.limit(LIMIT)
}

fn with_network(target: Target, test: impl FnOnce() + Send) {
    Guest::build("std-sockets", target);
    Network::with(|network| {
        network.add_tap("tap0", "10.0.0.1/24");
        network.add_ipv6("tap0", "fd00::1/64");
        network.add_ipv6("tap0", "fe80::1/64");
        test();
    });
}

/// What the unikernel's listeners say to a client of each family.
fn said(target: Target, arguments: &[&str]) -> Vec<String> {
    let mut texts = Vec::new();
    with_network(target, || {
        let mut running = guest(target, arguments).start();
        for ours in OURS.into_iter().rev() {
            let address = SocketAddr::new(ours.parse().unwrap(), 7000);
            let mut text = String::new();
            let mut stream = running.connect(address, LIMIT);
            stream.read_to_string(&mut text).unwrap();
            texts.push(text);
        }
        let outcome = running.wait();
        assert_eq!(outcome.status, 0, "{outcome}");
    });
    texts
}

fn one_listener_serves_both_families(target: Target) {
    let said = said(target, &["greet", "[::]:7000"]);
    let expected = [
        "fd00::1 at [fd00::2]:7000\n",
        "::ffff:10.0.0.1 at [::ffff:10.0.0.2]:7000\n",
    ];
    assert_eq!(said, expected);
}

fn a_listener_of_ipv6_alone_leaves_ipv4_to_another(target: Target) {
    let said = said(target, &["only_v6"]);
    assert_eq!(said, ["six: fd00::1\n", "four: 10.0.0.1\n"]);
}

fn datagrams_of_both_families_come_to_one_socket(target: Target) {
    with_network(target, || {
        let mut running = guest(target, &["datagrams", "[::]:7000"]).start();
        running.wait_for("listening on [::]:7000");
        let mut buffer = [0; 2048];
        for (ours, payloads) in [("10.0.0.2", &[1000][..]), ("fd00::2", &[1400, 0])] {
            let any = if ours.contains(':') {
                "[::]:0"
            } else {
                "0.0.0.0:0"
            };
            let socket = UdpSocket::bind(any).unwrap();
            socket.set_read_timeout(Some(LIMIT)).unwrap();
            socket.connect((ours, 7000)).unwrap();
            for &octets in payloads {
                socket.send(&vec![7; octets]).unwrap();
                assert_eq!(socket.recv(&mut buffer).unwrap(), octets);
            }
        }
        let outcome = running.wait();
        assert_eq!(outcome.status, 0, "{outcome}");
        let from = [
            "1000 octets from ::ffff:10.0.0.1",
            "1400 octets from fd00::1",
        ];
        for line in from {
            assert!(outcome.stdout.contains(line), "{outcome}");
        }
    });
}

fn groups_of_both_families_are_joined(target: Target) {
    with_network(target, || {
        let mut running = guest(target, &["groups"]).start();
        running.wait_for("listening");
        let index = nix::net::if_::if_nametoindex("tap0").unwrap();
        let group = SocketAddrV6::new("ff02::1:23".parse().unwrap(), 7001, 0, index);
        let socket = UdpSocket::bind("10.0.0.1:0").unwrap();
        socket.send_to(b"from outside", "239.1.2.3:7000").unwrap();
        let socket = UdpSocket::bind("[fd00::1]:0").unwrap();
        socket.send_to(b"from outside", group).unwrap();
        let outcome = running.wait();
        assert_eq!(outcome.status, 0, "{outcome}");
    });
}

fn names_stand_for_addresses_of_both_families(target: Target) {
    with_network(target, || {
        let server = UdpSocket::bind("[fd00::1]:53").unwrap();
        server.set_read_timeout(Some(LIMIT)).unwrap();
        // A question for each family.
        let answers = thread::spawn(move || (0..2).for_each(|_| answer(&server)));
        let resolve = |name: &str| {
            let outcome = guest(target, &["--dns=fd00::1", "resolve", name]).run();
            assert_eq!(outcome.status, 0, "{outcome}");
            let asked = "nameserver fd00::1\nSUCCESS\n";
            outcome.stdout.replace(asked, "")
        };
        // RFC 6724 section 6, rule 6: global addresses of IPv6 before those of IPv4.
        let found = resolve("service.example");
        let expected = "[2001:db8::9]:80\n10.0.0.9:80\n";
        assert!(found.ends_with(expected), "{found}");
        answers.join().unwrap();
        let found = resolve("fe80::1%service");
        assert!(found.ends_with("[fe80::1%1]:80\n"), "{found}");
    });
}

/// Answers a question for A or AAAA with an address of its family (RFC 1035 section 4.1).
fn answer(server: &UdpSocket) {
    let mut message = [0; 512];
    let (octets, client) = server.recv_from(&mut message).unwrap();
    let mut answer = message[..octets].to_vec();
    // A response to a standard query, with one answer.
    answer[2..4].copy_from_slice(&[0x81, 0x80]);
    answer[6..8].copy_from_slice(&[0, 1]);
    let is_v6 = answer[octets - 3] == 28;
    let address: &[u8] = match is_v6 {
        true => &"2001:db8::9".parse::<Ipv6Addr>().unwrap().octets(),
        false => &[10, 0, 0, 9],
    };
    // The name of the question, its type and class, and a minute to live.
    let kind = if is_v6 { 28 } else { 1 };
    answer.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60, 0]);
    answer.push(u8::try_from(address.len()).unwrap());
    answer.extend(address);
    server.send_to(&answer, client).unwrap();
}

/// All that is known of the network comes from dnsmasq, which is router, DHCPv6 server and name server.
fn a_lease_of_dhcpv6_has_the_servers_and_domains_of_names(target: Target) {
    Guest::build("std-sockets", target);
    Network::with(|network| {
        network.add_tap("tap0", "10.0.0.1/24");
        network.add_ipv6("tap0", "2001:db8::1/64");
        network.add_ipv6("tap0", "fe80::1/64");
        let mut command = Command::new("dnsmasq");
        command.args([
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--pid-file",
        ]);
        command.args(["--user=root", "--leasefile-ro", "--no-resolv", "--no-hosts"]);
        command.args([
            "--interface=tap0",
            "--except-interface=lo",
            "--bind-dynamic",
        ]);
        command.args([
            "--enable-ra",
            "--dhcp-range=2001:db8::100,2001:db8::1ff,64,2m",
        ]);
        command.arg("--dhcp-option=option6:domain-search,example.org");
        command.arg("--host-record=service.example.org,10.0.0.9,2001:db8::9");
        let dnsmasq = Running::start(command, LIMIT);
        let guest = Guest::build("std-sockets", target).option("--net:service=tap0");
        let arguments = ["--dhcpv6=always", "resolve", "service"];
        let guest = arguments.iter().fold(guest, |guest, it| guest.argument(it));
        let outcome = guest.limit(LIMIT).run();
        assert_eq!(outcome.status, 0, "{outcome}");
        let addresses = "[2001:db8::9]:80\n10.0.0.9:80\n";
        let (_, asked) = outcome.stdout.split_once(addresses).expect("both");
        assert!(asked.starts_with("nameserver "), "{outcome}");
        assert!(
            asked.contains("\nsearch example.org\nSUCCESS\n"),
            "{outcome}"
        );
        dnsmasq.stop();
    });
}

fn a_server_on_the_link_is_connected_to(target: Target) {
    with_network(target, || {
        let listener = TcpListener::bind("[::]:7001").unwrap();
        let server = thread::spawn(move || {
            [(), ()].map(|()| {
                let (mut stream, peer) = listener.accept().unwrap();
                let mut line = [0; 6];
                stream.read_exact(&mut line).unwrap();
                stream.write_all(b"from outside\n").unwrap();
                peer.ip()
            })
        });
        for to in ["[fd00::1]:7001", "[fe80::1%1]:7001"] {
            let outcome = guest(target, &["fetch", to]).run();
            assert_eq!(outcome.status, 0, "{to}: {outcome}");
            assert!(
                outcome.stdout.ends_with("from outside\nSUCCESS\n"),
                "{outcome}"
            );
        }
        let [first, second] = server.join().unwrap();
        assert_eq!(first.to_string(), "fd00::2");
        assert!(second.to_string().starts_with("fe80::"), "{second}");
    });
}
