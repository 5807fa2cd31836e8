//! BBR's states and gains in virtual time: each call of [`Path::round`] is one round trip, with one
//! acknowledgement for all that it delivers.

mod bounds;

use core::time::Duration;

use super::loss::inflight_at_loss;
use super::{Bbr, INFINITY, State};
use crate::proto::Instant;
use crate::proto::tcp::congestion::{Controller, LostPiece, Parameters, RateSample};

const SMSS: u32 = 1000;
const RTT: u64 = 100_000_000;
/// Octets a second, and in a round trip.
const RATE: u64 = 10_000_000;
const BDP: u64 = RATE / 10;
const PARAMETERS: Parameters = Parameters {
    smss: SMSS,
    now: Instant::from_nanos(0),
    selective_acks: true,
    seed: 7,
    srtt: RTT,
};

struct Path {
    bbr: Bbr,
    now: Instant,
    delivered: u64,
}

impl Path {
    fn new() -> Self {
        Self {
            bbr: Bbr::new(&PARAMETERS),
            now: PARAMETERS.now,
            delivered: 0,
        }
    }

    /// A sample of one round trip at `rate`, of which nothing was lost.
    fn sample(&mut self, rate: u64) -> RateSample {
        let octets = rate * RTT / 1_000_000_000;
        let prior_delivered = self.delivered;
        self.now = self.now.after_nanos(RTT);
        self.delivered += octets;
        RateSample {
            now: self.now,
            delivery_rate: rate,
            delivered: octets,
            prior_delivered: Some(prior_delivered),
            is_app_limited: false,
            tx_in_flight: octets as u32,
            lost: 0,
            newly_acked: octets as u32,
            total_delivered: self.delivered,
            inflight: octets as u32,
            cwnd_limited: false,
            in_recovery: false,
            rtt: Some(RTT),
        }
    }

    /// A round trip in which the least round-trip time is seen, so that none needs to be probed for.
    fn round(&mut self, rate: u64) {
        let sample = self.sample(rate);
        self.bbr.probe_rtt_min_stamp = self.now;
        self.bbr.on_sample(&sample);
    }

    fn lose(&mut self, start: u32, lost: u64, tx_in_flight: u64) {
        self.bbr.on_lost(&LostPiece {
            now: self.now,
            start,
            size: SMSS,
            tx_in_flight: tx_in_flight as u32,
            lost,
            is_app_limited: false,
            delivered: self.delivered,
            inflight: BDP as u32,
        });
    }

    /// Rounds at the path's rate until a state is reached.
    fn until(&mut self, state: State) {
        for _ in 0..200 {
            if self.bbr.state == state {
                return;
            }
            self.round(RATE);
        }
        panic!("still {:?} after 200 round trips", self.bbr.state);
    }

    fn at(state: State) -> Self {
        let mut path = Self::new();
        path.until(state);
        path
    }

    /// The pacing rate in percent of the path's rate, without the margin of 1 %.
    fn gain(&self) -> u64 {
        (self.bbr.pacing_rate * 1000 / 99 * 10 + RATE / 2) / RATE
    }
}

#[test]
fn bbr_5_2_1_and_5_6_2_begins_with_the_initial_window_and_2_77_times_its_rate() {
    let path = Path::new();
    assert_eq!(path.bbr.cwnd(), 10 * SMSS);
    let nominal = 10 * u64::from(SMSS) * 10;
    assert_eq!(path.bbr.pacing_rate, nominal * 277 / 100);
}

#[test]
fn bbr_5_3_1_2_startup_ends_after_three_rounds_on_a_plateau() {
    let mut path = Path::new();
    for doubled in 0..6 {
        path.round(RATE >> (6 - doubled));
        assert_eq!(path.bbr.state, State::Startup);
    }
    path.round(RATE);
    assert_eq!(path.gain(), 277);
    path.round(RATE);
    path.round(RATE * 5 / 4 - 1);
    assert_eq!(path.bbr.state, State::Startup);
    // Still more than the estimated BDP is in flight, so Drain does not end at once.
    let mut sample = path.sample(RATE);
    sample.inflight = 2 * BDP as u32;
    path.bbr.on_sample(&sample);
    assert!(path.bbr.full_bw_reached);
    assert_eq!(path.bbr.state, State::Drain);
}

#[test]
fn bbr_10_7_startup_does_not_end_while_the_application_limits_it() {
    let mut path = Path::new();
    for _ in 0..20 {
        let mut sample = path.sample(RATE);
        sample.is_app_limited = true;
        path.bbr.on_sample(&sample);
    }
    assert_eq!(path.bbr.state, State::Startup);
    // Such samples count when they are the largest.
    assert_eq!(path.bbr.max_bw(), RATE);
}

#[test]
fn bbr_5_3_1_3_startup_ends_on_six_ranges_lost_in_a_round_of_recovery() {
    for (ranges, state) in [(5, State::Startup), (6, State::Drain)] {
        let mut path = Path::new();
        path.round(RATE / 2);
        for range in 0..ranges {
            path.lose(3000 * range, BDP / 10, BDP);
        }
        let mut sample = path.sample(RATE);
        sample.in_recovery = true;
        sample.lost = BDP / 10;
        sample.inflight = 3 * BDP as u32;
        path.bbr.on_sample(&sample);
        assert_eq!(path.bbr.state, state, "{ranges} ranges");
    }
}

#[test]
fn bbr_5_3_1_3_adjacent_losses_are_one_range() {
    let mut path = Path::new();
    path.round(RATE / 2);
    for piece in 0..20 {
        path.lose(piece * SMSS, BDP / 10, BDP);
    }
    assert_eq!(path.bbr.lost_ranges, 1);
}

#[test]
fn bbr_5_3_2_drain_paces_at_half_and_ends_when_the_queue_is_gone_or_after_three_rounds() {
    let drained = |inflight: u64| {
        let mut path = Path::new();
        for _ in 0..3 {
            path.round(RATE);
        }
        for round in 0..10 {
            let mut sample = path.sample(RATE);
            sample.inflight = inflight as u32;
            path.bbr.on_sample(&sample);
            match path.bbr.state {
                State::Drain => assert_eq!(path.gain(), 50),
                State::ProbeBwDown | State::ProbeBwCruise => return round,
                state => panic!("{state:?}"),
            }
        }
        panic!("still in Drain");
    };
    assert_eq!(drained(BDP), 0);
    assert_eq!(drained(BDP * 2), 4);
}

#[test]
fn bbr_5_3_3_cycle_of_down_cruise_refill_and_up_with_their_gains() {
    let mut path = Path::at(State::ProbeBwDown);
    assert_eq!(path.gain(), 90);
    path.until(State::ProbeBwCruise);
    assert_eq!(path.gain(), 100);
    path.until(State::ProbeBwRefill);
    assert_eq!(path.gain(), 100);
    path.round(RATE);
    assert_eq!(path.bbr.state, State::ProbeBwUp);
    assert_eq!(path.gain(), 125);
    // §5.6.1: a window of 2.25 BDP, two segments more while probing, and what was aggregated.
    let window = u64::from(path.bbr.cwnd());
    assert!(window >= 225 * BDP / 100, "{window}");
    // Three round trips without growth.
    for _ in 0..2 {
        path.round(RATE);
        assert_eq!(path.bbr.state, State::ProbeBwUp);
    }
    path.round(RATE);
    assert_eq!(path.bbr.state, State::ProbeBwDown);
}

#[test]
fn bbr_5_3_3_8_probes_again_after_two_to_three_seconds() {
    for _ in 0..20 {
        let mut path = Path::at(State::ProbeBwCruise);
        let since = path.bbr.cycle_stamp;
        path.until(State::ProbeBwRefill);
        let waited = path.now - since;
        let bounds = Duration::from_millis(2000)..Duration::from_millis(3101);
        assert!(bounds.contains(&waited), "{waited:?}");
    }
}

#[test]
fn bbr_5_3_3_8_probes_again_after_as_many_rounds_as_segments_when_these_are_few() {
    let mut path = Path::new();
    // Ten segments in a round trip.
    let slow = 100_000;
    for _ in 0..100 {
        path.round(slow);
        if path.bbr.state == State::ProbeBwCruise {
            break;
        }
    }
    let mut rounds = 0;
    while path.bbr.state == State::ProbeBwCruise {
        path.round(slow);
        rounds += 1;
    }
    assert!((7..=11).contains(&rounds), "{rounds}");
}

#[test]
fn bbr_5_3_3_9_more_rate_is_found_by_probing() {
    let mut path = Path::at(State::ProbeBwUp);
    path.round(RATE * 5 / 4);
    assert_eq!(path.bbr.bw, RATE * 5 / 4);
    // And less by two cycles without the old rate (§5.5.5).
    let mut path = Path::at(State::ProbeBwUp);
    path.until(State::ProbeBwDown);
    for _ in 0..200 {
        path.round(RATE / 2);
    }
    assert_eq!(path.bbr.bw, RATE / 2);
}

#[test]
fn bbr_5_5_10_2_loss_of_more_than_two_percent_ends_a_probe() {
    let mut path = Path::at(State::ProbeBwUp);
    path.lose(0, BDP * 2 / 100, BDP);
    assert_eq!(path.bbr.state, State::ProbeBwUp);
    path.lose(0, BDP * 3 / 100, 2 * BDP);
    assert_eq!(path.bbr.state, State::ProbeBwUp);
    path.lose(0, BDP * 3 / 100, BDP);
    assert_eq!(path.bbr.state, State::ProbeBwDown);
    assert_eq!(path.bbr.inflight_longterm, BDP - u64::from(SMSS));
    // Once only in each probe.
    path.lose(0, BDP / 2, BDP / 10);
    assert_eq!(path.bbr.inflight_longterm, BDP - u64::from(SMSS));
}

#[test]
fn bbr_5_5_10_2_the_bound_is_at_least_seven_tenths_of_the_target() {
    let mut path = Path::at(State::ProbeBwUp);
    path.lose(0, BDP / 10, BDP / 10);
    assert_eq!(path.bbr.inflight_longterm, BDP * 7 / 10);
}

#[test]
fn bbr_5_5_10_2_inflight_at_loss_is_where_losses_crossed_the_threshold() {
    // 2 % of 1,000 are 20, of which 10 were lost before: ten of the 100 octets may go, and 2 % of
    // those.
    assert_eq!(inflight_at_loss(1100, 110, 100, 2), 1000 + 10 * 100 / 98);
    assert_eq!(inflight_at_loss(1100, 500, 100, 2), 1000);
}

#[test]
fn bbr_5_3_3_6_after_a_probe_that_went_too_high_the_next_is_short() {
    let mut path = Path::at(State::ProbeBwUp);
    path.lose(0, BDP / 10, BDP);
    path.until(State::ProbeBwUp);
    assert!(path.bbr.prev_probe_too_high);
    // Deceleration: what is in flight has reached the bound.
    path.round(RATE);
    assert_eq!(path.bbr.state, State::ProbeBwDown);
    assert!(path.bbr.prev_probe_precautionary && !path.bbr.prev_probe_too_high);
    // Acceleration: a round trip later it probes again.
    path.round(RATE);
    assert_eq!(path.bbr.state, State::ProbeBwRefill);
}

#[test]
fn bbr_5_5_10_3_loss_outside_of_probes_lowers_the_rate_to_what_is_delivered() {
    let mut path = Path::at(State::ProbeBwCruise);
    path.lose(0, 1000, BDP);
    let mut sample = path.sample(RATE * 9 / 10);
    sample.lost = 1000;
    path.bbr.on_sample(&sample);
    path.round(RATE * 9 / 10);
    assert_eq!(path.bbr.bw, RATE);
    path.lose(0, 1000, BDP);
    path.round(RATE * 9 / 10);
    assert_eq!(path.bbr.bw_shortterm, RATE * 9 / 10);
    assert_eq!(path.gain(), 90);
    // At most by three tenths in a round trip.
    path.lose(0, 1000, BDP);
    path.round(RATE / 10);
    path.lose(0, 1000, BDP);
    path.round(RATE / 10);
    assert_eq!(path.bbr.bw_shortterm, RATE * 9 / 10 * 7 / 10);
    // §5.3.3.3: refilling forgets it.
    path.until(State::ProbeBwRefill);
    assert_eq!(
        (path.bbr.bw_shortterm, path.bbr.inflight_shortterm),
        (INFINITY, INFINITY)
    );
}

#[test]
fn a_threshold_of_the_users_takes_losses_below_it_for_no_sign() {
    let mut path = Path::at(State::ProbeBwCruise);
    path.bbr.loss_thresh = 10;
    let lose = |path: &mut Path, lost| {
        path.lose(0, lost, BDP);
        let mut sample = path.sample(RATE * 9 / 10);
        sample.lost = lost;
        path.bbr.on_sample(&sample);
    };
    for _ in 0..3 {
        lose(&mut path, BDP * 9 / 100);
    }
    assert_eq!(path.bbr.bw, RATE);
    for _ in 0..3 {
        lose(&mut path, BDP * 11 / 100);
    }
    assert_eq!(path.bbr.bw, RATE * 9 / 10);
}

#[test]
fn bbr_5_3_4_probe_rtt_after_five_seconds_for_200_ms_with_half_a_bdp() {
    let mut path = Path::at(State::ProbeBwDown);
    let slower = |path: &mut Path, inflight: u64| {
        let mut sample = path.sample(RATE);
        sample.rtt = Some(RTT + 1);
        sample.inflight = inflight as u32;
        path.bbr.on_sample(&sample);
    };
    let since = path.bbr.probe_rtt_min_stamp;
    while path.bbr.state != State::ProbeRtt {
        slower(&mut path, BDP);
    }
    let waited = path.now - since;
    assert!(
        waited > Duration::from_secs(5) && waited < Duration::from_millis(5200),
        "{waited:?}"
    );
    assert_eq!(u64::from(path.bbr.cwnd()), BDP / 2);
    assert!(path.bbr.pacing().is_some_and(|pacing| pacing.held_back));
    // The time begins when what is in flight has sunk.
    for _ in 0..5 {
        slower(&mut path, BDP);
    }
    assert_eq!(path.bbr.state, State::ProbeRtt);
    let since = path.now;
    while path.bbr.state == State::ProbeRtt {
        slower(&mut path, BDP / 2);
    }
    let lasted = path.now - since;
    assert!(
        lasted > Duration::from_millis(200) && lasted < Duration::from_millis(500),
        "{lasted:?}"
    );
    // §5.3.4.4: the window is back, and it cruises.
    assert_eq!(path.bbr.state, State::ProbeBwCruise);
    assert!(u64::from(path.bbr.cwnd()) >= 2 * BDP);
}

#[test]
fn bbr_10_20_probe_rtt_during_startup_goes_back_to_startup() {
    let mut path = Path::new();
    path.bbr.probe_rtt_min_delay = RTT - 1;
    path.now = path.now.after_nanos(6_000_000_000);
    let sample = path.sample(RATE / 8);
    path.bbr.on_sample(&sample);
    assert_eq!(path.bbr.state, State::ProbeRtt);
    for _ in 0..5 {
        let mut sample = path.sample(RATE / 8);
        sample.inflight = 0;
        sample.is_app_limited = true;
        path.bbr.on_sample(&sample);
    }
    assert_eq!(path.bbr.state, State::Startup);
}

#[test]
fn bbr_5_4_1_a_restart_from_idle_is_paced_at_the_bandwidth_and_puts_off_probe_rtt() {
    let mut path = Path::at(State::ProbeBwDown);
    assert_eq!(path.gain(), 90);
    path.now = path.now.after_nanos(20_000_000_000);
    path.bbr.on_idle();
    path.bbr.on_restart(path.now);
    assert_eq!(path.gain(), 100);
    let mut sample = path.sample(RATE);
    sample.is_app_limited = true;
    path.bbr.on_sample(&sample);
    assert_ne!(path.bbr.state, State::ProbeRtt);
    assert_eq!(path.bbr.max_bw(), RATE);
}

#[test]
fn bbr_5_5_11_2_a_spurious_recovery_is_undone() {
    let mut path = Path::at(State::ProbeBwUp);
    path.bbr.on_congestion_event(path.now, BDP as u32);
    let before = path.bbr.cwnd();
    path.lose(0, BDP / 10, BDP / 2);
    assert_eq!(path.bbr.state, State::ProbeBwDown);
    path.round(RATE);
    path.bbr.on_spurious(path.now);
    assert_eq!(path.bbr.inflight_longterm, INFINITY);
    assert_eq!(path.bbr.state, State::ProbeBwRefill);
    assert!(path.bbr.cwnd() >= before);
}

#[test]
fn bbr_5_6_4_4_a_time_out_leaves_one_segment_and_recovery_restores_the_window() {
    let mut path = Path::at(State::ProbeBwCruise);
    let before = path.bbr.cwnd();
    path.bbr.inflight = 0;
    path.bbr.on_timeout(path.now, BDP as u32, true);
    assert_eq!(path.bbr.cwnd(), SMSS);
    path.bbr.on_timeout(path.now, BDP as u32, false);
    path.bbr.on_recovered();
    assert_eq!(path.bbr.cwnd(), before);
}

#[test]
fn bbr_3_6_an_echo_of_congestion_ends_a_probe_and_startup() {
    let mut path = Path::at(State::ProbeBwUp);
    path.bbr.on_ecn_echo(path.now, BDP as u32);
    assert_eq!(path.bbr.state, State::ProbeBwDown);
    assert_eq!(path.bbr.inflight_longterm, BDP);
    let mut path = Path::new();
    path.round(RATE);
    path.bbr.on_ecn_echo(path.now, BDP as u32);
    path.round(RATE);
    assert_ne!(path.bbr.state, State::Startup);
}

#[test]
fn bbr_5_6_3_the_quantum_is_a_millisecond_between_two_segments_and_64_kib_or_100_us() {
    let mut bbr = Path::new().bbr;
    let mut quantum = |rate| {
        bbr.pacing_rate = rate;
        bbr.set_send_quantum();
        bbr.send_quantum
    };
    assert_eq!(quantum(100_000), 2 * u64::from(SMSS));
    assert_eq!(quantum(12_500_000), 12_500);
    assert_eq!(quantum(125_000_000), 64 << 10);
    assert_eq!(quantum(1_250_000_000), 125_000);
}

#[test]
fn bbr_5_5_9_aggregated_acknowledgements_widen_the_window() {
    let mut path = Path::at(State::ProbeBwCruise);
    let before = path.bbr.max_inflight();
    // A round trip of silence, then two at once.
    path.now = path.now.after_nanos(RTT);
    let mut sample = path.sample(RATE);
    sample.newly_acked = 2 * BDP as u32;
    sample.total_delivered += BDP;
    path.delivered += BDP;
    path.bbr.on_sample(&sample);
    let widened = path.bbr.max_inflight() - before;
    assert!(widened > 0 && widened <= 2 * BDP, "{widened}");
}
