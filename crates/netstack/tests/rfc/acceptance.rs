//! What is taken of a segment that is a duplicate, in part or wholly, or of another connection: RFC 9293 §3.10.7.4,
//! first step, RFC 2883, RFC 5961.

use netstack::proto::tcp::Config;

use crate::wire::*;

#[test]
fn rfc2883_4_2_2_the_part_of_a_segment_that_is_a_duplicate_is_reported() {
    let mut c = Conn::sacked();
    c.give_data(b"0123456789");
    let _ = c.e.sent();
    let ack = c.e.answer(&seg(ACK, c.seq - 4, c.ack).data(b"6789abc"));
    assert_eq!((ack.ack, ack.sack), (c.seq + 3, vec![(c.seq - 4, c.seq)]));
    assert_eq!(c.e.read(c.id), b"0123456789abc");
}

#[test]
fn rfc9293_3_10_7_4_first_with_a_closed_window_only_the_number_expected_is_taken() {
    let mut options = plain();
    options.receive_buffer = 4096;
    options.max_receive_buffer = 4096;
    let mut c = Conn::accept(Config::default(), options, &seg(SYN, IRS, 0).mss(1000));
    c.sends(1);
    for len in [1000, 1000, 1000, 1000, 96] {
        c.give_data(&vec![1; len]);
    }
    assert_eq!(c.e.sent().last().unwrap().window, 0);
    let unacknowledged = |c: &Conn| c.e.tcp.status(c.id).unwrap().unacknowledged;
    for (seq, left) in [(c.seq - 1, 1000), (c.seq + 1, 1000), (c.seq, 0)] {
        c.e.give(&seg(ACK, seq, c.ack + 1000));
        let _ = c.e.sent();
        assert_eq!(unacknowledged(&c), left);
    }
}

#[test]
fn rfc5961_4_2_in_syn_received_a_syn_with_another_number_is_challenged() {
    let mut e = Engine::new();
    let syn_ack = e.answer(&seg(SYN, IRS, 0));
    let challenge = e.answer(&seg(SYN, IRS + 100, 0));
    assert_eq!((challenge.flags, challenge.ack), (ACK, IRS + 1));
    // Segments with the number of the SYN are none.
    e.give(&seg(ACK, IRS, syn_ack.seq + 1));
    assert_eq!(e.tcp.accept(e.listener), Ok(None));
}

#[test]
fn rfc4987_3_6_the_backlog_is_as_long_as_before_when_a_cookie_has_made_a_connection() {
    let mut e = Engine::new();
    let from = |port, mut segment: Seg| {
        segment.from = port;
        segment
    };
    for port in 0..8 {
        e.answer(&from(10_000 + port, seg(SYN, IRS, 0)));
    }
    let cookie = e.answer(&seg(SYN, IRS, 0));
    for port in 0..8 {
        e.ignores(&from(10_000 + port, seg(RST, IRS + 1, 0)));
    }
    e.give(&seg(ACK, IRS + 1, cookie.seq + 1));
    assert!(e.tcp.accept(e.listener).unwrap().is_some());
    for port in 0..9 {
        let answer = e.answer(&from(20_000 + port, seg(SYN, IRS, 0)));
        assert!(answer.has(SYN | ACK));
        assert_eq!(
            e.tcp.counters().syn_cookies_sent,
            if port < 8 { 1 } else { 2 }
        );
    }
}

#[test]
fn rfc4987_3_6_a_cookie_that_makes_a_connection_leaves_the_backlog_as_full_as_it_was() {
    let mut e = Engine::new();
    let from = |port, mut segment: Seg| {
        segment.from = port;
        segment
    };
    for port in 0..8 {
        e.answer(&from(10_000 + port, seg(SYN, IRS, 0)));
    }
    for sent in 1..4 {
        let cookie = e.answer(&from(20_000 + sent, seg(SYN, IRS, 0)));
        assert_eq!(e.tcp.counters().syn_cookies_sent, u64::from(sent));
        e.give(&from(20_000 + sent, seg(ACK, IRS + 1, cookie.seq + 1)));
        assert!(e.tcp.accept(e.listener).unwrap().is_some());
    }
}

#[test]
fn rfc4987_3_6_a_cookie_for_which_the_accept_queue_has_no_room_is_dropped_and_counted() {
    let mut e = Engine::new();
    let from = |port, mut segment: Seg| {
        segment.from = port;
        segment
    };
    let syn_acks: Vec<u32> = (0..9)
        .map(|port| e.answer(&from(10_000 + port, seg(SYN, IRS, 0))).seq)
        .collect();
    for (port, syn_ack) in (0..9).zip(syn_acks) {
        e.ignores(&from(10_000 + port, seg(ACK, IRS + 1, syn_ack + 1)));
    }
    assert_eq!(e.tcp.counters().listen_overflows, 1);
    assert_eq!(e.tcp.counters().syn_cookies_recv, 0);
}
