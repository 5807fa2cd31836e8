//! RFC 9293 §3.10.7: SEGMENT ARRIVES.

use core::net::SocketAddrV4;

use netstack::proto::tcp::{ConnectionId, Error, State};

use crate::wire::*;

#[test]
fn rfc9293_3_10_7_1_closed_a_segment_with_ack_is_reset_with_its_ack() {
    let mut e = Engine::new();
    let mut segment = seg(ACK, 5, 77).data(b"x");
    segment.to = 81;
    let reset = e.answer(&segment);
    assert_eq!((reset.flags, reset.seq), (RST, 77));
}

#[test]
fn rfc9293_3_10_7_1_closed_a_segment_without_ack_is_reset_with_the_number_after_it() {
    let mut e = Engine::new();
    let mut segment = seg(SYN | FIN, 5, 0).data(b"xyz");
    segment.to = 81;
    let reset = e.answer(&segment);
    assert_eq!(
        (reset.flags, reset.seq, reset.ack),
        (RST | ACK, 0, 5 + 3 + 2)
    );
}

#[test]
fn rfc9293_3_10_7_1_closed_a_reset_is_not_answered() {
    let mut e = Engine::new();
    let mut segment = seg(RST, 5, 77);
    segment.to = 81;
    e.ignores(&segment);
}

#[test]
fn rfc9293_3_10_7_2_listen_first_a_reset_is_ignored_second_an_ack_is_reset() {
    let mut e = Engine::new();
    e.ignores(&seg(RST, 5, 0));
    let reset = e.answer(&seg(ACK, 5, 77));
    assert_eq!((reset.flags, reset.seq), (RST, 77));
    let reset = e.answer(&seg(SYN | ACK, 5, 78));
    assert_eq!((reset.flags, reset.seq), (RST, 78));
}

#[test]
fn rfc9293_3_10_7_2_listen_third_a_syn_is_answered() {
    let mut e = Engine::new();
    let answer = e.answer(&seg(SYN, IRS, 0));
    assert_eq!(
        (answer.flags, answer.ack, answer.mss),
        (SYN | ACK, IRS + 1, Some(1460))
    );
    e.give(&seg(ACK, IRS + 1, answer.seq + 1));
    let id = e.tcp.accept(e.listener).unwrap().unwrap();
    assert_eq!(e.state(id), State::Established);
    assert_eq!(e.tcp.counters().passive_opens, 1);
    assert_eq!(e.tcp.counters().curr_estab, 1);
}

#[test]
fn rfc9293_3_10_7_2_listen_fourth_anything_else_is_dropped() {
    let mut e = Engine::new();
    e.ignores(&seg(FIN, IRS, 0));
    e.ignores(&seg(0, IRS, 0).data(b"text"));
}

fn connecting() -> (Engine, ConnectionId, Seg) {
    let mut e = Engine::new();
    let local = SocketAddrV4::new(OURS, PORT);
    let id = e
        .tcp
        .connect(e.now, local, SocketAddrV4::new(PEER, PEER_PORT), &plain())
        .unwrap();
    let syn = e.one();
    assert_eq!(
        (syn.flags, syn.mss, syn.sack_permitted),
        (SYN, Some(1460), true)
    );
    assert!(syn.scale.is_some() && syn.timestamps.is_some());
    (e, id, syn)
}

#[test]
fn rfc9293_3_10_7_3_syn_sent_first_an_unacceptable_ack_is_reset() {
    let (mut e, id, syn) = connecting();
    for ack in [syn.seq, syn.seq + 2] {
        let reset = e.answer(&seg(SYN | ACK, IRS, ack));
        assert_eq!((reset.flags, reset.seq), (RST, ack));
        e.ignores(&seg(RST | ACK, IRS, ack));
    }
    assert_eq!(e.state(id), State::SynSent);
}

#[test]
fn rfc9293_3_10_7_3_syn_sent_second_a_reset_with_an_acceptable_ack_refuses() {
    let (mut e, id, syn) = connecting();
    e.ignores(&seg(RST, 0, 0));
    assert_eq!(e.state(id), State::SynSent);
    e.ignores(&seg(RST | ACK, 0, syn.seq + 1));
    assert_eq!(
        (e.state(id), e.error(id)),
        (State::Closed, Some(Error::ConnectionRefused))
    );
    assert_eq!(e.tcp.counters().attempt_fails, 1);
}

#[test]
fn rfc9293_3_10_7_3_syn_sent_fourth_a_syn_ack_establishes() {
    let (mut e, id, syn) = connecting();
    let ack = e.answer(&seg(SYN | ACK, IRS, syn.seq + 1).mss(700));
    assert_eq!((ack.flags, ack.seq, ack.ack), (ACK, syn.seq + 1, IRS + 1));
    assert_eq!(e.state(id), State::Established);
    assert_eq!(e.tcp.status(id).unwrap().maximum_segment, 700);
}

#[test]
fn rfc9293_3_10_7_3_syn_sent_a_syn_ack_comes_before_a_syn_that_is_due_again() {
    let (mut e, id, syn) = connecting();
    e.now = e.tcp.next_timeout().unwrap();
    e.tcp.handle_timeout(e.now);
    let ack = e.answer(&seg(SYN | ACK, IRS, syn.seq + 1));
    assert_eq!((ack.flags, ack.seq, ack.ack), (ACK, syn.seq + 1, IRS + 1));
    assert_eq!(e.state(id), State::Established);
}

#[test]
fn rfc9293_3_10_7_3_syn_sent_text_and_fin_of_the_syn_ack_are_taken() {
    let (mut e, id, syn) = connecting();
    let ack = e.answer(&seg(SYN | ACK | FIN, IRS, syn.seq + 1).data(b"early"));
    assert_eq!(ack.ack, IRS + 1 + 5 + 1);
    assert_eq!(e.read(id), b"early");
    assert_eq!(e.state(id), State::CloseWait);
}

#[test]
fn rfc9293_3_10_7_3_syn_sent_fifth_neither_syn_nor_rst_is_dropped() {
    let (mut e, id, syn) = connecting();
    e.ignores(&seg(ACK, IRS, syn.seq + 1).data(b"text"));
    assert_eq!(e.state(id), State::SynSent);
}

#[test]
fn rfc9293_3_5_figure_7_simultaneous_open() {
    let (mut e, id, syn) = connecting();
    let answer = e.answer(&seg(SYN, IRS, 0));
    assert_eq!(
        (answer.flags, answer.seq, answer.ack),
        (SYN | ACK, syn.seq, IRS + 1)
    );
    assert_eq!(e.state(id), State::SynReceived);
    // The peer's SYN-ACK with its old number.
    let ack = e.answer(&seg(SYN | ACK, IRS, syn.seq + 1));
    assert_eq!((ack.flags, ack.seq, ack.ack), (ACK, syn.seq + 1, IRS + 1));
    assert_eq!(e.state(id), State::Established);
}

#[test]
fn rfc9293_3_10_7_4_first_an_unacceptable_segment_is_acknowledged_and_dropped() {
    let mut c = Conn::plain();
    let window = u32::from(c.syn_ack.window);
    for seq in [c.seq - 100, c.seq + window] {
        let ack = c.e.answer(&seg(ACK, seq, c.ack).data(b"0123456789"));
        assert_eq!((ack.flags, ack.seq, ack.ack), (ACK, c.ack, c.seq));
    }
    assert_eq!(c.e.read(c.id), b"");
}

#[test]
fn rfc9293_3_10_7_4_first_a_segment_is_cut_to_the_window() {
    let mut c = Conn::plain();
    let ack = c.e.answer(&seg(ACK, c.seq - 3, c.ack).data(b"oldnew"));
    assert_eq!(ack.ack, c.seq + 3);
    assert_eq!(c.e.read(c.id), b"new");
}

#[test]
fn rfc9293_3_10_7_4_first_with_a_closed_window_acks_and_resets_are_taken() {
    let mut options = plain();
    options.receive_buffer = 2048;
    options.max_receive_buffer = 2048;
    let mut c = Conn::accept(Default::default(), options, &seg(SYN, IRS, 0).mss(1000));
    while c.e.sent().last().is_none_or(|ack| ack.window > 0) {
        c.give_data(&[1; 512]);
    }
    c.e.send(c.id, b"mine");
    assert_eq!(c.e.one().payload, b"mine");
    // Text for a closed window, whose acknowledgement counts all the same.
    let segment = seg(ACK, c.seq, c.ack + 4).data(b"z");
    assert_eq!(c.e.answer(&segment).window, 0);
    assert_eq!(c.e.tcp.status(c.id).unwrap().unacknowledged, 0);
    c.e.ignores(&seg(RST, c.seq, 0));
    assert_eq!(c.e.error(c.id), Some(Error::ConnectionReset));
}

#[test]
fn rfc9293_3_10_7_4_second_a_reset_in_syn_received_returns_to_listen() {
    let mut e = Engine::new();
    e.answer(&seg(SYN, IRS, 0));
    e.ignores(&seg(RST, IRS + 1, 0));
    assert_eq!(e.tcp.connection_counts(), (0, 0));
    assert!(e.answer(&seg(SYN, IRS, 0)).has(SYN | ACK));
}

#[test]
fn rfc9293_3_10_7_4_second_a_reset_ends_an_established_connection_and_drops_what_was_queued() {
    let mut c = Conn::plain();
    c.give_data(&[7; 5000]);
    let _ = c.e.sent();
    let before = c.e.tcp.memory_used();
    c.e.ignores(&seg(RST, c.seq, 0));
    assert_eq!(
        (c.state(), c.e.error(c.id)),
        (State::Closed, Some(Error::ConnectionReset))
    );
    assert_eq!(
        c.e.tcp.receive(c.e.now, c.id, &mut [0; 9]),
        core::task::Poll::Ready(Err(Error::ConnectionReset))
    );
    assert!(c.e.tcp.memory_used() + 5000 <= before);
    assert_eq!(c.e.tcp.counters().estab_resets, 1);
}

#[test]
fn rfc9293_3_10_7_4_fifth_without_ack_a_segment_is_dropped() {
    let mut c = Conn::plain();
    c.e.ignores(&seg(PSH, c.seq, 0).data(b"text"));
    assert_eq!(c.e.read(c.id), b"");
}

#[test]
fn rfc9293_3_10_7_4_fifth_in_syn_received_a_wrong_ack_is_reset() {
    let mut e = Engine::new();
    let answer = e.answer(&seg(SYN, IRS, 0));
    for ack in [answer.seq, answer.seq + 2] {
        let reset = e.answer(&seg(ACK, IRS + 1, ack));
        assert_eq!((reset.flags, reset.seq), (RST, ack));
    }
    assert_eq!(e.tcp.accept(e.listener), Ok(None));
}

#[test]
fn resets_of_acknowledgements_before_the_connection_is_established_are_limited() {
    let mut e = Engine::new();
    let answer = e.answer(&seg(SYN, IRS, 0));
    let mut resets = 0;
    for _ in 0..1000 {
        e.give(&seg(ACK, IRS + 1, answer.seq + 2));
        resets += e.sent().len();
    }
    assert_eq!(resets, 100);
    let (mut e, id, syn) = connecting();
    for _ in 0..1000 {
        let mut wrong = seg(ACK, 1, syn.seq + 2);
        (wrong.from, wrong.to) = (syn.to, syn.from);
        e.give(&wrong);
        resets += e.sent().len();
    }
    assert_eq!((resets, e.state(id)), (200, State::SynSent));
}

#[test]
fn rfc9293_3_10_7_4_fifth_an_ack_of_what_was_not_sent_is_answered_and_dropped() {
    let mut c = Conn::plain();
    let ack = c.e.answer(&seg(ACK, c.seq, c.ack + 1).data(b"text"));
    assert_eq!((ack.seq, ack.ack), (c.ack, c.seq));
    assert_eq!(c.e.read(c.id), b"");
}

#[test]
fn rfc9293_3_10_7_4_fifth_the_window_follows_the_newest_segment_only() {
    let mut c = Conn::plain();
    c.give_data(b"1");
    let _ = c.e.sent();
    // Newer by sequence number.
    c.e.give(&c.seg(ACK).window(1000));
    c.e.give(&seg(ACK, c.seq - 1, c.ack).window(5000).data(b"1"));
    let _ = c.e.sent();
    c.e.send(c.id, &[0; 3000]);
    assert_eq!(c.e.one().payload.len(), 1000);
}

#[test]
fn rfc9293_3_10_7_4_sixth_urgent_data_is_ordinary_data() {
    let mut c = Conn::plain();
    let mut segment = c.seg(ACK | URG).data(b"urgent");
    segment.urgent = 3;
    c.e.give(&segment);
    assert_eq!(c.e.read(c.id), b"urgent");
    let ack = c.e.one();
    assert!(!ack.has(URG) && ack.urgent == 0);
}

#[test]
fn rfc9293_3_10_7_4_seventh_text_out_of_order_is_kept() {
    let mut c = Conn::plain();
    let (first, second) = (
        c.seg(ACK).data(b"abc"),
        seg(ACK, c.seq + 3, c.ack).data(b"def"),
    );
    let duplicate = c.e.answer(&second);
    assert_eq!(duplicate.ack, c.seq);
    let ack = c.e.answer(&first);
    assert_eq!(ack.ack, c.seq + 6);
    assert_eq!(c.e.read(c.id), b"abcdef");
}

#[test]
fn rfc9293_3_10_7_4_eighth_a_fin_is_acknowledged_and_ends_the_stream() {
    let mut c = Conn::plain();
    let ack = c.e.answer(&c.seg(ACK | FIN).data(b"last"));
    assert_eq!(ack.ack, c.seq + 5);
    assert_eq!(c.state(), State::CloseWait);
    assert_eq!(c.e.read(c.id), b"last");
    assert!(c.e.at_end(c.id));
}

#[test]
fn rfc9293_3_10_7_4_eighth_a_fin_out_of_order_waits_for_the_text_before_it() {
    let mut c = Conn::plain();
    let ack = c.e.answer(&seg(ACK | FIN, c.seq + 3, c.ack).data(b"def"));
    assert_eq!(ack.ack, c.seq);
    assert_eq!(c.state(), State::Established);
    assert_eq!(c.e.answer(&c.seg(ACK).data(b"abc")).ack, c.seq + 7);
    assert_eq!(
        (c.state(), c.e.read(c.id)),
        (State::CloseWait, b"abcdef".to_vec())
    );
}

#[test]
fn rfc9293_3_10_7_4_a_repeated_syn_is_answered_by_the_syn_ack_again() {
    let mut e = Engine::new();
    let first = e.answer(&seg(SYN, IRS, 0));
    let second = e.answer(&seg(SYN, IRS, 0));
    assert_eq!(
        (first.seq, second.seq, second.flags),
        (first.seq, first.seq, SYN | ACK)
    );
}

#[test]
fn a_segment_with_a_wrong_checksum_is_counted_and_dropped() {
    let mut e = Engine::new();
    let mut octets = seg(SYN, IRS, 0).octets();
    octets[5] ^= 1;
    let ip = netstack::proto::tcp::IpMeta {
        source: PEER.into(),
        destination: OURS.into(),
        ecn: Default::default(),
        checksummed: false,
    };
    e.tcp.handle_segment(e.now, &ip, octets.into());
    e.nothing();
    assert_eq!(
        (e.tcp.counters().in_errs, e.tcp.counters().in_csum_errors),
        (1, 1)
    );
}
