//! The receive window: how much is offered, when the peer is told, and how the buffer grows.

use super::Tcb;
use super::shared::Shared;
use crate::proto::Instant;
use crate::proto::tcp::wire::seq::Seq;

/// The window that a connection begins with under pressure.
const LEAST_BUFFER: u32 = 4 << 10;
/// How many times what the peer's window and the congestion window let go may wait to be sent, or
/// for its acknowledgement.
const WINDOWS: usize = 4;
/// Octets that may wait whatever the windows are.
const LEAST_ALLOWANCE: usize = 8 << 10;
/// As long as the peer's window takes a segment, so large a part of the connection's share may wait.
const EASY_PART: usize = 32;

impl Tcb {
    /// A connection that comes while memory is short begins with a small window.
    pub(crate) fn begin_small(&mut self, shared: &Shared) {
        if shared.account.pressure() {
            self.rcv.buffer = self.rcv.buffer.min(LEAST_BUFFER);
        }
    }

    /// Whether `octets` more are far less than what may wait in the send buffer, as far as that takes no look at the
    /// peer: most of the memory is free and the peer's window open.
    #[inline]
    pub(crate) fn has_easy_room(&self, octets: usize, shared: &Shared) -> bool {
        let waiting = self.snd.queue.len() + octets;
        self.snd.wnd >= self.snd.mss.into()
            && waiting <= self.settings.send_buffer as usize
            && shared
                .account
                .plenty()
                .is_some_and(|free| waiting <= free / EASY_PART)
    }

    /// Octets that may wait in the send buffer: as many as keep the connection going at the rate that
    /// the windows permit, within its share of the memory.
    pub(crate) fn send_allowance(&self, shared: &Shared) -> usize {
        // One segment at least, so that every connection goes on: only an acknowledgement tells that there is room again.
        let queued = self.snd.queue.len();
        let one = queued.max(self.snd.mss.into());
        if shared.account.pressure() {
            return one;
        }
        let least = LEAST_ALLOWANCE.max(2 * usize::from(self.snd.mss));
        let share = self.share_left(shared);
        let window = self.snd.wnd.min(self.cwnd()) as usize;
        let closed = self.snd.wnd < self.snd.mss.into() && self.is_synchronized();
        let easy = if closed { 0 } else { share / EASY_PART };
        let wanted = (WINDOWS * window).max(least).max(easy);
        wanted
            .min((queued + share).max(one))
            .min(self.settings.send_buffer as usize)
    }

    /// The right edge that could be offered now: RCV.NXT and the free part of the buffer.
    #[inline]
    fn possible_edge(&self, shared: &Shared) -> Seq {
        let mut free = (self.rcv.buffer as usize).saturating_sub(self.rcv.queue.len());
        if shared.account.pressure() {
            // One segment at least, so that every connection goes on.
            free = free.min(self.share_left(shared).max(self.snd.mss.into()));
        }
        self.rcv.nxt + free as u32
    }

    /// The SEG.WND of the next segment; moves the edge. Avoids the silly window syndrome (RFC 9293
    /// §3.8.6.2.2): the edge moves by half of the buffer or a full segment, or not at all.
    // Always: a call costs more than the rest for an acknowledgement.
    #[inline(always)]
    pub(crate) fn offer(&mut self, shared: &Shared) -> u16 {
        let possible = self.possible_edge(shared);
        let step = (self.rcv.buffer / 2).min(self.snd.mss.into());
        let shift = self.rcv.wind_shift;
        let old = self.rcv_wnd();
        let mut window = if possible.since(self.rcv.edge) >= step {
            possible - self.rcv.nxt
        } else {
            old
        };
        // What is told is in units of the shift. Rounded up when the edge would move back otherwise.
        let mut scaled = window >> shift;
        if (scaled << shift) < old {
            scaled = old.div_ceil(1 << shift);
        }
        scaled = scaled.min(u16::MAX.into());
        window = scaled << shift;
        self.rcv.edge = self.rcv.edge.max(self.rcv.nxt + window);
        scaled as u16
    }

    /// The user has read: grows the buffer. Returns whether the peer is to be told, as its window has
    /// at least doubled.
    #[inline]
    pub(crate) fn after_read(&mut self, now: Instant, octets: usize, shared: &mut Shared) -> bool {
        self.progressed(now);
        if !self.may_receive() {
            return false;
        }
        let (rtt, buffer) = (self.srtt(), self.rcv.buffer);
        let autotune = &mut self.rcv.autotune;
        if let Some(size) = autotune.read(now, octets, rtt, buffer, &mut shared.growers)
            && (size < buffer || !shared.account.pressure())
        {
            self.rcv.buffer = size;
        } else if buffer < self.rcv.autotune.least && !shared.account.pressure() {
            // It began under pressure, which is over.
            self.rcv.buffer = self.rcv.autotune.least;
        }
        let (old, new) = (
            self.rcv_wnd(),
            self.possible_edge(shared).since(self.rcv.nxt),
        );
        let step = (self.rcv.buffer / 2).min(self.snd.mss.into());
        let tell = new >= old.saturating_mul(2) && new - old >= step;
        self.ack.now |= tell;
        tell
    }

    /// RFC 5681 §4.2: in-order data of `octets` has arrived: now or later?
    #[inline]
    pub(crate) fn schedule_ack(&mut self, now: Instant, octets: usize, shared: &mut Shared) {
        self.ack.octets = self.ack.octets.saturating_add(octets as u32);
        self.ack.rmss = self.ack.rmss.max(octets.min(usize::from(u16::MAX)) as u16);
        if self.ack.quick > 0 || self.ack.octets >= 2 * u32::from(self.ack.rmss) {
            self.ack_now();
        } else if self.deadlines.delayed_ack == Instant::FAR_FUTURE {
            self.deadlines.delayed_ack = now + shared.config.delayed_ack;
        }
    }
}
