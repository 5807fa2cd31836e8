//! The address that a program has on its network, however it is told.

#[cfg(feature = "ipv6")]
use std::net::Ipv6Addr;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

#[cfg(feature = "ipv6")]
use netstack::proto::ip::v6;
use netstack::{Config, proto::ip::v4::Cidr};

/// Our address where neither one nor DHCP is asked for.
const ADDRESS: &str = "10.0.0.2/24";
/// For how long a lease is waited for: four questions go out in that time (RFC 2131 section 4.1).
pub(crate) const LEASE_WAIT: Duration = Duration::from_secs(60);

/// Gives a stack the address and the router that were asked for, or none yet where there will be a lease.
pub(crate) fn set(
    config: &mut Config,
    dhcp: bool,
    address: Option<Cidr>,
    gateway: Option<Ipv4Addr>,
) {
    config.addresses = match (dhcp, address) {
        (true, _) => Vec::new(),
        (false, None) => ADDRESS.parse().into_iter().collect(),
        (false, Some(given)) => vec![given.into()],
    };
    config.gateways = gateway.into_iter().map(IpAddr::V4).collect();
}

/// Has a stack speak IPv6 too, with the addresses and the router that were asked for and, if `accept_ra`, those that router
/// advertisements tell of.
#[cfg(feature = "ipv6")]
pub(crate) fn set_ipv6(
    mut config: Config,
    addresses: &[v6::Cidr],
    gateway: Option<Ipv6Addr>,
    accept_ra: bool,
) -> Config {
    let settings = config.ipv6.take().unwrap_or_default();
    config.ipv6 = Some(settings.accept_ra(accept_ra));
    for address in addresses {
        config = config.address((*address).into());
    }
    match gateway {
        Some(gateway) => config.gateway(gateway.into()),
        None => config,
    }
}
