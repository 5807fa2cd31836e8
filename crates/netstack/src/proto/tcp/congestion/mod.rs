//! Congestion control: a trait and the algorithms behind it.

mod cubic;
mod new_reno;
mod westwood;

use core::fmt;
use core::time::Duration;

pub use cubic::Cubic;
pub use new_reno::NewReno;
pub use westwood::Westwood;

use crate::proto::Instant;

/// What a controller is told when its connection is established.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Parameters {
    /// Sender maximum segment size in octets (RFC 5681 §2).
    pub smss: u32,
}

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
    pub(crate) min_rtt: u64,
}

impl Ack {
    /// Smoothed round-trip time.
    #[must_use]
    pub fn srtt(&self) -> Duration {
        Duration::from_nanos(self.srtt)
    }

    /// Least round-trip time seen.
    #[must_use]
    pub fn min_rtt(&self) -> Duration {
        Duration::from_nanos(self.min_rtt)
    }
}

/// A congestion control algorithm for one connection.
///
/// Loss detection and recovery are the engine's; the controller only says how much may be in
/// flight.
pub trait Controller: fmt::Debug + Send {
    /// The congestion window in octets.
    fn cwnd(&self) -> u32;

    /// The slow start threshold in octets.
    fn ssthresh(&self) -> u32;

    /// New data was acknowledged outside of loss recovery.
    fn on_ack(&mut self, ack: &Ack);

    /// Data was acknowledged during fast recovery: the window does not grow, but the rate may be
    /// measured.
    fn on_recovering(&mut self, _ack: &Ack) {}

    /// Loss, or an ECN echo, begins a congestion event with `flight` octets in flight: reduces
    /// `ssthresh` and the window (RFC 5681 §3.2 step 2, RFC 9438 §4.6).
    fn on_congestion_event(&mut self, now: Instant, flight: u32);

    /// The retransmission timer has expired, for the first time for this data when `first`
    /// (RFC 5681 §3.1).
    fn on_timeout(&mut self, now: Instant, flight: u32, first: bool);

    /// The last congestion event or time-out was spurious: restores what was before it (RFC 4015).
    fn on_spurious(&mut self, now: Instant);

    /// Nothing was sent for longer than a retransmission time-out: goes back to the restart window
    /// (RFC 5681 §4.1).
    fn on_idle(&mut self);

    /// The maximum segment size has changed (RFC 1191).
    fn set_smss(&mut self, smss: u32);
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

/// Westwood+, for paths that lose packets without being congested.
#[must_use]
pub fn westwood(parameters: &Parameters) -> Box<dyn Controller> {
    Box::new(Westwood::new(parameters))
}

#[cfg(test)]
mod tests;
