//! Which of our addresses to speak from, and which of a peer's to speak to first (RFC 6724).
//!
//! One interface is presumed, so that all candidates are of it (section 4), and rules 5 (outgoing interface) and, of
//! destinations, 7 (native transport) have nothing to say. Nor have rules 4: there is no Mobile IPv6 here.

use core::cmp::{Ordering, Reverse};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An entry of the policy table (RFC 6724 §2.1). IPv4 addresses are looked up as IPv4-mapped ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The prefix that it is about.
    pub prefix: Ipv6Addr,
    /// The length of the prefix in bits, at most 128.
    pub length: u8,
    /// Destinations of higher precedence go first.
    pub precedence: u8,
    /// A source and a destination of the same label go together.
    pub label: u8,
}

const fn policy(prefix: Ipv6Addr, length: u8, precedence: u8, label: u8) -> Policy {
    Policy {
        prefix,
        length,
        precedence,
        label,
    }
}

/// The policy table that holds where no other is given (RFC 6724 §2.1).
pub const DEFAULT_POLICY: &[Policy] = &[
    policy(Ipv6Addr::LOCALHOST, 128, 50, 0),
    policy(Ipv6Addr::UNSPECIFIED, 0, 40, 1),
    policy(Ipv4Addr::UNSPECIFIED.to_ipv6_mapped(), 96, 35, 4),
    // 6to4, Teredo.
    policy(Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, 30, 2),
    policy(Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, 5, 5),
    // Unique local addresses.
    policy(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, 3, 13),
    // IPv4-compatible addresses, site-local ones, the 6bone: none of them is to be used any more.
    policy(Ipv6Addr::UNSPECIFIED, 96, 1, 3),
    policy(Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, 1, 11),
    policy(Ipv6Addr::new(0x3ffe, 0, 0, 0, 0, 0, 0, 0), 16, 1, 12),
];

/// The entry of `table` with the longest prefix of `address`; of precedence 40 and label 1, as ::/0, if there is none.
#[must_use]
pub fn policy_of(table: &[Policy], address: IpAddr) -> Policy {
    let bits = mapped(address).to_bits();
    let matching = table
        .iter()
        .filter(|entry| common_bits(bits, entry.prefix.to_bits()) >= entry.length.into());
    let entry = matching.max_by_key(|entry| entry.length);
    *entry.unwrap_or(&policy(Ipv6Addr::UNSPECIFIED, 0, 40, 1))
}

/// An address of ours that may be a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The address: unicast.
    pub address: IpAddr,
    /// The length of its network's prefix in bits.
    pub prefix: u8,
    /// Whether it is deprecated (RFC 4862 §5.5.4), or still optimistic (RFC 4429 §3.3).
    pub deprecated: bool,
    /// Whether it is a temporary one (RFC 8981).
    pub temporary: bool,
    /// Whether its prefix was advertised by the router that the packet goes to next (RFC 8028).
    pub of_next_hop: bool,
}

impl Candidate {
    /// An address that is neither deprecated nor temporary, and of whose prefix the next hop has said nothing.
    #[must_use]
    pub fn new(address: IpAddr, prefix: u8) -> Self {
        Self {
            address,
            prefix,
            deprecated: false,
            temporary: false,
            of_next_hop: false,
        }
    }
}

/// The address of `candidates` from which to speak to `destination` (RFC 6724 §5), which is of its family; the first
/// of equals. `None` if there is none.
#[must_use]
pub fn source(
    table: &[Policy],
    destination: IpAddr,
    candidates: impl IntoIterator<Item = Candidate>,
) -> Option<Candidate> {
    let fitting = candidates
        .into_iter()
        .filter(|candidate| candidate.address.is_ipv4() == destination.is_ipv4());
    fitting.reduce(
        |best, next| match compare_sources(table, destination, &next, &best) {
            Ordering::Greater => next,
            _ => best,
        },
    )
}

/// Which of two sources is the better: `Greater` if `a` is.
fn compare_sources(
    table: &[Policy],
    destination: IpAddr,
    a: &Candidate,
    b: &Candidate,
) -> Ordering {
    let wanted = scope(destination);
    let label = |address| policy_of(table, address).label;
    let prefer = |what: &dyn Fn(&Candidate) -> bool| what(a).cmp(&what(b));
    // Rule 1: the same address.
    prefer(&|one| one.address == destination)
        // Rule 2: a scope that reaches so far, and no farther.
        .then_with(|| {
            let (a, b) = (scope(a.address), scope(b.address));
            match a.min(b) < wanted {
                true => a.cmp(&b),
                false => b.cmp(&a),
            }
        })
        // Rule 3: no deprecated address.
        .then_with(|| prefer(&|one| !one.deprecated))
        // Rule 5.5: a prefix of the next hop's.
        .then_with(|| prefer(&|one| one.of_next_hop))
        // Rule 6: the same label.
        .then_with(|| prefer(&|one| label(one.address) == label(destination)))
        // Rule 7: a temporary address.
        .then_with(|| prefer(&|one| one.temporary))
        // Rule 8: the longest prefix in common.
        .then_with(|| common_prefix(a, destination).cmp(&common_prefix(b, destination)))
}

/// Sorts `destinations`, the best first (RFC 6724 §6); equals keep their order. `source` gives the address that each
/// would be spoken to from, `None` if there is none: it cannot be reached.
pub fn sort_destinations(
    table: &[Policy],
    destinations: &mut [IpAddr],
    source: impl Fn(IpAddr) -> Option<Candidate>,
) {
    // The sort is stable, which is rule 10.
    destinations
        .sort_by_cached_key(|destination| Rank::new(table, *destination, source(*destination)));
}

/// What a destination is worth: less goes first. The fields are rules in their order.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// Rule 1: what cannot be reached.
    unusable: bool,
    /// Rule 2: the source's scope is another.
    other_scope: bool,
    /// Rule 3: the source is deprecated.
    deprecated: bool,
    /// Rule 5: the source's label is another.
    other_label: bool,
    /// Rule 6.
    precedence: Reverse<u8>,
    /// Rule 8.
    scope: Scope,
    /// Rule 9 is for destinations of one family: the other's, which only a table without IPv4 lets come so far, go
    /// behind.
    is_ipv4: bool,
    /// Rule 9.
    common: Reverse<u32>,
}

impl Rank {
    fn new(table: &[Policy], destination: IpAddr, source: Option<Candidate>) -> Self {
        let policy = policy_of(table, destination);
        let is = |what: &dyn Fn(Candidate) -> bool| source.is_some_and(what);
        Self {
            unusable: source.is_none(),
            other_scope: is(&|source| scope(source.address) != scope(destination)),
            deprecated: is(&|source| source.deprecated),
            other_label: is(&|source| policy_of(table, source.address).label != policy.label),
            precedence: Reverse(policy.precedence),
            scope: scope(destination),
            is_ipv4: destination.is_ipv4(),
            common: Reverse(source.map_or(0, |source| nearness(&source, destination))),
        }
    }
}

/// How far an address reaches (RFC 4007 §4, RFC 4291 §2.7); IPv4's as RFC 6724 §3.2 has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Scope(u8);

impl Scope {
    const LINK: Self = Self(2);
    const SITE: Self = Self(5);
    const GLOBAL: Self = Self(14);
}

fn scope(address: IpAddr) -> Scope {
    match address {
        IpAddr::V4(address) if address.is_link_local() || address.is_loopback() => Scope::LINK,
        IpAddr::V4(_) => Scope::GLOBAL,
        IpAddr::V6(address) => match address.octets() {
            [0xff, flags_and_scope, ..] => Scope(flags_and_scope & 0xf),
            [0xfe, 0x80..=0xbf, ..] => Scope::LINK,
            [0xfe, 0xc0..=0xff, ..] => Scope::SITE,
            _ if address.is_loopback() => Scope::LINK,
            _ => Scope::GLOBAL,
        },
    }
}

/// IPv4 addresses as IPv4-mapped ones (RFC 6724 §3.2).
fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

fn common_bits(a: u128, b: u128) -> u32 {
    (a ^ b).leading_zeros()
}

/// CommonPrefixLen (RFC 6724 §2.2): bits that both begin with, of the source's prefix.
fn common_prefix(source: &Candidate, destination: IpAddr) -> u32 {
    match (source.address, destination) {
        (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
            (ours.to_bits() ^ theirs.to_bits()).leading_zeros()
        }
        (ours, theirs) => common_bits(mapped(ours).to_bits(), mapped(theirs).to_bits()),
    }
    .min(source.prefix.into())
}

/// Rule 9 of destinations. Of IPv4's it counts only whether they are in the source's own network: private addresses
/// begin with bits that say nothing of where a public one is, and servers whose addresses are given in turn would
/// lose it (RFC 6724 §6 leaves that open).
fn nearness(source: &Candidate, destination: IpAddr) -> u32 {
    let common = common_prefix(source, destination);
    match destination {
        IpAddr::V4(_) if common < source.prefix.into() => 0,
        _ => common,
    }
}

#[cfg(test)]
mod tests;
