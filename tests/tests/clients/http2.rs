//! nghttp and h2load, of nghttp2.

use std::process::Command;

use system_tests::HttpServer;

use crate::{output, secured, server};

/// Two requests at a time, on one connection.
fn nghttp(scheme: &str) {
    let url = |path: &str| format!("{scheme}://{}{path}", HttpServer::ADDRESS);
    let mut nghttp = Command::new("nghttp");
    nghttp.args(["--null-out", "--stat"]);
    let text = output(nghttp.args([url("/healthz"), url("/")]));
    // "id  responseEnd requestStart  process code size request path"
    let mut rows: Vec<_> = text
        .lines()
        .filter(|line| line.contains(" 200 "))
        .filter_map(|line| line.rsplit(' ').next())
        .collect();
    rows.sort_unstable();
    assert_eq!(rows, ["/", "/healthz"], "{text}");
}

#[test]
fn nghttp_by_prior_knowledge() {
    server().with(|_| nghttp("http"));
}

#[test]
fn nghttp_by_alpn() {
    secured().0.with(|_| nghttp("https"));
}

const REQUESTS: &str = "100000";

/// Many requests, each answered well; what it says of them is printed.
fn h2load(scheme: &str, path: &str, options: &[&str], protocol: &str) {
    let url = format!("{scheme}://{}{path}", HttpServer::ADDRESS);
    let mut h2load = Command::new("h2load");
    let text = output(h2load.args(options).arg(url));
    let lines = text.lines().filter(|line| {
        let wanted = ["finished", "requests:", "time for request", "Cipher"];
        wanted.iter().any(|wanted| line.starts_with(wanted))
    });
    println!("h2load {options:?} {scheme} {path}");
    lines.for_each(|line| println!("  {line}"));
    assert!(
        text.contains(&format!("Application protocol: {protocol}\n")),
        "{text}"
    );
    assert!(text.contains(" 0 failed, 0 errored, 0 timeout\n"), "{text}");
    assert!(text.contains(" 0 3xx, 0 4xx, 0 5xx\n"), "{text}");
}

fn loads(scheme: &str, prior_knowledge: &str) {
    let many = ["-n", REQUESTS, "-c", "32"];
    h2load(
        scheme,
        "/healthz",
        &[&many[..], &["-m", "8"]].concat(),
        prior_knowledge,
    );
    h2load(
        scheme,
        "/healthz",
        &[&many[..], &["--h1"]].concat(),
        "http/1.1",
    );
    h2load(
        scheme,
        "/download/1000000",
        &["-n", "500", "-c", "16", "-m", "4"],
        prior_knowledge,
    );
}

#[test]
fn h2load_without_tls() {
    server().with(|_| loads("http", "h2c"));
}

#[test]
fn h2load_with_tls() {
    secured().0.with(|_| loads("https", "h2"));
}
