use std::ffi::OsString;
use std::net::TcpListener;

use super::*;
use crate::options::{Command, NetSource, parse};
use crate::wire::WireError;

/// The network and the options of that command line.
fn read(line: &str) -> (UserNetwork, Options) {
    let words = line.split(' ').map(OsString::from);
    let Ok(Command::Run(mut options)) = parse(words) else {
        panic!("{line}")
    };
    let Some(NetSource::User(network)) = options.net.remove("service") else {
        panic!("{line}")
    };
    (network, options)
}

fn plan(line: &str) -> (Plan, Vec<String>) {
    let (network, options) = read(line);
    let plan = Plan::new(&network, 0, &options, true);
    let words = plan.words(&options, true);
    (plan, words)
}

fn at(host: &str, guest: u16) -> Forward {
    Forward {
        host: host.parse().unwrap(),
        guest,
    }
}

#[test]
fn ports_are_taken_with_and_without_an_address() {
    let (network, _) = read(
        "--net:service=user,tcp=8080:80,tcp=3000,udp=0.0.0.0:53:5353,tcp=192.0.2.1:443,mtu=1400,host,no-arguments k",
    );
    assert_eq!(
        network,
        UserNetwork {
            tcp: vec![
                at("127.0.0.1:8080", 80),
                at("127.0.0.1:3000", 3000),
                at("192.0.2.1:443", 443)
            ],
            udp: vec![at("0.0.0.0:53", 5353)],
            mtu: Some(1400),
            host_loopback: true,
            no_arguments: true,
        }
    );
}

#[test]
fn what_is_malformed_is_refused_with_what_was_expected() {
    for parts in [
        "",
        "tcp",
        "tcp=",
        "tcp=0",
        "tcp=65536",
        "tcp=80:",
        "tcp=:80",
        "tcp=80:80:80",
        "tcp=+80",
        "tcp=1.2.3:80",
        "tcp=1.2.3.4",
        "tcp=localhost:80:80",
        "mtu=67",
        "mtu=65521",
        "mtu=",
        "host=1",
        "Host",
        "udp =53",
    ] {
        let option = format!("--net:service=user,{parts}");
        let error = parse([option.clone().into(), "k".into()]).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains(&option) && text.contains("[ADDRESS:]HOST"),
            "{text}"
        );
    }
}

#[test]
fn the_guest_is_told_of_the_network_unless_it_is_told_otherwise() {
    for (args, words) in [
        (
            "",
            "--ipv4=10.0.0.2/24 --ipv4-gateway=10.0.0.1 --dns=10.0.0.3",
        ),
        (
            "--ipv4=10.0.0.1/24",
            "--ipv4-gateway=10.0.0.2 --dns=10.0.0.3",
        ),
        (
            "--ipv4 192.168.7.9/16",
            "--ipv4-gateway=192.168.0.1 --dns=192.168.0.2",
        ),
        (
            "--ipv4-gateway=10.0.0.9 --dns 1.1.1.1",
            "--ipv4=10.0.0.2/24",
        ),
        ("--dhcp", ""),
        ("--ipv4=10.0.0.2/0", "--ipv4-gateway=0.0.0.1 --dns=0.0.0.2"),
        ("--ipv4=nonsense", "--ipv4-gateway=10.0.0.1 --dns=10.0.0.3"),
    ] {
        let (_, told) = plan(&format!("--net:service=user,tcp=3000 k {args}"));
        assert_eq!(told.join(" "), words, "{args}");
    }
}

#[test]
fn a_guest_of_others_is_told_what_others_know() {
    let (network, options) = read("--net:service=user,tcp=3000 k");
    let plan = Plan::new(&network, 0, &options, true);
    let words = plan.words(&options, false);
    assert_eq!(words, ["--ipv4=10.0.0.2/24", "--ipv4-gateway=10.0.0.1"]);
}

#[test]
fn passt_is_told_the_address_that_the_guest_is() {
    let line = "--net:service=user,tcp=3000 k --ipv4=192.168.7.9/16 --ipv4-gateway=192.168.7.1";
    let (Plan { passt, .. }, _) = plan(line);
    assert_eq!(passt.address, Ipv4Addr::new(192, 168, 7, 9));
    assert_eq!(passt.prefix, 16);
    assert_eq!(passt.gateway, Ipv4Addr::new(192, 168, 7, 1));
    assert_eq!(passt.mtu, 65_520);
}

#[test]
fn without_ports_named_those_of_the_arguments_lead_to_the_guest_and_what_is_in_use_is_said() {
    let [held, other] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [taken, free] = [&held, &other].map(|it| it.local_addr().unwrap().port());
    drop(other);
    let line = format!("--net:service=user k --port={free} --listen 0.0.0.0:{taken} --x=0");
    let (plan, _) = plan(&line);
    let forwarded = at(&format!("127.0.0.1:{free}"), free);
    assert!(plan.passt.tcp.contains(&forwarded), "{:?}", plan.passt.tcp);
    assert!(plan.passt.udp.contains(&forwarded));
    assert!(plan.passt.tcp.iter().all(|it| it.guest != taken));
    let notice = plan.notice("service");
    assert!(
        notice.contains(&format!("port {taken} does not")),
        "{notice}"
    );
    // The lowest of them, and the common ports may be in use as well.
    let (_, hint) = notice
        .split_once(" (--net:service=user,tcp=OTHER:")
        .unwrap();
    assert!(
        hint.ends_with(" for another port of this host)"),
        "{notice}"
    );
}

#[test]
fn a_port_that_is_denied_gets_another_to_type() {
    let error = |kind: io::ErrorKind| PasstError::Port {
        protocol: "tcp",
        host: "127.0.0.1:80".parse().unwrap(),
        source: kind.into(),
    };
    let denied = WireError::from(error(io::ErrorKind::PermissionDenied)).to_string();
    assert!(
        denied.ends_with(" (tcp=8080:80 for another port of this host)"),
        "{denied}"
    );
    let in_use = WireError::from(error(io::ErrorKind::AddrInUse)).to_string();
    assert!(!in_use.contains("another"), "{in_use}");

    let (mut plan, _) = plan("--net:service=user k --port=80");
    plan.denied = Some(80);
    let notice = plan.notice("service");
    assert!(
        notice.contains(
            "port 80 does not, as this user may not listen there (--net:service=user,tcp=8080:80 "
        ),
        "{notice}"
    );
}
