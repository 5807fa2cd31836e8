//! What names stand for.

use core::ffi::{CStr, c_int};
use core::pin::pin;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libc::{
    EAI_AGAIN, EAI_FAIL, EAI_FAMILY, EAI_MEMORY, EAI_NONAME, EAI_SERVICE, EAI_SOCKTYPE, EAI_SYSTEM,
    IPPROTO_TCP, IPPROTO_UDP, SOCK_DGRAM, SOCK_STREAM,
};

use super::address::written;
use super::start;
use crate::arguments::host_name;
use crate::wait::wait;

/// What is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) v4: bool,
    pub(crate) v6: bool,
    /// No names, only addresses written out.
    pub(crate) only_numbers: bool,
    /// An address to be bound to.
    pub(crate) passive: bool,
}

impl Wanted {
    fn takes(self, address: &IpAddr) -> bool {
        match address {
            IpAddr::V4(_) => self.v4,
            IpAddr::V6(_) => self.v6,
        }
    }
}

/// A kind of socket: `SOCK_…` and its protocol.
pub(crate) type Kind = (c_int, c_int);

/// The kinds of sockets that hints ask for, of which 0 is any; at least one.
///
/// # Errors
///
/// `EAI_SOCKTYPE` if there is none.
pub(crate) fn kinds(kind: c_int, protocol: c_int) -> Result<Vec<Kind>, c_int> {
    let mut kinds = vec![(SOCK_STREAM, IPPROTO_TCP), (SOCK_DGRAM, IPPROTO_UDP)];
    kinds.retain(|it| [0, it.0].contains(&kind) && [0, it.1].contains(&protocol));
    match kinds.is_empty() {
        true => Err(EAI_SOCKTYPE),
        false => Ok(kinds),
    }
}

/// A port by its number, or by the names that are asked for in practice (RFC 6335).
pub(crate) fn port(service: &str) -> Option<u16> {
    match service {
        "domain" => Some(53),
        "http" => Some(80),
        "https" => Some(443),
        "postgresql" => Some(5432),
        _ => service.parse().ok(),
    }
}

/// The addresses of a host, at least one; of none, those of this one.
///
/// # Errors
///
/// A number of `getaddrinfo`'s.
pub(crate) fn find(node: Option<&str>, wanted: Wanted) -> Result<Vec<IpAddr>, c_int> {
    let found = match node {
        None if wanted.passive => {
            vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()]
        }
        None => loopback(),
        Some(node) => match written(node) {
            Some(address) => vec![address],
            None if wanted.only_numbers => return Err(EAI_NONAME),
            None => by_name(node)?,
        },
    };
    let found: Vec<IpAddr> = found.into_iter().filter(|it| wanted.takes(it)).collect();
    match found.is_empty() {
        true => Err(EAI_NONAME),
        false => Ok(found),
    }
}

fn loopback() -> Vec<IpAddr> {
    vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
}

fn by_name(name: &str) -> Result<Vec<IpAddr>, c_int> {
    let plain = name.strip_suffix('.').unwrap_or(name);
    // RFC 6761 section 6.3.
    let last = plain.rsplit('.').next().unwrap_or(plain);
    if last.eq_ignore_ascii_case("localhost") || plain.eq_ignore_ascii_case(&host_name()) {
        return Ok(loopback());
    }
    let network = start::network();
    let Some(resolver) = network.resolver() else {
        return Err(EAI_AGAIN);
    };
    let mut lookup = pin!(resolver.lookup(name));
    let found = wait("a name server", |context| lookup.as_mut().poll(context));
    found.map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::InvalidInput => EAI_NONAME,
        ErrorKind::TimedOut => EAI_AGAIN,
        ErrorKind::OutOfMemory => EAI_MEMORY,
        _ => EAI_FAIL,
    })
}

/// What an error of `getaddrinfo` means, for people.
pub(crate) const fn text(error: c_int) -> &'static CStr {
    match error {
        EAI_NONAME => c"Name or service not known",
        EAI_AGAIN => {
            c"Temporary failure in name resolution: no name server is known, or none answers"
        }
        EAI_FAIL => c"Non-recoverable failure in name resolution",
        EAI_FAMILY => c"Address family not supported: expected IPv4 or IPv6",
        EAI_SOCKTYPE => c"Kind of socket not supported: expected TCP or UDP",
        EAI_SERVICE => c"Service not known: expected a port",
        EAI_MEMORY => c"Not enough memory to resolve a name",
        EAI_SYSTEM => c"System error, which errno has",
        _ => c"Unknown error of name resolution",
    }
}
