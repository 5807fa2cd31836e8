//! What the share of the memory lets a connection offer to its peer, and take from its user.

use super::Tcb;
use super::shared::Shared;
use crate::proto::Instant;
use crate::proto::tcp::api::Readiness;

/// How many times what the peer's window and the congestion window let go may wait to be sent, or
/// for its acknowledgement.
const WINDOWS: usize = 4;
/// Octets that may wait whatever the windows are.
const LEAST_ALLOWANCE: usize = 8 << 10;
/// As long as the peer's window takes a segment, so large a part of the connection's share may wait.
const EASY_PART: usize = 32;

impl Tcb {
    /// Under pressure: octets that the receive window may have. One segment at least, so that every
    /// connection goes on.
    #[inline]
    pub(super) fn receive_limit(&self, shared: &Shared) -> Option<usize> {
        if shared.account.pressure() {
            return Some(self.least_share(shared));
        }
        None
    }

    #[cold]
    fn least_share(&self, shared: &Shared) -> usize {
        self.share_left(shared).max(self.snd.mss().into())
    }

    /// Whether `octets` more are far less than what may wait in the send buffer, as far as that
    /// takes no look at the peer: most of the memory is free and the peer's window open.
    #[inline]
    pub(super) fn has_easy_room(&self, octets: usize, shared: &Shared) -> bool {
        let waiting = self.snd.queued() + octets;
        self.snd.wnd() >= self.snd.mss().into()
            && waiting <= self.snd.buffer()
            && shared
                .account
                .plenty()
                .is_some_and(|free| waiting <= free / EASY_PART)
    }

    /// Tells the user of room in the send buffer, or that all was acknowledged.
    pub(super) fn report_room(&mut self, shared: &Shared) {
        if self.wants_writable {
            self.snd.grow_buffer();
            let allowance = self.send_allowance(shared);
            let free = allowance.saturating_sub(self.snd.queued());
            // A third free, so that the user is not woken for each segment.
            if free * 3 >= allowance {
                self.wants_writable = false;
                self.raise(Readiness::WRITABLE);
            }
        }
        if self.wants_flushed && self.snd.is_flushed() {
            self.wants_flushed = false;
            self.raise(Readiness::FLUSHED);
        }
    }

    /// Octets that may wait in the send buffer: as many as keep the connection going at the rate that
    /// the windows permit, within its share of the memory.
    pub(super) fn send_allowance(&self, shared: &Shared) -> usize {
        // One segment at least, so that every connection goes on: only an acknowledgement tells that
        // there is room again.
        let queued = self.snd.queued();
        let one = queued.max(self.snd.mss().into());
        if shared.account.pressure() {
            return one;
        }
        let least = LEAST_ALLOWANCE.max(2 * usize::from(self.snd.mss()));
        let share = self.share_left(shared);
        let window = self.snd.wnd().min(self.snd.cwnd()) as usize;
        let closed = self.snd.wnd() < self.snd.mss().into() && self.is_synchronized();
        let easy = if closed { 0 } else { share / EASY_PART };
        let wanted = (WINDOWS * window).max(least).max(easy);
        wanted.min((queued + share).max(one)).min(self.snd.buffer())
    }

    /// The user has read `octets`. Returns whether the peer is to be told.
    // Always: a call costs more than the rest.
    #[inline(always)]
    pub(crate) fn after_read(&mut self, now: Instant, octets: usize, shared: &mut Shared) -> bool {
        self.progressed(now);
        if !self.may_receive() {
            return false;
        }
        let pressure = shared.account.pressure();
        let growers = &mut shared.growers;
        self.rcv
            .after_read(now, octets, self.snd.srtt(), growers, pressure);
        if !self.rcv.may_have_doubled() {
            return false;
        }
        let limit = self.receive_limit(shared);
        self.rcv.tell_if_doubled(self.snd.mss(), limit)
    }
}
