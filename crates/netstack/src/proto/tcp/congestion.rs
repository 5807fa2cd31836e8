//! Congestion control: a trait and the algorithms behind it.
//!
//! Which to choose, by [`Config::congestion`](super::Config::congestion) for all connections or by
//! [`Options::congestion`](super::Options::congestion) for some:
//!
//! - [`cubic`], the default, wherever loss means congestion: data centres, wired paths, and unknown
//!   ones. It is what most of its neighbours run, needs timers for its pace on long paths alone, and
//!   costs least.
//! - [`bbr`] on paths that lose packets at random (to about 2 %), that are long, or whose buffers are
//!   large: it keeps their queues short and fills them in spite of such losses. Each burst costs a
//!   timer, and a round trip is in part what timers make of it.
//! - [`Bbr::with_loss_thresh`] where more loss than that is known to be no congestion, as on some radio
//!   links. On a path that is shared, it pushes others aside.
//! - [`new_reno`] as a reference, or where the standards' oldest is asked for.
//!
//! In 30 s on 100 Mbit/s with 40 ms there and back and a loss of 0, 0.1, 1, 2 and 5 %, CUBIC gets 93,
//! 18, 4, 3 and 1 % of the link, BBR 91, 86, 81, 60 and 20 %; with a threshold of 10 % it still gets
//! 87 % at 5 %. On 10 Mbit/s with a buffer of 100 ms, the queue of CUBIC is 82 ms long on average,
//! that of BBR 6 ms. Where the two share a bottleneck with a round trip of 40 ms and a buffer of as much,
//! a BBR that comes later has 40 to 46 % of 10 Mbit/s after five seconds, and 62 to 63 % of 100 Mbit/s,
//! where a buffer of twice as much leaves it 56 % (`ci/bench path --case beside`); with a threshold of
//! 10 % more.

mod bbr;
mod cubic;
mod hystart;
mod new_reno;

use core::fmt;
use core::time::Duration;

pub use bbr::Bbr;
pub use cubic::Cubic;
pub use new_reno::NewReno;

use crate::proto::Instant;

/// What a controller is told when its connection is established.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Parameters {
    /// Sender maximum segment size in octets (RFC 5681 §2).
    pub smss: u32,
    /// When it is established.
    pub now: Instant,
    /// Whether the peer acknowledges selectively (RFC 2018), so that more than one loss can be told
    /// in a round trip.
    pub selective_acks: bool,
    /// A number that nobody else can know: where an algorithm wants chance, it comes from here.
    pub seed: u64,
    /// In nanoseconds, zero if there is none yet.
    pub(crate) srtt: u64,
}

impl Parameters {
    /// Smoothed round-trip time of the handshake, zero if it could not be measured.
    #[must_use]
    pub fn srtt(&self) -> Duration {
        Duration::from_nanos(self.srtt)
    }
}

/// What makes a controller for a connection: [`cubic`], [`new_reno`] and [`bbr`] are such functions.
pub type MakeController = fn(&Parameters) -> Box<dyn Controller>;

/// What an acknowledgement of new data says.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Ack {
    /// When it arrived.
    pub now: Instant,
    /// Octets newly acknowledged, cumulatively or selectively.
    pub acked: u32,
    /// Octets in flight before it arrived.
    pub flight: u32,
    /// Whether the congestion window, and not the application or the peer's window, limited what
    /// was in flight (RFC 9438 §5.8, RFC 5681 §4.1).
    pub cwnd_limited: bool,
    /// In nanoseconds: on the path of each acknowledgement, which most controllers do not ask for it.
    pub(crate) srtt: u64,
    /// The round-trip time measured with it, in nanoseconds, 0 where there is none.
    pub(crate) rtt: u64,
    /// SND.UNA and SND.NXT.
    pub(crate) una: u32,
    pub(crate) nxt: u32,
}

impl Ack {
    /// Smoothed round-trip time.
    #[must_use]
    pub fn srtt(&self) -> Duration {
        Duration::from_nanos(self.srtt)
    }
}

/// What an acknowledgement says to a controller that works on rates: a delivery rate sample
/// (draft-ietf-ccwg-bbr §2.3 and §4.1). Amounts are in octets.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RateSample {
    /// When it arrived.
    pub now: Instant,
    /// RS.delivery_rate in octets a second, 0 when the sample says nothing of it.
    pub delivery_rate: u64,
    /// RS.delivered: delivered between the sending of the piece just acknowledged and now.
    pub delivered: u64,
    /// RS.prior_delivered: P.delivered of that piece; `None` when nothing was delivered.
    pub prior_delivered: Option<u64>,
    /// RS.is_app_limited: the application, not the network, limited the sample.
    pub is_app_limited: bool,
    /// RS.tx_in_flight: in flight when that piece was sent, itself included.
    pub tx_in_flight: u32,
    /// RS.lost: taken to be lost between the sending of that piece and now.
    pub lost: u64,
    /// RS.newly_acked: delivered by this acknowledgement, cumulatively or selectively.
    pub newly_acked: u32,
    /// C.delivered: delivered in the life of the connection.
    pub total_delivered: u64,
    /// C.inflight: in flight now.
    pub inflight: u32,
    /// C.is_cwnd_limited.
    pub cwnd_limited: bool,
    /// InLossRecovery(): in fast recovery, or after a time-out.
    pub in_recovery: bool,
    /// RS.rtt in nanoseconds, of the piece sent last among those that were sent once.
    pub(crate) rtt: Option<u64>,
}

impl RateSample {
    /// RS.rtt: the round-trip time of the piece sent last, if one was sent only once.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.rtt.map(Duration::from_nanos)
    }
}

/// A piece that is taken to be lost (draft-ietf-ccwg-bbr §5.5.10.2). Amounts are in octets.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LostPiece {
    /// When it was found to be lost.
    pub now: Instant,
    /// Its first sequence number.
    pub start: u32,
    /// Its length.
    pub size: u32,
    /// P.tx_in_flight: in flight when it was sent, itself included.
    pub tx_in_flight: u32,
    /// Taken to be lost since it was sent, itself included.
    pub lost: u64,
    /// P.is_app_limited.
    pub is_app_limited: bool,
    /// C.delivered.
    pub delivered: u64,
    /// C.inflight after this and all other losses found at the same time.
    pub inflight: u32,
}

/// How a controller that works on rates wants to be paced (draft-ietf-ccwg-bbr §2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pacing {
    /// C.pacing_rate in octets a second.
    pub rate: u64,
    /// C.send_quantum: octets that may be sent at once, at least two segments.
    pub quantum: u32,
    /// The controller keeps the connection below the path's rate on purpose: samples of what is in
    /// flight now are marked as limited by the application.
    pub held_back: bool,
}

/// A congestion control algorithm for one connection.
///
/// Loss detection and recovery are the engine's; the controller only says how much may be in
/// flight.
///
/// A controller that gives a [`Pacing`] works on rates: each acknowledgement brings it
/// [`on_sample`](Controller::on_sample) instead of `on_ack`, each loss
/// [`on_lost`](Controller::on_lost), its connection is paced, and also in fast recovery nothing but
/// its window limits what is in flight.
pub trait Controller: fmt::Debug + Send {
    /// Octets of the memory that it may take, at most: its own size, and that of what it allocates.
    fn held(&self) -> usize {
        size_of_val(self)
    }

    /// The congestion window in octets.
    fn cwnd(&self) -> u32;

    /// The slow start threshold in octets.
    fn ssthresh(&self) -> u32;

    /// New data was acknowledged outside of loss recovery.
    fn on_ack(&mut self, ack: &Ack);

    /// Loss, or an ECN echo, begins a congestion event with `flight` octets in flight, or a retransmission
    /// is lost in a recovery: reduces `ssthresh` and the window (RFC 5681 §3.2 step 2 and §4.3, RFC 9438
    /// §4.6).
    fn on_congestion_event(&mut self, now: Instant, flight: u32);

    /// The retransmission timer has expired, for the first time for this data when `first`
    /// (RFC 5681 §3.1).
    fn on_timeout(&mut self, now: Instant, flight: u32, first: bool);

    /// The recovery that goes on, or the time-out, or the last one if it has ended
    /// ([`on_recovered`](Controller::on_recovered)), was spurious: restores what was before it (RFC 4015).
    fn on_spurious(&mut self, now: Instant);

    /// Nothing was sent for longer than a retransmission time-out: goes back to the restart window
    /// (RFC 5681 §4.1).
    fn on_idle(&mut self);

    /// The maximum segment size has changed (RFC 1191).
    fn set_smss(&mut self, smss: u32);

    /// How the connection is to be paced. `None`, once and for ever, for one that is not.
    fn pacing(&self) -> Option<Pacing> {
        None
    }

    /// An acknowledgement, with its delivery rate sample. Only with [`pacing`](Controller::pacing), as
    /// all that follows.
    fn on_sample(&mut self, _sample: &RateSample) {}

    /// A piece is taken to be lost. Comes before what else is said of the same event.
    fn on_lost(&mut self, _lost: &LostPiece) {}

    /// The peer echoes that congestion was experienced (RFC 3168), with `inflight` octets in flight.
    fn on_ecn_echo(&mut self, now: Instant, inflight: u32) {
        self.on_congestion_event(now, inflight);
    }

    /// A recovery has ended: all that was in flight when it began is acknowledged. It may still be found,
    /// before the next one begins, that it was spurious, unless the controller has a pacing.
    fn on_recovered(&mut self) {}

    /// Nothing is in flight because the application had nothing to send; now it has.
    fn on_restart(&mut self, _now: Instant) {}
}

/// Initial window in octets (RFC 6928 §2: ten segments).
#[must_use]
pub fn initial_window(smss: u32) -> u32 {
    (10 * smss).min((2 * smss).max(14_600))
}

/// CUBIC (RFC 9438), the default.
#[must_use]
pub fn cubic(parameters: &Parameters) -> Box<dyn Controller> {
    Box::new(Cubic::new(parameters))
}

/// NewReno's window (RFC 5681, with byte counting as in RFC 3465).
#[must_use]
pub fn new_reno(parameters: &Parameters) -> Box<dyn Controller> {
    Box::new(NewReno::new(parameters))
}

/// BBR version 3 (draft-ietf-ccwg-bbr).
#[must_use]
pub fn bbr(parameters: &Parameters) -> Box<dyn Controller> {
    Box::new(Bbr::new(parameters))
}

#[cfg(test)]
mod tests;
