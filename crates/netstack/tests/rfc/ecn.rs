//! Explicit congestion notification: RFC 3168.

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

fn window(c: &Conn) -> u32 {
    c.e.tcp.status(c.id).unwrap().congestion_window
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
    let before = c.e.tcp.status(c.id).unwrap().congestion_window;
    for _ in 0..3 {
        c.ack += 1000;
        let segment = c.seg(ACK | ECE);
        c.e.give(&segment);
    }
    c.e.nothing();
    let after = c.e.tcp.status(c.id).unwrap().congestion_window;
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
