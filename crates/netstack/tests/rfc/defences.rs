//! Attacks and limits: RFC 4987, budgets.

use core::net::SocketAddrV4;
use core::task::Poll;

use netstack::proto::tcp::{Config, ConnectionId, Error, State};

use crate::wire::*;

/// SYNs from other ports fill the backlog of eight.
fn flooded(config: Config) -> Engine {
    let mut e = Engine::with(config, plain());
    for port in 0..8 {
        let mut syn = seg(SYN, IRS, 0);
        syn.from = 10_000 + port;
        assert!(e.answer(&syn).has(SYN | ACK));
    }
    e
}

#[test]
fn rfc4987_3_6_a_full_backlog_is_answered_by_cookies_that_keep_nothing() {
    let mut e = flooded(Config::default());
    let syn = sack_syn().scale(5).ts(33, 0);
    let cookie = e.answer(&syn);
    assert_eq!((cookie.flags, cookie.ack), (SYN | ACK, IRS + 1));
    assert!(cookie.sack_permitted && cookie.scale.is_some() && cookie.timestamps.unwrap().1 == 33);
    assert_eq!(e.tcp.connection_counts(), (8, 0));
    // The third segment of the handshake, with data.
    let stamp = cookie.timestamps.unwrap().0;
    e.give(
        &seg(ACK, IRS + 1, cookie.seq + 1)
            .ts(34, stamp)
            .window(100)
            .data(b"hello"),
    );
    let id = e
        .tcp
        .accept(e.listener)
        .unwrap()
        .expect("the cookie makes a connection");
    assert_eq!(
        (e.state(id), e.read(id)),
        (State::Established, b"hello".to_vec())
    );
    let _ = e.sent();
    // The options of the SYN were in the cookie.
    e.send(id, &[0; 5000]);
    let sent: usize = e.sent().iter().map(|segment| segment.payload.len()).sum();
    // 536 less the timestamps, as many as fit.
    assert_eq!(sent, (100 << 5) / 524 * 524);
    let counters = e.tcp.counters();
    assert_eq!(
        (counters.syn_cookies_sent, counters.syn_cookies_recv),
        (1, 1)
    );
}

#[test]
fn rfc9293_3_8_6_a_cookie_offers_no_larger_window_than_its_connection_has() {
    let mut options = plain();
    options.receive_buffer = 4096;
    options.max_receive_buffer = 4096;
    let mut e = Engine::with(Config::default(), options);
    for port in 0..8 {
        let mut syn = seg(SYN, IRS, 0);
        syn.from = 10_000 + port;
        e.answer(&syn);
    }
    assert_eq!(e.answer(&seg(SYN, IRS, 0)).window, 4096);
    assert_eq!(e.tcp.counters().syn_cookies_sent, 1);
}

#[test]
fn rfc9293_3_8_6_what_a_cookie_has_offered_is_kept_to_when_memory_has_become_short() {
    let mut config = Config::default();
    config.memory = Some(80_000);
    let mut c = Conn::accept(config, plain(), &seg(SYN, IRS, 0).mss(1000));
    for port in 0..8 {
        let mut syn = seg(SYN, IRS, 0);
        syn.from = 10_000 + port;
        c.e.answer(&syn);
    }
    let mut syn = seg(SYN, IRS, 0);
    syn.from = 5000;
    let cookie = c.e.answer(&syn);
    let edge = IRS + 1 + u32::from(cookie.window);
    // The user of the first connection does not read, until memory is short.
    for _ in 0..60 {
        if c.e.tcp.memory_used() < 65_000 {
            c.give_data(&[1; 1000]);
            let _ = c.e.sent();
        }
    }
    assert!(c.e.tcp.memory_used() >= 60_000);
    let mut third = seg(ACK, IRS + 1, cookie.seq + 1).data(b"hello");
    third.from = 5000;
    let ack = c.e.answer(&third);
    assert_eq!(c.e.tcp.counters().syn_cookies_recv, 1);
    assert!(ack.ack + u32::from(ack.window) >= edge, "{}", ack.window);
}

#[test]
fn rfc4987_3_6_a_cookie_offers_the_window_scale_of_other_connections_and_no_syn_brings_it_back() {
    let mut e = flooded(Config::default());
    let syn = sack_syn().scale(5).ts(33, 0);
    let cookie = e.answer(&syn);
    assert_eq!(
        cookie.scale,
        Conn::accept(Config::default(), plain(), &syn).syn_ack.scale
    );
    let stamp = cookie.timestamps.unwrap().0;
    let reset = e.answer(&seg(SYN | ACK, IRS + 1, cookie.seq + 1).ts(34, stamp));
    assert!(reset.has(RST));
    assert_eq!(e.tcp.counters().syn_cookies_recv, 0);
}

#[test]
fn rfc4987_3_6_a_wrong_cookie_is_reset() {
    let mut e = flooded(Config::default());
    let cookie = e.answer(&seg(SYN, IRS, 0));
    let reset = e.answer(&seg(ACK, IRS + 1, cookie.seq + 2));
    assert_eq!((reset.flags, reset.seq), (RST, cookie.seq + 2));
    assert_eq!(e.tcp.counters().syn_cookies_failed, 1);
}

#[test]
fn a_flood_of_syns_takes_bounded_memory_and_honest_peers_get_through() {
    let mut e = Engine::new();
    for round in 0..20_000_u32 {
        let mut syn = seg(SYN, round, 0);
        syn.from = 1024 + (round % 60_000) as u16;
        e.give(&syn);
        let _ = e.sent();
    }
    assert_eq!(e.tcp.connection_counts(), (8, 0));
    let mut honest = sack_syn().ts(5, 0);
    honest.from = 99;
    let answer = e.answer(&honest);
    let mut third = seg(ACK, IRS + 1, answer.seq + 1).ts(6, answer.timestamps.unwrap().0);
    third.from = 99;
    e.give(&third);
    assert!(e.tcp.accept(e.listener).unwrap().is_some());
}

#[test]
fn without_cookies_a_full_backlog_drops_syns() {
    let mut config = Config::default();
    config.syn_cookies = false;
    let mut e = flooded(config);
    e.ignores(&seg(SYN, IRS, 0));
    assert_eq!(e.tcp.counters().listen_drops, 1);
}

#[test]
fn a_full_accept_queue_drops_syns() {
    let mut e = Engine::new();
    for port in 0..8 {
        let mut syn = seg(SYN, IRS, 0);
        syn.from = 10_000 + port;
        let answer = e.answer(&syn);
        let mut third = seg(ACK, IRS + 1, answer.seq + 1);
        third.from = syn.from;
        e.give(&third);
    }
    e.ignores(&seg(SYN, IRS, 0));
    assert_eq!(e.tcp.counters().listen_overflows, 1);
    assert!(e.tcp.accept(e.listener).unwrap().is_some());
    assert!(e.answer(&seg(SYN, IRS, 0)).has(SYN | ACK));
}

#[test]
fn when_memory_is_short_the_reserve_still_admits_a_connection_with_a_small_window() {
    let mut config = Config::default();
    config.memory = Some(20_000);
    let mut c = Conn::accept(config, plain(), &seg(SYN, IRS, 0).mss(1000));
    let mut taken = 0;
    while c.e.tcp.counters().memory_drops == 0 {
        c.e.give(&c.seg(ACK).data(&[1; 1000]));
        let ack = c.e.one().ack;
        taken += ack.wrapping_sub(c.seq);
        c.seq = ack;
    }
    assert!((12_000..17_500).contains(&taken), "{taken}");
    let mut syn = seg(SYN, IRS, 0);
    syn.from = 5;
    let answer = c.e.answer(&syn);
    assert!(answer.has(SYN | ACK));
    assert_eq!(answer.window, 4096);
    let mut third = seg(ACK, IRS + 1, answer.seq + 1).data(b"hello");
    third.from = 5;
    c.e.give(&third);
    let id =
        c.e.tcp
            .accept(c.e.listener)
            .unwrap()
            .expect("it is admitted");
    assert_eq!(c.e.read(id), b"hello");
    // The first connection has made progress just now, and goes on.
    assert_eq!(c.e.read(c.id).len(), taken as usize);
    c.give_data(&[1; 1000]);
    assert_eq!(c.e.read(c.id).len(), 1000);
    assert_eq!(c.e.tcp.counters().abort_on_memory, 0);
    assert_eq!(c.e.tcp.audit(), c.e.tcp.memory_used());
    // Memory is there again: the window of the second is as large as those of others.
    for at in 0..2 {
        let mut data = seg(ACK, IRS + 6 + 1000 * at, answer.seq + 1).data(&[1; 1000]);
        data.from = 5;
        c.e.give(&data);
        c.e.read(id);
    }
    let mut sent = c.e.sent();
    sent.retain(|segment| segment.to == 5);
    let window = sent.last().expect("an acknowledgement").window;
    assert!(window > 60_000, "{window}");
}

/// The connection that a host opens, and the number that it expects; `None` if it finds no place.
fn open_from(e: &mut Engine, host: u32) -> Option<(ConnectionId, u32)> {
    open_saying(e, (host, PEER_PORT), b"")
}

/// What a service does with connections that have ended.
fn give_back_ended(e: &mut Engine, connections: &mut Vec<ConnectionId>) {
    while e.tcp.poll_event().is_some() {}
    connections.retain(|id| {
        let ended = e.state(*id) == State::Closed;
        if ended {
            e.tcp.release(e.now, *id);
        }
        !ended
    });
}

#[test]
fn when_all_are_fresh_new_ones_take_the_places_of_those_that_never_carried_data() {
    let mut config = Config::default();
    config.memory = Some(100_000);
    let mut c = Conn::accept(config, plain(), &seg(SYN, IRS, 0).mss(1000));
    c.give_data(b"hello");
    let mut others = Vec::new();
    for host in 0..240 {
        c.e.now += ms(4);
        let (opened, _) = open_from(&mut c.e, host).expect("there is always a place for one more");
        others.push(opened);
        // Those that were ended are given back a few at a time, as when tasks run after a batch.
        if host % 4 == 0 {
            give_back_ended(&mut c.e, &mut others);
        }
    }
    assert_eq!(c.e.read(c.id), b"hello");
    c.give_data(b"again");
    assert_eq!(c.e.read(c.id), b"again");
    let counters = c.e.tcp.counters();
    // One for each that came too much, and not a batch of them.
    assert!((1..240).contains(&counters.abort_on_memory));
    assert!(others.len() > 20, "{}", others.len());
    assert_eq!(c.e.tcp.audit(), c.e.tcp.memory_used());
}

#[test]
fn when_all_are_fresh_one_that_was_just_opened_is_not_blamed_for_having_said_nothing() {
    let mut config = Config::default();
    config.memory = Some(100_000);
    let mut e = Engine::with(config, plain());
    let mut all = Vec::new();
    for port in 0..240 {
        e.now += ms(1);
        let (id, _) = open_saying(&mut e, (1, 10_000 + port), b"x").expect("there is a place");
        all.push(id);
        give_back_ended(&mut e, &mut all);
    }
    let (id, ack) = open_from(&mut e, 2).expect("there is a place");
    for port in 240..280 {
        e.now += ms(1);
        let (id, _) = open_saying(&mut e, (1, 10_000 + port), b"x").expect("there is a place");
        all.push(id);
        give_back_ended(&mut e, &mut all);
    }
    give_from(&mut e, 2, &seg(ACK, IRS + 1, ack).data(b"hello"));
    assert_eq!(e.read(id), b"hello");
    assert!(e.tcp.counters().abort_on_memory > 0);
}

#[test]
fn when_memory_is_short_a_connection_takes_the_place_of_the_oldest_time_waits() {
    let mut config = Config::default();
    config.memory = Some(46_000);
    let mut e = Engine::with(config, plain());
    for host in 0..60 {
        let (id, _) = open_from(&mut e, host).expect("there is room");
        let _ = e.tcp.shutdown(e.now, id);
        let fin = e.sent().pop().expect("a FIN");
        let ack = seg(FIN | ACK, IRS + 1, fin.seq + 1);
        give_from(&mut e, host, &ack);
        e.tcp.release(e.now, id);
        let _ = e.sent();
    }
    let (_, before) = e.tcp.connection_counts();
    assert!(before > 50, "{before}");
    // All are as new as can be.
    let held: Vec<_> = (100..)
        .map_while(|host| open_from(&mut e, host).filter(|_| host < 160))
        .collect();
    assert!(held.len() >= 20, "{}", held.len());
    let (_, after) = e.tcp.connection_counts();
    assert!(after < before, "{after}");
    assert_eq!(e.tcp.audit(), e.tcp.memory_used());
}

#[test]
fn when_memory_is_short_nothing_is_kept_out_of_order_and_the_budget_holds() {
    let mut config = Config::default();
    config.memory = Some(20_000);
    let mut c = Conn::accept(config, plain(), &sack_syn());
    let mut seq = c.seq;
    for _ in 0..40 {
        c.e.give(&seg(ACK, seq, c.ack).data(&[1; 1000]));
        seq += 1000;
        let _ = c.e.sent();
    }
    assert!(c.e.tcp.memory_used() <= 21_000, "{}", c.e.tcp.memory_used());
    let ack =
        c.e.answer(&seg(ACK, c.seq + 30_000, c.ack).data(&[1; 1000]));
    assert!(
        ack.sack.is_empty() || ack.sack[0].0 < c.seq + 30_000,
        "{:?}",
        ack.sack
    );
    assert!(c.e.tcp.memory_used() <= 21_000);
}

#[test]
fn tiny_segments_out_of_order_are_bounded_in_number() {
    let mut c = Conn::sacked();
    for offset in 0..30_000 {
        c.e.give(&seg(ACK, c.seq + 2 + 2 * offset, c.ack).data(b"x"));
        let _ = c.e.sent();
    }
    // 192 ranges.
    assert!(
        c.e.tcp.memory_used() < 192 * 160,
        "{}",
        c.e.tcp.memory_used()
    );
    assert!(c.e.tcp.counters().ofo_drop > 29_000);
}

#[test]
fn the_number_of_connections_is_bounded() {
    let mut config = Config::default();
    config.max_connections = 2;
    let mut e = Engine::with(config, plain());
    for port in 0..2 {
        let mut syn = seg(SYN, IRS, 0);
        syn.from = 100 + port;
        e.answer(&syn);
    }
    // Both have come just now: none makes room. A cookie keeps nothing.
    assert!(e.answer(&seg(SYN, IRS, 0)).has(SYN | ACK));
    assert_eq!(e.tcp.connection_counts(), (2, 0));
    let remote = SocketAddrV4::new(PEER, PEER_PORT);
    let more = e
        .tcp
        .connect(e.now, SocketAddrV4::new(OURS, 0), remote, &plain());
    assert_eq!(more, Err(Error::OutOfMemory));
}

#[test]
fn a_spent_budget_still_lets_each_connection_send_a_segment() {
    let mut config = Config::default();
    config.memory = Some(10_000);
    let mut c = Conn::accept(config, plain(), &seg(SYN, IRS, 0).mss(1000));
    while c.e.tcp.counters().memory_drops == 0 {
        c.give_data(&[1; 1000]);
    }
    let _ = c.e.sent();
    assert_eq!(c.e.tcp.send(c.id, &[0; 5000]), Poll::Ready(Ok(1000)));
    assert_eq!(c.e.tcp.send(c.id, &[0; 5000]), Poll::Pending);
}

/// Else it would wait for an acknowledgement that nothing is sent for.
#[test]
fn a_spent_share_still_lets_each_connection_of_an_address_send_a_segment() {
    let mut config = Config::default();
    config.memory = Some(200_000);
    let mut e = Engine::with(config, plain());
    for port in 0..20 {
        let (id, _) = open_saying(&mut e, (1, 5000 + port), b"").expect("there is room");
        let sent = e.tcp.send(id, &[0; 3000]);
        assert!(
            matches!(sent, Poll::Ready(Ok(1..))),
            "connection {port} of the address: {sent:?}"
        );
        let _ = e.sent();
    }
}

#[test]
fn what_waits_to_be_sent_leaves_room_for_what_arrives() {
    let mut config = Config::default();
    config.memory = Some(400_000);
    let mut c = Conn::accept(config, plain(), &seg(SYN, IRS, 0).mss(1000));
    let mut sent = 0;
    while let Poll::Ready(Ok(octets)) = c.e.tcp.send(c.id, &[0; 200_000]) {
        sent += octets;
    }
    assert!((30_000..300_000).contains(&sent), "{sent}");
    let _ = c.e.sent();
    for _ in 0..20 {
        c.give_data(&[1; 1000]);
    }
    assert_eq!(c.e.tcp.counters().memory_drops, 0);
    assert_eq!(c.e.read(c.id).len(), 20_000);
}
