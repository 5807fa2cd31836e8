//! What the sender has to send next, and what changes when it is sent: Nagle's rule, silly-window
//! avoidance, retransmission within the congestion window (RFC 9293 §3.7 and §3.8.6, RFC 6675 §5).

use super::loss::{Recovery, TailProbe};
use super::sent::Sent;
use super::{Probe, RetransmitTimer, Sender, Stock};
use crate::proto::Instant;
use crate::proto::checksum::Sum;
use crate::proto::tcp::counters::Counters;
use crate::proto::tcp::wire::options::timestamp;
use crate::proto::tcp::wire::seq::Seq;

/// What to send next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Plan {
    /// SYN or SYN-ACK.
    Syn,
    /// A piece that was sent before, and its place in the retransmission queue.
    Again(usize, Sent),
    /// So many octets from SND.NXT on, and whether a FIN.
    New(u32, bool),
    /// Sequence number SND.UNA - 1 without data.
    KeepAlive,
    /// An acknowledgement alone.
    Ack,
}

impl Sender {
    /// Decides on the next segment with data or FIN, or the probe that is due. Its SACK option takes
    /// `sack_len` octets of it.
    #[inline]
    pub(crate) fn plan(&mut self, now: Instant, sack_len: u32) -> Option<Plan> {
        let mss = u32::from(self.mss).saturating_sub(sack_len).max(1);
        if let Some(plan) = self
            .probe_due
            .take()
            .and_then(|probe| self.plan_probe(probe, mss))
        {
            return Some(plan);
        }
        if self.flight.lost() > 0
            && let Some(plan) = self.plan_retransmission(now, mss)
        {
            return Some(plan);
        }
        self.plan_new(now, mss)
    }

    /// Sequence number and octets of a segment that is planned, and whether it has a FIN.
    /// `half_open` is a connection in SYN-RECEIVED.
    #[inline]
    pub(crate) fn extent(&self, plan: &Plan, half_open: bool) -> (Seq, u32, bool) {
        match *plan {
            Plan::Syn => (self.iss, 0, false),
            Plan::Again(_, piece) => {
                let data_end = piece.end.min(self.queue.end());
                (
                    piece.start,
                    data_end.since(piece.start),
                    piece.end.gt(self.queue.end()),
                )
            }
            Plan::New(len, fin) => (self.nxt, len, fin),
            Plan::KeepAlive => (self.una - 1, 0, false),
            Plan::Ack => (self.empty_seq(half_open), 0, false),
        }
    }

    /// Whether what is queued ends with the number before `end`: the segment has PSH.
    #[inline]
    pub(crate) fn ends_at(&self, end: Seq) -> bool {
        end == self.queue.end()
    }

    /// Copies octets from `seq` on into a segment, and adds them to its sum.
    #[inline]
    pub(crate) fn copy(&mut self, seq: Seq, to: &mut [u8], sum: Sum) -> Sum {
        self.queue.copy(seq, to, sum)
    }

    /// Notes what a segment that was sent has changed.
    #[inline]
    pub(crate) fn note_sent(
        &mut self,
        now: Instant,
        plan: &Plan,
        stock: &mut Stock,
        counters: &mut Counters,
    ) {
        match *plan {
            Plan::Syn if self.nxt == self.iss => {
                self.nxt += 1;
                self.last = now;
            }
            Plan::Syn => self.rtt.sent_again(),
            Plan::New(len, fin) => {
                self.flight.prepare(&mut stock.flights);
                self.note_new(now, len, fin);
            }
            Plan::Again(index, piece) => self.note_again(now, index, &piece, counters),
            Plan::KeepAlive | Plan::Ack => {}
        }
    }

    /// The next lost piece, if the congestion window lets it go.
    fn plan_retransmission(&mut self, now: Instant, mss: u32) -> Option<Plan> {
        let (index, piece) = self.flight.next_lost(mss, self.queue.end())?;
        // RFC 9293 §3.8.6, SHLD-16: only what the window still takes is sent again.
        let room = self.edge().since(piece.start);
        let piece = self.flight.cut(index, room)?;
        let pipe = self.pipe();
        let permitted = match self.loss.recovery {
            // Nothing is left whose acknowledgement could permit it.
            _ if pipe == 0 => true,
            Recovery::Fast => self.loss.episode.budget > 0,
            // RFC 6298 §5.4: the earliest segment goes out at once, whatever else is in flight.
            Recovery::Timeout if piece.start == self.una => true,
            _ => pipe + piece.len() <= self.cwnd(),
        };
        if !permitted {
            self.note_cwnd_limited();
        }
        (permitted && self.wait_for_pace(now, piece.len())).then_some(Plan::Again(index, piece))
    }

    /// Octets queued and not sent yet.
    #[inline]
    pub(super) fn unsent(&self) -> u32 {
        self.queue.end().since(self.nxt)
    }

    /// Whether there is something to send, be it that windows or timers hold it back.
    #[inline]
    pub(crate) fn wants_turn(&self) -> bool {
        self.unsent() > 0 || self.fin_unsent() || self.flight.lost() > 0 || self.probe_due.is_some()
    }

    /// Whether a FIN is queued and not sent yet.
    #[inline]
    pub(super) fn fin_unsent(&self) -> bool {
        self.fin && self.nxt.le(self.queue.end())
    }

    /// New data or FIN, if windows, Nagle's rule and silly-window avoidance let it go.
    #[inline]
    fn plan_new(&mut self, now: Instant, mss: u32) -> Option<Plan> {
        let unsent = self.unsent();
        let fin_unsent = self.fin_unsent();
        if unsent == 0 && !fin_unsent || self.segments_left() == 0 {
            return None;
        }
        let room = self.room();
        let len = unsent.min(mss).min(room);
        let fin = fin_unsent && len == unsent && room > len;
        let idle = self.una == self.nxt;
        if !self.is_worth_sending(len, len == unsent, fin, mss) {
            if idle && self.retransmit == Instant::FAR_FUTURE {
                // The window may open unnoticed.
                self.arm_persist(now);
            }
            return None;
        }
        if idle {
            self.restart(now);
        }
        let permitted = match self.loss.recovery {
            Recovery::Fast => self.loss.episode.budget >= len,
            _ => idle || self.pipe() + len <= self.cwnd(),
        };
        if !permitted {
            self.note_cwnd_limited();
            return None;
        }
        self.wait_for_pace(now, len).then_some(Plan::New(len, fin))
    }

    /// Nothing is in flight: sending starts again.
    fn restart(&mut self, now: Instant) {
        if now.nanos_since(self.last) > self.rtt.timeout()
            && let Some(congestion) = &mut self.congestion
        {
            congestion.on_idle();
            // What is told later of a recovery restores no window of before the pause.
            self.loss.forget_again();
        }
        self.restart_paced(now);
    }

    /// RFC 9293 §3.8.6.2.1 and §3.7.4; Nagle's rule in Minshall's form, which waits only for small
    /// segments in flight.
    #[inline]
    fn is_worth_sending(&self, len: u32, all: bool, fin: bool, mss: u32) -> bool {
        if fin || (len == mss) {
            return true;
        }
        if len == 0 {
            return false;
        }
        let nagle = self.nodelay || self.fin || self.small_end.le(self.una);
        (all && nagle) || len * 2 >= self.max_wnd
    }

    fn plan_probe(&mut self, probe: Probe, mss: u32) -> Option<Plan> {
        if probe == Probe::KeepAlive {
            return Some(Plan::KeepAlive);
        }
        let room = self.room();
        let unsent = self.unsent();
        if probe == Probe::Window && self.una == self.nxt {
            let len = unsent.min(mss).min(room.max(1));
            let fin = self.fin_unsent() && len == unsent;
            return (len > 0 || fin).then_some(Plan::New(len, fin));
        }
        if probe == Probe::Tail && unsent > 0 && room > 0 {
            let len = unsent.min(mss).min(room);
            let fin = self.fin_unsent() && len == unsent && room > len;
            self.note_probe(self.nxt + len + u32::from(fin), false);
            return Some(Plan::New(len, fin));
        }
        if probe == Probe::Tail {
            self.note_probe(self.nxt, true);
            self.rtt.sent_again();
        }
        let (index, piece) = self.flight.probe(probe == Probe::Tail, mss)?;
        Some(Plan::Again(index, piece))
    }

    fn note_probe(&mut self, end: Seq, retransmission: bool) {
        self.loss.tlp = Some(TailProbe {
            end,
            retransmission,
            reduced: self.is_marked(),
        });
    }

    /// The sink had no room: a probe stays due.
    pub(crate) fn unplan(&mut self, plan: Plan) {
        self.probe_due = match plan {
            Plan::KeepAlive => Some(Probe::KeepAlive),
            Plan::New(..) | Plan::Again(..) if self.retransmit_kind == RetransmitTimer::Persist => {
                Some(Probe::Window)
            }
            _ => None,
        };
    }

    #[inline]
    fn note_new(&mut self, now: Instant, len: u32, fin: bool) {
        let start = self.nxt;
        if start == self.una {
            self.unacked_since = now;
        }
        self.nxt += len + u32::from(fin);
        self.last = now;
        self.flight.push(start, self.nxt, now);
        if len < u32::from(self.mss) {
            self.small_end = self.nxt;
        }
        if len > 0 && self.is_ecn_capable() {
            self.ecn.cwr = false;
        }
        if self.loss.recovery == Recovery::Fast {
            self.loss.sent(len);
        }
        self.note_paced(now, len);
        self.after_sending(now);
    }

    fn note_again(&mut self, now: Instant, index: usize, piece: &Sent, counters: &mut Counters) {
        counters.retrans_segs += 1;
        match self.loss.recovery {
            Recovery::Fast => counters.fast_retrans += 1,
            Recovery::Timeout => counters.slow_start_retrans += 1,
            Recovery::Open => {}
        }
        if self.loss.episode.first_retransmission.is_none() && self.loss.recovery != Recovery::Open
        {
            self.loss.episode.first_retransmission =
                self.clock.map(|offset| timestamp(offset, now));
        }
        self.flight.retransmitted(index, now);
        self.last = now;
        self.loss.note_again(piece.start, piece.end);
        if self.loss.recovery == Recovery::Fast {
            self.loss.sent(piece.len());
        }
        self.note_paced(now, piece.len());
        self.after_sending(now);
    }

    /// Starts the timer for what was just sent (RFC 6298 §5.1, RFC 8985 §7.2).
    #[inline]
    pub(super) fn after_sending(&mut self, now: Instant) {
        let running = self.retransmit != Instant::FAR_FUTURE;
        if self.wnd == 0 {
            let persists = self.retransmit_kind == RetransmitTimer::Persist;
            if !running || !persists || self.retransmit <= now {
                self.arm_persist(now);
            }
            return;
        }
        if !running || self.retransmit_kind != RetransmitTimer::Rto {
            if running && self.retransmit_kind == RetransmitTimer::Reorder {
                return;
            }
            self.arm_retransmit(now, None);
        }
    }
}
