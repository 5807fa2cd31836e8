//! RFC 9293 §3.10.7.3: SYN-SENT.

use crate::proto::Instant;
use crate::proto::tcp::api::{Failure, State};
use crate::proto::tcp::connection::Tcb;
use crate::proto::tcp::connection::shared::Shared;
use crate::proto::tcp::wire::segment::{Flags, Segment};

impl Tcb {
    /// A segment arrives in SYN-SENT.
    pub(crate) fn arrives_syn_sent(
        &mut self,
        now: Instant,
        segment: &mut Segment,
        shared: &mut Shared,
    ) {
        // First, the ACK bit.
        let acknowledges = segment.flags.has(Flags::ACK);
        if acknowledges && (segment.ack.le(self.snd.iss()) || segment.ack.gt(self.snd.nxt())) {
            if !segment.flags.has(Flags::RST) {
                self.refuse(now, segment, shared);
            }
            return;
        }
        // Second, the RST bit: without an acknowledgement it may be a blind one (RFC 5961 §3.2).
        if segment.flags.has(Flags::RST) {
            if acknowledges {
                shared.counters.attempt_fails += 1;
                self.close(Some(Failure::ConnectionRefused), shared);
            }
            return;
        }
        // Third, security: not used. Fourth, the SYN bit.
        if !segment.flags.has(Flags::SYN) {
            return;
        }
        self.take_syn(now, segment);
        self.negotiate_ecn(segment);
        if !acknowledges {
            self.open_simultaneously(now, segment);
            return;
        }
        self.snd.take_syn_ack(now);
        self.snd.set_window(segment, false);
        self.soft_error = None;
        self.establish(now, shared);
        self.ack_now();
        // Sixth step on: text and FIN.
        segment.trim_front(self.rcv.nxt());
        self.trim_to_window(segment);
        self.take_text_and_fin(now, segment, shared);
    }

    /// Both ends have sent a SYN (RFC 9293 §3.5, figure 7).
    fn open_simultaneously(&mut self, now: Instant, segment: &Segment) {
        self.state = State::SynReceived;
        self.snd.set_window(segment, false);
        // The SYN may wait for transmission still; now it goes as SYN-ACK, with the same number.
        self.arm_syn(now);
    }

    /// RFC 3168 §6.1.1: ECN is used when the SYN has ECE and CWR, and the SYN-ACK ECE without CWR.
    pub(crate) fn negotiate_ecn(&mut self, segment: &Segment) {
        let (ece, cwr) = (segment.flags.has(Flags::ECE), segment.flags.has(Flags::CWR));
        let answer = segment.flags.has(Flags::ACK);
        self.snd
            .use_ecn(self.snd.uses_ecn() && ece && cwr != answer);
    }
}
