use std::error::Error;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use clap::Parser;
use miou_rs::{Builder, sleep, spawn};
use netstack::{Config, Stack, UdpSocket};

use super::network::{Network, Online, StartError};
use super::{Failure, fail};
use crate::fake::{FakeNet, Machine};
use crate::net::start_on;
use crate::source::Solo5;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);

#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    network: Network,
}

fn parse(line: &str) -> Result<Network, clap::Error> {
    let line = format!("service {line}");
    Arguments::try_parse_from(line.split_whitespace()).map(|arguments| arguments.network)
}

/// Runs `test` in virtual time, with two devices on one wire.
fn run<F: Future>(test: impl FnOnce(Rc<Solo5<Machine>>, [FakeNet; 2]) -> F) -> F::Output {
    let machine = Machine::default();
    let source = Rc::new(Solo5::new(machine.clone()));
    let devices = machine.wire(false);
    Builder::new().run_with(source.clone(), test(source, devices))
}

async fn start(source: &Solo5<Machine>, device: FakeNet, line: &str) -> Result<Online, StartError> {
    let network = parse(line).expect("a command line");
    network.start_on(source, device, Config::default()).await
}

#[test]
fn without_arguments_the_address_is_10_0_0_2() {
    run(async |source, [one, _]| {
        let online = start(&source, one, "").await.expect("a stack");
        let addresses = online.stack.addresses();
        assert_eq!(addresses, ["10.0.0.2/24".parse().expect("an address")]);
        assert_eq!(online.stack.routes(), []);
    });
}

#[test]
fn address_router_and_mtu_are_those_of_the_command_line() {
    run(async |source, [one, _]| {
        let line =
            "--ipv4=10.1.0.7/16 --ipv4-gateway=10.1.0.1 --mtu=1400 --dns=10.1.0.3 --dns 10.1.0.4";
        let online = start(&source, one, line).await.expect("a stack");
        let stack = &online.stack;
        assert_eq!(
            stack.addresses(),
            ["10.1.0.7/16".parse().expect("an address")]
        );
        assert_eq!(stack.routes()[0].gateway, Ipv4Addr::new(10, 1, 0, 1));
        assert_eq!(stack.mtu(), 1400);
        let resolver = format!("{:?}", online.resolver);
        assert!(resolver.contains("[10.1.0.3, 10.1.0.4]"), "{resolver}");
    });
}

#[test]
fn a_name_before_all_else_is_taken_as_albatross_gives_it() {
    let network = parse("--name=web1 --ipv4=10.0.0.3/24").expect("a command line");
    assert_eq!(network.name.as_deref(), Some("web1"));
}

#[test]
fn an_error_names_the_value_and_what_was_expected() {
    for (line, value, expected) in [
        (
            "--ipv4=10.0.0.2",
            "10.0.0.2",
            "an IPv4 address with a prefix, like 10.0.0.2/24",
        ),
        (
            "--ipv4=10.0.0.2/33",
            "10.0.0.2/33",
            "prefix length 33: expected 0 to 32",
        ),
        (
            "--ipv4-gateway=router",
            "router",
            "expected an IPv4 address, like 10.0.0.1",
        ),
        (
            "--dns=8.8.8",
            "8.8.8",
            "expected an address, like 10.0.0.1 or fd00::1",
        ),
        (
            "--ipv6=10.0.0.2/24",
            "10.0.0.2/24",
            "an IPv6 address with a prefix, like fd00::2/64",
        ),
        (
            "--ipv6-gateway=10.0.0.1",
            "10.0.0.1",
            "expected an IPv6 address, like fd00::1",
        ),
        ("--accept-ra=maybe", "maybe", "true, false"),
        ("--dhcpv6=maybe", "maybe", "advertised, always, never"),
        (
            "--ipv6-secret=0123",
            "--ipv6-secret",
            "expected 32 hexadecimal digits",
        ),
        (
            "--ipv6-secret=+123456789abcdef0123456789abcdef",
            "--ipv6-secret",
            "expected 32 hexadecimal digits",
        ),
        ("--mtu=67", "67", "68..=65535"),
        ("--mtu=many", "many", "--mtu <OCTETS>"),
        (
            "--log=loud",
            "loud",
            "expected off, error, warn, info, debug or trace",
        ),
        ("--dhcp --ipv4=10.0.0.2/24", "--dhcp", "cannot be used with"),
        (
            "--dhcp --ipv4-gateway=10.0.0.1",
            "--dhcp",
            "cannot be used with",
        ),
        ("--colour=red", "--colour", "unexpected argument"),
        ("extra", "extra", "unexpected argument"),
    ] {
        let error = parse(line).expect_err(line);
        let text = error.to_string();
        assert!(
            text.contains(value) && text.contains(expected),
            "{line}: {text}"
        );
        assert!(error.use_stderr(), "{line}");
    }
    assert!(!parse("--help").expect_err("help").use_stderr());
}

#[test]
fn settings_that_do_not_fit_are_refused_with_the_status_of_a_bad_command_line() {
    for (line, message) in [
        (
            "--ipv4-gateway=10.7.0.1",
            "gateway 10.7.0.1: expected another host of 10.0.0.2/24",
        ),
        ("--mtu=9000", "MTU 9000: expected 68 to 1500 octets"),
    ] {
        let error = run(async |source, [one, _]| start(&source, one, line).await.map(drop));
        let error = error.expect_err(line);
        assert!(error.to_string().contains(message), "{error}");
        assert_eq!(error.status(), 64);
    }
}

#[test]
fn without_a_dhcp_server_the_status_says_that_it_may_be_tried_again() {
    for line in ["--dhcp", "--dhcpv6=always"] {
        let error = run(async |source, [one, _]| start(&source, one, line).await.map(drop));
        let error = error.expect_err("no lease");
        let (option, _) = line.split_once('=').unwrap_or((line, ""));
        let expected = format!("{option}: expected a lease, and no server granted one within 60 s");
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.status(), 75);
    }
}

#[test]
fn with_a_secret_the_link_local_address_is_the_same_at_each_start() {
    let address = |line: &str| {
        run(async |source, [one, _]| {
            let online = start(&source, one, line).await.expect("a stack");
            // It is asked for first.
            sleep(Duration::from_secs(3)).await;
            let mut addresses = online.stack.addresses().into_iter();
            addresses.find_map(|it| it.v6()).expect("one of IPv6")
        })
    };
    let secret = "--ipv6-secret=0123456789abcdef0123456789ABCDEF";
    assert_eq!(address(secret), address(secret));
    assert_ne!(address(secret), address(""));
}

/// A stack at [`SERVER`], and a task that leases 10.0.0.50 to whoever asks, for `seconds`, with two name servers; and with
/// one to who asks for more.
fn lease(
    source: &Solo5<Machine>,
    device: FakeNet,
    seconds: u8,
) -> (Stack, impl Future<Output = ()> + 'static) {
    let config = Config::default().address("10.0.0.9/24".parse().expect("an address"));
    let stack = start_on(source, device, config).expect("a stack");
    let socket = UdpSocket::bind(&stack, ([0; 4], 67)).expect("a free port");
    let serve = async move {
        for number in 0.. {
            let request = socket.recv_datagram().await.expect("a request").payload;
            // RFC 2131 section 2: a message of 240 octets, then options.
            let mut reply = vec![0; 240];
            reply[..3].copy_from_slice(&[2, 1, 6]);
            reply[4..8].copy_from_slice(&request[4..8]);
            reply[16..20].copy_from_slice(&[10, 0, 0, 50]);
            reply[28..34].copy_from_slice(&request[28..34]);
            reply[236..].copy_from_slice(&[99, 130, 83, 99]);
            let offer = request[240..].starts_with(&[53, 1, 1]);
            reply.extend([53, 1, if offer { 2 } else { 5 }, 51, 4, 0, 0, 0, seconds]);
            reply.extend([1, 4, 255, 255, 255, 0]);
            reply.extend(match number {
                0 | 1 => &[6, 8, 10, 0, 0, 3, 10, 0, 0, 4][..],
                2 => &[6, 4, 10, 0, 0, 5],
                _ => &[],
            });
            for router_and_server in [3, 54] {
                reply.extend([router_and_server, 4]);
                reply.extend(SERVER.octets());
            }
            reply.push(255);
            let sent = socket.send_to(&reply, (Ipv4Addr::BROADCAST, 68));
            sent.expect("sent");
        }
    };
    (stack, serve)
}

#[test]
fn a_lease_gives_address_router_and_name_servers() {
    for (line, servers) in [
        ("--dhcp", "[10.0.0.3, 10.0.0.4]"),
        ("--dhcp --dns=10.9.9.9", "[10.9.9.9]"),
    ] {
        run(async |source, [one, other]| {
            let (_stack, serve) = lease(&source, other, 200);
            let _server = spawn(serve);
            let online = start(&source, one, line).await.expect("a lease");
            let addresses = online.stack.addresses();
            assert_eq!(addresses, ["10.0.0.50/24".parse().expect("an address")]);
            assert_eq!(online.stack.routes()[0].gateway, SERVER);
            let resolver = format!("{:?}", online.resolver);
            assert!(resolver.contains(servers), "{resolver}");
        });
    }
}

#[test]
fn a_later_lease_brings_its_name_servers() {
    for (line, later) in [
        ("--dhcp", Ipv4Addr::new(10, 0, 0, 5)),
        ("--dhcp --dns=10.9.9.9", Ipv4Addr::new(10, 9, 9, 9)),
    ] {
        run(async |source, [one, other]| {
            let (_stack, serve) = lease(&source, other, 200);
            let _server = spawn(serve);
            let online = start(&source, one, line).await.expect("a lease");
            // It is extended after half of its time, and then once more, without any.
            for _ in 0..3 {
                sleep(Duration::from_secs(105)).await;
                assert_eq!(online.resolver.servers(), [IpAddr::V4(later)], "{line}");
            }
        });
    }
}

#[test]
fn a_stack_that_cannot_be_reached_says_why() {
    let error = StartError::Lease(ErrorKind::NetworkDown.into());
    assert_eq!(error.to_string(), "--dhcp: no lease: network down");
    assert_eq!(error.status(), 1);
}

#[test]
fn each_failure_has_its_status() {
    let lease = StartError::Lease(ErrorKind::TimedOut.into());
    for (error, status) in [
        (Box::new(Failure::new(7, "no good")) as Box<dyn Error>, 7),
        (Box::new(lease), 75),
        ("no good".into(), 1),
    ] {
        let said = format!("{:?}", fail(&*error));
        assert_eq!(said, format!("{:?}", ExitCode::from(status)));
    }
    let source = Failure::new(7, StartError::Stack(ErrorKind::NetworkDown.into()));
    assert_eq!(source.to_string(), "cannot start the network: network down");
}

#[cfg(feature = "tls")]
#[test]
fn certificates_are_text_or_base64_of_it() {
    use rcgen::{CertificateParams, KeyPair};

    let pair = |name: &str| {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("a name");
        let certificate = params.self_signed(&key).expect("a certificate");
        (certificate.pem(), key.serialize_pem())
    };
    let read = |certificates: &[&str], keys: &[&str]| {
        let certificates = certificates.iter().map(|it| format!("--tls-cert={it}"));
        let keys = keys.iter().map(|it| format!("--tls-key={it}"));
        let line = ["service".to_owned()]
            .into_iter()
            .chain(certificates)
            .chain(keys);
        let arguments = TlsArguments::try_parse_from(line).expect("a command line");
        arguments.tls.identities().map(|it| it.len())
    };
    let (one, other) = (pair("one"), pair("other"));
    assert_eq!(read(&[], &[]).expect("none"), 0);
    assert_eq!(read(&[&one.0], &[&one.1]).expect("one"), 1);
    assert_eq!(
        read(&[&base64(&one.0)], &[&base64(&one.1)]).expect("one"),
        1
    );
    assert_eq!(
        read(&[&base64(&one.0), &other.0], &[&one.1, &other.1]).expect("two"),
        2
    );
    for (certificates, keys, message) in [
        (
            &[&*one.0][..],
            &[&*other.1][..],
            "not that of the certificate",
        ),
        (
            &["cert.pem"],
            &[&one.1],
            "--tls-cert \"cert.pem\": no certificate in the text; expected PEM or base64 of it, and not the name of a file",
        ),
        (
            &[&one.0],
            &["key.pem"],
            "--tls-key: no private key in the text; expected PEM, with one that is not encrypted",
        ),
        (
            &[&one.0],
            &[&one.1[..60]],
            "--tls-key: no private key in PEM: expected -----END PRIVATE KEY-----",
        ),
        (
            &["-----BEGIN CERT"],
            &[&one.1],
            "--tls-cert \"-----BEGIN CERT\": no certificate in PEM: expected a line of its own",
        ),
        (
            &["text"],
            &[&one.1],
            "no certificate in the text; expected PEM",
        ),
        (
            &["dGV4dA=="],
            &[&one.1],
            "no certificate in the text; expected PEM",
        ),
        (
            &[&one.0, &other.0],
            &[&one.1],
            "2 times --tls-cert and 1 times --tls-key",
        ),
    ] {
        let error = read(certificates, keys).expect_err(message);
        assert!(error.to_string().contains(message), "{error}");
        assert_eq!(error.status, 64);
    }
}

#[test]
fn a_program_is_described_by_itself_alone() {
    use clap::CommandFactory;

    #[derive(Parser)]
    struct Silent {
        #[command(flatten)]
        _network: Network,
    }

    /// Answers
    #[derive(Parser)]
    struct Described {
        #[command(flatten)]
        _network: Network,
    }

    let help = Silent::command().render_long_help().to_string();
    assert!(help.starts_with("Usage:"), "{help}");
    let help = Described::command().render_long_help().to_string();
    assert!(help.starts_with("Answers\n"), "{help}");
    #[cfg(feature = "tls")]
    {
        let help = TlsArguments::command().render_long_help().to_string();
        assert!(help.starts_with("Usage:"), "{help}");
    }
}

#[cfg(feature = "tls")]
#[derive(Debug, Parser)]
struct TlsArguments {
    #[command(flatten)]
    tls: super::Tls,
}

/// RFC 4648 section 4.
#[cfg(feature = "tls")]
fn base64(text: &str) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let encode = |three: &[u8]| {
        let octets = [three, &[0, 0]].concat();
        let bits = u32::from_be_bytes([0, octets[0], octets[1], octets[2]]);
        let digits =
            [18, 12, 6, 0].map(|shift| char::from(alphabet[(bits >> shift & 63) as usize]));
        let count = three.len() + 1;
        let text: String = digits[..count].iter().collect();
        text + &"=".repeat(4 - count)
    };
    text.as_bytes().chunks(3).map(encode).collect()
}
