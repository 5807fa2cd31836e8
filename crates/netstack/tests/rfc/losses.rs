//! Which acknowledgements tell of a loss, of reordering, or of neither, and when timers start over: RFC 6298, RFC 6937,
//! RFC 8985.

use core::time::Duration;

use netstack::proto::tcp::{Config, Error};

use crate::wire::*;

/// A SACK connection with a round-trip time of 100 ms.
fn slow() -> (Conn, u32) {
    let c = Conn::slow(&sack_syn());
    let base = c.ack;
    (c, base)
}

/// Places, in segments of 1000 octets after `base`, of what is sent now.
fn sent(c: &mut Conn, base: u32) -> Vec<u32> {
    let sent = c.e.sent();
    sent.iter()
        .map(|segment| segment.seq.wrapping_sub(base) / 1000)
        .collect()
}

/// The peer reports a block, in segments after `base`.
fn sacks(c: &mut Conn, base: u32, start: u32, end: u32) {
    let segment = c.seg(ACK).sack(&[(base + 1000 * start, base + 1000 * end)]);
    c.e.give(&segment);
}

fn window(c: &Conn) -> u32 {
    c.e.tcp.status(c.id).unwrap().congestion_window
}

#[test]
fn rfc6937_3_a_full_window_is_reduced_in_proportion_to_what_is_delivered() {
    let (mut c, _) = slow();
    for count in [10, 20, 40] {
        c.e.send(c.id, &vec![0; 1000 * count + 1000]);
        assert_eq!(c.e.sent().len(), count);
        c.e.now += ms(100);
        if count < 40 {
            c.acks(1000 * count as u32);
        }
    }
    let base = c.ack;
    c.e.send(c.id, &[0; 40_000]);
    let mut count = 0;
    for delivered in 3..=30 {
        sacks(&mut c, base, 1, 1 + delivered);
        count += sent(&mut c, base).len() as u32;
        // 0.7 of what is delivered; the first retransmission goes out at once.
        let most = (delivered * 28).div_ceil(40);
        assert!(count.abs_diff(most) <= 1, "{count} sent, {most} expected");
    }
}

#[test]
fn rfc8985_6_2_step_3_the_delivery_of_a_retransmission_is_no_reordering() {
    let (mut c, base) = slow();
    c.sends(10);
    c.e.now += ms(100);
    sacks(&mut c, base, 1, 10);
    assert_eq!(sent(&mut c, base)[0], 0);
    c.e.now += ms(100);
    c.acks(10_000);
    let base = c.ack;
    c.sends(5);
    c.e.now += ms(100);
    // With reordering on the path, a quarter of a round trip would be waited for.
    sacks(&mut c, base, 1, 4);
    assert_eq!(sent(&mut c, base)[0], 0);
}

#[test]
fn rfc8985_6_2_step_3_the_late_delivery_of_an_original_is_reordering() {
    let (mut c, base) = slow();
    c.sends(6);
    c.e.now += ms(100);
    sacks(&mut c, base, 1, 3);
    c.e.now += ms(1);
    c.acks(3000);
    sacks(&mut c, base, 4, 6);
    c.e.now += ms(1);
    c.acks(3000);
    let base = c.ack;
    c.sends(5);
    c.e.now += ms(100);
    sacks(&mut c, base, 1, 4);
    assert_eq!(sent(&mut c, base), []);
}

#[test]
fn rfc8985_6_2_what_is_sent_does_not_put_off_the_reordering_timer() {
    let (mut c, base) = slow();
    c.sends(4);
    c.e.now += ms(100);
    sacks(&mut c, base, 1, 2);
    c.sends(1);
    let again = c.e.pass(ms(60));
    assert_eq!((again.len(), again[0].1.seq), (1, base));
    assert_eq!(c.e.tcp.counters().sack_recovery, 1);
}

#[test]
fn rfc8985_7_2_the_probe_is_put_off_by_what_is_sent() {
    let (mut c, _) = slow();
    for _ in 0..4 {
        c.sends(2);
        assert!(c.e.pass(ms(150)).is_empty(), "two round trips are not over");
    }
    assert_eq!(c.e.pass(ms(60)).len(), 1);
}

#[test]
fn rfc8985_7_4_2_a_probe_of_new_data_tells_of_no_loss() {
    let (mut c, _) = slow();
    c.e.send(c.id, &[0; 11_000]);
    assert_eq!(c.e.sent().len(), 10);
    let before = window(&c);
    let probe = c.e.pass(ms(250));
    assert_eq!(
        (probe.len(), probe[0].1.seq),
        (1, c.ack.wrapping_add(10_000))
    );
    c.acks(11_000);
    c.sends(2);
    c.e.now += ms(100);
    c.acks(2000);
    assert_eq!(c.e.tcp.counters().loss_probe_recovery, 0);
    assert!(window(&c) >= before);
}

#[test]
fn rfc6298_5_3_an_acknowledgement_of_nothing_new_does_not_restart_the_timer() {
    let mut c = Conn::plain();
    c.sends(1);
    for time in [100, 90] {
        assert!(c.e.pass(ms(time)).is_empty());
        c.acks(0);
    }
    assert_eq!(c.e.pass(ms(15)).len(), 1);
    assert_eq!(c.e.tcp.counters().timeouts, 1);
}

#[test]
fn rfc9293_3_8_3_a_user_timeout_is_not_put_off_by_acknowledgements_of_nothing_new() {
    let mut c = Conn::plain();
    let timeout = Some(Duration::from_secs(10));
    c.e.tcp.set_user_timeout(c.id, timeout).unwrap();
    c.sends(1);
    for _ in 0..16 {
        c.e.pass(Duration::from_secs(1));
        c.acks(0);
        let _ = c.e.sent();
    }
    assert_eq!(c.e.error(c.id), Some(Error::TimedOut));
}

#[test]
fn rfc2883_4_a_report_of_a_duplicate_is_counted() {
    let (mut c, base) = slow();
    c.sends(2);
    c.acks(2000);
    sacks(&mut c, base, 0, 1);
    assert_eq!(c.e.tcp.counters().dsack_recv, 1);
}

#[test]
fn rfc5681_2_duplicates_are_told_by_the_window_as_it_is_scaled() {
    let mut c = Conn::slow(&seg(SYN, IRS, 0).mss(1000).scale(7));
    let base = c.ack;
    c.e.give(&c.seg(ACK).window(500));
    c.sends(5);
    for again in [vec![], vec![], vec![0]] {
        c.e.give(&c.seg(ACK).window(500));
        let sent = sent(&mut c, base);
        assert_eq!(sent, again);
    }
}

#[test]
fn rfc3522_3_2_an_echo_is_compared_with_the_first_retransmission_of_a_recovery() {
    let mut syn = sack_syn().ts(100, 0);
    syn.mss = Some(1012);
    let mut c = Conn::accept_after(ms(100), Config::default(), plain(), &syn);
    let base = c.ack;
    c.sends(10);
    let before = window(&c);
    c.e.now += ms(100);
    let told = |c: &mut Conn, end: u32| {
        let block = (base.wrapping_add(1000), base.wrapping_add(1000 * end));
        let segment = c.seg(ACK).sack(&[block]);
        c.e.give(&segment);
        c.e.sent()
    };
    let first = told(&mut c, 4).remove(0);
    assert_eq!(first.seq, base);
    let (first, _) = first.timestamps.expect("agreed");
    // A second hole.
    c.e.now += ms(20);
    told(&mut c, 5);
    let segment = c
        .seg(ACK)
        .sack(&[(base + 6000, base + 10_000), (base + 1000, base + 5000)]);
    c.e.give(&segment);
    assert_eq!(c.e.sent()[0].seq, base + 5000);
    c.e.now += ms(80);
    c.ack = base.wrapping_add(5000);
    let segment = seg(ACK, c.seq, c.ack).ts(101, first);
    c.e.give(&segment.sack(&[(base + 6000, base + 10_000)]));
    assert!(window(&c) < before, "the first was needed");
}

#[test]
fn rfc5681_3_1_duplicates_after_a_time_out_let_nothing_more_go() {
    let mut c = Conn::slow(&seg(SYN, IRS, 0).mss(1000));
    c.sends(8);
    assert_eq!(c.e.pass(ms(700)).len(), 1);
    for _ in 0..5 {
        c.acks(0);
        c.e.nothing();
    }
}

#[test]
fn rfc3042_2_two_duplicates_let_something_new_go_and_no_further_one_that_tells_of_no_loss() {
    let mut c = Conn::slow(&seg(SYN, IRS, 0).mss(1000));
    c.sends(8);
    for _ in 0..3 {
        c.acks(0);
    }
    c.e.one();
    c.acks(8000);
    c.e.send(c.id, &[0; 40_000]);
    let _ = c.e.sent();
    // Nothing beyond that recovery is acknowledged: these may be duplicates of what it has sent (RFC 6582 §3.2).
    let count: usize = (0..20)
        .map(|_| {
            c.acks(0);
            c.e.sent().len()
        })
        .sum();
    assert_eq!(count, 2);
}

#[test]
fn rfc9406_4_2_what_is_acknowledged_at_once_after_a_time_out_does_not_go_out_at_once() {
    let mut c = Conn::slow(&sack_syn());
    c.e.send(c.id, &[0; 120_000]);
    for count in [10, 20] {
        assert_eq!(c.e.sent().len(), count);
        c.e.now += ms(100);
        c.acks(1000 * count as u32);
    }
    assert_eq!(c.e.sent().len(), 40);
    // A probe after two round trips, and the first segment again.
    assert_eq!(c.e.pass(ms(600)).len(), 2);
    // That was all that was lost.
    c.e.now += ms(100);
    c.acks(41_000);
    let count = c.e.sent().len();
    assert!(count <= 10, "{count}");
}
