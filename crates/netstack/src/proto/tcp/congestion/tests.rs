//! The windows of RFC 5681 and RFC 9438, in numbers.

use core::time::Duration;

use super::{Ack, Controller, Cubic, NewReno, Parameters, initial_window};
use crate::proto::Instant;

const SMSS: u32 = 1000;
const PARAMETERS: Parameters = Parameters {
    smss: SMSS,
    now: Instant::from_nanos(0),
    selective_acks: true,
    seed: 1,
    srtt: 0,
};
const RTT: Duration = Duration::from_millis(100);

fn ack(now: Instant, acked: u32, cwnd: u32) -> Ack {
    Ack {
        now,
        acked,
        flight: cwnd,
        cwnd_limited: true,
        srtt: RTT.as_nanos() as u64,
        rtt: RTT.as_nanos() as u64,
        una: 0,
        nxt: 0,
    }
}

/// Acknowledges one whole window, segment by segment.
fn round(controller: &mut dyn Controller, now: &mut Instant) {
    let cwnd = controller.cwnd();
    *now += RTT;
    for _ in 0..cwnd / SMSS {
        controller.on_ack(&ack(*now, SMSS, cwnd));
    }
}

#[test]
fn rfc6928_2_initial_window_is_ten_segments() {
    assert_eq!(initial_window(1460), 14_600);
    assert_eq!(initial_window(536), 5_360);
    assert_eq!(initial_window(8960), 17_920);
}

#[test]
fn rfc5681_3_1_slow_start_doubles_and_congestion_avoidance_adds_one_segment() {
    let mut reno = NewReno::new(&PARAMETERS);
    let mut now = Instant::default();
    round(&mut reno, &mut now);
    assert_eq!(reno.cwnd(), 20 * SMSS);
    reno.on_congestion_event(now, reno.cwnd());
    assert_eq!((reno.cwnd(), reno.ssthresh()), (10 * SMSS, 10 * SMSS));
    round(&mut reno, &mut now);
    assert_eq!(reno.cwnd(), 11 * SMSS);
}

#[test]
fn rfc5681_4_3_a_loss_never_raises_the_window_however_much_was_selectively_acknowledged() {
    for controller in [
        &mut NewReno::new(&PARAMETERS) as &mut dyn Controller,
        &mut Cubic::new(&PARAMETERS),
    ] {
        let before = controller.cwnd();
        controller.on_congestion_event(Instant::default(), 4 * before);
        let reduced = controller.cwnd();
        assert!(reduced < before, "{reduced}");
        controller.on_timeout(Instant::default(), 4 * before, true);
        assert!(controller.ssthresh() < reduced);
    }
}

#[test]
fn rfc5681_3_1_timeout_leaves_one_segment_and_halves_the_threshold_once() {
    let mut reno = NewReno::new(&PARAMETERS);
    reno.on_timeout(Instant::default(), 8 * SMSS, true);
    assert_eq!((reno.cwnd(), reno.ssthresh()), (SMSS, 4 * SMSS));
    reno.on_timeout(Instant::default(), SMSS, false);
    assert_eq!((reno.cwnd(), reno.ssthresh()), (SMSS, 4 * SMSS));
}

#[test]
fn rfc5681_4_1_an_unused_window_does_not_grow() {
    for controller in [
        &mut NewReno::new(&PARAMETERS) as &mut dyn Controller,
        &mut Cubic::new(&PARAMETERS),
    ] {
        let before = controller.cwnd();
        let mut ack = ack(Instant::default(), SMSS, before);
        ack.cwnd_limited = false;
        controller.on_ack(&ack);
        assert_eq!(controller.cwnd(), before);
    }
}

#[test]
fn rfc9438_4_6_decrease_is_to_seven_tenths() {
    let mut cubic = Cubic::new(&PARAMETERS);
    cubic.on_congestion_event(Instant::default(), 10 * SMSS);
    assert_eq!((cubic.cwnd(), cubic.ssthresh()), (7 * SMSS, 7 * SMSS));
}

#[test]
fn rfc9438_4_2_window_is_back_after_k_seconds() {
    let mut cubic = Cubic::new(&PARAMETERS);
    let mut now = Instant::default();
    while cubic.cwnd() < 640 * SMSS {
        round(&mut cubic, &mut now);
    }
    assert_eq!(cubic.cwnd(), 640 * SMSS);
    cubic.on_congestion_event(now, cubic.cwnd());
    // K = cbrt(640 × 0.3 / 0.4) = 7.83 s: the plateau.
    let start = now;
    while now - start < Duration::from_secs_f64(7.83) {
        round(&mut cubic, &mut now);
    }
    let segments = cubic.cwnd() / SMSS;
    assert!(
        (630..=650).contains(&segments),
        "{segments} segments after K seconds, 640 expected"
    );
}

#[test]
fn rfc9438_4_2_the_window_is_a_cube_of_the_time_to_the_plateau_however_often_acknowledgements_come()
{
    for segments in [1, 4] {
        let mut cubic = Cubic::new(&PARAMETERS);
        let mut now = Instant::default();
        while cubic.cwnd() < 640 * SMSS {
            round(&mut cubic, &mut now);
        }
        cubic.on_congestion_event(now, cubic.cwnd());
        let start = now;
        // Half of K: 640 - 0.4 × (7.83 / 2)^3 = 616.
        while now - start < Duration::from_secs_f64(7.83 / 2.0) {
            let cwnd = cubic.cwnd();
            now += RTT;
            for _ in 0..cwnd / SMSS / segments {
                cubic.on_ack(&ack(now, segments * SMSS, cwnd));
            }
        }
        let window = cubic.cwnd() / SMSS;
        assert!((606..=624).contains(&window), "{window}, {segments}");
    }
}

#[test]
fn rfc9438_4_3_small_windows_grow_at_least_as_reno_does() {
    let mut cubic = Cubic::new(&PARAMETERS);
    let mut now = Instant::default();
    cubic.on_congestion_event(now, 10 * SMSS);
    let before = cubic.cwnd();
    // The Reno-friendly window grows by 0.53 segments each round trip.
    for _ in 0..6 {
        round(&mut cubic, &mut now);
    }
    let grown = cubic.cwnd() - before;
    assert!(
        (2_500..=4_500).contains(&grown),
        "grew {grown} octets in six round trips"
    );
}

#[test]
fn rfc9438_4_7_fast_convergence_lowers_w_max() {
    let mut cubic = Cubic::new(&PARAMETERS);
    cubic.on_congestion_event(Instant::default(), 10 * SMSS);
    assert_eq!(cubic.w_max, 10.0);
    cubic.on_congestion_event(Instant::default(), 7 * SMSS);
    assert_eq!(cubic.w_max, 7.0 * 0.85);
}

#[test]
fn rfc9438_4_3_the_reno_friendly_window_grows_slowly_up_to_the_window_before_the_reduction() {
    let mut cubic = Cubic::new(&PARAMETERS);
    let mut now = Instant::default();
    // W_max is less than that after the second.
    cubic.on_congestion_event(now, 10 * SMSS);
    cubic.on_congestion_event(now, 7 * SMSS);
    assert_eq!(cubic.cwnd(), 4900);
    let mut windows = [0; 5];
    for window in &mut windows {
        now += RTT;
        let cwnd = cubic.cwnd();
        cubic.on_ack(&ack(now, cwnd, cwnd));
        *window = cubic.cwnd();
    }
    // By 9/17 of a segment to seven, and then by one.
    assert!((7000..=7100).contains(&windows[3]), "{windows:?}");
    assert!((8000..=8100).contains(&windows[4]), "{windows:?}");
}

#[test]
fn rfc9438_4_8_after_a_time_out_there_is_no_plateau_to_return_to() {
    let mut cubic = Cubic::new(&PARAMETERS);
    let mut now = Instant::default();
    while cubic.cwnd() < 640 * SMSS {
        round(&mut cubic, &mut now);
    }
    cubic.on_timeout(now, cubic.cwnd(), true);
    while cubic.cwnd() < 448 * SMSS {
        round(&mut cubic, &mut now);
    }
    // 0.4 × 2^3 segments by the cube, 20 × 9/17 as Reno; with the old plateau over a hundred.
    for _ in 0..20 {
        round(&mut cubic, &mut now);
    }
    let segments = cubic.cwnd() / SMSS;
    assert!((455..=462).contains(&segments), "{segments}");
}

#[test]
fn rfc9438_4_9_spurious_reduction_is_undone() {
    let mut cubic = Cubic::new(&PARAMETERS);
    let (cwnd, ssthresh) = (cubic.cwnd(), cubic.ssthresh());
    cubic.on_timeout(Instant::default(), cwnd, true);
    assert_eq!(cubic.cwnd(), SMSS);
    cubic.on_spurious(Instant::default());
    assert_eq!((cubic.cwnd(), cubic.ssthresh()), (cwnd, ssthresh));
}

#[test]
fn rfc4015_3_2_all_reductions_of_a_spurious_recovery_are_undone() {
    for controller in [
        &mut NewReno::new(&PARAMETERS) as &mut dyn Controller,
        &mut Cubic::new(&PARAMETERS),
    ] {
        let before = (controller.cwnd(), controller.ssthresh());
        controller.on_congestion_event(Instant::default(), 10 * SMSS);
        controller.on_congestion_event(Instant::default(), 10 * SMSS);
        controller.on_spurious(Instant::default());
        assert_eq!((controller.cwnd(), controller.ssthresh()), before);
    }
}

#[test]
fn rfc4015_3_2_a_spurious_time_out_of_new_reno_is_undone() {
    let mut reno = NewReno::new(&PARAMETERS);
    reno.on_congestion_event(Instant::default(), 20 * SMSS);
    reno.on_recovered();
    let before = (reno.cwnd(), reno.ssthresh());
    reno.on_timeout(Instant::default(), 8 * SMSS, true);
    assert_eq!(reno.cwnd(), SMSS);
    reno.on_spurious(Instant::default());
    assert_eq!((reno.cwnd(), reno.ssthresh()), before);
}

#[test]
fn rfc5681_3_1_what_an_acknowledgement_has_beyond_the_threshold_counts_for_avoidance() {
    let mut reno = NewReno::new(&PARAMETERS);
    reno.on_timeout(Instant::default(), 8 * SMSS, true);
    // From one segment to the threshold of four, and half a segment more.
    reno.on_ack(&ack(Instant::default(), 3 * SMSS + SMSS / 2, SMSS));
    assert_eq!(reno.cwnd(), 4 * SMSS);
    reno.on_ack(&ack(Instant::default(), 3 * SMSS + SMSS / 2 - 1, 4 * SMSS));
    assert_eq!(reno.cwnd(), 4 * SMSS);
    reno.on_ack(&ack(Instant::default(), 1, 4 * SMSS));
    assert_eq!(reno.cwnd(), 5 * SMSS);
}

#[test]
fn rfc5681_4_1_restart_after_idle_uses_the_initial_window() {
    let mut reno = NewReno::new(&PARAMETERS);
    let mut now = Instant::default();
    round(&mut reno, &mut now);
    reno.on_idle();
    assert_eq!(reno.cwnd(), 10 * SMSS);
}

#[test]
fn rfc9438_4_6_the_threshold_is_no_less_than_two_segments() {
    let mut cubic = Cubic::new(&PARAMETERS);
    cubic.on_congestion_event(Instant::default(), SMSS);
    assert_eq!((cubic.cwnd(), cubic.ssthresh()), (2 * SMSS, 2 * SMSS));
}

#[test]
fn rfc5681_3_1_the_threshold_is_no_less_than_two_segments() {
    let mut reno = NewReno::new(&PARAMETERS);
    reno.on_timeout(Instant::default(), SMSS, true);
    assert_eq!(reno.ssthresh(), 2 * SMSS);
    let mut reno = NewReno::new(&PARAMETERS);
    reno.on_congestion_event(Instant::default(), SMSS);
    assert_eq!((reno.cwnd(), reno.ssthresh()), (2 * SMSS, 2 * SMSS));
    let mut cubic = Cubic::new(&PARAMETERS);
    cubic.on_timeout(Instant::default(), SMSS, true);
    assert_eq!((cubic.cwnd(), cubic.ssthresh()), (SMSS, 2 * SMSS));
}

/// A round of slow start: `samples` acknowledgements of a segment each, of which the first comes after
/// `rtt` milliseconds and the others later. Returns by how much the window has grown.
fn slow_round(cubic: &mut Cubic, round: u32, samples: u32, rtt: u64) -> u32 {
    let before = cubic.cwnd();
    for sample in 0..samples {
        let mut ack = ack(Instant::default(), SMSS, before);
        ack.rtt = rtt * 1_000_000 + u64::from(sample) * 10_000;
        (ack.una, ack.nxt) = (1000 * round + sample, 1000 * (round + 1));
        cubic.on_ack(&ack);
    }
    cubic.cwnd() - before
}

#[test]
fn rfc9406_4_2_slow_start_becomes_conservative_when_round_trips_grow_and_ends_after_five_rounds() {
    let mut cubic = Cubic::new(&PARAMETERS);
    for round in 0..3 {
        assert_eq!(slow_round(&mut cubic, round, 16, 100), 16 * SMSS);
    }
    // An eighth of 100 ms more: from the eighth sample on a quarter, also in the four rounds to come.
    assert_eq!(slow_round(&mut cubic, 3, 16, 113), 7 * SMSS + 9 * SMSS / 4);
    for round in 4..8 {
        assert_eq!(slow_round(&mut cubic, round, 16, 113), 4 * SMSS);
        assert_eq!(cubic.ssthresh(), u32::MAX);
    }
    slow_round(&mut cubic, 8, 1, 113);
    assert_eq!(cubic.ssthresh(), cubic.cwnd());
}

#[test]
fn rfc9406_4_2_conservative_slow_start_ends_when_round_trips_grow_as_much_again() {
    let mut cubic = Cubic::new(&PARAMETERS);
    for (round, rtt) in [(0, 100), (1, 113), (2, 127)] {
        assert_eq!(cubic.ssthresh(), u32::MAX);
        slow_round(&mut cubic, round, 8, rtt);
    }
    slow_round(&mut cubic, 3, 8, 142);
    assert!(cubic.ssthresh() < 40 * SMSS);
}

#[test]
fn rfc9406_4_2_slow_start_goes_on_when_round_trips_have_grown_only_for_a_while() {
    let mut cubic = Cubic::new(&PARAMETERS);
    for (round, rtt) in [(0, 100), (1, 120), (2, 119)] {
        slow_round(&mut cubic, round, 16, rtt);
    }
    assert_eq!(slow_round(&mut cubic, 3, 16, 119), 16 * SMSS);
    // Fewer than eight samples, and less than 4 ms, are no reason.
    let mut cubic = Cubic::new(&PARAMETERS);
    for (round, samples, rtt) in [(0, 16, 10), (1, 7, 100), (2, 16, 10), (3, 16, 13)] {
        assert_eq!(slow_round(&mut cubic, round, samples, rtt), samples * SMSS);
    }
}
