//! The window that the peer offers (RFC 9293 §3.10.7.4, fifth step, and §3.8.6).

use super::{RetransmitTimer, Sender};
use crate::proto::Instant;
use crate::proto::tcp::wire::segment::Segment;
use crate::proto::tcp::wire::seq::Seq;

impl Sender {
    /// SND.WND.
    #[inline]
    pub(crate) fn wnd(&self) -> u32 {
        self.wnd
    }

    /// SND.UNA + SND.WND: the right edge of the peer's window.
    #[inline]
    pub(super) fn edge(&self) -> Seq {
        self.una + self.wnd
    }

    /// Octets that the peer's window has room for after SND.NXT.
    #[inline]
    pub(super) fn room(&self) -> u32 {
        self.edge().since(self.nxt)
    }

    /// The number of a segment without data: SND.NXT, or the edge of the peer's window when more than
    /// fits was sent, as a probe of a closed window is, or what was sent before the window shrank.
    /// Beyond its window the peer drops a segment with all that it says (RFC 9293 §3.10.7.4, first
    /// step).
    #[inline]
    pub(crate) fn empty_seq(&self, half_open: bool) -> Seq {
        let beyond = self.nxt.since(self.edge());
        // Peers that round their window down move its edge by less than a unit of the scale, and
        // take what they had permitted (RFC 7323 §2.4). A SYN needs no window: a
        // connection is `half_open` in SYN-RECEIVED.
        let rounded = self.wnd > 0 && beyond >> self.wind_shift == 0;
        if beyond == 0 || rounded || half_open {
            self.nxt
        } else {
            self.edge()
        }
    }

    /// RFC 5961 §5.2: whether an acknowledgement is in the range where one may be.
    #[inline]
    pub(crate) fn accepts_ack(&self, ack: Seq) -> bool {
        !ack.gt(self.nxt) && !(ack + self.max_wnd).lt(self.una)
    }

    /// Whether an acknowledgement is a duplicate (RFC 5681 §2). The answers to window probes are no
    /// sign of loss.
    #[inline]
    pub(crate) fn is_duplicate(&self, segment: &Segment) -> bool {
        let window = u32::from(segment.wnd) << self.wind_shift;
        segment.ack == self.una
            && self.una != self.nxt
            && segment.len() == 0
            && window == self.wnd
            && window != 0
    }

    /// SND.WND from a segment; the window of a SYN is not scaled (RFC 7323 §2.2).
    pub(crate) fn set_window(&mut self, segment: &Segment, scaled: bool) {
        self.wnd = u32::from(segment.wnd) << if scaled { self.wind_shift } else { 0 };
        self.max_wnd = self.max_wnd.max(self.wnd);
        self.wl1 = segment.seq;
        self.wl2 = segment.ack;
    }

    /// "If SND.WL1 < SEG.SEQ or (SND.WL1 = SEG.SEQ and SND.WL2 =< SEG.ACK)". Returns whether the
    /// window has grown.
    #[inline]
    pub(crate) fn update_window(&mut self, now: Instant, segment: &Segment) -> bool {
        let newer = self.wl1.lt(segment.seq);
        if !newer && (self.wl1 != segment.seq || self.wl2.gt(segment.ack)) {
            return false;
        }
        let before = self.wnd;
        self.set_window(segment, true);
        let grown = self.wnd > before;
        if grown && self.retransmit_kind == RetransmitTimer::Persist {
            self.window_opened(now);
        } else if self.wnd == 0 && before > 0 && self.una != self.nxt {
            // The peer has taken its window back (RFC 9293 §3.8.6, MUST-34 and MUST-35).
            self.arm_retransmit(now, None);
        }
        grown
    }

    /// A window that was probed is open: what it did not take goes out again at once. That is all
    /// that has been on its way for a round trip: what was sent later finds the window open.
    fn window_opened(&mut self, now: Instant) {
        self.rtt.progress();
        self.window_probes = 0;
        self.unacked_since = now;
        self.retransmit = Instant::FAR_FUTURE;
        self.retransmit_kind = RetransmitTimer::Rto;
        if self.una != self.nxt {
            let min_rtt = self.min_rtt();
            self.flight
                .mark_lost(|piece| Some(now.nanos_since(piece.time) >= min_rtt));
            self.flight.excuse_lost();
            self.arm_retransmit(now, None);
        }
    }
}
