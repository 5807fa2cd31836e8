//! A certificate that is part of the program.

use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use system_tests::{Guest, Network, Target};
use tempfile::TempDir;

on_each_target! { long: a_certificate_is_compiled_in }

fn a_certificate_is_compiled_in(target: Target) {
    let guest = Guest::build("tls-compiled-in", target).option("--net:service=tap0");
    let folder = TempDir::new().unwrap();
    let trusted = folder.path().join("trusted.pem");
    Network::with(|network| {
        network.add_tap("tap0", "10.0.0.1/24");
        let printed = guest.clone().argument("--certificate").run();
        assert_eq!(printed.status, 0, "{printed}");
        fs::write(&trusted, &printed.stdout).unwrap();

        let mut running = guest.start();
        let server = "10.0.0.2:443";
        drop(running.connect(server.parse().unwrap(), Duration::from_secs(60)));
        let mut client = Command::new("openssl")
            .args(["s_client", "-connect", server, "-quiet", "-CAfile"])
            .arg(&trusted)
            .args(["-verify_return_error", "-verify_hostname"])
            .args(["compiled.example", "-servername", "compiled.example"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut input = client.stdin.take().unwrap();
        input.write_all(b"one line\n").unwrap();
        let mut said = String::new();
        client
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        drop(input);
        client.wait().unwrap();
        assert_eq!(said, "one line\n");
    });
}
