//! Lines of a minute each, the verdict, and `target/bench/soak.json`.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use crate::load::Samples;

/// The 99th percentile of round trips and of connections may be so much.
const P99: Duration = Duration::from_millis(20);

/// What was seen in a minute.
pub(crate) struct Minute {
    /// Since the beginning.
    pub(crate) end: Duration,
    /// At most.
    pub(crate) resident: u64,
    pub(crate) cpu: Duration,
    pub(crate) samples: Samples,
    pub(crate) attacks: String,
}

pub(crate) struct Report {
    minutes: Vec<Minute>,
    resident_at_start: u64,
    mebibytes: u64,
    /// Whether the unikernel ran to the end.
    pub(crate) lives: bool,
}

impl Report {
    pub(crate) fn new(resident_at_start: u64, mebibytes: u64) -> Self {
        println!("at the start {:.1} MB resident", mega(resident_at_start));
        Self {
            minutes: Vec::new(),
            resident_at_start,
            mebibytes,
            lives: true,
        }
    }

    /// Prints the minute's line.
    pub(crate) fn add(&mut self, mut minute: Minute) {
        let before = self.minutes.last().map_or(Duration::ZERO, |last| last.end);
        let seconds = (minute.end - before).as_secs_f64();
        let samples = &mut minute.samples;
        samples.round_trips.sort_unstable();
        samples.connects.sort_unstable();
        println!(
            "{:>5.0} s: {:.1} MB, {:.1} s CPU; round trips p50 {:.2} p99 {:.2} max {:.1} ms of {}; connects p99 {:.2} \
             max {:.1} ms of {}; bulk {:.1} MB/s; {} failed; {}",
            minute.end.as_secs_f64(),
            mega(minute.resident),
            minute.cpu.as_secs_f64(),
            milli(at(&samples.round_trips, 0.5)),
            milli(at(&samples.round_trips, 0.99)),
            milli(at(&samples.round_trips, 1.0)),
            samples.round_trips.len(),
            milli(at(&samples.connects, 0.99)),
            milli(at(&samples.connects, 1.0)),
            samples.connects.len(),
            mega(samples.octets) / seconds,
            samples.failures.len(),
            minute.attacks,
        );
        for failure in samples.failures.iter().take(5) {
            println!("        {failure}");
        }
        self.minutes.push(minute);
    }

    /// Prints totals and verdict, writes them to `path`, and returns the verdict.
    pub(crate) fn finish(&self, path: &str) -> bool {
        let all = |of: fn(&Samples) -> &Vec<Duration>| {
            let minutes = self.minutes.iter();
            let mut all: Vec<Duration> = minutes
                .flat_map(|minute| of(&minute.samples))
                .copied()
                .collect();
            all.sort_unstable();
            all
        };
        let round_trips = all(|samples| &samples.round_trips);
        let connects = all(|samples| &samples.connects);
        let failures: usize = self
            .minutes
            .iter()
            .map(|minute| minute.samples.failures.len())
            .sum();
        let octets: u64 = self
            .minutes
            .iter()
            .map(|minute| minute.samples.octets)
            .sum();
        let (earlier, later) = self.resident();
        let flat = later <= earlier + (self.mebibytes << 20) / 16;
        let (p99, connect_p99) = (at(&round_trips, 0.99), at(&connects, 0.99));
        let in_time =
            !round_trips.is_empty() && !connects.is_empty() && p99.max(connect_p99) <= P99;
        println!(
            "round trips p50 {:.2} p99 {:.2} max {:.1} ms of {}; connects p99 {:.2} max {:.1} ms of {}; {:.1} MB of bulk; \
             {failures} failed; {:.1} MB resident at the start, {:.1} MB at most in the first half, {:.1} MB in the second",
            milli(at(&round_trips, 0.5)),
            milli(p99),
            milli(at(&round_trips, 1.0)),
            round_trips.len(),
            milli(connect_p99),
            milli(at(&connects, 1.0)),
            connects.len(),
            mega(octets),
            mega(self.resident_at_start),
            mega(earlier),
            mega(later),
        );
        let passed = self.lives && flat && in_time && failures == 0;
        println!(
            "{}: {}, memory {}, p99 {} {} ms, {failures} failures",
            if passed { "PASSED" } else { "FAILED" },
            if self.lives { "never down" } else { "DOWN" },
            if flat { "flat" } else { "GROWING" },
            if in_time { "within" } else { "BEYOND" },
            P99.as_millis(),
        );
        self.save(path, &round_trips, &connects);
        passed
    }

    /// The most resident memory in each half of the time.
    fn resident(&self) -> (u64, u64) {
        let (earlier, later) = self.minutes.split_at(self.minutes.len().div_ceil(2));
        let most = |minutes: &[Minute]| minutes.iter().map(|minute| minute.resident).max();
        let earlier = most(earlier).unwrap_or_default();
        (earlier, most(later).unwrap_or(earlier))
    }

    fn save(&self, path: &str, round_trips: &[Duration], connects: &[Duration]) {
        let mut rows = Vec::new();
        for (metric, samples) in [("round_trip", round_trips), ("connect", connects)] {
            let samples: Vec<f64> = samples
                .iter()
                .map(|sample| sample.as_secs_f64() * 1e6)
                .collect();
            for (name, quantile) in [("p50_us", 0.5), ("p99_us", 0.99), ("max_us", 1.0)] {
                let value = at(&samples, quantile);
                rows.push(row(metric, name, "us", &[value], samples.len()));
            }
        }
        let each = |of: &dyn Fn(&Minute) -> f64| self.minutes.iter().map(of).collect::<Vec<f64>>();
        let resident = each(&|minute| minute.resident as f64);
        rows.push(row("memory", "resident", "B", &resident, resident.len()));
        let failures = each(&|minute| minute.samples.failures.len() as f64);
        rows.push(row("failures", "per_minute", "", &failures, failures.len()));
        let octets = each(&|minute| minute.samples.octets as f64);
        rows.push(row("bulk", "octets_per_minute", "B", &octets, octets.len()));
        if let Some(folder) = Path::new(path).parent()
            && let Err(error) = std::fs::create_dir_all(folder)
        {
            eprintln!("soak: {}: {error}", folder.display());
        }
        if let Err(error) = std::fs::write(path, format!("[\n{}\n]\n", rows.join(",\n"))) {
            eprintln!("soak: {path}: {error}");
        }
    }
}

fn row(case: &str, metric: &str, unit: &str, values: &[f64], n: usize) -> String {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (median, min, max) = (at(&sorted, 0.5), at(&sorted, 0.0), at(&sorted, 1.0));
    let mut row = String::new();
    write!(
        row,
        r#"{{"case":"soak/{case}","subject":"mkernel","metric":"{metric}","unit":"{unit}","median":{median},"min":{min},"max":{max},"n":{n}}}"#
    )
    .expect("a string takes everything");
    row
}

/// The sample of a sorted list below which this part of it lies; the default where there is none.
fn at<T: Copy + Default>(sorted: &[T], part: f64) -> T {
    let index = (sorted.len() as f64 * part) as usize;
    sorted
        .get(index.min(sorted.len().saturating_sub(1)))
        .copied()
        .unwrap_or_default()
}

fn milli(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn mega(octets: u64) -> f64 {
    octets as f64 / 1e6
}
