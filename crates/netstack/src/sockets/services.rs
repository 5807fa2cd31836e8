//! What the network has told of servers and domains.

use std::net::IpAddr;

use crate::sockets::stack::Stack;

impl Stack {
    /// The name servers that the network has told of: by DHCP, DHCPv6 and router advertisements, in this order.
    #[must_use]
    pub fn name_servers(&self) -> Vec<IpAddr> {
        self.driver.with(|driver| driver.proto.name_servers())
    }

    /// The time servers, which speak NTP, that the network has told of: by DHCP and DHCPv6.
    #[cfg(feature = "dhcp")]
    #[must_use]
    pub fn time_servers(&self) -> Vec<IpAddr> {
        self.driver.with(|driver| driver.proto.time_servers())
    }

    /// The domains in which names without one are to be looked for, as the network has told: a resolver does so when
    /// they are given to it by [`Resolver::set_domains`](crate::Resolver::set_domains).
    #[must_use]
    pub fn domains(&self) -> Vec<String> {
        self.driver.with(|driver| driver.proto.domains())
    }
}
