//! What an acknowledgement in a recovery permits, restarts and proves: RFC 3522, RFC 5681, RFC 6675, RFC 8985,
//! RFC 9937.

use netstack::proto::tcp::Config;

use crate::wire::*;

/// A SACK connection with a round-trip time of 100 ms, `count` segments in flight and more to send.
fn in_flight(count: usize) -> (Conn, u32) {
    let mut c = Conn::slow(&sack_syn());
    let base = c.ack;
    c.sends(count);
    c.e.send(c.id, &[0; 20_000]);
    (c, base)
}

/// Places, in segments of 1000 octets after `base`, of what is sent now.
fn sent(c: &mut Conn, base: u32) -> Vec<u32> {
    places(&c.e.sent(), base)
}

fn places(sent: &[Seg], base: u32) -> Vec<u32> {
    sent.iter()
        .map(|segment| segment.seq.wrapping_sub(base) / 1000)
        .collect()
}

/// The peer reports a block, in segments after `base`.
fn sacks(c: &mut Conn, base: u32, start: u32, end: u32) {
    let segment = c.seg(ACK).sack(&[(base + 1000 * start, base + 1000 * end)]);
    c.e.give(&segment);
}

#[test]
fn rfc9937_6_an_acknowledgement_that_delivers_nothing_permits_nothing() {
    let (mut c, base) = in_flight(10);
    c.e.now += ms(100);
    sacks(&mut c, base, 7, 10);
    assert_eq!(sent(&mut c, base), [0, 1, 2]);
    for _ in 0..10 {
        sacks(&mut c, base, 7, 10);
        assert_eq!(sent(&mut c, base), []);
    }
}

#[test]
fn rfc9937_6_only_a_safe_acknowledgement_permits_a_segment_more_than_was_delivered() {
    let (mut c, base) = in_flight(10);
    c.e.now += ms(100);
    // It does not advance SND.UNA.
    sacks(&mut c, base, 7, 10);
    assert_eq!(sent(&mut c, base), [0, 1, 2]);
    c.e.now += ms(100);
    c.acks(1000);
    assert_eq!(sent(&mut c, base), [3, 4]);
    // It tells that the retransmission of the second segment is lost.
    c.e.now += ms(100);
    sacks(&mut c, base, 3, 4);
    assert_eq!(sent(&mut c, base), [1]);
}

#[test]
fn rfc5681_4_3_a_lost_retransmission_reduces_the_window_again_and_once_in_a_round_trip() {
    let (mut c, base) = in_flight(10);
    c.e.now += ms(100);
    sacks(&mut c, base, 1, 4);
    assert_eq!((sent(&mut c, base), window(&c)), (vec![0], 7000));
    c.e.now += ms(1);
    sacks(&mut c, base, 4, 7);
    assert_eq!(sent(&mut c, base), [10, 11, 12]);
    c.e.now += ms(100);
    // What was sent after the retransmission has arrived.
    sacks(&mut c, base, 10, 11);
    assert_eq!((sent(&mut c, base)[0], window(&c)), (0, 4900));
    c.e.now += ms(1);
    sacks(&mut c, base, 11, 13);
    assert_eq!(window(&c), 4900);
}

#[test]
fn rfc8985_6_2_step_4_a_recovery_that_was_not_needed_widens_the_reordering_window() {
    let mut syn = sack_syn().ts(100, 0);
    syn.mss = Some(1012);
    let mut c = Conn::accept_after(ms(100), Config::default(), plain(), &syn);
    let base = c.ack;
    let original = c.sends(10)[0].timestamps.unwrap().0;
    c.e.now += ms(100);
    let gap = |c: &mut Conn, start: u32, end: u32, echo: u32| {
        let segment = seg(ACK, c.seq, c.ack).ts(102, echo);
        c.e.give(&segment.sack(&[(base + 1000 * start, base + 1000 * end)]));
        places(&c.e.sent(), base)
    };
    assert_eq!(gap(&mut c, 1, 4, original), [0]);
    // The first segment was late: its acknowledgement echoes the timestamp of the original.
    c.e.now += ms(10);
    c.ack = base + 4000;
    let late = seg(ACK, c.seq, c.ack).ts(102, original);
    c.e.give(&late);
    c.e.sent();
    assert_eq!(window(&c), 10_000);
    // Now two quarters of a round trip are waited for.
    assert_eq!(gap(&mut c, 5, 8, original), []);
    let start = c.e.now;
    let again = c.e.pass(ms(200));
    assert_eq!(places(&[again[0].1.clone()], base), [4]);
    assert_eq!(again[0].0 - start, ms(50));
}

#[test]
fn rfc2018_3_a_block_that_is_not_wholly_in_flight_delivers_nothing() {
    let (mut c, base) = in_flight(10);
    c.acks(2000);
    let _ = c.e.sent();
    let end = base.wrapping_add(32_000);
    // From below what is acknowledged, to beyond what was sent, and from its end to its start.
    for (start, end) in [
        (base, c.ack + 2000),
        (c.ack + 1000, end),
        (c.ack + 3000, c.ack + 1000),
    ] {
        let blocks = [(c.ack + 4000, c.ack + 4000), (start, end)];
        let segment = c.seg(ACK).sack(&blocks);
        c.e.ignores(&segment);
    }
}

#[test]
fn rfc8985_6_2_what_was_sent_before_a_retransmission_that_arrived_is_lost() {
    let (mut c, base) = in_flight(10);
    c.e.now += ms(100);
    sacks(&mut c, base, 1, 4);
    assert_eq!(sent(&mut c, base), [0]);
    c.e.now += ms(100);
    // The retransmission has arrived, nothing of what follows has.
    c.acks(4000);
    assert_eq!(sent(&mut c, base)[0], 4);
    assert_eq!(c.e.tcp.counters().timeouts, 0);
}

#[test]
fn rfc8985_6_2_step_2_the_acknowledgement_of_an_original_says_nothing_of_its_retransmission() {
    let (mut c, base) = in_flight(10);
    c.e.now += ms(100);
    sacks(&mut c, base, 1, 4);
    assert_eq!(sent(&mut c, base), [0]);
    // Sooner than any round trip: what follows was not sent before what has arrived.
    c.e.now += ms(5);
    c.acks(4000);
    let next = sent(&mut c, base);
    assert!(next.iter().all(|place| *place >= 10), "{next:?}");
}

#[test]
fn a_selective_acknowledgement_is_progress_that_starts_the_time_out_over() {
    let (mut c, base) = in_flight(10);
    c.e.now += ms(100);
    sacks(&mut c, base, 1, 4);
    assert_eq!(sent(&mut c, base), [0]);
    // The time-out is 300 ms; something arrives each 150 ms.
    for end in 5..=9 {
        c.e.pass(ms(150));
        sacks(&mut c, base, 1, end);
        let _ = c.e.sent();
    }
    assert_eq!(c.e.tcp.counters().timeouts, 0);
}

#[test]
fn rfc3522_3_2_only_an_acknowledgement_of_new_data_tells_that_a_retransmission_was_spurious() {
    let mut syn = sack_syn().ts(100, 0);
    syn.mss = Some(1012);
    let mut c = Conn::accept_after(ms(100), Config::default(), plain(), &syn);
    let base = c.ack;
    let original = c.sends(10)[0].timestamps.unwrap().0;
    let before = window(&c);
    c.e.now += ms(100);
    let told = |c: &mut Conn, end: u32| {
        let segment = seg(ACK, c.seq, c.ack).ts(101, original);
        c.e.give(&segment.sack(&[(base + 1000, base + 1000 * end)]));
        c.e.sent()
    };
    // What arrives out of order echoes the timestamp of the segment before the gap.
    assert!(!told(&mut c, 4).is_empty());
    for end in 5..=8 {
        c.e.now += ms(1);
        told(&mut c, end);
        assert!(window(&c) < before, "{end}");
    }
}

#[test]
fn rfc8985_7_4_a_duplicate_acknowledgement_tells_that_the_probe_was_a_duplicate() {
    let mut c = Conn::slow(&sack_syn());
    c.sends(3);
    let before = window(&c);
    assert_eq!(c.e.pass(ms(250)).len(), 1);
    c.acks(3000);
    c.sends(2);
    // The peer has got the last segment twice, and reports no block.
    c.acks(0);
    c.e.now += ms(100);
    c.acks(2000);
    assert_eq!(c.e.tcp.counters().loss_probe_recovery, 0);
    assert!(window(&c) >= before);
}

#[test]
fn rfc8985_7_2_a_probe_comes_after_two_round_trips_and_later_for_a_single_segment() {
    // The second segment has one octet. Where the time-out comes first (200 ms and a round trip), it is the probe's.
    for (rtt, octets, expected) in [
        (300, 1001, 602),
        (300, 1000, 802),
        (20, 1001, 42),
        (20, 1000, 220),
    ] {
        let mut c = Conn::accept_after(ms(rtt), Config::default(), plain(), &sack_syn());
        c.e.send(c.id, &vec![0; octets]);
        let _ = c.e.sent();
        let start = c.e.now;
        let sent = c.e.pass(ms(expected));
        assert_eq!(sent.len(), 1, "{rtt} ms, {octets} octets");
        assert_eq!(sent[0].0 - start, ms(expected));
        let counters = c.e.tcp.counters();
        assert_eq!((counters.loss_probes, counters.timeouts), (1, 0));
    }
}

#[test]
fn rfc9937_5_duplicates_without_sack_deliver_no_more_than_was_in_flight() {
    let mut c = Conn::slow(&seg(SYN, IRS, 0).mss(1000));
    c.sends(10);
    c.e.send(c.id, &[0; 60_000]);
    c.e.nothing();
    c.e.now += ms(100);
    let mut count = 0;
    for _ in 0..200 {
        c.acks(0);
        count += c.e.sent().len();
    }
    // Two by limited transmit, and then one for each of twelve.
    assert!(count <= 14, "{count}");
}

#[test]
fn rfc9937_5_what_duplicates_have_told_of_is_not_delivered_again() {
    let mut c = Conn::slow(&seg(SYN, IRS, 0).mss(1000));
    c.e.send(c.id, &[0; 100_000]);
    for count in [10, 20] {
        assert_eq!(c.e.sent().len(), count);
        c.e.now += ms(100);
        c.acks(1000 * count as u32);
    }
    assert_eq!(c.e.sent().len(), 40);
    c.e.now += ms(100);
    // The first is lost; nineteen have arrived.
    for _ in 0..19 {
        c.acks(0);
        let _ = c.e.sent();
    }
    c.acks(20_000);
    let count = c.e.sent().len();
    assert!(count <= 1, "{count}");
}

#[test]
fn rfc5681_4_3_a_retransmission_lost_after_a_time_out_reduces_the_window() {
    let (mut c, base) = in_flight(10);
    c.e.pass(ms(700));
    assert_eq!(c.e.tcp.counters().timeouts, 1);
    c.acks(1000);
    assert_eq!(sent(&mut c, base), [1, 2]);
    c.e.now += ms(100);
    c.acks(2000);
    assert_eq!(sent(&mut c, base), [3, 4, 5, 6]);
    let before = window(&c);
    c.e.now += ms(100);
    sacks(&mut c, base, 4, 7);
    assert!(window(&c) < before, "{before}");
    assert_eq!(sent(&mut c, base)[0], 3);
}

/// Recoveries that a peer has whose acknowledgement of each retransmission echoes the timestamp of the original,
/// and tells of a duplicate if `duplicates`.
fn recoveries_of_one_that_echoes_originals(duplicates: bool) -> u64 {
    let mut syn = sack_syn().ts(100, 0).scale(4);
    syn.mss = Some(1012);
    let mut c = Conn::accept_after(ms(10), Config::default(), plain(), &syn);
    let mut original = 0;
    c.e.send(c.id, &vec![0; 320_000]);
    for count in [10, 20, 40, 80, 160] {
        let sent = c.e.sent();
        assert_eq!(sent.len(), count);
        original = sent[0].timestamps.unwrap().0;
        if count < 160 {
            c.e.now += ms(10);
            c.ack += 1000 * count as u32;
            let segment = seg(ACK, c.seq, c.ack).ts(101, original);
            c.e.give(&segment);
        }
    }
    let last = (c.ack + 157_000, c.ack + 160_000);
    c.e.now += ms(100);
    for _ in 0..150 {
        c.e.now += ms(1);
        let duplicate = (c.ack.wrapping_sub(1000), c.ack);
        let blocks = &[duplicate, last][usize::from(!duplicates)..];
        let segment = seg(ACK, c.seq, c.ack).ts(102, original).sack(blocks);
        c.e.give(&segment);
        let _ = c.e.sent();
        c.ack += 1000;
    }
    c.e.tcp.counters().sack_recovery
}

#[test]
fn rfc3522_3_2_an_echo_for_each_segment_does_not_undo_as_many_recoveries() {
    for duplicates in [false, true] {
        let recoveries = recoveries_of_one_that_echoes_originals(duplicates);
        assert!((2..=10).contains(&recoveries), "{recoveries}, {duplicates}");
    }
}
