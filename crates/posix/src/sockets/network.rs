//! What sockets are above: the stack, and what is bound inside of the program.

use core::cell::OnceCell;
use core::hash::BuildHasher;
use std::hash::RandomState;
use std::net::{IpAddr, SocketAddr};

use netstack::proto::ip::Cidr;
use netstack::{Resolver, Stack};

use super::address::loopback;
use super::local::Ports;
use super::tcp::Tcp;
use super::udp::Udp;
use crate::arguments::with;
use crate::readiness::queue::Queue;

/// The network of the program.
#[derive(Default)]
pub(crate) struct Network {
    stack: OnceCell<Stack>,
    resolver: OnceCell<Resolver>,
    pub(super) tcp: Ports<Tcp>,
    pub(super) udp: Ports<Udp>,
    flows: RandomState,
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

    /// What answers names: it asks the servers of the settings, or else those that the network tells of, and looks for names of
    /// one label in the domains that it tells of.
    pub(crate) fn resolver(&self) -> Option<&Resolver> {
        let (stack, resolver) = (self.stack()?, self.resolver.get()?);
        if with(|settings| settings.dns.is_empty()) {
            let told = stack.name_servers();
            if !told.is_empty() && told != resolver.servers() {
                resolver.set_servers(told);
            }
        }
        resolver.set_domains(stack.domains());
        Some(resolver)
    }

    /// Whether what is sent there stays inside of the program.
    pub(super) fn is_ours(&self, address: IpAddr) -> bool {
        address.is_loopback() || address.is_unspecified() || self.is_of_stack(address)
    }

    /// A number that stands for a peer, and that nobody can guess.
    pub(super) fn flow(&self, from: SocketAddr) -> u64 {
        self.flows.hash_one(from)
    }

    /// The stack, if it has what is sent to a socket that is bound there.
    pub(super) fn outside(&self, bound: IpAddr) -> Option<&Stack> {
        let stack = self.stack()?;
        (bound.is_unspecified() || self.is_of_stack(bound)).then_some(stack)
    }

    /// The address that something comes from which a socket that is bound to `bound` sends there.
    pub(super) fn source(&self, bound: IpAddr, destination: IpAddr) -> IpAddr {
        if !bound.is_unspecified() {
            return bound;
        }
        let addresses = self.stack().map(Stack::addresses).unwrap_or_default();
        let mut ours = addresses.iter().map(Cidr::address);
        let first = ours.find(|ours| ours.is_ipv4() == destination.is_ipv4());
        first.unwrap_or_else(|| loopback(destination))
    }

    /// Whether it is an address of the stack's.
    fn is_of_stack(&self, address: IpAddr) -> bool {
        let addresses = self.stack().map(Stack::addresses).unwrap_or_default();
        addresses.iter().any(|ours| ours.address() == address)
    }
}
