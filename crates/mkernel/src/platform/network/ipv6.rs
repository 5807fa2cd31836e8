//! IPv6, and its addresses, which are ours only when the link was asked for others that have them.

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::pin;

use futures_core::Stream as _;
#[cfg(feature = "dhcpv6")]
use netstack::Ipv6;
use netstack::{AddressEvent, Config, Stack, proto::ip::v6::Cidr};
#[cfg(feature = "dhcpv6")]
use posix::Dhcpv6;
use posix::Settings;

use crate::addressing;

/// What a stack is to start with, for IPv6 too.
pub(super) fn add_to(config: Config, settings: &Settings) -> Config {
    #[cfg(feature = "dhcpv6")]
    let config = {
        let when = settings.dhcpv6.unwrap_or(Dhcpv6::Advertised);
        config.ipv6(Ipv6::default().dhcpv6(when == Dhcpv6::Advertised))
    };
    let accept_ra = settings.accept_ra.unwrap_or(true);
    addressing::set_ipv6(config, &settings.ipv6, settings.ipv6_gateway, accept_ra)
}

/// Waits until the stack has all of these, but for those that another has: of these a line is printed. With them it waits for
/// a link-local one: from another address a station of the link, which may have no way back, would be spoken to.
pub(super) async fn settle(stack: &Stack, addresses: &[Cidr]) {
    let mut wanted: Vec<IpAddr> = addresses.iter().map(|it| it.address().into()).collect();
    let mut wants_link_local = !wanted.is_empty();
    let mut events = pin!(stack.address_events());
    loop {
        let ours = stack.addresses();
        wanted.retain(|address| ours.iter().all(|it| it.address() != *address));
        wants_link_local &= !ours.iter().any(|it| is_link_local(it.address()));
        if wanted.is_empty() && !wants_link_local {
            return;
        }
        match poll_fn(|context| events.as_mut().poll_next(context)).await {
            Some(AddressEvent::Refused { address, owner }) => {
                if wanted.contains(&address) {
                    eprintln!("--ipv6 {address}: {owner} has this address, which is not used");
                    wanted.retain(|it| *it != address);
                }
                // The stack asks for another, and may be refused that too.
                wants_link_local &= !is_link_local(address);
            }
            Some(_) => {}
            None => return,
        }
    }
}

fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}
