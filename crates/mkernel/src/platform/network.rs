//! The network of a program that makes sockets.

use std::{io, net::IpAddr, time::Duration};

use netstack::{Config, Resolver, Stack};
use posix::{Settings, Starting};

use crate::net;

/// Our address where neither one nor DHCP is asked for, as with `cli`.
const ADDRESS: &str = "10.0.0.2/24";
/// For how long a lease is waited for: four questions go out in that time (RFC 2131 section 4.1).
const LEASE_WAIT: Duration = Duration::from_secs(60);
/// `EX_USAGE` and `EX_TEMPFAIL` of BSD's sysexits: the same settings would fail again, or may not.
const USAGE: i32 = 64;
const TRY_AGAIN: i32 = 75;

/// Starts a stack on the device `service`, with the address that is set or leased.
pub(super) fn start(settings: &Settings) -> Starting {
    let settings = settings.clone();
    let device = crate::net!("service");
    Box::pin(async move {
        let device = device.map_err(|error| (format!("cannot start the network: {error}"), 1))?;
        let mut config = Config::default();
        config.addresses = match (settings.dhcp, settings.ipv4) {
            (true, _) => Vec::new(),
            (false, None) => ADDRESS.parse().into_iter().collect(),
            (false, Some(given)) => vec![given.into()],
        };
        config.gateways = settings.ipv4_gateway.into_iter().map(IpAddr::V4).collect();
        let stack = net::start(device, config).map_err(|error| {
            let invalid = error.kind() == io::ErrorKind::InvalidInput;
            let status = if invalid { USAGE } else { 1 };
            (format!("cannot start the network: {error}"), status)
        })?;
        let resolver = Resolver::new(&stack, settings.dns.iter().copied());
        if settings.dhcp {
            lease(&stack, &resolver).await?;
        }
        Ok((stack, resolver))
    })
}

/// Waits for an address.
async fn lease(stack: &Stack, resolver: &Resolver) -> Result<(), (String, i32)> {
    let lease = stack.dhcp(LEASE_WAIT).await.map_err(|error| {
        let late = error.kind() == io::ErrorKind::TimedOut;
        let status = if late { TRY_AGAIN } else { 1 };
        (format!("--dhcp: no lease: {error}"), status)
    })?;
    if resolver.servers().is_empty() {
        resolver.set_servers(lease.dns.into_iter().map(IpAddr::from));
    }
    Ok(())
}
