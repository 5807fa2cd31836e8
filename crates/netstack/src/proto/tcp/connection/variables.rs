//! The variables of a connection: SND.* and RCV.* of RFC 9293 §3.3.1, and those of its extensions.

use core::time::Duration;

use crate::proto::Instant;
use crate::proto::tcp::send::queue::SendQueue;
use crate::proto::tcp::wire::options::DEFAULT_MSS;
use crate::proto::tcp::wire::seq::Seq;

/// Send sequence variables.
#[derive(Debug)]
pub(crate) struct Send {
    /// ISS: initial send sequence number.
    pub(crate) iss: Seq,
    /// SND.UNA: the oldest number not acknowledged.
    pub(crate) una: Seq,
    /// SND.NXT: the next number to send.
    pub(crate) nxt: Seq,
    /// SND.WND: the window offered by the peer, in octets from `una`.
    pub(crate) wnd: u32,
    /// SND.WL1 and SND.WL2: sequence and acknowledgement number of the last window update.
    pub(crate) wl1: Seq,
    pub(crate) wl2: Seq,
    /// Max(SND.WND) of RFC 9293 §3.8.6.2.1.
    pub(crate) max_wnd: u32,
    /// Snd.Wind.Shift (RFC 7323 §2.2).
    pub(crate) wind_shift: u8,
    /// The peer's MSS option.
    pub(crate) peer_mss: u16,
    /// Octets of payload of a full segment: Eff.snd.MSS (RFC 9293 §3.7.1).
    pub(crate) mss: u16,
    /// What is not acknowledged.
    pub(crate) queue: SendQueue,
    /// The user has closed: a FIN follows the queue.
    pub(crate) fin: bool,
    /// The number after the last segment sent that was not full (Minshall's form of Nagle's rule).
    pub(crate) small_end: Seq,
    /// Since when SND.UNA has not moved although there is something to acknowledge.
    pub(crate) unacked_since: Instant,
    /// Up to here the congestion window was what limited sending.
    pub(crate) cwnd_limited_until: Seq,
    /// When data was last sent.
    pub(crate) last: Instant,
}

impl Send {
    /// Before anything was sent.
    pub(crate) fn new(iss: Seq, now: Instant) -> Self {
        Self {
            iss,
            una: iss,
            nxt: iss,
            wnd: 0,
            wl1: Seq(0),
            wl2: Seq(0),
            max_wnd: 0,
            wind_shift: 0,
            peer_mss: DEFAULT_MSS,
            mss: DEFAULT_MSS,
            queue: SendQueue::new(iss + 1),
            fin: false,
            small_end: iss,
            unacked_since: now,
            cwnd_limited_until: iss,
            last: now,
        }
    }
}

/// The timestamps option of a connection that uses it (RFC 7323 §3 and §5).
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimestampState {
    /// Added to the clock's milliseconds.
    pub(crate) offset: u32,
    /// TS.Recent.
    pub(crate) recent: u32,
    /// When TS.Recent was set.
    pub(crate) recent_at: Coarse,
    /// Last.ACK.sent.
    pub(crate) last_ack_sent: Seq,
}

impl TimestampState {
    /// Before the peer's first timestamp.
    pub(crate) fn new(offset: u32, now: Instant) -> Self {
        Self {
            offset,
            recent: 0,
            recent_at: now.into(),
            last_ack_sent: Seq(0),
        }
    }
}

/// A time to about a second: what is compared with days needs no more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Coarse(u32);

impl Coarse {
    /// A unit is 2^30 ns, as a shift is cheaper than a division.
    const SHIFT: u32 = 30;

    /// How long ago it was, of up to 146 years.
    pub(crate) fn elapsed(self, now: Instant) -> Duration {
        let units = Self::from(now).0.wrapping_sub(self.0);
        Duration::from_nanos(u64::from(units) << Self::SHIFT)
    }
}

impl From<Instant> for Coarse {
    #[inline]
    fn from(time: Instant) -> Self {
        Self((time.as_nanos() >> Self::SHIFT) as u32)
    }
}

/// State of explicit congestion notification (RFC 3168 §6.1).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EcnState {
    /// Both ends want it.
    pub(crate) on: bool,
    /// The window was reduced: the next new data carries CWR.
    pub(crate) cwr: bool,
    /// No further reduction until this number is acknowledged.
    pub(crate) recover: Option<Seq>,
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

/// The deadlines of a connection; [`Instant::FAR_FUTURE`] where none runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadlines {
    pub(crate) retransmit: Instant,
    pub(crate) keep_alive: Instant,
    /// End of FIN-WAIT-2 without a user, or of lingering.
    pub(crate) close: Instant,
    /// When pacing lets the next burst go.
    pub(crate) pacing: Instant,
}

impl Deadlines {
    pub(crate) const NONE: Self = Self {
        retransmit: Instant::FAR_FUTURE,
        keep_alive: Instant::FAR_FUTURE,
        close: Instant::FAR_FUTURE,
        pacing: Instant::FAR_FUTURE,
    };

    #[inline]
    pub(crate) fn first(&self) -> Instant {
        self.retransmit
            .min(self.keep_alive)
            .min(self.close)
            .min(self.pacing)
    }
}
