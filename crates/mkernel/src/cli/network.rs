//! A network device's addresses, and what is behind them.

use std::error::Error;
use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::{fmt, io};

use clap::Args;
use futures_core::Stream;
use miou_rs::Promise;
use netstack::{AddressEvent, Config, Resolver, Stack, proto::dhcp::Lease, proto::ip::v4};
use solo5_ffi::Net;

#[cfg(feature = "ipv6")]
use super::ipv6::Ipv6Network;
use crate::addressing::{self, LEASE_WAIT};
use crate::hypercalls::Hypercalls;
use crate::log::{self, Filter, info, warn};
use crate::net;
use crate::source::{Solo5, source};

/// The arguments of a service on one network device: a part of a [`clap::Parser`], to be flattened.
#[derive(Args, Clone, Debug)]
// Or `--help` of a program that says nothing of itself has the words above.
#[command(about = None, long_about = None)]
#[non_exhaustive]
pub struct Network {
    /// The name of this unikernel, for its log
    #[arg(long)]
    pub name: Option<String>,
    /// Our address and the length of its network's prefix [default: 10.0.0.2/24]
    #[arg(long, value_name = "ADDRESS/PREFIX", conflicts_with = "dhcp")]
    pub ipv4: Option<v4::Cidr>,
    /// The router to all other networks
    #[arg(long, value_name = "ADDRESS", value_parser = address, conflicts_with = "dhcp")]
    pub ipv4_gateway: Option<Ipv4Addr>,
    /// What is said of IPv6.
    #[cfg(feature = "ipv6")]
    #[command(flatten)]
    pub ipv6: Ipv6Network,
    /// Ask the network's DHCP server for address, router and name servers
    #[arg(long)]
    pub dhcp: bool,
    /// A name server, in place of those that the DHCP server names; may be repeated
    #[arg(long, value_name = "ADDRESS", value_parser = server)]
    pub dns: Vec<IpAddr>,
    /// Send no larger IP packets than of so many octets
    #[arg(long, value_name = "OCTETS", value_parser = clap::value_parser!(u16).range(68..))]
    pub mtu: Option<u16>,
    /// What is logged: LEVEL, TARGET=LEVEL, or a list, as in info,netstack=debug
    #[arg(long, value_name = "LEVEL", default_value_t)]
    pub log: Filter,
}

/// Reads an address.
fn address(text: &str) -> Result<Ipv4Addr, &'static str> {
    let expected = "expected an IPv4 address, like 10.0.0.1";
    text.parse().map_err(|_| expected)
}

/// Reads the address of a name server.
fn server(text: &str) -> Result<IpAddr, &'static str> {
    let expected = "expected an address, like 10.0.0.1 or fd00::1";
    text.parse().map_err(|_| expected)
}

/// A network device with an address: see [`Network::start`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Online {
    /// The stack on the device.
    pub stack: Stack,
    /// It asks the name servers of the command line, or else those that the DHCP server has named last.
    pub resolver: Resolver,
    /// The task that logs what becomes of our addresses, and tells the resolver of other name servers.
    _watch: Promise<()>,
}

/// Why a service could not be started: see [`Network::start`].
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The stack cannot be started as the command line says.
    Stack(io::Error),
    /// The network gave us no address.
    Lease(io::Error),
    /// It gave us none of IPv6.
    LeaseV6(io::Error),
}

impl StartError {
    /// The exit status that tells a supervisor whether to try again: 64 for settings that will never do, 75
    /// (`EX_TEMPFAIL` of BSD's sysexits) where there was no lease yet, otherwise 1.
    #[must_use]
    pub fn status(&self) -> u8 {
        match self {
            Self::Stack(error) if error.kind() == io::ErrorKind::InvalidInput => super::USAGE,
            Self::Lease(error) | Self::LeaseV6(error)
                if error.kind() == io::ErrorKind::TimedOut =>
            {
                75
            }
            _ => 1,
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (option, error) = match self {
            Self::Stack(error) => return write!(f, "cannot start the network: {error}"),
            Self::Lease(error) => ("--dhcp", error),
            Self::LeaseV6(error) => ("--dhcpv6", error),
        };
        if error.kind() != io::ErrorKind::TimedOut {
            return write!(f, "{option}: no lease: {error}");
        }
        let seconds = LEASE_WAIT.as_secs();
        write!(
            f,
            "{option}: expected a lease, and no server granted one within {seconds} s"
        )
    }
}

impl Error for StartError {}

impl Network {
    /// Starts to log, starts a stack on `device`, gives it the address of the command line or waits for a lease, and has a
    /// resolver ask the name servers. What is decided so, and what becomes of the addresses later, is logged.
    ///
    /// # Errors
    ///
    /// When the settings do not fit each other or the device, or no lease was granted within 60 s.
    ///
    /// # Panics
    ///
    /// Outside of [`run`](crate::run).
    pub async fn start(&self, device: Net) -> Result<Online, StartError> {
        self.start_with(device, Config::default()).await
    }

    /// As [`Network::start`], with settings of the stack; addresses, routers and MTU are those of the command line.
    ///
    /// # Errors
    ///
    /// As [`Network::start`].
    ///
    /// # Panics
    ///
    /// As [`Network::start`].
    pub async fn start_with(&self, device: Net, config: Config) -> Result<Online, StartError> {
        log::init_with(self.log.clone());
        self.start_on(&source(), device, config).await
    }

    pub(super) async fn start_on<H: Hypercalls>(
        &self,
        source: &Solo5<H>,
        device: H::Net,
        mut config: Config,
    ) -> Result<Online, StartError> {
        let name = self.name.as_deref().unwrap_or("this unikernel");
        addressing::set(&mut config, self.dhcp, self.ipv4, self.ipv4_gateway);
        #[cfg(feature = "ipv6")]
        {
            config = self.ipv6.add_to(config);
        }
        config.mtu = self.mtu.map(usize::from);
        let stack = net::start_on(source, device, config).map_err(StartError::Stack)?;
        let resolver = Resolver::new(&stack, self.dns.iter().copied());
        if self.dhcp {
            info!("{name} asks for a lease, as {}", stack.mac());
            let lease = stack.dhcp(LEASE_WAIT).await.map_err(StartError::Lease)?;
            info!("{name} has {}", describe(&lease));
        } else {
            let addresses = list(stack.addresses());
            let router = self.ipv4_gateway.into_iter();
            info!(
                "{name} has the address {addresses}, router {}",
                list(router)
            );
        }
        #[cfg(feature = "dhcpv6")]
        self.ipv6.await_lease(&stack, name).await?;
        if self.dns.is_empty() {
            resolver.set_servers(stack.name_servers());
        }
        resolver.set_domains(stack.domains());
        info!("names are resolved by {}", list(resolver.servers()));
        let watch = watch(stack.clone(), resolver.clone(), self.dns.is_empty());
        Ok(Online {
            _watch: miou_rs::spawn_named("addresses", watch),
            resolver,
            stack,
        })
    }
}

/// Logs what becomes of our addresses, and has `resolver` look in the domains that leases and routers name, and ask the
/// name servers, if these are theirs to say.
async fn watch(stack: Stack, resolver: Resolver, named: bool) {
    let mut events = stack.address_events();
    while let Some(event) = poll_fn(|context| Pin::new(&mut events).poll_next(context)).await {
        match event {
            AddressEvent::Leased(lease) => {
                info!("there is {}", describe(&lease));
                take_names(&stack, &resolver, named);
            }
            AddressEvent::NameServers => take_names(&stack, &resolver, named),
            AddressEvent::LeasedV6(lease) => {
                let addresses = lease.addresses.iter().map(|held| held.address);
                info!("there is a lease of {} by DHCPv6", list(addresses));
                take_names(&stack, &resolver, named);
            }
            AddressEvent::LeaseV6Lost => {
                warn!("the lease of DHCPv6 is lost");
                take_names(&stack, &resolver, named);
            }
            AddressEvent::LeaseLost => {
                warn!("the lease is lost, and another looked for");
                take_names(&stack, &resolver, named);
            }
            AddressEvent::Granted(address) => info!("there is the address {address}"),
            AddressEvent::Refused { address, owner } => {
                warn!("{owner} has our address {address}, which is not used");
            }
            AddressEvent::Conflict { address, other } => {
                warn!("{other} uses our address {address} too");
            }
            _ => {}
        }
    }
}

/// Has `resolver` look in the domains that the network has told of last and, if `named`, ask the name servers, if there
/// are any.
fn take_names(stack: &Stack, resolver: &Resolver, named: bool) {
    resolver.set_domains(stack.domains());
    let servers = stack.name_servers();
    if named && !servers.is_empty() && servers != resolver.servers() {
        info!("names are resolved by {} from now on", list(&servers));
        resolver.set_servers(servers);
    }
}

fn describe(lease: &Lease) -> String {
    let Lease {
        address, server, ..
    } = lease;
    let time = match lease.duration {
        Some(duration) => format!("{} s", duration.as_secs()),
        None => "ever".to_owned(),
    };
    let router = list(lease.gateway);
    let dns = list(&lease.dns);
    format!("a lease of {address} from {server} for {time}, router {router}, name servers {dns}")
}

pub(super) fn list(items: impl IntoIterator<Item = impl fmt::Display>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    match items.is_empty() {
        true => "none".to_owned(),
        false => items.join(", "),
    }
}
