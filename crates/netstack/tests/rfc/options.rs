//! Window scale and timestamps (RFC 7323), selective acknowledgement (RFC 2018, RFC 2883).

use core::time::Duration;

use netstack::proto::tcp::Config;

use crate::wire::*;

#[test]
fn rfc7323_1_3_window_scale_is_used_by_both_or_neither() {
    let mut e = Engine::new();
    assert_eq!(e.answer(&seg(SYN, IRS, 0)).scale, None);
    let mut syn = seg(SYN, IRS, 0).scale(3);
    syn.from += 1;
    // 4 MiB need a shift of 7.
    assert_eq!(e.answer(&syn).scale, Some(7));
}

#[test]
fn rfc7323_2_2_the_window_of_a_syn_is_not_scaled_and_later_ones_are() {
    let syn = seg(SYN, IRS, 0).mss(1000).scale(4).window(3000);
    let mut c = Conn::accept(Config::default(), plain(), &syn);
    assert_eq!(c.syn_ack.window, 65_535);
    c.e.give(&c.seg(ACK).window(125));
    c.e.send(c.id, &[0; 5000]);
    let sent: usize = c.e.sent().iter().map(|segment| segment.payload.len()).sum();
    assert_eq!(sent, 125 << 4);
}

fn stamped() -> Conn {
    Conn::accept(
        Config::default(),
        plain(),
        &seg(SYN, IRS, 0).mss(1012).ts(500, 0),
    )
}

#[test]
fn rfc7323_3_2_timestamps_are_on_every_segment_when_agreed() {
    let mut c = stamped();
    assert_eq!(c.syn_ack.timestamps.unwrap().1, 500);
    assert!(
        c.sends(2)
            .iter()
            .all(|segment| segment.timestamps.unwrap().1 == 500)
    );
    let mut c = Conn::plain();
    assert_eq!(c.sends(1)[0].timestamps, None);
}

#[test]
fn rfc7323_3_2_a_segment_without_timestamps_is_dropped_once_agreed() {
    let mut c = stamped();
    c.e.ignores(&seg(ACK, c.seq, c.ack).data(b"none"));
    assert_eq!(c.e.read(c.id), b"");
    // A reset needs none.
    c.e.give(&seg(RST, c.seq, 0));
    assert!(c.e.error(c.id).is_some());
}

#[test]
fn rfc7323_4_1_the_clock_ticks_each_millisecond() {
    let mut c = stamped();
    let first = c.sends(1)[0].timestamps.unwrap().0;
    c.e.now += ms(70);
    let second = c.sends(1)[0].timestamps.unwrap().0;
    assert_eq!(second.wrapping_sub(first), 70);
}

#[test]
fn rfc7323_5_4_the_clock_of_each_pair_of_ends_has_an_offset_that_stays() {
    let mut e = Engine::new();
    let mut opened = |from, after| {
        e.now += after;
        let mut syn = seg(SYN, IRS, 0).ts(1, 0);
        syn.from = from;
        let stamp = e.answer(&syn).timestamps.unwrap().0;
        let mut reset = seg(RST, IRS + 1, 0);
        reset.from = from;
        e.ignores(&reset);
        (stamp, e.now)
    };
    let (first, now) = opened(4001, ms(0));
    let (other, _) = opened(4002, ms(0));
    assert_ne!(first, other);
    // Neither tells how long the stack has run.
    let uptime = now.as_nanos() / 1_000_000;
    assert!(
        u64::from(first).abs_diff(uptime) > 1_000_000
            && u64::from(other).abs_diff(uptime) > 1_000_000
    );
    // The next connection of the same ends goes on where the last one was.
    assert_eq!(opened(4001, ms(70)).0.wrapping_sub(first), 70);
}

#[test]
fn rfc7323_4_3_the_echo_is_of_the_segment_at_last_ack_sent() {
    let mut c = stamped();
    // Out of order: its timestamp is not echoed.
    let gap =
        c.e.answer(&seg(ACK, c.seq + 4, c.ack).data(b"late").ts(510, 0));
    assert_eq!(gap.timestamps.unwrap().1, 500);
    let filled = c.e.answer(&seg(ACK, c.seq, c.ack).data(b"gap!").ts(520, 0));
    assert_eq!(filled.timestamps.unwrap().1, 520);
}

#[test]
fn rfc7323_5_3_paws_drops_an_old_timestamp_and_acknowledges() {
    let mut c = stamped();
    let ack = c.e.answer(&seg(ACK, c.seq, c.ack).data(b"old").ts(499, 0));
    assert_eq!(ack.ack, c.seq);
    assert_eq!(
        (c.e.read(c.id), c.e.tcp.counters().paws_estab),
        (Vec::new(), 1)
    );
    c.e.give(&seg(ACK, c.seq, c.ack).data(b"new").ts(500, 0));
    assert_eq!(c.e.read(c.id), b"new");
}

#[test]
fn rfc7323_5_3_what_a_retransmission_has_overtaken_is_not_outdated() {
    // The peer's clock passes zero before, between and after what it sends.
    for start in [500, u32::MAX, u32::MAX - 11, u32::MAX - 50, u32::MAX - 200] {
        let syn = seg(SYN, IRS, 0).mss(1012).ts(start, 0);
        let mut c = Conn::accept(Config::default(), plain(), &syn);
        let at = |c: &Conn, offset, data: &[u8; 4], later: u32| {
            let stamp = start.wrapping_add(later);
            seg(ACK, c.seq + offset, c.ack).data(data).ts(stamp, 0)
        };
        // Three gaps; a retransmission fills the first.
        for (offset, data, later) in [(4, b"bbbb", 10), (12, b"dddd", 12), (20, b"ffff", 14)] {
            c.e.give(&at(&c, offset, data, later));
        }
        c.e.give(&at(&c, 0, b"aaaa", 100));
        // The originals of the others are late. Of before there was a window is neither.
        c.e.give(&at(&c, 16, b"XXXX", u32::MAX));
        c.e.give(&at(&c, 8, b"cccc", 11));
        c.e.give(&at(&c, 16, b"eeee", 13));
        assert_eq!(c.e.read(c.id), b"aaaabbbbccccddddeeeeffff");
        assert_eq!(c.e.tcp.counters().paws_estab, 1);
        // Nothing is out of order any more.
        c.e.give(&at(&c, 24, b"gggg", 99));
        assert_eq!(c.e.read(c.id), b"");
    }
}

#[test]
fn rfc7323_5_3_paws_compares_modulo_2_to_the_32() {
    let syn = seg(SYN, IRS, 0).mss(1012).ts(u32::MAX, 0);
    let mut c = Conn::accept(Config::default(), plain(), &syn);
    c.e.give(&seg(ACK, c.seq, c.ack).data(b"new").ts(3, 0));
    assert_eq!(c.e.read(c.id), b"new");
}

#[test]
fn rfc7323_5_5_after_24_days_an_old_timestamp_is_taken() {
    let mut c = stamped();
    c.e.now += Duration::from_secs(25 * 24 * 3600);
    let ack =
        c.e.answer(&seg(ACK, c.seq, c.ack).data(b"long ago").ts(100, 0));
    assert_eq!(c.e.read(c.id), b"long ago");
    // It is the one that counts from then on.
    assert_eq!(ack.timestamps.unwrap().1, 100);
    let old = seg(ACK, c.seq + 8, c.ack).data(b"older").ts(99, 0);
    assert_eq!(c.e.answer(&old).ack, c.seq + 8);
    assert_eq!(c.e.read(c.id), b"");
}

#[test]
fn rfc2018_2_sack_permitted_is_answered_and_only_then_are_blocks_sent() {
    let mut c = Conn::sacked();
    assert!(c.syn_ack.sack_permitted);
    let ack = c.e.answer(&seg(ACK, c.seq + 100, c.ack).data(&[0; 50]));
    assert_eq!(ack.sack, [(c.seq + 100, c.seq + 150)]);

    let mut c = Conn::plain();
    assert!(!c.syn_ack.sack_permitted);
    let ack = c.e.answer(&seg(ACK, c.seq + 100, c.ack).data(&[0; 50]));
    assert!(ack.sack.is_empty());
}

#[test]
fn rfc2018_4_the_latest_block_comes_first_and_adjacent_ones_join() {
    let mut c = Conn::sacked();
    let at = |c: &Conn, offset, len: usize| seg(ACK, c.seq + offset, c.ack).data(&vec![0; len]);
    c.e.answer(&at(&c, 100, 50));
    c.e.answer(&at(&c, 200, 50));
    let ack = c.e.answer(&at(&c, 150, 50));
    assert_eq!(ack.sack, [(c.seq + 100, c.seq + 250)]);
    let ack = c.e.answer(&at(&c, 400, 1));
    assert_eq!(
        ack.sack,
        [(c.seq + 400, c.seq + 401), (c.seq + 100, c.seq + 250)]
    );
    let ack = c.e.answer(&at(&c, 0, 100));
    assert_eq!(
        (ack.ack, ack.sack),
        (c.seq + 250, vec![(c.seq + 400, c.seq + 401)])
    );
}

#[test]
fn rfc2018_3_with_timestamps_at_most_three_blocks() {
    let mut syn = sack_syn().ts(1, 0);
    syn.mss = Some(1012);
    let mut c = Conn::accept(Config::default(), plain(), &syn);
    let mut last = None;
    for hole in 1..=5 {
        last = Some(c.e.answer(&c.seg(ACK).data(b"x").clone_at(c.seq + 10 * hole)));
    }
    assert_eq!(last.unwrap().sack.len(), 3);
}

#[test]
fn rfc2883_4_a_duplicate_is_reported_in_the_first_block() {
    let mut c = Conn::sacked();
    c.give_data(b"0123456789");
    let _ = c.e.sent();
    // All of it again.
    let ack = c.e.answer(&seg(ACK, c.seq - 10, c.ack).data(b"0123456789"));
    assert_eq!((ack.ack, ack.sack), (c.seq, vec![(c.seq - 10, c.seq)]));
    // A duplicate of what is out of order.
    c.e.answer(&seg(ACK, c.seq + 5, c.ack).data(b"56789"));
    let ack = c.e.answer(&seg(ACK, c.seq + 5, c.ack).data(b"56789"));
    assert_eq!(ack.sack, [(c.seq + 5, c.seq + 10), (c.seq + 5, c.seq + 10)]);
    // It is reported once.
    let ack = c.e.answer(&seg(ACK, c.seq + 20, c.ack).data(b"x"));
    assert_eq!(ack.sack[0], (c.seq + 20, c.seq + 21));
}

#[test]
fn without_sack_each_segment_out_of_order_gives_a_duplicate_acknowledgement() {
    let mut c = Conn::plain();
    for offset in [100, 200, 300] {
        c.e.give(&seg(ACK, c.seq + offset, c.ack).data(&[0; 100]));
    }
    let duplicates = c.e.sent();
    assert_eq!(duplicates.len(), 3);
    assert!(duplicates.iter().all(|ack| ack.ack == c.seq));
}

impl Seg {
    /// The same segment at another number.
    fn clone_at(mut self, seq: u32) -> Self {
        self.seq = seq;
        self
    }
}
