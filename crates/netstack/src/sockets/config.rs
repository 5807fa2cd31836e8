//! What a stack starts with.

use std::io;
use std::net::IpAddr;

use crate::proto::interface::Ipv6;
use crate::proto::ip::v6::MINIMUM_MTU;
use crate::proto::ip::{Cidr, is_host, v4};
use crate::proto::{tcp, udp};
use crate::sockets::error::invalid;

/// What a stack starts with.
///
/// ```
/// use netstack::Ipv6;
///
/// let config = netstack::Config::default()
///     .address("10.0.0.2/24".parse()?)
///     .gateway([10, 0, 0, 1].into())
///     .ipv6(Ipv6::default())
///     .address("fd00::2/64".parse()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Config {
    /// Our first addresses, of both families; more can be added later.
    pub addresses: Vec<Cidr>,
    /// The routers for what is not on our link: one of each family, at most.
    pub gateways: Vec<IpAddr>,
    /// Octets of the largest IP packet that is sent, if that is to be less than the device takes. A DHCP
    /// server may ask for still less, and a router of IPv6 for its own packets.
    pub mtu: Option<usize>,
    /// Speaks IPv6, with a link-local address and those that routers name, unless packets of 1,280 octets
    /// are too large.
    pub ipv6: Option<Ipv6>,
    /// A secret, different at each start; taken from the system when it is not set.
    pub seed: Option<[u8; 32]>,
    /// Settings of TCP.
    pub tcp: tcp::Config,
    /// What a UDP socket may hold for its reader.
    pub udp: udp::QueueLimits,
}

impl Config {
    setters! {
        tcp: tcp::Config,
        udp: udp::QueueLimits,
        ;
        some mtu: usize,
        some ipv6: Ipv6,
        some seed: [u8; 32],
    }

    /// Adds one of [`addresses`](#structfield.addresses).
    #[must_use]
    pub fn address(mut self, address: Cidr) -> Self {
        self.addresses.push(address);
        self
    }

    /// Sets the router of its family, among the [`gateways`](#structfield.gateways).
    #[must_use]
    pub fn gateway(mut self, gateway: IpAddr) -> Self {
        self.gateways
            .retain(|other| other.is_ipv4() != gateway.is_ipv4());
        self.gateways.push(gateway);
        self
    }

    /// Whether addresses and gateways can be such, and fit each other and an MTU of `mtu` octets.
    pub(super) fn check(&self, mtu: usize) -> io::Result<()> {
        for address in &self.addresses {
            let host = match address.v4() {
                Some(address) => is_host_in(address),
                None => is_host(address.address()),
            };
            if !host || address.address().is_loopback() {
                return Err(invalid(format!(
                    "address {address}: expected that of a host on the network"
                )));
            }
            if address.v6().is_some() && (self.ipv6.is_none() || mtu < MINIMUM_MTU) {
                return Err(invalid(format!(
                    "address {address}: expected IPv6 to be spoken, and an MTU of {MINIMUM_MTU} octets, not {mtu}"
                )));
            }
        }
        for gateway in &self.gateways {
            self.check_gateway(*gateway)?;
        }
        Ok(())
    }

    /// A router is a host of one of our networks, if we have any of its family, or has a link-local
    /// address.
    fn check_gateway(&self, gateway: IpAddr) -> io::Result<()> {
        let addresses = self.addresses.iter();
        let ours: Vec<_> = addresses
            .filter(|it| it.address().is_ipv4() == gateway.is_ipv4())
            .collect();
        let on_link = match gateway {
            IpAddr::V6(gateway) => gateway.is_unicast_link_local(),
            IpAddr::V4(_) => false,
        };
        let other = |it: &&Cidr| it.contains(gateway) && it.address() != gateway;
        let Some(first) = ours.first().filter(|_| !on_link) else {
            return Ok(());
        };
        match ours.iter().copied().any(|it| other(&it)) {
            true => Ok(()),
            false => Err(invalid(format!(
                "gateway {gateway}: expected another host of {first}"
            ))),
        }
    }
}

/// Whether a host of its network can have this address: the first stands for the network itself and the last for all
/// hosts of it (RFC 1122 section 3.2.1.3), but for networks of two or one (RFC 3021).
fn is_host_in(cidr: v4::Cidr) -> bool {
    is_host(cidr.address())
        && (cidr.broadcast()).is_none_or(|last| cidr.address() != last && cidr != cidr.network())
}
