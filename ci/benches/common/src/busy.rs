//! Work for a processor that is the same in every program.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// So many steps of a chain in which each needs the one before.
pub fn spin(steps: u64) {
    let mut value = 1_u64;
    for step in 0..steps {
        value = black_box(
            value
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(step),
        );
    }
}

/// Steps that take `time` on this machine, in the best of some trials.
pub fn steps_for(time: Duration) -> u64 {
    const TRIAL: u64 = 100_000;
    let mut best = Duration::MAX;
    for _ in 0..100 {
        let start = Instant::now();
        spin(TRIAL);
        best = best.min(start.elapsed());
    }
    (TRIAL as f64 * time.as_secs_f64() / best.as_secs_f64()) as u64
}
