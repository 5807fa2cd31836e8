//! Happy eyeballs (RFC 8305): in which order, and when, to connect to the addresses of a name, so that one that does
//! not answer costs a quarter of a second and not a minute. It opens no connection itself.
//!
//! The caller tells of answers ([`Attempts::answered`]) and of attempts that have failed ([`Attempts::failed`]), and
//! asks after each, and when the time has come, what to do ([`Attempts::poll`]). The first attempt that succeeds ends
//! it: all others are to be given up.

use core::net::IpAddr;
use core::time::Duration;

use super::Instant;
use super::ip::Family;

/// How long to wait for IPv6 addresses once those of IPv4 are there (RFC 8305 §3).
const RESOLUTION_DELAY: Duration = Duration::from_millis(50);
/// From an attempt to the next that is made beside it (RFC 8305 §5).
const CONNECTION_ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Connect to this address, beside what is under way, and ask again at once.
    Connect(IpAddr),
    /// Nothing before this time, if any, unless there is something to tell.
    Wait(Option<Instant>),
    /// Nothing any more: there is no address, or every attempt has failed.
    Failed,
}

/// The attempts for one name.
#[derive(Clone, Debug)]
pub struct Attempts {
    /// The families whose answers have not come.
    awaited: Vec<Family>,
    /// When the first attempt may be made although IPv6's answer has not come.
    patience: Option<Instant>,
    /// Addresses that are still to be tried, the best first.
    addresses: Vec<IpAddr>,
    /// Those that were, so that none is tried twice.
    tried: Vec<IpAddr>,
    /// Attempts under way.
    running: usize,
    /// When the next attempt may be made beside the last.
    next: Instant,
}

impl Attempts {
    /// Attempts at a name of which the addresses of these families are being asked for.
    #[must_use]
    pub fn new(awaited: &[Family]) -> Self {
        Self {
            awaited: awaited.to_vec(),
            patience: None,
            addresses: Vec::new(),
            tried: Vec::new(),
            running: 0,
            next: Instant::default(),
        }
    }

    /// The addresses of one family have come, none if it has none or they cannot be had. `sort` puts the best first
    /// ([`sort_destinations`](crate::proto::ip::selection::sort_destinations)).
    pub fn answered(
        &mut self,
        now: Instant,
        family: Family,
        addresses: &[IpAddr],
        sort: impl FnOnce(&mut [IpAddr]),
    ) {
        self.awaited.retain(|awaited| *awaited != family);
        for address in addresses {
            if !self.tried.contains(address) && !self.addresses.contains(address) {
                self.addresses.push(*address);
            }
        }
        sort(&mut self.addresses);
        if !self.addresses.is_empty() {
            self.patience.get_or_insert(now + RESOLUTION_DELAY);
        }
    }

    /// An attempt has failed: the next is made at once (RFC 8305 §5).
    pub fn failed(&mut self, now: Instant) {
        self.running = self.running.saturating_sub(1);
        self.next = self.next.min(now);
    }

    /// What is to be done at `now`.
    pub fn poll(&mut self, now: Instant) -> Step {
        let Some(index) = self.best() else {
            return match self.awaited.is_empty() && self.running == 0 {
                true => Step::Failed,
                false => Step::Wait(None),
            };
        };
        let next = match self.tried.is_empty() {
            true if self.awaited.contains(&Family::V6) => self.patience,
            true => None,
            false => Some(self.next),
        };
        if let Some(next) = next.filter(|next| now < *next) {
            return Step::Wait(Some(next));
        }
        let address = self.addresses.remove(index);
        self.tried.push(address);
        self.running += 1;
        self.next = now + CONNECTION_ATTEMPT_DELAY;
        Step::Connect(address)
    }

    /// The next address to try: the best of the family that was not tried last, if there is one (RFC 8305 §4, with a
    /// First Address Family Count of one).
    fn best(&self) -> Option<usize> {
        let last = self.tried.last().map(|address| Family::of(*address));
        let mut addresses = self.addresses.iter();
        let other = addresses.position(|address| Some(Family::of(*address)) != last);
        other.or((!self.addresses.is_empty()).then_some(0))
    }
}

#[cfg(test)]
mod tests;
