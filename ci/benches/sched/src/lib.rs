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

/// Calls a function generic over [`Subject`] with the one of that name.
macro_rules! with_subject {
    ($name:expr, $function:path, $($argument:expr),*) => {{
        use $function as function;
        match $name {
            "miou-rs" => function::<subjects::miou::Miou>($($argument),*),
            "tokio" => function::<subjects::tokio::Tokio>($($argument),*),
            "async-executor" => function::<subjects::async_executor::AsyncExecutor>($($argument),*),
            "smol" => function::<subjects::smol::Smol>($($argument),*),
            "embassy" => function::<subjects::embassy::Embassy>($($argument),*),
            "local-pool" => function::<subjects::local_pool::LocalPool>($($argument),*),
            "async-task" => function::<subjects::async_task::AsyncTask>($($argument),*),
            _ => None,
        }
    }};
}

/// Runs a case once; `None` if the executor cannot express it.
pub fn measure(case: &str, subject: &str, compute_loops: u64) -> Option<Measures> {
    with_subject!(subject, cases::measure, case, compute_loops)
}

/// See [`cases::time`].
pub fn time(case: &str, subject: &str, count: u64) -> Option<std::time::Duration> {
    with_subject!(subject, cases::time, case, count)
}
