//! The receive window: how much is offered, when the peer is told, and how the buffer grows.

use super::seq::Seq;
use super::shared::Shared;
use super::tcb::Tcb;
use crate::proto::Instant;

/// On a fast network it is not the round-trip time that decides how much piles up between two reads,
/// but when the user runs.
const LEAST_PERIOD: u64 = 1_000_000;

/// Grows the receive buffer to twice what the user reads in a round trip, which is what a sender
/// needs that is not to be limited by it: half in flight, half for the window's growth.
#[derive(Clone, Debug)]
pub(super) struct Autotune {
    max: u32,
    /// Octets read by the user since `since`.
    read: u32,
    since: Instant,
}

impl Autotune {
    pub(super) fn new(max: u32) -> Self {
        Self {
            max,
            read: 0,
            since: Instant::default(),
        }
    }

    /// Lowers the largest size.
    pub(super) fn limit(&mut self, max: u32) {
        self.max = self.max.min(max);
    }

    pub(super) fn start(&mut self, now: Instant, _nxt: Seq) {
        self.since = now;
    }

    /// The user has read `octets`; returns the new size of the buffer if it is to grow.
    #[inline]
    fn read(&mut self, now: Instant, octets: usize, rtt: u64, buffer: u32) -> Option<u32> {
        self.read = self.read.saturating_add(octets as u32);
        let rtt = rtt.max(LEAST_PERIOD);
        let elapsed = now.nanos_since(self.since);
        if elapsed < rtt {
            return None;
        }
        let read = core::mem::take(&mut self.read);
        let periods = (elapsed / rtt).clamp(1, u64::from(u32::MAX)) as u32;
        self.since = now;
        // Per round trip, if reading was seldom.
        let wanted = (read / periods).saturating_mul(2);
        (wanted > buffer && buffer < self.max).then(|| buffer.saturating_mul(2).min(self.max))
    }
}

impl Tcb {
    /// The right edge that could be offered now: RCV.NXT and the free part of the buffer.
    #[inline]
    fn possible_edge(&self, shared: &Shared) -> Seq {
        let mut free = (self.rcv.buffer as usize).saturating_sub(self.rcv.queue.len());
        if shared.memory.pressure() {
            // One segment at least, so that every connection goes on.
            free = free.min(shared.memory.left().max(self.snd.mss.into()));
        }
        self.rcv.nxt + free as u32
    }

    /// The SEG.WND of the next segment; moves the edge. Avoids the silly window syndrome (RFC 9293
    /// §3.8.6.2.2): the edge moves by half of the buffer or a full segment, or not at all.
    #[inline]
    pub(super) fn offer(&mut self, shared: &Shared) -> u16 {
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
    pub(super) fn after_read(&mut self, now: Instant, octets: usize, shared: &mut Shared) -> bool {
        shared.memory.release(octets);
        if !self.may_receive() {
            return false;
        }
        if !shared.memory.pressure()
            && let Some(buffer) = self
                .rcv
                .autotune
                .read(now, octets, self.srtt(), self.rcv.buffer)
        {
            self.rcv.buffer = buffer;
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
    pub(super) fn schedule_ack(&mut self, now: Instant, octets: usize, shared: &mut Shared) {
        self.ack.octets = self.ack.octets.saturating_add(octets as u32);
        self.ack.rmss = self.ack.rmss.max(octets.min(usize::from(u16::MAX)) as u16);
        if self.ack.quick > 0 || self.ack.octets >= 2 * u32::from(self.ack.rmss) {
            self.ack_now();
        } else if self.deadlines.delayed_ack == Instant::FAR_FUTURE {
            self.deadlines.delayed_ack = now + shared.config.delayed_ack;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Autotune;
    use crate::proto::Instant;

    #[test]
    fn buffer_grows_while_more_than_half_of_it_is_read_in_a_round_trip() {
        let rtt = 10_000_000;
        let mut autotune = Autotune::new(1000);
        let mut now = Instant::from_nanos(1);
        autotune.start(now, crate::proto::tcp::seq::Seq(0));
        assert_eq!(autotune.read(now, 90, rtt, 100), None);
        now = now.after_nanos(rtt);
        assert_eq!(autotune.read(now, 10, rtt, 100), Some(200));
        now = now.after_nanos(rtt);
        assert_eq!(autotune.read(now, 100, rtt, 200), None);
        // The same amount in ten round trips is no reason to grow.
        now = now.after_nanos(rtt * 10);
        assert_eq!(autotune.read(now, 300, rtt, 200), None);
        now = now.after_nanos(rtt);
        assert_eq!(autotune.read(now, 700, rtt, 600), Some(1000));
    }
}
