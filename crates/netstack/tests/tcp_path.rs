//! Flows over a bottleneck in virtual time, with bounds: the short form of `ci/bench path`.

mod path;
mod sim;

use core::time::Duration;

use netstack::proto::tcp::congestion::{self, MakeController};
use path::{Case, Outcome};

const WINDOWS: [MakeController; 2] = [congestion::cubic, congestion::new_reno];
const INITIAL_WINDOW: u32 = 10;

fn seconds(mut case: Case, seconds: u64) -> Case {
    case.time = Duration::from_secs(seconds);
    case
}

/// What holds of a window that fills a link, whatever the case.
fn fills(outcome: &Outcome, percent: f64) {
    assert!(outcome.utilisation >= percent, "{outcome:?}");
    assert!(outcome.burst <= INITIAL_WINDOW, "{outcome:?}");
}

#[test]
fn rfc5681_4_3_flows_share_a_bottleneck_and_none_raises_its_window_by_a_loss() {
    for congestion in WINDOWS {
        for (queue, least) in [(50, 97.0), (100, 98.5)] {
            for seed in 0..3 {
                let outcome = seconds(Case::new(congestion, 8, 10, 40, queue), 20).run(seed);
                fills(&outcome, least);
                assert!(outcome.jain >= 0.95, "{outcome:?}");
                assert!(outcome.retransmitted <= 5.5, "{outcome:?}");
            }
        }
    }
}

/// The queue and the path hold 667 and 3,333 segments: so many are lost when slow start ends by loss.
#[test]
fn rfc9406_4_2_slow_start_ends_before_it_has_lost_a_window() {
    for congestion in WINDOWS {
        for (rtt, most, least) in [(40, 667, 97.0), (200, 3_333, 80.0)] {
            let outcome = seconds(Case::new(congestion, 1, 100, rtt, 100), 8).run(1);
            fills(&outcome, least);
            assert!(outcome.lost <= most / 10, "{outcome:?}");
        }
    }
}

#[test]
fn rfc8985_6_2_what_is_late_is_not_sent_again() {
    for congestion in [congestion::cubic, congestion::new_reno, congestion::bbr] {
        for late in [10_000, 100_000] {
            let mut case = seconds(Case::new(congestion, 1, 100, 40, 100), 14);
            case.late = late;
            case.warm_up = Duration::from_secs(8);
            let outcome = case.run(1);
            assert!(outcome.spurious <= 0.1, "{late}: {outcome:?}");
            assert!(outcome.utilisation >= 95.0, "{late}: {outcome:?}");
        }
    }
}

#[test]
fn a_window_is_not_sent_at_once_after_a_pause() {
    for congestion in WINDOWS {
        let mut case = seconds(Case::new(congestion, 1, 100, 40, 100), 5);
        case.flows[0].requests = Some((2_000_000, Duration::from_millis(150)));
        let outcome = case.run(1);
        assert!(outcome.burst <= INITIAL_WINDOW, "{outcome:?}");
    }
}

/// Half a second of 1 Gbit/s over 20 ms: more than buffers of fixed size let through.
#[test]
fn buffers_of_both_ends_grow_with_the_path() {
    let mut case = seconds(Case::new(congestion::cubic, 1, 1000, 20, 100), 1);
    case.options = netstack::proto::tcp::Options::default();
    case.memory = 256 << 20;
    case.warm_up = Duration::from_millis(500);
    let outcome = case.run(1);
    assert!(outcome.utilisation >= 90.0, "{outcome:?}");
}
