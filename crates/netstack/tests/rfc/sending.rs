//! What goes out and when: Nagle's rule, idle connections, windows that shrink, time-outs and probes; RFC 9293 §3.7
//! and §3.8, RFC 5681 §4.1, RFC 8985.

use core::net::SocketAddrV4;
use core::task::Poll;
use core::time::Duration;

use netstack::proto::tcp::{Config, Error, Event, Readiness, State, TxMeta, TxSink};

use crate::wire::*;

/// A sink without room.
struct Full;

impl TxSink for Full {
    fn reserve(&mut self, _meta: &TxMeta) -> Option<&mut [u8]> {
        None
    }

    fn commit(&mut self) {
        panic!("nothing was reserved");
    }
}

#[test]
fn rfc9293_3_7_4_a_full_segment_in_flight_holds_no_small_one_back() {
    let mut options = plain();
    options.nodelay = false;
    let mut c = Conn::accept(Config::default(), options, &seg(SYN, IRS, 0).mss(1000));
    c.e.send(c.id, &[1; 1000]);
    assert_eq!(c.e.one().payload.len(), 1000);
    // Minshall's form: only a small segment in flight does.
    c.e.send(c.id, b"small");
    assert_eq!(c.e.one().payload, b"small");
}

#[test]
fn what_a_sink_had_no_room_for_is_sent_once_and_nothing_is_sent_again() {
    let mut c = Conn::plain();
    let first = c.sends(1)[0].seq;
    c.e.send(c.id, b"second");
    for _ in 0..3 {
        c.e.tcp.poll_transmit(c.e.now, &mut Full, 10);
    }
    let second = c.e.one();
    assert_eq!(
        (second.seq, &*second.payload),
        (first + 1000, &b"second"[..])
    );
}

#[test]
fn an_acknowledgement_asks_for_a_turn_only_where_something_waits_to_be_sent() {
    let mut c = Conn::plain();
    c.sends(2);
    for _ in 0..2 {
        c.acks(1000);
        assert!(!c.e.tcp.wants_transmit());
    }
    // The initial window is ten segments.
    c.e.send(c.id, &[1; 20_000]);
    c.e.sent();
    c.acks(1000);
    assert!(c.e.tcp.wants_transmit());
    assert!(!c.e.sent().is_empty());
}

#[test]
fn rfc5681_4_1_after_a_pause_a_connection_starts_with_the_initial_window() {
    let mut c = Conn::slow(&sack_syn());
    let mut window = 10;
    for _ in 0..2 {
        c.e.send(c.id, &vec![1; (window + 1) * 1000]);
        assert_eq!(c.e.sent().len(), window);
        c.e.now += ms(100);
        c.acks(window as u32 * 1000);
        c.e.sent();
        c.e.now += ms(100);
        c.acks(1000);
        window = c.e.tcp.status(c.id).unwrap().congestion_window as usize / 1000;
    }
    assert!(window > 25, "{window}");
    c.e.now += Duration::from_secs(10);
    c.e.send(c.id, &vec![1; 40_000]);
    assert_eq!(c.e.sent().len(), 10);
}

#[test]
fn rfc8985_7_3_no_second_probe_before_all_of_the_first_is_acknowledged() {
    let mut c = Conn::slow(&sack_syn());
    c.e.send(c.id, &[1; 10_100]);
    c.e.tcp.shutdown(c.e.now, c.id).unwrap();
    assert_eq!(c.e.sent().len(), 10);
    let probe = c.e.pass(ms(250)).remove(0).1;
    assert!(probe.has(FIN) && probe.payload.len() == 100);
    // The peer has all of the data, and not the FIN.
    c.acks(10_100);
    let _ = c.e.sent();
    c.e.pass(Duration::from_secs(1));
    let counters = c.e.tcp.counters();
    assert_eq!(counters.loss_probes, 1);
    assert!(counters.timeouts > 0);
}

#[test]
fn rfc8985_6_3_a_time_out_leaves_what_was_sent_less_than_a_round_trip_ago() {
    let mut c = Conn::slow(&sack_syn());
    c.sends(1);
    c.e.now += ms(100);
    c.acks(1000);
    let lost = c.sends(1)[0].seq;
    let probe = c.e.pass(ms(350));
    assert_eq!((probe.len(), c.e.tcp.counters().loss_probes), (1, 1));
    // Just before the time-out, which runs from the probe on, there is more to send.
    c.e.pass(probe[0].0 + ms(295) - c.e.now);
    assert_eq!(c.e.tcp.counters().timeouts, 0);
    c.sends(3);
    let timeouts = c.e.pass(ms(10));
    assert_eq!(c.e.tcp.counters().timeouts, 1);
    // RFC 6298 §5.4: the earliest segment is sent again, whatever else is in flight.
    assert_eq!((timeouts.len(), timeouts[0].1.seq), (1, lost));
    c.e.now += ms(50);
    c.acks(1000);
    let again = c.e.sent();
    assert!(
        again.iter().all(|segment| segment.payload.is_empty()),
        "{again:#?}"
    );
}

#[test]
fn rfc9293_3_8_3_a_user_timeout_leaves_the_times_of_retransmissions_before_it() {
    let mut options = plain();
    options.user_timeout = Some(Duration::from_secs(4));
    let mut c = Conn::accept(Config::default(), options, &seg(SYN, IRS, 0).mss(1000));
    c.e.send(c.id, &[1; 500]);
    c.e.one();
    let start = c.e.now;
    let sent = c.e.pass(ms(3900));
    let times: Vec<_> = sent
        .iter()
        .map(|(at, _)| (*at - start).as_millis())
        .collect();
    assert_eq!(times, [200, 600, 1400, 3000]);
    c.e.pass(ms(200));
    assert_eq!(c.e.error(c.id), Some(Error::TimedOut));
}

#[test]
fn rfc9293_3_8_6_1_a_closed_window_is_probed_three_times_before_a_user_timeout_ends_it() {
    let mut options = plain();
    options.user_timeout = Some(Duration::from_secs(1));
    let mut c = Conn::accept(Config::default(), options, &seg(SYN, IRS, 0).mss(1000));
    c.e.ignores(&c.seg(ACK).window(0));
    c.e.send(c.id, b"data");
    c.e.nothing();
    // After 200, 600 and 1,400 ms; the fourth would be due after 3,000.
    assert_eq!(c.e.pass(ms(2900)).len(), 3);
    assert_eq!(c.state(), State::Established);
    c.e.pass(ms(200));
    assert_eq!(c.e.error(c.id), Some(Error::TimedOut));
}

#[test]
fn rfc9293_3_10_7_4_first_acknowledgements_lie_in_a_window_that_shrank_over_what_was_sent() {
    let mut c = Conn::plain();
    c.sends(4);
    c.e.give(&c.seg(ACK).window(1500));
    let _ = c.e.sent();
    let data = c.seg(ACK | PSH).window(1500).data(b"x");
    assert_eq!(c.e.answer(&data).seq, c.ack + 1500);
}

#[test]
fn rfc2018_3_data_leaves_room_for_each_block_and_for_the_timestamps() {
    let mut syn = sack_syn().ts(1, 0);
    syn.mss = Some(1012);
    let mut c = Conn::accept(Config::default(), plain(), &syn);
    c.give_data(b"0123456789");
    let _ = c.e.sent();
    for hole in 1..=4 {
        let mut late = c.seg(ACK).data(b"late");
        late.seq += 10 * hole;
        c.e.give(&late);
    }
    // A duplicate is reported in the first of three blocks.
    let mut again = c.seg(ACK).data(b"0123456789");
    again.seq -= 10;
    let ack = {
        c.e.give(&again);
        c.e.sent().pop().unwrap()
    };
    assert_eq!(ack.sack.len(), 3);
    c.e.send(c.id, &[0; 3000]);
    for segment in c.e.sent() {
        assert_eq!(segment.sack.len(), 3);
        assert!(
            segment.payload.len() <= 1000 - 28,
            "{}",
            segment.payload.len()
        );
    }
}

#[test]
fn rfc7323_4_3_the_first_acknowledgement_of_an_active_open_echoes_what_came_with_the_syn_ack() {
    let mut e = Engine::new();
    let remote = SocketAddrV4::new(PEER, PEER_PORT);
    let local = SocketAddrV4::new(OURS, PORT);
    e.tcp.connect(e.now, local, remote, &plain()).unwrap();
    let syn = e.one();
    let stamp = syn.timestamps.unwrap().0;
    e.give(&seg(SYN | ACK, IRS, syn.seq + 1).mss(1000).ts(1, stamp));
    // Data in the same batch, stamped later.
    e.give(&seg(ACK, IRS + 1, syn.seq + 1).ts(7, stamp).data(b"hello"));
    assert_eq!(e.one().timestamps.unwrap().1, 7);
}

#[test]
fn two_large_segments_may_wait_for_a_closed_window() {
    let mut config = Config::default();
    config.mtu = 9000;
    let mut c = Conn::accept(config, plain(), &seg(SYN, IRS, 0).mss(8960));
    c.e.ignores(&c.seg(ACK).window(0));
    let sent = c.e.tcp.send(c.id, &[0; 40_000]);
    assert_eq!(sent, Poll::Ready(Ok(2 * 8960)));
}

#[test]
fn much_may_wait_for_a_window_that_takes_a_segment() {
    let waits = |memory, window| {
        let mut config = Config::default();
        config.memory = Some(memory);
        let mut c = Conn::accept(config, plain(), &seg(SYN, IRS, 0).mss(1000));
        c.e.ignores(&c.seg(ACK).window(window));
        match c.e.tcp.send(c.id, &[0; 60_000]) {
            Poll::Ready(Ok(octets)) => octets,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(waits(64 << 20, 1000), 60_000);
    assert_eq!(waits(64 << 20, 999), 8 << 10);
    // A part of the memory.
    assert!((20_000..40_000).contains(&waits(1 << 20, 1000)));
    assert_eq!(waits(1 << 20, 999), 8 << 10);
}

/// A device that cuts runs of up to `longest` octets apart, and what each segment or run has of payload and to be cut to.
struct Cutter {
    longest: usize,
    frame: Vec<u8>,
    sent: Vec<(usize, u16)>,
}

impl TxSink for Cutter {
    fn reserve(&mut self, meta: &TxMeta) -> Option<&mut [u8]> {
        self.sent.push((meta.len - 20, meta.cut));
        self.frame = vec![0; meta.len];
        Some(&mut self.frame)
    }

    fn commit(&mut self) {}

    fn longest_run(&self, _meta: &TxMeta) -> usize {
        self.longest
    }
}

#[test]
fn a_device_is_given_runs_to_cut_and_what_is_left_over_whole() {
    let mut c = Conn::plain();
    c.e.send(c.id, &[0; 7000]);
    let mut device = Cutter {
        longest: 20 + 2500,
        frame: Vec::new(),
        sent: Vec::new(),
    };
    c.e.tcp.poll_transmit(c.e.now, &mut device, 100);
    // The first begins the flight and the last has PSH: five between them, in runs of two.
    let [whole, run] = [(1000, 0), (2000, 1000)];
    assert_eq!(device.sent, [whole, run, run, whole, whole]);
}

#[test]
fn acknowledgements_are_quick_again_after_a_pause() {
    let mut c = Conn::plain();
    c.end_quick_acks();
    c.give_data(b"x");
    c.e.nothing();
    // The answer carries the acknowledgement, so that none is due when its time comes.
    c.e.send(c.id, b"y");
    c.e.one();
    c.acks(1);
    c.e.pass(Duration::from_secs(10));
    c.give_data(b"x");
    assert_eq!(c.e.one().ack, c.seq);
}

#[test]
fn rfc9293_3_6_the_end_of_fin_wait_2_without_a_user_is_no_reset() {
    let mut c = Conn::plain();
    c.e.tcp.release(c.e.now, c.id);
    c.e.one();
    c.acks(1);
    assert!(c.e.pass(Duration::from_secs(61)).is_empty());
    assert_eq!(c.e.tcp.connection_counts(), (0, 0));
    assert_eq!(c.e.tcp.counters().abort_on_linger, 0);
}

#[test]
fn rfc9293_3_6_a_user_may_stay_in_fin_wait_2_and_receive() {
    let mut c = Conn::plain();
    c.e.tcp.shutdown(c.e.now, c.id).unwrap();
    c.e.one();
    c.acks(1);
    assert!(c.e.pass(Duration::from_secs(600)).is_empty());
    assert_eq!(c.state(), State::FinWait2);
    c.give_data(b"late");
    assert_eq!(c.e.read(c.id), b"late");
}

#[test]
fn what_came_before_a_connection_was_accepted_is_reported_to_its_user() {
    let mut e = Engine::new();
    let (id, _) = open_saying(&mut e, (1, PEER_PORT), b"hello").unwrap();
    let events: Vec<Event> = core::iter::from_fn(|| e.tcp.poll_event()).collect();
    let readable = |event: &Event| matches!(event, Event::Connection(of, what) if *of == id && what.contains(Readiness::READABLE));
    assert!(events.iter().any(readable), "{events:?}");
}
