//! The example `kv` when the power is cut: what it had answered is there.
//!
//! On spt alone: where hvt needs an emulated machine, that has a cache of its own in front of the disk.

use std::net::{Shutdown, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use system_tests::{Guest, HttpClient, HttpServer, PowerCut, Running, Target};

/// `ci/long` has more of them.
const CUTS: u64 = if cfg!(feature = "long") { 200 } else { 2 };
/// Each writes one number after the other under a key of its own.
const CLIENTS: usize = 4;

/// Writes numbers after `last` until the service is gone; the last that it has answered.
fn write(client: &mut HttpClient, key: usize, mut last: u64, answered: &AtomicU64) -> u64 {
    loop {
        match client.ask(
            "PUT",
            &format!("/k/{key}"),
            (last + 1).to_string().as_bytes(),
        ) {
            Ok((status, text)) => assert_eq!(status, 204, "{text}"),
            Err(_) => return last,
        }
        last += 1;
        answered.fetch_add(1, Ordering::Relaxed);
    }
}

/// What the service has under each key, 0 where there is nothing.
fn found(address: SocketAddr) -> [u64; CLIENTS] {
    let mut client = HttpClient::connect(address).expect("a connection");
    std::array::from_fn(|key| match client.ask("GET", &format!("/k/{key}"), b"") {
        Ok((200, text)) => text.parse().expect("a number"),
        Ok((404, _)) => 0,
        other => panic!("key {key}: {other:?}"),
    })
}

/// Has all clients count on until so many numbers have been answered, then kills the service; the last answered of each.
fn count(
    running: Running,
    address: SocketAddr,
    from: [u64; CLIENTS],
    until: u64,
) -> [u64; CLIENTS] {
    let answered = AtomicU64::new(0);
    let last = thread::scope(|scope| {
        let clients: [_; CLIENTS] = std::array::from_fn(|key| {
            let mut client = HttpClient::connect(address).expect("a connection");
            let stream = client.stream().try_clone().expect("a descriptor");
            let (from, answered) = (from[key], &answered);
            (
                stream,
                scope.spawn(move || write(&mut client, key, from, answered)),
            )
        });
        while answered.load(Ordering::Relaxed) < until
            && !clients.iter().any(|(_, thread)| thread.is_finished())
        {
            thread::sleep(Duration::from_millis(1));
        }
        running.signal(Signal::SIGKILL);
        let outcome = running.wait();
        assert_eq!(outcome.status, 128 + 9, "{outcome}");
        clients.map(|(stream, thread)| {
            // Nobody else tells the client that the service is gone.
            let _ = stream.shutdown(Shutdown::Both);
            thread.join().expect("a client")
        })
    });
    assert!(answered.into_inner() >= until);
    last
}

#[test]
fn spt_what_was_answered_outlives_every_cut() {
    let guest = Guest::build("kv", Target::Spt);
    let mut disk = PowerCut::new(4 << 20);
    let mut last = [0; CLIENTS];
    for cut in 0..CUTS {
        let option = format!("--block:data={}", disk.device().display());
        let server = HttpServer::new(guest.clone().option(option));
        server.with(|running| {
            let address = server.address();
            let found = found(address);
            for (found, last) in found.into_iter().zip(last) {
                // One more may have become durable without having been answered.
                assert!((last..=last + 1).contains(&found), "{found} after {last}");
            }
            last = count(running, address, found, 20 + 7 * (cut % 11));
        });
        disk.cut();
    }
}
