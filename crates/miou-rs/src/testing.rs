//! Running a test under many schedules, each of which can be repeated.
//!
//! With a seed, the scheduler takes the next task not in order but by a choice
//! that the seed determines; with a [`VirtualClock`](crate::VirtualClock)
//! nothing else varies. So a schedule that breaks a program is found by trying
//! seeds, and found again by its seed.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// The environment variable that makes [`explore`] run one seed only.
pub const SEED_VARIABLE: &str = "MIOU_SEED";

/// Calls `test` with each of `seeds`. When one panics, says which on the
/// standard error stream, with the way to repeat it, and panics likewise.
///
/// When `MIOU_SEED` is set in the environment, calls `test` with that seed
/// alone.
///
/// # Panics
///
/// If `test` does, and if `MIOU_SEED` is not a number.
///
/// ```
/// use miou_rs::{Builder, VirtualClock, await_all, spawn, testing};
///
/// testing::explore(0..20, |seed| {
///     Builder::new().seed(seed).run_with(VirtualClock::new(), async {
///         await_all((0..3).map(|n| spawn(async move { n }))).await;
///     });
/// });
/// ```
pub fn explore(seeds: impl IntoIterator<Item = u64>, test: impl Fn(u64)) {
    if let Ok(value) = std::env::var(SEED_VARIABLE) {
        let seed = value.parse().unwrap_or_else(|_| {
            panic!(
                "{SEED_VARIABLE} is {value:?}; expected a number from 0 to {}",
                u64::MAX
            )
        });
        test(seed);
        return;
    }
    for seed in seeds {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| test(seed))) {
            eprintln!("seed {seed} failed: run it alone with {SEED_VARIABLE}={seed}");
            resume_unwind(payload);
        }
    }
}
