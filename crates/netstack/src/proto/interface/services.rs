//! What the network says of servers and domains: by DHCP, DHCPv6 and router advertisements.

use core::net::IpAddr;

use super::Interface;
use crate::proto::ip::v6::name_servers::NameServers;

impl Interface {
    /// The name servers of the network, those of DHCP first (RFC 8106 §5.3.1), each once.
    #[must_use]
    pub fn name_servers(&self) -> Vec<IpAddr> {
        let mut servers = Vec::new();
        #[cfg(feature = "dhcp")]
        {
            servers.extend(
                self.lease()
                    .iter()
                    .flat_map(|it| &it.dns)
                    .map(|it| IpAddr::V4(*it)),
            );
            let information = self.information_v6();
            servers.extend(
                information
                    .iter()
                    .flat_map(|it| &it.dns)
                    .map(|it| IpAddr::V6(*it)),
            );
        }
        servers.extend(
            self.advertised()
                .flat_map(NameServers::servers)
                .map(IpAddr::V6),
        );
        each_once(servers)
    }

    /// The time servers of the network, which speak NTP.
    #[cfg(feature = "dhcp")]
    #[must_use]
    pub fn time_servers(&self) -> Vec<IpAddr> {
        let (lease, information) = (self.lease(), self.information_v6());
        let v4 = lease
            .iter()
            .flat_map(|it| &it.ntp)
            .map(|it| IpAddr::V4(*it));
        let v6 = information.iter().flat_map(|it| &it.ntp);
        each_once(v4.chain(v6.map(|it| IpAddr::V6(*it))).collect())
    }

    /// The domains in which names without one are to be looked for.
    #[must_use]
    pub fn domains(&self) -> Vec<String> {
        let mut domains = Vec::new();
        #[cfg(feature = "dhcp")]
        {
            domains.extend(self.lease().and_then(|it| it.domain.clone()));
            domains.extend(
                self.information_v6()
                    .iter()
                    .flat_map(|it| it.domains.clone()),
            );
        }
        domains.extend(
            self.advertised()
                .flat_map(NameServers::domains)
                .map(str::to_owned),
        );
        each_once(domains)
    }
}

impl Interface {
    fn advertised(&self) -> impl Iterator<Item = &NameServers> {
        self.egress.v6.iter().map(|v6| v6.name_servers())
    }
}

fn each_once<T: PartialEq>(items: Vec<T>) -> Vec<T> {
    let mut once = Vec::with_capacity(items.len());
    for item in items {
        if !once.contains(&item) {
            once.push(item);
        }
    }
    once
}
