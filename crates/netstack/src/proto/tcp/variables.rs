//! The variables of a connection: SND.* and RCV.* of RFC 9293 §3.3.1, and those of its extensions.

use core::time::Duration;

use super::on_demand::OnDemand;
use super::reassembly::Reassembly;
use super::receive_queue::ReceiveQueue;
use super::send_queue::SendQueue;
use super::seq::Seq;
use super::tcb::DEFAULT_MSS;
use super::window::Autotune;
use crate::proto::Instant;

/// Send sequence variables.
#[derive(Debug)]
pub(super) struct Send {
    /// ISS: initial send sequence number.
    pub(super) iss: Seq,
    /// SND.UNA: the oldest number not acknowledged.
    pub(super) una: Seq,
    /// SND.NXT: the next number to send.
    pub(super) nxt: Seq,
    /// SND.WND: the window offered by the peer, in octets from `una`.
    pub(super) wnd: u32,
    /// SND.WL1 and SND.WL2: sequence and acknowledgement number of the last window update.
    pub(super) wl1: Seq,
    pub(super) wl2: Seq,
    /// Max(SND.WND) of RFC 9293 §3.8.6.2.1.
    pub(super) max_wnd: u32,
    /// Snd.Wind.Shift (RFC 7323 §2.2).
    pub(super) wind_shift: u8,
    /// The peer's MSS option.
    pub(super) peer_mss: u16,
    /// Octets of payload of a full segment: Eff.snd.MSS (RFC 9293 §3.7.1).
    pub(super) mss: u16,
    /// What is not acknowledged.
    pub(super) queue: SendQueue,
    /// The user has closed: a FIN follows the queue.
    pub(super) fin: bool,
    /// The number after the last segment sent that was not full (Minshall's form of Nagle's rule).
    pub(super) small_end: Seq,
    /// Since when SND.UNA has not moved although there is something to acknowledge.
    pub(super) unacked_since: Instant,
    /// Up to here the congestion window was what limited sending.
    pub(super) cwnd_limited_until: Seq,
    /// When data was last sent.
    pub(super) last: Instant,
}

impl Send {
    /// Before anything was sent.
    pub(super) fn new(iss: Seq, now: Instant) -> Self {
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

/// Receive sequence variables.
#[derive(Debug)]
pub(super) struct Receive {
    /// IRS: initial receive sequence number.
    pub(super) irs: Seq,
    /// RCV.NXT: the next number expected.
    pub(super) nxt: Seq,
    /// RCV.NXT + RCV.WND as last told to the peer: the right edge never moves back.
    pub(super) edge: Seq,
    /// Rcv.Wind.Shift.
    pub(super) wind_shift: u8,
    /// Octets in order, not read.
    pub(super) queue: OnDemand<ReceiveQueue>,
    /// What is out of order, once there was something.
    pub(super) reassembly: Option<Box<Reassembly>>,
    /// The number of the peer's FIN, once known.
    pub(super) fin: Option<Seq>,
    /// Size of the receive buffer.
    pub(super) buffer: u32,
    pub(super) autotune: Autotune,
    /// When the last segment arrived.
    pub(super) last: Instant,
    /// A duplicate that the next acknowledgement reports (RFC 2883).
    pub(super) dsack: Option<(Seq, Seq)>,
}

/// The timestamps option of a connection that uses it (RFC 7323 §3 and §5).
#[derive(Clone, Copy, Debug)]
pub(super) struct TimestampState {
    /// Added to the clock's milliseconds.
    pub(super) offset: u32,
    /// TS.Recent.
    pub(super) recent: u32,
    /// When TS.Recent was set.
    pub(super) recent_at: Coarse,
    /// Last.ACK.sent.
    pub(super) last_ack_sent: Seq,
}

impl TimestampState {
    /// Before the peer's first timestamp.
    pub(super) fn new(offset: u32, now: Instant) -> Self {
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
pub(super) struct Coarse(u32);

impl Coarse {
    /// A unit is 2^30 ns, as a shift is cheaper than a division.
    const SHIFT: u32 = 30;

    /// How long ago it was, of up to 146 years.
    pub(super) fn elapsed(self, now: Instant) -> Duration {
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

/// Whether and when the peer is to get an acknowledgement.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AckState {
    /// At the next transmission.
    pub(super) now: bool,
    /// Duplicate acknowledgements due for a peer without SACK, each of which counts for its fast
    /// retransmission (RFC 5681 §3.2).
    pub(super) duplicates: u8,
    /// Octets received since the last acknowledgement.
    pub(super) octets: u32,
    /// Acknowledgements still to be sent at once.
    pub(super) quick: u8,
    /// Largest segment received: what "full-sized" means for the peer (RFC 5681 §4.2).
    pub(super) rmss: u16,
}

/// State of explicit congestion notification (RFC 3168 §6.1).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct EcnState {
    /// Both ends want it.
    pub(super) on: bool,
    /// Congestion was experienced: ECE goes out until CWR comes.
    pub(super) echo: bool,
    /// The window was reduced: the next new data carries CWR.
    pub(super) cwr: bool,
    /// No further reduction until this number is acknowledged.
    pub(super) recover: Option<Seq>,
}

/// What runs in the slot of the retransmission timer: these exclude one another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum RetransmitTimer {
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
pub(super) struct Deadlines {
    pub(super) retransmit: Instant,
    pub(super) delayed_ack: Instant,
    pub(super) keep_alive: Instant,
    /// End of FIN-WAIT-2 without a user, or of lingering.
    pub(super) close: Instant,
    /// When pacing lets the next burst go.
    pub(super) pacing: Instant,
}

impl Deadlines {
    pub(super) const NONE: Self = Self {
        retransmit: Instant::FAR_FUTURE,
        delayed_ack: Instant::FAR_FUTURE,
        keep_alive: Instant::FAR_FUTURE,
        close: Instant::FAR_FUTURE,
        pacing: Instant::FAR_FUTURE,
    };

    #[inline]
    pub(super) fn first(&self) -> Instant {
        self.retransmit
            .min(self.delayed_ack)
            .min(self.keep_alive)
            .min(self.close)
            .min(self.pacing)
    }
}
