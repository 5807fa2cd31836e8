//! How the receive buffer grows.

use crate::proto::Instant;

/// On a fast network it is not the round-trip time that decides how much piles up between two reads,
/// but when the user runs.
const LEAST_PERIOD: u64 = 1_000_000;

/// Grows the receive buffer when the user reads more than half of it in a round trip: to four times that,
/// as what the peer is told now it uses a round trip later, when in slow start it sends twice as much,
/// half of the window. But no larger than its share of the memory.
#[derive(Clone, Debug)]
pub(super) struct Autotune {
    /// The size of the buffer at first, and at most.
    pub(super) least: u32,
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
    pub(super) fn read(
        &mut self,
        now: Instant,
        octets: usize,
        rtt: u64,
        buffer: u32,
        growers: &mut Growers,
    ) -> Option<u32> {
        self.read = self.read.saturating_add(octets as u32);
        let elapsed = now.nanos_since(self.since);
        if elapsed < LEAST_PERIOD || elapsed < rtt {
            return None;
        }
        self.resize(now, rtt.max(LEAST_PERIOD), buffer, growers)
    }

    /// A round trip of `rtt` has passed.
    #[inline(never)]
    fn resize(
        &mut self,
        now: Instant,
        rtt: u64,
        buffer: u32,
        growers: &mut Growers,
    ) -> Option<u32> {
        let elapsed = now.nanos_since(self.since);
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
            wanted.saturating_mul(2).min(max)
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
        assert_eq!(autotune.read(now, 10, rtt, 100, growers), Some(400));
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

    #[test]
    fn who_grew_is_counted_in_the_period_after_and_not_two_periods_later() {
        for (pause, share) in [
            (Growers::PERIOD, 2000),
            (2 * Growers::PERIOD - 1, 2000),
            (2 * Growers::PERIOD, 4000),
        ] {
            let growers = &mut Growers::new(8000);
            let now = Instant::from_nanos(10 * Growers::PERIOD);
            let (mut one, mut other) = (0, 0);
            growers.share(now, &mut one);
            assert_eq!(growers.share(now, &mut other), 2000);
            assert_eq!(growers.share(now.after_nanos(pause), &mut one), share);
        }
    }
}
