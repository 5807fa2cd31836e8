//! Pacing, and the choice of the congestion controller.

use netstack::proto::tcp::{Config, congestion};

use crate::wire::*;

/// A connection with BBR, a round-trip time of 100 ms and segments of 1,000 octets.
fn bbr(syn: &Seg) -> Conn {
    let mut options = plain();
    options.congestion = Some(congestion::bbr);
    Conn::accept_after(ms(100), Config::default(), options, syn)
}

#[test]
fn bbr_5_6_2_the_initial_window_is_paced_by_a_timer() {
    let mut c = bbr(&sack_syn());
    c.e.send(c.id, &[0; 10_000]);
    // 2.77 initial windows in a round-trip time are 277,000 octets a second; a quantum is two
    // segments, which take 7.22 ms.
    assert_eq!(c.e.sent().len(), 2);
    assert_eq!(c.e.sent().len(), 0);
    let start = c.e.now;
    let rest = c.e.pass(ms(50));
    let times: Vec<u64> = rest
        .iter()
        .map(|(now, _)| (*now - start).as_micros() as u64 / 10)
        .collect();
    assert_eq!(times, [722, 722, 1444, 1444, 2166, 2166, 2888, 2888]);
}

#[test]
fn bbr_5_6_2_acknowledgements_do_not_break_the_pace_and_answers_are_not_paced() {
    let mut c = bbr(&sack_syn());
    c.e.send(c.id, &[0; 10_000]);
    assert_eq!(c.e.sent().len(), 2);
    c.e.now += ms(1);
    c.give_data(b"question");
    c.give_data(b"question");
    let sent = c.e.sent();
    assert!(!sent.is_empty() && sent.iter().all(|segment| segment.payload.is_empty()));
}

#[test]
fn bbr_4_1_3_5_a_peer_without_sack_is_retransmitted_to_after_three_duplicates() {
    let mut c = bbr(&seg(SYN, IRS, 0).mss(1000));
    c.e.send(c.id, &[0; 10_000]);
    let first = c.e.sent()[0].seq;
    c.e.pass(ms(50));
    for _ in 0..3 {
        let duplicate = c.seg(ACK);
        c.e.give(&duplicate);
    }
    assert_eq!(c.e.sent()[0].seq, first);
}

#[test]
fn options_choose_the_controller_for_one_connection_and_the_engine_for_the_others() {
    let at_once = |of_stack: Option<congestion::MakeController>, of_one| {
        let mut config = Config::default();
        if let Some(congestion) = of_stack {
            config.congestion = congestion;
        }
        let mut options = plain();
        options.congestion = of_one;
        let mut c = Conn::accept_after(ms(100), config, options, &sack_syn());
        c.e.send(c.id, &[0; 10_000]);
        c.e.sent().len()
    };
    assert_eq!(at_once(None, None), 10);
    assert_eq!(at_once(None, Some(congestion::bbr)), 2);
    assert_eq!(at_once(Some(congestion::bbr), None), 2);
    assert_eq!(at_once(Some(congestion::bbr), Some(congestion::cubic)), 10);
}

/// When the segments of a window of twenty thousand octets go out, after the first ten were acknowledged
/// `rtt` milliseconds after they were sent.
fn second_window(rtt: u64) -> Vec<u64> {
    let options = plain().paced(true);
    let mut c = Conn::accept_after(ms(rtt), Config::default(), options, &sack_syn());
    c.e.send(c.id, &[0; 30_000]);
    assert_eq!(c.e.sent().len(), 10);
    c.e.now += ms(rtt);
    c.acks(10_000);
    let start = c.e.now;
    let mut times = vec![0; c.e.sent().len()];
    let later = c.e.pass(ms(rtt));
    times.extend(
        later
            .iter()
            .map(|(now, _)| (*now - start).as_millis() as u64),
    );
    times
}

#[test]
fn a_window_is_paced_over_a_long_round_trip_and_on_a_short_one_it_goes_out_at_once() {
    // In slow start in half a round trip: two segments each 5 ms.
    let expected: Vec<u64> = (0..20).map(|segment| segment / 2 * 5).collect();
    assert_eq!(second_window(100), expected);
    assert_eq!(second_window(4), [0; 20]);
}
