//! Addresses as users give them.

use std::io;
use std::net::{SocketAddr, SocketAddrV4};

use crate::sockets::error::invalid;

/// The IPv4 address that the stack can speak.
pub(crate) fn v4(address: SocketAddr) -> io::Result<SocketAddrV4> {
    match address {
        SocketAddr::V4(address) => Ok(address),
        SocketAddr::V6(address) => Err(invalid(format!("{address}: expected an IPv4 address"))),
    }
}
