//! Westwood+ (Grieco and Mascolo, "Performance evaluation and comparison of Westwood+, New Reno, and
//! Vegas TCP congestion control", ACM CCR 34(2), 2004): after a loss the window becomes what the path
//! has been seen to deliver in its least round-trip time, and not a fixed fraction. So losses that are
//! no sign of congestion, as on a radio link, cost little.

use core::time::Duration;

use super::{Ack, Controller, Parameters, initial_window};
use crate::proto::Instant;

/// Least interval over which the rate is measured.
const LEAST_INTERVAL: Duration = Duration::from_millis(50);

/// Slow start and congestion avoidance as in RFC 5681; `ssthresh` from the measured rate.
#[derive(Clone, Debug)]
pub struct Westwood {
    smss: u32,
    cwnd: u32,
    ssthresh: u32,
    /// Octets acknowledged towards the next increase.
    acked: u32,
    /// Octets delivered since `since`.
    delivered: u64,
    since: Option<Instant>,
    /// Filtered rate in octets a second.
    rate: f64,
    min_rtt: Duration,
    before: (u32, u32),
}

impl Westwood {
    /// A controller in slow start with the initial window.
    #[must_use]
    pub fn new(parameters: &Parameters) -> Self {
        let cwnd = initial_window(parameters.smss);
        Self {
            smss: parameters.smss,
            cwnd,
            ssthresh: u32::MAX,
            acked: 0,
            delivered: 0,
            since: None,
            rate: 0.0,
            min_rtt: Duration::MAX,
            before: (cwnd, u32::MAX),
        }
    }

    /// Measures the rate once a round trip and filters it (a weight of 1/8 for the newest).
    fn measure(&mut self, ack: &Ack) {
        self.min_rtt = self.min_rtt.min(ack.min_rtt());
        self.delivered += u64::from(ack.acked);
        let since = *self.since.get_or_insert(ack.now);
        let interval = ack.now - since;
        if interval < ack.srtt().max(LEAST_INTERVAL) {
            return;
        }
        let sample = self.delivered as f64 / interval.as_secs_f64();
        self.rate = if self.rate == 0.0 {
            sample
        } else {
            (7.0 * self.rate + sample) / 8.0
        };
        self.delivered = 0;
        self.since = Some(ack.now);
    }

    /// The rate times the least round-trip time, at least two segments.
    fn estimate(&self) -> u32 {
        let window = if self.rate > 0.0 {
            self.rate * self.min_rtt.as_secs_f64()
        } else {
            f64::from(self.cwnd) / 2.0
        };
        (window as u32).clamp(2 * self.smss, u32::MAX / 2)
    }
}

impl Controller for Westwood {
    fn cwnd(&self) -> u32 {
        self.cwnd
    }

    fn ssthresh(&self) -> u32 {
        self.ssthresh
    }

    fn on_ack(&mut self, ack: &Ack) {
        self.measure(ack);
        if !ack.cwnd_limited {
            return;
        }
        let mut acked = ack.acked;
        if self.cwnd < self.ssthresh {
            let step = acked.min(self.ssthresh - self.cwnd);
            self.cwnd = self.cwnd.saturating_add(step).min(u32::MAX / 2);
            acked -= step;
        }
        self.acked = self.acked.saturating_add(acked);
        while self.acked >= self.cwnd {
            self.acked -= self.cwnd;
            self.cwnd = self.cwnd.saturating_add(self.smss).min(u32::MAX / 2);
        }
    }

    fn on_recovering(&mut self, ack: &Ack) {
        self.measure(ack);
    }

    fn on_congestion_event(&mut self, _now: Instant, _flight: u32) {
        self.before = (self.cwnd, self.ssthresh);
        self.ssthresh = self.estimate();
        self.cwnd = self.cwnd.min(self.ssthresh);
        self.acked = 0;
    }

    fn on_timeout(&mut self, _now: Instant, _flight: u32, first: bool) {
        if first {
            self.before = (self.cwnd, self.ssthresh);
            self.ssthresh = self.estimate();
        }
        self.cwnd = self.smss;
        self.acked = 0;
    }

    fn on_spurious(&mut self, _now: Instant) {
        self.cwnd = self.cwnd.max(self.before.0);
        self.ssthresh = self.before.1;
    }

    fn on_idle(&mut self) {
        self.cwnd = self.cwnd.min(initial_window(self.smss));
        self.since = None;
        self.delivered = 0;
    }

    fn set_smss(&mut self, smss: u32) {
        self.smss = smss;
        self.cwnd = self.cwnd.max(smss);
    }
}
