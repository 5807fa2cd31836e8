//! The cases that are counted in operations, by criterion: `cargo bench`.
//!
//! One executor after another, with criterion's statistics. `ci/bench sched`
//! interleaves them, which on a machine that is shared says more about ratios.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use sched_bench::{CASES, SUBJECTS, time};

fn micro(criterion: &mut Criterion) {
    for case in CASES {
        let mut group = criterion.benchmark_group(case);
        // A few seconds for each executor, and minutes in all.
        group.sample_size(10);
        group.warm_up_time(Duration::from_secs(1));
        group.measurement_time(Duration::from_secs(2));
        for subject in SUBJECTS {
            if time(case, subject, 1).is_some() {
                group.bench_function(BenchmarkId::from_parameter(subject), |bencher| {
                    bencher.iter_custom(|count| time(case, subject, count).unwrap_or_default());
                });
            }
        }
    }
}

criterion_group!(benches, micro);
criterion_main!(benches);
