//! The address that a program has on its network, however it is told.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

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
