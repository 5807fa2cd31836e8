//! When an echo of congestion counts: RFC 3168.

use netstack::proto::tcp::Config;

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
