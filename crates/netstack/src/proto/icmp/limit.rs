//! How many errors may be sent (RFC 1812 §4.3.2.8).

use core::time::Duration;

use crate::proto::Instant;

/// A token bucket: `burst` at once, then one each `interval`.
#[derive(Clone, Copy, Debug)]
pub struct RateLimit {
    burst: u32,
    interval: Duration,
    tokens: u32,
    refilled: Option<Instant>,
}

impl RateLimit {
    /// A full bucket of `burst` tokens that gains one each `interval`.
    #[must_use]
    pub fn new(burst: u32, interval: Duration) -> Self {
        Self {
            burst,
            interval,
            tokens: burst,
            refilled: None,
        }
    }

    /// Takes a token if there is one.
    pub fn take(&mut self, now: Instant) -> bool {
        let since = *self.refilled.get_or_insert(now);
        let elapsed = now - since;
        let gained = elapsed.as_nanos() / self.interval.as_nanos().max(1);
        let gained = u32::try_from(gained).unwrap_or(u32::MAX);
        if gained >= self.burst - self.tokens {
            (self.tokens, self.refilled) = (self.burst, Some(now));
        } else {
            self.tokens += gained;
            self.refilled = Some(since + self.interval * gained);
        }
        match self.tokens.checked_sub(1) {
            Some(left) => {
                self.tokens = left;
                true
            }
            None => false,
        }
    }
}
