//! CUBIC (RFC 9438).

use core::fmt;
use core::time::Duration;

use super::hystart::HyStart;
use super::{Ack, Controller, Parameters, initial_window};
use crate::proto::Instant;

/// RFC 9438 §4.6: the factor of a multiplicative decrease.
const BETA: f64 = 0.7;
/// RFC 9438 §5: segments per cubic second.
const C: f64 = 0.4;
/// The start of a congestion avoidance stage outside of one.
const NO_EPOCH: Instant = Instant::FAR_FUTURE;
/// RFC 9438 §4.3: the additive increase that keeps the average of a Reno flow.
const ALPHA: f64 = 3.0 * (1.0 - BETA) / (1.0 + BETA);

/// Slow start as in RFC 9406, congestion avoidance and decrease as in RFC 9438.
#[derive(Clone)]
pub struct Cubic {
    smss: u32,
    cwnd: u32,
    ssthresh: u32,
    /// Window when `ssthresh` was last set (cwnd_prior), in octets.
    cwnd_prior: u32,
    /// Window before the last reduction, in segments (W_max).
    pub(super) w_max: f64,
    /// Seconds from the start of the epoch until the window is back at `w_max` (K).
    k: f32,
    /// Window that a Reno flow would have, in segments (W_est).
    w_est: f64,
    /// Start of the current congestion avoidance stage.
    epoch: Instant,
    /// Octets of increase not yet large enough for a whole one.
    increase: f64,
    hystart: HyStart,
    /// In the life of most connections there is none.
    before: Option<Box<Before>>,
}

/// What was before the last reduction (RFC 9438 §4.9).
#[derive(Clone)]
struct Before {
    cwnd: u32,
    ssthresh: u32,
    cwnd_prior: u32,
    w_max: f32,
    epoch: Instant,
    k: f32,
    /// That recovery has ended.
    recovered: bool,
}

/// Without fractions: the formatting of floating-point numbers would be in every program with a stack.
impl fmt::Debug for Cubic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cubic")
            .field("cwnd", &self.cwnd)
            .field("ssthresh", &self.ssthresh)
            .field("w_max", &(self.w_max as u64))
            .field("w_est", &(self.w_est as u64))
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}

impl Cubic {
    /// A controller in slow start with the initial window.
    #[must_use]
    pub fn new(parameters: &Parameters) -> Self {
        let cwnd = initial_window(parameters.smss);
        Self {
            smss: parameters.smss,
            cwnd,
            ssthresh: u32::MAX,
            cwnd_prior: 0,
            w_max: 0.0,
            k: 0.0,
            w_est: 0.0,
            epoch: NO_EPOCH,
            increase: 0.0,
            hystart: HyStart::NEW,
            before: None,
        }
    }

    fn segments(&self, octets: u32) -> f64 {
        f64::from(octets) / f64::from(self.smss)
    }

    /// §4.2: begins a congestion avoidance stage.
    fn begin_epoch(&mut self, now: Instant) {
        let cwnd = self.segments(self.cwnd);
        self.epoch = now;
        self.w_est = cwnd;
        self.increase = 0.0;
        if cwnd < self.w_max {
            self.k = cube_root((self.w_max - cwnd) / C) as f32;
        } else {
            self.k = 0.0;
            self.w_max = cwnd;
        }
    }

    /// §4.2–4.5: the window after `acked` octets in congestion avoidance.
    fn congestion_avoidance(&mut self, ack: &Ack, acked: u32) {
        if self.epoch == NO_EPOCH {
            self.begin_epoch(ack.now);
        }
        let elapsed = ack.now - self.epoch;
        let cwnd = self.segments(self.cwnd);
        let acked = self.segments(acked);

        // §4.3: W_est grows by ALPHA a window until it has reached cwnd_prior, then by one.
        let prior = self.w_est * f64::from(self.smss) >= f64::from(self.cwnd_prior);
        let alpha = if prior { 1.0 } else { ALPHA };
        self.w_est += alpha * acked / cwnd;
        if self.cubic(elapsed) < self.w_est {
            let window = self.w_est * f64::from(self.smss);
            self.cwnd = self.cwnd.max(window.min(f64::from(u32::MAX / 2)) as u32);
            return;
        }
        // §4.4 and §4.5: the window one round trip ahead, at most half as large again.
        // Not `clamp`, which would say of what numbers it panics: with it goes the formatting of them.
        let target = self.cubic(elapsed + ack.srtt()).max(cwnd).min(1.5 * cwnd);
        self.increase += (target - cwnd) / cwnd * acked * f64::from(self.smss);
        if self.increase >= 1.0 {
            self.cwnd = self
                .cwnd
                .saturating_add(self.increase as u32)
                .min(u32::MAX / 2);
            self.increase = self.increase.fract();
        }
    }

    /// Equation 1, in segments.
    fn cubic(&self, elapsed: Duration) -> f64 {
        let t = elapsed.as_secs_f64() - f64::from(self.k);
        C * t * t * t + self.w_max
    }

    fn remember(&mut self) {
        self.before = Some(Box::new(Before {
            cwnd: self.cwnd,
            ssthresh: self.ssthresh,
            cwnd_prior: self.cwnd_prior,
            w_max: self.w_max as f32,
            epoch: self.epoch,
            k: self.k,
            recovered: false,
        }));
    }

    /// §4.6 and §4.7: the decrease, with fast convergence.
    fn decrease(&mut self, flight: u32) {
        let cwnd = self.segments(self.cwnd);
        self.w_max = if cwnd < self.w_max {
            cwnd * (1.0 + BETA) / 2.0
        } else {
            cwnd
        };
        // §4.6: from the data in flight, so that an application-limited flow does not keep a
        // window that it never used.
        let base = flight.min(self.cwnd).max(1);
        self.ssthresh = ((f64::from(base) * BETA) as u32).max(2 * self.smss);
        self.cwnd_prior = self.cwnd;
        self.epoch = NO_EPOCH;
    }
}

impl Controller for Cubic {
    fn held(&self) -> usize {
        size_of::<Self>() + size_of::<Before>()
    }

    fn cwnd(&self) -> u32 {
        self.cwnd
    }

    fn ssthresh(&self) -> u32 {
        self.ssthresh
    }

    fn on_ack(&mut self, ack: &Ack) {
        if !ack.cwnd_limited {
            // §5.8: time in which the window was not used does not count.
            self.epoch = NO_EPOCH;
            return;
        }
        // §4.10.
        let left = self
            .hystart
            .slow_start(ack, &mut self.cwnd, &mut self.ssthresh);
        if left > 0 {
            self.congestion_avoidance(ack, left);
        }
    }

    fn on_congestion_event(&mut self, _now: Instant, flight: u32) {
        // What is undone is the whole recovery, however often it has reduced the window.
        if self.before.as_ref().is_none_or(|before| before.recovered) {
            self.remember();
        }
        self.decrease(flight);
        self.cwnd = self.ssthresh;
    }

    fn on_timeout(&mut self, _now: Instant, flight: u32, first: bool) {
        if first {
            self.remember();
            self.decrease(flight);
        }
        // §4.8: as RFC 5681, and the next stage starts without a memory of K and W_max.
        self.cwnd = self.smss;
        self.w_max = 0.0;
        self.epoch = NO_EPOCH;
    }

    fn on_spurious(&mut self, _now: Instant) {
        let Some(before) = self.before.take() else {
            return;
        };
        self.cwnd = self.cwnd.max(before.cwnd);
        self.ssthresh = before.ssthresh;
        self.cwnd_prior = before.cwnd_prior;
        self.w_max = before.w_max.into();
        self.k = before.k;
        self.epoch = before.epoch;
    }

    fn on_recovered(&mut self) {
        if let Some(before) = &mut self.before {
            before.recovered = true;
        }
    }

    fn on_idle(&mut self) {
        self.cwnd = self.cwnd.min(initial_window(self.smss));
        self.epoch = NO_EPOCH;
    }

    fn set_smss(&mut self, smss: u32) {
        self.smss = smss;
        self.cwnd = self.cwnd.max(smss);
        self.epoch = NO_EPOCH;
    }
}

/// The cube root of a positive number, as exact as an `f32`. That of the C library takes 2 KiB.
fn cube_root(number: f64) -> f64 {
    // A third of the exponent, and so within a sixteenth; Newton's method squares the error.
    let root = f64::from_bits(number.to_bits() / 3 + (682 << 52));
    (0..4).fold(root, |root, _| (2.0 * root + number / (root * root)) / 3.0)
}
