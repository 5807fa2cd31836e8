//! The receive buffer: how large it is, and what makes it grow.

use core::task::Poll;

use netstack::proto::tcp::Config;

use crate::wire::*;

#[test]
fn the_receive_buffer_grows_with_what_the_user_reads_and_not_without() {
    let mut options = plain();
    options.receive_buffer = 16 << 10;
    options.max_receive_buffer = 1 << 20;
    let syn = seg(SYN, IRS, 0).mss(1000).scale(7);
    let mut c = Conn::accept_after(ms(20), Config::default(), options, &syn);
    let shift = c.syn_ack.scale.unwrap();
    let mut windows = Vec::new();
    for _ in 0..60 {
        let window = windows.last().copied().unwrap_or(16 << 10);
        for _ in 0..(window / 1000).min(500) {
            c.give_data(&[1; 1000]);
        }
        c.e.read(c.id);
        windows.extend(c.e.sent().last().map(|ack| u32::from(ack.window) << shift));
        c.e.pass(ms(20));
    }
    assert!(*windows.last().unwrap() > 900_000, "{windows:?}");
    assert!(*windows.last().unwrap() <= 1 << 20);
}

#[test]
fn the_receive_buffer_does_not_grow_with_what_is_not_read() {
    let mut options = plain();
    options.receive_buffer = 16 << 10;
    let syn = seg(SYN, IRS, 0).mss(1000).scale(7);
    let mut c = Conn::accept_after(ms(20), Config::default(), options, &syn);
    let shift = c.syn_ack.scale.unwrap();
    for _ in 0..12 {
        c.give_data(&[1; 1000]);
    }
    let _ = c.e.sent();
    // A sixteenth of the buffer in each round trip.
    for _ in 0..8 {
        c.give_data(&[1; 1000]);
        let read = c.e.tcp.receive(c.e.now, c.id, &mut [0; 1000]);
        assert_eq!(read, Poll::Ready(Ok(1000)));
        c.e.pass(ms(20));
    }
    c.e.read(c.id);
    c.give_data(&[1; 1000]);
    let ack = c.e.sent().pop().expect("the window has opened");
    assert!(u32::from(ack.window) << shift <= 16 << 10, "{}", ack.window);
}

#[test]
fn rfc9293_3_8_6_the_smallest_buffer_is_of_two_kibibytes() {
    let mut options = plain();
    options.receive_buffer = 1;
    let c = Conn::accept(Config::default(), options, &seg(SYN, IRS, 0));
    assert_eq!(c.syn_ack.window, 2048);
}

#[test]
fn rfc7323_1_3_without_scaling_no_more_than_16_bits_can_tell_is_kept() {
    let syn = seg(SYN, IRS, 0).mss(1000);
    let mut c = Conn::accept_after(ms(20), Config::default(), plain(), &syn);
    for _ in 0..20 {
        for _ in 0..60 {
            c.give_data(&[1; 1000]);
            c.e.read(c.id);
            let _ = c.e.sent();
        }
        c.e.pass(ms(20));
    }
    for _ in 0..100 {
        c.give_data(&[1; 1000]);
        let _ = c.e.sent();
    }
    assert_eq!(c.e.read(c.id).len(), 65_535);
}

#[test]
fn rfc9293_3_8_6_2_2_a_few_octets_that_are_read_from_a_full_buffer_are_no_news() {
    let mut options = plain();
    (options.receive_buffer, options.max_receive_buffer) = (4096, 4096);
    let mut c = Conn::accept(Config::default(), options, &seg(SYN, IRS, 0).mss(1000));
    for len in [1000, 1000, 1000, 1000, 96] {
        c.give_data(&vec![1; len]);
    }
    assert_eq!(c.e.sent().last().unwrap().window, 0);
    for left in (0..9).rev() {
        let read = c.e.tcp.receive(c.e.now, c.id, &mut [0; 100]);
        assert_eq!(read, Poll::Ready(Ok(100)), "{left}");
        c.e.nothing();
    }
}

#[test]
fn rfc9293_3_10_7_4_second_a_reset_flushes_what_is_out_of_order() {
    let mut c = Conn::plain();
    let before = c.e.tcp.memory_used();
    for at in 1..30 {
        c.e.give(&seg(ACK, c.seq + 1100 * at, c.ack).data(&[1; 1000]));
    }
    let _ = c.e.sent();
    assert!(c.e.tcp.memory_used() >= before + 29_000);
    c.e.ignores(&c.seg(RST));
    assert!(c.e.tcp.memory_used() <= before + 1000);
    assert_eq!(c.e.tcp.audit(), c.e.tcp.memory_used());
}

/// A connection whose data has taken all of a small memory but for the reserve.
fn short_of_memory() -> Conn {
    let mut config = Config::default();
    config.memory = Some(20_000);
    let mut c = Conn::accept(config, plain(), &seg(SYN, IRS, 0).mss(1000));
    while c.e.tcp.counters().memory_drops == 0 {
        c.e.give(&c.seg(ACK).data(&[1; 1000]));
        c.seq = c.e.one().ack;
    }
    c
}

#[test]
fn rfc9293_3_8_6_2_2_when_memory_is_short_a_window_opens_again_by_half_a_segment() {
    let mut c = short_of_memory();
    let (id, ack) = open_saying(&mut c.e, (1, 5), b"").expect("the reserve has room");
    let (mut seq, mut window) = (IRS + 1, 4096);
    for _ in 0..20 {
        let len = usize::from(window).min(1000);
        let mut data = seg(ACK, seq, ack).data(&vec![1; len]);
        data.from = 5;
        give_from(&mut c.e, 1, &data);
        seq += len as u32;
        assert_eq!(c.e.read(id).len(), len);
        window = c.e.sent().pop().expect("an acknowledgement").window;
        assert!(window >= 500, "{window}");
    }
}

#[test]
fn rfc4987_3_6_when_memory_is_short_a_cookie_is_sent_before_a_connection_goes_that_made_progress() {
    let mut c = short_of_memory();
    for port in 0..6 {
        let mut syn = seg(SYN, IRS, 0);
        syn.from = 10_000 + port;
        assert!(c.e.answer(&syn).has(SYN | ACK));
    }
    let counters = c.e.tcp.counters();
    assert_eq!(counters.abort_on_memory, 0);
    assert!(counters.syn_cookies_sent > 0);
}

#[test]
fn the_send_buffer_grows_with_the_windows_up_to_its_limit() {
    let mut options = plain();
    options.send_buffer = 8 << 10;
    options.max_send_buffer = 32 << 10;
    let syn = seg(SYN, IRS, 0).mss(1000);
    let mut c = Conn::accept_after(ms(20), Config::default(), options, &syn);
    let mut queued = Vec::new();
    for _ in 0..5 {
        while c.e.tcp.send(c.id, &[0; 1000]).is_ready() {}
        queued.push(c.e.tcp.status(c.id).unwrap().unacknowledged);
        let sent = c.e.sent();
        let sent: usize = sent.iter().map(|segment| segment.payload.len()).sum();
        c.e.now += ms(20);
        c.acks(sent as u32);
    }
    assert_eq!(queued[0], 8 << 10);
    // Two windows of ten segments, and in the end no more than was permitted.
    assert!(queued[1] > 16 << 10, "{queued:?}");
    assert_eq!(queued[4], 32 << 10);
}

#[test]
fn rfc7323_2_4_a_window_that_nobody_reads_from_closes_whatever_the_memory() {
    let config = Config::default().memory(4 << 30);
    let syn = seg(SYN, IRS, 0).mss(1460).scale(7);
    let mut c = Conn::accept(config, plain(), &syn);
    assert!(c.syn_ack.scale.is_some_and(|shift| shift <= 9));
    let mut taken = 0;
    while taken < 1 << 20 {
        c.give_data(&[1; 1460]);
        taken += 1460;
        if c.e.sent().last().is_some_and(|ack| ack.window == 0) {
            break;
        }
    }
    // A unit more than the buffer for each segment at the most.
    assert!(taken <= 128 << 10, "{taken}");
}
