//! When a message is sent again (RFC 8415 §15).

use core::time::Duration;

use super::message::Kind;
use crate::proto::Instant;
use crate::proto::random::Random;

// RFC 8415 §7.6.
const SOL_TIMEOUT: Duration = Duration::from_secs(1);
const REQ_TIMEOUT: Duration = Duration::from_secs(1);
const REQ_MAX_RT: Duration = Duration::from_secs(30);
const REQ_MAX_RC: u32 = 10;
const CNF_TIMEOUT: Duration = Duration::from_secs(1);
const CNF_MAX_RT: Duration = Duration::from_secs(4);
const REN_TIMEOUT: Duration = Duration::from_secs(10);
const REN_MAX_RT: Duration = Duration::from_secs(600);
const INF_TIMEOUT: Duration = Duration::from_secs(1);
const REL_TIMEOUT: Duration = Duration::from_secs(1);
const REL_MAX_RC: u32 = 4;

/// A message and its retransmissions, under one transaction identifier.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    pub(super) kind: Kind,
    /// Of 24 bits.
    pub(super) xid: u32,
    /// When it was sent first.
    pub(super) began: Instant,
    /// How often it was.
    pub(super) sent: u32,
    /// When it is to be sent again.
    pub(super) next: Instant,
    /// RT, the last time that was waited.
    wait: Duration,
    /// MRT; zero if there is none.
    pub(super) longest: Duration,
}

impl Exchange {
    /// An exchange that begins at `now`. `longest` is MRT for the messages for which servers may set it: SOL_MAX_RT
    /// and INF_MAX_RT.
    pub(super) fn new(now: Instant, kind: Kind, longest: Duration, random: &mut Random) -> Self {
        let longest = match kind {
            Kind::Solicit | Kind::InformationRequest => longest,
            Kind::Request => REQ_MAX_RT,
            Kind::Confirm => CNF_MAX_RT,
            Kind::Renew | Kind::Rebind => REN_MAX_RT,
            _ => Duration::ZERO,
        };
        Self {
            kind,
            xid: random.next_u32() >> 8,
            began: now,
            sent: 0,
            next: now,
            wait: Duration::ZERO,
            longest,
        }
    }

    /// Whether it was sent as often as it may be (MRC).
    pub(super) fn is_spent(&self) -> bool {
        match self.kind {
            Kind::Request => self.sent >= REQ_MAX_RC,
            Kind::Release | Kind::Decline => self.sent >= REL_MAX_RC,
            _ => false,
        }
    }

    /// Hundredths of a second since the first message (RFC 8415 §21.9).
    pub(super) fn elapsed(&self, now: Instant) -> u16 {
        u16::try_from((now - self.began).as_millis() / 10).unwrap_or(u16::MAX)
    }

    /// The message is sent at `now`.
    pub(super) fn send(&mut self, now: Instant, random: &mut Random) {
        let first = match self.kind {
            Kind::Request => REQ_TIMEOUT,
            Kind::Confirm => CNF_TIMEOUT,
            Kind::Renew | Kind::Rebind => REN_TIMEOUT,
            Kind::InformationRequest => INF_TIMEOUT,
            Kind::Release | Kind::Decline => REL_TIMEOUT,
            _ => SOL_TIMEOUT,
        };
        self.wait = match self.sent {
            // RFC 8415 §18.2.1: RAND is above zero for the first Solicit, so that all Advertises have a second.
            0 if self.kind == Kind::Solicit => first + spread(first / 10, random),
            0 => around(first, first, random),
            _ => around(2 * self.wait, self.wait, random),
        };
        if !self.longest.is_zero() && self.wait > self.longest {
            self.wait = around(self.longest, self.longest, random);
        }
        self.sent = self.sent.saturating_add(1);
        self.next = now + self.wait;
    }
}

/// `mean`, and up to a tenth of `of` more or less.
fn around(mean: Duration, of: Duration, random: &mut Random) -> Duration {
    mean - of / 10 + spread(of / 5, random)
}

/// A random part of `whole`, and at least a nanosecond.
fn spread(whole: Duration, random: &mut Random) -> Duration {
    let part = u128::from(random.next_u64()) * whole.as_nanos();
    Duration::from_nanos((part >> 64) as u64 + 1)
}

/// From zero to a second, by which what many do at the same time is spread (RFC 8415 §18.2.1, SOL_MAX_DELAY, and
/// others of its length).
pub(super) fn delay(random: &mut Random) -> Duration {
    spread(Duration::from_secs(1), random)
}
