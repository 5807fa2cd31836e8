//! What sockets are above: the stack, and what is bound inside of the program.

use core::cell::OnceCell;
use std::net::IpAddr;

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

    /// Whether it is an address of the stack's.
    pub(super) fn is_of_stack(&self, address: IpAddr) -> bool {
        let addresses = self.stack().map(Stack::addresses).unwrap_or_default();
        addresses.iter().any(|ours| ours.address() == address)
    }
}
