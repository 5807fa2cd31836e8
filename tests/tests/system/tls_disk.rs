//! Certificates on a block device: which one is shown to whom, and others in their place while the service goes on.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::process::{Command, Stdio};
use std::time::Duration;

use system_tests::certificates::{Authority, Signed};
use system_tests::{Guest, Network, Running, Target};
use tempfile::TempDir;

on_each_target! { long: certificates_come_from_a_block_device_and_are_reloaded }

const SERVER: &str = "10.0.0.2:443";
const OCTETS: usize = 32 << 10;

/// What the device is to have.
fn image(all: &[&Signed]) -> Vec<u8> {
    let mut text = Vec::new();
    for signed in all {
        text.extend(fs::read(&signed.certificate).unwrap());
        text.extend(fs::read(&signed.key).unwrap());
    }
    text.resize(OCTETS, 0);
    text
}

/// A client that asks for `name` and wants a certificate of `authority` for it.
fn client(authority: &Authority, name: &str) -> Command {
    let mut client = Command::new("openssl");
    client
        .args([
            "s_client",
            "-connect",
            SERVER,
            "-servername",
            name,
            "-verify_hostname",
            name,
        ])
        .args(["-verify_return_error", "-CAfile"])
        .arg(authority.certificate());
    client
}

/// The subject of the certificate that `name` is shown.
fn subject(authority: &Authority, name: &str) -> String {
    let output = client(authority, name)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("Verify return code: 0 (ok)"), "{text}");
    let subject = text.lines().find_map(|line| line.strip_prefix("subject="));
    subject.unwrap().replace(' ', "")
}

/// Has the device written over; what the unikernel says to that.
fn reload(running: &mut Running, image: &[u8]) -> String {
    let address = SocketAddr::from(([10, 0, 0, 2], 7));
    let mut said = String::new();
    let mut control = running.connect(address, Duration::from_secs(60));
    control.write_all(image).unwrap();
    control.shutdown(Shutdown::Write).unwrap();
    control.read_to_string(&mut said).unwrap();
    said
}

fn certificates_come_from_a_block_device_and_are_reloaded(target: Target) {
    let authority = Authority::new();
    let sign = |name: &str, host: &str| authority.sign(name, &format!("DNS:{host}"), 2);
    let (one, other) = (sign("one", "one.example"), sign("other", "other.example"));
    let later = sign("later", "one.example");
    let folder = TempDir::new().unwrap();
    let disk = folder.path().join("tls.img");
    fs::write(&disk, image(&[&one, &other])).unwrap();
    let guest = Guest::build("tls-disk", target)
        .option("--net:service=tap0")
        .option(format!("--block:tls={}", disk.display()));
    Network::with(|network| {
        network.add_tap("tap0", "10.0.0.1/24");
        let mut running = guest.start();
        drop(running.connect(SERVER.parse().unwrap(), Duration::from_secs(60)));
        assert_eq!(subject(&authority, "one.example"), "CN=one");
        assert_eq!(subject(&authority, "other.example"), "CN=other");

        let mut open = client(&authority, "one.example")
            .arg("-quiet")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(open.stdout.take().unwrap());
        let mut say = |text: &str| {
            let mut echo = String::new();
            open.stdin
                .as_ref()
                .unwrap()
                .write_all(text.as_bytes())
                .unwrap();
            said.read_line(&mut echo).unwrap();
            assert_eq!(echo, text);
        };
        say("before\n");
        let said = reload(&mut running, &image(&[&later, &other]));
        assert_eq!(said, "reloaded\n");
        assert_eq!(subject(&authority, "one.example"), "CN=later");
        say("after\n");
        // What is no good changes nothing.
        let mixed = Signed {
            certificate: one.certificate.clone(),
            key: other.key.clone(),
        };
        let said = reload(&mut running, &image(&[&mixed]));
        assert_eq!(said, "the private key is not that of the certificate\n");
        assert_eq!(subject(&authority, "one.example"), "CN=later");
        say("at last\n");
        open.kill().unwrap();
        open.wait().unwrap();
    });
}
