//! The receive window: how much is offered, and when the peer is told.

use super::Receiver;
use super::autotune::Growers;
use crate::proto::Instant;
use crate::proto::tcp::wire::seq::Seq;

/// The window that a connection begins with under pressure.
const LEAST_BUFFER: u32 = 4 << 10;

impl Receiver {
    /// A connection that comes while memory is short begins with a small window.
    pub(crate) fn begin_small(&mut self) {
        self.buffer = self.buffer.min(LEAST_BUFFER);
    }

    /// A window of `window` octets was offered before the connection had this block.
    pub(crate) fn keep_offered(&mut self, window: u16) {
        self.edge = self.edge.max(self.nxt + u32::from(window));
    }

    /// SEG.WND of a SYN, which is not scaled (RFC 7323 §2.2).
    pub(crate) fn first_window(&self) -> u16 {
        self.buffer.min(u16::MAX.into()) as u16
    }

    /// The right edge that could be offered now: RCV.NXT and the free part of the buffer, at most
    /// `limit`.
    #[inline]
    fn possible_edge(&self, limit: Option<usize>) -> Seq {
        let mut free = (self.buffer as usize).saturating_sub(self.queue.len());
        if let Some(limit) = limit {
            free = free.min(limit);
        }
        self.nxt + free as u32
    }

    /// What the edge moves by at least: a full segment of `mss` octets, or half of what may be offered.
    #[inline]
    fn step(&self, mss: u16, limit: Option<usize>) -> u32 {
        let most = limit.map_or(self.buffer, |limit| self.buffer.min(limit as u32));
        (most / 2).min(mss.into())
    }

    /// The SEG.WND of the next segment; moves the edge. Avoids the silly window syndrome (RFC 9293
    /// §3.8.6.2.2): the edge moves by a step or not at all. Under pressure `limit` octets are the most.
    // Always: a call costs more than the rest for an acknowledgement.
    #[inline(always)]
    pub(crate) fn offer(&mut self, mss: u16, limit: Option<usize>) -> u16 {
        let possible = self.possible_edge(limit);
        let step = self.step(mss, limit);
        let shift = self.wind_shift;
        let old = self.window();
        let mut window = if possible.since(self.edge) >= step {
            possible - self.nxt
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
        self.edge = self.edge.max(self.nxt + window);
        scaled as u16
    }

    /// The user has read `octets`: grows the buffer. `rtt` is in nanoseconds.
    #[inline]
    pub(crate) fn after_read(
        &mut self,
        now: Instant,
        octets: usize,
        rtt: u64,
        growers: &mut Growers,
        pressure: bool,
    ) {
        let buffer = self.buffer;
        if let Some(size) = self.autotune.read(now, octets, rtt, buffer, growers)
            && (size < buffer || !pressure)
        {
            self.buffer = size;
        } else if buffer < self.autotune.least && !pressure {
            // It began under pressure, which is over.
            self.buffer = self.autotune.least;
        }
    }

    /// Whether the window can be twice what the peer was told: not where that is more than half of the
    /// buffer.
    #[inline]
    pub(crate) fn may_have_doubled(&self) -> bool {
        self.window() <= self.buffer / 2
    }

    /// Whether the peer is to be told that its window has at least doubled; asks for an acknowledgement
    /// then. `mss` and `limit` are as in [`Receiver::offer`].
    pub(crate) fn tell_if_doubled(&mut self, mss: u16, limit: Option<usize>) -> bool {
        let (old, new) = (self.window(), self.possible_edge(limit).since(self.nxt));
        let step = self.step(mss, limit);
        let tell = new >= old.saturating_mul(2) && new - old >= step;
        self.ack.now |= tell;
        tell
    }
}
