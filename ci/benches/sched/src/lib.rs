//! The cases, and the executors that run them.

pub mod cases;
pub mod heap;
pub mod subjects;

pub use subjects::Subject;

/// The names of the cases.
pub const CASES: [&str; 10] = [
    "spawn",
    "yield-2",
    "yield-1000",
    "yield-100000",
    "wake",
    "timer",
    "idle-task",
    "availability-1",
    "availability-100",
    "availability-10000",
];

/// The names of the executors.
pub const SUBJECTS: [&str; 7] = [
    "miou-rs",
    "tokio",
    "async-executor",
    "smol",
    "embassy",
    "local-pool",
    "async-task",
];

/// What a case gives: metric, unit, value.
pub type Measures = Vec<(&'static str, &'static str, f64)>;

/// Runs a case once; `None` if the executor cannot express it.
pub fn measure(case: &str, subject: &str, compute_loops: u64) -> Option<Measures> {
    use subjects::*;
    match subject {
        "miou-rs" => cases::measure::<miou::Miou>(case, compute_loops),
        "tokio" => cases::measure::<tokio::Tokio>(case, compute_loops),
        "async-executor" => cases::measure::<async_executor::AsyncExecutor>(case, compute_loops),
        "smol" => cases::measure::<smol::Smol>(case, compute_loops),
        "embassy" => cases::measure::<embassy::Embassy>(case, compute_loops),
        "local-pool" => cases::measure::<local_pool::LocalPool>(case, compute_loops),
        "async-task" => cases::measure::<async_task::AsyncTask>(case, compute_loops),
        _ => None,
    }
}
