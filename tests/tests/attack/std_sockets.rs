//! Programs that have never heard of unikernels: the guest `std-inetd`, which serves by std with a thread for each
//! connection, and by tokio. It has 32 MiB, of which a thread's stack is two.
//!
//! Where there is a thread, a descriptor or memory for only so many, an honest client may be turned away while they are
//! taken. It is served again some seconds after, as the program closes what does nothing.

use std::io::Read;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use system_tests::attacks::{self, ClosedWindow, Strangers, port};
use system_tests::frames::Link;
use system_tests::honest::{Visits, visit};
use system_tests::{Guest, Target};

use crate::field::{AFTERWARDS, Field, Setting};

/// Makes tests of functions that take the guest's first argument.
macro_rules! on_each_way {
    ($($test:ident),* $(,)?) => {
        mod threads {
            $(#[test] fn $test() { super::$test("threads") })*
        }
        mod tokio {
            $(#[test] fn $test() { super::$test("tokio") })*
        }
    };
}

on_each_way! {
    more_connections_than_memory, more_connections_than_descriptors, windows_that_are_closed,
    connections_that_are_opened_and_reset, datagrams_that_nobody_reads, frames_of_any_kind,
}

const SETTING: Setting = Setting {
    mebibytes: 32,
    from: Strangers::MANY,
};

/// `short`, and ten times that in the long form.
fn times(short: usize) -> usize {
    if cfg!(feature = "long") {
        short * 10
    } else {
        short
    }
}

/// Boots the guest, which closes what does nothing for a second.
fn with(way: &str, descriptors: Option<&str>, test: impl FnOnce(&mut Field) + Send) {
    let guest = Guest::build_release("std-inetd", Target::Spt);
    let arguments: Vec<&str> = [way, "1"].into_iter().chain(descriptors).collect();
    Field::boot(guest, &arguments, SETTING, |_| "tap0".into(), test);
}

/// Has it attacked, and honest clients served: some meanwhile, if only one of them at a time, and afterwards all.
#[track_caller]
fn attack<T>(field: &mut Field, attack: impl FnOnce(&mut Link) -> T) -> T {
    let (result, during) = field.attack_beside(attack);
    println!(
        "{} clients served during the attack, {} not: {:?}",
        during.count(),
        during.failures().len(),
        during.failures().first()
    );
    field.assert_lives();
    // What is closed when it has done nothing for a second.
    let deadline = Instant::now() + Duration::from_secs(60);
    while let Err(error) = visit(field.echo, 1000) {
        field.assert_lives();
        assert!(Instant::now() < deadline, "nobody is served: {error}");
        thread::sleep(Duration::from_millis(100));
    }
    let afterwards = Visits::pay(field.echo, AFTERWARDS);
    field.assert_served("afterwards", &afterwards);
    println!("{}", told());
    result
}

/// What the guest says of itself.
fn told() -> String {
    let mut stream = TcpStream::connect(SETTING.from.service(port::DAYTIME)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let mut line = String::new();
    stream.read_to_string(&mut line).unwrap();
    line
}

/// With threads beyond what stacks there is room for, each of which is an error of `Builder::spawn`.
fn more_connections_than_memory(way: &str) {
    with(way, None, |field| {
        let crowd = attack(field, |link| {
            let crowd = attacks::hold(link, SETTING.from, times(2_000), b"o");
            thread::sleep(Setting::time(Duration::from_millis(300)));
            crowd
        });
        println!("{} opened, {} reset", crowd.established(), crowd.resets());
        let told = told();
        assert_eq!(told.contains(" 0 without"), way == "tokio", "{told}");
    });
}

/// `accept` is an error as long as there are none, and the program asks again at once.
fn more_connections_than_descriptors(way: &str) {
    with(way, Some("4"), |field| {
        attack(field, |link| {
            let crowd = attacks::hold(link, SETTING.from, times(20).min(100), b"o");
            thread::sleep(Setting::time(Duration::from_millis(300)));
            crowd
        });
        let told = told();
        assert!(!told.contains(" 0 not accepted"), "{told}");
    });
}

fn windows_that_are_closed(way: &str) {
    with(way, None, |field| {
        for (first, behaviour) in [(0, ClosedWindow::Silent), (10_000, ClosedWindow::Answering)] {
            let from = Strangers {
                first,
                ..SETTING.from
            };
            let time = Setting::time(Duration::from_millis(500));
            let crowd = attack(field, |link| {
                attacks::closed_windows(link, from, times(100), behaviour, time)
            });
            assert!(crowd.established() > 0);
        }
    });
}

fn connections_that_are_opened_and_reset(way: &str) {
    with(way, None, |field| {
        let established = attack(field, |link| {
            let rng = &mut Rng::with_seed(1);
            attacks::half_open(link, SETTING.from, times(2_000), rng);
            attacks::resets(link, SETTING.from, times(2_000), rng);
            attacks::dropped(link, SETTING.from, times(1_000))
        });
        println!("{established} were opened");
        assert!(established > 0);
    });
}

fn datagrams_that_nobody_reads(way: &str) {
    with(way, None, |field| {
        let before = field.guest.resident_memory();
        attack(field, |link| {
            attacks::flood(link, SETTING.from, times(10_000), 1_000);
        });
        let more = field.guest.resident_memory().saturating_sub(before);
        println!("{more} octets more of memory");
        assert!(more < 8 << 20, "{more} octets");
    });
}

fn frames_of_any_kind(way: &str) {
    with(way, None, |field| {
        attack(field, |link| {
            let rng = &mut Rng::with_seed(2);
            let frames = link.frames_in(Setting::time(Duration::from_millis(300)));
            attacks::noise(link, SETTING.from, frames, rng);
            attacks::reflections(link, SETTING.from, frames, rng);
            attacks::fragments_without_end(link, SETTING.from, times(100), 32_000);
            attacks::slivers(link, SETTING.from, 32, 190);
            attacks::gaps(link, SETTING.from, 32, 64_000);
        });
    });
}
