//! Temporary addresses (RFC 8981): under each prefix that routers advertise one that is preferred, and another before it
//! no longer is.

use core::time::Duration;

use super::{Address, Origin};
use crate::proto::Instant;
use crate::proto::interface::Interface;
use crate::proto::interface::v6::V6;
use crate::proto::ip::v6::Cidr;
use crate::proto::ip::v6::identifier::{self, Lifetimes, Temporary};

/// Temporary addresses under all prefixes, at most: who advertises short lifetimes without pause gets no more.
const MOST: usize = 32;

/// What is known of a temporary address beside its lifetimes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Made {
    temporary: Temporary,
    /// Identifiers before this one that others had.
    duplicates: u8,
    /// When the next is to be made; far in the future when that has been.
    pub(super) renew_at: Instant,
}

impl Address {
    fn made(&self) -> Option<Made> {
        match self.origin {
            Origin::Temporary(made) => Some(made),
            _ => None,
        }
    }
}

impl V6 {
    /// REGEN_ADVANCE.
    fn advance(&self) -> Duration {
        let asks = self.settings.dad_transmits.into();
        identifier::regen_advance(asks, self.routers.timing.retransmit)
    }

    /// The networks in which routers have us make addresses, and for how long.
    fn advertised(&self, now: Instant) -> Vec<(Cidr, Lifetimes)> {
        let left = |until: Instant| (until < Instant::FAR_FUTURE).then(|| until - now);
        let stable = self.addresses.iter().filter(|it| it.told.is_some());
        let networks = stable.map(|it| {
            let lifetimes = Lifetimes {
                preferred: left(it.preferred_until),
                valid: left(it.valid_until),
            };
            (it.cidr.network(), lifetimes)
        });
        networks.collect()
    }

    /// Has the temporary addresses of a network follow what is advertised of it; whether there is one that need not be
    /// followed by another now.
    fn follow(&mut self, now: Instant, network: Cidr, lifetimes: Lifetimes) -> bool {
        let advance = self.advance();
        let mut is_current = false;
        for entry in &mut self.addresses {
            let Origin::Temporary(made) = &mut entry.origin else {
                continue;
            };
            if entry.cidr.network() != network {
                continue;
            }
            made.temporary.advertised(now, lifetimes);
            entry.preferred_until = made.temporary.preferred_until();
            entry.valid_until = made.temporary.valid_until();
            if made.renew_at < Instant::FAR_FUTURE {
                made.renew_at = made.temporary.regenerate_at(advance);
            }
            if made.renew_at <= now {
                made.renew_at = Instant::FAR_FUTURE;
            }
            is_current |= made.renew_at < Instant::FAR_FUTURE;
        }
        is_current
    }
}

impl Interface {
    /// Makes the temporary addresses that are wanted and not there.
    pub(in crate::proto::interface::v6) fn renew_temporary(&mut self, now: Instant) {
        let Some(v6) = self.egress.v6.as_deref().filter(|it| it.settings.temporary) else {
            return;
        };
        for (network, lifetimes) in v6.advertised(now) {
            let v6 = self.egress.v6.as_deref_mut();
            if v6.is_some_and(|v6| !v6.follow(now, network, lifetimes)) {
                self.make_temporary(now, network, lifetimes, 0);
            }
        }
    }

    /// When one is due that is to be followed by another.
    pub(super) fn poll_temporary(&mut self, now: Instant) {
        let v6 = self.egress.v6.as_deref();
        let due = |it: &Address| it.made().is_some_and(|made| made.renew_at <= now);
        if v6.is_some_and(|v6| v6.addresses.iter().any(due)) {
            self.renew_temporary(now);
            self.leave_unfollowed(now);
        }
    }

    /// Those that are still due are followed by none: no more are made on this link, or under their prefix.
    #[cold]
    fn leave_unfollowed(&mut self, now: Instant) {
        let v6 = self.egress.v6.as_deref_mut().into_iter();
        for entry in v6.flat_map(|v6| &mut v6.addresses) {
            if let Origin::Temporary(made) = &mut entry.origin
                && made.renew_at <= now
            {
                made.renew_at = Instant::FAR_FUTURE;
            }
        }
    }

    fn make_temporary(
        &mut self,
        now: Instant,
        network: Cidr,
        lifetimes: Lifetimes,
        duplicates: u8,
    ) {
        let Some(v6) = self.egress.v6.as_deref_mut() else {
            return;
        };
        if v6.addresses.iter().filter_map(Address::made).count() >= MOST {
            return;
        }
        let advance = v6.advance();
        let random = [(); 3].map(|()| v6.random.next_u64());
        let temporary = Temporary::new(now, lifetimes, advance, random, |identifier| {
            let address = identifier::join(network.address(), identifier);
            v6.addresses.iter().any(|it| it.cidr.address() == address)
        });
        let Some(temporary) = temporary else {
            return;
        };
        let made = Made {
            temporary,
            duplicates,
            renew_at: temporary.regenerate_at(advance),
        };
        let until = (temporary.preferred_until(), temporary.valid_until());
        let address = identifier::join(network.address(), temporary.identifier());
        if let Ok(cidr) = Cidr::new(address, 64) {
            self.add_entry_v6(now, cidr, Origin::Temporary(made), until);
        }
    }

    /// Another station has a temporary address of ours: there is another, but for a link where that goes on (RFC 8981
    /// §3.4, step 7).
    pub(super) fn remake_temporary(&mut self, now: Instant, network: Cidr, made: Made) {
        let Some(v6) = self.egress.v6.as_deref_mut() else {
            return;
        };
        if made.duplicates >= identifier::RETRIES {
            v6.settings.temporary = false;
            return;
        }
        let mut advertised = v6.advertised(now).into_iter();
        if let Some((_, lifetimes)) = advertised.find(|(other, _)| *other == network) {
            self.make_temporary(now, network, lifetimes, made.duplicates + 1);
        }
    }
}
