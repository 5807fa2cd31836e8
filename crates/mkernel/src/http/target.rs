//! Whom a request is for, and for what: RFC 9112 section 3.2, RFC 9113 section 8.3.1.

use std::net::Ipv6Addr;

use ::http::header::HOST;
use ::http::uri::{Authority, Scheme};
use ::http::{HeaderMap, HeaderValue, Method, Request, Version};

/// A host, and its port if there is one.
#[derive(Debug, Clone, Copy)]
struct Host<'a> {
    name: &'a str,
    port: &'a str,
}

impl<'a> Host<'a> {
    /// RFC 9110 sections 4.2.4 and 7.2: nobody's name is before it.
    fn of(authority: &'a Authority) -> Option<Self> {
        let name = authority.host();
        let port = authority.as_str().strip_prefix(name)?;
        let digits = match port {
            "" => port,
            port => port.strip_prefix(':')?,
        };
        let is_port = digits.bytes().all(|digit| digit.is_ascii_digit());
        (is_port && is_name(name)).then_some(Self { name, port: digits })
    }

    /// Its port, which is that of `scheme` unless it says another.
    fn port(self, scheme: Option<&Scheme>) -> Option<u16> {
        match self.port {
            "" if scheme == Some(&Scheme::HTTP) => Some(80),
            "" if scheme == Some(&Scheme::HTTPS) => Some(443),
            digits => digits.parse().ok(),
        }
    }

    fn is(self, other: Self, scheme: Option<&Scheme>) -> bool {
        self.name.eq_ignore_ascii_case(other.name) && self.port(scheme) == other.port(scheme)
    }
}

/// What is in brackets is an address of IPv6, or of a version to come (RFC 3986 section 3.2.2).
fn is_name(name: &str) -> bool {
    let Some(address) = name.strip_prefix('[') else {
        return true;
    };
    let Some(address) = address.strip_suffix(']') else {
        return false;
    };
    address.starts_with(['v', 'V']) || address.parse::<Ipv6Addr>().is_ok()
}

/// Whether the target has the form that is its method's, and it is said once, and well, whose it is.
pub(super) fn is_valid<B>(request: &Request<B>) -> bool {
    has_valid_form(request) && has_valid_host(request)
}

/// What RFC 9112 section 3.2.2 has an origin server do with the `Host` of a request that has a whole URL: it is that of
/// the URL.
pub(super) fn settle_host<B>(request: &mut Request<B>) {
    if request.version() > Version::HTTP_11 || request.uri().scheme().is_none() {
        return;
    }
    let host = request.uri().authority().map(Authority::as_str);
    if let Some(Ok(host)) = host.map(HeaderValue::from_str) {
        request.headers_mut().insert(HOST, host);
    }
}

fn has_valid_form<B>(request: &Request<B>) -> bool {
    let (method, uri) = (request.method(), request.uri());
    // RFC 9112 section 3.2.4, RFC 9113 section 8.3.1.
    if uri.path() == "*" && *method != Method::OPTIONS {
        return false;
    }
    let Some(authority) = uri.authority() else {
        return *method != Method::CONNECT;
    };
    let Some(host) = Host::of(authority).filter(|host| !host.name.is_empty()) else {
        return false;
    };
    if *method == Method::CONNECT {
        // RFC 9110 section 9.3.6.
        let is_port = host.port(None).is_some_and(|port| port != 0);
        return uri.scheme().is_none() && is_port;
    }
    uri.scheme().is_some()
}

/// RFC 9112 section 3.2: HTTP/1.1 has one `Host`, which is a host and perhaps a port, or empty. In HTTP/2 it is not
/// another than that of the target, and there is one of them (RFC 9113 section 8.3.1).
fn has_valid_host<B>(request: &Request<B>) -> bool {
    let Ok(host) = only_host(request.headers()) else {
        return false;
    };
    let Some(host) = host else {
        let version = request.version();
        return version < Version::HTTP_11
            || version > Version::HTTP_11 && request.uri().authority().is_some();
    };
    if request.version() > Version::HTTP_11
        && let Some(target) = request.uri().authority()
    {
        let scheme = request.uri().scheme();
        let same = |host: &Authority| Some(Host::of(target)?.is(Host::of(host)?, scheme));
        return authority(host).and_then(|host| same(&host)) == Some(true);
    }
    host.is_empty() || authority(host).is_some_and(|host| Host::of(&host).is_some())
}

/// The `Host`, if there is one; an error if there are more.
fn only_host(headers: &HeaderMap) -> Result<Option<&HeaderValue>, ()> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (host, None) => Ok(host),
        (_, Some(_)) => Err(()),
    }
}

fn authority(host: &HeaderValue) -> Option<Authority> {
    host.to_str().ok()?.parse().ok()
}
