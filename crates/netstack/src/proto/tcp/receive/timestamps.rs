//! The peer's timestamps (RFC 7323 §4.3 and §5).

use core::time::Duration;

use super::Receiver;
use crate::proto::Instant;
use crate::proto::tcp::wire::options::Timestamps;
use crate::proto::tcp::wire::seq::Seq;

/// RFC 7323 §5.5: after 24 days TS.Recent says nothing.
const TS_RECENT_LIFE: Duration = Duration::from_secs(24 * 24 * 3600);

/// What is known of the peer's clock, if the connection uses timestamps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recent {
    /// TS.Recent.
    value: u32,
    /// When it was set.
    at: Coarse,
    /// Last.ACK.sent.
    pub(super) last_ack_sent: Seq,
}

impl Recent {
    /// Before the peer's first timestamp.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            value: 0,
            at: now.into(),
            last_ack_sent: Seq(0),
        }
    }
}

impl Receiver {
    /// The peer's SYN has brought a timestamp, and the connection uses them.
    pub(crate) fn use_timestamps(&mut self, now: Instant, value: u32) {
        self.recent = Recent {
            value,
            at: now.into(),
            last_ack_sent: self.nxt,
        };
    }

    /// TS.Recent, or zero before the peer's first timestamp.
    #[inline]
    pub(crate) fn recent_timestamp(&self) -> u32 {
        self.recent.value
    }

    /// PAWS (RFC 7323 §5.3 R1): whether a segment with this timestamp is of a time long ago. Where
    /// something is out of order, those of its window are not.
    #[inline]
    pub(crate) fn is_outdated(&self, now: Instant, theirs: Timestamps) -> bool {
        let recent = &self.recent;
        Seq(theirs.val).lt(Seq(recent.value))
            && recent.at.elapsed(now) < TS_RECENT_LIFE
            && !self.is_of_this_window(theirs.val)
    }

    #[cold]
    fn is_of_this_window(&self, value: u32) -> bool {
        let early = self.reassembly.as_ref();
        early.is_some_and(|early| Seq(early.window.since).le(Seq(value)))
    }

    /// RFC 7323 §4.3: TS.Recent follows segments that are at or before Last.ACK.sent, which this is
    /// that began at `first`; and whatever comes when it says nothing any more (§5.5).
    #[inline]
    pub(crate) fn remember_timestamp(&mut self, now: Instant, theirs: Timestamps, first: Seq) {
        let recent = &mut self.recent;
        if first.le(recent.last_ack_sent)
            && (Seq(recent.value).le(Seq(theirs.val)) || recent.at.elapsed(now) >= TS_RECENT_LIFE)
        {
            recent.value = theirs.val;
            recent.at = now.into();
        }
    }
}

/// Since when, by the peer's clock, what may be in the window was sent.
///
/// A retransmission that fills a gap takes TS.Recent past the timestamps of segments that were sent before
/// it and are late: by R1 of RFC 7323 §5.3 alone each of them were lost. What has another's numbers is
/// 2^32 octets older, and no window has more than 2^30.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    /// TS.Recent when the window ended at a number that RCV.NXT has reached.
    since: u32,
    /// TS.Recent when the window ended here, where RCV.NXT is not yet.
    then: u32,
    edge: Seq,
}

impl Window {
    /// Of a window with this end, when TS.Recent was `value` and nothing was late.
    pub(super) fn new(value: u32, edge: Seq) -> Self {
        Self {
            since: value,
            then: value,
            edge,
        }
    }

    /// RCV.NXT has advanced; the window's end and TS.Recent are these.
    pub(super) fn advance(&mut self, nxt: Seq, edge: Seq, value: u32) {
        if nxt.ge(self.edge) {
            (self.since, self.then, self.edge) = (self.then, value, edge);
        }
    }
}

/// A time to about a second: what is compared with days needs no more.
#[derive(Clone, Copy, Debug)]
struct Coarse(u32);

impl Coarse {
    /// A unit is 2^30 ns, as a shift is cheaper than a division.
    const SHIFT: u32 = 30;

    /// How long ago it was, of up to 146 years.
    fn elapsed(self, now: Instant) -> Duration {
        let units = Self::from(now).0.wrapping_sub(self.0);
        Duration::from_nanos(u64::from(units) << Self::SHIFT)
    }
}

impl From<Instant> for Coarse {
    #[inline]
    fn from(time: Instant) -> Self {
        Self((time.as_nanos() >> Self::SHIFT) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::Window;
    use crate::proto::tcp::wire::seq::Seq;

    #[test]
    fn rfc7323_5_3_timestamps_of_two_windows_ago_are_outdated() {
        let mut window = Window::new(10, Seq(1000));
        window.advance(Seq(999), Seq(1900), 20);
        assert_eq!(window.since, 10);
        // What is expected now may have been sent since the window ended at 1000: TS.Recent was 10.
        window.advance(Seq(1000), Seq(2000), 30);
        window.advance(Seq(1999), Seq(2900), 40);
        assert_eq!(window.since, 10);
        window.advance(Seq(2000), Seq(3000), 50);
        assert_eq!(window.since, 30);
    }
}
