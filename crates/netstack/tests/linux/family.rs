//! The family over which a scenario runs: what is said of TCP, of floods and of paths holds for both.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};

use socket2::Domain;

/// A process runs one scenario.
static IS_V6: AtomicBool = AtomicBool::new(false);

pub(crate) fn choose_v6() {
    IS_V6.store(true, Ordering::Relaxed);
}

pub(crate) fn is_v6() -> bool {
    IS_V6.load(Ordering::Relaxed)
}

/// One of two, by the family.
fn of<T>(v4: T, v6: T) -> T {
    match is_v6() {
        false => v4,
        true => v6,
    }
}

/// What a scenario, or its capture, is called over IPv6, where no link carries less than 1,280 octets.
pub(crate) fn v6_name(name: &str) -> String {
    name.replace("576", "1280") + "-ipv6"
}

/// The least MTU that links have.
pub(crate) fn least_mtu() -> usize {
    of(68, 1280)
}

/// The stack's address.
pub(crate) fn ours() -> IpAddr {
    of(
        Ipv4Addr::new(10, 0, 0, 2).into(),
        Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2).into(),
    )
}

/// The kernel's address.
pub(crate) fn kernel() -> IpAddr {
    of(
        Ipv4Addr::new(10, 0, 0, 1).into(),
        Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1).into(),
    )
}

pub(crate) fn any() -> IpAddr {
    of(Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into())
}

pub(crate) fn domain() -> Domain {
    of(Domain::IPV4, Domain::IPV6)
}
