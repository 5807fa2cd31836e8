//! The example `http`, with curl as client.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use system_tests::{Guest, HttpServer, Target, read_head};
use tempfile::TempDir;

on_each_target! {
    long: http_1_and_2_are_spoken, content_comes_back_as_it_went, a_download_is_what_was_asked_for, a_websocket_echoes,
}

const ADDRESS: &str = HttpServer::ADDRESS;

fn server(target: Target) -> HttpServer {
    HttpServer::new(Guest::build("http-server", target))
}

/// Asks for `path`; panics when there is no answer.
#[track_caller]
fn curl(path: &str, options: &[&str]) -> Output {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "60"])
        .args(options)
        .arg(format!("http://{ADDRESS}{path}"))
        .output()
        .unwrap_or_else(|error| panic!("cannot run curl, which ci/setup installs: {error}"));
    assert!(output.status.success(), "{path} {options:?}: {output:?}");
    output
}

#[track_caller]
fn text(path: &str, options: &[&str]) -> String {
    String::from_utf8(curl(path, options).stdout).unwrap()
}

fn http_1_and_2_are_spoken(target: Target) {
    server(target).with(|_| {
        for (version, option) in [("1.1", "--http1.1"), ("2", "--http2-prior-knowledge")] {
            let write_out = "%{http_version} %{http_code} %{num_connects}\\n";
            let options = [option, "--write-out", write_out];
            assert_eq!(text("/healthz", &options), format!("ok\n{version} 200 1\n"));
            assert!(text("/", &[option]).contains("<h1>A unikernel</h1>"));
            let options = [
                option,
                "--output",
                "/dev/null",
                "--write-out",
                "%{http_code}",
            ];
            assert_eq!(text("/nowhere", &options), "404");
        }
        // Three requests on one connection; of HTTP/2 without TLS curl does not use one again before its version 8.
        let again = format!("http://{ADDRESS}/healthz");
        let options = [again.as_str(), &again, "--write-out", "%{num_connects}\\n"];
        assert_eq!(text("/healthz", &options), "ok\n1\nok\n0\nok\n0\n");
    });
}

fn content_comes_back_as_it_went(target: Target) {
    let folder = TempDir::new().unwrap();
    let sent: Vec<u8> = (0..300_000_u32).map(|i| (i * 31 + i / 256) as u8).collect();
    let file = folder.path().join("sent");
    fs::write(&file, &sent).unwrap();
    let data = format!("@{}", file.display());
    server(target).with(|_| {
        let ways: [&[&str]; 3] = [
            &["--http1.1"],
            &["--http1.1", "--header", "transfer-encoding: chunked"],
            &["--http2-prior-knowledge"],
        ];
        for way in ways {
            let options = [way, &["--data-binary", &data]].concat();
            assert!(curl("/echo", &options).stdout == sent, "{way:?}");
        }
        // More than is taken, which is said before it is sent.
        fs::write(Path::new(&file), vec![0; 2_000_000]).unwrap();
        let options = [
            "--data-binary",
            &data,
            "--write-out",
            "%{http_code} %{size_upload}",
        ];
        assert_eq!(text("/echo", &options), "413 0");
    });
}

fn a_download_is_what_was_asked_for(target: Target) {
    let octets = match target {
        Target::Spt => 100_000_000,
        Target::Hvt => 1_000_000,
    };
    server(target).with(|_| {
        let answer = curl(&format!("/download/{octets}"), &[]);
        assert_eq!(answer.stdout.len(), octets);
        let wrong = (0..)
            .zip(&answer.stdout)
            .find(|(at, octet)| at % 251 != u32::from(**octet));
        assert_eq!(wrong, None);
    });
}

fn a_websocket_echoes(target: Target) {
    let server = server(target);
    server.with(|mut running| {
        let mut stream = running.connect(server.address(), Duration::from_secs(10));
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        // The handshake of RFC 6455 section 1.3.
        let request = "GET /ws HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
                       sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let head = read_head(&mut stream).unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
        // "Hello", masked and plain, as in section 5.7.
        let masked = [
            0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
        ];
        stream.write_all(&masked).unwrap();
        let mut plain = [0; 7];
        stream.read_exact(&mut plain).unwrap();
        assert_eq!(plain, *b"\x81\x05Hello");
    });
}
