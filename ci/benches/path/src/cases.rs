//! The cases by name: flows, rate, round trip, and the queue in products of the two.

use std::time::Duration;

use netstack::proto::tcp::congestion::{self, MakeController};

use crate::path::{Case, Flow, Outcome};

/// What is compared.
pub const SUBJECTS: [(&str, MakeController); 3] = [
    ("cubic", congestion::cubic),
    ("new-reno", congestion::new_reno),
    ("bbr", congestion::bbr),
];

type Make = Box<dyn Fn(MakeController, u64) -> Case>;

/// All cases: what makes one for a controller, to last for so many seconds.
pub fn all() -> Vec<(String, Make)> {
    let mut cases: Vec<(String, Make)> = Vec::new();
    let mut add = |name: String, make: Make| cases.push((name, make));
    for (mbit, rtt) in [(10, 40), (100, 10), (100, 40), (100, 200), (1000, 40)] {
        for (queue, percent) in [("half", 50), ("1", 100), ("4", 400)] {
            for (flows, count) in [("one", 1), ("eight", 8)] {
                add(
                    format!("{flows}-{mbit}m-{rtt}ms-{queue}bdp"),
                    Box::new(move |congestion, seconds| {
                        let mut case = Case::new(congestion, count, mbit, rtt, percent);
                        case.time = Duration::from_secs(seconds);
                        case
                    }),
                );
            }
        }
    }
    add(
        "one-1000m-200ms-1bdp".into(),
        Box::new(|congestion, seconds| {
            let mut case = Case::new(congestion, 1, 1000, 200, 100);
            case.time = Duration::from_secs(seconds);
            case
        }),
    );
    for percent in [1, 10] {
        add(
            format!("late-100m-40ms-{percent}"),
            Box::new(move |congestion, seconds| {
                let mut case = Case::new(congestion, 1, 100, 40, 100);
                case.late = percent * 10_000;
                case.time = Duration::from_secs(seconds);
                case.warm_up = case.time / 3;
                case
            }),
        );
    }
    add("gathered-100m-40ms-50ms".into(), Box::new(gathered));
    add("pause-100m-40ms-150ms".into(), Box::new(pause));
    for rtt in [20, 100] {
        add(
            format!("defaults-1000m-{rtt}ms-1bdp"),
            Box::new(move |congestion, seconds| {
                let mut case = Case::new(congestion, 1, 1000, rtt, 100);
                case.options = netstack::proto::tcp::Options::default();
                case.memory = 256 << 20;
                case.time = Duration::from_secs(seconds.min(15));
                case.warm_up = case.time / 3;
                case
            }),
        );
    }
    for (name, mbit, queue) in [("10m", 10, 100), ("100m", 100, 100), ("100m", 100, 200)] {
        add(
            format!("beside-cubic-{name}-40ms-{}bdp", queue / 100),
            Box::new(move |congestion, seconds| beside_cubic(congestion, seconds, mbit, queue)),
        );
    }
    cases
}

/// Acknowledgements every 50 ms, and a queue of 10 ms.
fn gathered(congestion: MakeController, seconds: u64) -> Case {
    let mut case = Case::new(congestion, 1, 100, 40, 25);
    case.gather = Some(Duration::from_millis(50));
    case.time = Duration::from_secs(seconds);
    case
}

/// Two megabytes, again and again, each 150 ms after the last was acknowledged.
fn pause(congestion: MakeController, seconds: u64) -> Case {
    let mut case = Case::new(congestion, 1, 100, 40, 100);
    case.flows[0].requests = Some((2_000_000, Duration::from_millis(150)));
    case.time = Duration::from_secs(seconds);
    case.warm_up = case.time / 5;
    case
}

/// A flow of CUBIC half a second before one of the subject's: the share of the second.
fn beside_cubic(congestion: MakeController, seconds: u64, mbit: u64, queue: u64) -> Case {
    let mut case = Case::new(congestion::cubic, 1, mbit, 40, queue);
    case.flows.push(Flow {
        congestion,
        start: Duration::from_millis(500),
        requests: None,
    });
    case.time = Duration::from_secs(2 * seconds);
    case.warm_up = case.time / 6;
    case
}

/// What is of interest in a case.
pub fn metrics(case: &str, outcome: &Outcome) -> Vec<(&'static str, f64)> {
    let mut metrics = vec![
        ("utilisation_percent", outcome.utilisation),
        ("retransmitted_percent", outcome.retransmitted),
        ("spurious_percent", outcome.spurious),
        ("queue_ms", outcome.queue_ms),
        ("lost", outcome.lost as f64),
        ("burst", outcome.burst.into()),
        ("timeouts", outcome.timeouts as f64),
    ];
    if case.starts_with("eight") {
        metrics.push(("jain", outcome.jain));
    }
    if let Some(seconds) = outcome.seconds_to_90 {
        metrics.push(("to_90_s", seconds));
    }
    if let (true, Some(seconds)) = (case.starts_with("defaults"), outcome.seconds_to_10_mb) {
        metrics.push(("to_10_mb_s", seconds));
    }
    if let [_, share] = outcome.shares[..] {
        metrics.push(("share_percent", share));
    }
    metrics
}
