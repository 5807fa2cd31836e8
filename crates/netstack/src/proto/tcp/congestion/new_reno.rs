//! The window of RFC 5681, counting octets (RFC 3465), with the slow start of RFC 9406.

use super::hystart::HyStart;
use super::{Ack, Controller, Parameters, initial_window};
use crate::proto::Instant;

/// Slow start as in RFC 9406, congestion avoidance as in RFC 5681.
#[derive(Clone, Debug)]
pub struct NewReno {
    smss: u32,
    cwnd: u32,
    ssthresh: u32,
    /// Octets acknowledged towards the next increase in congestion avoidance.
    acked: u32,
    hystart: HyStart,
    /// `cwnd` and `ssthresh` before a recovery, which may reduce them more than once.
    before: Option<(u32, u32)>,
    /// That recovery has ended.
    recovered: bool,
}

impl NewReno {
    /// A controller in slow start with the initial window.
    #[must_use]
    pub fn new(parameters: &Parameters) -> Self {
        let cwnd = initial_window(parameters.smss);
        Self {
            smss: parameters.smss,
            cwnd,
            ssthresh: u32::MAX,
            acked: 0,
            hystart: HyStart::NEW,
            before: None,
            recovered: false,
        }
    }

    /// RFC 5681 equation 4. What was selectively acknowledged is part of `flight`, which may be more
    /// than the window lets go: a loss would raise the window then.
    fn half(&self, flight: u32) -> u32 {
        (flight.min(self.cwnd) / 2).max(2 * self.smss)
    }

    fn remember(&mut self) {
        self.before = Some((self.cwnd, self.ssthresh));
        self.recovered = false;
    }
}

impl Controller for NewReno {
    fn cwnd(&self) -> u32 {
        self.cwnd
    }

    fn ssthresh(&self) -> u32 {
        self.ssthresh
    }

    fn on_ack(&mut self, ack: &Ack) {
        if !ack.cwnd_limited {
            return;
        }
        let left = self
            .hystart
            .slow_start(ack, &mut self.cwnd, &mut self.ssthresh);
        // RFC 3465 §2.1: one segment for each window of octets acknowledged.
        self.acked = self.acked.saturating_add(left);
        while self.acked >= self.cwnd {
            self.acked -= self.cwnd;
            self.cwnd = self.cwnd.saturating_add(self.smss);
        }
    }

    fn on_congestion_event(&mut self, _now: Instant, flight: u32) {
        if self.before.is_none() || self.recovered {
            self.remember();
        }
        self.ssthresh = self.half(flight);
        self.cwnd = self.ssthresh;
        self.acked = 0;
    }

    fn on_timeout(&mut self, _now: Instant, flight: u32, first: bool) {
        if first {
            self.remember();
            self.ssthresh = self.half(flight);
        }
        self.cwnd = self.smss;
        self.acked = 0;
    }

    fn on_spurious(&mut self, _now: Instant) {
        if let Some((cwnd, ssthresh)) = self.before.take() {
            self.cwnd = self.cwnd.max(cwnd);
            self.ssthresh = ssthresh;
        }
    }

    fn on_recovered(&mut self) {
        self.recovered = true;
    }

    fn on_idle(&mut self) {
        self.cwnd = self.cwnd.min(initial_window(self.smss));
    }

    fn set_smss(&mut self, smss: u32) {
        self.smss = smss;
        self.cwnd = self.cwnd.max(smss);
    }
}
