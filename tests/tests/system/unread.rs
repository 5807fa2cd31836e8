//! Frames that nobody reads keep nobody awake.

use std::fs;
use std::net::UdpSocket;
use std::thread;
use std::time::Duration;

use system_tests::{Guest, Network, Target};

/// Seconds that the unikernel sleeps; datagrams in that time.
const SECONDS: u32 = 3;
const DATAGRAMS: u32 = 300;

fn frames_that_nobody_reads(why: &str) {
    let guest = Guest::build_release("unread", Target::Spt)
        .option("--net:service=tap0")
        .argument(why)
        .argument(SECONDS.to_string());
    Network::with(|network| {
        network.add_tap("tap0", "10.0.0.1/24");
        let mut running = guest.start();
        running.wait_for("asleep");
        if why == "interface-deleted" {
            network.delete("tap0");
            thread::sleep(Duration::from_secs(SECONDS.into()) / 2);
        } else {
            let socket = UdpSocket::bind("10.0.0.1:0").unwrap();
            socket.set_broadcast(true).unwrap();
            for _ in 0..DATAGRAMS {
                socket.send_to(b"anybody?", "10.0.0.255:9").unwrap();
                thread::sleep(Duration::from_secs(SECONDS.into()) / DATAGRAMS / 2);
            }
        }
        let early = cpu_time(running.id());
        running.wait_for("awake");
        let outcome = running.wait();
        assert_eq!(outcome.status, 0, "{outcome}");
        println!("{why}: {early:?} of CPU");
        // One that spins takes all of the time there is, a second and a half here.
        assert!(
            early < Duration::from_millis(750),
            "{why}: {early:?} of CPU"
        );
    });
}

/// What the process has run for.
fn cpu_time(process: u32) -> Duration {
    let statistics = fs::read_to_string(format!("/proc/{process}/schedstat")).unwrap();
    let nanoseconds = statistics.split(' ').next().unwrap();
    Duration::from_nanos(nanoseconds.parse().unwrap())
}

macro_rules! reasons {
    ($($test:ident: $why:literal),* $(,)?) => {
        $(#[test] fn $test() { frames_that_nobody_reads($why) })*
    };
}

reasons! {
    spt_device_never_acquired: "never-acquired",
    spt_stack_never_started: "never-started",
    spt_stack_dropped: "stack-dropped",
    spt_interface_deleted: "interface-deleted",
    spt_thread_asleep: "thread-asleep",
}
