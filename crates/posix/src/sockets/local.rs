//! Which ports are bound.

use core::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::{Rc, Weak};

use libc::EADDRINUSE;

use crate::error::{Result, fail};
use crate::random;

/// The ports that a socket gets which asks for none in particular: those of Linux.
const EPHEMERAL: core::ops::RangeInclusive<u16> = 32_768..=60_999;

/// What a socket is bound to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Binding {
    pub(super) address: SocketAddr,
    /// It may share the address with others that may, as long as nobody listens.
    pub(super) reuse_address: bool,
    /// It may share the address with others that may.
    pub(super) reuse_port: bool,
    pub(super) listens: bool,
    /// `::` is not also 0.0.0.0.
    pub(super) only_v6: bool,
}

struct Bound<T> {
    binding: Binding,
    socket: Weak<T>,
}

/// The sockets of a protocol that have a port.
pub(crate) struct Ports<T> {
    bound: RefCell<BTreeMap<u16, Vec<Bound<T>>>>,
}

impl<T> Default for Ports<T> {
    fn default() -> Self {
        Self {
            bound: RefCell::default(),
        }
    }
}

impl<T> Ports<T> {
    /// Binds a socket, to a free port if it asks for port 0; the address.
    ///
    /// # Errors
    ///
    /// `EADDRINUSE`.
    pub(super) fn bind(&self, mut binding: Binding, socket: &Rc<T>) -> Result<SocketAddr> {
        if binding.address.port() == 0 {
            let Some(port) = self.free_port() else {
                return fail(EADDRINUSE);
            };
            binding.address.set_port(port);
        }
        let mut all = self.bound.borrow_mut();
        let bound = all.entry(binding.address.port()).or_default();
        if bound.iter().any(|other| binding.clashes(&other.binding)) {
            return fail(EADDRINUSE);
        }
        let socket = Rc::downgrade(socket);
        bound.push(Bound { binding, socket });
        Ok(binding.address)
    }

    /// A socket listens from now on.
    ///
    /// # Errors
    ///
    /// `EADDRINUSE` if another one does.
    pub(super) fn listen(&self, port: u16, socket: &Weak<T>) -> Result<()> {
        let mut all = self.bound.borrow_mut();
        let bound = all.entry(port).or_default();
        let is_it = |other: &Bound<T>| other.socket.ptr_eq(socket);
        let Some(index) = bound.iter().position(is_it) else {
            return Ok(());
        };
        let mut binding = bound[index].binding;
        binding.listens = true;
        let mut others = bound.iter().filter(|other| !is_it(other));
        if others.any(|other| other.binding.listens && binding.clashes(&other.binding)) {
            return fail(EADDRINUSE);
        }
        bound[index].binding = binding;
        Ok(())
    }

    /// A port that nobody has, and that nobody can guess: the first from one on that is drawn (RFC 6056 section 3.3.1).
    fn free_port(&self) -> Option<u16> {
        let bound = self.bound.borrow();
        let (first, last) = EPHEMERAL.into_inner();
        let drawn = first + (random::number() % EPHEMERAL.len() as u64) as u16;
        let mut ports = (drawn..=last).chain(first..drawn);
        ports.find(|port| !bound.contains_key(port))
    }

    /// The sockets that have a port, the first to be bound first.
    pub(super) fn all(&self, port: u16) -> Vec<Rc<T>> {
        let all = self.bound.borrow();
        let bound = all.get(&port).into_iter().flatten();
        bound.filter_map(|one| one.socket.upgrade()).collect()
    }

    /// The socket has gone, or is bound no more.
    pub(super) fn release(&self, port: u16, socket: &Weak<T>) {
        let mut all = self.bound.borrow_mut();
        if let Some(bound) = all.get_mut(&port) {
            bound.retain(|other| !other.socket.ptr_eq(socket));
            if bound.is_empty() {
                all.remove(&port);
            }
        }
    }

    /// The sockets that an address leads to, those bound to just this address first.
    pub(super) fn find(&self, address: SocketAddr) -> impl Iterator<Item = Rc<T>> {
        let all = self.bound.borrow();
        let bound = all.get(&address.port()).into_iter().flatten();
        let mut found: Vec<(bool, Rc<T>)> = bound
            .filter(|other| other.binding.takes(address.ip()))
            .filter_map(|other| {
                let is_exact = other.binding.address.ip() == address.ip();
                Some((!is_exact, other.socket.upgrade()?))
            })
            .collect();
        found.sort_by_key(|(is_any, _)| *is_any);
        found.into_iter().map(|(_, socket)| socket)
    }
}

impl Binding {
    fn clashes(&self, other: &Self) -> bool {
        let [ours, theirs] = [self, other].map(|binding| binding.address.ip());
        let overlap = ours == theirs
            || (ours.is_unspecified() && self.takes(theirs))
            || (theirs.is_unspecified() && other.takes(ours));
        let reuse_port = self.reuse_port && other.reuse_port;
        let reuse_address = self.reuse_address && other.reuse_address;
        overlap && !reuse_port && (!reuse_address || self.listens || other.listens)
    }

    /// Whether what is sent to `address` is for a socket with this binding.
    fn takes(&self, address: IpAddr) -> bool {
        match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.is_ipv4(),
            IpAddr::V6(ip) if ip.is_unspecified() => address.is_ipv6() || !self.only_v6,
            ip => ip == address,
        }
    }
}
