//! TIME-WAIT: how long it lasts, and what may end it.

use core::net::SocketAddrV4;
use core::time::Duration;

use netstack::proto::tcp::{Config, Error};

use crate::wire::*;

fn in_time_wait(syn: &Seg) -> Conn {
    let mut c = Conn::accept(Config::default(), plain(), syn);
    c.e.tcp.shutdown(c.e.now, c.id).unwrap();
    c.e.one();
    c.ack += 1;
    let fin = c.seg(ACK | FIN);
    c.e.answer(&fin);
    c.seq += 1;
    c.e.tcp.release(c.e.now, c.id);
    assert_eq!(c.e.tcp.connection_counts(), (0, 1));
    c
}

#[test]
fn rfc9293_3_6_1_time_wait_lasts_two_segment_lifetimes() {
    let mut c = in_time_wait(&seg(SYN, IRS, 0));
    c.e.pass(Duration::from_secs(59));
    assert_eq!(c.e.tcp.connection_counts(), (0, 1));
    c.e.pass(Duration::from_secs(2));
    assert_eq!(c.e.tcp.connection_counts(), (0, 0));
}

#[test]
fn rfc9293_3_10_7_4_eighth_a_fin_again_in_time_wait_is_acknowledged_and_starts_it_over() {
    let mut c = in_time_wait(&seg(SYN, IRS, 0));
    c.e.pass(Duration::from_secs(40));
    let ack = c.e.answer(&seg(ACK | FIN, c.seq - 1, c.ack));
    assert_eq!((ack.flags, ack.seq, ack.ack), (ACK, c.ack, c.seq));
    c.e.pass(Duration::from_secs(59));
    assert_eq!(c.e.tcp.connection_counts(), (0, 1));
    c.e.pass(Duration::from_secs(62));
    assert_eq!(c.e.tcp.connection_counts(), (0, 0));
}

#[test]
fn rfc1337_3_a_reset_does_not_end_time_wait() {
    let mut c = in_time_wait(&seg(SYN, IRS, 0));
    c.e.ignores(&seg(RST, c.seq, 0));
    assert_eq!(c.e.tcp.connection_counts(), (0, 1));
}

/// A client that uses its port again with a lower number and without timestamps.
fn again() -> (Conn, Seg, Seg) {
    let mut c = in_time_wait(&seg(SYN, IRS, 0));
    let syn = seg(SYN, IRS - 500, 0);
    let ack = c.e.answer(&syn);
    assert_eq!((ack.flags, ack.seq, ack.ack), (ACK, c.ack, c.seq));
    (c, syn, ack)
}

#[test]
fn rfc1337_3_a_reset_that_confirms_a_syn_lets_it_in_when_it_comes_again() {
    let (mut c, _, ack) = again();
    c.e.now += ms(100);
    c.e.ignores(&seg(RST, ack.ack, 0));
    // TIME-WAIT goes on: old segments meet it.
    assert_eq!(c.e.tcp.connection_counts(), (0, 1));
    c.e.now += ms(900);
    assert_eq!(c.e.answer(&c.seg(ACK).data(b"old")).flags, ACK);
    let (mut c, syn, ack) = again();
    c.e.ignores(&seg(RST, ack.ack, 0));
    c.e.now += ms(900);
    let answer = c.e.answer(&syn);
    assert_eq!((answer.flags, answer.ack), (SYN | ACK, syn.seq + 1));
    assert!((answer.seq.wrapping_sub(c.ack) as i32) > 0);
    assert_eq!(c.e.tcp.connection_counts(), (1, 0));
}

#[test]
fn rfc1337_3_no_other_reset_does() {
    // Another number, too late, and after another segment than a SYN.
    let (mut c, syn, ack) = again();
    c.e.ignores(&seg(RST, ack.ack + 1, 0));
    c.e.now += ms(1000);
    assert_eq!(c.e.answer(&syn).flags, ACK);
    let (mut c, syn, ack) = again();
    c.e.now += ms(3001);
    c.e.ignores(&seg(RST, ack.ack, 0));
    assert_eq!(c.e.answer(&syn).flags, ACK);
    let mut c = in_time_wait(&seg(SYN, IRS, 0));
    c.e.answer(&c.seg(ACK).data(b"old"));
    c.e.ignores(&seg(RST, c.seq, 0));
    c.e.now += ms(1000);
    assert_eq!(c.e.answer(&syn).flags, ACK);
    // And it is for that SYN only.
    let (mut c, mut syn, ack) = again();
    c.e.ignores(&seg(RST, ack.ack, 0));
    c.e.now += ms(1000);
    syn.seq -= 1;
    assert_eq!(c.e.answer(&syn).flags, ACK);
}

#[test]
fn rfc6191_2_a_client_with_a_lower_number_gets_in_with_its_second_syn() {
    let mut c = in_time_wait(&seg(SYN, IRS, 0));
    let (start, syn) = (c.e.now, seg(SYN, IRS.wrapping_sub(100_000), 0));
    for wait in [0, 1, 2, 4, 8, 16, 32] {
        c.e.pass(Duration::from_secs(wait));
        let answer = c.e.answer(&syn);
        if answer.has(SYN) {
            assert_eq!(c.e.now - start, Duration::from_secs(1));
            return;
        }
        c.e.ignores(&seg(RST, answer.ack, 0));
    }
    panic!("it does not get in");
}

#[test]
fn rfc6191_2_time_wait_stays_when_the_new_syn_finds_no_room() {
    let mut c = in_time_wait(&seg(SYN, IRS, 0));
    for port in 0..8 {
        let from = |mut segment: Seg| {
            segment.from = 5000 + port;
            segment
        };
        let answer = c.e.answer(&from(seg(SYN, IRS, 0)));
        c.e.give(&from(seg(ACK, IRS + 1, answer.seq + 1)));
    }
    c.e.ignores(&seg(SYN, c.seq + 1000, 0));
    assert_eq!(c.e.tcp.connection_counts(), (8, 1));
    c.e.tcp.accept(c.e.listener).unwrap().unwrap();
    assert_eq!(c.e.answer(&seg(SYN, c.seq + 1000, 0)).flags, SYN | ACK);
    assert_eq!(c.e.tcp.connection_counts(), (9, 0));
}

#[test]
fn rfc9293_3_10_7_4_eighth_a_fin_again_is_acknowledged_whatever_was_answered_before() {
    let mut c = in_time_wait(&seg(SYN, IRS, 0));
    // Challenges of another connection, and answers to old segments of this one.
    let mut other = seg(SYN, IRS, 0);
    other.from = 5000;
    let answer = c.e.answer(&other);
    let mut third = seg(ACK, IRS + 1, answer.seq + 1);
    third.from = 5000;
    c.e.give(&third);
    for _ in 0..1000 {
        let mut reset = seg(RST, IRS + 5, 0);
        reset.from = 5000;
        c.e.give(&reset);
        c.e.give(&seg(ACK, c.seq - 1, c.ack));
        let _ = c.e.sent();
    }
    let ack = c.e.answer(&seg(ACK | FIN, c.seq - 1, c.ack));
    assert_eq!((ack.flags, ack.seq, ack.ack), (ACK, c.ack, c.seq));
}

#[test]
fn answers_in_time_wait_are_limited_for_each_connection() {
    let mut c = in_time_wait(&seg(SYN, IRS, 0));
    let mut answers = 0;
    for _ in 0..1000 {
        c.e.give(&seg(ACK, c.seq - 1, c.ack));
        answers += c.e.sent().len();
        c.e.now += ms(1);
    }
    assert_eq!(answers, 2);
}

#[test]
fn rfc9293_3_8_6_in_time_wait_the_right_edge_stays() {
    for syn in [seg(SYN, IRS, 0), seg(SYN, IRS, 0).scale(3)] {
        let mut c = Conn::accept(Config::default(), plain(), &syn);
        let shift = c.syn_ack.scale.unwrap_or(0);
        let edge = |ack: &Seg| ack.ack + (u32::from(ack.window) << shift);
        c.give_data(&[1; 333]);
        let told = edge(&c.e.one());
        c.e.read(c.id);
        c.e.tcp.shutdown(c.e.now, c.id).unwrap();
        let told = told.max(edge(&c.e.one()));
        c.ack += 1;
        let fin = c.seg(ACK | FIN);
        let ack = c.e.answer(&fin);
        assert!(edge(&ack) >= told);
        let ack = c.e.answer(&fin);
        assert!(edge(&ack) >= told);
    }
}

#[test]
fn rfc6191_2_a_syn_with_a_later_timestamp_reuses_time_wait() {
    let mut c = in_time_wait(&seg(SYN, IRS, 0).ts(100, 0));
    // The same timestamp and an old number: an old segment.
    let old = c.e.answer(&seg(SYN, IRS, 0).ts(100, 0));
    assert_eq!(old.flags, ACK);
    // A later timestamp, although the number is old.
    let answer = c.e.answer(&seg(SYN, IRS - 500, 0).ts(101, 0));
    assert_eq!((answer.flags, answer.ack), (SYN | ACK, IRS - 499));
    assert!(
        (answer.seq.wrapping_sub(c.ack) as i32) > 0,
        "the new ISN exceeds what was used"
    );
    assert_eq!(
        (
            c.e.tcp.connection_counts(),
            c.e.tcp.counters().time_wait_recycled
        ),
        ((1, 0), 1)
    );
}

#[test]
fn rfc9293_3_6_1_without_timestamps_a_syn_with_a_larger_number_reuses_time_wait() {
    let mut c = in_time_wait(&seg(SYN, IRS, 0));
    assert_eq!(c.e.answer(&seg(SYN, c.seq - 1, 0)).flags, ACK);
    assert_eq!(c.e.answer(&seg(SYN, c.seq + 1, 0)).flags, SYN | ACK);
}

#[test]
fn time_wait_records_are_bounded_and_the_oldest_goes_first() {
    let mut config = Config::default();
    config.max_time_wait = 3;
    let mut e = Engine::with(config, plain());
    for port in 0..5 {
        let mut syn = seg(SYN, IRS, 0);
        syn.from = 5000 + port;
        let answer = e.answer(&syn);
        let from = |mut segment: Seg| {
            segment.from = 5000 + port;
            segment
        };
        e.give(&from(seg(ACK, IRS + 1, answer.seq + 1)));
        let id = e.tcp.accept(e.listener).unwrap().unwrap();
        e.tcp.release(e.now, id);
        let fin = e.one();
        e.answer(&from(seg(ACK | FIN, IRS + 1, fin.seq + 1)));
    }
    assert_eq!(
        (
            e.tcp.connection_counts(),
            e.tcp.counters().time_wait_overflow
        ),
        ((0, 3), 2)
    );
}

/// Opens the connection of the peer's and ours again, actively.
fn connects(c: &mut Conn) -> Result<u32, Error> {
    let [local, remote] =
        [(OURS, PORT), (PEER, PEER_PORT)].map(|(ip, port)| SocketAddrV4::new(ip, port));
    c.e.tcp.connect(c.e.now, local, remote, &plain())?;
    Ok(c.e.one().seq)
}

#[test]
fn rfc6191_3_our_syn_reuses_time_wait_after_a_second_if_timestamps_tell_the_two_apart() {
    let in_use = Err(Error::AddrInUse(SocketAddrV4::new(OURS, PORT).into()));
    let mut c = in_time_wait(&seg(SYN, IRS, 0).mss(1000).ts(5, 0));
    c.e.now += ms(999);
    assert_eq!(connects(&mut c), in_use);
    c.e.now += ms(1);
    let iss = connects(&mut c).expect("a second has passed");
    assert!(
        iss.wrapping_sub(c.ack) < 1 << 31,
        "above what was sent before"
    );
    let mut c = in_time_wait(&seg(SYN, IRS, 0).mss(1000));
    c.e.now += ms(30_000);
    assert_eq!(connects(&mut c), in_use);
}

#[test]
fn rfc7323_3_2_what_time_wait_answers_has_timestamps() {
    let mut c = in_time_wait(&seg(SYN, IRS, 0).mss(1000).ts(5, 0));
    c.e.now += ms(1000);
    let mut fin = c.seg(ACK | FIN);
    fin.seq -= 1;
    fin.timestamps = Some((6, 0));
    assert!(c.e.answer(&fin).timestamps.is_some());
}

#[test]
fn time_wait_records_have_an_eighth_of_the_memory_at_most() {
    let mut config = Config::default();
    config.memory = Some(256 << 10);
    let mut e = Engine::with(config, plain());
    for host in 0..4000 {
        let (id, ack) = open_saying(&mut e, (host, PEER_PORT), b"").expect("there is a place");
        e.tcp.release(e.now, id);
        let _ = e.sent();
        give_from(&mut e, host, &seg(ACK | FIN, IRS + 1, ack.wrapping_add(1)));
        let _ = e.sent();
        while e.tcp.poll_event().is_some() {}
        let used = e.tcp.memory_used();
        assert!(used <= (32 << 10) + TABLES, "{used}");
    }
    assert_eq!(e.tcp.connection_counts().0, 0);
}
