//! The transmission control block: SND.* and RCV.* of RFC 9293 §3.3.1 and what belongs to them.

mod acknowledgment;
mod black_hole;
mod bulk;
pub(crate) mod held;
mod icmp_errors;
pub(crate) mod lists;
mod marks;
pub(crate) mod output;
mod pacing;
pub(crate) mod peers;
pub(crate) mod reset;
pub(crate) mod segment_arrives;
pub(crate) mod settings;
pub(crate) mod shared;
pub(crate) mod timeouts;
mod variables;
pub(crate) mod window;

use self::black_hole::BlackHole;
use self::held::Held;
use self::lists::{Link, Place};
use self::settings::Settings;
use self::shared::Shared;
use super::api::{ConnectionId, Failure, ListenerId, Readiness, State};
use super::config::Options;
use super::congestion::{Controller, Parameters};
use super::defence::limits::ChallengeLimit;
use super::receive::Receiver;
use super::send::loss::Loss;
use super::send::pacer::Pacer;
use super::send::queue::SendQueue;
use super::send::retransmission::RetransmissionQueue;
use super::send::rto::RttEstimator;
use super::wire::options::{DEFAULT_MSS, MIN_MSS, TIMESTAMPS_LEN};
use super::wire::segment::{FourTuple, HEADER_LEN, Segment};
use super::wire::seq::Seq;
use crate::proto::Instant;

pub(crate) use self::variables::{Deadlines, EcnState, RetransmitTimer, Send, TimestampState};

/// Octets of an IPv4 header without options.
pub(crate) const IPV4_HEADER_LEN: u16 = 20;

/// Who holds a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A user has its handle.
    User,
    /// It is half-open, of a listener's backlog.
    HalfOpen(ListenerId),
    /// It is established and waits for a listener's `accept`.
    Waiting(ListenerId),
    /// Released: it goes when it is closed.
    Nobody,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Tcb {
    pub(crate) id: ConnectionId,
    pub(crate) tuple: FourTuple,
    pub(crate) state: State,
    pub(crate) owner: Owner,
    /// Opened by `connect`: a reset in SYN-RECEIVED is then an error for the user.
    pub(crate) active: bool,
    pub(crate) snd: Send,
    pub(crate) rcv: Receiver,
    pub(crate) timestamps: Option<TimestampState>,
    /// The peer has sent a window scale option.
    pub(crate) scaling: bool,
    /// The peer has sent SACK-permitted.
    pub(crate) sack: bool,
    pub(crate) ecn: EcnState,
    pub(crate) flight: RetransmissionQueue,
    pub(crate) rtt: RttEstimator,
    pub(crate) loss: Loss,
    pub(crate) black_hole: BlackHole,
    pub(crate) congestion: Option<Box<dyn Controller>>,
    /// Of a connection whose controller gives a rate.
    pub(crate) pacer: Option<Box<Pacer>>,
    pub(crate) deadlines: Deadlines,
    /// What `deadlines.retransmit` is for.
    pub(crate) retransmit_kind: RetransmitTimer,
    pub(crate) settings: Settings,
    /// SYN or SYN-ACK is to be sent.
    pub(crate) syn_due: bool,
    /// A window or keep-alive probe is to be sent.
    pub(crate) probe_due: Option<Probe>,
    /// When an empty segment that was not acceptable was last answered.
    pub(crate) last_answer: Instant,
    pub(crate) challenges: ChallengeLimit,
    /// Keep-alive probes not answered.
    pub(crate) keep_alive_probes: u8,
    /// Probes of the peer's window since it closed.
    pub(crate) window_probes: u8,
    pub(crate) error: Option<Failure>,
    pub(crate) soft_error: Option<Failure>,
    /// `send` has found no room, or `poll_flushed` something not acknowledged.
    pub(crate) wants_writable: bool,
    pub(crate) wants_flushed: bool,
    /// When the engine's table of timers looks at the connection next.
    pub(crate) timer: Instant,
    /// Events to report.
    pub(crate) events: Readiness,
    /// In the engine's lists.
    pub(crate) in_events: bool,
    pub(crate) in_transmit: bool,
    /// Something may have to be sent: asks for a place in the transmission list.
    pub(crate) transmit: bool,
    /// What the account was charged, and how much more that is than the peer's share was told.
    pub(crate) charged: Held,
    pub(crate) unnoted: i32,
    /// No more than the block and the receive queue was charged, and nothing else was allocated since.
    pub(crate) lean: bool,
    /// Octets of this block and of what it owns apart from queues.
    pub(crate) block: u32,
    /// What counts as given back although the user holds it.
    pub(crate) leaving: u32,
    /// The place of the remote address among the peers.
    pub(crate) peer: u32,
    /// The list that it is in.
    pub(crate) place: Place,
    pub(crate) place_link: Link,
    /// The list of those that hold as much out of order, by the logarithm of that.
    pub(crate) early_size: Option<u8>,
    pub(crate) early_link: Link,
    /// When the connection last made progress.
    pub(crate) progress: Instant,
    /// In the connection table.
    pub(crate) linked: bool,
    /// Counted in CurrEstab.
    pub(crate) counted: bool,
}

// With the 16 octets of an allocator's header it fills whole units of 32.
const _: () = assert!(size_of::<Tcb>() <= 624);

/// What a probe sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// A tail-loss probe.
    Tail,
    /// One octet into a window that is closed, or what silly-window avoidance held back.
    Window,
    /// An old sequence number, to which a live peer answers.
    KeepAlive,
}

impl Tcb {
    /// A connection before its first segment. `options` are the user's or the listener's.
    pub(crate) fn new(
        id: ConnectionId,
        tuple: FourTuple,
        owner: Owner,
        options: &Options,
        now: Instant,
        shared: &mut Shared,
    ) -> Self {
        let iss = shared.secrets.isn(now, &tuple);
        Self {
            id,
            tuple,
            state: State::Closed,
            owner,
            active: false,
            snd: Send::new(iss, now),
            rcv: Receiver::new(options, now),
            timestamps: None,
            scaling: false,
            sack: false,
            ecn: EcnState::default(),
            flight: RetransmissionQueue::default(),
            rtt: RttEstimator::new(shared.config.min_rto, shared.config.max_rto),
            loss: Loss::new(iss),
            black_hole: BlackHole::default(),
            congestion: None,
            pacer: None,
            deadlines: Deadlines::NONE,
            retransmit_kind: RetransmitTimer::Rto,
            settings: Settings::new(options, shared.config.mtu),
            syn_due: false,
            probe_due: None,
            last_answer: Instant::default(),
            challenges: ChallengeLimit::default(),
            keep_alive_probes: 0,
            window_probes: 0,
            error: None,
            soft_error: None,
            wants_writable: false,
            wants_flushed: false,
            timer: Instant::FAR_FUTURE,
            events: Readiness::default(),
            in_events: false,
            in_transmit: false,
            transmit: false,
            charged: Held::default(),
            unnoted: 0,
            lean: false,
            block: 0,
            leaving: 0,
            peer: 0,
            place: Place::None,
            place_link: Link::NONE,
            early_size: None,
            early_link: Link::NONE,
            progress: now,
            linked: false,
            counted: false,
        }
    }

    /// Replaces the initial send sequence number before anything was sent.
    pub(crate) fn set_iss(&mut self, iss: Seq) {
        self.snd.iss = iss;
        self.snd.una = iss;
        self.snd.nxt = iss;
        self.snd.small_end = iss;
        self.snd.cwnd_limited_until = iss;
        self.snd.queue = SendQueue::new(iss + 1);
        self.loss = Loss::new(iss);
    }

    /// Takes what a SYN or SYN-ACK says: IRS and options (RFC 9293 §3.10.7.2 and .3).
    pub(crate) fn take_syn(&mut self, now: Instant, segment: &Segment) {
        let options = &segment.options;
        self.snd.peer_mss = options.mss.unwrap_or(DEFAULT_MSS).max(MIN_MSS);
        self.scaling = options.window_scale.is_some();
        self.snd.wind_shift = options.window_scale.unwrap_or(0);
        self.rcv.take_syn(now, segment.seq, self.scaling);
        self.sack = options.sack_permitted;
        self.timestamps = match (options.timestamps, self.timestamps) {
            (Some(theirs), Some(ours)) => Some(TimestampState {
                recent: theirs.val,
                recent_at: now.into(),
                last_ack_sent: self.rcv.nxt(),
                ..ours
            }),
            _ => None,
        };
        self.update_mss();
    }

    /// Eff.snd.MSS of RFC 9293 §3.7.1: what the peer takes and the path carries, without options.
    pub(crate) fn update_mss(&mut self) {
        let path = self
            .settings
            .path_mtu
            .saturating_sub(IPV4_HEADER_LEN + HEADER_LEN as u16);
        let options = if self.timestamps.is_some() {
            TIMESTAMPS_LEN as u16
        } else {
            0
        };
        self.snd.mss = self.snd.peer_mss.min(path).saturating_sub(options).max(1);
        if let Some(congestion) = &mut self.congestion {
            congestion.set_smss(self.snd.mss.into());
        }
    }

    /// Enters ESTABLISHED.
    pub(crate) fn establish(&mut self, now: Instant, shared: &mut Shared) {
        self.state = State::Established;
        let congestion = self
            .settings
            .congestion()
            .unwrap_or(shared.config.congestion);
        self.congestion = Some(congestion(&Parameters {
            smss: self.snd.mss.into(),
            now,
            srtt: self.rtt.srtt(),
            selective_acks: self.sack,
            // Both numbers are unpredictable (RFC 6528).
            seed: u64::from(self.snd.iss.0) << 32 | u64::from(self.rcv.irs().0),
        }));
        self.start_pacing(now);
        self.weigh(shared);
        self.progressed(now);
        self.deadlines.retransmit = Instant::FAR_FUTURE;
        self.rcv.start(now);
        self.start_keep_alive(now);
        self.raise(Readiness::CONNECTED.union(Readiness::WRITABLE));
        self.transmit = true;
        self.counted = true;
        shared.counters.curr_estab += 1;
    }

    /// Notes events for the user.
    #[inline]
    pub(crate) fn raise(&mut self, events: Readiness) {
        self.events = self.events.union(events);
    }

    /// Asks for an acknowledgement at the next transmission.
    #[inline]
    pub(crate) fn ack_now(&mut self) {
        self.rcv.acknowledge_now();
        self.transmit = true;
    }

    /// Whether our FIN has been sent.
    #[inline]
    pub(crate) fn fin_sent(&self) -> bool {
        self.snd.fin && self.snd.nxt.gt(self.snd.queue.end())
    }

    /// Whether the user may still queue data.
    pub(crate) fn may_send(&self) -> bool {
        !self.snd.fin
            && matches!(
                self.state,
                State::SynSent | State::SynReceived | State::Established | State::CloseWait
            )
    }

    /// Whether the peer may still send data that we take.
    #[inline]
    pub(crate) fn may_receive(&self) -> bool {
        matches!(
            self.state,
            State::Established | State::FinWait1 | State::FinWait2
        )
    }

    /// Whether the connection is established or was.
    pub(crate) fn is_synchronized(&self) -> bool {
        !matches!(
            self.state,
            State::SynSent | State::SynReceived | State::Closed | State::TimeWait
        )
    }

    /// SND.UNA + SND.WND: the right edge of the peer's window.
    #[inline]
    pub(crate) fn snd_edge(&self) -> Seq {
        self.snd.una + self.snd.wnd
    }

    /// Octets that the peer's window has room for after SND.NXT.
    #[inline]
    pub(crate) fn snd_room(&self) -> u32 {
        self.snd_edge().since(self.snd.nxt)
    }

    /// The number of a segment without data: SND.NXT, or the edge of the peer's window when more than
    /// fits was sent, as a probe of a closed window is, or what was sent before the window shrank.
    /// Beyond its window the peer drops a segment with all that it says (RFC 9293 §3.10.7.4, first
    /// step).
    #[inline]
    pub(crate) fn empty_seq(&self) -> Seq {
        let beyond = self.snd.nxt.since(self.snd_edge());
        // Peers that round their window down move its edge by less than a unit of the scale, and
        // take what they had permitted (RFC 7323 §2.4). A SYN needs no window.
        let rounded = self.snd.wnd > 0 && beyond >> self.snd.wind_shift == 0;
        if beyond == 0 || rounded || self.state == State::SynReceived {
            self.snd.nxt
        } else {
            self.snd_edge()
        }
    }

    /// The congestion window.
    #[inline]
    pub(crate) fn cwnd(&self) -> u32 {
        // Before the connection is established there is nothing to send.
        self.congestion
            .as_ref()
            .map_or(0, |congestion| congestion.cwnd())
    }

    /// The clock of our timestamps (RFC 7323 §4.1: a tick of 1 ms).
    #[inline]
    pub(crate) fn timestamp(offset: u32, now: Instant) -> u32 {
        (now.as_millis() as u32).wrapping_add(offset)
    }

    /// Ends the connection: CLOSED, with `error` for the user.
    pub(crate) fn close(&mut self, error: Option<Failure>, shared: &mut Shared) {
        if self.error.is_none() {
            self.error = error;
        }
        self.leave_established(shared);
        self.state = State::Closed;
        self.drop_queues(error.is_some(), shared);
        self.stop_timers();
        self.raise(Readiness(
            Readiness::READABLE.0
                | Readiness::WRITABLE.0
                | Readiness::FLUSHED.0
                | Readiness::CLOSED.0,
        ));
    }

    /// Leaves the states that CurrEstab counts.
    pub(crate) fn leave_established(&mut self, shared: &mut Shared) {
        if core::mem::take(&mut self.counted) {
            shared.counters.curr_estab -= 1;
        }
    }

    /// Drops what can no longer be sent or received; what was received in order stays for the user
    /// unless the connection ended in error (RFC 9293 §3.10.7.4, second step: queues are flushed).
    pub(crate) fn drop_queues(&mut self, received: bool, shared: &mut Shared) {
        self.snd.queue.clear(&mut shared.pool);
        self.flight.clear(&mut shared.flights);
        self.rcv.drop_early();
        if received {
            self.rcv.drop_queue(&mut shared.receive_queues);
        }
        self.congestion = None;
        self.pacer = None;
        self.weigh(shared);
    }

    /// Frees capacity that an idle connection holds: called when a timer finds nothing to do.
    pub(crate) fn shrink(&mut self) {
        self.rcv.shrink();
        self.flight.shrink();
    }

    /// When the first timer expires.
    #[inline]
    pub(crate) fn next_deadline(&self) -> Instant {
        self.deadlines.first().min(self.rcv.delayed_ack())
    }

    /// Stops all timers.
    pub(crate) fn stop_timers(&mut self) {
        self.deadlines = Deadlines::NONE;
        self.retransmit_kind = RetransmitTimer::Rto;
        self.rcv.cancel_delayed();
    }
}
