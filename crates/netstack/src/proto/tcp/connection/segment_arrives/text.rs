//! RFC 9293 §3.10.7.4, seventh and eighth step: the text of a segment and its FIN.

use bytes::Bytes;

use crate::proto::Instant;
use crate::proto::tcp::api::{Readiness, State};
use crate::proto::tcp::connection::shared::Shared;
use crate::proto::tcp::connection::{Owner, Tcb};
use crate::proto::tcp::receive::Early;
use crate::proto::tcp::wire::segment::{Flags, Segment};
use crate::proto::tcp::wire::seq::Seq;

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
            self.rcv
                .expect_fin(segment.seq + segment.payload.len() as u32);
        }
        if !segment.payload.is_empty() {
            if self.owner == Owner::Nobody {
                self.reset_unread(shared);
                return;
            }
            let octets = core::mem::take(&mut segment.payload);
            let pinned = shared.pinned(segment.frame_len);
            self.take_text(now, segment.seq, octets, pinned, shared);
        } else if fin && !self.rcv.is_at_fin() {
            self.ack_now();
        }
        if self.rcv.is_at_fin() {
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
        if seq != self.rcv.nxt() {
            self.take_early(seq, octets, pinned, shared);
            return;
        }
        if !shared.account.has_room(pinned) && !self.make_room_in_order(pinned, shared) {
            // Not acknowledged, so it will come again.
            shared.counters.memory_drops += 1;
            shared.refused = pinned;
            self.ack_now();
            return;
        }
        let len = octets.len();
        self.progressed(now);
        let spares = &mut shared.receive_queues;
        self.rcv.take_text(octets, pinned, spares);
        self.raise(Readiness::READABLE);
        let delay = shared.config.delayed_ack;
        self.transmit |= self.rcv.schedule_ack(now, len, delay);
    }

    /// Drops what is out of order for octets in order that only the reserve has room for. Returns
    /// whether they are taken: within the connection's share, and always when there is nothing else
    /// to be read, so that the connection goes on.
    #[cold]
    fn make_room_in_order(&mut self, pinned: usize, shared: &mut Shared) -> bool {
        // What is in order comes first.
        shared.counters.rcv_pruned += u64::from(self.rcv.has_early());
        let given = self.rcv.prune(pinned);
        let wanted = pinned.saturating_sub(given);
        let alone = self.rcv.readable() == 0;
        shared.account.has_room(wanted) || alone && shared.account.left() >= wanted
    }

    /// A segment that has a gap before it: kept if the connection's share permits, and acknowledged
    /// at once (RFC 5681 §4.2).
    #[inline(never)]
    fn take_early(&mut self, seq: Seq, octets: Bytes, pinned: usize, shared: &mut Shared) {
        self.ack_now();
        if !self.snd.uses_sack() {
            self.rcv.add_duplicate();
        }
        if self.share_left(shared) < pinned + EARLY_BOOKKEEPING {
            shared.counters.ofo_drop += 1;
            return;
        }
        self.lean = false;
        match self.rcv.take_early(seq, octets, pinned) {
            Early::Kept => shared.counters.ofo_queue += 1,
            Early::Dropped => shared.counters.ofo_drop += 1,
        }
    }

    /// Eighth step.
    fn take_fin(&mut self, shared: &mut Shared) {
        self.rcv.take_fin();
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
        self.stop_timers();
        self.raise(Readiness(
            Readiness::FLUSHED.0 | Readiness::CLOSED.0 | Readiness::WRITABLE.0,
        ));
    }
}
