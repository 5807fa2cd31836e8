//! The arguments of IPv6.

use std::net::Ipv6Addr;

#[cfg(feature = "dhcpv6")]
use clap::ValueEnum;
use clap::{ArgAction, Args};
#[cfg(feature = "dhcpv6")]
use netstack::Stack;
use netstack::{Config, proto::ip::v6::Cidr};

#[cfg(feature = "dhcpv6")]
use super::network::{StartError, list};
use crate::addressing;
#[cfg(feature = "dhcpv6")]
use crate::{addressing::LEASE_WAIT, log::info};

/// The part of [`Network`](super::Network) that is about IPv6, which is always spoken: with a link-local address, and
/// what else it is told.
#[derive(Args, Clone, Debug)]
// Or `--help` of a program that says nothing of itself has the words above.
#[command(about = None, long_about = None)]
#[non_exhaustive]
pub struct Ipv6Network {
    /// An IPv6 address of ours and the length of its network's prefix; may be repeated
    #[arg(long, value_name = "ADDRESS/PREFIX")]
    pub ipv6: Vec<Cidr>,
    /// The IPv6 router to all other networks, where none shows itself
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub ipv6_gateway: Option<Ipv6Addr>,
    /// Take addresses and routers of IPv6 from router advertisements
    #[arg(long, value_name = "BOOL", action = ArgAction::Set, default_value_t = true)]
    pub accept_ra: bool,
    /// When to ask servers of DHCPv6
    #[cfg(feature = "dhcpv6")]
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    pub dhcpv6: Dhcpv6,
    /// A secret of 32 hexadecimal digits, for addresses that are the same at each start
    #[arg(long, value_name = "SECRET", value_parser = secret)]
    pub ipv6_secret: Option<[u8; 16]>,
}

/// When servers of DHCPv6 are asked.
#[cfg(feature = "dhcpv6")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
#[non_exhaustive]
pub enum Dhcpv6 {
    /// For an address, or for name servers, when a router says that there are such servers
    #[default]
    Advertised,
    /// For an address at once, which is waited for
    Always,
    /// Never
    Never,
}

/// Reads an address.
fn address(text: &str) -> Result<Ipv6Addr, &'static str> {
    let expected = "expected an IPv6 address, like fd00::1";
    text.parse().map_err(|_| expected)
}

/// Reads a secret.
fn secret(text: &str) -> Result<[u8; 16], &'static str> {
    let digits = text.len() == 32 && text.bytes().all(|it| it.is_ascii_hexdigit());
    let secret = u128::from_str_radix(text, 16).ok().filter(|_| digits);
    secret
        .map(u128::to_be_bytes)
        .ok_or("expected 32 hexadecimal digits")
}

impl Ipv6Network {
    /// What a stack is to start with, for IPv6 too.
    pub(super) fn add_to(&self, mut config: Config) -> Config {
        let mut settings = config.ipv6.take().unwrap_or_default();
        #[cfg(feature = "dhcpv6")]
        {
            settings = settings.dhcpv6(self.dhcpv6 == Dhcpv6::Advertised);
        }
        settings.secret = self.ipv6_secret.or(settings.secret);
        config.ipv6 = Some(settings);
        addressing::set_ipv6(config, &self.ipv6, self.ipv6_gateway, self.accept_ra)
    }

    /// Waits for a lease of DHCPv6 if the program `name` is to have one at once.
    #[cfg(feature = "dhcpv6")]
    pub(super) async fn await_lease(&self, stack: &Stack, name: &str) -> Result<(), StartError> {
        if self.dhcpv6 == Dhcpv6::Always {
            info!("{name} asks for a lease by DHCPv6");
            let lease = stack.dhcpv6(LEASE_WAIT).await;
            let lease = lease.map_err(StartError::LeaseV6)?;
            let addresses = lease.addresses.iter().map(|held| held.address);
            info!("{name} has a lease of {} by DHCPv6", list(addresses));
        }
        Ok(())
    }
}
