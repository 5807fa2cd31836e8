//! Windows that are closed or taken back: RFC 9293 §3.8.6 and what it asks of §3.10.7.4.

use core::task::Poll;
use core::time::Duration;

use netstack::proto::tcp::{Config, Error, State};

use crate::wire::*;

const HOUR: Duration = Duration::from_secs(3600);

/// A connection whose peer has closed its window.
fn closed() -> Conn {
    let mut c = Conn::plain();
    c.e.ignores(&c.seg(ACK).window(0));
    c
}

/// The peer answers what was sent in the meantime by an acknowledgement that takes nothing.
fn refuses(c: &mut Conn, time: Duration) -> Vec<Seg> {
    let sent = c.e.pass(time);
    let refused = c.seg(ACK).window(0);
    for _ in &sent {
        c.e.give(&refused);
    }
    sent.into_iter().map(|(_, segment)| segment).collect()
}

/// What acknowledges data of the peer, whose window is closed.
fn acknowledgement(c: &mut Conn) -> Seg {
    let data = c.seg(ACK | PSH).window(0).data(&[1; 500]);
    c.seq += 500;
    let ack = c.e.answer(&data);
    assert_eq!(ack.ack, c.seq);
    ack
}

#[test]
fn rfc9293_3_10_7_4_first_acknowledgements_beside_a_probe_lie_in_the_peers_window() {
    let mut c = closed();
    c.e.send(c.id, b"data");
    let probes = refuses(&mut c, Duration::from_secs(2));
    assert_eq!((probes[0].seq, probes[0].payload.len()), (c.ack, 1));
    assert_eq!(acknowledgement(&mut c).seq, c.ack);
}

#[test]
fn rfc9293_3_8_6_1_a_window_update_beside_a_probe_lies_in_the_peers_window() {
    let mut options = plain();
    options.receive_buffer = 4096;
    options.max_receive_buffer = 4096;
    let mut c = Conn::accept(Config::default(), options, &seg(SYN, IRS, 0).mss(1000));
    for _ in 0..4 {
        c.give_data(&[1; 1000]);
    }
    c.give_data(&[1; 96]);
    assert_eq!(c.e.sent().last().unwrap().window, 0);
    c.e.ignores(&c.seg(ACK).window(0));
    c.e.send(c.id, b"data");
    assert!(!refuses(&mut c, Duration::from_secs(2)).is_empty());
    assert_eq!(c.e.read(c.id).len(), 4096);
    let update = c.e.one();
    assert_eq!((update.seq, update.window), (c.ack, 4096));
}

#[test]
fn rfc9293_3_8_6_1_a_fin_as_probe_leaves_acknowledgements_in_the_peers_window() {
    let mut c = closed();
    c.e.tcp.shutdown(c.e.now, c.id).unwrap();
    let probes = refuses(&mut c, Duration::from_secs(2));
    assert!(!probes.is_empty());
    assert!(
        probes
            .iter()
            .all(|probe| probe.has(FIN) && probe.seq == c.ack)
    );
    assert_eq!(acknowledgement(&mut c).seq, c.ack);
}

#[test]
fn rfc9293_3_10_5_a_reset_beside_a_probe_has_the_number_that_the_peer_expects() {
    let mut c = closed();
    c.e.send(c.id, b"data");
    assert!(!refuses(&mut c, Duration::from_secs(2)).is_empty());
    c.e.tcp.abort(c.e.now, c.id);
    let reset = c.e.one();
    assert_eq!((reset.flags & RST, reset.seq), (RST, c.ack));
}

#[test]
fn rfc7323_2_4_a_window_that_was_rounded_down_moves_no_acknowledgement_back() {
    let syn = seg(SYN, IRS, 0).mss(1000).scale(7);
    let mut c = Conn::accept(Config::default(), plain(), &syn);
    // Room for 2,000 octets, which the peer can tell as 15 units of 128 only.
    c.e.give(&c.seg(ACK).window(16));
    c.sends(2);
    c.e.give(&c.seg(ACK).window(15));
    let _ = c.e.sent();
    let data = c.seg(ACK).window(15).data(b"x");
    assert_eq!(c.e.answer(&data).seq, c.ack + 2000);
}

#[test]
fn rfc9293_3_8_6_must_34_and_37_a_peer_that_takes_its_window_back_and_answers_is_kept() {
    let mut c = Conn::plain();
    c.sends(4);
    c.e.ignores(&c.seg(ACK).window(0));
    let mut probes = 0;
    for _ in 0..3600 {
        probes += refuses(&mut c, Duration::from_secs(1)).len();
    }
    assert_eq!(c.state(), State::Established);
    // At growing intervals (SHLD-30), one segment each.
    assert!((60..80).contains(&probes), "{probes}");
    assert_eq!(c.e.tcp.counters().timeouts, 0);
    // It resumes at once when the window opens.
    c.e.give(&c.seg(ACK).window(60_000));
    let octets: usize = c.e.sent().iter().map(|segment| segment.payload.len()).sum();
    assert_eq!(octets, 4000);
    c.acks(4000);
    assert_eq!(c.e.tcp.status(c.id).unwrap().unacknowledged, 0);
}

#[test]
fn rfc9293_3_8_6_1_a_peer_that_repeats_that_its_window_is_closed_does_not_put_probes_off() {
    let mut c = Conn::plain();
    c.sends(4);
    c.e.ignores(&c.seg(ACK).window(0));
    let mut probes = 0;
    for _ in 0..100 {
        probes += c.e.pass(ms(50)).len();
        c.e.ignores(&c.seg(ACK).window(0));
    }
    // After 200, 600, 1,400 and 3,000 ms.
    assert_eq!(probes, 4);
}

#[test]
fn rfc9293_3_8_6_must_34_a_window_that_is_taken_back_is_probed_in_place_of_a_time_out() {
    let mut c = Conn::plain();
    c.sends(4);
    // Just before the time-out of 200 ms: the timer is the probe's from now on, and starts over.
    assert!(c.e.pass(ms(190)).is_empty());
    c.e.ignores(&c.seg(ACK).window(0));
    assert!(c.e.pass(ms(190)).is_empty());
    assert_eq!(c.e.pass(ms(20)).len(), 1);
    let counters = c.e.tcp.counters();
    assert_eq!((counters.window_probe, counters.timeouts), (1, 0));
}

#[test]
fn rfc7323_2_3_what_is_offered_is_the_buffer_rounded_to_a_unit_and_no_less_than_before() {
    let mut options = plain();
    options.receive_buffer = 40_000;
    options.max_receive_buffer = 4 << 20;
    let mut c = Conn::accept(
        Config::default(),
        options,
        &seg(SYN, IRS, 0).mss(1000).scale(3),
    );
    let unit = 1 << c.syn_ack.scale.unwrap();
    let mut edge = c.seq + 40_000;
    for length in [1, 7, 1000, 333, 999, 1000, 1, 1] {
        c.give_data(&vec![1; length]);
        let ack = c.e.one();
        let told = ack.ack + u32::from(ack.window) * unit;
        // Nothing was read: the edge stays, but for the part of a unit that cannot be told.
        assert!((edge..edge + unit).contains(&told), "{told} after {edge}");
        edge = told;
    }
    for _ in 0..25 {
        c.give_data(&[1; 1000]);
    }
    c.e.sent();
    // What is read opens it again, to the whole buffer less the part of a unit.
    c.e.read(c.id);
    let ack = c.e.one();
    let told = ack.ack + u32::from(ack.window) * unit;
    assert!(
        (c.seq + 40_000 - unit + 1..=c.seq + 40_000 + unit).contains(&told),
        "{told} for {}",
        c.seq
    );
}

#[test]
fn rfc9293_3_8_6_2_2_the_edge_moves_by_half_of_a_buffer_that_holds_less_than_two_segments() {
    let mut options = plain();
    options.receive_buffer = 2048;
    options.max_receive_buffer = 4096;
    let syn = seg(SYN, IRS, 0).mss(1460);
    for (read, moves) in [(1023, false), (1024, true)] {
        let mut c = Conn::accept(Config::default(), options.clone(), &syn);
        c.give_data(&[1; 1040]);
        c.give_data(&[1; 1008]);
        assert_eq!(c.e.sent().last().expect("acknowledged").window, 0);
        let mut buffer = vec![0; read];
        assert_eq!(
            c.e.tcp.receive(c.e.now, c.id, &mut buffer),
            Poll::Ready(Ok(read))
        );
        let probe = c.seg(ACK).data(b"x");
        c.e.give(&probe);
        let window = c.e.sent().last().expect("an answer").window;
        assert_eq!(window > 0, moves, "{read} read: {window}");
    }
}

#[test]
fn rfc9293_3_8_6_1_a_peer_that_takes_its_window_back_and_vanishes_is_given_up() {
    let mut c = Conn::plain();
    c.sends(4);
    c.e.ignores(&c.seg(ACK).window(0));
    c.e.pass(HOUR);
    assert_eq!(
        (c.state(), c.e.error(c.id)),
        (State::Closed, Some(Error::TimedOut))
    );
}

#[test]
fn a_closed_window_does_not_hold_a_released_connection_for_ever() {
    for in_flight in [true, false] {
        let mut c = Conn::plain();
        if in_flight {
            c.sends(4);
        }
        c.e.ignores(&c.seg(ACK).window(0));
        if !in_flight {
            c.e.send(c.id, b"data");
        }
        c.e.tcp.release(c.e.now, c.id);
        c.e.pass(Duration::ZERO);
        for _ in 0..180 {
            refuses(&mut c, Duration::from_secs(1));
        }
        assert_eq!(c.e.tcp.connection_counts(), (0, 0), "{in_flight}");
    }
}

#[test]
fn a_connection_that_is_released_while_its_window_is_closed_has_its_time_from_then_on() {
    for user_timeout in [None, Some(Duration::from_secs(60))] {
        let mut options = plain();
        options.user_timeout = user_timeout;
        let mut c = Conn::accept(Config::default(), options, &seg(SYN, IRS, 0).mss(1000));
        c.e.ignores(&c.seg(ACK).window(0));
        c.e.send(c.id, b"data");
        for _ in 0..30 {
            refuses(&mut c, Duration::from_secs(60));
        }
        c.e.tcp.release(c.e.now, c.id);
        // Until the next probe: less than the sixty seconds.
        refuses(&mut c, Duration::from_secs(59));
        c.e.give(&c.seg(ACK));
        let sent = c.e.sent();
        let octets: Vec<u8> = sent
            .iter()
            .flat_map(|segment| segment.payload.clone())
            .collect();
        assert_eq!(
            (octets.as_slice(), sent.last().unwrap().has(FIN)),
            (&b"data"[..], true)
        );
    }
}

#[test]
fn rfc9293_3_8_6_must_35_a_window_that_shrinks_to_nothing_is_probed_with_selective_acknowledgements()
 {
    let mut c = Conn::sacked();
    c.sends(10);
    // The third and fourth were taken, then the window was.
    let taken = [(c.ack + 2000, c.ack + 4000)];
    c.e.give(&c.seg(ACK).window(0).sack(&taken));
    let _ = c.e.sent();
    let refused = c.seg(ACK).window(0).sack(&taken);
    for _ in 0..600 {
        if !c.e.pass(Duration::from_secs(1)).is_empty() {
            c.e.ignores(&refused);
        }
    }
    assert_eq!(c.state(), State::Established);
    c.e.give(&c.seg(ACK).window(60_000).sack(&taken));
    assert_eq!(c.e.sent()[0].seq, c.ack);
}

#[test]
fn rfc9293_3_8_6_shld_16_what_a_shrunk_window_does_not_take_is_not_sent_again() {
    let mut c = Conn::plain();
    c.sends(4);
    c.e.give(&c.seg(ACK).window(1500));
    let _ = c.e.sent();
    let edge = c.ack + 1500;
    for _ in 0..3 {
        for (_, segment) in c.e.pass(Duration::from_secs(1)) {
            assert!(segment.seq + segment.payload.len() as u32 <= edge);
        }
    }
    // What it takes is acknowledged; the rest is not missed (SHLD-17).
    c.ack += 1000;
    c.e.give(&c.seg(ACK).window(500));
    let again = c.e.one();
    assert_eq!((again.seq, again.payload.len()), (c.ack, 500));
    c.ack += 500;
    c.e.ignores(&c.seg(ACK).window(0));
    for _ in 0..3600 {
        refuses(&mut c, Duration::from_secs(1));
    }
    assert_eq!(c.state(), State::Established);
}

#[test]
fn rfc9293_3_8_6_1_a_probe_that_meets_an_open_window_is_not_sent_again() {
    let mut c = Conn::slow(&seg(SYN, IRS, 0).mss(1000));
    c.e.ignores(&c.seg(ACK).window(0));
    c.e.send(c.id, b"data");
    let probe = loop {
        if let Some((_, probe)) = c.e.pass(ms(10)).pop() {
            break probe;
        }
    };
    assert_eq!(probe.payload, b"d");
    // The window had opened before the probe can have arrived.
    c.e.now += ms(50);
    c.e.give(&c.seg(ACK).window(5000));
    assert_eq!(c.e.one().payload, b"ata");
}

#[test]
fn rfc9293_3_8_6_1_probes_of_the_window_leave_the_time_out_as_it_was() {
    let mut c = closed();
    c.e.send(c.id, b"data");
    for _ in 0..100 {
        refuses(&mut c, Duration::from_secs(1));
    }
    c.e.give(&c.seg(ACK).window(5000));
    let _ = c.e.sent();
    assert!(
        !c.e.pass(ms(250)).is_empty(),
        "the least time-out is 200 ms"
    );
}
