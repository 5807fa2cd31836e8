//! DHCP messages: what this client says and takes of what it is told (RFC 2131 §4.3 and §4.4).

use core::net::Ipv4Addr;
use core::time::Duration;

use super::lease::{self, Lease};
use super::wire::{Answer, Writer, code};
use crate::proto::domain;
use crate::proto::ip::v4::{Cidr, Route};
use crate::proto::link::ethernet::MacAddr;

/// The longest DHCP message that we ask for, in octets: what fits an Ethernet frame.
const MAX_MESSAGE: u16 = 1472;
/// A lease without an end (RFC 2131 §3.3).
const INFINITE: u32 = u32::MAX;
/// DNS servers, NTP servers and routes taken of one answer, at most.
const MAX_SERVERS: usize = 8;
const MAX_ROUTES: usize = 32;

/// The message types that this client knows (RFC 2132 §9.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Discover = 1,
    Offer = 2,
    Request = 3,
    Decline = 4,
    Ack = 5,
    Nak = 6,
    Release = 7,
}

/// What differs between the messages that we send (RFC 2131 table 5).
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) kind: Kind,
    /// `ciaddr`: our address, if the server can reach us by it.
    pub(super) client: Ipv4Addr,
    pub(super) requested: Option<Ipv4Addr>,
    pub(super) server: Option<Ipv4Addr>,
}

impl Request {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            client: Ipv4Addr::UNSPECIFIED,
            requested: None,
            server: None,
        }
    }

    pub(super) fn encode(&self, mac: MacAddr, xid: u32, seconds: u16) -> Vec<u8> {
        let mut message = Writer::new(mac, xid, seconds, self.client);
        message.option(code::MESSAGE_TYPE, &[self.kind as u8]);
        message.option(code::CLIENT_IDENTIFIER, &client_identifier(mac));
        if let Some(address) = self.requested {
            message.option(code::REQUESTED_ADDRESS, &address.octets());
        }
        if let Some(server) = self.server {
            message.option(code::SERVER_IDENTIFIER, &server.octets());
        }
        if matches!(self.kind, Kind::Discover | Kind::Request) {
            message.option(code::MAX_MESSAGE_SIZE, &MAX_MESSAGE.to_be_bytes());
            let wanted = [
                code::SUBNET_MASK,
                // RFC 3442: asked for before the routers.
                code::CLASSLESS_ROUTES,
                code::ROUTER,
                code::DOMAIN_NAME_SERVER,
                code::DOMAIN_NAME,
                code::INTERFACE_MTU,
                code::NTP_SERVERS,
                code::LEASE_TIME,
                code::RENEWAL_TIME,
                code::REBINDING_TIME,
            ];
            message.option(code::PARAMETER_REQUEST_LIST, &wanted);
        }
        message.finish()
    }
}

/// What a server says. An option that cannot be read counts as one that is not there.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) kind: Kind,
    pub(super) address: Ipv4Addr,
    pub(super) server: Ipv4Addr,
    pub(super) renew: Option<Duration>,
    pub(super) rebind: Option<Duration>,
    prefix: Option<u8>,
    /// The first router, unless classless routes take its place.
    router: Option<Ipv4Addr>,
    classless: Option<Vec<Route>>,
    dns: Option<Vec<Ipv4Addr>>,
    ntp: Option<Vec<Ipv4Addr>>,
    domain: Option<String>,
    mtu: Option<u16>,
    lease: Option<u32>,
}

/// The values of the options that we know. Of those of a fixed length the first that has it counts;
/// the parts of a list are joined (RFC 3396 §5).
#[derive(Default)]
struct Values {
    kind: Option<u8>,
    client: Option<Vec<u8>>,
    mask: Option<Ipv4Addr>,
    server: Option<Ipv4Addr>,
    mtu: Option<u16>,
    lease: Option<u32>,
    renew: Option<u32>,
    rebind: Option<u32>,
    routers: Vec<u8>,
    dns: Vec<u8>,
    ntp: Vec<u8>,
    domain: Vec<u8>,
    classless: Vec<u8>,
}

impl Values {
    fn read(answer: &Answer<'_>) -> Self {
        let mut values = Self::default();
        for (code, value) in answer.options() {
            let word = || <[u8; 4]>::try_from(value).ok();
            let number = || word().map(u32::from_be_bytes);
            let address = || word().map(Ipv4Addr::from);
            match code {
                code::MESSAGE_TYPE => first(&mut values.kind, || match value {
                    [kind] => Some(*kind),
                    _ => None,
                }),
                // RFC 2132 §9.14: a type and at least one octet.
                code::CLIENT_IDENTIFIER => first(&mut values.client, || {
                    (value.len() > 1).then(|| value.to_vec())
                }),
                code::SUBNET_MASK => first(&mut values.mask, address),
                code::SERVER_IDENTIFIER => first(&mut values.server, address),
                code::INTERFACE_MTU => first(&mut values.mtu, || {
                    value.try_into().ok().map(u16::from_be_bytes)
                }),
                code::LEASE_TIME => first(&mut values.lease, number),
                code::RENEWAL_TIME => first(&mut values.renew, number),
                code::REBINDING_TIME => first(&mut values.rebind, number),
                code::ROUTER => values.routers.extend(value),
                code::DOMAIN_NAME_SERVER => values.dns.extend(value),
                code::NTP_SERVERS => values.ntp.extend(value),
                code::DOMAIN_NAME => values.domain.extend(value),
                code::CLASSLESS_ROUTES => values.classless.extend(value),
                _ => {}
            }
        }
        values
    }
}

fn first<T>(slot: &mut Option<T>, value: impl FnOnce() -> Option<T>) {
    if slot.is_none() {
        *slot = value();
    }
}

impl Reply {
    /// Reads an answer to `mac` in the exchange `xid`; `None` if it is none.
    pub(super) fn decode(payload: &[u8], mac: MacAddr, xid: u32) -> Option<Self> {
        let answer = Answer::parse(payload, mac, xid)?;
        let values = Values::read(&answer);
        // RFC 6842 §3: who has the same hardware address may still be another client.
        let identifier = values.client.as_deref();
        if identifier.is_some_and(|identifier| identifier != client_identifier(mac)) {
            return None;
        }
        let kind = match values.kind? {
            2 => Kind::Offer,
            5 => Kind::Ack,
            6 => Kind::Nak,
            _ => return None,
        };
        let seconds = |value: u32| Duration::from_secs(value.into());
        // RFC 2131 table 3: every answer names its server.
        let server = values.server.filter(|server| lease::is_host(*server))?;
        if server == answer.address {
            return None;
        }
        let mask = |mask| Cidr::from_mask(answer.address, mask).map(|cidr| cidr.prefix());
        let routers = addresses(&values.routers).unwrap_or_default();
        Some(Self {
            kind,
            address: answer.address,
            server,
            renew: values.renew.map(seconds),
            rebind: values.rebind.map(seconds),
            prefix: values.mask.and_then(mask).filter(|prefix| *prefix > 0),
            router: routers
                .into_iter()
                .find(|router| lease::is_host(*router) && *router != answer.address),
            classless: classless_routes(&values.classless, answer.address),
            dns: addresses(&values.dns).filter(|servers| !servers.is_empty()),
            ntp: addresses(&values.ntp).filter(|servers| !servers.is_empty()),
            domain: domain(&values.domain),
            mtu: values.mtu,
            lease: values.lease,
        })
    }

    /// How long the address is granted for, if that is told: `Some(None)` for ever.
    pub(super) fn duration(&self) -> Option<Option<Duration>> {
        Some(match self.lease? {
            INFINITE => None,
            seconds => Some(Duration::from_secs(seconds.into())),
        })
    }

    /// The address in its network, if it can be a host's. Without a mask, that of `before` or of the
    /// address' old class (RFC 950).
    pub(super) fn network(&self, before: Option<&Lease>) -> Option<Cidr> {
        let address = self.address;
        let class = match address.octets()[0] {
            0..=127 => 8,
            128..=191 => 16,
            _ => 24,
        };
        let before = before.map(|lease| lease.address.prefix());
        let prefix = self.prefix.or(before).unwrap_or(class);
        let cidr = Cidr::new(address, prefix).ok()?;
        // RFC 1122 §3.2.1.3: all ones are everybody, and all zeros were once.
        let to_many = cidr
            .broadcast()
            .is_some_and(|all| address == all || cidr.network().address() == address);
        (lease::is_host(address) && !to_many).then_some(cidr)
    }

    /// What is granted. What the answer to a renewal does not speak of stays as it was `before`, if
    /// the address does.
    pub(super) fn lease(&self, before: Option<&Lease>) -> Option<Lease> {
        let before = before.filter(|lease| lease.address.address() == self.address);
        let address = self.network(before)?;
        let duration = self.duration()?;
        let (gateway, routes) = match (&self.classless, self.router, before) {
            // RFC 3442: routers are then not looked at.
            (Some(routes), _, _) => (lease::gateway(routes), routes.clone()),
            (None, Some(router), _) => (Some(router), lease::default_route(router)),
            (None, None, Some(before)) => (before.gateway, before.routes.clone()),
            (None, None, None) => (None, Vec::new()),
        };
        let dns = self
            .dns
            .clone()
            .or_else(|| before.map(|lease| lease.dns.clone()));
        let ntp = self
            .ntp
            .clone()
            .or_else(|| before.map(|lease| lease.ntp.clone()));
        let domain = self.domain.clone();
        Some(Lease {
            address,
            gateway,
            routes: lease::with_ways_to_routers(address, routes),
            dns: dns.unwrap_or_default(),
            ntp: ntp.unwrap_or_default(),
            domain: domain.or_else(|| before?.domain.clone()),
            server: self.server,
            mtu: self.mtu.or(before.and_then(|lease| lease.mtu)),
            duration,
        })
    }
}

/// Who we are: the type of our hardware address, and the address (RFC 2132 §9.14).
fn client_identifier(mac: MacAddr) -> [u8; 7] {
    let [a, b, c, d, e, f] = mac.0;
    [1, a, b, c, d, e, f]
}

/// A list of addresses, of which those that no host can have are left out; `None` if its length is
/// not that of one.
fn addresses(value: &[u8]) -> Option<Vec<Ipv4Addr>> {
    let (addresses, []) = value.as_chunks::<4>() else {
        return None;
    };
    let addresses = addresses.iter().map(|octets| Ipv4Addr::from(*octets));
    let hosts = addresses.filter(|address| lease::is_host(*address));
    Some(hosts.take(MAX_SERVERS).collect())
}

/// A domain name (RFC 2132 §3.17), which some servers end with a zero or a dot.
fn domain(value: &[u8]) -> Option<String> {
    let text = core::str::from_utf8(value).ok()?;
    let name = text.trim_end_matches('\0');
    let name = name.strip_suffix('.').unwrap_or(name);
    domain::is_name(name).then(|| name.to_owned())
}

/// Classless routes (RFC 3442): the length of a prefix, its octets as far as they count, a router.
/// `None` if there are none, or if they do not end where their option does. Routers that no host can
/// be, or that would be ourselves at `address`, are left out.
fn classless_routes(mut value: &[u8], address: Ipv4Addr) -> Option<Vec<Route>> {
    let mut routes = Vec::new();
    while let Some((&prefix, rest)) = value.split_first() {
        let (network, rest) = rest.split_at_checked(usize::from(prefix).div_ceil(8))?;
        let (gateway, rest) = rest.split_first_chunk::<4>()?;
        value = rest;
        let mut octets = [0; 4];
        octets.get_mut(..network.len())?.copy_from_slice(network);
        let destination = Cidr::new(octets, prefix).ok()?.network();
        if routes.len() < MAX_ROUTES {
            let gateway = (*gateway).into();
            routes.push(Route {
                destination,
                gateway,
            });
        }
    }
    routes.retain(|route| {
        let router = route.gateway;
        router.is_unspecified() || lease::is_host(router) && router != address
    });
    (!routes.is_empty()).then_some(routes)
}
