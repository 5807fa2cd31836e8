//! What a connection sends: what the sender plans, with what the receiver has to say (RFC 9293 §3.7).

use super::Tcb;
use super::shared::Shared;
use crate::proto::Instant;
use crate::proto::ip::Ecn;
use crate::proto::tcp::api::State;
use crate::proto::tcp::send::Plan;
use crate::proto::tcp::wire::ip::{TxMeta, TxSink};
use crate::proto::tcp::wire::options::{SackBlocks, TcpOptions, Timestamps, timestamp};
use crate::proto::tcp::wire::segment::{Flags, Header};
use crate::proto::tcp::wire::seq::Seq;

/// How a turn of a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// There is nothing more to send now.
    Done,
    /// The turn's share is used up.
    More,
    /// The sink takes no more.
    Blocked,
}

impl Tcb {
    /// Sends up to `share` segments; counts them in `sent`.
    pub(crate) fn transmit(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        sink: &mut impl TxSink,
        share: usize,
        sent: &mut usize,
    ) -> Turn {
        let end = *sent + share;
        while *sent < end {
            match self.transmit_run(now, shared, sink, end - *sent, sent) {
                Some(Turn::Blocked) => return Turn::Blocked,
                Some(_) => continue,
                None => {}
            }
            let sack = self.sack_blocks();
            let Some(plan) = self.plan(now, &sack) else {
                return Turn::Done;
            };
            if !self.send_segment(now, plan, sack, shared, sink) {
                return Turn::Blocked;
            }
            *sent += 1;
        }
        Turn::More
    }

    /// The SACK option of the next segment (RFC 2018 §4, RFC 2883 §4).
    #[inline]
    fn sack_blocks(&self) -> SackBlocks {
        if !self.snd.uses_sack() || !self.rcv.has_sack() {
            return SackBlocks::default();
        }
        let room = if self.snd.clock().is_some() { 3 } else { 4 };
        self.rcv.sack_blocks(room)
    }

    /// Decides what to send next.
    #[inline]
    fn plan(&mut self, now: Instant, sack: &SackBlocks) -> Option<Plan> {
        if self.syn_due {
            return Some(Plan::Syn);
        }
        match self.state {
            State::SynSent | State::Closed => return None,
            State::SynReceived | State::TimeWait => {
                return self.rcv.acknowledges_now().then_some(Plan::Ack);
            }
            _ => {}
        }
        let sack_len = if sack.is_empty() {
            0
        } else {
            4 + 8 * sack.as_slice().len() as u32
        };
        if let Some(plan) = self.snd.plan(now, sack_len) {
            return Some(plan);
        }
        self.rcv.acknowledges_now().then_some(Plan::Ack)
    }

    /// Writes one segment to the sink and notes what was sent; false when the sink has no room.
    #[inline]
    fn send_segment(
        &mut self,
        now: Instant,
        plan: Plan,
        sack: SackBlocks,
        shared: &mut Shared,
        sink: &mut impl TxSink,
    ) -> bool {
        let half_open = self.state == State::SynReceived;
        let (seq, octets, fin) = self.snd.extent(&plan, half_open);
        let mut header = match plan {
            Plan::Syn => self.syn_header(now, shared),
            _ => self.header(now, seq, sack, shared),
        };
        if fin {
            header.flags = header.flags.with(Flags::FIN);
        }
        if octets > 0 && self.snd.ends_at(seq + octets) {
            header.flags = header.flags.with(Flags::PSH);
        }
        let mut ecn = Ecn::NotEct;
        // RFC 3168 §6.1.5: retransmissions are not.
        if self.snd.is_ecn_capable()
            && let Plan::New(1.., _) = plan
        {
            ecn = Ecn::Ect0;
            if self.snd.says_cwr() {
                header.flags = header.flags.with(Flags::CWR);
            }
        }
        let meta = self.meta(header.len() + octets as usize, ecn);
        let Some(buffer) = sink.reserve(&meta) else {
            self.snd.unplan(plan);
            return false;
        };
        let sender = &mut self.snd;
        header.write(buffer, |sum, to| sender.copy(seq, to, sum));
        sink.commit();
        self.note_sent(now, plan, shared);
        true
    }

    /// What the IP layer has to know of a segment of so many octets.
    #[inline]
    fn meta(&self, len: usize, ecn: Ecn) -> TxMeta {
        TxMeta {
            local: self.tuple.local,
            remote: self.tuple.remote,
            len,
            cut: 0,
            flow_label: self.settings.flow_label(),
            ecn,
            ttl: self.settings.ttl,
            dont_fragment: !self.snd.may_fragment(),
        }
    }

    /// The timestamps of the next segment, if the connection uses them.
    #[inline]
    fn timestamps(&self, now: Instant) -> Option<Timestamps> {
        self.snd.clock().map(|offset| Timestamps {
            val: timestamp(offset, now),
            ecr: self.rcv.recent_timestamp(),
        })
    }

    /// The header of any segment but SYNs.
    // Always: a call costs more than the rest for an acknowledgement.
    #[inline(always)]
    pub(crate) fn header(
        &mut self,
        now: Instant,
        seq: Seq,
        sack: SackBlocks,
        shared: &Shared,
    ) -> Header {
        let timestamps = self.timestamps(now);
        let limit = self.receive_limit(shared);
        let wnd = self.rcv.offer(self.snd.mss(), limit);
        let mut flags = Flags::ACK;
        if self.rcv.echoes_congestion() {
            flags = flags.with(Flags::ECE);
        }
        Header {
            tuple: self.tuple,
            seq,
            ack: self.rcv.nxt(),
            wnd,
            flags,
            options: TcpOptions {
                timestamps,
                sack,
                ..TcpOptions::default()
            },
        }
    }

    /// SYN or SYN-ACK with the options of both sides (RFC 9293 §3.7.1, RFC 7323, RFC 2018).
    fn syn_header(&self, now: Instant, shared: &Shared) -> Header {
        let answer = self.state == State::SynReceived;
        let mut flags = if answer {
            Flags::SYN.with(Flags::ACK)
        } else {
            Flags::SYN
        };
        // RFC 3168 §6.1.1, and §6.1.1.1: some drop a SYN that asks for it.
        if self.snd.uses_ecn() && (answer || self.snd.timeouts() == 0) {
            flags = flags.with(Flags::ECE);
            if !answer {
                flags = flags.with(Flags::CWR);
            }
        }
        let timestamps = self.timestamps(now);
        Header {
            tuple: self.tuple,
            seq: self.snd.iss(),
            ack: self.rcv.nxt(),
            wnd: self.rcv.first_window(),
            flags,
            options: TcpOptions {
                mss: Some(shared.offered_mss(self.tuple.remote.ip())),
                window_scale: (!answer || self.scaling).then_some(self.rcv.wind_shift()),
                sack_permitted: !answer || self.snd.uses_sack(),
                timestamps,
                sack: SackBlocks::default(),
            },
        }
    }

    /// Notes what a segment that was sent has changed.
    #[inline]
    fn note_sent(&mut self, now: Instant, plan: Plan, shared: &mut Shared) {
        shared.counters.out_segs += u64::from(!matches!(plan, Plan::Again(..)));
        match plan {
            Plan::Syn => self.syn_due = false,
            Plan::New(..) => self.lean = false,
            _ => {}
        }
        let stock = &mut shared.stock;
        self.snd.note_sent(now, &plan, stock, &mut shared.counters);
        if self.state == State::SynSent {
            return;
        }
        self.rcv
            .note_acknowledged(matches!(plan, Plan::New(..)), matches!(plan, Plan::Ack));
    }

    /// Sends a run of full segments, at most `share`; counts them in `sent`. `None` when there is no
    /// run to send.
    fn transmit_run(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        sink: &mut impl TxSink,
        share: usize,
        sent: &mut usize,
    ) -> Option<Turn> {
        let plain =
            matches!(self.state, State::Established | State::CloseWait) && !self.rcv.has_sack();
        if !plain {
            return None;
        }
        let ready = self.snd.run_length(now);
        if ready.min(share) < 2 {
            return None;
        }
        let header = self.header(now, Seq(0), SackBlocks::default(), shared);
        let meta = self.meta(0, Ecn::NotEct);
        let (run, count) = self
            .snd
            .transmit_run(now, &header, meta, sink, (ready, share), sent);
        if run > 0 {
            shared.counters.out_segs += run as u64;
            self.rcv.note_acknowledged(true, false);
        }
        Some(if run < count {
            Turn::Blocked
        } else {
            Turn::More
        })
    }
}
