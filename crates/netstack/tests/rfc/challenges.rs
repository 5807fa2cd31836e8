//! Segments that may be forged, or of a peer that disagrees: RFC 5961, and resets without a connection.

use core::time::Duration;

use netstack::proto::tcp::{Config, State};

use crate::wire::*;

#[test]
fn rfc5961_3_2_a_reset_in_the_window_is_challenged_and_outside_it_is_dropped() {
    let mut c = Conn::plain();
    let challenge = c.e.answer(&seg(RST, c.seq + 5, 0));
    assert_eq!(
        (challenge.flags, challenge.seq, challenge.ack),
        (ACK, c.ack, c.seq)
    );
    c.e.ignores(&seg(RST, c.seq + 70_000, 0));
    c.e.ignores(&seg(RST, c.seq - 1, 0));
    assert_eq!(
        (c.state(), c.e.tcp.counters().challenge_ack),
        (State::Established, 1)
    );
}

#[test]
fn rfc5961_4_2_a_syn_on_a_connection_is_challenged() {
    let mut c = Conn::plain();
    let challenge = c.e.answer(&seg(SYN, c.seq + 5, 0));
    assert_eq!((challenge.flags, challenge.ack), (ACK, c.seq));
    assert_eq!(
        (c.state(), c.e.tcp.counters().syn_challenge),
        (State::Established, 1)
    );
}

#[test]
fn rfc5961_4_2_a_syn_is_challenged_whatever_its_number_and_without_the_timestamps_of_the_connection()
 {
    for stamped in [false, true] {
        let mut syn = seg(SYN, IRS, 0);
        syn.timestamps = stamped.then_some((100, 0));
        let mut c = Conn::accept(Config::default(), plain(), &syn);
        for (count, seq) in [c.seq - 500, c.seq + 5, c.seq + 1_000_000]
            .into_iter()
            .enumerate()
        {
            let challenge = c.e.answer(&seg(SYN, seq, 0));
            assert_eq!((challenge.flags, challenge.ack), (ACK, c.seq));
            assert_eq!(challenge.sack, []);
            assert_eq!(c.e.tcp.counters().syn_challenge, count as u64 + 1);
        }
        let reset = seg(RST, c.seq, 0);
        c.e.ignores(&reset);
        assert_eq!(c.state(), State::Closed);
    }
}

#[test]
fn rfc5961_7_answers_to_what_may_be_an_answer_leave_a_round_trip_between_them() {
    for (rtt, most) in [(1, 3), (400, 2)] {
        let mut c = Conn::accept_after(ms(rtt), Config::default(), plain(), &seg(SYN, IRS, 0));
        // Not the number expected, or the acknowledgement of what was not sent.
        for segment in [seg(ACK, c.seq - 1, c.ack), seg(ACK, c.seq, c.ack + 1)] {
            c.e.now += Duration::from_secs(10);
            let mut answers = 0;
            for _ in 0..1250 {
                c.e.give(&segment);
                answers += c.e.sent().len();
                c.e.now += ms(1);
            }
            assert_eq!(answers, most, "{rtt} ms");
        }
        // Data is none, and is answered.
        assert_eq!(
            c.e.answer(&seg(ACK, c.seq - 5, c.ack).data(b"again")).ack,
            c.seq
        );
    }
}

#[test]
fn rfc5961_5_2_data_with_an_impossible_acknowledgement_is_challenged_and_dropped() {
    let mut c = Conn::plain();
    let window = 65_000;
    let challenge =
        c.e.answer(&seg(ACK, c.seq, c.ack - window - 1).data(b"inject"));
    assert_eq!(challenge.ack, c.seq);
    assert_eq!(c.e.read(c.id), b"");
    c.e.give(&seg(ACK, c.seq, c.ack - window).data(b"late but possible"));
    assert_eq!(c.e.read(c.id), b"late but possible");
}

#[test]
fn rfc5961_10_challenges_are_limited() {
    let mut c = Conn::plain();
    let mut challenges = 0;
    for _ in 0..1000 {
        c.e.give(&seg(RST, c.seq + 5, 0));
        challenges += c.e.sent().len();
    }
    assert_eq!(challenges, 100);
}

/// Another connection, from port 5000, once the first has used up its challenges.
fn other_than_a_challenged_one() -> (Engine, Seg) {
    let mut c = Conn::plain();
    for _ in 0..1000 {
        c.e.give(&seg(RST, c.seq + 5, 0));
        let _ = c.e.sent();
    }
    let mut syn = seg(SYN, IRS, 0);
    syn.from = 5000;
    let answer = c.e.answer(&syn);
    (c.e, answer)
}

#[test]
fn rfc5961_10_challenges_of_one_connection_tell_nothing_of_another() {
    let (mut e, answer) = other_than_a_challenged_one();
    let mut segment = seg(ACK, IRS + 1, answer.seq + 1);
    segment.from = 5000;
    e.give(&segment);
    segment.flags = RST;
    segment.seq += 5;
    let mut challenges = 0;
    for _ in 0..1000 {
        e.give(&segment);
        challenges += e.sent().len();
    }
    assert_eq!(challenges, 100);
}

#[test]
fn rfc9293_3_10_7_4_a_repeated_syn_is_no_challenge() {
    let (mut e, _) = other_than_a_challenged_one();
    let mut syn = seg(SYN, IRS, 0);
    syn.from = 5000;
    assert_eq!(e.answer(&syn).flags, SYN | ACK);
}

#[test]
fn resets_for_unknown_connections_are_limited() {
    let mut e = Engine::new();
    let mut resets = 0;
    for _ in 0..5000 {
        e.give(&seg(ACK, 5, 77));
        resets += e.sent().len();
    }
    assert!((100..=200).contains(&resets), "{resets}");
}
