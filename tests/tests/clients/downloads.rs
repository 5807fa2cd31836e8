//! A gigabyte from a unikernel with 32 MiB, checked by its hash.

use std::process::{Command, Stdio};
use std::time::Instant;

use system_tests::{HttpServer, Running};

use crate::{output, secured, server};

/// The SHA-256 of a gigabyte whose octet `n` is `n` modulo 251.
const HASH: &str = "92e0068bc0fe3b1fbdbc4c146a08ae7395eeb724ae85c1b737c86f3b7cb57f4e";
const GIGABYTE: &str = "/download/1000000000";

fn download(running: &Running, scheme: &str, options: &[&str]) {
    let start = Instant::now();
    let mut curl = Command::new("curl")
        .args(["--silent", "--show-error", "--fail"])
        .args(options)
        .arg(format!("{scheme}://{}{GIGABYTE}", HttpServer::ADDRESS))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let content = curl.stdout.take().unwrap();
    let hash = output(
        Command::new("openssl")
            .args(["dgst", "-sha256", "-r"])
            .stdin(content),
    );
    assert!(curl.wait().unwrap().success());
    println!(
        "{scheme} {options:?}: {:.0} MB/s, {:.1} MB resident",
        1e3 / start.elapsed().as_secs_f64(),
        running.resident_memory() as f64 / 1e6,
    );
    assert_eq!(hash.split(' ').next(), Some(HASH));
}

#[test]
fn a_gigabyte() {
    server().with(|running| {
        download(&running, "http", &["--http1.1"]);
        download(&running, "http", &["--http2-prior-knowledge"]);
    });
}

#[test]
fn a_gigabyte_with_tls() {
    let (server, authority) = secured();
    let trusted = authority.certificate();
    let trusted = ["--cacert", trusted.to_str().unwrap()];
    server.with(|running| {
        for version in ["--http1.1", "--http2"] {
            download(&running, "https", &[&trusted[..], &[version]].concat());
        }
    });
}
