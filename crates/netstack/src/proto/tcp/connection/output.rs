//! What a connection sends: segmentation, Nagle's rule, silly-window avoidance, retransmission
//! within the congestion window (RFC 9293 §3.7 and §3.8.6, RFC 6675 §5).

use super::shared::Shared;
use super::{IPV4_HEADER_LEN, Probe, RetransmitTimer, Tcb};
use crate::proto::Instant;
use crate::proto::ip::Ecn;
use crate::proto::tcp::api::State;
use crate::proto::tcp::send::loss::Recovery;
use crate::proto::tcp::send::sent::Sent;
use crate::proto::tcp::wire::ip::{TxMeta, TxSink};
use crate::proto::tcp::wire::options::{SackBlocks, TcpOptions, Timestamps};
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

/// What to send next.
#[derive(Clone, Copy, Debug)]
enum Plan {
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
        if !self.sack || !self.rcv.has_sack() {
            return SackBlocks::default();
        }
        let room = if self.timestamps.is_some() { 3 } else { 4 };
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
        let mss = u32::from(self.snd.mss).saturating_sub(sack_len).max(1);
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
        if let Some(plan) = self.plan_new(now, mss) {
            return Some(plan);
        }
        self.rcv.acknowledges_now().then_some(Plan::Ack)
    }

    /// The next lost piece, if the congestion window lets it go.
    fn plan_retransmission(&mut self, now: Instant, mss: u32) -> Option<Plan> {
        let (index, mut piece) = self.flight.next_lost(mss, self.snd.queue.end())?;
        // RFC 9293 §3.8.6, SHLD-16: only what the window still takes is sent again.
        let room = self.snd_edge().since(piece.start);
        if room < piece.len() {
            piece = self.flight.cut(index, room)?;
        }
        let pipe = self.pipe();
        let permitted = match self.loss.recovery {
            // Nothing is left whose acknowledgement could permit it.
            _ if pipe == 0 => true,
            Recovery::Fast => self.loss.episode.budget > 0,
            // RFC 6298 §5.4: the earliest segment goes out at once, whatever else is in flight.
            Recovery::Timeout if piece.start == self.snd.una => true,
            _ => pipe + piece.len() <= self.cwnd(),
        };
        if !permitted {
            self.note_cwnd_limited();
        }
        (permitted && self.wait_for_pace(now, piece.len())).then_some(Plan::Again(index, piece))
    }

    /// Octets queued and not sent yet.
    #[inline]
    pub(crate) fn unsent(&self) -> u32 {
        self.snd.queue.end().since(self.snd.nxt)
    }

    /// Whether a FIN is queued and not sent yet.
    #[inline]
    pub(crate) fn fin_unsent(&self) -> bool {
        self.snd.fin && self.snd.nxt.le(self.snd.queue.end())
    }

    /// New data or FIN, if windows, Nagle's rule and silly-window avoidance let it go.
    #[inline]
    fn plan_new(&mut self, now: Instant, mss: u32) -> Option<Plan> {
        let unsent = self.unsent();
        let fin_unsent = self.fin_unsent();
        if unsent == 0 && !fin_unsent || self.segments_left() == 0 {
            return None;
        }
        let room = self.snd_room();
        let len = unsent.min(mss).min(room);
        let fin = fin_unsent && len == unsent && room > len;
        let idle = self.snd.una == self.snd.nxt;
        if !self.is_worth_sending(len, len == unsent, fin, mss) {
            if idle && self.deadlines.retransmit == Instant::FAR_FUTURE {
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
        if now.nanos_since(self.snd.last) > self.rtt.timeout()
            && let Some(congestion) = &mut self.congestion
        {
            congestion.on_idle();
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
        let nagle = self.settings.nodelay || self.snd.fin || self.snd.small_end.le(self.snd.una);
        (all && nagle) || len * 2 >= self.snd.max_wnd
    }

    fn plan_probe(&mut self, probe: Probe, mss: u32) -> Option<Plan> {
        if probe == Probe::KeepAlive {
            return Some(Plan::KeepAlive);
        }
        let room = self.snd_room();
        let unsent = self.unsent();
        if probe == Probe::Window && self.snd.una == self.snd.nxt {
            let len = unsent.min(mss).min(room.max(1));
            let fin = self.fin_unsent() && len == unsent;
            return (len > 0 || fin).then_some(Plan::New(len, fin));
        }
        if probe == Probe::Tail && unsent > 0 && room > 0 {
            let len = unsent.min(mss).min(room);
            let fin = self.fin_unsent() && len == unsent && room > len;
            self.loss.tlp = Some((self.snd.nxt + len + u32::from(fin), false));
            return Some(Plan::New(len, fin));
        }
        if probe == Probe::Tail {
            self.loss.tlp = Some((self.snd.nxt, true));
            self.rtt.sent_again();
        }
        let (index, piece) = self.flight.probe(probe == Probe::Tail, mss)?;
        Some(Plan::Again(index, piece))
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
        let (seq, octets, fin) = match plan {
            Plan::Syn => (self.snd.iss, 0, false),
            Plan::Again(_, piece) => {
                let data_end = piece.end.min(self.snd.queue.end());
                (
                    piece.start,
                    data_end.since(piece.start),
                    piece.end.gt(self.snd.queue.end()),
                )
            }
            Plan::New(len, fin) => (self.snd.nxt, len, fin),
            Plan::KeepAlive => (self.snd.una - 1, 0, false),
            Plan::Ack => (self.empty_seq(), 0, false),
        };
        let mut header = match plan {
            Plan::Syn => self.syn_header(now, shared),
            _ => self.header(now, seq, sack, shared),
        };
        if fin {
            header.flags = header.flags.with(Flags::FIN);
        }
        if octets > 0 && seq + octets == self.snd.queue.end() {
            header.flags = header.flags.with(Flags::PSH);
        }
        let mut ecn = Ecn::NotEct;
        if self.ecn.on
            && let Plan::New(1.., _) = plan
        {
            // RFC 3168 §6.1.5: retransmissions are not ECN-capable.
            ecn = Ecn::Ect0;
            if self.ecn.cwr {
                header.flags = header.flags.with(Flags::CWR);
            }
        }
        let meta = TxMeta {
            source: *self.tuple.local.ip(),
            destination: *self.tuple.remote.ip(),
            len: header.len() + octets as usize,
            cut: 0,
            ecn,
            ttl: self.settings.ttl,
            dont_fragment: !self.settings.may_fragment,
        };
        let Some(buffer) = sink.reserve(&meta) else {
            self.unplan(plan);
            return false;
        };
        let queue = &mut self.snd.queue;
        header.write(buffer, |sum, to| queue.copy(seq, to, sum));
        sink.commit();
        self.note_sent(now, plan, shared);
        true
    }

    /// The sink had no room: a probe stays due.
    fn unplan(&mut self, plan: Plan) {
        self.probe_due = match plan {
            Plan::KeepAlive => Some(Probe::KeepAlive),
            Plan::New(..) | Plan::Again(..) if self.retransmit_kind == RetransmitTimer::Persist => {
                Some(Probe::Window)
            }
            _ => None,
        };
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
        let timestamps = self.timestamps.map(|ours| Timestamps {
            val: Self::timestamp(ours.offset, now),
            ecr: ours.recent,
        });
        let limit = self.receive_limit(shared);
        let wnd = self.rcv.offer(self.snd.mss, limit);
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
        if self.ecn.on {
            // RFC 3168 §6.1.1.
            flags = flags.with(Flags::ECE);
            if !answer {
                flags = flags.with(Flags::CWR);
            }
        }
        let timestamps = self.timestamps.map(|ours| Timestamps {
            val: Self::timestamp(ours.offset, now),
            ecr: ours.recent,
        });
        Header {
            tuple: self.tuple,
            seq: self.snd.iss,
            ack: self.rcv.nxt(),
            wnd: self.rcv.first_window(),
            flags,
            options: TcpOptions {
                mss: Some(shared.config.mtu.saturating_sub(IPV4_HEADER_LEN + 20)),
                window_scale: (!answer || self.scaling).then_some(self.rcv.wind_shift()),
                sack_permitted: !answer || self.sack,
                timestamps,
                sack: SackBlocks::default(),
            },
        }
    }

    /// Notes what a segment that was sent has changed.
    #[inline]
    fn note_sent(&mut self, now: Instant, plan: Plan, shared: &mut Shared) {
        let again = matches!(plan, Plan::Again(..));
        shared.counters.out_segs += u64::from(!again);
        match plan {
            Plan::Syn => {
                self.syn_due = false;
                if self.snd.nxt == self.snd.iss {
                    self.snd.nxt += 1;
                    self.snd.last = now;
                } else {
                    self.rtt.sent_again();
                }
            }
            Plan::New(len, fin) => {
                self.lean = false;
                self.flight.prepare(&mut shared.flights);
                self.note_new(now, len, fin);
            }
            Plan::Again(index, piece) => self.note_again(now, index, &piece, shared),
            Plan::KeepAlive | Plan::Ack => {}
        }
        if self.state == State::SynSent {
            return;
        }
        self.note_acknowledged(matches!(plan, Plan::New(..)), matches!(plan, Plan::Ack));
    }

    /// A segment has gone out, which acknowledges what was received.
    #[inline]
    pub(crate) fn note_acknowledged(&mut self, new_data: bool, alone: bool) {
        self.rcv.note_acknowledged(new_data, alone);
        if let Some(timestamps) = &mut self.timestamps {
            timestamps.last_ack_sent = self.rcv.nxt();
        }
    }

    #[inline]
    fn note_new(&mut self, now: Instant, len: u32, fin: bool) {
        let start = self.snd.nxt;
        if start == self.snd.una {
            self.snd.unacked_since = now;
        }
        self.snd.nxt += len + u32::from(fin);
        self.snd.last = now;
        self.flight.push(start, self.snd.nxt, now);
        if len < u32::from(self.snd.mss) {
            self.snd.small_end = self.snd.nxt;
        }
        if self.ecn.cwr && len > 0 {
            self.ecn.cwr = false;
        }
        if self.loss.recovery == Recovery::Fast {
            self.loss.sent(len);
        }
        self.note_paced(now, len);
        self.after_sending(now);
    }

    fn note_again(&mut self, now: Instant, index: usize, piece: &Sent, shared: &mut Shared) {
        shared.counters.retrans_segs += 1;
        match self.loss.recovery {
            Recovery::Fast => shared.counters.fast_retrans += 1,
            Recovery::Timeout => shared.counters.slow_start_retrans += 1,
            Recovery::Open => {}
        }
        if self.loss.episode.first_retransmission.is_none() && self.loss.recovery != Recovery::Open
        {
            self.loss.episode.first_retransmission = self
                .timestamps
                .map(|timestamps| Self::timestamp(timestamps.offset, now));
        }
        self.flight.retransmitted(index, now);
        self.snd.last = now;
        if self.loss.recovery == Recovery::Fast {
            self.loss.sent(piece.len());
        }
        self.note_paced(now, piece.len());
        self.after_sending(now);
    }

    /// Starts the timer for what was just sent (RFC 6298 §5.1, RFC 8985 §7.2).
    #[inline]
    pub(crate) fn after_sending(&mut self, now: Instant) {
        let running = self.deadlines.retransmit != Instant::FAR_FUTURE;
        if self.snd.wnd == 0 {
            let persists = self.retransmit_kind == RetransmitTimer::Persist;
            if !running || !persists || self.deadlines.retransmit <= now {
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
