//! Attacks beneath TCP.

use std::time::Duration;

use fastrand::Rng;
use system_tests::attacks;

use crate::field::{Field, Setting};

on_each_size! { echo_replies_that_nobody_asked_for, fragments_without_their_first, noise }

fn echo_replies_that_nobody_asked_for(setting: Setting) {
    let replies = setting.of([300, 300, 600, 2000]);
    Field::with(setting, |field| {
        field.attack(|link| attacks::echo_replies(link, setting.from, replies));
    });
}

fn fragments_without_their_first(setting: Setting) {
    let datagrams = setting.of([200, 400, 1600, 10_000]);
    Field::with(setting, |field| {
        field.attack(|link| {
            attacks::fragments_without_end(link, setting.from, datagrams, 32_000);
        });
    });
}

/// Everything that has no case of its own, one after the other.
fn noise(setting: Setting) {
    Field::with(setting, |field| {
        field.attack(|link| {
            let rng = &mut Rng::with_seed(2);
            let frames = link.frames_in(Setting::time(Duration::from_millis(500)));
            attacks::noise(link, setting.from, frames, rng);
            attacks::resets(link, setting.from, frames, rng);
            attacks::reflections(link, setting.from, frames, rng);
            attacks::unknown_neighbours(link, frames / 2);
        });
    });
}
