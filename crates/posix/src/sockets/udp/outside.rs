//! The stack's socket behind those of the program: one that several have shares a port, and what comes is dealt to those that it
//! is for.

use core::cell::OnceCell;
use core::mem;
use core::task::{Context, Poll};
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::rc::{Rc, Weak};
use std::task::Waker;

use libc::EADDRINUSE;
use netstack::UdpSocket;
use netstack::proto::udp::QueueLimits;

use super::{Ends, Udp};
use crate::error::{Errno, Result, fail};
use crate::readiness::{ALL, READ};
use crate::sockets::network::Network;
use crate::sockets::notice::{Noticed, Which, waker};

/// A socket of the stack.
pub(super) struct Outside {
    pub(super) socket: UdpSocket,
    network: Weak<Network>,
    /// What deals as soon as something has come, if several have the socket.
    dealer: OnceCell<Waker>,
}

impl Outside {
    /// Whether several have it, or had: then what comes lies in their inboxes, and it is tied to nobody.
    pub(super) fn is_shared(&self) -> bool {
        self.dealer.get().is_some()
    }

    /// Several have it from now on.
    fn share(self: &Rc<Self>) {
        let this: Weak<Self> = Rc::downgrade(self);
        if self.dealer.set(waker(this, Which::Read)).is_ok() {
            self.deal();
        }
    }

    fn join(&self, group: IpAddr) -> Result<()> {
        match self.socket.join_multicast(group).map_err(Errno::from) {
            // Another one of those that share it is in the group.
            Err(Errno(EADDRINUSE)) if self.is_shared() => Ok(()),
            result => result,
        }
    }

    /// Deals what has come, and does so again when more has.
    fn deal(&self) {
        let (Some(network), Some(dealer)) = (self.network.upgrade(), self.dealer.get()) else {
            return;
        };
        let mut context = Context::from_waker(dealer);
        let mut was_refused = false;
        while let Poll::Ready(datagram) = self.socket.poll_recv_datagram(&mut context) {
            match datagram {
                Ok(it) => deal(&network, Ends::of(&it), it.destination, &it.payload),
                // Of a peer that it was tied to; there is one such error at most.
                Err(error)
                    if error.kind() == ErrorKind::ConnectionRefused
                        && !mem::replace(&mut was_refused, true) => {}
                // The stack has ended, as each of them sees.
                Err(_) => {
                    let port = self.socket.local_addr().map_or(0, |local| local.port());
                    for socket in network.udp.all(port) {
                        socket.queue.wake(ALL);
                    }
                    return;
                }
            }
        }
    }
}

impl Noticed for Outside {
    fn notice(&self, _which: Which) {
        self.deal();
    }
}

/// Gives a datagram to whom it is for: one of those that are alike, or all where many are meant.
fn deal(network: &Network, ends: Ends, to: SocketAddr, payload: &[u8]) {
    let from = ends.from;
    if network.is_ours(from.ip()) {
        // It lies: what comes from us does not come this way.
        return;
    }
    let meant = match () {
        () if to.ip().is_multicast() => members(network, from, to),
        () if network.is_ours(to.ip()) => receiver(network, from, to).into_iter().collect(),
        // A broadcast.
        () => takers(network, from, to),
    };
    for socket in meant {
        socket.put(ends, payload);
    }
}

/// The sockets that take what comes from there.
fn takers(network: &Network, from: SocketAddr, to: SocketAddr) -> Vec<Rc<Udp>> {
    let takes = |socket: &Rc<Udp>| socket.peer.get().is_none_or(|peer| peer == from);
    network.udp.find(to).filter(takes).collect()
}

/// Those of them that are in the group.
pub(super) fn members(network: &Network, from: SocketAddr, group: SocketAddr) -> Vec<Rc<Udp>> {
    let mut takers = takers(network, from, group);
    takers.retain(|socket| socket.groups.borrow().contains(&group.ip()));
    takers
}

/// Who has a datagram: as on Linux one that is tied to where it comes from before one that is not, one that is bound to the
/// address before one that is bound to all, one of its family before one of both; of several, if all have `SO_REUSEPORT`, the one
/// that has all from there, and else the last to be bound.
pub(super) fn receiver(network: &Network, from: SocketAddr, to: SocketAddr) -> Option<Rc<Udp>> {
    let rank = |socket: &Rc<Udp>| {
        let bound = socket.bound.get().map(|bound| bound.ip());
        let is_of_family = bound.is_some_and(|bound| bound.is_ipv4() == to.is_ipv4());
        (
            socket.peer.get().is_some(),
            bound == Some(to.ip()),
            is_of_family,
        )
    };
    let mut takers = takers(network, from, to);
    let best = takers.iter().map(rank).max()?;
    takers.retain(|socket| rank(socket) == best);
    if takers.iter().all(|socket| socket.options.reuse_port.get()) {
        let which = network.flow(from) % takers.len() as u64;
        return Some(takers.swap_remove(which as usize));
    }
    takers.pop()
}

impl Udp {
    /// A socket of the stack that is bound there, if it has the address; of those that share a port, the same for all.
    pub(super) fn open_outside(&self, bound: SocketAddr) -> Result<Option<Rc<Outside>>> {
        let outside = match self.open_own(bound, self.options.only_v6.get()) {
            Err(Errno(EADDRINUSE)) if self.options.shares() => self.share_outside(bound),
            result => result,
        }?;
        if let Some(outside) = &outside {
            self.join_all(outside)?;
        }
        Ok(outside)
    }

    fn open_own(&self, bound: SocketAddr, only_v6: bool) -> Result<Option<Rc<Outside>>> {
        let Some(stack) = self.network.outside(bound.ip()) else {
            return Ok(None);
        };
        let limits = QueueLimits::default().only_v6(only_v6);
        let outside = Rc::new(Outside {
            socket: UdpSocket::bind_with(stack, bound, limits)?,
            network: Rc::downgrade(&self.network),
            dealer: OnceCell::new(),
        });
        Ok(Some(outside))
    }

    /// That of those that are bound to the same address; none where they are bound to others: the first has what comes.
    ///
    /// # Errors
    ///
    /// `EADDRINUSE` if it is none of theirs that has the port.
    fn share_outside(&self, bound: SocketAddr) -> Result<Option<Rc<Outside>>> {
        let sharers = self.sharers(bound);
        let Some(former) = sharers.first().and_then(|first| first.outside()) else {
            let all = self.network.udp.all(bound.port());
            let is_ours = all.iter().any(|other| other.outside().is_some());
            return if is_ours { Ok(None) } else { fail(EADDRINUSE) };
        };
        // What waits in it is for those that have it.
        former.share();
        let only_v6 = self.options.only_v6.get();
        let others_only_v6 = sharers.iter().all(|other| other.options.only_v6.get());
        if former.socket.peer_addr().is_err() && (only_v6 || !others_only_v6) {
            return Ok(Some(former));
        }
        // It is tied to one peer, or leaves out what this one wants: another takes its place.
        drop(former);
        for other in &sharers {
            other.outside.take();
        }
        let outside = self.open_own(bound, only_v6 && others_only_v6)?;
        if let Some(outside) = &outside {
            outside.share();
            for other in &sharers {
                other.outside.replace(Some(outside.clone()));
                // The groups that it was in have room again.
                let _ = other.join_all(outside);
            }
        }
        Ok(outside)
    }

    /// Has a socket of the stack be in the groups that this one is in.
    fn join_all(&self, outside: &Outside) -> Result<()> {
        let groups = self.groups.borrow();
        groups.iter().try_for_each(|group| outside.join(*group))
    }

    /// The other sockets that are bound to an address and have a socket of the stack.
    fn sharers(&self, bound: SocketAddr) -> Vec<Rc<Self>> {
        let mut all = self.network.udp.all(bound.port());
        all.retain(|other| {
            let is_other = !core::ptr::eq(&raw const **other, self);
            is_other && other.bound.get() == Some(bound) && other.outside().is_some()
        });
        all
    }

    /// Whether another one that has the same socket of the stack is in the group.
    fn is_others_group(&self, group: IpAddr) -> bool {
        let Some(bound) = self.bound.get() else {
            return false;
        };
        let sharers = self.sharers(bound);
        sharers
            .iter()
            .any(|other| other.groups.borrow().contains(&group))
    }

    /// Has the stack's socket be in a group.
    pub(super) fn join_outside(&self, group: IpAddr) -> Result<()> {
        self.outside().map_or(Ok(()), |outside| outside.join(group))
    }

    /// Has the stack's socket leave a group, unless it is another one's too.
    pub(super) fn leave_outside(&self, group: IpAddr) -> Result<()> {
        match self.outside() {
            Some(outside) if !self.is_others_group(group) => {
                Ok(outside.socket.leave_multicast(group)?)
            }
            _ => Ok(()),
        }
    }

    /// Puts a datagram into the inbox, if there is room.
    pub(super) fn put(&self, ends: Ends, payload: &[u8]) {
        if self.inbox.borrow_mut().put(ends, payload) {
            self.queue.wake(READ);
        }
    }

    /// The port is given up: what others share with this one is theirs alone.
    pub(super) fn part(&self) {
        let Some(bound) = self.bound.get() else {
            return;
        };
        self.network.udp.release(bound.port(), &self.this);
        for group in self.groups.take() {
            // What cannot be left has ended.
            let _ = self.leave_outside(group);
        }
        drop(self.outside.take());
        for other in self.network.udp.all(bound.port()) {
            if let (Some(bound), None) = (other.bound.get(), other.outside()) {
                // What it can have now, and could not before.
                let opened = other.open_outside(bound);
                other.outside.replace(opened.unwrap_or_default());
            }
        }
    }
}
