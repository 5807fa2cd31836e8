//! Unix sockets: streams and datagrams inside of the program, between sockets with a path, with a name of their own (Linux'
//! abstract ones) or with none.

mod datagram;
mod stream;
#[cfg(test)]
mod tests;

use core::cell::RefCell;
use core::ffi::c_int;
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

use libc::{
    AF_UNIX, EADDRINUSE, ECONNREFUSED, EINVAL, EPROTONOSUPPORT, ESOCKTNOSUPPORT, SOCK_DGRAM,
    SOCK_STREAM,
};

use super::address::{Address, Name};
use crate::descriptors::open::Description;
use crate::error::{Result, fail};
use crate::files::node::Content;
use crate::files::tree;
use crate::readiness::Events;
use datagram::Datagram;
use stream::Stream;

/// The socket that a name stands for.
#[derive(Clone)]
pub(crate) enum Named {
    Stream(Weak<Stream>),
    Datagram(Weak<Datagram>),
}

impl Named {
    /// A socket that is no more.
    pub(crate) fn gone() -> Self {
        Self::Stream(Weak::new())
    }

    fn is_there(&self) -> bool {
        match self {
            Self::Stream(socket) => socket.strong_count() > 0,
            Self::Datagram(socket) => socket.strong_count() > 0,
        }
    }
}

/// Sockets that wait for a place in another, each once.
#[derive(Default)]
struct Waiting(RefCell<Vec<Weak<dyn Description>>>);

impl Waiting {
    fn add(&self, socket: Weak<dyn Description>) {
        let mut waiting = self.0.borrow_mut();
        // One that asks again has one place.
        waiting.retain(|other| other.strong_count() > 0 && !other.ptr_eq(&socket));
        waiting.push(socket);
    }

    /// Tells them all, and none of them any more.
    fn wake(&self, events: Events) {
        for socket in self.0.take().iter().filter_map(Weak::upgrade) {
            if let Some(queue) = socket.queue() {
                queue.wake(events);
            }
        }
    }
}

global! {
    /// The names that are not paths.
    static NAMES: RefCell<BTreeMap<Name, Named>> = RefCell::new(BTreeMap::new());
}

fn check(kind: c_int, protocol: c_int) -> Result<()> {
    match (kind, protocol) {
        (SOCK_STREAM | SOCK_DGRAM, 0 | AF_UNIX) => Ok(()),
        (SOCK_STREAM | SOCK_DGRAM, _) => fail(EPROTONOSUPPORT),
        _ => fail(ESOCKTNOSUPPORT),
    }
}

/// A new socket.
///
/// # Errors
///
/// `EPROTONOSUPPORT` and `ESOCKTNOSUPPORT` for sockets that there are not.
pub(crate) fn socket(kind: c_int, protocol: c_int) -> Result<Rc<dyn Description>> {
    check(kind, protocol)?;
    Ok(match kind {
        SOCK_STREAM => Stream::new(),
        _ => Datagram::new(),
    })
}

/// Two sockets that are connected to each other.
///
/// # Errors
///
/// As of [`socket`].
pub(crate) fn pair(kind: c_int, protocol: c_int) -> Result<[Rc<dyn Description>; 2]> {
    check(kind, protocol)?;
    Ok(match kind {
        SOCK_STREAM => Stream::pair().map(|socket| socket as _),
        _ => Datagram::pair().map(|socket| socket as _),
    })
}

/// The name in an address.
fn name(address: &Address) -> Result<&Name> {
    match address {
        Address::Unix(name) => Ok(name),
        _ => fail(EINVAL),
    }
}

/// Of what is told of a socket that may have no name.
fn address(name: Option<&Name>) -> Address {
    name.cloned().map_or(Address::Unnamed, Address::Unix)
}

fn is_path(name: &Name) -> bool {
    name.first() != Some(&0)
}

/// Gives a socket a name: a path stays until it is removed, as a file's does, and another name as long as the socket.
///
/// # Errors
///
/// `EADDRINUSE`; those of paths.
fn bind(name: &Name, socket: Named) -> Result<()> {
    if is_path(name) {
        return tree::with(|tree| tree.make_socket(socket, name));
    }
    NAMES.with(|names| {
        let mut names = names.borrow_mut();
        match names.contains_key(name) {
            true => fail(EADDRINUSE),
            false => {
                names.insert(name.clone(), socket);
                Ok(())
            }
        }
    })
}

/// The socket of this name is gone.
fn release(name: Option<&Name>) {
    if let Some(name) = name.filter(|name| !is_path(name)) {
        let gone = NAMES.with(|names| names.borrow_mut().remove(name));
        drop(gone);
    }
}

/// What has that name.
///
/// # Errors
///
/// `ECONNREFUSED` if it is no socket, or none any more; those of paths.
fn find(name: &Name) -> Result<Named> {
    if !is_path(name) {
        let found = NAMES.with(|names| names.borrow().get(name).cloned());
        return found.map_or(fail(ECONNREFUSED), Ok);
    }
    let place = tree::with(|tree| tree.find(None, name, true))?;
    match &place.existing()?.content {
        Content::Socket(socket) if socket.is_there() => Ok(socket.clone()),
        _ => fail(ECONNREFUSED),
    }
}
