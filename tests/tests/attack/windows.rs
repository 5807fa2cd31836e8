//! Peers that take little of what they have asked for, or take it in little pieces.

use std::io;
use std::time::Duration;

use system_tests::attacks::{self, ClosedWindow, Strangers, port};
use system_tests::honest::{SlowReader, read_slowly};

use crate::field::{Field, Setting};

on_each_size! {
    windows_that_are_closed_and_silent,
    windows_that_are_closed_and_answer,
    honest_slow_readers,
    segments_of_a_few_octets,
}

fn windows_that_are_closed_and_silent(setting: Setting) {
    closed_windows(setting, ClosedWindow::Silent);
}

fn windows_that_are_closed_and_answer(setting: Setting) {
    closed_windows(setting, ClosedWindow::Answering);
}

fn closed_windows(setting: Setting, behaviour: ClosedWindow) {
    let connections = setting.of([16, 32, 64, 512]);
    let time = Setting::time(Duration::from_secs(2));
    Field::with(setting, |field| {
        let crowd = field.attack(|link| {
            attacks::closed_windows(link, setting.from, connections, behaviour, time)
        });
        assert!(crowd.established() > 0);
    });
}

/// They read a hundred thousand octets a second each, and that is what they get, whoever comes beside them.
fn honest_slow_readers(setting: Setting) {
    const RATE: u64 = 100_000;
    let readers = setting.of([3, 6, 24, 180]);
    let time = Setting::time(Duration::from_secs(3));
    Field::with(setting, |field| {
        let (readers, failures) = field.attack(|_| {
            let mut readers = (0..readers)
                .map(|_| SlowReader::connect(setting.from.service(port::CHARGEN)))
                .collect::<io::Result<Vec<_>>>()
                .expect("a slow reader is served too");
            let failures = read_slowly(&mut readers, RATE, time);
            (readers, failures)
        });
        assert!(failures.is_empty(), "{failures:?}");
        let least = readers.iter().map(SlowReader::read).min();
        let due = RATE * time.as_secs();
        println!("{least:?} octets of {due} read at least");
        // A loaded machine may have stopped the readers themselves.
        assert!(least >= Some(due / 2), "{least:?} of {due}");
    });
}

/// A segment costs the same however little is in it, so there is a least size, whatever the peer says. Without offload,
/// which would have the host cut the segments.
fn segments_of_a_few_octets(setting: Setting) {
    let time = Setting::time(Duration::from_millis(500));
    Field::without_offload(setting, |field| {
        for (number, mss) in (0..).zip([0, 1, 8, 48]) {
            let from = Strangers {
                first: setting.from.first + 100 * number,
                ..setting.from
            };
            let crowd = field.attack(|link| attacks::small_segments(link, from, 16, mss, time));
            let (segments, octets) = crowd.received();
            println!("MSS {mss}: {octets} octets in {segments} segments");
            assert!(segments > 0);
            // 48 less the option for timestamps, as with Linux.
            assert!(
                octets >= segments * 36,
                "{octets} octets in {segments} segments"
            );
        }
    });
}
