//! RFC 9293 §3.10.7.4, seventh and eighth step: the text of a segment and its FIN.

use bytes::Bytes;

use crate::proto::Instant;
use crate::proto::tcp::api::{Readiness, State};
use crate::proto::tcp::connection::shared::Shared;
use crate::proto::tcp::connection::{Owner, Tcb};
use crate::proto::tcp::wire::segment::{Flags, Segment};
use crate::proto::tcp::wire::seq::Seq;

/// Ranges kept out of order: so many, and one for so many octets of the receive buffer, so that
/// their bookkeeping takes no more than what a window of octets does.
const RANGES: usize = 64;
const OCTETS_PER_RANGE: usize = 512;
/// What the first octet out of order takes beside its frame.
const EARLY_BOOKKEEPING: usize = 512;

impl Tcb {
    /// Takes text and FIN of a segment that was cut to the window.
    #[inline]
    pub(crate) fn take_text_and_fin(
        &mut self,
        now: Instant,
        segment: &mut Segment,
        shared: &mut Shared,
    ) {
        if !self.may_receive() {
            return;
        }
        let fin = segment.flags.has(Flags::FIN);
        if fin {
            self.rcv.fin = Some(segment.seq + segment.payload.len() as u32);
        }
        if !segment.payload.is_empty() {
            if self.owner == Owner::Nobody {
                self.reset_unread(shared);
                return;
            }
            let octets = core::mem::take(&mut segment.payload);
            let pinned = shared.pinned(segment.frame_len);
            self.take_text(now, segment.seq, octets, pinned, shared);
        } else if fin && self.rcv.fin != Some(self.rcv.nxt) {
            self.ack_now();
        }
        if self.rcv.fin == Some(self.rcv.nxt) {
            self.take_fin(shared);
        }
    }

    /// RFC 1122 §4.2.2.13: data for a user that has gone is answered by a reset, as otherwise the
    /// peer would take it for delivered.
    pub(crate) fn reset_unread(&mut self, shared: &mut Shared) {
        shared.counters.abort_on_close += 1;
        shared.counters.estab_resets += 1;
        self.send_reset(shared);
        self.close(None, shared);
    }

    /// Seventh step. The octets came in a frame whose buffer has `pinned`.
    #[inline]
    fn take_text(
        &mut self,
        now: Instant,
        seq: Seq,
        octets: Bytes,
        pinned: usize,
        shared: &mut Shared,
    ) {
        if seq != self.rcv.nxt {
            self.take_early(seq, octets, pinned, shared);
            return;
        }
        if !shared.account.has_room(pinned) && !self.make_room_in_order(pinned, shared) {
            // Not acknowledged, so it will come again.
            shared.counters.memory_drops += 1;
            self.ack_now();
            return;
        }
        let len = octets.len();
        self.progressed(now);
        self.rcv.nxt += len as u32;
        self.rcv
            .queue
            .prepare(&mut shared.receive_queues)
            .push(octets, pinned);
        if self.rcv.reassembly.is_some() {
            self.take_reassembled();
        }
        self.raise(Readiness::READABLE);
        self.schedule_ack(now, len, shared);
    }

    /// Drops what is out of order for octets in order that only the reserve has room for. Returns whether
    /// they are taken: within the connection's share, and always when there is nothing else to be read,
    /// so that the connection goes on.
    #[cold]
    fn make_room_in_order(&mut self, pinned: usize, shared: &mut Shared) -> bool {
        // What is in order comes first.
        let mut given = 0;
        if let Some(mut reassembly) = self.rcv.reassembly.take() {
            shared.counters.rcv_pruned += 1;
            given = reassembly.held();
            reassembly.prune(reassembly.len().saturating_sub(pinned));
            if reassembly.len() > 0 {
                given -= reassembly.held();
                self.rcv.reassembly = Some(reassembly);
            }
        }
        let wanted = pinned.saturating_sub(given);
        let alone = self.rcv.queue.len() == 0;
        shared.account.has_room(wanted) || alone && shared.account.left() >= wanted
    }

    /// What was waiting for the gap to be filled.
    #[inline(never)]
    fn take_reassembled(&mut self) {
        let Some(reassembly) = &mut self.rcv.reassembly else {
            return;
        };
        let kept = reassembly.len();
        while let Some(pieces) = reassembly.take(self.rcv.nxt) {
            for piece in pieces {
                self.rcv.nxt += piece.len() as u32;
                self.rcv.queue.push_piece(piece);
            }
        }
        reassembly.advance(self.rcv.nxt);
        if reassembly.len() == 0 {
            self.rcv.reassembly = None;
        }
        if kept > 0 {
            // RFC 5681 §4.2: at once when a segment fills a gap.
            self.ack_now();
        }
    }

    /// A segment that has a gap before it: kept if the connection's share permits, and acknowledged
    /// at once (RFC 5681 §4.2).
    #[inline(never)]
    fn take_early(&mut self, seq: Seq, octets: Bytes, pinned: usize, shared: &mut Shared) {
        self.ack_now();
        if !self.sack {
            self.ack.duplicates = self.ack.duplicates.saturating_add(1);
        }
        if self.share_left(shared) < pinned + EARLY_BOOKKEEPING {
            shared.counters.ofo_drop += 1;
            return;
        }
        let end = seq + octets.len() as u32;
        let limit = RANGES + self.rcv.buffer as usize / OCTETS_PER_RANGE;
        self.lean = false;
        let reassembly = self.rcv.reassembly.get_or_insert_default();
        match reassembly.insert(seq, octets, pinned, limit) {
            None => shared.counters.ofo_drop += 1,
            Some(added) => {
                if added == 0 {
                    // RFC 2883 §4.1.2: a duplicate of what is out of order.
                    self.rcv.dsack = Some((seq, end));
                }
                shared.counters.ofo_queue += 1;
            }
        }
    }

    /// Eighth step.
    fn take_fin(&mut self, shared: &mut Shared) {
        self.rcv.nxt += 1;
        self.rcv.edge = self.rcv.edge.max(self.rcv.nxt);
        self.rcv.reassembly = None;
        self.ack_now();
        self.raise(Readiness::READABLE);
        match self.state {
            State::Established => self.state = State::CloseWait,
            // Our FIN is not acknowledged: otherwise the fifth step had left FIN-WAIT-1.
            State::FinWait1 => self.state = State::Closing,
            State::FinWait2 => self.enter_time_wait(shared),
            _ => {}
        }
    }

    /// TIME-WAIT: the engine keeps the little that it needs.
    pub(crate) fn enter_time_wait(&mut self, shared: &mut Shared) {
        self.state = State::TimeWait;
        self.leave_established(shared);
        self.drop_queues(false, shared);
        self.deadlines = crate::proto::tcp::connection::Deadlines::NONE;
        self.retransmit_kind = crate::proto::tcp::connection::RetransmitTimer::Rto;
        self.raise(Readiness(
            Readiness::FLUSHED.0 | Readiness::CLOSED.0 | Readiness::WRITABLE.0,
        ));
    }
}
