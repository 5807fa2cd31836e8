//! Resets (RFC 9293 §3.5.2 and §3.5.3) and the defences against blind ones (RFC 5961).

use core::time::Duration;

use super::options::TcpOptions;
use super::segment::{Flags, FourTuple, Header, Segment};
use super::seq::Seq;
use super::shared::Shared;
use super::tcb::Tcb;
use crate::proto::Instant;

/// Time to live of segments that belong to no connection.
pub(super) const DEFAULT_TTL: u8 = 64;

/// Limits the challenges of one connection (RFC 5961 §10). A limit that connections share would tell
/// whoever has one of them what happens to the others.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ChallengeLimit {
    /// Milliseconds of the clock at which the challenges so far are paid for, each by its share of a
    /// second.
    paid: u32,
}

impl ChallengeLimit {
    /// Whether one more challenge is permitted; counts it.
    pub(super) fn permits(&mut self, now: Instant, per_second: u32) -> bool {
        let now = now.as_millis() as u32;
        let owed = self.paid.wrapping_sub(now);
        // More is owed than can be: it was paid for so long ago that the clock has gone round.
        let owed = if owed > 1000 { 0 } else { owed };
        let Some(share) = 1000_u32.checked_div(per_second) else {
            return false;
        };
        let permitted = owed + share <= 1000;
        if permitted {
            self.paid = now.wrapping_add(owed + share);
        }
        permitted
    }
}

/// Permits so many events in each second.
#[derive(Debug)]
pub(super) struct RateLimit {
    per_second: u32,
    left: u32,
    since: Instant,
}

impl RateLimit {
    pub(super) fn new(per_second: u32) -> Self {
        Self {
            per_second,
            left: per_second,
            since: Instant::default(),
        }
    }

    /// Whether one more event is permitted; counts it.
    pub(super) fn permits(&mut self, now: Instant) -> bool {
        if now - self.since >= Duration::from_secs(1) {
            self.since = now;
            self.left = self.per_second;
        }
        let permitted = self.left > 0;
        self.left -= u32::from(permitted);
        permitted
    }
}

/// Answers a segment for which there is no connection: <SEQ=SEG.ACK><CTL=RST> or
/// <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK> (RFC 9293 §3.10.7.1); nothing to a reset.
pub(super) fn refuse(now: Instant, shared: &mut Shared, segment: &Segment) {
    if segment.flags.has(Flags::RST) || !shared.resets.permits(now) {
        return;
    }
    if segment.flags.has(Flags::ACK) {
        send(shared, segment.tuple, segment.ack, None);
    } else {
        send(shared, segment.tuple, Seq(0), Some(segment.end()));
    }
}

/// Sends a reset with sequence number `seq`.
pub(super) fn send(shared: &mut Shared, tuple: FourTuple, seq: Seq, ack: Option<Seq>) {
    let flags = if ack.is_some() {
        Flags::RST.with(Flags::ACK)
    } else {
        Flags::RST
    };
    let header = Header {
        tuple,
        seq,
        ack: ack.unwrap_or(Seq(0)),
        wnd: 0,
        flags,
        options: TcpOptions::default(),
    };
    if shared.reply(header, DEFAULT_TTL) {
        shared.counters.out_rsts += 1;
    }
}

impl Tcb {
    /// Sends a reset for the connection. The peer takes it only with the number that it expects
    /// (RFC 5961 §3.2), and answers any other in its window with a challenge.
    pub(super) fn send_reset(&self, shared: &mut Shared) {
        send(shared, self.tuple, self.empty_seq(), Some(self.rcv.nxt));
    }

    /// RFC 5961 §3.2, §4.2 and §5.2: an acknowledgement that lets an honest peer confirm.
    pub(super) fn challenge(&mut self, now: Instant, shared: &mut Shared) {
        if self
            .challenges
            .permits(now, shared.config.challenge_acks_per_second)
        {
            shared.counters.challenge_ack += 1;
            self.ack_now();
        }
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::{ChallengeLimit, RateLimit};
    use crate::proto::Instant;

    #[test]
    fn rfc5961_10_challenges_come_back_one_by_one() {
        let mut limit = ChallengeLimit::default();
        let mut now = Instant::from_nanos(5_000_000_000);
        let mut permitted = |now, tries| (0..tries).filter(|_| limit.permits(now, 100)).count();
        assert_eq!(permitted(now, 1000), 100);
        now += Duration::from_millis(50);
        assert_eq!(permitted(now, 1000), 5);
        // The clock's milliseconds go round after 49 days.
        for days in 1..120 {
            now += Duration::from_secs(days * 86_400 / 2);
            assert_eq!(permitted(now, 1000), 100);
        }
        assert!(!limit.permits(now, 0));
    }

    #[test]
    fn so_many_in_each_second() {
        let mut limit = RateLimit::new(3);
        let mut now = Instant::from_nanos(5_000_000_000);
        for _ in 0..3 {
            let permitted = (0..10).filter(|_| limit.permits(now)).count();
            assert_eq!(permitted, 3);
            now += Duration::from_secs(1);
        }
    }
}
