//! Many connections at once, with the Linux kernel as client.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use system_tests::{Guest, Network, Target};

on_each_target! { long: two_hundred_connections_at_once }

const CONNECTIONS: u64 = 200;

/// Each connection sends random bytes and reads back what the unikernel echoes; none sends before all are open.
fn two_hundred_connections_at_once(target: Target) {
    // An emulated machine takes about a millisecond for each frame.
    let bytes = match target {
        Target::Spt => 1_000_000,
        Target::Hvt => 20_000,
    };
    let guest = Guest::build_release("echo", target)
        .option("--net:service=tap0")
        .argument("--ipv4=10.0.0.2/24")
        .argument("--ipv4-gateway=10.0.0.1")
        .limit(Duration::from_secs(400));
    Network::with(|network| {
        network.add_tap("tap0", "10.0.0.1/24");
        let mut running = guest.start();
        let address = SocketAddr::from(([10, 0, 0, 2], 3000));
        let streams: Vec<TcpStream> = (0..CONNECTIONS)
            .map(|_| running.connect(address, Duration::from_secs(60)))
            .collect();
        thread::scope(|scope| {
            for (seed, stream) in (0..).zip(&streams) {
                scope.spawn(move || exchange(stream, seed, bytes));
            }
        });
        drop(running);
    });
}

/// Sends `length` random bytes and checks that they come back, and nothing else.
fn exchange(stream: &TcpStream, seed: u64, length: usize) {
    let mut sent = vec![0; length];
    Rng::with_seed(seed).fill(&mut sent);
    // A unikernel that stops answering fails the test instead of stopping it.
    stream
        .set_read_timeout(Some(Duration::from_secs(120)))
        .unwrap();
    stream
        .set_write_timeout(Some(Duration::from_secs(120)))
        .unwrap();
    thread::scope(|scope| {
        let sent = &sent;
        let writer = scope.spawn(move || {
            let mut stream = stream;
            stream.write_all(sent).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
        });
        let mut received = Vec::new();
        let mut reader = stream;
        reader.read_to_end(&mut received).unwrap();
        writer.join().unwrap();
        assert!(
            received == *sent,
            "connection {seed}: {} bytes came back of {length}",
            received.len()
        );
    });
}

/// Over either IP version frames of bulk are longer than the MTU, both ways: the host cuts them where they must be.
#[test]
fn bulk_is_offloaded_over_both_ip_versions() {
    const BYTES: usize = 20_000_000;
    let guest = Guest::build_release("echo", Target::Spt)
        .option("--net:service=tap0")
        .argument("--ipv4=10.0.0.2/24")
        .argument("--ipv6=fd00::2/64");
    Network::with(|network| {
        network.add_tap("tap0", "10.0.0.1/24");
        network.add_ipv6("tap0", "fd00::1/64");
        let mut running = guest.start();
        for host in ["10.0.0.2", "fd00::2"] {
            let address = SocketAddr::new(host.parse().unwrap(), 3000);
            let stream = running.connect(address, Duration::from_secs(60));
            let before = traffic("tap0");
            exchange(&stream, 1, BYTES);
            let after = traffic("tap0");
            for (index, way) in ["from", "to"].into_iter().enumerate() {
                let [bytes, frames] = [0, 1].map(|at| after[index][at] - before[index][at]);
                assert!(bytes > BYTES as u64, "{bytes} bytes {way} {host}");
                // Acknowledgements among them.
                assert!(bytes / frames > 2 * 1514, "{frames} frames {way} {host}");
            }
        }
    });
}

/// Bytes and frames that came from an interface of this thread's namespace, and that went there.
pub(crate) fn traffic(name: &str) -> [[u64; 2]; 2] {
    let counters = fs::read_to_string("/proc/thread-self/net/dev").unwrap();
    let line = counters.lines().find_map(|line| {
        let (interface, counters) = line.split_once(':')?;
        (interface.trim() == name).then_some(counters)
    });
    let counters = line.unwrap().split_whitespace();
    let counters: Vec<u64> = counters.map(|number| number.parse().unwrap()).collect();
    // Each way has eight of them.
    [0, 8].map(|way| [counters[way], counters[way + 1]])
}

/// The image, its stack, its heap and 64 connections at work in as little memory as a tender can be told to give.
#[test]
fn sixty_four_connections_in_four_mebibytes() {
    let guest = Guest::build_release("echo", Target::Spt)
        .option("--mem=4")
        .option("--net:service=tap0");
    Network::with(|network| {
        network.add_tap("tap0", "10.0.0.1/24");
        let mut running = guest.start();
        let address = SocketAddr::from(([10, 0, 0, 2], 3000));
        let streams: Vec<TcpStream> = (0..64)
            .map(|_| running.connect(address, Duration::from_secs(60)))
            .collect();
        thread::scope(|scope| {
            for (seed, stream) in (0..).zip(&streams) {
                scope.spawn(move || exchange(stream, seed, 100_000));
            }
        });
        drop(running);
    });
}

/// Clients that send and do not read fill what the echo service may hold, in large pieces and in the smallest. The
/// unikernel is still there when they have gone.
#[test]
fn a_small_unikernel_outlives_clients_that_do_not_read() {
    const GREEDY: usize = 128;
    let guest = Guest::build_release("inetd", Target::Spt)
        .option("--mem=20")
        .option("--net:service=tap0");
    Network::with(|network| {
        network.add_tap("tap0", "10.0.0.1/24");
        let mut running = guest.start();
        let address = SocketAddr::from(([10, 0, 0, 2], 3000));
        let streams: Vec<TcpStream> = (0..GREEDY)
            .map(|_| running.connect(address, Duration::from_secs(10)))
            .collect();
        for stream in &streams {
            stream.set_nonblocking(true).unwrap();
            stream.set_nodelay(true).unwrap();
        }
        let large = vec![b'x'; 100_000];
        let end = Instant::now() + Duration::from_secs(5);
        while Instant::now() < end {
            for (number, mut stream) in streams.iter().enumerate() {
                // Full or not: both are what this is about.
                let _ = match number % 2 {
                    0 => stream.write(&large),
                    _ => stream.write(b"x"),
                };
            }
        }
        drop(streams);
        let stream = running.connect(address, Duration::from_secs(60));
        exchange(&stream, 1, 100_000);
        drop(running);
    });
}
