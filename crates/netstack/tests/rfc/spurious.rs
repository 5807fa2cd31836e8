//! Recoveries that were not needed, as duplicate SACKs tell: RFC 2883, RFC 3708. The peers have no timestamps.

use netstack::proto::tcp::{Config, KeepAlive, congestion};

use crate::wire::*;

/// Ten segments of 1000 octets in flight, over a round trip of 100 ms, of which the first was taken for
/// lost and sent again. Also the window before that.
fn recovers() -> (Conn, u32, u32) {
    recovers_with(Config::default())
}

fn recovers_with(config: Config) -> (Conn, u32, u32) {
    let syn = sack_syn();
    let mut c = Conn::accept_after(ms(100), config, plain(), &syn);
    let base = c.ack;
    c.sends(10);
    let before = window(&c);
    c.e.now += ms(100);
    told(&mut c, &[(base + 1000, base + 4000)]);
    assert_eq!(c.e.sent()[0].seq, base);
    assert!(window(&c) < before);
    (c, base, before)
}

fn told(c: &mut Conn, blocks: &[(u32, u32)]) {
    let segment = c.seg(ACK).sack(blocks);
    c.e.give(&segment);
}

#[test]
fn rfc3708_3_a_recovery_whose_retransmissions_were_all_duplicates_is_undone() {
    for controller in [congestion::cubic, congestion::new_reno] {
        let (mut c, base, before) = recovers_with(Config::default().congestion(controller));
        // The original arrives, and then what was sent again, while the recovery goes on.
        c.e.now += ms(60);
        c.acks(4000);
        assert!(window(&c) < before);
        c.e.now += ms(60);
        told(&mut c, &[(base, base + 1000)]);
        assert!(window(&c) >= before);
    }
}

#[test]
fn rfc3708_3_a_recovery_is_undone_after_its_end_as_well() {
    for controller in [congestion::cubic, congestion::new_reno] {
        let (mut c, base, before) = recovers_with(Config::default().congestion(controller));
        c.e.now += ms(60);
        c.acks(10_000);
        assert!(window(&c) < before);
        c.sends(3);
        c.e.now += ms(60);
        told(&mut c, &[(base, base + 1000)]);
        assert!(window(&c) >= before);
        // Once.
        let restored = window(&c);
        told(&mut c, &[(base, base + 1000)]);
        assert_eq!(window(&c), restored);
    }
}

#[test]
fn rfc3708_3_a_recovery_that_has_repaired_one_loss_stays() {
    let (mut c, base, before) = recovers();
    c.e.now += ms(1);
    let blocks = [(base + 5000, base + 9000), (base + 1000, base + 4000)];
    told(&mut c, &blocks);
    assert_eq!(c.e.sent()[0].seq, base + 4000);
    // Both were sent again; the second was lost.
    c.e.now += ms(100);
    c.acks(10_000);
    told(&mut c, &[(base, base + 1000)]);
    told(&mut c, &[(base, base + 1000)]);
    assert!(window(&c) < before);
}

#[test]
fn rfc3708_3_duplicates_of_what_was_not_sent_again_prove_nothing() {
    let (mut c, base, before) = recovers();
    c.e.now += ms(100);
    c.acks(10_000);
    for start in 1..10 {
        let start = base + 1000 * start;
        told(&mut c, &[(start, start + 1000)]);
        assert!(window(&c) < before);
    }
}

#[test]
fn rfc3708_3_nothing_is_undone_long_after_a_recovery() {
    let (mut c, base, before) = recovers();
    c.e.now += ms(100);
    c.acks(10_000);
    for _ in 0..4 {
        c.sends(5);
        c.e.now += ms(100);
        c.acks(5000);
    }
    let grown = window(&c);
    assert!(grown < before);
    told(&mut c, &[(base, base + 1000)]);
    assert_eq!(window(&c), grown);
}

#[test]
fn rfc5681_4_1_a_window_that_a_pause_has_lowered_is_not_restored() {
    let options = plain().keep_alive(KeepAlive::default());
    let mut c = Conn::accept_after(ms(100), Config::default(), options, &sack_syn());
    c.e.send(c.id, &[0; 70_000]);
    for count in [10, 20] {
        assert_eq!(c.e.sent().len(), count);
        c.e.now += ms(100);
        c.acks(1000 * count as u32);
    }
    let base = c.ack;
    assert_eq!(c.e.sent().len(), 40);
    c.e.now += ms(100);
    told(&mut c, &[(base + 1000, base + 40_000)]);
    let _ = c.e.sent();
    c.e.now += ms(100);
    c.acks(40_000);
    assert!(c.e.pass(ms(1000)).is_empty());
    c.sends(1);
    assert_eq!(window(&c), 10_000);
    told(&mut c, &[(base, base + 1000)]);
    assert!(window(&c) < 20_000, "{}", window(&c));
}
