//! Data transfer: RFC 9293 §3.7 and §3.8, RFC 5681 §4.2.

use core::task::Poll;
use core::time::Duration;

use netstack::proto::tcp::{Config, Error, KeepAlive, Options, State};

use crate::wire::*;

#[test]
fn rfc9293_3_7_1_segments_are_as_large_as_the_peer_takes() {
    let mut c = Conn::plain();
    let sent = c.sends(3);
    assert!(sent.iter().all(|segment| segment.payload.len() == 1000));
    assert!(!sent[0].has(PSH) && sent[2].has(PSH));
}

#[test]
fn rfc879_an_mss_below_48_octets_is_taken_for_48_and_others_are_kept_to() {
    for (announced, used) in [(0, 48), (1, 48), (28, 48), (47, 48), (49, 49), (100, 100)] {
        let syn = seg(SYN, IRS, 0).mss(announced);
        let mut c = Conn::accept(Config::default(), plain(), &syn);
        c.e.send(c.id, &[1; 400]);
        let longest = c.e.sent().iter().map(|sent| sent.payload.len()).max();
        assert_eq!(longest, Some(used), "announced {announced}");
    }
    // The options are part of it.
    let mut c = Conn::accept(
        Config::default(),
        plain(),
        &seg(SYN, IRS, 0).mss(1).ts(1, 0),
    );
    c.e.send(c.id, &[1; 400]);
    let longest = c.e.sent().iter().map(|sent| sent.payload.len()).max();
    assert_eq!(longest, Some(48 - 12));
    // But no floor makes segments larger than the interface takes.
    let mut config = Config::default();
    config.mtu = 68;
    let mut c = Conn::accept(config, plain(), &seg(SYN, IRS, 0).mss(1));
    c.e.send(c.id, &[1; 400]);
    assert!(c.e.sent().iter().all(|sent| sent.payload.len() <= 28));
}

#[test]
fn segments_in_flight_are_bounded_however_small_they_are() {
    let options = plain();
    let most = 64 + options.send_buffer / 512;
    let syn = seg(SYN, IRS, 0).mss(48).scale(7);
    let mut c = Conn::accept(Config::default(), options, &syn);
    let (mut queued, mut received, mut longest) = (0, 0, 0);
    while received < 1 << 20 {
        while queued < 1 << 20
            && let Poll::Ready(Ok(octets)) = c.e.tcp.send(c.id, &[7; 4096])
        {
            queued += octets;
        }
        let sent = c.e.sent();
        let octets: usize = sent.iter().map(|segment| segment.payload.len()).sum();
        assert!(octets > 0, "it goes on after each acknowledgement");
        longest = longest.max(sent.len());
        received += octets;
        c.acks(octets as u32);
    }
    assert!(longest <= most, "{longest} segments in flight");
    assert!(longest > most / 2, "{longest} segments in flight");
}

#[test]
fn rfc9293_3_7_1_must_15_without_mss_option_536_octets() {
    let c = Conn::accept(Config::default(), plain(), &seg(SYN, IRS, 0));
    assert_eq!(c.e.tcp.status(c.id).unwrap().maximum_segment, 536);
}

#[test]
fn rfc9293_3_7_1_options_leave_room_for_less_payload() {
    let syn = seg(SYN, IRS, 0).mss(1460).ts(1, 0);
    let c = Conn::accept(Config::default(), plain(), &syn);
    assert_eq!(c.e.tcp.status(c.id).unwrap().maximum_segment, 1448);
}

#[test]
fn rfc9293_3_7_1_sack_blocks_on_data_do_not_exceed_the_mtu() {
    let mut c = Conn::sacked();
    c.e.give(&seg(ACK, c.seq + 10, c.ack).data(b"late"));
    c.e.send(c.id, &[0; 3000]);
    for segment in c.e.sent() {
        assert_eq!(segment.sack.len(), 1);
        assert!(segment.payload.len() <= 1000 - 12);
    }
}

#[test]
fn rfc9293_3_7_4_nagle_holds_a_small_segment_while_another_is_in_flight() {
    let mut options = plain();
    options.nodelay = false;
    let mut c = Conn::accept(Config::default(), options, &seg(SYN, IRS, 0).mss(1000));
    c.e.send(c.id, b"first");
    assert_eq!(c.e.one().payload, b"first");
    c.e.send(c.id, b"second");
    c.e.send(c.id, b"third");
    c.e.nothing();
    c.acks(5);
    assert_eq!(c.e.one().payload, b"secondthird");
    // A full segment does not wait.
    c.e.send(c.id, &[0; 1000]);
    assert_eq!(c.e.one().payload.len(), 1000);
}

#[test]
fn rfc9293_3_7_4_must_17_nodelay_turns_nagle_off_and_releases_what_waits() {
    let mut options = plain();
    options.nodelay = false;
    let mut c = Conn::accept(Config::default(), options, &seg(SYN, IRS, 0).mss(1000));
    c.e.send(c.id, b"first");
    c.e.one();
    c.e.send(c.id, b"second");
    c.e.nothing();
    c.e.tcp.set_nodelay(c.id, true).unwrap();
    assert_eq!(c.e.one().payload, b"second");
}

#[test]
fn rfc5681_4_2_acknowledgements_are_quick_at_the_start_and_delayed_later() {
    let mut c = Conn::plain();
    c.give_data(b"at once");
    assert_eq!(c.e.one().ack, c.seq);
    c.end_quick_acks();
    c.give_data(b"later");
    c.e.nothing();
    let start = c.e.now;
    let sent = c.e.pass(ms(500));
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].1.ack, sent[0].0 - start), (c.seq, ms(40)));
    assert_eq!(c.e.tcp.counters().delayed_acks, 1);
}

#[test]
fn rfc5681_4_2_every_second_full_segment_is_acknowledged() {
    let mut c = Conn::plain();
    c.end_quick_acks();
    c.give_data(&[1; 1000]);
    c.e.nothing();
    c.give_data(&[1; 1000]);
    assert_eq!(c.e.one().ack, c.seq);
}

#[test]
fn a_batch_is_acknowledged_once() {
    let mut c = Conn::plain();
    for _ in 0..20 {
        c.give_data(&[1; 1000]);
    }
    assert_eq!(c.e.one().ack, c.seq);
}

#[test]
fn rfc9293_3_8_6_3_data_carries_the_acknowledgement() {
    let mut c = Conn::plain();
    c.end_quick_acks();
    c.give_data(b"question");
    c.e.send(c.id, b"answer");
    assert_eq!(c.e.one().ack, c.seq);
    assert!(
        c.e.pass(ms(100)).is_empty(),
        "no acknowledgement is left over"
    );
}

#[test]
fn rfc9293_3_8_6_2_2_the_window_opens_by_a_segment_or_half_of_the_buffer() {
    let mut options = plain();
    options.receive_buffer = 4096;
    options.max_receive_buffer = 4096;
    let mut c = Conn::accept(Config::default(), options, &seg(SYN, IRS, 0).mss(1000));
    let edge = |ack: &Seg| ack.ack + u32::from(ack.window);
    c.give_data(&[1; 1024]);
    let before = edge(&c.e.one());
    // A little room is not told.
    let mut buffer = [0; 100];
    assert_eq!(
        c.e.tcp.receive(c.e.now, c.id, &mut buffer),
        Poll::Ready(Ok(100))
    );
    c.give_data(&[1; 10]);
    assert_eq!(edge(&c.e.one()), before);
    c.e.read(c.id);
    c.give_data(&[1; 10]);
    assert!(edge(&c.e.one()) >= before + 1000);
}

#[test]
fn rfc9293_3_8_6_2_2_reading_from_a_full_buffer_tells_the_peer() {
    let mut options = plain();
    options.receive_buffer = 4096;
    options.max_receive_buffer = 4096;
    let mut c = Conn::accept(Config::default(), options, &seg(SYN, IRS, 0).mss(1000));
    for _ in 0..4 {
        c.give_data(&[1; 1024]);
    }
    assert_eq!(c.e.one().window, 0);
    c.e.read(c.id);
    assert_eq!(c.e.one().window, 4096);
}

#[test]
fn the_window_never_shrinks() {
    let mut options = Options::default();
    options.receive_buffer = 10_000;
    let mut c = Conn::accept(
        Config::default(),
        options,
        &seg(SYN, IRS, 0).mss(1000).scale(5),
    );
    let shift = c.syn_ack.scale.unwrap();
    let mut edge = IRS + 1 + u32::from(c.syn_ack.window);
    for length in [1, 7, 1000, 333, 999, 1000, 1000, 1, 1] {
        c.give_data(&vec![1; length]);
        if length % 3 == 0 {
            let mut buffer = [0; 500];
            let _ = c.e.tcp.receive(c.e.now, c.id, &mut buffer);
        }
        for ack in c.e.sent() {
            let new = ack.ack + (u32::from(ack.window) << shift);
            assert!(new >= edge, "{new} is before {edge}");
            edge = new;
        }
    }
}

#[test]
fn rfc9293_3_8_6_2_1_a_small_window_waits_for_half_of_the_largest() {
    let mut c = Conn::plain();
    // The largest window seen is 65,000; the window now is tiny and data is larger.
    let segment = c.seg(ACK).window(100);
    c.seq += 1;
    c.e.give(&segment.data(b"x"));
    let _ = c.e.sent();
    c.e.send(c.id, &[0; 5000]);
    c.e.nothing();
    // The override time-out sends what the window takes.
    let sent = c.e.pass(ms(1500));
    assert_eq!(sent[0].1.payload.len(), 100);
}

#[test]
fn rfc9293_3_8_6_2_1_half_of_the_largest_window_is_worth_a_segment() {
    let mut e = Engine::new();
    let mut ack = e.answer(&seg(SYN, IRS, 0).mss(1000).window(600)).seq + 1;
    e.give(&seg(ACK, IRS + 1, ack).window(600));
    let id = e.tcp.accept(e.listener).unwrap().expect("established");
    e.send(id, &[0; 2000]);
    assert_eq!(e.one().payload.len(), 600);
    ack += 600;
    e.ignores(&seg(ACK, IRS + 1, ack).window(299));
    let sent = e.answer(&seg(ACK, IRS + 1, ack).window(300));
    assert_eq!(sent.payload.len(), 300);
}

#[test]
fn rfc9293_3_8_6_1_a_closed_window_is_probed_with_an_octet_at_growing_intervals() {
    let mut c = Conn::plain();
    let close = c.seg(ACK).window(0).data(b"x");
    c.seq += 1;
    c.e.give(&close);
    let _ = c.e.sent();
    c.e.send(c.id, b"data");
    c.e.nothing();
    let mut gaps = Vec::new();
    let mut last = c.e.now;
    while gaps.len() < 8 {
        for (time, probe) in c.e.pass(ms(100)) {
            assert_eq!((probe.seq, probe.payload.as_slice()), (c.ack, &b"d"[..]));
            gaps.push((time - last).as_millis());
            last = time;
            // The peer answers: its window is still closed.
            c.e.give(&c.seg(ACK).window(0));
        }
    }
    assert!(gaps.windows(2).all(|pair| pair[1] >= pair[0]), "{gaps:?}");
    assert!(gaps[7] > 10 * gaps[0], "{gaps:?}");
    assert_eq!(c.state(), State::Established);
    // The window opens, without the probe's octet.
    c.e.give(&c.seg(ACK).window(5000));
    let data: Vec<u8> =
        c.e.sent()
            .into_iter()
            .flat_map(|segment| segment.payload)
            .collect();
    assert_eq!(data, b"data");
}

#[test]
fn rfc9293_3_8_6_1_must_37_a_closed_window_does_not_end_the_connection_while_probes_are_answered() {
    let mut c = Conn::plain();
    let close = c.seg(ACK).window(0).data(b"x");
    c.seq += 1;
    c.e.give(&close);
    let _ = c.e.sent();
    c.e.send(c.id, b"data");
    for _ in 0..200 {
        if !c.e.pass(Duration::from_secs(30)).is_empty() {
            c.e.give(&c.seg(ACK).window(0));
        }
    }
    assert_eq!(c.state(), State::Established);
    // Unanswered probes do.
    c.e.pass(Duration::from_secs(3600));
    assert_eq!(
        (c.state(), c.e.error(c.id)),
        (State::Closed, Some(Error::TimedOut))
    );
}

#[test]
fn rfc9293_3_8_4_keep_alive_probes_an_idle_peer_and_gives_up() {
    let mut options = plain();
    options.keep_alive = Some(
        KeepAlive::default()
            .idle(Duration::from_secs(100))
            .interval(Duration::from_secs(10))
            .probes(3),
    );
    let mut c = Conn::accept(Config::default(), options, &seg(SYN, IRS, 0).mss(1000));
    assert!(c.e.pass(Duration::from_secs(99)).is_empty());
    let probes = c.e.pass(Duration::from_secs(2));
    assert_eq!(probes.len(), 1);
    assert_eq!((probes[0].1.seq, probes[0].1.payload.len()), (c.ack - 1, 0));
    // An answer starts the time over.
    c.e.ignores(&c.seg(ACK));
    assert!(c.e.pass(Duration::from_secs(95)).is_empty());
    let sent = c.e.pass(Duration::from_secs(60));
    assert_eq!(sent.len(), 4, "three probes and a reset: {sent:?}");
    assert!(sent[3].1.has(RST));
    assert_eq!(c.e.error(c.id), Some(Error::TimedOut));
}

#[test]
fn keep_alive_probes_without_an_interval_do_not_make_the_timer_due_for_ever() {
    let mut options = plain();
    options.keep_alive = Some(
        KeepAlive::default()
            .idle(Duration::from_secs(1))
            .interval(Duration::ZERO)
            .probes(3),
    );
    let mut c = Conn::accept(Config::default(), options, &seg(SYN, IRS, 0).mss(1000));
    c.sends(1);
    c.e.now += Duration::from_secs(1);
    for _ in 0..3 {
        c.e.tcp.handle_timeout(c.e.now);
        let _ = c.e.sent();
    }
    assert!(c.e.tcp.next_timeout().unwrap() > c.e.now);
}

#[test]
fn rfc9293_3_8_4_a_keep_alive_probe_of_the_peer_is_answered() {
    let mut c = Conn::plain();
    let ack = c.e.answer(&seg(ACK, c.seq - 1, c.ack));
    assert_eq!((ack.seq, ack.ack), (c.ack, c.seq));
}

#[test]
fn rfc9293_3_8_3_the_user_timeout_aborts() {
    let mut options = plain();
    options.user_timeout = Some(Duration::from_secs(5));
    let mut c = Conn::accept(Config::default(), options, &seg(SYN, IRS, 0).mss(1000));
    c.sends(1);
    c.e.pass(ms(4900));
    assert_eq!(c.state(), State::Established);
    c.e.pass(ms(400));
    assert_eq!(
        (c.state(), c.e.error(c.id)),
        (State::Closed, Some(Error::TimedOut))
    );
}

#[test]
fn rfc9293_3_8_3_r2_without_a_user_timeout_is_at_least_a_hundred_seconds() {
    let mut c = Conn::plain();
    c.sends(1);
    let start = c.e.now;
    c.e.pass(Duration::from_secs(100));
    assert_eq!(c.state(), State::Established);
    let sent = c.e.pass(Duration::from_secs(3000));
    assert!(sent.last().unwrap().1.has(RST));
    assert!(sent.last().unwrap().0 - start < Duration::from_secs(1200));
    assert_eq!(c.e.error(c.id), Some(Error::TimedOut));
}

#[test]
fn the_send_buffer_is_bounded_and_reports_room() {
    use netstack::proto::tcp::{Event, Readiness};
    let mut options = plain();
    options.send_buffer = 3000;
    options.max_send_buffer = 3000;
    let mut c = Conn::accept(Config::default(), options, &seg(SYN, IRS, 0).mss(1000));
    while c.e.tcp.poll_event().is_some() {}
    assert_eq!(c.e.tcp.send(c.id, &[0; 9000]), Poll::Ready(Ok(3000)));
    assert_eq!(c.e.tcp.send(c.id, &[0; 1]), Poll::Pending);
    assert_eq!(c.e.sent().len(), 3);
    c.acks(1000);
    let event = c.e.tcp.poll_event();
    assert_eq!(event, Some(Event::Connection(c.id, Readiness::WRITABLE)));
    assert_eq!(c.e.tcp.send(c.id, &[0; 9000]), Poll::Ready(Ok(1000)));
}

#[test]
fn flushed_is_reported_once_all_is_acknowledged() {
    use netstack::proto::tcp::{Event, Readiness};
    let mut c = Conn::plain();
    while c.e.tcp.poll_event().is_some() {}
    assert_eq!(c.e.tcp.poll_flushed(c.id), Poll::Ready(Ok(())));
    c.sends(2);
    assert_eq!(c.e.tcp.poll_flushed(c.id), Poll::Pending);
    c.acks(1000);
    assert_eq!(c.e.tcp.poll_event(), None);
    c.acks(1000);
    assert_eq!(
        c.e.tcp.poll_event(),
        Some(Event::Connection(c.id, Readiness::FLUSHED))
    );
    assert_eq!(c.e.tcp.poll_flushed(c.id), Poll::Ready(Ok(())));
}

#[test]
fn shared_octets_are_sent_like_copied_ones() {
    let mut c = Conn::plain();
    let mut data = bytes::Bytes::from_static(b"shared");
    assert_eq!(c.e.tcp.send_bytes(c.id, &mut data), Poll::Ready(Ok(6)));
    assert!(data.is_empty());
    c.e.send(c.id, b" copied");
    assert_eq!(c.e.one().payload, b"shared copied");
}

#[test]
fn received_chunks_are_slices_of_the_frame() {
    let mut c = Conn::plain();
    c.give_data(b"0123456789");
    let Poll::Ready(Ok(first)) = c.e.tcp.receive_bytes(c.e.now, c.id, 4) else {
        panic!("there is data")
    };
    let Poll::Ready(Ok(rest)) = c.e.tcp.receive_bytes(c.e.now, c.id, 100) else {
        panic!("there is data")
    };
    assert_eq!(
        (first.as_ref(), rest.as_ref()),
        (&b"0123"[..], &b"456789"[..])
    );
    assert_eq!(first.as_ptr().wrapping_add(4), rest.as_ptr());
}

#[test]
fn memory_is_given_back_when_late_text_overlaps() {
    let mut c = Conn::plain();
    let mut held = Vec::new();
    for _ in 0..50 {
        c.e.answer(&seg(ACK, c.seq + 3, c.ack).data(b"defgh"));
        c.e.answer(&seg(ACK, c.seq, c.ack).data(b"abcde"));
        c.seq += 8;
        assert_eq!(c.e.read(c.id), b"abcdefgh");
        assert_eq!(c.e.tcp.audit(), c.e.tcp.memory_used());
        held.push(c.e.tcp.memory_used());
    }
    assert_eq!(held[0], held[49]);
}
