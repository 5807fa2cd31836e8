//! The receive window: how much is offered, when the peer is told, and how the buffer grows.

use super::Tcb;
use super::shared::Shared;
use crate::proto::Instant;
use crate::proto::tcp::wire::seq::Seq;

/// On a fast network it is not the round-trip time that decides how much piles up between two reads,
/// but when the user runs.
const LEAST_PERIOD: u64 = 1_000_000;

/// Grows the receive buffer to twice what the user reads in a round trip, which is what a sender
/// needs that is not to be limited by it: half in flight, half for the window's growth. But no larger
/// than its share of the memory.
#[derive(Clone, Debug)]
pub(crate) struct Autotune {
    /// The size of the buffer at first, and at most.
    least: u32,
    max: u32,
    /// Octets read by the user since `since`.
    read: u32,
    since: Instant,
    /// The last period of [`Growers`] in which the connection was counted.
    counted: u32,
}

impl Autotune {
    pub(crate) fn new(least: u32, max: u32) -> Self {
        Self {
            least,
            max,
            read: 0,
            since: Instant::default(),
            counted: 0,
        }
    }

    /// Lowers the largest size.
    pub(crate) fn limit(&mut self, max: u32) {
        self.max = self.max.min(max);
    }

    pub(crate) fn start(&mut self, now: Instant) {
        self.since = now;
    }

    /// The user has read `octets`; returns the new size of the buffer if that is to change.
    #[inline]
    fn read(
        &mut self,
        now: Instant,
        octets: usize,
        rtt: u64,
        buffer: u32,
        growers: &mut Growers,
    ) -> Option<u32> {
        self.read = self.read.saturating_add(octets as u32);
        let rtt = rtt.max(LEAST_PERIOD);
        let elapsed = now.nanos_since(self.since);
        if elapsed < rtt {
            return None;
        }
        let read = u64::from(core::mem::take(&mut self.read));
        self.since = now;
        // At most 2 * `read`.
        let wanted = (u128::from(2 * read) * u128::from(rtt) / u128::from(elapsed)) as u64;
        let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
        if wanted <= self.least && buffer >= self.least {
            return None;
        }
        let share = growers.share(now, &mut self.counted);
        let max = self.max.min(share.max(self.least));
        let size = if wanted > buffer {
            buffer.saturating_mul(2).min(max)
        } else {
            buffer.min(max)
        };
        (size != buffer).then_some(size)
    }
}

/// The connections that want a larger receive buffer than they began with. So that what their peers
/// may send finds room, together they have one half of the memory budget, in equal shares: the other
/// is for what is sent, and for the buffers that do not grow.
#[derive(Debug)]
pub(crate) struct Growers {
    /// Octets for all.
    room: usize,
    since: Instant,
    /// The number of the current period, and how many there were in the last and in this one.
    period: u32,
    before: u32,
    count: u32,
}

impl Growers {
    /// How long a connection is counted that wants no more.
    const PERIOD: u64 = 1_000_000_000;

    pub(crate) fn new(memory: usize) -> Self {
        Self {
            room: memory / 2,
            since: Instant::default(),
            period: 1,
            before: 0,
            count: 0,
        }
    }

    /// The share of a connection, which was last `counted` in that period.
    fn share(&mut self, now: Instant, counted: &mut u32) -> u32 {
        let elapsed = now.nanos_since(self.since);
        if elapsed >= Self::PERIOD {
            let ended = core::mem::take(&mut self.count);
            self.before = if elapsed < 2 * Self::PERIOD { ended } else { 0 };
            self.period = self.period.wrapping_add(1);
            self.since = now;
        }
        if *counted != self.period {
            *counted = self.period;
            self.count += 1;
        }
        let count = self.count.max(self.before) as usize;
        u32::try_from(self.room / count).unwrap_or(u32::MAX)
    }
}

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

#[cfg(test)]
mod tests {
    use super::{Autotune, Growers};
    use crate::proto::Instant;

    #[test]
    fn buffer_grows_while_more_than_half_of_it_is_read_in_a_round_trip() {
        let rtt = 10_000_000;
        let mut autotune = Autotune::new(100, 1000);
        let growers = &mut Growers::new(1 << 20);
        let mut now = Instant::from_nanos(1);
        autotune.start(now);
        assert_eq!(autotune.read(now, 90, rtt, 100, growers), None);
        now = now.after_nanos(rtt);
        assert_eq!(autotune.read(now, 10, rtt, 100, growers), Some(200));
        now = now.after_nanos(rtt);
        assert_eq!(autotune.read(now, 100, rtt, 200, growers), None);
        // The same amount in ten round trips is no reason to grow.
        now = now.after_nanos(rtt * 10);
        assert_eq!(autotune.read(now, 300, rtt, 200, growers), None);
        now = now.after_nanos(rtt);
        assert_eq!(autotune.read(now, 700, rtt, 600, growers), Some(1000));
    }

    #[test]
    fn buffers_that_grow_share_half_of_the_memory() {
        let rtt = 10_000_000;
        let growers = &mut Growers::new(8000);
        let mut connections = vec![(Autotune::new(100, 100_000), 100); 4];
        let mut now = Instant::from_nanos(1);
        let mut read_much = |now, connections: &mut [(Autotune, u32)]| {
            for (autotune, buffer) in connections {
                let size = autotune.read(now, 1_000_000, rtt, *buffer, growers);
                *buffer = size.unwrap_or(*buffer);
            }
        };
        // The first takes all, until there are others.
        for _ in 0..10 {
            now = now.after_nanos(rtt);
            read_much(now, &mut connections[..1]);
        }
        assert_eq!(connections[0].1, 4000);
        for _ in 0..10 {
            now = now.after_nanos(rtt);
            read_much(now, &mut connections);
        }
        let sizes: Vec<u32> = connections.iter().map(|(_, buffer)| *buffer).collect();
        assert_eq!(sizes, [1000; 4]);
        // One that wants no more is counted for a while, but not for ever.
        for _ in 0..250 {
            now = now.after_nanos(rtt);
            read_much(now, &mut connections[..2]);
        }
        assert_eq!((connections[0].1, connections[1].1), (2000, 2000));
    }
}
