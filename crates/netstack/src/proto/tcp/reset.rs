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

/// Permits so many events in each second (RFC 5961 §10).
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
        if shared.challenges.permits(now) {
            shared.counters.challenge_ack += 1;
            self.ack_now();
        }
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::RateLimit;
    use crate::proto::Instant;

    #[test]
    fn rfc5961_10_so_many_in_each_second() {
        let mut limit = RateLimit::new(3);
        let mut now = Instant::from_nanos(5_000_000_000);
        for _ in 0..3 {
            let permitted = (0..10).filter(|_| limit.permits(now)).count();
            assert_eq!(permitted, 3);
            now += Duration::from_secs(1);
        }
    }
}
