//! Pacing: a connection whose controller gives a rate, or whose path is long, sends in bursts of at most
//! a send quantum (half as much again when the timer was late), and its engine's timer says when the
//! next may go (draft-ietf-ccwg-bbr §5.6.2 and §5.6.3).

use super::Sender;
use super::delivery_rate::DeliveryRate;
use super::loss::Recovery;
use super::pacer::Pacer;
use crate::proto::Instant;
use crate::proto::tcp::congestion::Pacing;
use crate::proto::tcp::wire::segment::{Flags, Segment};

/// A window is paced where a round trip takes at least so long, in nanoseconds: there its timers are
/// few for what they spare the queues. On a path that has lost something, less is enough.
const LONG: u64 = 5_000_000;
const LONG_WITH_LOSS: u64 = 1_000_000;
/// The rate of a window in a round trip, in percent: it must not be what limits the window's growth.
const SLOW_START_GAIN: u64 = 200;
const AVOIDANCE_GAIN: u64 = 120;
/// A quantum of a paced window lasts for a 2000th of a second, in octets at most so many.
const QUANTA_PER_SECOND: u64 = 2000;
const MAX_QUANTUM: u64 = 64 << 10;

impl Sender {
    /// Whether the controller works on rates.
    #[inline]
    pub(super) fn is_by_rate(&self) -> bool {
        self.flight.rate.is_some()
    }

    /// Whether the connection is paced.
    #[inline]
    pub(crate) fn is_paced(&self) -> bool {
        self.pacer.is_some()
    }

    /// Paces a window over a round trip, if the path is one that is worth it.
    #[inline]
    pub(super) fn pace_window(&mut self, now: Instant) {
        if !self.paced || self.is_by_rate() {
            return;
        }
        let least = match self.loss.recovery {
            Recovery::Open => LONG,
            Recovery::Fast | Recovery::Timeout => LONG_WITH_LOSS,
        };
        if self.pacer.is_some() || self.min_rtt() >= least {
            self.set_window_pace(now);
        }
    }

    #[inline(never)]
    fn set_window_pace(&mut self, now: Instant) {
        let Some(congestion) = &self.congestion else {
            return;
        };
        let (cwnd, mss) = (congestion.cwnd(), u64::from(self.mss));
        let gain = if cwnd < congestion.ssthresh() {
            SLOW_START_GAIN
        } else {
            AVOIDANCE_GAIN
        };
        // Less than 2^64 for any window.
        let rate = u64::from(cwnd) * gain * 10_000_000 / self.srtt().max(1);
        let pacing = Pacing {
            rate,
            quantum: (rate / QUANTA_PER_SECOND).min(MAX_QUANTUM).max(2 * mss) as u32,
            held_back: false,
        };
        match &mut self.pacer {
            Some(pacer) => pacer.pacing = pacing,
            None => self.pacer = Some(Box::new(Pacer::new(pacing, now))),
        }
    }

    /// Begins to sample and to pace if the controller asks for it.
    pub(super) fn start_pacing(&mut self, now: Instant) {
        if let Some(pacing) = self.congestion.as_ref().and_then(|it| it.pacing()) {
            self.pacer = Some(Box::new(Pacer::new(pacing, now)));
            self.flight.rate = Some(Box::new(DeliveryRate::new(now)));
        }
    }

    /// Sets the timer when pacing does not let `len` octets go now; returns whether it does.
    #[inline]
    pub(super) fn wait_for_pace(&mut self, now: Instant, len: u32) -> bool {
        let Some(pacer) = &self.pacer else {
            return true;
        };
        if pacer.budget(now) >= len {
            return true;
        }
        self.pacing = pacer.next;
        false
    }

    /// Octets were sent of a connection that may be paced.
    #[inline]
    pub(super) fn note_paced(&mut self, now: Instant, octets: u32) {
        if let Some(pacer) = &mut self.pacer {
            pacer.sent(now, octets);
        }
    }

    /// Octets that window and pace let a connection send now that is paced.
    #[cold]
    pub(super) fn paced_window(&self, now: Instant) -> u32 {
        let window = match self.loss.recovery {
            Recovery::Fast => self.loss.episode.budget,
            Recovery::Open | Recovery::Timeout => self.cwnd().saturating_sub(self.pipe()),
        };
        let paced = self.pacer.as_ref().map(|pacer| pacer.budget(now));
        window.min(paced.unwrap_or(u32::MAX))
    }

    /// A run of segments was sent of a connection that is paced.
    #[cold]
    pub(super) fn note_run_paced(&mut self, now: Instant, octets: u32) {
        self.note_paced(now, octets);
        if self.loss.recovery == Recovery::Fast {
            self.loss.sent(octets);
        }
    }

    /// The congestion window has kept something back.
    #[inline]
    pub(super) fn note_cwnd_limited(&mut self) {
        self.cwnd_limited_until = self.nxt;
        let pipe = self.pipe();
        if let Some(rate) = &mut self.flight.rate {
            rate.mark_cwnd_limited(pipe);
        }
    }

    /// CheckIfApplicationLimited of §4.1.2.4: before data is queued, an acknowledgement is processed
    /// or a timer runs.
    #[inline]
    pub(super) fn check_app_limited(&mut self) {
        if self.flight.rate.is_none() {
            return;
        }
        let pipe = self.pipe();
        let limited = self.unsent() == 0 && pipe < self.cwnd() && self.flight.lost() == 0;
        if limited && let Some(rate) = &mut self.flight.rate {
            rate.mark_app_limited(pipe);
        }
    }

    /// Begins the sample of an acknowledgement that arrives.
    #[inline]
    pub(super) fn begin_sample(&mut self, now: Instant) {
        if self.flight.rate.is_some() {
            self.check_app_limited();
            if let Some(rate) = &mut self.flight.rate {
                rate.begin(now);
            }
        }
    }

    /// Nothing is in flight, and something is to be sent (§5.4.1).
    #[cold]
    pub(super) fn restart_paced(&mut self, now: Instant) {
        let Some(rate) = &self.flight.rate else {
            return;
        };
        if rate.is_app_limited()
            && let Some(congestion) = &mut self.congestion
        {
            congestion.on_restart(now);
            self.take_pacing();
        }
    }

    /// Tells the controller of what was taken to be lost since the last call (§5.2.4).
    pub(super) fn report_lost(&mut self, now: Instant) {
        let pipe = self.pipe();
        let (Some(rate), Some(congestion)) = (&mut self.flight.rate, &mut self.congestion) else {
            return;
        };
        for mut lost in rate.take_lost() {
            lost.now = now;
            lost.inflight = pipe;
            congestion.on_lost(&lost);
        }
    }

    /// Tells a rate-based controller of an acknowledgement (§5.2.3).
    #[cold]
    pub(super) fn sample_rate(&mut self, now: Instant, segment: &Segment) {
        self.report_lost(now);
        self.echo_to_paced(now, segment);
        let (pipe, min_rtt) = (self.pipe(), self.min_rtt());
        let in_recovery = self.loss.recovery != Recovery::Open;
        let (Some(rate), Some(congestion)) = (&mut self.flight.rate, &mut self.congestion) else {
            return;
        };
        let mut sample = rate.sample(pipe, min_rtt);
        sample.in_recovery = in_recovery;
        congestion.on_sample(&sample);
        self.take_pacing();
        if self.loss.recovery == Recovery::Fast {
            self.permit_recovery(0, false);
        }
    }

    /// RFC 3168 §6.1.2: an echo counts as congestion, once in each window.
    fn echo_to_paced(&mut self, now: Instant, segment: &Segment) {
        let echoed = self.ecn.on && segment.flags.has(Flags::ECE);
        if !echoed || self.has_heard_echo() {
            return;
        }
        self.ecn.recover = Some(self.nxt);
        self.ecn.cwr = true;
        let pipe = self.pipe();
        if let Some(congestion) = &mut self.congestion {
            congestion.on_ecn_echo(now, pipe);
        }
    }

    /// Takes over what the controller has decided.
    fn take_pacing(&mut self) {
        let Some(pacing) = self.congestion.as_ref().and_then(|it| it.pacing()) else {
            return;
        };
        if let Some(pacer) = &mut self.pacer {
            pacer.pacing = pacing;
        }
        if pacing.held_back {
            let pipe = self.pipe();
            if let Some(rate) = &mut self.flight.rate {
                rate.mark_app_limited(pipe);
            }
        }
    }
}
