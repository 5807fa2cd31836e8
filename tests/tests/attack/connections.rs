//! More connections than there is room for.

use std::thread;
use std::time::Duration;

use fastrand::Rng;
use system_tests::attacks;

use crate::field::{Field, Setting};

on_each_size! { idle_connections, idle_connections_after_an_octet, time_waits, half_open_connections }

/// Beyond what would fit if each cost a kilobyte, and with 512 MiB beyond any number of places.
const IDLE: [usize; 4] = [8_000, 16_000, 66_000, 132_000];

fn idle_connections(setting: Setting) {
    hold(setting, IDLE, b"");
}

/// What was needed for the data is given back.
fn idle_connections_after_an_octet(setting: Setting) {
    hold(setting, IDLE.map(|connections| connections / 2), b"o");
}

fn hold(setting: Setting, connections: [usize; 4], request: &[u8]) {
    let connections = setting.of(connections);
    Field::with(setting, |field| {
        let crowd = field.attack(|link| {
            let crowd = attacks::hold(link, setting.from, connections, request);
            thread::sleep(Setting::time(Duration::from_millis(500)));
            crowd
        });
        let (established, resets) = (crowd.established(), crowd.resets());
        println!("{established} of {connections} were opened, {resets} were reset");
        assert!(established > 0);
    });
}

fn time_waits(setting: Setting) {
    let connections = setting.of([14_487, 14_487, 40_000, 66_000]);
    Field::with(setting, |field| {
        let crowd = field.attack(|link| attacks::time_waits(link, setting.from, connections));
        let established = crowd.established();
        println!("{established} of {connections} were opened");
        assert!(established > 0);
    });
}

fn half_open_connections(setting: Setting) {
    let connections = setting.of([10_000, 10_000, 40_000, 100_000]);
    Field::with(setting, |field| {
        field.attack(|link| {
            attacks::half_open(link, setting.from, connections, &mut Rng::with_seed(1));
        });
    });
}
