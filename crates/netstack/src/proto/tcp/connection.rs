//! The transmission control block: SND.* and RCV.* of RFC 9293 §3.3.1 and what belongs to them.

mod deadlines;
pub(crate) mod held;
mod icmp_errors;
pub(crate) mod index;
pub(crate) mod lists;
pub(crate) mod output;
pub(crate) mod peers;
pub(crate) mod reset;
pub(crate) mod segment_arrives;
pub(crate) mod settings;
pub(crate) mod shared;
mod timeouts;
mod user_calls;
pub(crate) mod window;

use self::deadlines::Deadlines;
use self::held::Held;
use self::lists::{Link, Place};
use self::settings::Settings;
use self::shared::Shared;
use super::api::{ConnectionId, Failure, ListenerId, Readiness, State};
use super::config::Options;
use super::defence::limits::ChallengeLimit;
use super::receive::Receiver;
use super::send::Sender;
use super::wire::segment::{FourTuple, Segment};
use crate::proto::Instant;
use crate::proto::ip::header_len;

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
    pub(crate) snd: Sender,
    pub(crate) rcv: Receiver,
    /// The peer has sent a window scale option.
    scaling: bool,
    deadlines: Deadlines,
    pub(crate) settings: Settings,
    /// SYN or SYN-ACK is to be sent.
    syn_due: bool,
    /// When an empty segment that was not acceptable was last answered, in milliseconds of the clock.
    last_answer: u32,
    /// When the connection began, in the same.
    began: u32,
    challenges: ChallengeLimit,
    /// Keep-alive probes not answered.
    keep_alive_probes: u8,
    pub(crate) error: Option<Failure>,
    pub(crate) soft_error: Option<Failure>,
    /// `send` has found no room, or `poll_flushed` something not acknowledged.
    wants_writable: bool,
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

// With the 16 octets of an allocator's header it fits into whole units of 32. Where it is larger, who connects anew for each
// request is alone in its size among connections of a flood, and makes room for them (`tests/tcp_siege.rs`).
const _: () = assert!(size_of::<Tcb>() <= 648);

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
        let offsets = shared.secrets.offsets(&tuple);
        let peer = tuple.remote.ip();
        let sizes = (header_len(peer), shared.mtu(peer));
        let mut snd = Sender::new(offsets.isn(now), now, sizes, options, &shared.config);
        snd.offer_timestamps(offsets.timestamps);
        Self {
            id,
            tuple,
            state: State::Closed,
            owner,
            active: false,
            snd,
            rcv: Receiver::new(options, now),
            scaling: false,
            deadlines: Deadlines::NONE,
            settings: Settings::new(options, offsets.flow_label),
            syn_due: false,
            last_answer: (now.as_millis() as u32).wrapping_sub(u32::MAX / 2),
            began: now.as_millis() as u32,
            challenges: ChallengeLimit::default(),
            keep_alive_probes: 0,
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

    /// Takes what a SYN or SYN-ACK says: IRS and options (RFC 9293 §3.10.7.2 and .3).
    pub(crate) fn take_syn(&mut self, now: Instant, segment: &Segment) {
        let options = &segment.options;
        self.scaling = options.window_scale.is_some();
        self.snd.take_syn(options);
        self.rcv.take_syn(now, segment.seq, self.scaling);
        if let (Some(theirs), Some(_)) = (options.timestamps, self.snd.clock()) {
            self.rcv.use_timestamps(now, theirs.val);
        }
    }

    /// Enters ESTABLISHED.
    pub(crate) fn establish(&mut self, now: Instant, shared: &mut Shared) {
        self.state = State::Established;
        // One that was about to be sent again.
        self.syn_due = false;
        let congestion = self
            .settings
            .congestion()
            .unwrap_or(shared.config.congestion);
        // Both numbers are unpredictable (RFC 6528).
        let seed = u64::from(self.snd.iss().0) << 32 | u64::from(self.rcv.irs().0);
        self.snd.establish(now, congestion, seed);
        self.weigh(shared);
        self.progressed(now);
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
    fn ack_now(&mut self) {
        self.rcv.acknowledge_now();
        self.transmit = true;
    }

    /// Whether the user may still queue data.
    pub(crate) fn may_send(&self) -> bool {
        !self.snd.is_closed()
            && matches!(
                self.state,
                State::SynSent | State::SynReceived | State::Established | State::CloseWait
            )
    }

    /// Whether the peer may still send data that we take.
    #[inline]
    fn may_receive(&self) -> bool {
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

    /// Ends the connection: CLOSED, with `error` for the user.
    pub(crate) fn close(&mut self, error: Option<Failure>, shared: &mut Shared) {
        if self.error.is_none() {
            self.error = error;
        }
        self.leave_established(shared);
        self.state = State::Closed;
        self.drop_queues(error.is_some(), shared);
        self.stop_timers();
        self.raise(Readiness::READABLE.union(Readiness::WRITABLE));
        self.raise(Readiness::FLUSHED.union(Readiness::CLOSED));
    }

    /// Leaves the states that CurrEstab counts.
    fn leave_established(&mut self, shared: &mut Shared) {
        if core::mem::take(&mut self.counted) {
            shared.counters.curr_estab -= 1;
        }
    }

    /// Drops what can no longer be sent or received; what was received in order stays for the user
    /// unless the connection ended in error (RFC 9293 §3.10.7.4, second step: queues are flushed).
    fn drop_queues(&mut self, received: bool, shared: &mut Shared) {
        self.snd.clear(&mut shared.stock);
        self.rcv.drop_early();
        if received {
            self.rcv.drop_queue(&mut shared.receive_queues);
        }
        self.weigh(shared);
    }

    /// Frees capacity that an idle connection holds: called when a timer finds nothing to do.
    pub(crate) fn shrink(&mut self) {
        self.rcv.shrink();
        self.snd.shrink();
    }

    /// When the first timer expires.
    #[inline]
    pub(crate) fn next_deadline(&self) -> Instant {
        self.deadlines
            .first()
            .min(self.snd.next_deadline())
            .min(self.rcv.delayed_ack())
    }

    /// Stops all timers.
    pub(crate) fn stop_timers(&mut self) {
        self.deadlines = Deadlines::NONE;
        self.snd.stop_timers();
        self.rcv.cancel_delayed();
    }
}
