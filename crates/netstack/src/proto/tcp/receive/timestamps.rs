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

    /// PAWS (RFC 7323 §5.3 R1): whether a segment with this timestamp is of a time long ago.
    #[inline]
    pub(crate) fn is_outdated(&self, now: Instant, theirs: Timestamps) -> bool {
        let recent = &self.recent;
        Seq(theirs.val).lt(Seq(recent.value)) && recent.at.elapsed(now) < TS_RECENT_LIFE
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
