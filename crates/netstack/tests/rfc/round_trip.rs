//! What is known of the round-trip time: RFC 6298, Karn's algorithm, samples that are none.

use core::net::SocketAddrV4;
use core::time::Duration;
use std::collections::VecDeque;

use netstack::proto::Instant;
use netstack::proto::tcp::Config;

use crate::wire::*;

/// Lets `time` pass with a peer that takes everything and whose acknowledgements arrive a round trip
/// after what they acknowledge was sent; returns how many segments were sent more than once.
fn distant(c: &mut Conn, rtt: Duration, time: Duration, send: usize) -> usize {
    let end = c.e.now + time;
    let mut acks: VecDeque<(Instant, u32)> = VecDeque::new();
    let (mut again, mut highest, mut next_send) = (0, c.ack, c.e.now);
    while c.e.now < end {
        let mut sent = c.e.pass(ms(1));
        while acks.front().is_some_and(|(due, _)| *due <= c.e.now) {
            c.ack = acks.pop_front().unwrap().1;
            let mut ack = c.seg(ACK);
            ack.timestamps = None;
            c.e.give(&ack);
            let now = c.e.now;
            sent.extend(c.e.sent().into_iter().map(|segment| (now, segment)));
        }
        if c.e.now >= next_send && c.e.tcp.status(c.id).unwrap().unacknowledged == 0 {
            next_send = c.e.now + rtt * 2;
            c.e.send(c.id, &vec![7; send]);
            let now = c.e.now;
            sent.extend(c.e.sent().into_iter().map(|segment| (now, segment)));
        }
        for (time, segment) in sent {
            let last = segment.seq.wrapping_add(segment.payload.len() as u32);
            if segment.payload.is_empty() {
                continue;
            }
            if last.wrapping_sub(highest) as i32 > 0 {
                highest = last;
            } else {
                again += 1;
            }
            acks.push_back((time + rtt, highest));
        }
    }
    again
}

/// Sends a segment that no black hole can explain.
fn small(c: &mut Conn) {
    c.e.send(c.id, &[7; 500]);
    assert_eq!(c.e.one().payload.len(), 500);
}

fn srtt(c: &Conn) -> Option<Duration> {
    c.e.tcp.status(c.id).unwrap().smoothed_rtt
}

#[test]
fn rfc6298_5_karn_the_back_off_lasts_until_there_is_a_sample() {
    // One segment at a time, and as many as the window takes.
    for send in [500, 30_000] {
        let mut c = Conn::plain();
        assert_eq!(distant(&mut c, ms(2), Duration::from_secs(1), send), 0);
        // The round trip takes longer now than the time-out of 200 ms.
        distant(&mut c, ms(300), Duration::from_secs(5), send);
        assert!(srtt(&c).unwrap() > ms(30), "{:?}", srtt(&c));
        assert_eq!(distant(&mut c, ms(300), Duration::from_secs(60), send), 0);
        assert!(srtt(&c).unwrap() > ms(250), "{:?}", srtt(&c));
    }
}

#[test]
fn rfc8985_7_2_a_tail_loss_probe_does_not_void_each_sample() {
    let mut c = Conn::sacked();
    assert_eq!(distant(&mut c, ms(2), Duration::from_secs(1), 500), 0);
    distant(&mut c, ms(300), Duration::from_secs(5), 500);
    assert_eq!(distant(&mut c, ms(300), Duration::from_secs(60), 500), 0);
    assert!(srtt(&c).unwrap() > ms(250), "{:?}", srtt(&c));
}

#[test]
fn rfc6298_5_5_a_retransmission_that_is_acknowledged_does_not_end_the_back_off() {
    let mut c = Conn::plain();
    small(&mut c);
    // 200, 400 and 800 ms.
    assert_eq!(c.e.pass(ms(1500)).len(), 3);
    c.acks(500);
    small(&mut c);
    assert!(c.e.pass(ms(1500)).is_empty());
    assert_eq!(c.e.pass(ms(200)).len(), 1);
    c.acks(500);
    // What is acknowledged at its first sending is a sample.
    small(&mut c);
    c.e.now += ms(1);
    c.acks(500);
    small(&mut c);
    assert_eq!(c.e.pass(ms(250)).len(), 1);
}

#[test]
fn rfc9293_3_8_3_time_outs_are_counted_from_the_last_progress() {
    let mut config = Config::default();
    config.retries = 4;
    let mut c = Conn::accept(config, plain(), &seg(SYN, IRS, 0).mss(1000));
    // Each segment is lost three times; the back-off stays, the connection too.
    for _ in 0..5 {
        small(&mut c);
        let mut lost = 0;
        while lost < 3 {
            lost += c.e.pass(Duration::from_secs(1)).len();
        }
        c.acks(500);
    }
    assert_eq!(c.e.error(c.id), None);
}

#[test]
fn rfc6298_4_an_answer_sooner_than_any_round_trip_is_to_the_original() {
    let mut c = Conn::slow(&seg(SYN, IRS, 0).mss(1000));
    c.sends(8);
    let before = window(&c);
    // The time-out is at 300 ms; the original is acknowledged 60 ms later, and a round trip has
    // never taken less than 100 ms.
    assert_eq!(c.e.pass(ms(310)).len(), 1);
    assert!(window(&c) < before);
    c.e.now += ms(50);
    c.acks(8000);
    assert_eq!(srtt(&c), Some((ms(100) * 7 + ms(360)) / 8));
    assert!(window(&c) >= before);
    c.e.nothing();
}

#[test]
fn rfc6298_4_after_two_time_outs_nothing_tells_which_has_arrived() {
    let mut c = Conn::slow(&seg(SYN, IRS, 0).mss(1000));
    c.sends(1);
    let before = window(&c);
    assert_eq!(c.e.pass(ms(910)).len(), 2);
    c.acks(1000);
    assert_eq!(srtt(&c), Some(ms(100)));
    assert!(window(&c) < before);
}

#[test]
fn rfc6298_3_a_syn_ack_sent_twice_measures_nothing() {
    let mut e = Engine::new();
    e.answer(&seg(SYN, IRS, 0));
    e.now += ms(900);
    let again = e.answer(&seg(SYN, IRS, 0));
    e.now += ms(10);
    e.give(&seg(ACK, IRS + 1, again.seq + 1));
    let id = e.tcp.accept(e.listener).unwrap().unwrap();
    assert_eq!(e.tcp.status(id).unwrap().smoothed_rtt, None);
}

#[test]
fn rfc4987_3_6_a_cookie_measures_nothing() {
    let mut e = Engine::new();
    for port in 0..8 {
        let mut syn = seg(SYN, IRS, 0);
        syn.from = 10_000 + port;
        e.answer(&syn);
    }
    let cookie = e.answer(&sack_syn());
    e.now += ms(100);
    e.give(&seg(ACK, IRS + 1, cookie.seq + 1));
    let id = e.tcp.accept(e.listener).unwrap().unwrap();
    assert_eq!(e.tcp.status(id).unwrap().smoothed_rtt, None);
    // No probe comes early for want of a measurement: the first time-out is at a second.
    e.send(id, &[1; 500]);
    let sent = e.one();
    let ours =
        |sent: Vec<(Instant, Seg)>| sent.into_iter().filter(|it| it.1.to == PEER_PORT).count();
    assert_eq!(ours(e.pass(ms(999))), 0);
    assert_eq!(ours(e.pass(ms(2))), 1);
    // The next segment is the first sample.
    e.give(&seg(ACK, IRS + 1, sent.seq + 500));
    e.send(id, &[1; 500]);
    e.one();
    e.now += ms(100);
    e.give(&seg(ACK, IRS + 1, sent.seq + 1000));
    assert_eq!(e.tcp.status(id).unwrap().smoothed_rtt, Some(ms(100)));
}

#[test]
fn rfc7323_4_1_an_echo_within_a_tick_measures_a_tick() {
    let mut e = Engine::new();
    let remote = SocketAddrV4::new(PEER, PEER_PORT);
    let local = SocketAddrV4::new(OURS, PORT);
    let id = e.tcp.connect(e.now, local, remote, &plain()).unwrap();
    let syn = e.one();
    // The handshake's retransmission leaves nothing measured.
    let syn_again = e.pass(ms(1000)).pop().unwrap().1;
    let stamp = syn_again.timestamps.unwrap().0;
    e.give(&seg(SYN | ACK, IRS, syn.seq + 1).mss(1000).ts(1, stamp));
    e.one();
    e.send(id, &[1; 500]);
    e.one();
    let (time, again) = e.pass(Duration::from_secs(4)).pop().unwrap();
    e.now = time + Duration::from_micros(300);
    let stamp = again.timestamps.unwrap().0;
    e.give(&seg(ACK, IRS + 1, syn.seq + 501).ts(1, stamp));
    assert_eq!(e.tcp.status(id).unwrap().smoothed_rtt, Some(ms(1)));
}

#[test]
fn rfc7323_4_1_only_what_advances_the_left_edge_measures() {
    let syn = seg(SYN, IRS, 0).mss(1012).ts(100, 0);
    let mut c = Conn::accept_after(ms(100), Config::default(), plain(), &syn);
    c.sends(2);
    let before = srtt(&c);
    c.e.now += ms(150);
    c.acks(0);
    assert_eq!(srtt(&c), before);
    c.acks(2000);
    assert!(srtt(&c) > before);
}

/// With timestamps and segments of 1000 octets, over a round trip of 100 ms.
fn stamped(mut syn: Seg) -> Conn {
    syn.mss = Some(1012);
    Conn::slow(&syn.ts(100, 0))
}

#[test]
fn rfc7323_5_3_r2_the_echo_of_what_arrived_before_a_duplicate_measures_nothing() {
    let mut c = stamped(sack_syn());
    let sent = c.sends(10);
    // All arrive, and no acknowledgement comes back until what is sent again is answered by duplicates.
    assert!(!c.e.pass(Duration::from_secs(10)).is_empty());
    let before = srtt(&c);
    let echo = sent[9].timestamps.unwrap().0;
    let ack = seg(ACK, c.seq, c.ack + 10_000).ts(101, echo);
    c.e.give(&ack.sack(&[(c.ack, c.ack + 1000)]));
    assert_eq!(srtt(&c), before);
}

#[test]
fn rfc6298_5_karn_with_timestamps_the_back_off_lasts_until_an_echo_is_of_the_last_sending() {
    for (echoes_last, waits) in [(false, ms(2400)), (true, ms(300))] {
        let mut c = stamped(seg(SYN, IRS, 0));
        c.e.send(c.id, &[7; 500]);
        let first = c.e.one();
        // 300, 600 and 1200 ms.
        let again = c.e.pass(ms(2200));
        assert_eq!(again.len(), 3);
        let echoed = if echoes_last { &again[2].1 } else { &first };
        let echo = echoed.timestamps.unwrap().0;
        c.e.give(&seg(ACK, c.seq, c.ack + 500).ts(101, echo));
        small(&mut c);
        let began = c.e.now;
        assert_eq!(c.e.pass(Duration::from_secs(3))[0].0 - began, waits);
    }
}
