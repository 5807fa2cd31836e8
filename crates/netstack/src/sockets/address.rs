//! Addresses as users give them.

use std::io;
use std::net::SocketAddr;

use crate::proto::ip::SCOPE;
use crate::sockets::error::invalid;

/// An address that the stack can speak to or from: if it names an interface, the only one there is.
pub(crate) fn scoped(address: impl Into<SocketAddr>) -> io::Result<SocketAddr> {
    let address = address.into();
    match address {
        SocketAddr::V6(v6) if ![0, SCOPE].contains(&v6.scope_id()) => Err(invalid(format!(
            "{address}: expected scope {SCOPE}, that of the stack's interface"
        ))),
        _ => Ok(address),
    }
}
