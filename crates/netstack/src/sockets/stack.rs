//! The handle to a stack.

use std::future::poll_fn;
use std::io;
use std::net::Ipv4Addr;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::device::{FrameDevice, Timer};
use crate::driver::DriverRef;
use crate::driver::delay::{Delay, within};
use crate::driver::pool::held_by_frame;
use crate::driver::runner::Runner;
#[cfg(feature = "dhcp")]
use crate::driver::{Driver, Queue, waiting::Waiting};
use crate::proto::interface::{Config as ProtoConfig, Counters};
use crate::proto::ip::{Cidr, Route};
use crate::proto::link::ethernet::MacAddr;
use crate::proto::{self, Instant, tcp};
use crate::sockets::error::{invalid, send_error};

/// What a stack starts with.
///
/// ```
/// let mut config = netstack::Config::default();
/// config.address = Some("10.0.0.2/24".parse()?);
/// config.gateway = Some([10, 0, 0, 1].into());
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
    pub udp: proto::udp::QueueLimits,
}

/// A network stack over one interface: addresses, routes, counters.
///
/// It is a handle: its clones are the same stack. It belongs to one thread.
#[derive(Clone)]
pub struct Stack {
    pub(crate) driver: DriverRef,
}

impl Stack {
    /// A stack over `device`, with the future that drives it.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the device's MTU is not between 68 and 65,535 octets, that of `config` exceeds
    /// it or is below 68, or the gateway does not lie in the address' network; an error of the system if
    /// it has no random numbers.
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
        if let (Some(gateway), Some(address)) = (config.gateway, config.address)
            && (!address.contains(gateway) || gateway == address.address())
        {
            return Err(invalid(format!(
                "gateway {gateway}: expected another host of {address}"
            )));
        }
        let seed = match config.seed {
            Some(seed) => seed,
            None => system_seed()?,
        };
        let mut proto = ProtoConfig::new(device.mac(), mtu, seed);
        proto.offload = device.offload();
        let memory = config.tcp.budget();
        proto.tcp = config.tcp;
        proto.tcp.held_by_frame = held_by_frame;
        proto.udp = config.udp;
        let proto = proto::Interface::new(proto);
        let driver = DriverRef::new(proto, Box::new(device), Box::new(timer), memory);
        let stack = Self {
            driver: driver.clone(),
        };
        if let Some(address) = config.address {
            stack.add_address(address);
        }
        if let Some(gateway) = config.gateway {
            stack.set_gateway(gateway);
        }
        Ok((stack, Runner::new(driver)))
    }

    /// Takes an address and announces it on the link.
    pub fn add_address(&self, address: Cidr) {
        self.driver.with(|driver| {
            let now = driver.now();
            driver.proto.add_address(now, address);
            driver.after_call();
        });
    }

    /// Gives an address up; tells whether it was ours. Its connections end with `AddrNotAvailable`.
    pub fn remove_address(&self, address: Ipv4Addr) -> bool {
        self.driver.with(|driver| {
            let now = driver.now();
            let removed = driver.proto.remove_address(now, address);
            driver.after_call();
            removed
        })
    }

    /// Our addresses.
    #[must_use]
    pub fn addresses(&self) -> Vec<Cidr> {
        self.driver.with(|driver| driver.proto.addresses().to_vec())
    }

    /// Sends what no other route leads to by this router.
    pub fn set_gateway(&self, gateway: Ipv4Addr) {
        if let Ok(destination) = Cidr::new(Ipv4Addr::UNSPECIFIED, 0) {
            self.add_route(Route {
                destination,
                gateway,
            });
        }
    }

    /// Adds a route, replacing the one to the same prefix.
    pub fn add_route(&self, route: Route) {
        self.driver.with(|driver| driver.proto.add_route(route));
    }

    /// Takes the route to `destination` away; tells whether it was there.
    pub fn remove_route(&self, destination: Cidr) -> bool {
        self.driver
            .with(|driver| driver.proto.remove_route(destination))
    }

    /// The routes, the longest prefix first.
    #[must_use]
    pub fn routes(&self) -> Vec<Route> {
        self.driver.with(|driver| driver.proto.routes().to_vec())
    }

    /// The hardware address of the interface.
    #[must_use]
    pub fn mac(&self) -> MacAddr {
        self.driver.with(|driver| driver.proto.mac())
    }

    /// Octets of the largest IPv4 packet that the interface takes.
    #[must_use]
    pub fn mtu(&self) -> usize {
        self.driver.with(|driver| driver.proto.mtu())
    }

    /// The counters as they are now.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.driver.with(|driver| driver.proto.counters())
    }

    /// Frames that the device refused to send.
    #[must_use]
    pub fn failed_frames(&self) -> u64 {
        self.driver.with(|driver| driver.failed_frames())
    }

    /// Asks the link's DHCP servers for an address, takes it with its router, and waits at most
    /// `timeout` for it. The lease is extended in the background for as long as the stack runs.
    ///
    /// There is one search: called again, while it goes on or later, this waits for the same, and
    /// returns at once the lease that is held.
    ///
    /// # Errors
    ///
    /// `TimedOut` (the search goes on all the same), or what broke the device.
    #[cfg(feature = "dhcp")]
    pub async fn dhcp(&self, timeout: Duration) -> io::Result<proto::dhcp::Lease> {
        self.search(timeout, proto::Interface::start_dhcp).await
    }

    /// As [`Stack::dhcp`], but asks first whether `address`, which the machine had before it was started
    /// again, is still ours (RFC 2131 §3.2): two messages are enough then.
    ///
    /// # Errors
    ///
    /// As [`Stack::dhcp`].
    #[cfg(feature = "dhcp")]
    pub async fn dhcp_again(
        &self,
        address: Ipv4Addr,
        timeout: Duration,
    ) -> io::Result<proto::dhcp::Lease> {
        let resume = |proto: &mut proto::Interface, now| proto.resume_dhcp(now, address);
        self.search(timeout, resume).await
    }

    /// Waits for the lease of the search that goes on, or of one that `start` begins.
    #[cfg(feature = "dhcp")]
    async fn search(
        &self,
        timeout: Duration,
        start: impl FnOnce(&mut proto::Interface, Instant),
    ) -> io::Result<proto::dhcp::Lease> {
        self.driver.with(|driver| {
            driver.check()?;
            let now = driver.now();
            if !driver.proto.runs_dhcp() {
                start(&mut driver.proto, now);
                driver.after_call();
            }
            io::Result::Ok(())
        })?;
        let bound = |driver: &mut Driver| {
            driver.check()?;
            match driver.proto.lease() {
                Some(lease) => Poll::Ready(Ok(lease.clone())),
                None => Poll::Pending,
            }
        };
        let bound = Waiting::new(&self.driver, Queue::Lease, bound);
        within(&self.driver, timeout, bound).await
    }

    /// The DHCP lease that is held now.
    #[cfg(feature = "dhcp")]
    #[must_use]
    pub fn lease(&self) -> Option<proto::dhcp::Lease> {
        self.driver.with(|driver| driver.proto.lease().cloned())
    }

    /// Is ready after `duration`, by the stack's timer, or when the stack has ended.
    pub async fn sleep(&self, duration: Duration) {
        Delay::new(&self.driver, duration).await;
    }

    /// Asks `host` for an echo and waits at most `timeout` for it; returns the time it took.
    ///
    /// # Errors
    ///
    /// `TimedOut`, `NetworkUnreachable`, or what broke the device.
    pub async fn ping(&self, host: Ipv4Addr, timeout: Duration) -> io::Result<Duration> {
        let ping = Ping::send(&self.driver, host)?;
        let reply = poll_fn(|context| ping.poll(context));
        within(&self.driver, timeout, reply).await
    }
}

/// An echo request that was sent.
struct Ping<'a> {
    driver: &'a DriverRef,
    number: u32,
    sent: Instant,
}

impl<'a> Ping<'a> {
    fn send(driver: &'a DriverRef, host: Ipv4Addr) -> io::Result<Self> {
        let (number, sent) = driver.with(|driver| {
            driver.check()?;
            let now = driver.now();
            io::Result::Ok((driver.open_ping(host), now))
        })?;
        // From here on the number is given back, whatever happens.
        let ping = Self {
            driver,
            number,
            sent,
        };
        let (identifier, sequence) = ((number >> 16) as u16, number as u16);
        driver.with(|driver| {
            let (proto, out) = driver.parts();
            let result =
                proto.send_echo_request(sent, host, identifier, sequence, b"netstack", out);
            driver.after_call();
            result.map_err(send_error)
        })?;
        Ok(ping)
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<io::Result<Duration>> {
        self.driver.with(|driver| {
            driver.check()?;
            let reply = driver.poll_ping(self.number, context.waker());
            reply.map(|came| Ok(came - self.sent))
        })
    }
}

impl Drop for Ping<'_> {
    fn drop(&mut self) {
        self.driver.with(|driver| driver.close_ping(self.number));
    }
}

fn system_seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(seed)
}
