//! The arguments of IPv6.

use std::net::Ipv6Addr;

use clap::{ArgAction, Args};
use netstack::{Config, proto::ip::v6::Cidr};

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
}

/// Reads an address.
fn address(text: &str) -> Result<Ipv6Addr, &'static str> {
    let expected = "expected an IPv6 address, like fd00::1";
    text.parse().map_err(|_| expected)
}

impl Ipv6Network {
    /// What a stack is to start with, for IPv6 too.
    pub(super) fn add_to(&self, mut config: Config) -> Config {
        let settings = config.ipv6.take().unwrap_or_default();
        config.ipv6 = Some(settings.accept_ra(self.accept_ra));
        for address in &self.ipv6 {
            config = config.address((*address).into());
        }
        match self.ipv6_gateway {
            Some(gateway) => config.gateway(gateway.into()),
            None => config,
        }
    }
}
