//! The bounds of BBR's model, and when they move: each sample is made for one rule.

use super::{BDP, Path, RATE, RTT, SMSS};
use crate::proto::tcp::congestion::Controller;
use crate::proto::tcp::congestion::bbr::{AckPhase, Bbr, INFINITY, State};

/// A sample in the middle of a round trip.
fn within_a_round(path: &mut Path) -> super::RateSample {
    let mut sample = path.sample(RATE);
    path.bbr.next_round_delivered = sample.total_delivered;
    sample.tx_in_flight = SMSS;
    sample
}

#[test]
fn bbr_5_5_10_3_loss_while_probing_for_bandwidth_lowers_no_bound() {
    let mut path = Path::new();
    path.round(RATE);
    for state in [State::Startup, State::ProbeBwRefill, State::ProbeBwUp] {
        path.until(state);
        path.lose(0, 1000, BDP);
        path.round(RATE);
        path.lose(0, 1000, BDP);
        assert_eq!(path.bbr.bw_shortterm, INFINITY, "{state:?}");
    }
}

#[test]
fn chance_is_that_of_splitmix64() {
    let mut path = Path::new();
    path.bbr.random = 1_234_567;
    let drawn: Vec<u64> = (0..3).map(|_| path.bbr.random_below(u64::MAX)).collect();
    assert_eq!(
        drawn,
        [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423
        ]
    );
}

#[test]
fn bbr_5_6_4_6_startup_grows_the_window_by_what_is_delivered() {
    let mut path = Path::new();
    path.round(RATE / 8);
    assert_eq!(u64::from(path.bbr.cwnd()), 10 * u64::from(SMSS) + BDP / 8);
}

#[test]
fn bbr_5_6_4_7_the_window_keeps_to_the_bound_and_leaves_headroom_when_it_cruises() {
    let mut path = Path::at(State::ProbeBwUp);
    path.lose(0, BDP * 3 / 100, BDP);
    let bound = BDP - u64::from(SMSS);
    assert_eq!(
        (path.bbr.state, path.bbr.inflight_longterm),
        (State::ProbeBwDown, bound)
    );
    let mut sample = path.sample(RATE);
    sample.tx_in_flight = SMSS;
    sample.inflight = BDP as u32;
    path.bbr.on_sample(&sample);
    assert_eq!(
        (path.bbr.state, u64::from(path.bbr.cwnd())),
        (State::ProbeBwDown, bound)
    );
    let mut sample = path.sample(RATE);
    sample.tx_in_flight = SMSS;
    sample.inflight = 0;
    path.bbr.on_sample(&sample);
    assert_eq!(path.bbr.state, State::ProbeBwCruise);
    assert_eq!(u64::from(path.bbr.cwnd()), bound - bound * 15 / 100);
}

#[test]
fn bbr_5_5_10_2_without_selective_acknowledgements_one_loss_is_too_much_and_none_is_not() {
    let mut path = Path::new();
    assert!(!path.bbr.is_inflight_too_high(1, BDP));
    path.bbr.has_selective_acks = false;
    assert!(path.bbr.is_inflight_too_high(1, BDP));
    assert!(!path.bbr.is_inflight_too_high(0, BDP));
}

#[test]
fn bbr_5_5_11_2_a_spurious_recovery_that_ended_startup_goes_back_to_it() {
    let mut path = Path::new();
    path.round(RATE / 2);
    for range in 0..6 {
        path.lose(3000 * range, BDP / 10, BDP);
    }
    let mut sample = path.sample(RATE);
    (sample.in_recovery, sample.lost, sample.inflight) = (true, BDP / 10, 3 * BDP as u32);
    path.bbr.on_sample(&sample);
    assert_eq!(path.bbr.state, State::Drain);
    path.bbr.on_spurious(path.now);
    assert_eq!(
        (path.bbr.state, path.bbr.full_bw_reached),
        (State::Startup, false)
    );
    assert_eq!(path.bbr.inflight_longterm, INFINITY);
}

#[test]
fn bbr_5_5_1_a_round_lasts_until_what_was_sent_after_its_start_is_delivered() {
    let mut path = Path::at(State::ProbeBwCruise);
    path.bbr.start_round();
    let started = path.bbr.delivered;
    let rounds = path.bbr.round_count;
    for (prior, passed) in [(started - 1, 0), (started, 1), (started, 1)] {
        let mut sample = path.sample(RATE);
        sample.prior_delivered = Some(prior);
        path.bbr.on_sample(&sample);
        assert_eq!(path.bbr.round_count - rounds, passed);
    }
}

#[test]
fn bbr_5_3_3_1_what_was_seen_while_probing_says_nothing_of_the_rounds_after_it() {
    let mut path = Path::at(State::ProbeBwUp);
    path.lose(0, 1000, BDP);
    assert!(path.bbr.is_loss_in_round && path.bbr.bw_latest > 0);
    path.bbr.start_probe_bw_down(path.now);
    assert!(!path.bbr.is_loss_in_round);
    assert_eq!((path.bbr.bw_latest, path.bbr.inflight_latest), (0, 0));
}

#[test]
fn bbr_5_3_3_8_a_probe_begins_after_the_wait_and_not_at_its_end() {
    let mut path = Path::at(State::ProbeBwCruise);
    path.bbr.rounds_since_probe_up = 0;
    path.bbr.cycle_stamp = path.now;
    path.bbr.bw_probe_wait = 2 * RTT;
    for state in [
        State::ProbeBwCruise,
        State::ProbeBwCruise,
        State::ProbeBwRefill,
    ] {
        path.round(RATE);
        assert_eq!(path.bbr.state, state);
    }
}

#[test]
fn bbr_5_3_3_9_the_bound_rises_by_a_segment_for_each_increment_that_is_acknowledged() {
    let mut path = Path::at(State::ProbeBwUp);
    path.bbr.ack_phase = AckPhase::ProbeFeedback;
    path.bbr.inflight_longterm = BDP;
    path.bbr.cwnd = BDP;
    path.bbr.bw_probe_up_acked = 0;
    path.bbr.probe_up_acked_per_inc = 30_000;
    let mut probe = |acked, window| {
        let mut sample = within_a_round(&mut path);
        (sample.newly_acked, sample.cwnd_limited) = (acked, true);
        path.bbr.cwnd = path.bbr.inflight_longterm + window - 1;
        path.bbr.on_sample(&sample);
        (path.bbr.inflight_longterm - BDP, path.bbr.bw_probe_up_acked)
    };
    assert_eq!(probe(50_000, 1), (1000, 20_000));
    assert_eq!(probe(50_000, 1), (3000, 10_000));
    // A window below the bound does not test it.
    assert_eq!(probe(50_000, 0), (3000, 10_000));
}

#[test]
fn bbr_5_3_3_9_the_bound_rises_twice_as_fast_with_each_round_of_a_probe() {
    let mut path = Path::at(State::ProbeBwUp);
    path.bbr.inflight_longterm = BDP;
    path.bbr.bw_probe_up_rounds = 3;
    path.bbr.cwnd = 2 * BDP;
    let mut sample = path.sample(RATE);
    (sample.tx_in_flight, sample.cwnd_limited) = (SMSS, true);
    path.bbr.on_sample(&sample);
    assert_eq!(path.bbr.probe_up_acked_per_inc, 2 * BDP / 8);
    assert_eq!(path.bbr.bw_probe_up_rounds, 4);
}

#[test]
fn bbr_5_3_4_3_the_least_round_trip_time_holds_for_ten_seconds() {
    let mut path = Path::at(State::ProbeBwCruise);
    let seen = path.bbr.min_rtt_stamp;
    loop {
        let mut sample = path.sample(RATE);
        sample.rtt = Some(RTT + 1);
        path.bbr.on_sample(&sample);
        if path.now > seen.after_nanos(10_000_000_000) {
            break;
        }
        assert_eq!(path.bbr.min_rtt, RTT);
    }
    assert_eq!(path.bbr.min_rtt, RTT + 1);
}

#[test]
fn bbr_5_4_1_a_restart_lasts_until_something_is_delivered_and_ends_a_probe_rtt_that_is_over() {
    let mut path = Path::at(State::ProbeBwCruise);
    path.bbr.on_restart(path.now);
    for (delivered, restarting) in [(0, true), (1, false)] {
        let mut sample = path.sample(RATE);
        sample.delivered = delivered;
        path.bbr.on_sample(&sample);
        assert_eq!(path.bbr.idle_restart, restarting);
    }
    path.bbr.state = State::ProbeRtt;
    path.bbr.probe_rtt_done_stamp = Some(path.now);
    path.bbr.on_restart(path.now);
    assert_eq!(path.bbr.state, State::ProbeRtt);
    path.bbr.on_restart(path.now.after_nanos(1));
    assert_eq!(path.bbr.state, State::ProbeBwCruise);
}

#[test]
fn bbr_5_6_4_6_a_window_that_holds_max_inflight_does_not_grow_in_startup() {
    let mut path = Path::new();
    path.round(RATE / 8);
    let initial = path.bbr.initial_cwnd;
    for (less, delivered, grown) in [
        (0, initial, 0),
        (0, initial - 1, BDP / 8),
        (1, initial, BDP / 8),
    ] {
        path.bbr.delivered = delivered;
        path.bbr.cwnd = path.bbr.max_inflight() - less;
        let before = path.bbr.cwnd;
        let sample = path.sample(RATE / 8);
        path.bbr.set_cwnd(&sample);
        assert_eq!(path.bbr.cwnd - before, grown);
    }
}

#[test]
fn bbr_5_5_10_3_a_round_with_loss_bounds_what_is_in_flight_by_seven_tenths_of_the_window() {
    let mut path = Path::at(State::ProbeBwCruise);
    let mut window = path.bbr.cwnd;
    for _ in 0..2 {
        path.lose(0, 1000, BDP);
        let mut sample = path.sample(RATE);
        sample.delivered = BDP / 10;
        path.bbr.on_sample(&sample);
        window = window * 7 / 10;
        assert_eq!(path.bbr.inflight_shortterm, window);
    }
}

#[test]
fn bbr_5_3_3_9_what_was_in_flight_with_too_much_loss_raises_no_bound() {
    let mut path = Path::at(State::ProbeBwCruise);
    path.bbr.inflight_longterm = BDP;
    for (lost, bound) in [(BDP / 10, BDP), (0, 2 * BDP)] {
        let mut sample = within_a_round(&mut path);
        (sample.lost, sample.tx_in_flight) = (lost, 2 * BDP as u32);
        path.bbr.on_sample(&sample);
        assert_eq!(path.bbr.inflight_longterm, bound);
    }
}

#[test]
fn bbr_5_3_1_3_losses_outside_of_a_recovery_do_not_end_startup() {
    let mut path = Path::new();
    path.round(RATE / 2);
    for range in 0..6 {
        path.lose(3000 * range, BDP / 10, BDP);
    }
    let mut sample = path.sample(RATE);
    (sample.lost, sample.inflight) = (BDP / 10, 3 * BDP as u32);
    path.bbr.on_sample(&sample);
    assert_eq!(path.bbr.state, State::Startup);
}

#[test]
fn bbr_5_3_4_3_a_round_trip_as_short_as_the_least_does_not_put_probe_rtt_off() {
    let mut path = Path::at(State::ProbeBwCruise);
    let seen = path.bbr.probe_rtt_min_stamp;
    while path.bbr.state != State::ProbeRtt {
        assert!(path.now <= seen.after_nanos(5_000_000_000));
        let sample = path.sample(RATE);
        path.bbr.on_sample(&sample);
    }
}

#[test]
fn bbr_3_6_an_echo_of_congestion_ends_startup_although_a_recovery_was_spurious() {
    let mut path = Path::new();
    path.round(RATE);
    path.bbr.on_ecn_echo(path.now, BDP as u32);
    path.bbr.on_spurious(path.now);
    path.round(RATE);
    assert_ne!(path.bbr.state, State::Startup);
}

#[test]
fn bbr_has_no_threshold_of_slow_start() {
    let mut path = Path::at(State::ProbeBwUp);
    path.bbr.on_congestion_event(path.now, BDP as u32);
    path.bbr.on_timeout(path.now, BDP as u32, true);
    assert_eq!(path.bbr.ssthresh(), u32::MAX);
}

#[test]
fn a_threshold_of_the_users_is_between_the_drafts_and_a_half() {
    for (percent, threshold) in [(0, 2), (10, 10), (100, 50)] {
        let bbr = Bbr::with_loss_thresh(&super::PARAMETERS, percent);
        assert_eq!(bbr.loss_thresh, threshold);
    }
}

#[test]
fn bbr_5_6_1_and_5_6_4_2_what_may_be_in_flight_is_a_multiple_of_the_bdp_by_the_state() {
    let mut path = Path::at(State::ProbeBwCruise);
    path.bbr.extra_acked_filter = Default::default();
    for (state, most) in [
        (State::Startup, 2 * BDP),
        (State::Drain, 2 * BDP),
        (State::ProbeBwDown, 2 * BDP),
        (State::ProbeBwCruise, 2 * BDP),
        (State::ProbeBwRefill, 2 * BDP),
        (State::ProbeBwUp, BDP * 225 / 100 + 2 * u64::from(SMSS)),
        (State::ProbeRtt, BDP / 2),
    ] {
        path.bbr.state = state;
        assert_eq!(path.bbr.max_inflight(), most, "{state:?}");
    }
    // On a slow path: three quanta, or four segments.
    path.bbr.state = State::ProbeBwCruise;
    path.bbr.send_quantum = 2000;
    assert_eq!(path.bbr.inflight_at(10), 6000);
    path.bbr.send_quantum = 1000;
    assert_eq!(path.bbr.inflight_at(10), 4000);
}

#[test]
fn bbr_5_5_11_2_a_probe_whose_end_was_spurious_goes_on_unless_the_round_trip_is_probed() {
    for (state, after) in [
        (State::ProbeBwDown, State::ProbeBwRefill),
        (State::ProbeRtt, State::ProbeRtt),
    ] {
        let mut path = Path::at(State::ProbeBwUp);
        path.lose(0, BDP / 10, BDP / 2);
        path.bbr.state = state;
        path.bbr.on_spurious(path.now);
        assert_eq!(path.bbr.state, after);
    }
}

#[test]
fn bbr_5_5_9_what_is_acknowledged_beyond_the_rate_is_aggregation() {
    let mut path = Path::at(State::ProbeBwCruise);
    path.bbr.extra_acked_filter = Default::default();
    let mut acked = |nanos, octets| {
        let mut sample = within_a_round(&mut path);
        path.now = path.bbr.extra_acked_interval_start.after_nanos(nanos);
        (sample.now, sample.newly_acked) = (path.now, octets);
        path.bbr.update_ack_aggregation(&sample);
        path.bbr.extra_acked_filter.max(false)
    };
    // The first begins an interval; half a millisecond is worth 5,000 octets.
    assert_eq!(acked(RTT, 10_000), 10_000);
    assert_eq!(acked(500_000, 10_000), 15_000);
}

#[test]
fn bbr_5_3_1_3_without_selective_acknowledgements_a_recovery_ends_startup_only_on_a_loss() {
    for (lost, state) in [(false, State::Startup), (true, State::Drain)] {
        let mut path = Path::new();
        path.bbr.has_selective_acks = false;
        path.round(RATE / 2);
        if lost {
            path.lose(0, 1000, BDP);
        }
        let mut sample = path.sample(RATE);
        (sample.in_recovery, sample.inflight) = (true, 3 * BDP as u32);
        path.bbr.on_sample(&sample);
        assert_eq!(path.bbr.state, state);
    }
}

#[test]
fn bbr_5_3_1_2_only_whole_rounds_that_the_application_has_not_limited_count_for_a_plateau() {
    let mut path = Path::new();
    path.round(RATE);
    for _ in 0..3 {
        let sample = within_a_round(&mut path);
        path.bbr.next_round_delivered = u64::MAX;
        path.bbr.on_sample(&sample);
        path.bbr.start_round();
    }
    assert_eq!(path.bbr.full_bw_count, 0);
    path.round(RATE);
    assert_eq!(path.bbr.full_bw_count, 1);
}

#[test]
fn bbr_5_3_3_9_a_cycle_that_the_application_has_limited_does_not_age_the_maximum_of_the_rate() {
    let mut path = Path::at(State::ProbeBwDown);
    for limited in [true, false] {
        path.bbr.ack_phase = AckPhase::ProbeStopping;
        let mut sample = path.sample(RATE / 2);
        sample.is_app_limited = limited;
        path.bbr.on_sample(&sample);
    }
    assert_eq!(path.bbr.max_bw(), RATE);
}
