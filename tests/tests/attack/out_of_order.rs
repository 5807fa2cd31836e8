//! Data that is received out of order, and stays so.

use std::thread;
use std::time::Duration;

use system_tests::attacks;

use crate::field::{Field, Setting};

on_each_size! { single_octets_beyond_a_gap, gaps_that_nobody_fills }

/// Each octet may keep the whole frame that it came in.
fn single_octets_beyond_a_gap(setting: Setting) {
    let connections = setting.of([16, 32, 190, 1600]);
    Field::with(setting, |field| {
        let crowd = field.attack(|link| attacks::slivers(link, setting.from, connections, 190));
        assert!(crowd.established() > 0);
    });
}

fn gaps_that_nobody_fills(setting: Setting) {
    let connections = setting.of([160, 160, 160, 1600]);
    Field::with(setting, |field| {
        let crowd = field.attack(|link| {
            let crowd = attacks::gaps(link, setting.from, connections, 64_000);
            // Nobody says another word, and new clients come all the while.
            thread::sleep(Setting::time(Duration::from_secs(2)));
            crowd
        });
        assert!(crowd.established() > 0);
    });
}
