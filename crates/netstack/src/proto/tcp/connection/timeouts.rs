//! What happens when a connection's timer expires (RFC 9293 §3.10.8, RFC 6298 §5, RFC 8985 §6.3 and
//! §7.3).

use core::time::Duration;

use super::shared::Shared;
use super::{Owner, Tcb};
use crate::proto::Instant;
use crate::proto::tcp::api::{Failure, State};
use crate::proto::tcp::config::{KeepAlive, Linger};
use crate::proto::tcp::send::RetransmitTimer;

/// Under pressure: a peer that was silent for so long is probed, at this interval, so many times
/// (RFC 9293 §3.8.4).
const SILENCE: Duration = Duration::from_secs(30);
const PROBE_INTERVAL: Duration = Duration::from_secs(10);
const PROBES: u8 = 4;

impl Tcb {
    /// Runs the timers that have expired; frees idle memory when none has.
    pub(crate) fn on_timers(&mut self, now: Instant, shared: &mut Shared) {
        let mut any = false;
        if self.rcv.end_delay(now) {
            any = true;
            shared.counters.delayed_acks += 1;
            self.transmit = true;
        }
        if self.deadlines.close <= now {
            self.give_up_closing(now, shared);
            return;
        }
        if self.snd.end_pause(now) {
            any = true;
            self.transmit = true;
        }
        if self.deadlines.keep_alive <= now {
            any = true;
            self.keep_alive(now, shared);
        }
        if self.state != State::Closed && self.snd.retransmit_at() <= now {
            any = true;
            self.on_retransmit_timer(now, shared);
        }
        if !any {
            self.shrink();
            self.rcv.acknowledge_quickly();
        }
    }

    fn on_retransmit_timer(&mut self, now: Instant, shared: &mut Shared) {
        let counters = &mut shared.counters;
        match (self.state, self.snd.expire()) {
            (State::SynSent | State::SynReceived, _) => self.syn_timeout(now, shared),
            (_, RetransmitTimer::Rto) => self.retransmission_timeout(now, shared),
            (_, RetransmitTimer::Probe) => {
                counters.loss_probes += 1;
                self.snd.probe_tail(now);
            }
            (_, RetransmitTimer::Reorder) => self.snd.reordering_timeout(now, counters),
            (_, RetransmitTimer::Persist) => self.persist_timeout(now, shared),
        }
        self.transmit = true;
    }

    /// Starts the timer of a SYN or SYN-ACK that is sent now.
    pub(crate) fn arm_syn(&mut self, now: Instant) {
        self.syn_due = true;
        self.transmit = true;
        self.snd.arm_rto(now);
    }

    fn syn_timeout(&mut self, now: Instant, shared: &mut Shared) {
        let retries = if self.active {
            shared.config.syn_retries
        } else {
            shared.config.syn_ack_retries
        };
        if self.snd.timeouts() >= retries || self.user_timeout_passed(now) {
            shared.counters.attempt_fails += 1;
            shared.counters.abort_on_timeout += 1;
            let error = self.soft_error.unwrap_or(Failure::TimedOut);
            self.close(Some(error), shared);
            return;
        }
        shared.counters.timeouts += 1;
        shared.counters.retrans_segs += 1;
        self.snd.back_off();
        self.arm_syn(now);
    }

    fn user_timeout_passed(&self, now: Instant) -> bool {
        self.settings
            .user_timeout()
            .is_some_and(|timeout| now - self.snd.unacked_since() >= timeout)
    }

    /// Whether the peer has been silent for too long (RFC 9293 §3.8.3).
    fn peer_has_vanished(&self, now: Instant, shared: &Shared) -> bool {
        match self.settings.user_timeout() {
            Some(_) => self.user_timeout_passed(now),
            None => self.snd.timeouts() >= shared.config.retries,
        }
    }

    /// RFC 6298 §5.4 to §5.6.
    fn retransmission_timeout(&mut self, now: Instant, shared: &mut Shared) {
        if self.snd.is_idle() {
            return;
        }
        if self.peer_has_vanished(now, shared) {
            self.abort_on_timeout(shared);
            return;
        }
        let user_timeout = self.settings.user_timeout();
        let counters = &mut shared.counters;
        self.snd.retransmission_timeout(now, user_timeout, counters);
    }

    /// RFC 9293 §3.8.6.1: probes a closed window for as long as the peer answers.
    fn persist_timeout(&mut self, now: Instant, shared: &mut Shared) {
        let limit = self
            .settings
            .user_timeout()
            .unwrap_or(shared.config.max_rto.saturating_mul(10));
        let mut since = self.snd.unacked_since();
        if self.owner != Owner::Nobody {
            // MUST-37 is for a user who waits; nobody waits for what was released, and a peer could
            // hold it for ever.
            since = since.max(self.rcv.heard());
        }
        let unanswered = now - since;
        if self.snd.window_probes() > 2 && unanswered >= limit {
            self.abort_on_timeout(shared);
            return;
        }
        if self.snd.has_pending() {
            shared.counters.window_probe += 1;
            self.snd.probe_window(now);
        }
    }

    pub(crate) fn abort_on_timeout(&mut self, shared: &mut Shared) {
        shared.counters.abort_on_timeout += 1;
        // A soft error tells more than "timed out" (RFC 9293 §3.9.2.2).
        let error = self.soft_error.unwrap_or(Failure::TimedOut);
        self.send_reset(shared);
        self.close(Some(error), shared);
    }

    /// Sets the keep-alive timer.
    pub(crate) fn start_keep_alive(&mut self, now: Instant) {
        self.keep_alive_probes = 0;
        self.deadlines.keep_alive = self
            .settings
            .keep_alive()
            .map_or(Instant::FAR_FUTURE, |keep| now + keep.idle);
    }

    /// Under pressure: has a peer probed that was silent for too long. Returns whether it was.
    pub(crate) fn probe_if_silent(&mut self, now: Instant) -> bool {
        let silent =
            now - self.rcv.heard() >= SILENCE && self.deadlines.keep_alive == Instant::FAR_FUTURE;
        if silent {
            self.deadlines.keep_alive = now;
        }
        silent
    }

    /// RFC 9293 §3.8.4.
    fn keep_alive(&mut self, now: Instant, shared: &mut Shared) {
        let unasked = shared.account.pressure().then_some(KeepAlive {
            idle: SILENCE,
            interval: PROBE_INTERVAL,
            probes: PROBES,
        });
        let Some(keep) = self.settings.keep_alive().or(unasked) else {
            self.keep_alive_probes = 0;
            self.deadlines.keep_alive = Instant::FAR_FUTURE;
            return;
        };
        let due = self.rcv.heard() + keep.idle;
        if due > now {
            self.keep_alive_probes = 0;
            self.deadlines.keep_alive = due;
        } else if self.keep_alive_probes >= keep.probes {
            self.abort_on_timeout(shared);
        } else {
            if self.snd.is_idle() {
                // With data in flight, retransmission finds out.
                shared.counters.keep_alive += 1;
                self.probe_peer();
            }
            // An interval of zero would be due for ever.
            self.deadlines.keep_alive = now + keep.interval.max(Duration::from_millis(1));
        }
    }

    /// FIN-WAIT-2 without a user, or lingering, has lasted long enough; or nobody holds the connection
    /// and its peer has taken nothing for so long, be it that it answers.
    fn give_up_closing(&mut self, now: Instant, shared: &mut Shared) {
        let times = if self.snd.is_idle() { 1 } else { 2 };
        let patience = self.progress + shared.config.orphan_timeout.saturating_mul(times);
        if self.settings.linger() == Linger::Background && patience > now {
            self.deadlines.close = patience;
            return;
        }
        self.deadlines.close = Instant::FAR_FUTURE;
        if self.state != State::FinWait2 || self.owner != Owner::Nobody {
            shared.counters.abort_on_linger += 1;
            self.send_reset(shared);
        }
        self.close(Some(Failure::TimedOut), shared);
    }
    /// Asks the peer whether it is there.
    fn probe_peer(&mut self) {
        self.keep_alive_probes += 1;
        self.snd.probe_peer();
        self.transmit = true;
    }
}
