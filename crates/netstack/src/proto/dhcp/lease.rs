//! What a server grants, and when its times come.

use core::net::Ipv4Addr;
use core::time::Duration;

use super::message::Reply;
use crate::proto::Instant;
use crate::proto::ip;
use crate::proto::ip::v4::{Cidr, Route};

/// A shorter lease is not taken: it would be over before a lost message is sent again.
pub(super) const LEAST_LEASE: Duration = Duration::from_secs(10);
/// How often a lease is asked to be extended, at most (RFC 2131 §4.4.5).
pub(super) const EXTEND_WAIT: Duration = Duration::from_secs(60);

/// What a server has granted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lease {
    /// Our address and its network.
    pub address: Cidr,
    /// The router to all other networks, if one was named.
    pub gateway: Option<Ipv4Addr>,
    /// All routes that belong to the lease: that to everything by the gateway, or the classless ones
    /// (RFC 3442), and those to routers outside of the address' network.
    pub routes: Vec<Route>,
    /// The DNS servers, the preferred first.
    pub dns: Vec<Ipv4Addr>,
    /// The NTP servers, the preferred first.
    pub ntp: Vec<Ipv4Addr>,
    /// The domain that names without one are of, if one was named.
    pub domain: Option<String>,
    /// The server that granted it.
    pub server: Ipv4Addr,
    /// The MTU for the interface, if one was named, in octets.
    pub mtu: Option<u16>,
    /// How long it lasts; `None` for ever.
    pub duration: Option<Duration>,
}

/// When the times of a lease come (RFC 2131 §4.4.5): in this order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) renew: Instant,
    pub(super) rebind: Instant,
    pub(super) expire: Instant,
}

impl Times {
    /// The times of a lease of `duration` that was asked for at `asked`. What the server says of T1
    /// and T2 holds if they are in order; a lease is not extended more often than each minute, or
    /// each half of its time if that is less.
    pub(super) fn new(asked: Instant, duration: Option<Duration>, reply: &Reply) -> Self {
        let Some(duration) = duration else {
            return Self {
                renew: Instant::FAR_FUTURE,
                rebind: Instant::FAR_FUTURE,
                expire: Instant::FAR_FUTURE,
            };
        };
        let least = EXTEND_WAIT.min(duration / 2);
        let in_order = |time: &Duration, before: Duration| !time.is_zero() && *time < before;
        let rebind = reply.rebind.filter(|rebind| in_order(rebind, duration));
        let rebind = rebind.unwrap_or(duration * 7 / 8).max(least);
        let renew = reply.renew.filter(|renew| in_order(renew, rebind));
        // Half of the lease where T2 is at seven eighths of it.
        let renew = renew.unwrap_or(rebind * 4 / 7).max(least).min(rebind);
        Self {
            renew: asked + renew,
            rebind: asked + rebind,
            expire: asked + duration,
        }
    }
}

/// Whether a station can have `address`.
pub(super) fn is_host(address: Ipv4Addr) -> bool {
    ip::is_host(address) && !address.is_loopback()
}

/// The route to everything by `router`.
pub(super) fn default_route(router: Ipv4Addr) -> Vec<Route> {
    let everything = Cidr::new(Ipv4Addr::UNSPECIFIED, 0).ok();
    let route = everything.map(|destination| Route {
        destination,
        gateway: router,
    });
    route.into_iter().collect()
}

/// The router of the route to everything.
pub(super) fn gateway(routes: &[Route]) -> Option<Ipv4Addr> {
    let default = routes
        .iter()
        .find(|route| route.destination.prefix() == 0)?;
    (!default.gateway.is_unspecified()).then_some(default.gateway)
}

/// Adds, for each router that is neither in the network of `address` nor behind a route to the link,
/// one to the link: such routers are given with addresses whose prefix has 32 bits.
pub(super) fn with_ways_to_routers(address: Cidr, mut routes: Vec<Route>) -> Vec<Route> {
    for index in 0..routes.len() {
        let router = routes[index].gateway;
        let reached = router.is_unspecified()
            || address.contains(router)
            || routes
                .iter()
                .any(|route| route.gateway.is_unspecified() && route.destination.contains(router));
        if let (false, Ok(destination)) = (reached, Cidr::new(router, 32)) {
            routes.push(Route {
                destination,
                gateway: Ipv4Addr::UNSPECIFIED,
            });
        }
    }
    routes
}
