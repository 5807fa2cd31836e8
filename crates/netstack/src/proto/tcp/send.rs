//! The sending side of a connection: SND.* of RFC 9293 §3.3.1, what is queued and in flight, when it is
//! sent again, and how fast.
//!
//! [`Sender`] knows nothing of the receiving side: what it needs of it is an argument.

mod acknowledgment;
mod again;
mod bulk;
mod delivery_rate;
mod loss;
mod marks;
mod output;
mod pacer;
mod pacing;
mod path_mtu;
pub(crate) mod queue;
mod recovery;
mod retransmission;
mod rto;
mod sent;
mod timeouts;
mod window;

pub(crate) use self::output::Plan;

use self::loss::Loss;
use self::pacer::Pacer;
use self::path_mtu::BlackHole;
use self::queue::{ChunkPool, SendQueue};
use self::retransmission::{Flight, RetransmissionQueue};
use self::rto::RttEstimator;
use super::config::{Config, Options};
use super::congestion::{Controller, MakeController, Parameters};
use super::on_demand::Spares;
use super::wire::options::{MIN_MSS, TcpOptions, default_mss};
use super::wire::seq::Seq;
use crate::proto::Instant;
use crate::proto::ip::{v4, v6};

/// The sending side of a connection.
#[derive(Debug)]
pub(crate) struct Sender {
    /// ISS: initial send sequence number.
    iss: Seq,
    /// SND.UNA: the oldest number not acknowledged.
    una: Seq,
    /// SND.NXT: the next number to send.
    nxt: Seq,
    /// SND.WND: the window offered by the peer, in octets from `una`.
    wnd: u32,
    /// SND.WL1 and SND.WL2: sequence and acknowledgement number of the last window update.
    wl1: Seq,
    wl2: Seq,
    /// Max(SND.WND) of RFC 9293 §3.8.6.2.1.
    max_wnd: u32,
    /// Snd.Wind.Shift (RFC 7323 §2.2).
    wind_shift: u8,
    /// The peer's MSS option.
    peer_mss: u16,
    /// Octets of payload of a full segment: Eff.snd.MSS (RFC 9293 §3.7.1).
    mss: u16,
    /// What is not acknowledged.
    queue: SendQueue,
    /// The user has closed: a FIN follows the queue.
    fin: bool,
    /// The number after the last segment sent that was not full (Minshall's form of Nagle's rule).
    small_end: Seq,
    /// Since when SND.UNA has not moved although there is something to acknowledge.
    unacked_since: Instant,
    /// Up to here the congestion window was what limited sending.
    cwnd_limited_until: Seq,
    /// When data was last sent.
    last: Instant,
    /// Nagle's algorithm is off.
    nodelay: bool,
    /// Octets that may wait in the queue, and the binary logarithm of what they may become.
    buffer: u32,
    max_buffer: u8,
    /// Windows are paced where the path is long.
    paced: bool,
    /// The peer has sent SACK-permitted.
    sack: bool,
    /// Added to the clock's milliseconds in timestamps (RFC 7323 §5.4), of a connection that uses them.
    clock: Option<u32>,
    ecn: EcnState,
    flight: RetransmissionQueue,
    rtt: RttEstimator,
    loss: Loss,
    congestion: Option<Box<dyn Controller>>,
    /// Of a connection whose controller gives a rate.
    pacer: Option<Box<Pacer>>,
    /// Limit of the path, header included.
    path_mtu: u16,
    datagrams: Datagrams,
    black_hole: BlackHole,
    /// When the timer expires that `retransmit_kind` is for; [`Instant::FAR_FUTURE`] when none runs.
    retransmit: Instant,
    retransmit_kind: RetransmitTimer,
    /// When pacing lets the next burst go.
    pacing: Instant,
    /// A probe is to be sent.
    probe_due: Option<Probe>,
    /// Probes of the peer's window since it closed.
    window_probes: u8,
}

/// What segments are sent in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Datagrams {
    /// Those of IPv4, not to be fragmented.
    V4,
    /// Those of IPv4 that may be fragmented on their way: after a black hole was found at the least MTU.
    Fragmentable,
    /// Packets of IPv6, which no router fragments.
    V6,
}

impl Datagrams {
    /// Those whose header has so many octets.
    fn behind(header_len: usize) -> Self {
        match header_len {
            v4::HEADER_LEN => Self::V4,
            _ => Self::V6,
        }
    }

    /// Octets of the header.
    fn header_len(self) -> usize {
        match self {
            Self::V4 | Self::Fragmentable => v4::HEADER_LEN,
            Self::V6 => v6::HEADER_LEN,
        }
    }
}

/// State of explicit congestion notification (RFC 3168 §6.1).
#[derive(Clone, Copy, Debug, Default)]
struct EcnState {
    /// Both ends want it.
    on: bool,
    /// The window was reduced: the next new data carries CWR.
    cwr: bool,
    /// A SYN of ours has not asked: nothing that we send is ECN-capable.
    unmarked: bool,
    /// No further reduction until this number is acknowledged.
    recover: Option<Seq>,
}

/// What runs in the slot of the retransmission timer: these exclude one another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RetransmitTimer {
    /// Retransmission time-out (RFC 6298).
    #[default]
    Rto,
    /// Tail-loss probe (RFC 8985 §7).
    Probe,
    /// End of the reordering window (RFC 8985 §6.2 step 5).
    Reorder,
    /// Zero-window probe, or the override of silly-window avoidance (RFC 9293 §3.8.6).
    Persist,
}

/// What a probe sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probe {
    /// A tail-loss probe.
    Tail,
    /// One octet into a window that is closed, or what silly-window avoidance held back.
    Window,
    /// An old sequence number, to which a live peer answers.
    KeepAlive,
}

/// What all senders of an engine take from and give back to.
#[derive(Debug)]
pub(crate) struct Stock {
    pub(crate) pool: ChunkPool,
    flights: Spares<Flight>,
}

impl Stock {
    /// Of an engine that may hold `memory` octets; keeps `spares` parts at most.
    pub(crate) fn new(memory: usize, spares: usize) -> Self {
        Self {
            pool: ChunkPool::new(memory),
            flights: Spares::new(spares),
        }
    }

    /// Octets of the allocations that hold it.
    #[inline]
    pub(crate) fn held(&self) -> usize {
        self.pool.held() + self.flights.held()
    }

    /// Frees all.
    pub(crate) fn clear(&mut self) {
        self.pool.clear();
        self.flights.clear();
    }
}

impl Sender {
    /// Before anything was sent, behind IP headers of `ip_header` octets, in packets of `mtu`.
    pub(crate) fn new(
        iss: Seq,
        now: Instant,
        (ip_header, mtu): (usize, u16),
        options: &Options,
        config: &Config,
    ) -> Self {
        Self {
            iss,
            una: iss,
            nxt: iss,
            wnd: 0,
            wl1: Seq(0),
            wl2: Seq(0),
            max_wnd: 0,
            wind_shift: 0,
            peer_mss: default_mss(ip_header),
            mss: default_mss(ip_header),
            queue: SendQueue::new(iss + 1),
            fin: false,
            small_end: iss,
            unacked_since: now,
            cwnd_limited_until: iss,
            last: now,
            nodelay: options.nodelay,
            buffer: options.send_buffer.clamp(1, 1 << 30) as u32,
            max_buffer: options.max_send_buffer.clamp(1, 1 << 30).ilog2() as u8,
            paced: options.paced,
            sack: false,
            clock: None,
            ecn: EcnState::default(),
            flight: RetransmissionQueue::default(),
            rtt: RttEstimator::new(config.min_rto, config.max_rto),
            loss: Loss::new(iss),
            congestion: None,
            pacer: None,
            path_mtu: options.path_mtu.unwrap_or(u16::MAX).min(mtu),
            datagrams: Datagrams::behind(ip_header),
            black_hole: BlackHole::default(),
            retransmit: Instant::FAR_FUTURE,
            retransmit_kind: RetransmitTimer::Rto,
            pacing: Instant::FAR_FUTURE,
            probe_due: None,
            window_probes: 0,
        }
    }

    /// Replaces the initial send sequence number before anything was sent.
    pub(crate) fn set_iss(&mut self, iss: Seq) {
        self.iss = iss;
        self.una = iss;
        self.nxt = iss;
        self.small_end = iss;
        self.cwnd_limited_until = iss;
        self.queue = SendQueue::new(iss + 1);
        self.loss = Loss::new(iss);
    }

    /// Our SYN with the number `iss` was sent before the connection had a block.
    pub(crate) fn resume(&mut self, iss: Seq) {
        self.set_iss(iss);
        self.nxt = iss + 1;
    }

    /// Wants timestamps, with `offset` added to the clock.
    pub(crate) fn offer_timestamps(&mut self, offset: u32) {
        self.clock = Some(offset);
    }

    /// Takes the options of the peer's SYN.
    pub(crate) fn take_syn(&mut self, options: &TcpOptions) {
        let default = default_mss(self.datagrams.header_len());
        self.peer_mss = options.mss.unwrap_or(default).max(MIN_MSS);
        self.wind_shift = options.window_scale.unwrap_or(0);
        self.sack = options.sack_permitted;
        self.clock = self.clock.filter(|_| options.timestamps.is_some());
        self.update_mss();
    }

    /// The connection is established. `seed` is unpredictable.
    pub(crate) fn establish(&mut self, now: Instant, congestion: MakeController, seed: u64) {
        self.congestion = Some(congestion(&Parameters {
            smss: self.mss.into(),
            now,
            srtt: self.rtt.srtt(),
            selective_acks: self.sack,
            seed,
        }));
        self.start_pacing(now);
        self.retransmit = Instant::FAR_FUTURE;
    }

    /// ISS.
    #[inline]
    pub(crate) fn iss(&self) -> Seq {
        self.iss
    }

    /// SND.UNA.
    #[inline]
    pub(crate) fn una(&self) -> Seq {
        self.una
    }

    /// SND.NXT.
    #[inline]
    pub(crate) fn nxt(&self) -> Seq {
        self.nxt
    }

    /// Octets of payload of a full segment.
    #[inline]
    pub(crate) fn mss(&self) -> u16 {
        self.mss
    }

    /// What is added to the clock's milliseconds in timestamps, if the connection uses them.
    #[inline]
    pub(crate) fn clock(&self) -> Option<u32> {
        self.clock
    }

    /// Octets that may wait in the queue.
    #[inline]
    pub(crate) fn buffer(&self) -> usize {
        self.buffer as usize
    }

    /// Grows the buffer to what the windows let go in two round trips: what is on its way, and what
    /// follows when that is acknowledged.
    #[inline]
    pub(crate) fn grow_buffer(&mut self) {
        let most = 1 << self.max_buffer;
        if self.buffer < most {
            let wanted = self.wnd.min(self.cwnd()).saturating_mul(2);
            self.buffer = self.buffer.max(wanted.min(most));
        }
    }

    /// Whether Nagle's algorithm is off.
    pub(crate) fn nodelay(&self) -> bool {
        self.nodelay
    }

    /// Switches Nagle's algorithm off, or on.
    pub(crate) fn set_nodelay(&mut self, on: bool) {
        self.nodelay = on;
    }

    /// Whether the peer permits selective acknowledgements.
    #[inline]
    pub(crate) fn uses_sack(&self) -> bool {
        self.sack
    }

    /// Whether both ends want explicit congestion notification.
    #[inline]
    pub(crate) fn uses_ecn(&self) -> bool {
        self.ecn.on
    }

    pub(crate) fn use_ecn(&mut self, on: bool) {
        self.ecn.on = on;
        self.ecn.unmarked = self.rtt.timeouts() > 0;
    }

    /// Whether new data is ECN-capable: after a SYN that has not asked it is not (RFC 3168 §6.1.1), and no
    /// window probe is (§6.1.6).
    pub(crate) fn is_ecn_capable(&self) -> bool {
        self.ecn.on && !self.ecn.unmarked && self.wnd > 0
    }

    /// Whether the next new data says CWR.
    pub(crate) fn says_cwr(&self) -> bool {
        self.ecn.cwr
    }

    #[inline]
    pub(crate) fn may_fragment(&self) -> bool {
        self.datagrams == Datagrams::Fragmentable
    }

    /// Since when SND.UNA has not moved although there is something to acknowledge.
    pub(crate) fn unacked_since(&self) -> Instant {
        self.unacked_since
    }

    /// From now on the peer has to take something anew.
    pub(crate) fn restart_patience(&mut self, now: Instant) {
        self.unacked_since = now;
    }

    /// Whether anything was sent but a SYN.
    pub(crate) fn has_sent(&self) -> bool {
        self.nxt != self.iss + 1
    }

    /// Whether nothing is in flight.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.una == self.nxt
    }

    /// Whether the number was sent and not acknowledged.
    pub(crate) fn is_in_flight(&self, seq: Seq) -> bool {
        seq.ge(self.una) && seq.lt(self.nxt)
    }

    /// Octets that the user has sent and the peer not acknowledged.
    #[inline]
    pub(crate) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Has `push` add to the queue.
    #[inline]
    pub(crate) fn enqueue(&mut self, push: impl FnOnce(&mut SendQueue)) {
        self.check_app_limited();
        push(&mut self.queue);
    }

    /// The user will send no more: a FIN follows the queue.
    pub(crate) fn close(&mut self) {
        self.fin = true;
    }

    /// Whether the user will send no more.
    pub(crate) fn is_closed(&self) -> bool {
        self.fin
    }

    /// Whether our FIN has been sent.
    #[inline]
    pub(crate) fn fin_sent(&self) -> bool {
        self.fin && self.nxt.gt(self.queue.end())
    }

    /// The congestion window.
    #[inline]
    pub(crate) fn cwnd(&self) -> u32 {
        // Before the connection is established there is nothing to send.
        self.congestion
            .as_ref()
            .map_or(0, |congestion| congestion.cwnd())
    }

    /// SRTT in nanoseconds, zero before there is a measurement.
    pub(crate) fn measured_srtt(&self) -> u64 {
        self.rtt.srtt()
    }

    /// Octets of the allocations that hold the queue.
    #[inline]
    pub(crate) fn held(&self) -> u32 {
        self.queue.held() as u32
    }

    /// Octets of the allocations that say what is in flight.
    #[inline]
    pub(crate) fn held_flight(&self) -> u32 {
        (self.flight.held() + self.loss.held()) as u32
    }

    /// Octets of the congestion state.
    pub(crate) fn held_congestion(&self) -> usize {
        let controller = self.congestion.as_deref().map_or(0, Controller::held);
        controller + self.pacer.as_deref().map_or(0, size_of_val)
    }

    /// Drops what can no longer be sent.
    pub(crate) fn clear(&mut self, stock: &mut Stock) {
        self.queue.clear(&mut stock.pool);
        self.flight.clear(&mut stock.flights);
        self.congestion = None;
        self.pacer = None;
    }

    /// Frees capacity that an idle connection holds.
    pub(crate) fn shrink(&mut self) {
        self.flight.shrink();
        self.loss.forget_again();
    }
}
