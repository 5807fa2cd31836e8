//! ICMP errors, the path's MTU, and paths on which large segments vanish.

use core::net::SocketAddrV4;
use core::task::Poll;
use core::time::Duration;

use netstack::proto::tcp::{Config, Error, IcmpError, State};

use crate::wire::*;

/// The first octets of a segment's header, as an ICMP error quotes them.
fn quote(segment: &Seg) -> Vec<u8> {
    let mut quoted = Vec::new();
    quoted.extend(segment.from.to_be_bytes());
    quoted.extend(segment.to.to_be_bytes());
    quoted.extend(segment.seq.to_be_bytes());
    quoted
}

fn icmp(e: &mut Engine, segment: &Seg, error: IcmpError) {
    e.tcp.handle_icmp(e.now, OURS, PEER, &quote(segment), error);
}

#[test]
fn rfc9293_3_9_2_2_a_hard_error_ends_an_attempt_and_a_soft_one_is_kept() {
    let mut e = Engine::new();
    let remote = SocketAddrV4::new(PEER, PEER_PORT);
    let id = e
        .tcp
        .connect(e.now, SocketAddrV4::new(OURS, 0), remote, &plain())
        .unwrap();
    let syn = e.one();
    icmp(&mut e, &syn, IcmpError::HostUnreachable);
    assert_eq!(e.state(id), State::SynSent);
    assert_eq!(
        e.tcp.status(id).unwrap().soft_error,
        Some(Error::HostUnreachable)
    );
    e.pass(Duration::from_secs(300));
    assert_eq!(
        e.error(id),
        Some(Error::HostUnreachable),
        "it tells more than a time-out"
    );

    let id = e
        .tcp
        .connect(e.now, SocketAddrV4::new(OURS, 0), remote, &plain())
        .unwrap();
    let syn = e.one();
    icmp(&mut e, &syn, IcmpError::PortUnreachable);
    assert_eq!(e.error(id), Some(Error::ConnectionRefused));
}

#[test]
fn rfc5461_4_1_a_hard_error_does_not_end_an_established_connection() {
    let mut c = Conn::plain();
    let sent = c.sends(1);
    icmp(&mut c.e, &sent[0], IcmpError::PortUnreachable);
    assert_eq!(c.state(), State::Established);
    c.acks(1000);
    assert_eq!(c.e.tcp.status(c.id).unwrap().soft_error, None);
}

#[test]
fn rfc5927_4_1_errors_for_what_is_not_in_flight_are_ignored() {
    let mut e = Engine::new();
    let remote = SocketAddrV4::new(PEER, PEER_PORT);
    let id = e
        .tcp
        .connect(e.now, SocketAddrV4::new(OURS, 0), remote, &plain())
        .unwrap();
    let mut syn = e.one();
    syn.seq = syn.seq.wrapping_add(1);
    icmp(&mut e, &syn, IcmpError::PortUnreachable);
    assert_eq!(e.state(id), State::SynSent);
}

#[test]
fn rfc1191_3_segments_become_smaller_and_what_was_too_large_is_sent_again() {
    let mut c = Conn::accept(Config::default(), plain(), &seg(SYN, IRS, 0).mss(1460));
    c.e.send(c.id, &[3; 2920]);
    let sent = c.e.sent();
    assert!(
        sent.iter()
            .all(|segment| segment.payload.len() == 1460 && segment.dont_fragment)
    );
    icmp(&mut c.e, &sent[0], IcmpError::FragmentationNeeded(1000));
    let again = c.e.sent();
    assert!(
        again.iter().all(|segment| segment.payload.len() <= 960),
        "{again:?}"
    );
    let octets: usize = again.iter().map(|segment| segment.payload.len()).sum();
    assert_eq!((octets, again[0].seq), (2920, sent[0].seq));
    assert_eq!(c.e.tcp.counters().mtu_reductions, 1);
    // A larger one, and one too small to be true, change nothing more than they may.
    icmp(&mut c.e, &again[0], IcmpError::FragmentationNeeded(1400));
    assert_eq!(c.e.tcp.status(c.id).unwrap().maximum_segment, 960);
    icmp(&mut c.e, &again[0], IcmpError::FragmentationNeeded(68));
    assert_eq!(c.e.tcp.status(c.id).unwrap().maximum_segment, 552 - 40);
}

#[test]
fn rfc1191_5_a_router_that_does_not_say_its_mtu_gets_the_next_plateau() {
    let mut c = Conn::accept(Config::default(), plain(), &seg(SYN, IRS, 0).mss(1460));
    c.e.send(c.id, &[3; 1460]);
    let sent = c.e.one();
    icmp(&mut c.e, &sent, IcmpError::FragmentationNeeded(0));
    assert_eq!(c.e.tcp.status(c.id).unwrap().maximum_segment, 1492 - 40);
}

#[test]
fn rfc2923_2_1_in_a_black_hole_segments_become_smaller() {
    let mut c = Conn::accept(Config::default(), plain(), &seg(SYN, IRS, 0).mss(1460));
    c.e.send(c.id, &[3; 1460]);
    c.e.one();
    let mut least = usize::MAX;
    for (_, segment) in c.e.pass(Duration::from_secs(60)) {
        least = least.min(segment.payload.len());
    }
    assert!(least < 1240, "{least}");
}

/// Sends `count` octets over a path on which only segments pass whose length `passes`; returns the
/// lengths of all, in order. The peer keeps nothing that is not in order.
fn through(c: &mut Conn, count: usize, mut passes: impl FnMut(usize) -> bool) -> Vec<usize> {
    let end = c.ack.wrapping_add(count as u32);
    let mut data = vec![3; count];
    let mut lengths = Vec::new();
    for _ in 0..100_000 {
        if let Poll::Ready(queued) = c.e.tcp.send(c.id, &data) {
            data.truncate(data.len() - queued.expect("an open connection"));
        }
        let mut sent = c.e.sent();
        if sent.is_empty() {
            let next = c.e.tcp.next_timeout().expect("something is awaited");
            let wait = next - c.e.now.min(next);
            sent.extend(c.e.pass(wait).into_iter().map(|(_, segment)| segment));
        }
        for segment in sent {
            let len = segment.payload.len();
            lengths.push(len);
            if passes(len) && segment.seq == c.ack {
                c.acks(len as u32);
            }
        }
        if c.ack == end {
            return lengths;
        }
    }
    panic!("the transfer does not end");
}

#[test]
fn rfc2923_2_1_in_a_black_hole_large_segments_are_tried_less_and_less_often() {
    let mut c = Conn::accept(Config::default(), plain(), &seg(SYN, IRS, 0).mss(1460));
    let start = c.e.now;
    let lengths = through(&mut c, 10_000_000, |len| len <= 1240);
    // Four time-outs until the size is found, 3 s; later one of 200 ms at each of five attempts.
    let took = c.e.now - start;
    assert!(took < Duration::from_millis(4200), "{took:?}");
    let large = lengths.iter().filter(|len| **len > 1240).count();
    assert!(large < lengths.len() / 50, "{large} of {}", lengths.len());
}

#[test]
fn rfc2923_2_1_losses_that_are_no_black_hole_leave_no_small_segments() {
    let mut c = Conn::accept(Config::default(), plain(), &seg(SYN, IRS, 0).mss(1460));
    // Each thousandth segment and the twenty after it are lost, so that several sizes are tried.
    let mut seen = 0;
    let lengths = through(&mut c, 3_000_000, |_| {
        seen += 1;
        seen % 1000 > 20
    });
    let small = lengths.iter().filter(|len| **len < 1460).count();
    assert!(
        small > 0 && small < lengths.len() / 10,
        "{small} of {}",
        lengths.len()
    );
}

#[test]
fn rfc2923_2_1_small_segments_that_are_lost_suspect_no_black_hole() {
    let mut c = Conn::accept(Config::default(), plain(), &seg(SYN, IRS, 0).mss(1460));
    c.e.send(c.id, &[3; 100]);
    let _ = c.e.sent();
    c.e.pass(Duration::from_secs(60));
    assert!(c.e.tcp.counters().timeouts > 5);
    assert_eq!(c.e.tcp.counters().mtu_reductions, 0);
}

#[test]
fn rfc1191_3_what_fits_the_path_is_not_sent_again() {
    let mut c = Conn::accept(Config::default(), plain(), &seg(SYN, IRS, 0).mss(1460));
    for octets in [960, 1460, 961] {
        c.e.send(c.id, &vec![3; octets]);
        assert_eq!(c.e.one().payload.len(), octets);
    }
    let mut quoted = c.seg(ACK);
    (quoted.from, quoted.to, quoted.seq) = (PORT, PEER_PORT, c.ack);
    icmp(&mut c.e, &quoted, IcmpError::FragmentationNeeded(1000));
    let again: Vec<u32> =
        c.e.sent()
            .iter()
            .map(|segment| segment.seq.wrapping_sub(c.ack))
            .collect();
    assert_eq!(again, [960, 1920, 2420, 3380]);
}
