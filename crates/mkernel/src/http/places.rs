//! The places that a server has for clients: who has one, and who makes room for another.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use log::warn;
use miou_rs::Instant;
use slab::Slab;

use super::options::Room;
use super::peer::{Order, Peer, Wait};

/// The clients of a server.
#[derive(Debug)]
pub(super) struct Peers {
    table: RefCell<Slab<Rc<Peer>>>,
    /// How many connections, and requests beside others, each host has.
    hosts: RefCell<BTreeMap<u64, usize>>,
    /// Requests that are served beside others of their connections, or whose answers are kept there.
    beside: Cell<usize>,
    room: Room,
    /// Octets of memory that stay free.
    reserve: usize,
    /// How often octets came or went.
    moves: Cell<u32>,
    /// Whether memory was nearly spent when it was looked at last.
    scarce: Cell<bool>,
    /// When that was.
    looked: Cell<Option<Instant>>,
    /// Clients that were told to leave and are still there.
    leaving: Cell<usize>,
    /// Where the search for one to make room goes on.
    next: Cell<usize>,
    /// When it was said last that there is no room.
    complaint: Cell<Option<Instant>>,
}

/// How many clients are looked at to find one that makes room.
const LOOKED_AT: usize = 256;

/// What has lasted for so long does not last only now.
pub(super) const STALE: Duration = Duration::from_secs(1);

/// A host has many places if it has more than one in so many of those that are taken.
const SHARE: usize = 8;

/// It is said that there is no room once in so long.
const COMPLAINTS: Duration = Duration::from_secs(60);

/// As octets come or go so often, the memory is looked at once. What a few of them take is in the reserve.
pub(super) const MOVES: u32 = 4;

/// How long an answer waits for memory that is nearly spent. While nobody leaves, it is looked at once in so long for all.
pub(super) const PAUSE: Duration = Duration::from_millis(1);

impl Peers {
    pub(super) fn new(room: Room, reserve: usize) -> Self {
        Self {
            table: RefCell::default(),
            hosts: RefCell::default(),
            beside: Cell::new(0),
            room,
            reserve,
            moves: Cell::new(0),
            scarce: Cell::new(false),
            looked: Cell::new(None),
            leaving: Cell::new(0),
            next: Cell::new(0),
            complaint: Cell::new(None),
        }
    }

    pub(super) fn enter(self: &Rc<Self>, peer: Rc<Peer>) -> Place {
        self.take_place(&peer);
        let key = self.table.borrow_mut().insert(peer);
        let peers = self.clone();
        Place { peers, key }
    }

    /// Whether there is room for a connection.
    pub(super) fn has_room(&self) -> bool {
        self.has_room_for(self.room.connection)
    }

    fn has_room_for(&self, part: usize) -> bool {
        let connections = self.table.borrow().len() * self.room.connection;
        let taken = connections + self.beside.get() * self.room.beside;
        taken + part <= self.room.all && is_free(self.reserve)
    }

    /// Is told that octets came or went, for which there is always some memory taken.
    pub(super) fn moved(&self) {
        self.moves.set(self.moves.get().wrapping_add(1));
        if self.scarce.get() || self.moves.get().is_multiple_of(MOVES) {
            self.look();
        }
    }

    /// Looks whether memory is nearly spent, by whomever: then a client makes room, and another when that one is gone.
    pub(super) fn look(&self) -> bool {
        let now = Instant::now();
        let due = self.looked.get().is_none_or(|last| last + PAUSE <= now);
        if due || !self.scarce.get() {
            self.looked.set(Some(now));
            self.scarce.set(!is_free(self.reserve));
            if self.scarce.get() && self.leaving.get() == 0 {
                self.make_room();
            }
        }
        self.scarce.get()
    }

    /// Whether memory was nearly spent when it was looked at last.
    pub(super) fn is_scarce(&self) -> bool {
        self.scarce.get()
    }

    /// Admits a request of HTTP/2: if it is not the only one of its connection, where there is room, or a client makes it that
    /// has done nothing for long. One does at a time, or who asks for many would have many leave.
    pub(super) fn admit(self: &Rc<Self>, peer: &Rc<Peer>) -> Option<Rc<Kept>> {
        let beside = peer.kept.get() > 0;
        let has_room = || {
            self.has_room_for(self.room.beside)
                || self.leaving.get() == 0 && self.one_makes_room(true)
        };
        if beside && !has_room() {
            self.complain(peer.address, "503");
            return None;
        }
        peer.kept.set(peer.kept.get() + 1);
        if beside {
            self.beside.set(self.beside.get() + 1);
            self.take_place(peer);
        }
        let (peers, peer) = (self.clone(), peer.clone());
        Some(Rc::new(Kept {
            peers,
            peer,
            beside,
            pieces: Cell::new(0),
            waker: RefCell::new(None),
        }))
    }

    pub(super) fn tell_all(&self, order: Order) {
        for (_, peer) in &*self.table.borrow() {
            peer.tell(order);
        }
    }

    /// Has one client leave, among those that keep us waiting; tells whether there is one. Who has far more kept here than
    /// is counted goes first. Who has come, or done
    /// something, only now goes last. Of the others one between two requests goes before one in the midst of one; of those
    /// that go last one of the host with most places, if it has its [`SHARE`], and one that was there before one that is about
    /// to begin, unless more than half are. Then whoever was active least recently goes first.
    pub(super) fn make_room(&self) -> bool {
        self.one_makes_room(false)
    }

    /// The same; or, where it is for a request beside others alone, only of those that have done nothing for long.
    fn one_makes_room(&self, only_stale: bool) -> bool {
        let table = self.table.borrow();
        let slots = table.capacity();
        let start = self.next.get();
        let peers = (0..slots).filter_map(|slot| {
            let slot = (start + slot) % slots;
            Some((slot, table.get(slot)?))
        });
        let peers = peers.take(LOOKED_AT);
        if let Some((last, _)) = peers.clone().last() {
            self.next.set(last + 1);
        }
        let now = Instant::now();
        let share = (table.len() + self.beside.get()) / SHARE;
        // Who begins is active once, and then has to wait for the network, the longer the farther away it is. A crowd that
        // does nothing else shall not outlast those that do.
        let arriving = peers
            .clone()
            .filter(|(_, peer)| peer.arriving.get() && peer.order() != Order::Leave);
        let few_arrive = arriving.count() <= LOOKED_AT.min(table.len()) / 2;
        let waits = peers.filter_map(|(_, peer)| {
            if peer.order() == Order::Leave {
                return None;
            }
            let is_far_ahead = peer.is_far_ahead(self.room.window);
            let all_is_held = || is_far_ahead.then(|| (Wait::Body, peer.active.get()));
            let (wait, since) = peer.wait().or_else(all_is_held)?;
            let stale = since + STALE <= now;
            if only_stale && !stale {
                return None;
            }
            let places = Some(self.places_of(peer)).filter(|places| *places > share);
            let fresh = || (Reverse(places), few_arrive && peer.arriving.get());
            let rank = match stale {
                true => (!is_far_ahead, false, Some(wait), None, since),
                false => (!is_far_ahead, true, None, Some(fresh()), since),
            };
            Some((rank, peer))
        });
        let Some((_, peer)) = waits.min_by_key(|(rank, _)| *rank) else {
            return false;
        };
        self.leaving.set(self.leaving.get() + 1);
        peer.tell(Order::Leave);
        true
    }

    /// Says to the operator, once in a while, what becomes of a client.
    pub(super) fn complain(&self, address: SocketAddr, what: &str) {
        let now = Instant::now();
        if self
            .complaint
            .get()
            .is_none_or(|last| last + COMPLAINTS <= now)
        {
            self.complaint.set(Some(now));
            let (connections, beside) = (self.table.borrow().len(), self.beside.get());
            warn!(
                "{address}: {what}, as there is no room beside {connections} connections and {beside} requests of HTTP/2 \
                 beside others; said once in {} s",
                COMPLAINTS.as_secs()
            );
        }
    }

    /// How many places the host of `peer` has.
    fn places_of(&self, peer: &Peer) -> usize {
        let hosts = self.hosts.borrow();
        hosts.get(&host(peer.address.ip())).copied().unwrap_or(0)
    }

    fn take_place(&self, peer: &Peer) {
        let host = host(peer.address.ip());
        *self.hosts.borrow_mut().entry(host).or_default() += 1;
    }

    fn leave_place(&self, peer: &Peer) {
        let host = host(peer.address.ip());
        let mut hosts = self.hosts.borrow_mut();
        if let Some(places) = hosts.get_mut(&host).filter(|places| **places > 1) {
            *places -= 1;
        } else {
            hosts.remove(&host);
        }
    }

    /// Leaves `peer` its place, whatever it was told: its connection has become the service's.
    pub(super) fn keep(&self, peer: &Peer) {
        if peer.order.replace(Order::Finish) == Order::Leave {
            self.leaves_no_more();
        }
    }

    fn leaves_no_more(&self) {
        self.leaving.set(self.leaving.get() - 1);
        self.looked.set(None);
    }
}

/// What counts as one host: an address of IPv4, or a link of IPv6, whose first 64 bits its addresses have in common. No
/// link has the first 32 bits zero.
fn host(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
    }
}

/// Whether so many octets are free, in one block or in some that are not much smaller.
fn is_free(octets: usize) -> bool {
    is_free_in::<1>(octets) || is_free_in::<8>(octets)
}

fn is_free_in<const BLOCKS: usize>(octets: usize) -> bool {
    let mut blocks = [const { Vec::<u8>::new() }; BLOCKS];
    let is_free = blocks
        .iter_mut()
        .all(|block| block.try_reserve_exact(octets / BLOCKS).is_ok());
    // Allocations that nobody looks at need not be made.
    black_box(&blocks);
    is_free
}

/// Counts a request of HTTP/2, and then what there is of its answer, until this is dropped.
#[derive(Debug)]
pub(super) struct Kept {
    peers: Rc<Peers>,
    peer: Rc<Peer>,
    /// Whether there were others of its connection.
    beside: bool,
    /// Pieces of the answer that are kept to be sent.
    pieces: Cell<usize>,
    /// Who waits until there are fewer.
    waker: RefCell<Option<Waker>>,
}

/// The most pieces of an answer that are kept to be sent: `h2`, which counts octets alone, has a few hundred more for each.
const PIECES: usize = 32;

impl Kept {
    /// Whether there is room for another piece of the answer; has `context` woken when there is.
    pub(super) fn poll_room(&self, context: &Context<'_>) -> Poll<()> {
        if self.pieces.get() < PIECES {
            return Poll::Ready(());
        }
        drop(self.waker.replace(Some(context.waker().clone())));
        Poll::Pending
    }

    /// A piece is kept to be sent.
    pub(super) fn keep(&self) {
        self.pieces.set(self.pieces.get() + 1);
    }

    /// A piece is sent, or given up.
    pub(super) fn release(&self) {
        self.pieces.set(self.pieces.get() - 1);
        let waker = self.waker.take();
        waker.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.peer.kept.set(self.peer.kept.get() - 1);
        if self.beside {
            self.peers.beside.set(self.peers.beside.get() - 1);
            self.peers.leave_place(&self.peer);
        }
    }
}

/// A client's place in the table, which is free when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) peers: Rc<Peers>,
    key: usize,
}

impl Drop for Place {
    fn drop(&mut self) {
        let peer = self.peers.table.borrow_mut().try_remove(self.key);
        if peer
            .as_ref()
            .is_some_and(|peer| peer.order() == Order::Leave)
        {
            self.peers.leaves_no_more();
        }
        if let Some(peer) = &peer {
            self.peers.leave_place(peer);
        }
        // Its waker may be the last of something.
        drop(peer);
    }
}
