//! The network of a program that makes sockets.

use std::{io, net::IpAddr};

use netstack::{Config, Resolver, Stack};
use posix::{Settings, Starting};

use crate::addressing::{self, LEASE_WAIT};
use crate::net;

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
        addressing::set(
            &mut config,
            settings.dhcp,
            settings.ipv4,
            settings.ipv4_gateway,
        );
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
