//! All attacks on one unikernel beside honest load, for an hour or as long as said: it is never down, its memory stays
//! what it was, and its honest clients do not wait.
//!
//! `inetd` runs on spt and on CPU 1 alone; honest clients and strangers share CPU 0. The strangers send 3,000 frames a
//! second at most, in bursts chosen by the seed, from a new range of addresses each. The honest load, all of it from one
//! address: 200 round trips of 64 octets a second on one connection, 20 connections a second that exchange 1,000 octets,
//! and four times a second 256 KiB to echo and back, and 256 KiB of chargen, each octet of which is checked.
//!
//! A round trip is measured from when it was due, so that one that is late delays no clock; so is a connection.

mod load;
mod report;
mod strangers;

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use system_tests::attacks::{port, service};
use system_tests::frames::Link;
use system_tests::{Guest, Network, Running, Target};

use load::{Bulk, Load};
use report::{Minute, Report};

/// So many frames a second the strangers may send.
const STRANGERS_RATE: u32 = 3000;

const USAGE: &str = "usage: soak [SECONDS] [--seed=N] [--mem=MIB] [--json=FILE]";

struct Arguments {
    seconds: u64,
    seed: u64,
    mebibytes: u64,
    json: String,
}

fn arguments() -> Result<Arguments, String> {
    let mut arguments = Arguments {
        seconds: 3600,
        seed: 1,
        mebibytes: 64,
        json: "target/bench/soak.json".into(),
    };
    let number = |text: &str| text.parse().map_err(|_| format!("no number: {text}"));
    for argument in std::env::args().skip(1) {
        match argument.split_once('=') {
            Some(("--seed", value)) => arguments.seed = number(value)?,
            Some(("--mem", value)) => arguments.mebibytes = number(value)?,
            Some(("--json", value)) => arguments.json = value.into(),
            None => arguments.seconds = number(&argument)?,
            Some(_) => return Err(format!("no such option: {argument}")),
        }
    }
    Ok(arguments)
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let guest = Guest::build_release("inetd", Target::Spt)
        .option(format!("--mem={}", arguments.mebibytes))
        .option("--net:service=tap0")
        .option("--net-mac:service=02:00:00:00:00:02")
        .argument("--ipv4=10.0.0.2/24")
        .argument("--ipv4-gateway=10.0.0.1")
        .argument("--ipv6=fd00::2/64")
        .argument("--ipv6-gateway=fd00::1")
        .limit(Duration::from_secs(arguments.seconds + 600));
    let mut passed = false;
    Network::with(|network| {
        network.add_tap("tap0", "10.0.0.1/24");
        network.add_ipv6("tap0", "fd00::1/64");
        let mut running = guest.start();
        pin(Pid::from_raw(running.id() as i32), 1);
        pin(Pid::from_raw(0), 0);
        drop(running.connect(service(port::ECHO).into(), Duration::from_secs(30)));
        passed = soak(&arguments, running);
    });
    if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Keeps the thread `thread`, zero being this one and those it starts, on one CPU.
fn pin(thread: Pid, cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu).expect("a small number");
    if let Err(error) = sched_setaffinity(thread, &set) {
        eprintln!("soak: not kept on CPU {cpu}, the figures will be worse: {error}");
    }
}

fn soak(arguments: &Arguments, mut guest: Running) -> bool {
    println!(
        "inetd with {} MiB on CPU 1, all else on CPU 0; seed {}; {STRANGERS_RATE} frames/s of strangers at most",
        arguments.mebibytes, arguments.seed
    );
    let over = AtomicBool::new(false);
    let load = Load::default();
    let attacks = strangers::Counts::default();
    let mut report = Report::new(guest.resident_memory(), arguments.mebibytes);
    thread::scope(|scope| {
        let (over, load, attacks) = (&over, &load, &attacks);
        scope.spawn(move || load.round_trips(service(port::ECHO), over));
        scope.spawn(move || load.connects(service(port::ECHO), over));
        scope.spawn(move || load.bulk(Bulk::Echo(service(port::ECHO)), over));
        scope.spawn(move || load.bulk(Bulk::Chargen(service(port::CHARGEN)), over));
        scope.spawn(move || {
            let mut link = Link::open("tap0", [2, 0, 0, 0, 0, 2]);
            link.pace(STRANGERS_RATE);
            strangers::attack(&mut link, arguments.seed, attacks, over);
        });

        let start = Instant::now();
        let end = start + Duration::from_secs(arguments.seconds);
        let mut next = start;
        while Instant::now() < end && !guest.has_ended() {
            next = (next + MINUTE).min(end);
            let mut resident = 0;
            while Instant::now() < next && !guest.has_ended() {
                resident = guest.resident_memory().max(resident);
                thread::sleep(Duration::from_millis(100));
            }
            report.add(Minute {
                end: start.elapsed(),
                resident,
                cpu: guest.processor_time(),
                samples: load.take(),
                attacks: attacks.text(),
            });
        }
        report.lives = !guest.has_ended();
        over.store(true, Ordering::Relaxed);
    });
    if !report.lives {
        println!("{}", guest.stop());
    }
    report.finish(&arguments.json)
}

const MINUTE: Duration = Duration::from_secs(60);
