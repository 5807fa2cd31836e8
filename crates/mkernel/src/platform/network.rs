//! The network of a program that makes sockets.

use std::io;

use netstack::{Config, Resolver};
use posix::{Dhcpv6, Settings, Starting};

use crate::addressing::{self, LEASE_WAIT};
use crate::net;

#[cfg(feature = "ipv6")]
mod ipv6;

/// `EX_USAGE` and `EX_TEMPFAIL` of BSD's sysexits: the same settings would fail again, or may not.
const USAGE: i32 = 64;
const TRY_AGAIN: i32 = 75;

/// Starts a stack on the device `service`, with the addresses that are set or leased.
pub(super) fn start(settings: &Settings) -> Starting {
    let settings = settings.clone();
    let device = crate::net!("service");
    Box::pin(async move {
        let device = device.map_err(|error| (format!("cannot start the network: {error}"), 1))?;
        let stack = net::start(device, config(&settings)?).map_err(|error| {
            let invalid = error.kind() == io::ErrorKind::InvalidInput;
            let status = if invalid { USAGE } else { 1 };
            (format!("cannot start the network: {error}"), status)
        })?;
        #[cfg(feature = "ipv6")]
        ipv6::settle(&stack, &settings.ipv6).await;
        if settings.dhcp {
            let leased = stack.dhcp(LEASE_WAIT).await;
            leased.map_err(|error| no_lease("--dhcp", &error))?;
        }
        #[cfg(feature = "dhcpv6")]
        if settings.dhcpv6 == Some(Dhcpv6::Always) {
            let leased = stack.dhcpv6(LEASE_WAIT).await;
            leased.map_err(|error| no_lease("--dhcpv6", &error))?;
        }
        let resolver = Resolver::new(&stack, settings.dns.iter().copied());
        Ok((stack, resolver))
    })
}

/// What the stack starts with.
fn config(settings: &Settings) -> Result<Config, (String, i32)> {
    if !cfg!(feature = "ipv6") && (!settings.ipv6.is_empty() || settings.ipv6_gateway.is_some()) {
        return Err(missing("--ipv6", "ipv6"));
    }
    if !cfg!(feature = "dhcpv6") && settings.dhcpv6.is_some_and(|when| when != Dhcpv6::Never) {
        return Err(missing("--dhcpv6", "dhcpv6"));
    }
    let mut config = Config::default();
    addressing::set(
        &mut config,
        settings.dhcp,
        settings.ipv4,
        settings.ipv4_gateway,
    );
    #[cfg(feature = "ipv6")]
    {
        config = ipv6::add_to(config, settings);
    }
    Ok(config)
}

fn missing(option: &str, feature: &str) -> (String, i32) {
    let why =
        format!("{option}: expected a program that was built with mkernel's feature {feature}");
    (why, USAGE)
}

/// Nobody has granted an address.
fn no_lease(option: &str, error: &io::Error) -> (String, i32) {
    let late = error.kind() == io::ErrorKind::TimedOut;
    let status = if late { TRY_AGAIN } else { 1 };
    (format!("{option}: no lease: {error}"), status)
}
