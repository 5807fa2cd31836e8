//! Resets and challenges (RFC 9293 §3.5.2 and §3.5.3, RFC 5961).

use super::Tcb;
use super::shared::Shared;
use crate::proto::Instant;
use crate::proto::ip::v4::DEFAULT_TTL;
use crate::proto::tcp::api::State;
use crate::proto::tcp::wire::options::TcpOptions;
use crate::proto::tcp::wire::segment::{Flags, FourTuple, Header, Segment};
use crate::proto::tcp::wire::seq::Seq;

/// Answers a segment for which there is no connection: <SEQ=SEG.ACK><CTL=RST> or
/// <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK> (RFC 9293 §3.10.7.1); nothing to a reset.
pub(crate) fn refuse(now: Instant, shared: &mut Shared, segment: &Segment) {
    let remote = segment.tuple.remote.ip();
    if segment.flags.has(Flags::RST) || !shared.may_reply(now, remote) {
        return;
    }
    if segment.flags.has(Flags::ACK) {
        send(shared, segment.tuple, segment.ack, None);
    } else {
        send(shared, segment.tuple, Seq(0), Some(segment.end()));
    }
}

/// Sends a reset with sequence number `seq`.
fn send(shared: &mut Shared, tuple: FourTuple, seq: Seq, ack: Option<Seq>) {
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
    pub(crate) fn send_reset(&self, shared: &mut Shared) {
        send(
            shared,
            self.tuple,
            self.snd.empty_seq(self.state == State::SynReceived),
            Some(self.rcv.nxt()),
        );
    }

    /// Answers an acknowledgement of what was not sent before the connection is established:
    /// <SEQ=SEG.ACK> <CTL=RST> (RFC 9293 §3.10.7.3 and .4), as often as challenges.
    pub(crate) fn refuse(&mut self, now: Instant, segment: &Segment, shared: &mut Shared) {
        let per_second = shared.config.challenge_acks_per_second;
        if self.challenges.take(now, per_second) {
            send(shared, self.tuple, segment.ack, None);
        }
    }

    /// RFC 5961 §3.2, §4.2 and §5.2: an acknowledgement that lets an honest peer confirm.
    pub(crate) fn challenge(&mut self, now: Instant, shared: &mut Shared) {
        if self
            .challenges
            .take(now, shared.config.challenge_acks_per_second)
        {
            shared.counters.challenge_ack += 1;
            self.ack_now();
        }
    }
}
