//! The example `fetch`, against servers that answer as they are told, openssl and the example `http`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;
use std::{fs, thread};

use system_tests::certificates::{Authority, Signed, with_text};
use system_tests::{Guest, Network, OpensslServer, Outcome, Target};

on_each_target! {
    long: a_page_is_fetched, each_failure_has_a_status_of_its_own, what_is_wrong_with_a_certificate_is_told,
    http_2_is_spoken_where_the_server_does,
}

const UNIKERNEL: &str = "10.0.0.2";
const HOST: &str = "10.0.0.1";

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
        // Or what begins like TLS.
        while !head.ends_with(b"\r\n\r\n") && head.first() != Some(&0x16) {
            let mut octet = [0];
            stream.read_exact(&mut octet).unwrap();
            head.push(octet[0]);
        }
        stream.write_all(answer.as_bytes()).unwrap();
    }
}

fn a_page_is_fetched(target: Target) {
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
    });
}

fn each_failure_has_a_status_of_its_own(target: Target) {
    Guest::build("fetch", target);
    let circle =
        "HTTP/1.1 302 Found\r\nlocation: /\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let short = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhe";
    // Port, what is answered there, and what `curl` would end with.
    let cases = [
        ("ftp://10.0.0.1/", None, 3, "expected a URL such as http://"),
        (
            "http://",
            None,
            3,
            "\"http://\": expected a URL such as http://",
        ),
        (
            "http://10.0.0.1:65616/",
            None,
            3,
            "\"http://10.0.0.1:65616/\": expected a URL",
        ),
        (
            "http://name.example/",
            None,
            6,
            "no address of name.example: there is no name server to ask",
        ),
        (
            "http://10.0.0.1:81/",
            None,
            7,
            "no connection to 10.0.0.1 port 81",
        ),
        (
            "http://10.0.0.1/",
            Some("SSH-2.0\r\n"),
            8,
            "the exchange failed",
        ),
        ("http://10.0.0.1/", Some(short), 18, "the exchange failed"),
        (
            "http://10.0.0.1/",
            Some(circle),
            47,
            "redirects in a circle",
        ),
        ("http://10.0.0.1/", Some(""), 52, "the exchange failed"),
        (
            "https://10.0.0.1:80/",
            Some("no TLS"),
            35,
            "no secure connection to 10.0.0.1",
        ),
        (
            "http://10.0.0.1:82/",
            None,
            28,
            "the head of the answer did not come in time",
        ),
    ];
    Network::with(|network| {
        network.add_tap("tap0", &format!("{HOST}/24"));
        let _silent = TcpListener::bind((HOST, 82)).unwrap();
        for &(url, said, status, message) in target.some(&cases, 4) {
            let server = said.map(|said| {
                let listener = TcpListener::bind((HOST, 80)).unwrap();
                thread::spawn(move || answer(listener, vec![said.to_owned()]))
            });
            let more = ["--redirects=3", "--timeout=2"].map(str::to_owned);
            let outcome = fetch(target, url, &more);
            assert_eq!(outcome.status, status, "{outcome}");
            assert!(
                outcome.stdout.contains(message),
                "no {message:?}\n{outcome}"
            );
            if let Some(server) = server {
                server.join().unwrap();
            }
        }
    });
}

fn what_is_wrong_with_a_certificate_is_told(target: Target) {
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
            authority.itself(),
            trusted.clone(),
            Some("it is that of an authority, not of a server"),
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
        for (port, (signed, more, fault)) in (4433..).zip(target.some(&cases, 3)) {
            let _server = OpensslServer::start((HOST, port), signed);
            let outcome = fetch(target, &format!("https://{HOST}:{port}/"), more);
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
                    assert_eq!(outcome.status, 60, "{outcome}");
                    assert!(outcome.stdout.contains(fault), "no {fault:?}\n{outcome}");
                }
            }
        }
    });
}

/// A network for each of two unikernels, and the host as the router.
fn http_2_is_spoken_where_the_server_does(target: Target) {
    Guest::build("fetch", target);
    let authority = Authority::new();
    let Signed { certificate, key } = authority.sign("server", "IP:10.0.1.2", 2);
    let server = Guest::build("http-server", target)
        .option("--net:service=tap1")
        .argument("--ipv4=10.0.1.2/24")
        .argument("--ipv4-gateway=10.0.1.1")
        .argument(with_text("--tls-cert", &certificate))
        .argument(with_text("--tls-key", &key));
    Network::with(|network| {
        network.add_tap("tap0", &format!("{HOST}/24"));
        network.add_tap("tap1", "10.0.1.1/24");
        fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
        let mut server = server.start();
        let address = SocketAddr::from(([10, 0, 1, 2], 443));
        drop(server.connect(address, Duration::from_secs(60)));
        let more = |more: &str| {
            let authorities = with_text("--authorities", &authority.certificate());
            vec![
                format!("--ipv4-gateway={HOST}"),
                authorities,
                more.to_owned(),
            ]
        };
        for (option, protocol, version) in [
            ("--redirects=1", "h2", "HTTP/2"),
            ("--http1", "http/1.1", "HTTP/1.1"),
        ] {
            let outcome = fetch(target, "https://10.0.1.2/healthz", &more(option));
            assert_eq!(outcome.status, 0, "{outcome}");
            for line in [
                format!(", protocol {protocol}\n"),
                format!("> GET /healthz {version}\n"),
                "> host: 10.0.1.2\n".to_owned(),
                format!("< {version} 200 OK\n"),
                "<\nok\n".to_owned(),
            ] {
                assert!(outcome.stdout.contains(&line), "no {line:?}\n{outcome}");
            }
        }
    });
}
