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
fn rfc9438_4_9_spurious_reduction_is_undone() {
    let mut cubic = Cubic::new(&PARAMETERS);
    let (cwnd, ssthresh) = (cubic.cwnd(), cubic.ssthresh());
    cubic.on_timeout(Instant::default(), cwnd, true);
    assert_eq!(cubic.cwnd(), SMSS);
    cubic.on_spurious(Instant::default());
    assert_eq!((cubic.cwnd(), cubic.ssthresh()), (cwnd, ssthresh));
}

#[test]
fn rfc4015_3_2_a_spurious_time_out_of_new_reno_is_undone() {
    let mut reno = NewReno::new(&PARAMETERS);
    reno.on_congestion_event(Instant::default(), 20 * SMSS);
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
