//! What a user's own congestion controller is told.

use core::time::Duration;
use std::cell::RefCell;

use netstack::proto::Instant;
use netstack::proto::tcp::Config;
use netstack::proto::tcp::congestion::{Ack, Controller, Pacing, Parameters, RateSample};

use crate::wire::*;

#[derive(Debug, PartialEq)]
enum Told {
    Parameters(Duration, u32, bool),
    Seed(u64),
    Ack(Duration, u32, u32),
    Sample(Option<Duration>, u32, u64),
    Event(u32),
    Restart,
}

thread_local! {
    static TOLD: RefCell<Vec<Told>> = const { RefCell::new(Vec::new()) };
}

fn tell(told: Told) {
    TOLD.with_borrow_mut(|all| all.push(told));
}

/// Keeps ten segments in flight and notes what it is told.
#[derive(Debug)]
struct Recorder(Option<Pacing>);

impl Controller for Recorder {
    fn cwnd(&self) -> u32 {
        10_000
    }

    fn ssthresh(&self) -> u32 {
        10_000
    }

    fn on_ack(&mut self, ack: &Ack) {
        tell(Told::Ack(ack.srtt(), ack.acked, ack.flight));
    }

    fn on_congestion_event(&mut self, _now: Instant, flight: u32) {
        tell(Told::Event(flight));
    }

    fn on_timeout(&mut self, _now: Instant, _flight: u32, _first: bool) {}

    fn on_spurious(&mut self, _now: Instant) {}

    fn on_idle(&mut self) {}

    fn set_smss(&mut self, _smss: u32) {}

    fn pacing(&self) -> Option<Pacing> {
        self.0
    }

    fn on_restart(&mut self, _now: Instant) {
        tell(Told::Restart);
    }

    fn on_sample(&mut self, sample: &RateSample) {
        tell(Told::Sample(
            sample.rtt(),
            sample.newly_acked,
            sample.delivery_rate,
        ));
    }
}

fn unpaced(parameters: &Parameters) -> Box<dyn Controller> {
    tell(Told::Parameters(
        parameters.srtt(),
        parameters.smss,
        parameters.selective_acks,
    ));
    Box::new(Recorder(None))
}

/// Paced as BBR is at first.
fn paced(parameters: &Parameters) -> Box<dyn Controller> {
    let bbr = netstack::proto::tcp::congestion::bbr(parameters);
    Box::new(Recorder(bbr.pacing()))
}

fn seeded(parameters: &Parameters) -> Box<dyn Controller> {
    tell(Told::Seed(parameters.seed));
    Box::new(Recorder(None))
}

/// A connection with a round-trip time of 100 ms, and what was told of its beginning.
fn with(make: fn(&Parameters) -> Box<dyn Controller>) -> Conn {
    TOLD.take();
    let mut options = plain();
    options.congestion = Some(make);
    Conn::accept_after(ms(100), Config::default(), options, &sack_syn())
}

#[test]
fn a_controller_is_told_the_round_trip_of_the_handshake_and_of_each_acknowledgement() {
    let mut c = with(unpaced);
    assert_eq!(TOLD.take(), [Told::Parameters(ms(100), 1000, true)]);
    c.sends(4);
    c.e.now += ms(180);
    c.acks(2000);
    // SRTT is 7/8 of 100 ms and 1/8 of 180 ms.
    assert_eq!(TOLD.take(), [Told::Ack(ms(110), 2000, 4000)]);
}

#[test]
fn a_controller_of_a_paced_connection_is_told_the_round_trip_of_the_last_piece_and_the_rate() {
    let mut c = with(paced);
    c.e.send(c.id, &[0; 2000]);
    assert_eq!(c.e.sent().len(), 2);
    TOLD.take();
    c.e.now += ms(40);
    c.acks(2000);
    let samples = TOLD.take();
    // 2,000 octets in 40 ms are less than nothing known of the path: its least round trip is 40 ms now.
    assert_eq!(samples, [Told::Sample(Some(ms(40)), 2000, 50_000)]);
}

#[test]
fn bbr_5_4_1_a_controller_is_told_of_a_restart_when_the_application_had_nothing_to_send() {
    let mut c = with(paced);
    c.e.send(c.id, &[0; 2000]);
    assert_eq!(c.e.sent().len(), 2);
    c.e.now += ms(100);
    c.acks(2000);
    c.e.now += ms(500);
    TOLD.take();
    c.e.send(c.id, &[0; 1000]);
    c.e.one();
    assert_eq!(TOLD.take(), [Told::Restart]);
}

#[test]
fn rfc6528_3_a_controllers_seed_is_of_both_initial_sequence_numbers() {
    let seed = |irs| {
        TOLD.take();
        let mut options = plain();
        options.congestion = Some(seeded);
        let c = Conn::accept(Config::default(), options, &seg(SYN, irs, 0));
        let expected = u64::from(c.syn_ack.seq) << 32 | u64::from(irs);
        assert_eq!(TOLD.take(), [Told::Seed(expected)]);
    };
    seed(0x0f0f_0f0f);
    seed(0xf0f0_f0f0);
}

#[test]
fn a_controller_of_a_paced_connection_is_told_of_marks_and_of_losses() {
    TOLD.take();
    let mut options = plain();
    options.congestion = Some(paced);
    options.ecn = true;
    let mut syn = sack_syn();
    syn.flags |= ECE | CWR;
    let mut c = Conn::accept_after(ms(100), Config::default(), options, &syn);
    c.e.send(c.id, &[0; 10_000]);
    let sent = c.e.sent().len() + c.e.pass(ms(80)).len();
    assert_eq!(sent, 10);
    TOLD.take();
    c.ack += 1000;
    c.e.give(&c.seg(ACK | ECE));
    c.e.now += ms(1);
    c.e.give(&c.seg(ACK).sack(&[(c.ack + 1000, c.ack + 5000)]));
    let mut told = TOLD.take();
    told.retain(|told| matches!(told, Told::Event(_)));
    assert_eq!(told.len(), 2);
}
