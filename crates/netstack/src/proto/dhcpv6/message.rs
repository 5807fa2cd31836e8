//! DHCPv6 messages: what this client says, and takes of what it is told (RFC 8415 §16, §18.2, §21).

use core::net::Ipv6Addr;
use core::time::Duration;

use super::lease::Information;
use super::wire::{Options, Writer, code};
use crate::proto::domain;
use crate::proto::link::ethernet::MacAddr;

/// A DUID has at most so many octets (RFC 8415 §11.1), its type included, and at least one behind that.
const MAX_DUID: usize = 130;
/// Addresses, servers and domains that are taken, at most: addresses of all answers, the others of each.
pub(super) const MAX_ADDRESSES: usize = 8;
const MAX_SERVERS: usize = 8;
const MAX_DOMAINS: usize = 8;
/// What a server may set SOL_MAX_RT and INF_MAX_RT to, in seconds (RFC 8415 §21.24).
const MAX_RT: core::ops::RangeInclusive<u32> = 60..=86_400;

/// The message types that this client knows (RFC 8415 §7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Solicit = 1,
    Advertise = 2,
    Request = 3,
    Confirm = 4,
    Renew = 5,
    Rebind = 6,
    Reply = 7,
    Release = 8,
    Decline = 9,
    InformationRequest = 11,
}

/// Status codes that make a difference here (RFC 8415 §21.13); every other is a failure.
pub(super) mod status {
    pub(crate) const SUCCESS: u16 = 0;
    pub(crate) const UNSPEC_FAIL: u16 = 1;
    pub(crate) const NO_BINDING: u16 = 3;
    pub(crate) const NOT_ON_LINK: u16 = 4;
}

/// Who we are: a DUID-LL (RFC 8415 §11.4), the only kind that is the same after a restart that remembers nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Client {
    pub(super) duid: [u8; 10],
    /// IAID (RFC 8415 §12.1): the same at each start, too.
    pub(super) iaid: [u8; 4],
}

impl Client {
    pub(super) fn new(mac: MacAddr) -> Self {
        let [a, b, c, d, e, f] = mac.0;
        Self {
            // Type 3, hardware type 1: Ethernet.
            duid: [0, 3, 0, 1, a, b, c, d, e, f],
            iaid: [c, d, e, f],
        }
    }
}

/// What differs between the messages that we send (RFC 8415 §18.2).
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) kind: Kind,
    pub(super) xid: u32,
    pub(super) elapsed: u16,
    pub(super) server: Option<&'a [u8]>,
    pub(super) addresses: &'a [Ipv6Addr],
}

impl Request<'_> {
    pub(super) fn encode(&self, client: &Client) -> Vec<u8> {
        let mut message = Writer::message(self.kind as u8, self.xid);
        message.option(code::CLIENT_ID, &client.duid);
        if let Some(server) = self.server {
            message.option(code::SERVER_ID, server);
        }
        message.option(code::ELAPSED_TIME, &self.elapsed.to_be_bytes());
        if self.kind == Kind::Solicit {
            message.option(code::RAPID_COMMIT, &[]);
        }
        if self.kind != Kind::InformationRequest {
            // T1 and T2 are for the server to choose, as are the times of addresses.
            let [a, b, c, d] = client.iaid;
            let mut association = Writer::option_with(&[a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0]);
            for address in self.addresses {
                let value = [&address.octets()[..], &[0; 8]].concat();
                association.option(code::IA_ADDRESS, &value);
            }
            message.option(code::IA_NA, &association.finish());
        }
        let wanted: &[u16] = match self.kind {
            Kind::Solicit | Kind::Request | Kind::Renew | Kind::Rebind => &[
                code::DNS_SERVERS,
                code::DOMAIN_LIST,
                code::SNTP_SERVERS,
                code::NTP_SERVER,
                code::SOL_MAX_RT,
            ],
            Kind::InformationRequest => &[
                code::DNS_SERVERS,
                code::DOMAIN_LIST,
                code::SNTP_SERVERS,
                code::INFORMATION_REFRESH_TIME,
                code::NTP_SERVER,
                code::INF_MAX_RT,
            ],
            _ => &[],
        };
        if !wanted.is_empty() {
            let wanted: Vec<u8> = wanted.iter().flat_map(|code| code.to_be_bytes()).collect();
            message.option(code::OPTION_REQUEST, &wanted);
        }
        message.finish()
    }
}

/// An address as a server offers it; times in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offered {
    pub(super) address: Ipv6Addr,
    pub(super) preferred: u32,
    pub(super) valid: u32,
}

/// What a server says of our identity association, IA_NA (RFC 8415 §21.4); times in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Association {
    pub(super) t1: u32,
    pub(super) t2: u32,
    pub(super) status: u16,
    pub(super) addresses: Vec<Offered>,
}

/// What a server says. An option that cannot be read counts as one that is not there; of those of which there can be
/// but one the first counts.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// Advertise or Reply.
    pub(super) kind: Kind,
    pub(super) xid: u32,
    pub(super) server: Vec<u8>,
    pub(super) preference: u8,
    pub(super) rapid_commit: bool,
    pub(super) status: u16,
    pub(super) association: Option<Association>,
    pub(super) information: Information,
    pub(super) sol_max_rt: Option<Duration>,
    pub(super) inf_max_rt: Option<Duration>,
    /// In seconds.
    pub(super) refresh: Option<u32>,
}

impl Answer {
    /// Octets of memory held beside its own.
    pub(super) fn octets(&self) -> usize {
        let offered = self.association.as_ref();
        let offered = offered.map_or(0, |it| it.addresses.capacity() * size_of::<Offered>());
        self.server.capacity() + offered + self.information.octets()
    }

    /// Reads a message to `client`; `None` if it is none that a client takes (RFC 8415 §16.3, §16.10). Of
    /// Reconfigure messages none is taken: we have not said that we would, and could not verify them.
    pub(super) fn decode(message: &[u8], client: &Client) -> Option<Self> {
        let ([kind, xid @ ..], options) = message.split_first_chunk::<4>()?;
        let kind = match kind {
            2 => Kind::Advertise,
            7 => Kind::Reply,
            _ => return None,
        };
        let [a, b, c] = *xid;
        let options = Options(options);
        if options.value(code::CLIENT_ID)? != client.duid {
            return None;
        }
        let server = options.value(code::SERVER_ID)?;
        if !(3..=MAX_DUID).contains(&server.len()) {
            return None;
        }
        let max_rt = |code| {
            let seconds = options.value(code).and_then(number)?;
            MAX_RT
                .contains(&seconds)
                .then(|| Duration::from_secs(seconds.into()))
        };
        Some(Self {
            kind,
            xid: u32::from_be_bytes([0, a, b, c]),
            server: server.to_vec(),
            preference: match options.value(code::PREFERENCE) {
                Some([preference]) => *preference,
                _ => 0,
            },
            rapid_commit: options.value(code::RAPID_COMMIT).is_some(),
            status: status_of(options),
            association: Association::decode(options, client),
            information: information(options),
            sol_max_rt: max_rt(code::SOL_MAX_RT),
            inf_max_rt: max_rt(code::INF_MAX_RT),
            refresh: options
                .value(code::INFORMATION_REFRESH_TIME)
                .and_then(number),
        })
    }
}

impl Answer {
    /// How many addresses it offers.
    pub(super) fn offers(&self) -> usize {
        let association = self.association.as_ref();
        let granted = association.filter(|it| it.status == status::SUCCESS);
        granted.map_or(0, |it| it.addresses.len())
    }
}

impl Association {
    fn decode(options: Options<'_>, client: &Client) -> Option<Self> {
        let mut associations = options.filter(|(code, _)| *code == code::IA_NA);
        let (head, within) = associations.find_map(|(_, value)| {
            let (head, within) = value.split_first_chunk::<12>()?;
            head.starts_with(&client.iaid)
                .then_some((head, Options(within)))
        })?;
        let (t1, t2) = (number(&head[4..8])?, number(&head[8..])?);
        // RFC 8415 §21.4: then the whole of it counts as not there.
        if t1 > t2 && t2 > 0 {
            return None;
        }
        let addresses = within.filter(|(code, _)| *code == code::IA_ADDRESS);
        let addresses = addresses.filter_map(|(_, value)| Offered::decode(value));
        Some(Self {
            t1,
            t2,
            status: status_of(within),
            addresses: addresses.take(MAX_ADDRESSES).collect(),
        })
    }
}

impl Offered {
    /// `None` too if no host can have the address, if it is preferred for longer than it is valid (RFC 8415 §21.6), or
    /// if it is not granted.
    fn decode(value: &[u8]) -> Option<Self> {
        let (head, within) = value.split_first_chunk::<24>()?;
        let octets: [u8; 16] = *head.first_chunk()?;
        let offered = Self {
            address: octets.into(),
            preferred: number(&head[16..20])?,
            valid: number(&head[20..])?,
        };
        let granted = status_of(Options(within)) == status::SUCCESS;
        (granted && offered.preferred <= offered.valid && can_be_leased(offered.address))
            .then_some(offered)
    }
}

/// Whether a server can give a host `address`: not one of many, of this host or of this link alone, nor one that
/// stands for an IPv4 address.
fn can_be_leased(address: Ipv6Addr) -> bool {
    !(address.is_unspecified()
        || address.is_loopback()
        || address.is_multicast()
        || address.is_unicast_link_local()
        || address.to_ipv4_mapped().is_some())
}

/// Without the option it is success (RFC 8415 §21.13).
fn status_of(options: Options<'_>) -> u16 {
    let value = options.value(code::STATUS_CODE);
    let code = value.and_then(|value| value.first_chunk());
    code.map_or(status::SUCCESS, |code| u16::from_be_bytes(*code))
}

fn information(options: Options<'_>) -> Information {
    let mut information = Information::default();
    for (code, value) in options {
        match code {
            code::DNS_SERVERS => servers(&mut information.dns, value),
            code::SNTP_SERVERS => servers(&mut information.ntp, value),
            // RFC 5908 §4: servers by address, by multicast address, or by name.
            code::NTP_SERVER => {
                let addresses = Options(value).filter(|(code, _)| *code == 1);
                addresses.for_each(|(_, address)| servers(&mut information.ntp, address));
            }
            code::DOMAIN_LIST if information.domains.is_empty() => {
                information.domains = domain::list(value, MAX_DOMAINS);
            }
            _ => {}
        }
    }
    information
}

/// Adds the addresses of a list, if its length is that of one, but for those that no host can have.
fn servers(list: &mut Vec<Ipv6Addr>, value: &[u8]) {
    let (addresses, []) = value.as_chunks::<16>() else {
        return;
    };
    for address in addresses.iter().map(|octets| Ipv6Addr::from(*octets)) {
        let is_host = !address.is_unspecified() && !address.is_multicast();
        if is_host && list.len() < MAX_SERVERS && !list.contains(&address) {
            list.push(address);
        }
    }
}

fn number(value: &[u8]) -> Option<u32> {
    value.try_into().ok().map(u32::from_be_bytes)
}
