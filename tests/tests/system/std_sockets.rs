//! Sockets of std, tokio and axum in a unikernel: the cases of `tests/guests/std-sockets`, `std-tokio` and `std-smol`.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, UdpSocket};
use std::thread;
use std::time::Duration;

use system_tests::{Guest, Network, Target};

on_each_target! {
    a_thread_serves_each_connection;
    long: sockets_inside_of_the_program, what_is_not_given_is_refused, handlers_at_the_end_have_what_is_open, a_server_outside_is_connected_to,
    settings_are_checked_before_main, tokio_runs_with_one_thread, tokio_runs_with_many,
    tokio_runs_beside_a_task_that_is_always_ready, tokio_connects_to_a_server_outside, axum_serves, quinn_udp_sends_and_receives_runs, smol_and_socket2_run,
}

const LIMIT: Duration = Duration::from_secs(60);

fn guest(package: &str, target: Target, arguments: &[&str]) -> Guest {
    let guest = Guest::build(package, target).option("--net:service=tap0");
    let guest = arguments.iter().fold(guest, |guest, it| guest.argument(it));
    guest.limit(LIMIT)
}

fn runs(package: &str, target: Target, case: &str) {
    prints(package, target, case, "SUCCESS\n");
}

fn prints(package: &str, target: Target, case: &str, last: &str) {
    Guest::build(package, target);
    Network::with(|network| {
        network.add_tap("tap0", "10.0.0.1/24");
        let outcome = guest(package, target, &[case]).run();
        assert_eq!(outcome.status, 0, "{outcome}");
        // Where a machine is emulated a thread may be told to have computed for long before that.
        assert!(outcome.stdout.ends_with(last), "{outcome}");
    });
}

fn sockets_inside_of_the_program(target: Target) {
    runs("std-sockets", target, "inside");
}

fn what_is_not_given_is_refused(target: Target) {
    runs("std-sockets", target, "nothing_given");
}

fn handlers_at_the_end_have_what_is_open(target: Target) {
    prints(
        "std-sockets",
        target,
        "at_exit",
        "SUCCESS\nopen at the end\n",
    );
}

fn tokio_runs_with_one_thread(target: Target) {
    runs("std-tokio", target, "current_thread");
}

fn tokio_runs_with_many(target: Target) {
    runs("std-tokio", target, "multi_thread");
}

fn tokio_runs_beside_a_task_that_is_always_ready(target: Target) {
    runs("std-tokio", target, "busy");
}

/// The server only reads until it has all: what wakes the writer is room to write alone.
fn tokio_connects_to_a_server_outside(target: Target) {
    Guest::build("std-tokio", target);
    Network::with(|network| {
        network.add_tap("tap0", "10.0.0.1/24");
        let listener = TcpListener::bind("10.0.0.1:7001").unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let octets = io::copy(&mut stream, &mut io::sink()).unwrap();
            stream.write_all(octets.to_string().as_bytes()).unwrap();
        });
        let outcome = guest("std-tokio", target, &["upload", "10.0.0.1:7001"]).run();
        assert_eq!(outcome.status, 0, "{outcome}");
        outcome.assert_printed("4000000 octets\nSUCCESS\n");
        server.join().unwrap();
    });
}

fn smol_and_socket2_run(target: Target) {
    runs("std-smol", target, "");
}

fn a_thread_serves_each_connection(target: Target) {
    Guest::build("std-sockets", target);
    Network::with(|network| {
        network.add_tap("tap0", "10.0.0.1/24");
        let arguments = ["--ipv4=10.0.0.2/24", "echo", "0.0.0.0:7000"];
        let mut running = guest("std-sockets", target, &arguments).start();
        let address = SocketAddr::from(([10, 0, 0, 2], 7000));
        // Both are open at once.
        let mut streams = [(), ()].map(|()| running.connect(address, LIMIT));
        let data: Vec<u8> = (0..1_000_000_u32).map(|number| number as u8).collect();
        for stream in &mut streams {
            let mut writer = stream.try_clone().unwrap();
            let sent = data.clone();
            let writing = thread::spawn(move || {
                writer.write_all(&sent).unwrap();
                writer.shutdown(Shutdown::Write).unwrap();
            });
            let mut back = Vec::new();
            stream.read_to_end(&mut back).unwrap();
            assert!(back == data, "{} octets came back", back.len());
            writing.join().unwrap();
        }
        let outcome = running.wait();
        assert_eq!(outcome.status, 0, "{outcome}");
        assert!(
            outcome
                .stdout
                .ends_with("1000000 octets\n1000000 octets\nSUCCESS\n"),
            "{outcome}"
        );
    });
}

fn a_server_outside_is_connected_to(target: Target) {
    Guest::build("std-sockets", target);
    Network::with(|network| {
        network.add_tap("tap0", "10.0.0.1/24");
        let listener = TcpListener::bind("10.0.0.1:7001").unwrap();
        let server = thread::spawn(move || {
            let (mut stream, peer) = listener.accept().unwrap();
            let mut line = [0; 6];
            stream.read_exact(&mut line).unwrap();
            assert_eq!(&line, b"hello\n");
            stream.write_all(b"from outside\n").unwrap();
            peer.ip().to_string()
        });
        let fetch = |to: &str| {
            guest(
                "std-sockets",
                target,
                &["--ipv4", "10.0.0.9/24", "fetch", to],
            )
        };
        let outcome = fetch("10.0.0.1:7001").run();
        assert_eq!(outcome.status, 0, "{outcome}");
        outcome.assert_printed("from outside\nSUCCESS\n");
        assert_eq!(server.join().unwrap(), "10.0.0.9");
        // Nobody listens there any more, and no route leads there.
        for (to, error) in [("10.0.0.1:7001", 111), ("192.0.2.1:7", 101)] {
            let outcome = fetch(to).run();
            assert_eq!(outcome.status, 1, "{outcome}");
            let told = format!("(os error {error})\n");
            assert!(outcome.stdout.ends_with(&told), "{outcome}");
        }
    });
}

fn quinn_udp_sends_and_receives_runs(target: Target) {
    Guest::build("std-sockets", target);
    Network::with(|network| {
        network.add_tap("tap0", "10.0.0.1/24");
        let host = UdpSocket::bind("10.0.0.1:7001").unwrap();
        host.set_read_timeout(Some(LIMIT)).unwrap();
        let echo = thread::spawn(move || {
            let mut buffer = [0; 2000];
            let (_, from) = host.recv_from(&mut buffer).unwrap();
            host.send_to(b"!", from).unwrap();
            for number in 0..40 {
                let (octets, from) = host.recv_from(&mut buffer).unwrap();
                assert_eq!(buffer[..octets], [number; 1200]);
                host.send_to(&buffer[..octets], from).unwrap();
            }
        });
        let arguments = ["segments", "10.0.0.1:7001", "10.0.0.2"];
        let outcome = guest("std-sockets", target, &arguments).run();
        assert_eq!(outcome.status, 0, "{outcome}");
        outcome.assert_printed("SUCCESS\n");
        echo.join().unwrap();
    });
}

fn settings_are_checked_before_main(target: Target) {
    Guest::build("std-sockets", target);
    Network::with(|network| {
        network.add_tap("tap0", "10.0.0.1/24");
        for (arguments, status, told) in [
            (&["--ipv4", "10.0.0.300/24"][..], 64, "10.0.0.300/24"),
            (&["--ipv4-gateway", "10.1.0.1", "inside"], 64, "10.1.0.1"),
            (&["--env", "A=b", "--", "--dhcp"], 2, "[\"--dhcp\"]"),
        ] {
            let outcome = guest("std-sockets", target, arguments).run();
            assert_eq!(outcome.status, status, "{outcome}");
            assert!(outcome.stdout.contains(told), "{outcome}");
        }
    });
}

fn axum_serves(target: Target) {
    Guest::build("std-tokio", target);
    Network::with(|network| {
        network.add_tap("tap0", "10.0.0.1/24");
        for case in ["axum", "axum_multi_thread", "axum_busy"] {
            let mut running = guest("std-tokio", target, &[case, "0.0.0.0:8080"]).start();
            let address = SocketAddr::from(([10, 0, 0, 2], 8080));
            let mut stream = running.connect(address, LIMIT);
            for last in [false, true] {
                let connection = if last { "close" } else { "keep-alive" };
                let request =
                    format!("GET / HTTP/1.1\r\nhost: a\r\nconnection: {connection}\r\n\r\n");
                stream.write_all(request.as_bytes()).unwrap();
            }
            let mut answers = String::new();
            stream.read_to_string(&mut answers).unwrap();
            assert_eq!(answers.matches("Hello World!\n").count(), 2, "{answers}");
            running.stop();
        }
    });
}
