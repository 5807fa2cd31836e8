//! The handle to a stack.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::device::{FrameDevice, Timer};
use crate::driver::delay::{Delay, within};
use crate::driver::pool::held_by_frame;
use crate::driver::runner::Runner;
use crate::driver::waiting::Waiting;
use crate::driver::{Driver, DriverRef, Queue};
use crate::proto;
use crate::proto::interface::{Counters, InterfaceConfig};
use crate::proto::ip::{Cidr, Route};
use crate::proto::link::ethernet::MacAddr;
use crate::sockets::address_events::AddressEvents;
use crate::sockets::config::Config;
use crate::sockets::error::invalid;
use crate::sockets::ping::Ping;

/// A network stack over one interface: addresses, routes, counters.
///
/// It is a handle: its clones are the same stack. It belongs to one thread.
#[derive(Clone)]
pub struct Stack {
    pub(crate) driver: DriverRef,
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("Stack");
        self.driver.look(|driver| {
            f.field("mac", &driver.proto.mac());
            f.field("addresses", &driver.proto.addresses());
        });
        f.finish_non_exhaustive()
    }
}

impl Stack {
    /// A stack over `device`, driven by a task that `spawn` starts. What `spawn` returns is kept with the
    /// stack: on executors where a task ends with its handle, that handle.
    ///
    /// The task goes on for as long as somebody holds the stack, a socket or a stream of it, and until
    /// what they had written is delivered. [`Stack::failure`] tells if it ends before.
    ///
    /// # Errors
    ///
    /// As [`Stack::new`].
    pub fn start<T: 'static>(
        device: impl FrameDevice + 'static,
        timer: impl Timer + 'static,
        config: Config,
        spawn: impl FnOnce(Runner) -> T,
    ) -> io::Result<Self> {
        let (stack, runner) = Self::new(device, timer, config)?;
        stack.driver.keep_task(spawn(runner));
        Ok(stack)
    }

    /// A stack over `device`, with the future that drives it.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the device's MTU is not between 68 and 65,535 octets, that of `config` exceeds
    /// it or is below 68, the address cannot be that of a host (the first of a network stands for the network and
    /// the last for all hosts, RFC 1122 section 3.2.1.3), or the gateway does not lie in the address' network; an
    /// error of the system if it has no random numbers.
    pub fn new(
        device: impl FrameDevice + 'static,
        timer: impl Timer + 'static,
        config: Config,
    ) -> io::Result<(Self, Runner)> {
        let mtu = device.mtu();
        if !(68..=65_535).contains(&mtu) {
            return Err(invalid(format!("MTU {mtu}: expected 68 to 65535 octets")));
        }
        let (most, mtu) = (mtu, config.mtu.unwrap_or(mtu));
        if !(68..=most).contains(&mtu) {
            return Err(invalid(format!("MTU {mtu}: expected 68 to {most} octets")));
        }
        config.check(mtu)?;
        let seed = match config.seed {
            Some(seed) => seed,
            None => system_seed()?,
        };
        let mut proto = InterfaceConfig::new(device.mac(), mtu, seed);
        proto.offload = device.offload();
        proto.offload_v6 = device.offload_v6();
        proto.offload_udp = device.offload_udp();
        let memory = config.tcp.budget();
        proto.tcp = config.tcp;
        proto.tcp.held_by_frame = held_by_frame;
        proto.udp = config.udp;
        let proto = proto::Interface::new(proto);
        let driver = DriverRef::new(proto, Box::new(device), Box::new(timer), memory);
        let stack = Self {
            driver: driver.clone(),
        };
        if let Some(ipv6) = &config.ipv6 {
            stack.driver.with(|driver| {
                let now = driver.now();
                ipv6.start(&mut driver.proto, now);
            });
        }
        for address in config.addresses {
            stack.add_address(address);
        }
        for gateway in config.gateways {
            stack.set_gateway(gateway);
        }
        Ok((stack, Runner::new(driver)))
    }

    /// Takes an address and announces it on the link; one of IPv6 is in use when the link has been asked
    /// whether it is free, as [`AddressEvent::Granted`] or [`AddressEvent::Refused`] tell after about a
    /// second. False for one of IPv6 where that is not spoken ([`Config::ipv6`]).
    ///
    /// [`AddressEvent::Granted`]: crate::AddressEvent::Granted
    /// [`AddressEvent::Refused`]: crate::AddressEvent::Refused
    pub fn add_address(&self, address: Cidr) -> bool {
        self.driver.with(|driver| {
            let now = driver.now();
            let added = driver.proto.add_address(now, address);
            driver.after_call();
            added
        })
    }

    /// Gives an address up; tells whether it was ours. Its connections end with `AddrNotAvailable`.
    pub fn remove_address(&self, address: impl Into<IpAddr>) -> bool {
        self.driver.with(|driver| {
            let now = driver.now();
            let removed = driver.proto.remove_address(now, address);
            driver.after_call();
            removed
        })
    }

    /// Asks the link whether `address` is free (RFC 5227 §2.1): an [`AddressEvent::Granted`] or
    /// [`AddressEvent::Refused`] tells, within about six seconds. The address is not used before
    /// [`Stack::add_address`].
    ///
    /// [`AddressEvent::Granted`]: crate::AddressEvent::Granted
    /// [`AddressEvent::Refused`]: crate::AddressEvent::Refused
    pub fn probe_address(&self, address: Ipv4Addr) {
        self.driver.with(|driver| {
            let now = driver.now();
            driver.proto.probe_address(now, address);
            driver.after_call();
        });
    }

    /// What happens to our addresses from now on: leases that come and go, conflicts, answers to
    /// [`Stack::probe_address`].
    pub fn address_events(&self) -> AddressEvents<'_> {
        AddressEvents::new(self)
    }

    /// Our addresses: those of IPv4, and those of IPv6 that are in use.
    #[must_use]
    pub fn addresses(&self) -> Vec<Cidr> {
        self.driver.with(|driver| driver.proto.addresses())
    }

    /// Sends what no other route of its family leads to by this router.
    pub fn set_gateway(&self, gateway: impl Into<IpAddr>) {
        let gateway = gateway.into();
        let all: IpAddr = match gateway {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        if let Ok(destination) = Cidr::new(all, 0) {
            self.add_route(Route {
                destination,
                gateway,
            });
        }
    }

    /// Adds a route, replacing the one to the same prefix; false where destination and gateway are not of
    /// one family, or it is one of IPv6 and that is not spoken.
    pub fn add_route(&self, route: Route) -> bool {
        self.driver.with(|driver| driver.proto.add_route(route))
    }

    /// Takes the route to `destination` away; tells whether it was there.
    pub fn remove_route(&self, destination: Cidr) -> bool {
        self.driver
            .with(|driver| driver.proto.remove_route(destination))
    }

    /// The routes that were added, those of IPv4 first, of each family the longest prefix first.
    #[must_use]
    pub fn routes(&self) -> Vec<Route> {
        self.driver.with(|driver| driver.proto.routes())
    }

    /// The hardware address of the interface.
    #[must_use]
    pub fn mac(&self) -> MacAddr {
        self.driver.with(|driver| driver.proto.mac())
    }

    /// Octets of the largest IP packet that the interface takes.
    #[must_use]
    pub fn mtu(&self) -> usize {
        self.driver.with(|driver| driver.proto.mtu())
    }

    /// The counters as they are now.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.driver.with(|driver| driver.proto.counters())
    }

    /// Connections whose peers have not acknowledged all that was written to them, also those that nobody holds any more:
    /// none before a machine is switched off.
    #[must_use]
    pub fn undelivered(&self) -> usize {
        self.driver.with(|driver| driver.tcp().undelivered())
    }

    /// Octets that it may hold, of all that peers can make it hold.
    #[must_use]
    pub fn memory_limit(&self) -> usize {
        self.driver.with(|driver| driver.tcp().account().limit())
    }

    /// Has it hold `octets` less than it may, for the program to take; false, and no change, where connections hold them or
    /// would have little left.
    #[must_use]
    pub fn lend(&self, octets: usize) -> bool {
        (self.driver).with(|driver| driver.tcp().account().lend(octets))
    }

    /// Gives `octets` back that it has lent.
    pub fn regain(&self, octets: usize) {
        (self.driver).with(|driver| driver.tcp().account().regain(octets));
    }

    /// Frames that the device refused to send.
    #[must_use]
    pub fn failed_frames(&self) -> u64 {
        self.driver.with(|driver| driver.failed_frames())
    }

    /// Is ready after `duration`, by the stack's timer, or when the stack has ended.
    pub async fn sleep(&self, duration: Duration) {
        Delay::new(&self.driver, duration).await;
    }

    /// Waits until the stack has ended: the error that broke the device, or `NetworkDown` if the task
    /// that drove it was ended.
    pub async fn failure(&self) -> io::Error {
        let failure = |driver: &mut Driver| driver.failure();
        Waiting::new(&self.driver, Queue::Failure, failure).await
    }

    /// Asks `host` for an echo and waits at most `timeout` for it; returns the time it took.
    ///
    /// # Errors
    ///
    /// `TimedOut`, `NetworkUnreachable`, or what broke the device.
    pub async fn ping(&self, host: impl Into<IpAddr>, timeout: Duration) -> io::Result<Duration> {
        let ping = Ping::send(&self.driver, host.into())?;
        let reply = poll_fn(|context| ping.poll(context));
        within(&self.driver, timeout, reply).await
    }
}

fn system_seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(seed)
}
