//! Explicit congestion notification: RFC 3168.

use std::net::SocketAddrV4;
use std::time::Duration;

use netstack::proto::tcp::{Config, Ecn};

use crate::wire::*;

/// A connection that has agreed on ECN if `asked`, with ten segments in flight.
fn in_flight(asked: bool) -> Conn {
    let mut options = plain();
    options.ecn = true;
    let mut syn = sack_syn();
    syn.flags |= if asked { ECE | CWR } else { 0 };
    let mut c = Conn::accept(Config::default(), options, &syn);
    // The congestion window is what limits it.
    c.e.send(c.id, &[0; 20_000]);
    assert_eq!(c.e.sent().len(), 10);
    c
}

#[test]
fn rfc3168_6_1_2_no_window_is_reduced_without_an_echo_or_without_agreement() {
    for (asked, flags) in [(true, ACK), (false, ACK | ECE)] {
        let mut c = in_flight(asked);
        let before = window(&c);
        c.ack += 2000;
        let ack = c.seg(flags);
        c.e.give(&ack);
        assert_eq!(window(&c), before + 2000, "{asked}");
    }
    let mut c = in_flight(true);
    let before = window(&c);
    c.ack += 2000;
    let echo = c.seg(ACK | ECE);
    c.e.give(&echo);
    assert!(window(&c) < before);
}

#[test]
fn rfc3168_6_1_1_ecn_is_agreed_on_when_both_ask() {
    let mut options = plain();
    options.ecn = true;
    let c = Conn::accept(
        Config::default(),
        options.clone(),
        &seg(SYN | ECE | CWR, IRS, 0).mss(1000),
    );
    assert!(c.syn_ack.has(ECE) && !c.syn_ack.has(CWR));
    let c = Conn::accept(Config::default(), options, &seg(SYN, IRS, 0).mss(1000));
    assert!(!c.syn_ack.has(ECE));
    let c = Conn::accept(
        Config::default(),
        plain(),
        &seg(SYN | ECE | CWR, IRS, 0).mss(1000),
    );
    assert!(!c.syn_ack.has(ECE));
}

fn with_ecn() -> Conn {
    let mut options = plain();
    options.ecn = true;
    Conn::accept(
        Config::default(),
        options,
        &seg(SYN | ECE | CWR, IRS, 0).mss(1000),
    )
}

#[test]
fn rfc3168_6_1_3_congestion_experienced_is_echoed_until_cwr() {
    let mut c = with_ecn();
    let marked = c.seg(ACK).data(b"marked").ecn(Ecn::Ce);
    c.seq += 6;
    assert!(c.e.answer(&marked).has(ECE));
    c.give_data(b"again");
    assert!(c.e.one().has(ECE));
    let cwr = c.seg(ACK | CWR).data(b"reduced");
    c.seq += 7;
    assert!(!c.e.answer(&cwr).has(ECE));
}

#[test]
fn rfc3168_6_1_2_an_echo_reduces_the_window_once_a_round_trip_and_cwr_says_so() {
    let mut c = with_ecn();
    let sent = c.sends(8);
    assert!(sent.iter().all(|segment| segment.ecn == Ecn::Ect0));
    let before = window(&c);
    for _ in 0..3 {
        c.ack += 1000;
        let segment = c.seg(ACK | ECE);
        c.e.give(&segment);
    }
    c.e.nothing();
    let after = window(&c);
    assert!(after < before && after >= before / 2, "{before} to {after}");
    c.acks(5000);
    c.e.send(c.id, &[0; 2000]);
    let sent = c.e.sent();
    assert!(sent[0].has(CWR) && !sent[1].has(CWR));
    assert_eq!(c.e.tcp.counters().retrans_segs, 0);
}

#[test]
fn rfc3168_6_1_5_retransmissions_are_not_ecn_capable() {
    let mut c = with_ecn();
    c.sends(1);
    let again = c.e.pass(ms(300));
    assert_eq!(again[0].1.ecn, Ecn::NotEct);
}

/// Asks a peer, which answers so much later that it agrees.
fn asks(after: Duration) -> (Conn, Vec<Seg>) {
    let mut e = Engine::new();
    let mut options = plain();
    options.ecn = true;
    let (local, remote) = (
        SocketAddrV4::new(OURS, PORT),
        SocketAddrV4::new(PEER, PEER_PORT),
    );
    let id = e.tcp.connect(e.now, local, remote, &options).unwrap();
    let syn = e.one();
    assert!(syn.has(ECE | CWR));
    let again = e.pass(after).into_iter().map(|(_, segment)| segment);
    let again = again.collect();
    let ack = syn.seq + 1;
    let syn_ack = seg(SYN | ACK | ECE, IRS, ack).mss(1000);
    e.answer(&syn_ack);
    let c = Conn {
        e,
        id,
        seq: IRS + 1,
        ack,
        syn_ack,
        ts: None,
    };
    (c, again)
}

#[test]
fn rfc3168_6_1_1_1_a_syn_that_is_sent_again_does_not_ask_and_then_nothing_is_ecn_capable() {
    let (mut c, again) = asks(ms(500));
    assert!(again.is_empty());
    assert_eq!(c.sends(1)[0].ecn, Ecn::Ect0);
    let (mut c, again) = asks(ms(1500));
    assert!(!again[0].has(ECE) && !again[0].has(CWR));
    assert_eq!(c.sends(1)[0].ecn, Ecn::NotEct);
    // The peer may have the first alone.
    let marked = c.seg(ACK).data(b"marked").ecn(Ecn::Ce);
    assert!(c.e.answer(&marked).has(ECE));
}

#[test]
fn rfc3168_6_1_6_window_probes_are_not_ecn_capable() {
    let mut c = with_ecn();
    c.sends(1);
    c.ack += 1000;
    c.e.give(&c.seg(ACK).window(0));
    c.e.send(c.id, b"more");
    c.e.nothing();
    let probe = &c.e.pass(ms(2000))[0].1;
    assert_eq!(
        (probe.payload.as_slice(), probe.ecn),
        (&b"m"[..], Ecn::NotEct)
    );
}

#[test]
fn rfc3168_6_1_2_cwr_waits_for_data_that_is_no_window_probe() {
    let mut c = with_ecn();
    c.sends(8);
    c.ack += 8000;
    c.e.give(&c.seg(ACK | ECE).window(0));
    c.e.send(c.id, &[0; 1000]);
    c.e.nothing();
    assert!(!c.e.pass(ms(2000))[0].1.has(CWR));
    c.acks(1);
    assert!(c.e.one().has(CWR));
}

/// Ten segments in flight, the first of which is lost.
fn loses_one() -> (Conn, u32) {
    let mut syn = sack_syn();
    syn.flags |= ECE | CWR;
    let mut options = plain();
    options.ecn = true;
    let mut c = Conn::accept_after(ms(100), Config::default(), options, &syn);
    let base = c.ack;
    c.sends(10);
    c.e.now += ms(100);
    (c, base)
}

#[test]
fn rfc3168_6_1_2_drops_and_marks_of_one_window_reduce_it_once() {
    // The mark after the drop.
    let (mut c, base) = loses_one();
    c.e.give(&c.seg(ACK).sack(&[(base + 1000, base + 4000)]));
    assert_eq!(c.e.sent()[0].seq, base);
    let reduced = window(&c);
    c.acks(9000);
    c.ack += 1000;
    c.e.give(&c.seg(ACK | ECE));
    assert!(window(&c) >= reduced);
    // The drop after the mark.
    let (mut c, base) = loses_one();
    c.ack += 1000;
    c.e.give(&c.seg(ACK | ECE));
    let reduced = window(&c);
    c.e.now += ms(1);
    c.e.give(&c.seg(ACK).sack(&[(base + 2000, base + 5000)]));
    assert_eq!(c.e.sent()[0].seq, base + 1000);
    assert_eq!(window(&c), reduced);
    // What duplicates tell undoes nothing of the mark's.
    c.acks(9000);
    c.e.give(&c.seg(ACK).sack(&[(base + 1000, base + 2000)]));
    assert!(window(&c) < 10_000);
}

#[test]
fn rfc3168_6_1_2_a_reduction_by_an_echo_is_not_undone_by_duplicates() {
    let (mut c, base) = loses_one();
    c.e.give(&c.seg(ACK).sack(&[(base + 1000, base + 4000)]));
    assert_eq!(c.e.sent()[0].seq, base);
    c.e.now += ms(60);
    c.acks(10_000);
    c.sends(5);
    c.e.now += ms(60);
    let before = window(&c);
    c.ack += 1000;
    c.e.give(&c.seg(ACK | ECE));
    let reduced = window(&c);
    assert!(reduced < before);
    c.e.give(&c.seg(ACK).sack(&[(base, base + 1000)]));
    assert_eq!(window(&c), reduced);
}

#[test]
fn rfc3168_6_1_2_marks_and_drops_of_a_window_that_was_restored_are_news() {
    let restored = || {
        let (mut c, base) = loses_one();
        let before = window(&c);
        c.e.give(&c.seg(ACK).sack(&[(base + 1000, base + 4000)]));
        assert_eq!(c.e.sent()[0].seq, base);
        c.e.now += ms(120);
        c.ack += 4000;
        c.e.give(&c.seg(ACK).sack(&[(base, base + 1000)]));
        assert!(window(&c) >= before);
        c.e.now += ms(1);
        (c, base, before)
    };
    let (mut c, _, before) = restored();
    c.ack += 1000;
    c.e.give(&c.seg(ACK | ECE));
    assert!(window(&c) < before);
    let (mut c, base, before) = restored();
    c.e.now += ms(200);
    c.e.give(&c.seg(ACK).sack(&[(base + 5000, base + 10_000)]));
    assert_eq!(c.e.sent()[0].seq, base + 4000);
    assert!(window(&c) < before);
}

#[test]
fn rfc3168_6_1_3_congestion_experienced_by_a_segment_that_was_overtaken_is_echoed() {
    let mut c = with_ecn();
    c.sends(2);
    let marked = c.seg(ACK).data(b"first").ecn(Ecn::Ce);
    c.seq += 5;
    c.ack += 2000;
    let second = c.seg(ACK).data(b"second");
    c.e.answer(&second);
    // It acknowledges less than the other.
    assert!(c.e.answer(&marked).has(ECE));
}

#[test]
fn rfc3168_6_1_2_cwr_says_that_a_loss_which_a_probe_has_repaired_has_reduced_the_window() {
    let (mut options, mut syn) = (plain(), sack_syn());
    options.ecn = true;
    syn.flags |= ECE | CWR;
    let mut c = Conn::accept_after(ms(100), Config::default(), options, &syn);
    c.sends(3);
    assert_eq!(c.e.pass(ms(250)).len(), 1);
    c.acks(3000);
    assert!(!c.sends(1)[0].has(CWR));
    c.e.now += ms(100);
    c.acks(1000);
    assert_eq!(c.e.tcp.counters().loss_probe_recovery, 1);
    assert!(c.sends(1)[0].has(CWR));
}

#[test]
fn rfc3168_6_1_2_a_mark_and_a_loss_of_one_window_that_a_probe_has_repaired_reduce_it_once() {
    for marked_first in [false, true] {
        let (mut options, mut syn) = (plain(), sack_syn());
        options.ecn = true;
        syn.flags |= ECE | CWR;
        let mut c = Conn::accept_after(ms(100), Config::default(), options, &syn);
        c.sends(4);
        if marked_first {
            c.e.now += ms(100);
            c.ack += 1000;
            c.e.give(&c.seg(ACK | ECE));
        }
        // The last is lost, and a probe repairs it.
        assert_eq!(c.e.pass(ms(250)).len(), 1);
        c.ack += if marked_first { 3000 } else { 4000 };
        c.e.give(&c.seg(ACK | ECE));
        let reduced = window(&c);
        assert!(reduced < 10_000);
        c.sends(1);
        c.e.now += ms(100);
        c.acks(1000);
        assert_eq!(c.e.tcp.counters().loss_probe_recovery, 1);
        assert!(window(&c) >= reduced, "{marked_first}");
    }
}
