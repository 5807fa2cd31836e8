//! RFC 9293 §3.10.7.4: all states from SYN-RECEIVED on, step by step.

use core::time::Duration;

use crate::proto::Instant;
use crate::proto::ip::Ecn;
use crate::proto::tcp::api::{Failure, State};
use crate::proto::tcp::connection::shared::Shared;
use crate::proto::tcp::connection::{Owner, Tcb};
use crate::proto::tcp::wire::segment::{Flags, Segment};
use crate::proto::tcp::wire::seq::Seq;

/// Least time between answers of a connection to empty segments that are not acceptable, unless a
/// round trip takes longer than half of it. An answer may be answered in turn by an end that
/// disagrees: it has to be back before the next may go.
pub(crate) const ANSWER_INTERVAL: Duration = Duration::from_millis(500);

impl Tcb {
    /// A segment arrives in a state from SYN-RECEIVED on.
    pub(crate) fn arrives_synchronized(
        &mut self,
        now: Instant,
        segment: &mut Segment,
        shared: &mut Shared,
    ) {
        if self.state == State::SynReceived && self.take_repeated_syn(now, segment) {
            return;
        }
        // First, the sequence number; before it the timestamp (RFC 7323 §5.3).
        let first = segment.seq;
        if !self.check_timestamp(now, segment, shared) || !self.check_sequence(now, segment, shared)
        {
            return;
        }
        self.rcv.hear(now);
        self.keep_alive_probes = 0;
        // Second, the RST bit.
        if segment.flags.has(Flags::RST) {
            self.arrives_reset(now, first, shared);
            return;
        }
        // Third, security: not used. Fourth, the SYN bit (RFC 5961 §4.2).
        if segment.flags.has(Flags::SYN) {
            shared.counters.syn_challenge += 1;
            self.challenge(now, shared);
            return;
        }
        // Fifth, the ACK field.
        if !segment.flags.has(Flags::ACK) || !self.arrives_ack(now, segment, shared) {
            return;
        }
        if let (Some(theirs), Some(_)) = (segment.options.timestamps, self.snd.clock()) {
            self.rcv.remember_timestamp(now, theirs, first);
        }
        // Sixth, URG: urgent data is ordinary data (RFC 6093). Seventh, the text; eighth, FIN.
        self.take_text_and_fin(now, segment, shared);
    }

    /// In SYN-RECEIVED: a SYN that was sent again is answered by our SYN-ACK again. The SYN-ACK of a
    /// simultaneous open (RFC 9293 figure 7) has its SYN cut off and goes on as an acknowledgement.
    fn take_repeated_syn(&mut self, now: Instant, segment: &mut Segment) -> bool {
        if !segment.flags.has(Flags::SYN)
            || segment.seq != self.rcv.irs()
            || segment.flags.has(Flags::RST)
        {
            return false;
        }
        if segment.flags.has(Flags::ACK) {
            segment.trim_front(self.rcv.nxt());
            self.ack_now();
            return false;
        }
        if self.permit_answer(now) {
            self.syn_due = true;
            self.transmit = true;
        }
        true
    }

    /// PAWS (RFC 7323 §5.3 R1) and the rule that segments without the option are dropped (§3.2).
    #[inline]
    fn check_timestamp(&mut self, now: Instant, segment: &Segment, shared: &mut Shared) -> bool {
        if self.snd.clock().is_none() || segment.flags.has(Flags::RST) {
            return true;
        }
        let Some(theirs) = segment.options.timestamps else {
            // A SYN is of a peer that knows nothing of the connection: it is challenged.
            return segment.flags.has(Flags::SYN);
        };
        if self.rcv.is_outdated(now, theirs) {
            shared.counters.paws_estab += 1;
            self.acknowledge_unacceptable(now, segment, shared);
            return false;
        }
        true
    }

    /// The acceptability test; cuts the segment to the window.
    #[inline]
    fn check_sequence(&mut self, now: Instant, segment: &mut Segment, shared: &mut Shared) -> bool {
        if self.rcv.expects(segment) {
            return true;
        }
        let window = self.rcv.window();
        if !segment.is_acceptable(self.rcv.nxt(), window) {
            // "Special allowance should be made to accept valid ACKs, URGs and RSTs" when the window
            // is zero.
            if window == 0 && segment.seq == self.rcv.nxt() {
                segment.payload.clear();
                segment.flags.0 &= !Flags::FIN.0;
                self.ack_now();
                return true;
            }
            if !segment.flags.has(Flags::RST) {
                self.acknowledge_unacceptable(now, segment, shared);
            }
            return false;
        }
        self.trim_to_window(segment);
        true
    }

    /// Cuts off what was received before and what is beyond the window.
    #[inline]
    pub(crate) fn trim_to_window(&mut self, segment: &mut Segment) {
        if self.rcv.trim_to_window(segment) {
            self.transmit = true;
        }
    }

    /// "If an incoming segment is not acceptable, an acknowledgment should be sent in reply."
    /// Duplicates of data are reported (RFC 2883).
    fn acknowledge_unacceptable(&mut self, now: Instant, segment: &Segment, shared: &mut Shared) {
        if self.state == State::SynReceived && segment.flags.has(Flags::RST) {
            return;
        }
        if segment.flags.has(Flags::SYN) {
            // Whatever its number (RFC 5961 §4.2).
            shared.counters.syn_challenge += 1;
            self.challenge(now, shared);
        } else if segment.len() > 0 {
            if self.rcv.report_duplicate(segment) {
                shared.counters.dsack_old_sent += u64::from(self.snd.uses_sack());
            }
            self.ack_now();
        } else if self.permit_answer(now) {
            self.ack_now();
        }
    }

    /// Takes the answer to a segment that may itself be such an answer; false if it has to wait.
    /// Limited, lest two ends that disagree answer each other for ever (RFC 5961 §7).
    fn permit_answer(&mut self, now: Instant) -> bool {
        let round_trips = Duration::from_nanos(2 * self.snd.measured_srtt());
        let now = now.as_millis() as u32;
        let since = Duration::from_millis(now.wrapping_sub(self.last_answer).into());
        let may = since >= ANSWER_INTERVAL.max(round_trips);
        if may {
            self.last_answer = now;
        }
        may
    }

    /// Second step: a reset is taken only with exactly the number expected (RFC 5961 §3.2).
    fn arrives_reset(&mut self, now: Instant, seq: Seq, shared: &mut Shared) {
        if seq != self.rcv.nxt() {
            self.challenge(now, shared);
            return;
        }
        let error = match self.state {
            State::SynReceived => {
                shared.counters.attempt_fails += 1;
                Some(Failure::ConnectionRefused)
            }
            State::Closing | State::LastAck | State::TimeWait => None,
            _ => {
                shared.counters.estab_resets += 1;
                Some(Failure::ConnectionReset)
            }
        };
        self.close(error, shared);
    }

    /// Fifth step; false when the segment is to be dropped.
    #[inline]
    fn arrives_ack(&mut self, now: Instant, segment: &Segment, shared: &mut Shared) -> bool {
        if self.state == State::SynReceived {
            if segment.ack.le(self.snd.una()) || segment.ack.gt(self.snd.nxt()) {
                self.refuse(now, segment, shared);
                return false;
            }
            self.snd.take_syn_ack(now);
            self.snd.set_window(segment, true);
            self.establish(now, shared);
            if self.snd.is_closed() {
                // CLOSE came before: the FIN follows (RFC 9293 §3.10.4).
                self.state = State::FinWait1;
            }
        }
        // RFC 5961 §5.2: the range in which an acknowledgement may be.
        if !self.snd.accepts_ack(segment.ack) {
            if segment.len() > 0 || self.permit_answer(now) {
                self.challenge(now, shared);
            }
            return false;
        }
        self.take_ecn(segment, shared);
        if segment.ack.lt(self.snd.una()) {
            return true;
        }
        let duplicate = self.snd.is_duplicate(segment);
        let news = segment.ack != self.snd.una() || duplicate || !segment.options.sack.is_empty();
        if news || (self.snd.uses_ecn() && segment.flags.has(Flags::ECE)) {
            self.take_ack(now, segment, duplicate, shared);
        }
        if self.snd.update_window(now, segment) {
            self.transmit = true;
            self.report_room(shared);
        }
        self.after_fin_acked(now, shared);
        true
    }

    /// Takes an acknowledgement with SND.UNA =< SEG.ACK =< SND.NXT.
    #[inline]
    fn take_ack(&mut self, now: Instant, segment: &Segment, duplicate: bool, shared: &mut Shared) {
        let (stock, counters) = (&mut shared.stock, &mut shared.counters);
        let paced = self.snd.is_paced();
        if self.snd.take_ack(now, segment, duplicate, stock, counters) {
            self.progressed(now);
            self.soft_error = None;
            self.report_room(shared);
        }
        if self.snd.is_paced() != paced {
            self.weigh(shared);
        }
        self.transmit |= self.snd.wants_turn();
    }

    /// RFC 3168 §6.1.3: congestion experienced is echoed until the peer says CWR.
    #[inline]
    fn take_ecn(&mut self, segment: &Segment, shared: &mut Shared) {
        if !self.snd.uses_ecn() {
            return;
        }
        if segment.flags.has(Flags::CWR) {
            self.rcv.echo_congestion(false);
        }
        if segment.ecn == Ecn::Ce {
            shared.counters.ecn_ce += 1;
            self.rcv.echo_congestion(true);
            self.ack_now();
        }
    }

    /// The states in which the acknowledgement of our FIN matters.
    #[inline]
    fn after_fin_acked(&mut self, now: Instant, shared: &mut Shared) {
        if !matches!(
            self.state,
            State::FinWait1 | State::Closing | State::LastAck
        ) || !self.snd.fin_sent()
            || !self.snd.is_idle()
        {
            return;
        }
        match self.state {
            State::FinWait1 => {
                self.state = State::FinWait2;
                if self.owner == Owner::Nobody {
                    self.progressed(now);
                    self.deadlines.close = now + shared.config.orphan_timeout;
                }
            }
            State::Closing => self.enter_time_wait(shared),
            _ => self.close(None, shared),
        }
    }
}
