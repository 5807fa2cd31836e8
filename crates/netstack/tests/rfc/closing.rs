//! RFC 9293 §3.6 and §3.10.4 to §3.10.6: closing, aborting, and the user's calls.

use core::net::SocketAddrV4;
use core::task::Poll;
use core::time::Duration;

use netstack::proto::tcp::{Config, Error, Linger, State};

use crate::wire::*;

#[test]
fn rfc9293_3_6_figure_12_active_close_ends_in_time_wait() {
    let mut c = Conn::plain();
    c.e.tcp.shutdown(c.e.now, c.id).unwrap();
    let fin = c.e.one();
    assert_eq!((fin.flags & FIN, fin.seq), (FIN, c.ack));
    assert_eq!(c.state(), State::FinWait1);
    c.ack += 1;
    c.e.ignores(&c.seg(ACK));
    assert_eq!(c.state(), State::FinWait2);
    let ack = c.e.answer(&c.seg(ACK | FIN));
    assert_eq!((ack.flags, ack.ack), (ACK, c.seq + 1));
    assert_eq!(c.state(), State::TimeWait);
    assert_eq!(c.e.tcp.counters().time_wait, 1);
}

#[test]
fn rfc9293_3_6_passive_close_ends_with_the_acknowledgement_of_the_fin() {
    let mut c = Conn::plain();
    c.e.answer(&c.seg(ACK | FIN));
    c.seq += 1;
    c.e.tcp.shutdown(c.e.now, c.id).unwrap();
    assert!(c.e.one().has(FIN | ACK));
    assert_eq!(c.state(), State::LastAck);
    c.ack += 1;
    c.e.ignores(&c.seg(ACK));
    assert_eq!((c.state(), c.e.error(c.id)), (State::Closed, None));
    c.e.tcp.release(c.e.now, c.id);
    assert_eq!(c.e.tcp.connection_counts(), (0, 0));
}

#[test]
fn rfc9293_3_6_figure_13_simultaneous_close_passes_through_closing() {
    let mut c = Conn::plain();
    c.e.tcp.shutdown(c.e.now, c.id).unwrap();
    c.e.one();
    let ack = c.e.answer(&c.seg(ACK | FIN));
    assert_eq!((ack.ack, c.state()), (c.seq + 1, State::Closing));
    c.seq += 1;
    c.ack += 1;
    c.e.ignores(&c.seg(ACK));
    assert_eq!(c.state(), State::TimeWait);
}

#[test]
fn rfc9293_3_6_a_fin_that_acknowledges_ours_goes_straight_to_time_wait() {
    let mut c = Conn::plain();
    c.e.tcp.shutdown(c.e.now, c.id).unwrap();
    c.e.one();
    c.ack += 1;
    c.e.answer(&c.seg(ACK | FIN));
    assert_eq!(c.state(), State::TimeWait);
}

#[test]
fn rfc9293_3_6_half_close_still_receives() {
    let mut c = Conn::plain();
    c.e.tcp.shutdown(c.e.now, c.id).unwrap();
    c.e.one();
    assert_eq!(
        c.e.tcp.send(c.id, b"x"),
        Poll::Ready(Err(Error::BrokenPipe))
    );
    c.acks(1);
    c.give_data(b"still here");
    assert_eq!(c.e.read(c.id), b"still here");
    assert_eq!(c.e.one().ack, c.seq);
}

#[test]
fn rfc9293_3_6_in_close_wait_data_still_goes_out_before_the_fin() {
    let mut c = Conn::plain();
    c.e.answer(&c.seg(ACK | FIN));
    c.seq += 1;
    c.e.send(c.id, b"bye");
    c.e.tcp.shutdown(c.e.now, c.id).unwrap();
    let last = c.e.one();
    assert_eq!(
        (last.payload.as_slice(), last.flags & FIN),
        (&b"bye"[..], FIN)
    );
}

#[test]
fn rfc9293_3_10_5_abort_sends_a_reset_that_the_peer_takes() {
    let mut c = Conn::plain();
    c.e.send(c.id, b"never");
    c.e.tcp.abort(c.e.now, c.id);
    let reset = c.e.one();
    assert!(reset.has(RST) && reset.payload.is_empty());
    assert_eq!(reset.seq, c.ack);
    assert_eq!(c.e.error(c.id), Some(Error::ConnectionAborted));
    c.e.tcp.release(c.e.now, c.id);
    assert_eq!(c.e.tcp.connection_counts(), (0, 0));
    assert!(c.e.tcp.memory_used() <= TABLES);
}

#[test]
fn rfc9293_3_10_4_close_in_syn_sent_deletes_the_connection() {
    let mut e = Engine::new();
    let remote = SocketAddrV4::new(PEER, PEER_PORT);
    let id = e
        .tcp
        .connect(e.now, SocketAddrV4::new(OURS, 0), remote, &plain())
        .unwrap();
    e.one();
    e.tcp.shutdown(e.now, id).unwrap();
    assert_eq!(e.state(id), State::Closed);
    e.nothing();
}

#[test]
fn rfc1122_4_2_2_13_released_with_unread_data_resets() {
    let mut c = Conn::plain();
    c.give_data(b"unread");
    let _ = c.e.sent();
    c.e.tcp.release(c.e.now, c.id);
    assert!(c.e.one().has(RST));
    assert_eq!(c.e.tcp.connection_counts(), (0, 0));
}

#[test]
fn rfc1122_4_2_2_13_data_for_a_released_connection_resets() {
    let mut c = Conn::plain();
    c.e.tcp.release(c.e.now, c.id);
    assert!(c.e.one().has(FIN));
    c.give_data(b"too late");
    assert!(c.e.one().has(RST));
    assert_eq!(c.e.tcp.connection_counts(), (0, 0));
}

#[test]
fn a_released_connection_delivers_what_was_sent() {
    let mut c = Conn::plain();
    c.e.send(c.id, b"all of it");
    c.e.tcp.release(c.e.now, c.id);
    let last = c.e.one();
    assert_eq!(
        (last.payload.as_slice(), last.flags & FIN),
        (&b"all of it"[..], FIN)
    );
    c.acks(10);
    c.e.answer(&c.seg(ACK | FIN));
    assert_eq!(c.e.tcp.connection_counts(), (0, 1));
}

#[test]
fn rfc9293_3_8_3_what_a_released_connection_has_to_deliver_is_sent_again_for_100_seconds() {
    let mut c = Conn::plain();
    c.e.send(c.id, b"all of it");
    c.e.tcp.release(c.e.now, c.id);
    c.e.one();
    let sent = c.e.pass(Duration::from_secs(110));
    let data = |segment: &Seg| segment.payload == b"all of it" && !segment.has(RST);
    assert!(sent.iter().all(|(_, segment)| data(segment)), "{sent:?}");
    let (at, _) = sent.last().expect("sent again");
    assert!(c.e.now - *at < Duration::from_secs(60), "{sent:?}");
    c.e.pass(Duration::from_secs(30));
    assert_eq!(c.e.tcp.connection_counts(), (0, 0));
}

#[test]
fn fin_wait_2_of_a_released_connection_ends() {
    let mut c = Conn::plain();
    c.e.tcp.release(c.e.now, c.id);
    c.e.one();
    c.acks(1);
    c.e.pass(Duration::from_secs(61));
    assert_eq!(c.e.tcp.connection_counts(), (0, 0));
}

#[test]
fn linger_zero_resets_and_a_linger_time_bounds_the_wait() {
    let mut c = Conn::plain();
    c.e.tcp
        .set_linger(c.id, Linger::Timeout(Duration::ZERO))
        .unwrap();
    c.e.send(c.id, b"dropped");
    c.e.tcp.release(c.e.now, c.id);
    assert!(c.e.one().has(RST));

    let mut c = Conn::plain();
    c.e.tcp.set_linger(c.id, Linger::Timeout(ms(1500))).unwrap();
    c.e.send(c.id, b"tried");
    c.e.tcp.release(c.e.now, c.id);
    c.e.one();
    let sent = c.e.pass(ms(1600));
    assert!(sent.last().unwrap().1.has(RST));
    assert_eq!(c.e.tcp.connection_counts(), (0, 0));
}

#[test]
fn closing_a_listener_resets_what_was_not_accepted() {
    let mut e = Engine::new();
    let answer = e.answer(&seg(SYN, IRS, 0));
    e.give(&seg(ACK, IRS + 1, answer.seq + 1));
    e.tcp.close_listener(e.now, e.listener);
    assert!(e.one().has(RST));
    assert_eq!(e.tcp.connection_counts(), (0, 0));
    assert!(e.answer(&seg(SYN, IRS, 0)).has(RST));
    assert_eq!(e.tcp.accept(e.listener), Err(Error::Released));
}

#[test]
fn handles_of_released_connections_are_refused() {
    let mut c = Conn::plain();
    c.e.tcp.release(c.e.now, c.id);
    assert_eq!(c.e.tcp.send(c.id, b"x"), Poll::Ready(Err(Error::Released)));
    assert_eq!(c.e.tcp.status(c.id).unwrap_err(), Error::Released);
    assert_eq!(c.e.tcp.shutdown(c.e.now, c.id), Err(Error::Released));
}

#[test]
fn the_handle_of_a_listener_that_was_closed_is_refused() {
    let mut e = Engine::new();
    let old = e.listener;
    e.tcp.close_listener(e.now, old);
    let local = SocketAddrV4::new(OURS, PORT + 1);
    let new = e.tcp.listen(local, 8, plain()).unwrap();
    assert_eq!(e.tcp.listener_address(new), Ok(local.into()));
    assert_eq!(e.tcp.listener_address(old), Err(Error::Released));
    assert_eq!(e.tcp.accept(old), Err(Error::Released));
    e.tcp.close_listener(e.now, old);
    assert_eq!(e.tcp.listener_address(new), Ok(local.into()));
}

#[test]
fn addresses_in_use_are_refused() {
    let mut e = Engine::new();
    let local = SocketAddrV4::new(OURS, PORT);
    assert_eq!(
        e.tcp.listen(local, 1, plain()),
        Err(Error::AddrInUse(local.into()))
    );
    let remote = SocketAddrV4::new(PEER, PEER_PORT);
    let mine = SocketAddrV4::new(OURS, 999);
    e.tcp.connect(e.now, mine, remote, &plain()).unwrap();
    assert_eq!(
        e.tcp.connect(e.now, mine, remote, &plain()),
        Err(Error::AddrInUse(mine.into()))
    );
    let nowhere = SocketAddrV4::new(PEER, 0);
    assert!(matches!(
        e.tcp.connect(e.now, mine, nowhere, &plain()),
        Err(Error::InvalidInput(_))
    ));
}

#[test]
fn rfc6056_3_3_ephemeral_ports_differ_and_run_out_with_an_error() {
    let mut config = Config::default();
    config.ephemeral_ports = (50_000, 50_009);
    let mut e = Engine::with(config, plain());
    let remote = SocketAddrV4::new(PEER, PEER_PORT);
    let mut ports = Vec::new();
    for _ in 0..10 {
        let id = e
            .tcp
            .connect(e.now, SocketAddrV4::new(OURS, 0), remote, &plain())
            .unwrap();
        ports.push(e.tcp.status(id).unwrap().local.port());
    }
    assert!(
        ports
            .windows(2)
            .any(|pair| pair[1] != pair[0].wrapping_add(1)),
        "{ports:?} follow one another"
    );
    ports.sort_unstable();
    assert_eq!(ports, (50_000..50_010).collect::<Vec<_>>());
    let more = e
        .tcp
        .connect(e.now, SocketAddrV4::new(OURS, 0), remote, &plain());
    assert_eq!(more, Err(Error::NoPort(remote.into())));
}

#[test]
fn peek_leaves_what_it_shows() {
    let mut c = Conn::plain();
    assert_eq!(c.e.tcp.peek(c.id, &mut [0; 2]), Poll::Pending);
    c.give_data(b"peeked");
    let mut buffer = [0; 4];
    assert_eq!(c.e.tcp.peek(c.id, &mut buffer), Poll::Ready(Ok(4)));
    assert_eq!((&buffer, c.e.read(c.id)), (b"peek", b"peeked".to_vec()));
}

#[test]
fn what_a_peer_takes_gives_a_released_connection_more_time() {
    let mut c = Conn::plain();
    c.e.ignores(&c.seg(ACK).window(1000));
    c.e.send(c.id, &[0; 4000]);
    c.e.tcp.release(c.e.now, c.id);
    // It takes what was sent each 40 s, of the minute that it has for each.
    for _ in 0..3 {
        let first = c.e.sent().pop().expect("the window is open");
        let again = c.e.pass(Duration::from_secs(40)).pop();
        let last = again.map_or(first, |(_, again)| again);
        c.ack = last.seq.wrapping_add(last.payload.len() as u32);
        c.e.give(&c.seg(ACK).window(1000));
        assert_eq!(c.e.tcp.connection_counts(), (1, 0));
    }
    c.e.pass(Duration::from_secs(130));
    assert_eq!(c.e.tcp.connection_counts(), (0, 0));
}

#[test]
fn connections_of_an_address_that_is_removed_end_and_send_nothing() {
    let mut c = Conn::plain();
    c.e.send(c.id, b"data");
    c.e.tcp.remove_address(c.e.now, PEER);
    assert_eq!(c.state(), State::Established);
    // A reset is due for what belongs to no connection.
    let mut stray = c.seg(ACK);
    stray.from += 1;
    c.e.give(&stray);
    c.e.tcp.remove_address(c.e.now, OURS);
    c.e.nothing();
    assert_eq!(c.state(), State::Closed);
    assert_eq!(c.e.error(c.id), Some(Error::AddrNotAvailable));
    assert!(c.e.pass(Duration::from_secs(60)).is_empty());
}

#[test]
fn rfc6056_3_3_5_the_next_ephemeral_port_is_another_although_the_last_is_free() {
    let mut e = Engine::new();
    let remote = SocketAddrV4::new(PEER, PEER_PORT);
    let mut last = 0;
    for _ in 0..100 {
        let local = SocketAddrV4::new(OURS, 0);
        let id = e.tcp.connect(e.now, local, remote, &plain()).unwrap();
        let port = e.tcp.status(id).unwrap().local.port();
        assert_ne!(port, last);
        last = port;
        e.tcp.abort(e.now, id);
        e.tcp.release(e.now, id);
    }
}
