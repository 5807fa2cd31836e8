//! How the example `http` ends when its tender is told to, by SIGTERM.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use system_tests::{Guest, HttpServer, Running, Target, read_head};

on_each_target! {
    long: what_is_being_served_is_finished, what_is_not_taken_is_cut_off,
    a_service_that_takes_longer_than_the_tender_gives_is_ended,
}

/// For what takes no time.
const LIMIT: Duration = Duration::from_secs(60);
/// More than lies between the service and a client that does not read.
const OCTETS: usize = 2_000_000;

/// Boots the example, has it begin with a download, of which no more than the head is read, and tells the tender to end.
fn with_download(
    target: Target,
    timeout: &str,
    test: impl FnOnce(Running, TcpStream, SocketAddr) + Send,
) {
    let guest = Guest::build("http-server", target)
        .option(format!("--shutdown-timeout={timeout}"))
        .hand_on_signals();
    let server = HttpServer::new(guest);
    server.with(|mut running| {
        let request = format!("GET /download/{OCTETS} HTTP/1.1\r\nhost: a\r\n\r\n");
        let mut stream = running.connect(server.address(), LIMIT);
        let head = ask(&mut stream, &request);
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        running.signal(Signal::SIGTERM);
        test(running, stream, server.address());
    });
}

/// Sends `request`, and returns the answer's head.
fn ask(stream: &mut TcpStream, request: &str) -> String {
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    read_head(stream).unwrap()
}

/// Waits until connections are refused.
fn wait_for_refusal(address: SocketAddr) {
    let deadline = Instant::now() + LIMIT;
    while Instant::now() < deadline {
        match TcpStream::connect_timeout(&address, LIMIT) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => return,
            // The signal is on its way.
            _ => thread::sleep(Duration::from_millis(20)),
        }
    }
    panic!("{address} is still served");
}

fn what_is_being_served_is_finished(target: Target) {
    with_download(target, "600", |running, mut stream, address| {
        wait_for_refusal(address);
        let mut content = Vec::new();
        // The server ends the connection with the answer, although nobody asked for that.
        stream.read_to_end(&mut content).unwrap();
        assert_eq!(content.len(), OCTETS);
        let wrong = (0..)
            .zip(&content)
            .find(|(at, octet)| at % 251 != u32::from(**octet));
        assert_eq!(wrong, None);
        let outcome = running.wait();
        assert_eq!(outcome.status, 0, "{outcome}");
    });
}

/// By `Options::shutdown_time`.
fn what_is_not_taken_is_cut_off(target: Target) {
    with_download(target, "600", |running, mut stream, _| {
        let outcome = running.wait();
        assert_eq!(outcome.status, 0, "{outcome}");
        let mut content = Vec::new();
        // An end or a reset.
        let _ = stream.read_to_end(&mut content);
        assert!(content.len() < OCTETS);
    });
}

fn a_service_that_takes_longer_than_the_tender_gives_is_ended(target: Target) {
    with_download(target, "1", |running, _stream, _| {
        let outcome = running.wait();
        assert_eq!(outcome.status, 62, "{outcome}");
        // In the emulated machine the tender may be unable to say why: a port of it can be opened once.
        let said = outcome.stderr.contains("--shutdown-timeout");
        assert!(said || matches!(target, Target::Hvt), "{outcome}");
    });
}
