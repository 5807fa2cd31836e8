//! Loss: RFC 5681, RFC 6582, RFC 6675, RFC 8985, RFC 6298, RFC 3522.

use core::time::Duration;

use netstack::proto::tcp::{Config, congestion};

use crate::wire::*;

/// Positions, in segments of 1000 octets after `base`, of what was sent.
fn places(base: u32, sent: &[Seg]) -> Vec<u32> {
    sent.iter()
        .map(|segment| segment.seq.wrapping_sub(base) / 1000)
        .collect()
}

/// A SACK connection with a round-trip time of 100 ms and `count` segments in flight.
fn in_flight(count: usize) -> (Conn, u32) {
    let mut c = Conn::slow(&sack_syn());
    let base = c.ack;
    c.sends(count);
    (c, base)
}

/// A connection without SACK and with a round-trip time of 100 ms.
fn slow() -> Conn {
    Conn::slow(&seg(SYN, IRS, 0).mss(1000))
}

/// The peer reports blocks, in segments after `base`.
fn sacks(c: &mut Conn, base: u32, blocks: &[(u32, u32)]) {
    let blocks: Vec<_> = blocks
        .iter()
        .map(|(start, end)| (base + 1000 * start, base + 1000 * end))
        .collect();
    let segment = c.seg(ACK).sack(&blocks);
    c.e.give(&segment);
}

#[test]
fn rfc6298_5_1_to_5_5_time_outs_double() {
    let mut c = Conn::plain();
    c.e.send(c.id, &[66; 500]);
    let first = c.e.one();
    let start = c.e.now;
    let times: Vec<u64> =
        c.e.pass(Duration::from_secs(40))
            .into_iter()
            .map(|(time, segment)| {
                assert_eq!((segment.seq, &segment.payload), (first.seq, &first.payload));
                (time - start).as_millis() as u64
            })
            .collect();
    // The handshake took no time, so the least time-out of 200 ms applies.
    for (time, expected) in times
        .iter()
        .zip([200, 600, 1400, 3000, 6200, 12_600, 25_400])
    {
        assert!(time.abs_diff(expected) <= 2, "{times:?}");
    }
    assert_eq!(times.len(), 7);
    assert_eq!(c.e.tcp.counters().timeouts, 7);
}

#[test]
fn rfc6298_5_2_and_5_3_the_timer_starts_over_with_progress_and_stops_when_all_is_acknowledged() {
    let mut c = Conn::plain();
    c.sends(2);
    assert!(c.e.pass(ms(150)).is_empty());
    c.acks(1000);
    assert!(c.e.pass(ms(150)).is_empty());
    c.acks(1000);
    assert!(c.e.pass(Duration::from_secs(100)).is_empty());
}

#[test]
fn rfc6298_2_1_and_5_7_a_lost_syn_is_sent_again_after_a_second_and_the_timeout_is_then_three() {
    use core::net::SocketAddrV4;
    let mut e = Engine::new();
    let remote = SocketAddrV4::new(PEER, PEER_PORT);
    let id = e
        .tcp
        .connect(e.now, SocketAddrV4::new(OURS, PORT), remote, &plain())
        .unwrap();
    let syn = e.one();
    let start = e.now;
    let again = e.pass(ms(1500));
    assert_eq!((again.len(), again[0].0 - start), (1, ms(1000)));
    assert_eq!((again[0].1.flags, again[0].1.seq), (SYN, syn.seq));
    e.give(&seg(SYN | ACK, IRS, syn.seq + 1).mss(1000));
    e.one();
    e.send(id, &[0; 10]);
    e.one();
    assert!(e.pass(ms(2900)).is_empty());
    assert_eq!(e.pass(ms(200)).len(), 1);
}

#[test]
fn rfc9293_3_8_3_syns_are_not_sent_for_ever() {
    use core::net::SocketAddrV4;
    use netstack::proto::tcp::{Error, State};
    let mut e = Engine::new();
    let remote = SocketAddrV4::new(PEER, PEER_PORT);
    let id = e
        .tcp
        .connect(e.now, SocketAddrV4::new(OURS, 0), remote, &plain())
        .unwrap();
    e.one();
    assert_eq!(e.pass(Duration::from_secs(300)).len(), 6);
    assert_eq!(
        (e.state(id), e.error(id)),
        (State::Closed, Some(Error::TimedOut))
    );
    // A half-open connection is forgotten too.
    e.answer(&seg(SYN, IRS, 0));
    assert_eq!(e.pass(Duration::from_secs(300)).len(), 5);
    e.tcp.release(e.now, id);
    assert_eq!(e.tcp.connection_counts(), (0, 0));
}

#[test]
fn rfc6298_3_karn_retransmissions_give_no_sample() {
    let mut c = slow();
    let before = c.e.tcp.status(c.id).unwrap().smoothed_rtt.unwrap();
    c.sends(1);
    assert_eq!(c.e.pass(ms(500)).len(), 1);
    c.acks(1000);
    assert_eq!(c.e.tcp.status(c.id).unwrap().smoothed_rtt.unwrap(), before);
}

#[test]
fn rfc5681_3_1_after_a_time_out_one_segment_then_slow_start() {
    let mut c = slow();
    let base = c.ack;
    c.sends(8);
    let sent = c.e.pass(ms(700));
    let again: Vec<Seg> = sent.into_iter().map(|(_, segment)| segment).collect();
    assert_eq!(places(base, &again), [0]);
    c.acks(1000);
    assert_eq!(places(base, &c.e.sent()), [1, 2]);
    c.acks(2000);
    assert_eq!(places(base, &c.e.sent()), [3, 4, 5, 6]);
}

#[test]
fn rfc5681_3_2_three_duplicates_retransmit_fast() {
    let mut c = slow();
    let base = c.ack;
    c.sends(8);
    for _ in 0..2 {
        c.acks(0);
        c.e.nothing();
    }
    c.acks(0);
    assert_eq!(places(base, &c.e.sent()), [0]);
    assert_eq!(c.e.tcp.counters().reno_recovery, 1);
    c.acks(8000);
    c.e.nothing();
    // ssthresh is 0.7 of what was in flight.
    assert_eq!(c.e.tcp.status(c.id).unwrap().congestion_window, 5600);
}

#[test]
fn rfc3042_2_limited_transmit_sends_new_data_for_the_first_two_duplicates() {
    let mut config = Config::default();
    config.congestion = congestion::new_reno;
    let mut c = Conn::accept(config, plain(), &seg(SYN, IRS, 0).mss(1000));
    let base = c.ack;
    c.e.send(c.id, &[0; 30_000]);
    assert_eq!(c.e.sent().len(), 10);
    c.acks(0);
    assert_eq!(places(base, &c.e.sent()), [10]);
    c.acks(0);
    assert_eq!(places(base, &c.e.sent()), [11]);
    c.acks(0);
    assert_eq!(places(base, &c.e.sent()), [0]);
}

#[test]
fn rfc6582_3_2_a_partial_acknowledgement_retransmits_the_next_hole() {
    let mut c = slow();
    let base = c.ack;
    c.sends(8);
    for _ in 0..3 {
        c.acks(0);
    }
    assert_eq!(places(base, &c.e.sent()), [0]);
    c.acks(3000);
    assert_eq!(places(base, &c.e.sent()), [3]);
    c.acks(5000);
    c.e.nothing();
    assert_eq!(c.e.tcp.counters().fast_retrans, 2);
}

#[test]
fn rfc6582_3_2_duplicates_after_a_time_out_do_not_retransmit_fast() {
    let mut c = slow();
    c.sends(8);
    c.e.pass(ms(700));
    c.acks(1000);
    let _ = c.e.sent();
    for _ in 0..5 {
        c.acks(0);
    }
    let _ = c.e.sent();
    assert_eq!(c.e.tcp.counters().reno_recovery, 0);
}

#[test]
fn rfc6675_5_only_holes_are_retransmitted() {
    let (mut c, base) = in_flight(8);
    c.e.now += ms(100);
    sacks(&mut c, base, &[(1, 2)]);
    sacks(&mut c, base, &[(1, 2), (3, 4)]);
    c.e.nothing();
    c.e.now += ms(1);
    sacks(&mut c, base, &[(5, 6), (3, 4), (1, 2)]);
    let mut again = c.e.sent();
    // What the reduced window holds back follows with the next acknowledgements.
    for end in [7, 8] {
        c.e.now += ms(1);
        sacks(&mut c, base, &[(5, end), (3, 4), (1, 2)]);
        again.extend(c.e.sent());
    }
    assert_eq!(places(base, &again), [0, 2, 4]);
    c.acks(8000);
    c.e.nothing();
    assert_eq!(
        (
            c.e.tcp.counters().retrans_segs,
            c.e.tcp.counters().sack_recovery
        ),
        (3, 1)
    );
}

#[test]
fn rfc6937_3_recovery_sends_in_proportion_to_what_is_delivered() {
    let (mut c, base) = in_flight(10);
    c.e.send(c.id, &[0; 20_000]);
    // The initial window is used up.
    c.e.nothing();
    c.e.now += ms(100);
    let mut sent = Vec::new();
    for end in 2..=10 {
        sacks(&mut c, base, &[(1, end)]);
        sent.push(c.e.sent().len());
    }
    let total: usize = sent.iter().sum();
    // 0.7 of nine delivered, and the first retransmission.
    assert!((6..=8).contains(&total), "{sent:?}");
    assert!(sent.iter().all(|count| *count <= 2), "{sent:?}");
}

#[test]
fn rfc2018_8_a_peer_that_reneges_gets_everything_again() {
    let (mut c, base) = in_flight(4);
    sacks(&mut c, base, &[(1, 4)]);
    let _ = c.e.sent();
    c.acks(1000);
    // The peer has dropped what it had reported; the first piece at SND.UNA is a sacked one.
    let mut again = Vec::new();
    for _ in 0..6 {
        let sent: Vec<Seg> =
            c.e.pass(ms(1000))
                .into_iter()
                .map(|(_, segment)| segment)
                .collect();
        if let Some(last) = sent.last() {
            again.extend(places(base, &sent));
            c.ack = last.seq + 1000;
            c.acks(0);
            again.extend(places(base, &c.e.sent()));
        }
    }
    assert!(
        [1, 2, 3].iter().all(|place| again.contains(place)),
        "{again:?}"
    );
}

#[test]
fn rfc8985_7_2_and_7_3_a_tail_loss_probe_comes_after_two_round_trips() {
    let (mut c, base) = in_flight(3);
    let start = c.e.now;
    let sent = c.e.pass(ms(250));
    assert_eq!(sent.len(), 1);
    assert_eq!(places(base, &[sent[0].1.clone()]), [2]);
    let after = sent[0].0 - start;
    assert!((ms(200)..=ms(205)).contains(&after), "{after:?}");
    assert_eq!(
        (c.e.tcp.counters().loss_probes, c.e.tcp.counters().timeouts),
        (1, 0)
    );
    // The selective acknowledgement of the probe tells what is lost.
    c.e.now += ms(100);
    sacks(&mut c, base, &[(2, 3)]);
    let mut again = c.e.sent();
    let later = c.e.pass(ms(60)).into_iter().map(|(_, segment)| segment);
    again.extend(later);
    assert_eq!(places(base, &again), [0]);
    // The next one when that has arrived (RFC 9937).
    c.e.now += ms(100);
    c.acks(1000);
    assert_eq!(places(base, &c.e.sent()), [1]);
}

#[test]
fn rfc8985_7_3_a_probe_sends_new_data_if_there_is_some() {
    let mut c = Conn::slow(&sack_syn());
    let base = c.ack;
    c.e.send(c.id, &[0; 30_000]);
    let count = c.e.sent().len() as u32;
    let sent = c.e.pass(ms(250));
    assert_eq!(places(base, &[sent[0].1.clone()]), [count]);
}

#[test]
fn rfc8985_7_4_a_probe_that_repaired_a_loss_counts_as_congestion() {
    let (mut c, _) = in_flight(3);
    let before = c.e.tcp.status(c.id).unwrap().congestion_window;
    assert_eq!(c.e.pass(ms(250)).len(), 1);
    c.acks(3000);
    // New data beyond the probe is acknowledged without a duplicate having been reported.
    c.sends(1);
    c.e.now += ms(100);
    c.acks(1000);
    assert_eq!(c.e.tcp.counters().loss_probe_recovery, 1);
    assert!(c.e.tcp.status(c.id).unwrap().congestion_window < before);
}

#[test]
fn rfc8985_7_4_a_probe_that_was_a_duplicate_does_not() {
    let (mut c, base) = in_flight(3);
    let before = c.e.tcp.status(c.id).unwrap().congestion_window;
    assert_eq!(c.e.pass(ms(250)).len(), 1);
    c.acks(3000);
    // The duplicate SACK for the probe.
    sacks(&mut c, base, &[(2, 3)]);
    c.sends(1);
    c.e.now += ms(100);
    c.acks(1000);
    assert_eq!(c.e.tcp.counters().loss_probe_recovery, 0);
    assert!(c.e.tcp.status(c.id).unwrap().congestion_window >= before);
}

#[test]
fn rfc8985_6_2_reordering_within_a_quarter_of_the_round_trip_is_waited_for() {
    let (mut c, base) = in_flight(8);
    c.e.now += ms(100);
    // One segment overtakes: no loss yet, although much time has passed since.
    sacks(&mut c, base, &[(1, 2)]);
    c.e.nothing();
    c.e.now += ms(10);
    c.acks(2000);
    c.e.nothing();
    assert_eq!(c.e.tcp.counters().retrans_segs, 0);
}

#[test]
fn rfc8985_6_2_step_5_the_reordering_timer_finds_the_loss() {
    let (mut c, base) = in_flight(8);
    c.e.now += ms(100);
    sacks(&mut c, base, &[(1, 2)]);
    c.e.nothing();
    let start = c.e.now;
    let sent = c.e.pass(ms(60));
    assert_eq!(places(base, &[sent[0].1.clone()]), [0]);
    // A quarter of the least round-trip time of 100 ms.
    let after = sent[0].0 - start;
    assert!((ms(20)..=ms(30)).contains(&after), "{after:?}");
}

#[test]
fn rfc8985_3_2_a_lost_retransmission_is_found_without_a_time_out() {
    let (mut c, base) = in_flight(10);
    c.e.send(c.id, &[0; 50_000]);
    c.e.now += ms(100);
    sacks(&mut c, base, &[(1, 4)]);
    assert_eq!(places(base, &c.e.sent())[0], 0);
    // The retransmission is lost; segments sent after it are selectively acknowledged.
    let mut again = Vec::new();
    for end in 5..=40 {
        c.e.now += ms(12);
        sacks(&mut c, base, &[(1, end)]);
        again.extend(
            places(base, &c.e.sent())
                .into_iter()
                .filter(|place| *place == 0),
        );
    }
    assert!(!again.is_empty());
    assert_eq!(c.e.tcp.counters().timeouts, 0);
}

#[test]
fn rfc3522_3_2_a_spurious_time_out_is_undone() {
    let mut syn = sack_syn().ts(100, 0);
    syn.mss = Some(1012);
    let mut c = Conn::accept(Config::default(), plain(), &syn);
    c.e.now += ms(50);
    let sent = c.sends(8);
    let before = c.e.tcp.status(c.id).unwrap().congestion_window;
    let original = sent[0].timestamps.unwrap().0;
    let again = c.e.pass(ms(2000));
    assert!(c.e.tcp.counters().timeouts >= 1, "{again:?}");
    assert!(c.e.tcp.status(c.id).unwrap().congestion_window < before);
    // The originals were only late: the echo is of the first transmission.
    c.e.give(&seg(ACK, c.seq, c.ack + 8000).ts(101, original));
    assert!(c.e.tcp.status(c.id).unwrap().congestion_window >= before);
}

#[test]
fn a_time_out_for_a_fin_sends_it_again() {
    let mut c = Conn::plain();
    c.e.send(c.id, b"end");
    c.e.tcp.shutdown(c.e.now, c.id).unwrap();
    let first = c.e.one();
    let again = c.e.pass(ms(300));
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].1.payload, first.payload);
    assert!(again[0].1.has(FIN));
}

#[test]
fn sequence_numbers_wrap_in_recovery() {
    // Four gigabytes would take long: the peer's numbers wrap instead, and ours are wherever they are.
    let mut syn = sack_syn();
    syn.seq = u32::MAX - 500;
    let mut e = Engine::new();
    let answer = e.answer(&syn);
    let (start, ack) = (u32::MAX - 499, answer.seq.wrapping_add(1));
    e.give(&seg(ACK, start, ack));
    let id = e.tcp.accept(e.listener).unwrap().unwrap();
    let gap = e.answer(&seg(ACK, start.wrapping_add(400), ack).data(&[2; 400]));
    assert_eq!(
        gap.sack,
        [(start.wrapping_add(400), start.wrapping_add(800))]
    );
    e.give(&seg(ACK, start, ack).data(&[1; 400]));
    assert_eq!(e.one().ack, start.wrapping_add(800));
    assert_eq!(e.read(id).len(), 800);
}
