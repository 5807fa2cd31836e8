//! More connections than there is room for.

use fastrand::Rng;
use system_tests::attacks;

use crate::field::{Field, Setting};

on_each_size! { half_open_connections }

fn half_open_connections(setting: Setting) {
    let connections = setting.of([10_000, 10_000, 40_000, 100_000]);
    Field::with(setting, |field| {
        field.attack(|link| {
            attacks::half_open(link, setting.from, connections, &mut Rng::with_seed(1));
        });
    });
}
