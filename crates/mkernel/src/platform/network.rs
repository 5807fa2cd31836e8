//! The network of a program that makes sockets.

use std::io;

use netstack::{Config, Resolver, Stack};
use posix::{Settings, Starting};

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
            lease(&stack).await?;
        }
        let resolver = Resolver::new(&stack, settings.dns.iter().copied());
        Ok((stack, resolver))
    })
}

/// What the stack starts with.
fn config(settings: &Settings) -> Result<Config, (String, i32)> {
    let mut config = Config::default();
    addressing::set(
        &mut config,
        settings.dhcp,
        settings.ipv4,
        settings.ipv4_gateway,
    );
    #[cfg(feature = "ipv6")]
    {
        let accept_ra = settings.accept_ra.unwrap_or(true);
        let gateway = settings.ipv6_gateway;
        Ok(addressing::set_ipv6(
            config,
            &settings.ipv6,
            gateway,
            accept_ra,
        ))
    }
    #[cfg(not(feature = "ipv6"))]
    match settings.ipv6.is_empty() && settings.ipv6_gateway.is_none() {
        true => Ok(config),
        false => {
            let why = "--ipv6: expected a program that was built with mkernel's feature ipv6";
            Err((why.to_owned(), USAGE))
        }
    }
}

/// Waits for an address.
async fn lease(stack: &Stack) -> Result<(), (String, i32)> {
    let leased = stack.dhcp(LEASE_WAIT).await;
    leased.map(drop).map_err(|error| {
        let late = error.kind() == io::ErrorKind::TimedOut;
        let status = if late { TRY_AGAIN } else { 1 };
        (format!("--dhcp: no lease: {error}"), status)
    })
}
