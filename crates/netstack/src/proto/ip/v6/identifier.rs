//! Interface identifiers, the low 64 bits of an address of ours: stable ones that say nothing of the interface
//! (RFC 7217), and temporary ones (RFC 8981).
//!
//! Identifiers are in host order: `u64::from_be_bytes` of the address' last eight octets.

use core::hash::Hasher;
use core::net::Ipv6Addr;
use core::time::Duration;
use siphasher::sip128::{Hasher128, SipHasher24};

use crate::proto::Instant;

/// How many identifiers are tried for one address before it is given up (RFC 7217 §6, IDGEN_RETRIES; RFC 8981
/// §3.8, TEMP_IDGEN_RETRIES).
pub const RETRIES: u8 = 3;
/// From a duplicate to the next identifier that is tried, at most; hosts spread it from zero (RFC 7217 §6).
pub const DELAY: Duration = Duration::from_secs(1);

/// A temporary address is valid for so long, and preferred, at most (RFC 8981 §3.8).
const TEMP_VALID_LIFETIME: Duration = Duration::from_secs(2 * 24 * 3600);
const TEMP_PREFERRED_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// The time that is preferred is shortened by less than this, at random: 0.4 of it (RFC 8981 §3.8).
const MAX_DESYNC_FACTOR: Duration = Duration::from_secs(24 * 3600 * 2 / 5);

/// The address of `identifier` under the first 64 bits of `prefix`.
///
/// ```
/// use netstack::proto::ip::v6::identifier::join;
///
/// let prefix = "2001:db8:0:7::".parse()?;
/// assert_eq!(join(prefix, 0x1234), "2001:db8:0:7::1234".parse::<core::net::Ipv6Addr>()?);
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[must_use]
pub fn join(prefix: Ipv6Addr, identifier: u64) -> Ipv6Addr {
    let network = prefix.to_bits() & !u128::from(u64::MAX);
    Ipv6Addr::from_bits(network | u128::from(identifier))
}

/// The identifier of an address.
#[must_use]
pub fn of(address: Ipv6Addr) -> u64 {
    address.to_bits() as u64
}

/// Whether no host may have `identifier` (RFC 5453, and IANA's registry of reserved identifiers).
#[must_use]
pub const fn is_reserved(identifier: u64) -> bool {
    matches!(identifier,
        // The anycast address of all routers of the network (RFC 4291 §2.6.1).
        0
        // Under IANA's own block of Ethernet addresses (RFC 5342, RFC 6543).
        | 0x0200_5eff_fe00_0000..=0x0200_5eff_feff_ffff
        // Anycast addresses (RFC 2526).
        | 0xfdff_ffff_ffff_ff80..=0xfdff_ffff_ffff_ffff)
}

/// What stable identifiers come from: they are the same in the same network as long as all of it is, and tell
/// nobody else anything (RFC 7217 §5).
#[derive(Clone)]
pub struct Stable {
    key: [u8; 16],
    interface: Vec<u8>,
}

impl core::fmt::Debug for Stable {
    /// Without the key.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Stable")
            .field("interface", &self.interface)
            .finish_non_exhaustive()
    }
}

impl Stable {
    /// `key` is the secret, the same at each start of this host and another for every other; `interface` names the
    /// interface (Net_Iface), and may be its hardware address if that does not change.
    #[must_use]
    pub fn new(key: [u8; 16], interface: &[u8]) -> Self {
        Self {
            key,
            interface: interface.to_vec(),
        }
    }

    /// The identifier under the first 64 bits of `prefix`, for which fe80:: stands if the address is to be
    /// link-local. `network` names the network beyond that (Network_ID), and may be empty. `counter` is DAD_Counter:
    /// 0 at first, one more for each duplicate that was found under this prefix. Of reserved identifiers the next is
    /// taken, and counted.
    #[must_use]
    pub fn identifier(&self, prefix: Ipv6Addr, network: &[u8], counter: &mut u8) -> u64 {
        loop {
            let identifier = self.function(prefix, network, *counter);
            // One in 2^40: the counter does not come round.
            if !is_reserved(identifier) || *counter == u8::MAX {
                return identifier;
            }
            *counter += 1;
        }
    }

    /// RFC 7217's F(). It asks for a pseudorandom function of which samples do not give the key away; SipHash-2-4 is
    /// one. No two inputs are written alike: what varies in length is preceded by its length.
    fn function(&self, prefix: Ipv6Addr, network: &[u8], counter: u8) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.key);
        hasher.write(&prefix.octets()[..8]);
        for part in [&self.interface, network] {
            hasher.write(&(part.len() as u64).to_le_bytes());
            hasher.write(part);
        }
        hasher.write(&[counter]);
        hasher.finish128().h1
    }
}

/// A temporary address: when it was made, and so how long it lasts at most (RFC 8981 §3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Temporary {
    identifier: u64,
    created: Instant,
    /// DESYNC_FACTOR.
    desync: Duration,
    preferred_until: Instant,
    valid_until: Instant,
}

/// What a prefix's router says of it: from now on, `None` for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// How long addresses may be used for new connections.
    pub preferred: Option<Duration>,
    /// How long they may be used at all.
    pub valid: Option<Duration>,
}

impl Temporary {
    /// A new address under a prefix whose lifetimes are `advertised`; `advance` is REGEN_ADVANCE
    /// ([`regen_advance`]). The first of `random` shortens its time, the others are identifiers to try.
    ///
    /// `None` if it would hardly be preferred at all, or if neither identifier will do: none does that is reserved, or
    /// that `is_taken` says is in use under the prefix.
    #[must_use]
    pub fn new(
        now: Instant,
        advertised: Lifetimes,
        advance: Duration,
        random: [u64; 3],
        is_taken: impl Fn(u64) -> bool,
    ) -> Option<Self> {
        let [spread, random @ ..] = random;
        let share = u128::from(spread) * MAX_DESYNC_FACTOR.as_nanos();
        let mut address = Self {
            identifier: random
                .into_iter()
                .find(|identifier| !is_reserved(*identifier) && !is_taken(*identifier))?,
            created: now,
            desync: Duration::from_nanos((share >> 64) as u64),
            preferred_until: now,
            valid_until: now,
        };
        address.advertised(now, advertised);
        (address.preferred_until - now > advance).then_some(address)
    }

    /// Its identifier.
    #[must_use]
    pub fn identifier(&self) -> u64 {
        self.identifier
    }

    /// The prefix is advertised again: the lifetimes follow, but never beyond what the address began with (RFC 8981
    /// §3.4, step 1).
    pub fn advertised(&mut self, now: Instant, advertised: Lifetimes) {
        let until = |lifetime: Option<Duration>| {
            lifetime.map_or(Instant::FAR_FUTURE, |lifetime| now + lifetime)
        };
        let preferred = TEMP_PREFERRED_LIFETIME - self.desync;
        self.valid_until = until(advertised.valid).min(self.created + TEMP_VALID_LIFETIME);
        self.preferred_until = until(advertised.preferred)
            .min(self.created + preferred)
            .min(self.valid_until);
    }

    /// When it becomes deprecated.
    #[must_use]
    pub fn preferred_until(&self) -> Instant {
        self.preferred_until
    }

    /// When it is no longer ours.
    #[must_use]
    pub fn valid_until(&self) -> Instant {
        self.valid_until
    }

    /// When the next is to be made, so that there is always one that is preferred (RFC 8981 §3.5).
    #[must_use]
    pub fn regenerate_at(&self, advance: Duration) -> Instant {
        self.preferred_until - advance
    }
}

/// REGEN_ADVANCE (RFC 8981 §3.8): two seconds, and what it takes to find that so many addresses are duplicates, each
/// probed `transmits` times (DupAddrDetectTransmits) at `interval` (RetransTimer).
#[must_use]
pub fn regen_advance(transmits: u32, interval: Duration) -> Duration {
    Duration::from_secs(2).saturating_add(
        interval
            .saturating_mul(transmits)
            .saturating_mul(RETRIES.into()),
    )
}

#[cfg(test)]
mod tests;
