//! The program `services`, with others.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use system_tests::certificates::Authority;
use system_tests::{Network, OpensslServer};

use super::build;

const HOST: &str = "10.0.0.1";

/// A network for each of two unikernels, and the host as the router.
#[test]
fn servers_and_clients_are_unikernels() {
    let guest = build("services");
    let on = |device: &str, address: &str, gateway: &str| {
        guest
            .clone()
            .option(format!("--net:service={device}"))
            .argument(format!("--ipv4={address}/24"))
            .argument(format!("--ipv4-gateway={gateway}"))
    };
    Network::with(|network| {
        network.add_tap("tap0", "10.0.0.1/24");
        network.add_tap("tap1", "10.0.1.1/24");
        fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
        let server = on("tap1", "10.0.1.2", "10.0.1.1").argument("serve");
        let mut server = server.start();
        let address = SocketAddr::from(([10, 0, 1, 2], 8080));
        drop(server.connect(address, Duration::from_secs(60)));
        let client = on("tap0", "10.0.0.2", "10.0.0.1");
        let outcome = client.argument("ask").argument("10.0.1.2").run();
        assert!(outcome.stdout.ends_with("SUCCESS\n"), "{outcome}");
        assert_eq!(outcome.status, 0, "{outcome}");
        server.stop();
    });
}

#[test]
fn an_https_server_is_trusted_by_its_authority_alone() {
    let guest = build("services").option("--net:service=tap0");
    let (authority, other) = (Authority::new(), Authority::new());
    let signed = authority.sign("server", &format!("IP:{HOST}"), 2);
    Network::with(|network| {
        network.add_tap("tap0", "10.0.0.1/24");
        let _server = OpensslServer::start((HOST, 4433), &signed);
        let ask = |authority: &Authority| {
            let text = fs::read_to_string(authority.certificate()).unwrap();
            let trusts = guest.clone().argument(format!("--authorities={text}"));
            let url = format!("https://{HOST}:4433/");
            trusts.argument("https").argument(url).run()
        };
        let outcome = ask(&authority);
        assert_eq!(outcome.status, 0, "{outcome}");
        for answer in ["reqwest: <HTML>", "ureq: <HTML>"] {
            assert!(outcome.stdout.contains(answer), "{outcome}");
        }
        let outcome = ask(&other);
        assert_eq!(outcome.status, 1, "{outcome}");
        let told = "invalid peer certificate: ";
        assert_eq!(outcome.stdout.matches(told).count(), 2, "{outcome}");
    });
}
