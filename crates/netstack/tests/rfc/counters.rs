//! That what happens is counted, once.

use core::net::SocketAddrV4;
use core::time::Duration;

use netstack::proto::tcp::{Config, Counters, Error, Event, IcmpError, Linger};

use crate::wire::*;

/// What of an engine's counters is not zero, among those that tests here are about.
fn counted(e: &Engine) -> Vec<(&'static str, u64)> {
    let Counters {
        sack_recovery,
        window_probe,
        abort_on_linger,
        estab_resets,
        abort_on_memory,
        ..
    } = *e.tcp.counters();
    let mut counted = vec![
        ("sack_recovery", sack_recovery),
        ("window_probe", window_probe),
        ("abort_on_linger", abort_on_linger),
        ("estab_resets", estab_resets),
        ("abort_on_memory", abort_on_memory),
    ];
    counted.retain(|(_, count)| *count > 0);
    counted
}

#[test]
fn a_recovery_that_the_reordering_timer_begins_is_counted() {
    let mut c = Conn::slow(&sack_syn());
    c.sends(8);
    c.e.now += ms(100);
    c.e.give(&c.seg(ACK).sack(&[(c.ack + 1000, c.ack + 2000)]));
    c.e.pass(ms(60));
    assert_eq!(counted(&c.e), [("sack_recovery", 1)]);
}

#[test]
fn a_probe_of_a_closed_window_is_counted() {
    let mut c = Conn::plain();
    c.e.ignores(&c.seg(ACK).window(0));
    c.e.send(c.id, b"data");
    c.e.nothing();
    assert_eq!(c.e.pass(ms(300)).len(), 1);
    assert_eq!(counted(&c.e), [("window_probe", 1)]);
}

#[test]
fn a_reset_of_the_users_is_counted() {
    let mut c = Conn::plain();
    c.e.tcp.abort(c.e.now, c.id);
    assert_eq!(counted(&c.e), [("estab_resets", 1)]);
    let mut c = Conn::plain();
    c.e.tcp
        .set_linger(c.id, Linger::Timeout(Duration::ZERO))
        .unwrap();
    c.e.tcp.release(c.e.now, c.id);
    assert_eq!(counted(&c.e), [("abort_on_linger", 1), ("estab_resets", 1)]);
}

#[test]
fn a_reset_of_a_half_open_connection_is_a_failed_attempt() {
    let mut e = Engine::new();
    e.answer(&seg(SYN, IRS, 0));
    e.ignores(&seg(RST, IRS + 1, 0));
    let counters = e.tcp.counters();
    assert_eq!((counters.attempt_fails, counters.estab_resets), (1, 0));
}

#[test]
fn a_connection_that_memory_has_ended_is_counted_as_reset() {
    let mut config = Config::default();
    config.memory = Some(100_000);
    let mut e = Engine::with(config, plain());
    for host in 0..400 {
        e.now += Duration::from_secs(10);
        open_saying(&mut e, (host, PEER_PORT), b"").expect("there is a place");
        while let Some(event) = e.tcp.poll_event() {
            if let Event::Connection(id, _) = event
                && e.error(id) == Some(Error::OutOfMemory)
            {
                e.tcp.release(e.now, id);
            }
        }
    }
    let counters = e.tcp.counters();
    assert!(counters.abort_on_memory > 0);
    assert_eq!(counters.estab_resets, counters.abort_on_memory);
}

#[test]
fn an_engine_shows_the_settings_that_it_was_made_with() {
    let mut config = Config::default();
    config.mtu = 1280;
    assert_eq!(Engine::with(config, plain()).tcp.config().mtu, 1280);
}

#[test]
fn rfc6056_3_3_a_listener_finds_each_free_port_of_the_range_and_an_error_when_there_is_none() {
    let mut config = Config::default();
    config.ephemeral_ports = (50_000, 50_003);
    let mut e = Engine::with(config, plain());
    let any = SocketAddrV4::new(OURS, 0);
    let mut ports: Vec<u16> = (0..4)
        .map(|_| {
            let listener = e.tcp.listen(any, 1, plain()).expect("a port is free");
            e.tcp.listener_address(listener).unwrap().port()
        })
        .collect();
    ports.sort_unstable();
    assert_eq!(ports, [50_000, 50_001, 50_002, 50_003]);
    assert!(e.tcp.listen(any, 1, plain()).is_err());
}

#[test]
fn a_service_that_takes_much_for_each_connection_may_connect() {
    let mut config = Config::default();
    config.application_octets = 16 << 10;
    let mut e = Engine::with(config, plain());
    let remote = SocketAddrV4::new(PEER, PEER_PORT);
    let any = SocketAddrV4::new(OURS, 0);
    assert!(e.tcp.connect(e.now, any, remote, &plain()).is_ok());
    assert!(e.tcp.memory_used() >= 16 << 10);
}

#[test]
fn tables_are_given_back_with_the_last_connection() {
    let left_after = |hosts| {
        let mut e = Engine::new();
        let opened = (0..hosts).map(|host| open_saying(&mut e, (host, PEER_PORT), b"x"));
        let all: Vec<_> = opened.collect();
        for (id, _) in all.iter().flatten() {
            e.tcp.abort(e.now, *id);
        }
        let _ = e.sent();
        while e.tcp.poll_event().is_some() {}
        for (id, _) in all.into_iter().flatten() {
            e.tcp.release(e.now, id);
        }
        e.pass(Duration::from_secs(600));
        assert_eq!(e.tcp.connection_counts(), (0, 0));
        assert_eq!(e.tcp.audit(), e.tcp.memory_used());
        e.tcp.memory_used()
    };
    let (few, many) = (left_after(100), left_after(2000));
    assert!(
        many <= few + (16 << 10),
        "{few} after 100, {many} after 2,000"
    );
}

#[test]
fn rfc4022_an_attempt_that_is_refused_or_not_answered_is_a_failed_one() {
    let mut e = Engine::new();
    let remote = SocketAddrV4::new(PEER, PEER_PORT);
    let local = SocketAddrV4::new(OURS, 5000);
    e.tcp.connect(e.now, local, remote, &plain()).unwrap();
    let syn = e.one();
    let quoted = [
        &5000_u16.to_be_bytes()[..],
        &PEER_PORT.to_be_bytes(),
        &syn.seq.to_be_bytes(),
    ];
    e.tcp.handle_icmp(
        e.now,
        OURS,
        PEER,
        &quoted.concat(),
        IcmpError::PortUnreachable,
    );
    assert_eq!(e.tcp.counters().attempt_fails, 1);
    let local = SocketAddrV4::new(OURS, 5001);
    e.tcp.connect(e.now, local, remote, &plain()).unwrap();
    e.one();
    let again = e.pass(Duration::from_secs(600)).len() as u64;
    let counters = e.tcp.counters();
    assert_eq!((counters.attempt_fails, counters.abort_on_timeout), (2, 1));
    assert_eq!((counters.retrans_segs, counters.timeouts), (again, again));
    assert!(again > 1);
}

#[test]
fn an_acknowledgement_that_brings_no_valid_cookie_back_is_counted() {
    let mut e = Engine::new();
    for port in 0..9 {
        let mut syn = seg(SYN, IRS, 0);
        syn.from = 10_000 + port;
        e.answer(&syn);
    }
    assert!(e.answer(&seg(ACK, IRS + 1, 12_345)).has(RST));
    assert_eq!(e.tcp.counters().syn_cookies_failed, 1);
    assert_eq!(e.tcp.counters().syn_cookies_recv, 0);
}
