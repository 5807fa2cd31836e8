//! TLS: the example `http` with curl and openssl as clients.

use std::io::Write;
use std::net::TcpStream;
use std::process::{Command, Stdio};

use system_tests::certificates::Authority;
use system_tests::{Guest, HttpServer, Target};

on_each_target! {
    long: https_is_spoken_by_curl, what_goes_wrong_is_logged, sessions_of_both_versions_are_resumed, who_offers_other_protocols_is_refused,
}

const UNIKERNEL: &str = HttpServer::ADDRESS;

fn what_goes_wrong_is_logged(target: Target) {
    let authority = Authority::new();
    let signed = authority.sign("server", &format!("IP:{UNIKERNEL}"), 2);
    let guest = Guest::build("http-server", target).argument("--log=mkernel=debug");
    let server = HttpServer::new(guest).secured_by(&signed);
    server.with(|mut running| {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let address = stream.local_addr().unwrap();
        running.wait_for(&format!("{address}: no handshake: "));
        s_client(&authority, &["-ign_eof"], "GET / HTTP/1.1\r\n\r\n");
        running.wait_for("a request is answered 400");
    });
}

/// Boots the example `http`, known by a certificate of the authority that `test` is given.
fn with_server(target: Target, test: impl FnOnce(&Authority) + Send) {
    let authority = Authority::new();
    let signed = authority.sign("server", &format!("IP:{UNIKERNEL}"), 2);
    let server = HttpServer::new(Guest::build("http-server", target)).secured_by(&signed);
    server.with(|_| test(&authority));
}

fn https_is_spoken_by_curl(target: Target) {
    with_server(target, |authority| {
        let curl = |options: &[&str]| {
            let output = Command::new("curl")
                .args(["--silent", "--show-error", "--max-time", "60"])
                .args(["--write-out", "%{http_version} %{http_code}\\n", "--cacert"])
                .arg(authority.certificate())
                .args(options)
                .arg(format!("https://{UNIKERNEL}/healthz"))
                .output()
                .unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        assert_eq!(curl(&[]), "ok\n2 200\n");
        assert_eq!(curl(&["--http1.1"]), "ok\n1.1 200\n");
        assert_eq!(curl(&["--tls-max", "1.2"]), "ok\n2 200\n");
        // A download is cut into records.
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--max-time", "120", "--cacert"])
            .arg(authority.certificate())
            .arg(format!("https://{UNIKERNEL}/download/1000000"))
            .output()
            .unwrap();
        assert_eq!(output.stdout.len(), 1_000_000, "{:?}", output.stderr);
        let wrong = (0..)
            .zip(&output.stdout)
            .find(|(at, octet)| at % 251 != u32::from(**octet));
        assert_eq!(wrong, None);
    });
}

/// What `openssl s_client` says when it is given `request`.
fn s_client(authority: &Authority, options: &[&str], request: &str) -> String {
    let mut client = Command::new("openssl")
        .args(["s_client", "-connect", "10.0.0.2:443", "-CAfile"])
        .arg(authority.certificate())
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It reads no further than it wants.
    let _ = client.stdin.take().unwrap().write_all(request.as_bytes());
    let output = client.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

const REQUEST: &str = "GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

fn sessions_of_both_versions_are_resumed(target: Target) {
    with_server(target, |authority| {
        let session = authority.certificate().with_file_name("session");
        let session = session.to_str().unwrap();
        for (version, name) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
            // Not `-quiet`, which says nothing of the session, and so `-ign_eof` for the answer.
            let options = |more: [&'static str; 1]| [version, "-ign_eof", more[0]];
            let first = [&options(["-sess_out"])[..], &[session]].concat();
            let text = s_client(authority, &first, REQUEST);
            assert!(text.contains(&format!("New, {name}")), "{text}");
            assert!(text.contains("Verify return code: 0 (ok)"), "{text}");
            assert!(text.contains("HTTP/1.1 200 OK"), "{text}");
            let second = [&options(["-sess_in"])[..], &[session]].concat();
            let text = s_client(authority, &second, REQUEST);
            assert!(text.contains(&format!("Reused, {name}")), "{text}");
            assert!(text.contains("HTTP/1.1 200 OK"), "{text}");
        }
    });
}

fn who_offers_other_protocols_is_refused(target: Target) {
    with_server(target, |authority| {
        let text = s_client(authority, &["-alpn", "smtp"], "");
        assert!(text.contains("alert no application protocol"), "{text}");
        let text = s_client(authority, &["-alpn", "smtp,http/1.1", "-ign_eof"], REQUEST);
        assert!(text.contains("ALPN protocol: http/1.1"), "{text}");
        let text = s_client(authority, &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], "");
        assert!(text.contains("alert handshake failure"), "{text}");
    });
}
