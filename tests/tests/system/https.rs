//! TLS: the example `http` with curl and openssl as clients, and the example `fetch` with openssl as server.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use system_tests::{Guest, Network, Outcome, Target};

use crate::certificates::{Authority, Signed, with_text};

on_each_target! {
    https_is_spoken_by_curl, sessions_of_both_versions_are_resumed, who_offers_other_protocols_is_refused,
    fetch_gets_a_page, fetch_tells_what_is_wrong_with_a_certificate,
}

const UNIKERNEL: &str = "10.0.0.2";
const HOST: &str = "10.0.0.1";

/// Boots the example `http`, known by a certificate of `authority`, and waits until it listens.
fn with_server(target: Target, test: impl FnOnce(&Authority) + Send) {
    let authority = Authority::new();
    let Signed { certificate, key } = authority.sign("server", &format!("IP:{UNIKERNEL}"), 2);
    let guest = Guest::build("http-server", target)
        .option("--net:service=tap0")
        .argument(format!("--ipv4={UNIKERNEL}/24"))
        .argument(with_text("--tls-cert", &certificate))
        .argument(with_text("--tls-key", &key));
    Network::with(|network| {
        network.add_tap("tap0", &format!("{HOST}/24"));
        let mut running = guest.start();
        let address = SocketAddr::from(([10, 0, 0, 2], 443));
        drop(running.connect(address, Duration::from_secs(60)));
        test(&authority);
    });
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

fn fetch(target: Target, url: &str, more: &[String]) -> Outcome {
    let guest = Guest::build("fetch", target)
        .option("--net:service=tap0")
        .argument(format!("--ipv4={UNIKERNEL}/24"));
    let guest = more.iter().fold(guest, |guest, more| guest.argument(more));
    guest.argument(url).run()
}

/// Answers one request after the other, each on its connection, with `answers`.
fn answer(listener: TcpListener, answers: Vec<String>) {
    for answer in answers {
        let mut stream: TcpStream = listener.accept().unwrap().0;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut octet = [0];
            stream.read_exact(&mut octet).unwrap();
            head.push(octet[0]);
        }
        stream.write_all(answer.as_bytes()).unwrap();
    }
}

fn fetch_gets_a_page(target: Target) {
    Guest::build("fetch", target);
    Network::with(|network| {
        network.add_tap("tap0", &format!("{HOST}/24"));
        let listener = TcpListener::bind((HOST, 80)).unwrap();
        let moved = "HTTP/1.1 302 Found\r\nlocation: /there\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        let page = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 6\r\n\r\nhello\n";
        let answers = [moved, page].map(str::to_owned).to_vec();
        let server = thread::spawn(move || answer(listener, answers));
        let outcome = fetch(
            target,
            &format!("http://{HOST}/here"),
            &["--redirects=1".to_owned()],
        );
        assert_eq!(outcome.status, 0, "{outcome}");
        for line in [
            "* Connected to 10.0.0.1:80\n",
            "> GET /here HTTP/1.1\n",
            "* Redirected to http://10.0.0.1/there\n",
            "> GET /there HTTP/1.1\n",
            "> host: 10.0.0.1\n",
            "< HTTP/1.1 200 OK\n",
            "< content-length: 6\n",
            "<\nhello\n",
            "* 6 octets received\n",
        ] {
            assert!(outcome.stdout.contains(line), "no {line:?}\n{outcome}");
        }
        server.join().unwrap();
        let outcome = fetch(target, &format!("http://{HOST}:81/"), &[]);
        assert_eq!(outcome.status, 1, "{outcome}");
        assert!(
            outcome.stdout.contains("no connection to 10.0.0.1 port 81"),
            "{outcome}"
        );
    });
}

/// `openssl s_server`, which ends with this.
struct Server(Child);

impl Server {
    /// One that answers with a page of its own, on `port`.
    fn start(port: u16, signed: &Signed) -> Self {
        let server = Command::new("openssl")
            .args([
                "s_server",
                "-quiet",
                "-www",
                "-accept",
                &port.to_string(),
                "-cert",
            ])
            .arg(&signed.certificate)
            .arg("-key")
            .arg(&signed.key)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self(server);
        // Bounded by the limit of the unikernel's run, had it come up by then or not.
        for _ in 0..200 {
            if TcpStream::connect((HOST, port)).is_ok() {
                return server;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("openssl s_server does not listen");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn fetch_tells_what_is_wrong_with_a_certificate(target: Target) {
    Guest::build("fetch", target);
    let authority = Authority::new();
    let host = format!("IP:{HOST}");
    let trusted = vec![with_text("--authorities", &authority.certificate())];
    let cases = [
        (authority.sign("good", &host, 2), trusted.clone(), None),
        (
            authority.sign("expired", &host, -1),
            trusted.clone(),
            Some("it has expired"),
        ),
        (
            authority.sign("other", "DNS:other.example", 2),
            trusted.clone(),
            Some("it is not for this name"),
        ),
        (
            authority.self_signed(&host),
            trusted,
            Some("it is self-signed, and not trusted"),
        ),
        (
            authority.sign("unknown", &host, 2),
            vec![],
            Some("nobody who is trusted has issued it"),
        ),
    ];
    Network::with(|network| {
        network.add_tap("tap0", &format!("{HOST}/24"));
        for (port, (signed, more, fault)) in (4433..).zip(cases) {
            let _server = Server::start(port, &signed);
            let outcome = fetch(target, &format!("https://{HOST}:{port}/"), &more);
            match fault {
                None => {
                    assert_eq!(outcome.status, 0, "{outcome}");
                    assert!(
                        outcome.stdout.contains("* TLSv1_3 with TLS13_"),
                        "{outcome}"
                    );
                    assert!(outcome.stdout.contains("< HTTP/1.0 200 OK\n"), "{outcome}");
                }
                Some(fault) => {
                    assert_eq!(outcome.status, 1, "{outcome}");
                    assert!(outcome.stdout.contains(fault), "no {fault:?}\n{outcome}");
                }
            }
        }
    });
}
