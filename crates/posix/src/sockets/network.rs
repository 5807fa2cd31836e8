//! What sockets are above: the stack, and what is bound inside of the program.

use core::cell::OnceCell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use netstack::{Resolver, Stack};

use super::local::Ports;
use super::tcp::Tcp;
use super::udp::Udp;
use crate::readiness::queue::Queue;

/// The network of the program.
#[derive(Default)]
pub(crate) struct Network {
    stack: OnceCell<Stack>,
    resolver: OnceCell<Resolver>,
    pub(super) tcp: Ports<Tcp>,
    pub(super) udp: Ports<Udp>,
    /// Is woken when there is a stack.
    pub(super) started: Queue,
}

impl Network {
    /// Has the program reach others by a stack.
    pub(crate) fn attach(&self, stack: Stack, resolver: Resolver) {
        // The first counts.
        let _ = self.stack.set(stack);
        let _ = self.resolver.set(resolver);
    }

    pub(crate) fn stack(&self) -> Option<&Stack> {
        self.stack.get()
    }

    pub(crate) fn resolver(&self) -> Option<&Resolver> {
        self.resolver.get()
    }

    /// Whether what is sent there stays inside of the program.
    pub(super) fn is_ours(&self, address: IpAddr) -> bool {
        address.is_loopback() || address.is_unspecified() || self.is_of_stack(address)
    }

    /// Where the stack has what is sent to a socket that is bound there, if it does; `::` is 0.0.0.0 to it, unless that is left
    /// out.
    pub(super) fn outside(&self, bound: SocketAddr, only_v6: bool) -> Option<(&Stack, SocketAddr)> {
        let stack = self.stack()?;
        if !bound.ip().is_unspecified() && !self.is_of_stack(bound.ip()) {
            return None;
        }
        match bound {
            SocketAddr::V4(_) => Some((stack, bound)),
            SocketAddr::V6(_) if only_v6 => None,
            SocketAddr::V6(_) => Some((stack, (Ipv4Addr::UNSPECIFIED, bound.port()).into())),
        }
    }

    /// Whether it is an address of the stack's.
    fn is_of_stack(&self, address: IpAddr) -> bool {
        let addresses = self.stack().map(Stack::addresses).unwrap_or_default();
        addresses.iter().any(|ours| ours.address() == address)
    }
}
