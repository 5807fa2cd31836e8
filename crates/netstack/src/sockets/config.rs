//! What a stack starts with.

use std::net::Ipv4Addr;

use crate::proto::ip::Cidr;
use crate::proto::{tcp, udp};

/// What a stack starts with.
///
/// ```
/// let config = netstack::Config::default()
///     .address("10.0.0.2/24".parse()?)
///     .gateway([10, 0, 0, 1].into());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Config {
    /// Our first address; more can be added later.
    pub address: Option<Cidr>,
    /// The router for what is not on our link.
    pub gateway: Option<Ipv4Addr>,
    /// Octets of the largest IPv4 packet that is sent, if that is to be less than the device takes. A
    /// DHCP server may ask for still less.
    pub mtu: Option<usize>,
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
        some address: Cidr,
        some gateway: Ipv4Addr,
        some mtu: usize,
        some seed: [u8; 32],
    }
}
