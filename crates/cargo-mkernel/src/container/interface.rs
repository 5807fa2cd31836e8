//! The container's interfaces, as its runtime has set them up.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Error};
use std::net::Ipv4Addr;
use std::path::Path;

use hostdev::MacAddress;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::{InterfaceFlags, if_nametoindex};

/// Where the kernel lists interfaces.
const CLASS: &str = "/sys/class/net";

/// An interface that leads out of the container.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) name: String,
    pub(super) index: u32,
    pub(super) mac: MacAddress,
    pub(super) mtu: u32,
    /// Its first IPv4 address, with the length of its network's prefix.
    pub(super) network: Option<String>,
    pub(super) gateway: Option<Ipv4Addr>,
}

impl Interface {
    /// Those that are up and carry Ethernet, in the order in which they were made, TAPs left out.
    pub(super) fn all() -> Result<Vec<Self>, String> {
        let about = |error: &dyn std::fmt::Display| {
            format!("cannot list the container's interfaces: {error}")
        };
        let routes = fs::read_to_string("/proc/net/route").unwrap_or_default();
        let mut found = BTreeMap::new();
        let mut networks = BTreeMap::new();
        for entry in getifaddrs().map_err(|error| about(&error))? {
            let Some(address) = entry.address else {
                continue;
            };
            let name = entry.interface_name;
            if let (Some(address), Some(mask)) = (
                address.as_sockaddr_in(),
                entry
                    .netmask
                    .as_ref()
                    .and_then(|mask| mask.as_sockaddr_in()),
            ) {
                let prefix = mask.ip().to_bits().count_ones();
                networks
                    .entry(name)
                    .or_insert_with(|| format!("{}/{prefix}", address.ip()));
                continue;
            }
            let Some((link, mac)) = address
                .as_link_addr()
                .and_then(|link| Some((link, link.addr()?)))
            else {
                continue;
            };
            let unusable = entry.flags.contains(InterfaceFlags::IFF_LOOPBACK)
                || !entry
                    .flags
                    .contains(InterfaceFlags::IFF_UP | InterfaceFlags::IFF_BROADCAST);
            if unusable || has(Path::new(CLASS), &name, "tun_flags") {
                continue;
            }
            let interface = Self {
                index: u32::try_from(link.ifindex()).map_err(|error| about(&error))?,
                mac: MacAddress(mac),
                mtu: mtu(&name)?,
                network: None,
                gateway: gateway(&routes, &name),
                name,
            };
            found.insert(interface.index, interface);
        }
        let mut found: Vec<Self> = found.into_values().collect();
        for interface in &mut found {
            interface.network = networks.remove(&interface.name);
        }
        Ok(found)
    }

    /// Whether it may be taken away from whoever else is here: a container's has no hardware of its own, the machine's has.
    pub(super) fn check(&self) -> Result<(), String> {
        check(Path::new(CLASS), &self.name)
    }
}

fn check(class: &Path, name: &str) -> Result<(), String> {
    match has(class, name, "device") {
        false => Ok(()),
        true => Err(format!(
            "{name} is hardware of this machine, which would be cut off: expected a network of the container's own (not \
             --network host), or --net:NAME=…"
        )),
    }
}

pub(super) fn index(name: &str) -> io::Result<u32> {
    if_nametoindex(name).map_err(Error::from)
}

/// Whether the kernel knows this of an interface.
fn has(class: &Path, name: &str, what: &str) -> bool {
    fs::exists(class.join(name).join(what)).unwrap_or(false)
}

fn mtu(name: &str) -> Result<u32, String> {
    let path = format!("{CLASS}/{name}/mtu");
    let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let mtu = text.trim_end().parse();
    mtu.map_err(|_| format!("{path} is {text:?}: expected a number"))
}

/// The router that the default route by this interface names in `/proc/net/route`: interface, destination, gateway and what
/// follows, addresses as hexadecimal numbers whose first octet is the last.
fn gateway(routes: &str, interface: &str) -> Option<Ipv4Addr> {
    routes.lines().find_map(|line| {
        let mut columns = line.split_whitespace();
        if columns.next() != Some(interface) || columns.next() != Some("00000000") {
            return None;
        }
        let gateway = u32::from_str_radix(columns.next()?, 16).ok()?;
        Some(Ipv4Addr::from(gateway.swap_bytes())).filter(|gateway| !gateway.is_unspecified())
    })
}

/// The name servers of `/etc/resolv.conf`, without those that answer only within the container.
pub(super) fn name_servers() -> Vec<Ipv4Addr> {
    let text = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let servers = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some("nameserver"))
            .then_some(words.next()?)?
            .parse()
            .ok()
    });
    servers
        .filter(|server: &Ipv4Addr| !server.is_loopback())
        .collect()
}

#[cfg(test)]
mod tests;
