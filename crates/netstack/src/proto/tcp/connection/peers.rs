//! Remote hosts, each with what its connections hold: whose share is used up, and who holds most. A host is
//! an address of IPv4, or a link of IPv6, whose first 64 bits its addresses have in common.

use core::net::IpAddr;

use super::index::Index;
use super::lists::{Link, Links, List};
use crate::proto::ip::host_key;
use crate::proto::tcp::defence::isn::TableHash;

/// Lists of peers: those in list `n` hold from 2^n to 2^(n+1) - 1 octets.
const SIZES: usize = usize::BITS as usize;

/// A remote host with connections.
#[derive(Debug)]
struct Peer {
    /// Its [`host_key`].
    host: u64,
    hash: u32,
    /// Connections in any state; zero in an unused place.
    connections: u32,
    /// Octets that they hold, as far as was noted.
    held: usize,
    /// Those that are neither half-open nor without an owner.
    members: List,
    /// In the list of its size, or of unused places.
    link: Link,
}

#[derive(Debug, Default)]
struct Slots(Vec<Peer>);

impl Links for Slots {
    fn link(&mut self, node: u32) -> Option<&mut Link> {
        self.0.get_mut(node as usize).map(|peer| &mut peer.link)
    }
}

/// All peers, by address and by size.
#[derive(Debug)]
pub(crate) struct Peers {
    /// By [`host_key`].
    table: Index,
    hash: TableHash,
    slots: Slots,
    unused: List,
    by_size: [List; SIZES],
}

fn size(held: usize) -> usize {
    held.checked_ilog2().unwrap_or(0) as usize
}

impl Peers {
    pub(crate) fn new(hash: TableHash) -> Self {
        Self {
            table: Index::default(),
            hash,
            slots: Slots::default(),
            unused: List::EMPTY,
            by_size: [List::EMPTY; SIZES],
        }
    }

    /// One more connection of an address; returns the peer's place.
    pub(crate) fn join(&mut self, address: IpAddr) -> u32 {
        let host = host_key(address);
        let hash = self.hash.of(&host);
        let of_host = |index: u32| self.slots.0[index as usize].host == host;
        if let Some(index) = self.table.find(hash, of_host) {
            self.slots.0[index as usize].connections += 1;
            return index;
        }
        let peer = Peer {
            host,
            hash,
            connections: 1,
            held: 0,
            members: List::EMPTY,
            link: Link::NONE,
        };
        let index = match self.unused.first() {
            Some(index) => {
                self.unused.remove(&mut self.slots, index);
                self.slots.0[index as usize] = peer;
                index
            }
            None => {
                self.slots.0.push(peer);
                self.slots.0.len() as u32 - 1
            }
        };
        self.by_size[0].push_back(&mut self.slots, index);
        let hash_at = |index: u32| self.slots.0[index as usize].hash;
        self.table.insert(hash, index, &hash_at);
        index
    }

    /// One connection less.
    pub(crate) fn leave(&mut self, index: u32) {
        let Some(peer) = self.slots.0.get_mut(index as usize) else {
            return;
        };
        peer.connections -= 1;
        if peer.connections > 0 {
            return;
        }
        debug_assert_eq!(peer.held, 0);
        self.table.remove(peer.hash, index);
        let list = size(peer.held);
        self.by_size[list].remove(&mut self.slots, index);
        self.unused.push_back(&mut self.slots, index);
    }

    /// A connection holds so many octets more.
    pub(crate) fn note(&mut self, index: u32, octets: isize) {
        let Some(peer) = self.slots.0.get_mut(index as usize) else {
            return;
        };
        let old = size(peer.held);
        peer.held = peer.held.saturating_add_signed(octets);
        let new = size(peer.held);
        if old != new {
            self.by_size[old].remove(&mut self.slots, index);
            self.by_size[new].push_back(&mut self.slots, index);
        }
    }

    /// Octets that a peer holds.
    #[inline]
    pub(super) fn held_by(&self, index: u32) -> usize {
        self.slots.0.get(index as usize).map_or(0, |peer| peer.held)
    }

    /// How many connections a peer has.
    pub(crate) fn connections_of(&self, index: u32) -> u32 {
        let peer = self.slots.0.get(index as usize);
        peer.map_or(0, |peer| peer.connections)
    }

    /// The list of a peer's connections that have an owner.
    pub(crate) fn members(&mut self, index: u32) -> Option<&mut List> {
        let peer = self.slots.0.get_mut(index as usize)?;
        Some(&mut peer.members)
    }

    /// The next of the peers that hold from 2^`size` octets on.
    pub(crate) fn next_of_size(&mut self, size: usize) -> Option<u32> {
        self.by_size[size].rotate(&mut self.slots)
    }

    /// Sizes of peers, the largest first.
    pub(crate) fn sizes() -> impl Iterator<Item = usize> {
        (0..SIZES).rev()
    }

    /// Octets of the tables.
    pub(crate) fn held(&self) -> usize {
        self.table.held() + self.slots.0.capacity() * size_of::<Peer>()
    }

    /// Frees the tables when there is no peer.
    pub(crate) fn shrink(&mut self) {
        if self.table.is_empty() {
            self.table = Index::default();
            self.slots = Slots::default();
            self.unused = List::EMPTY;
        }
    }

    /// The sum of what was noted.
    pub(crate) fn noted(&self) -> usize {
        let peers = self.slots.0.iter().filter(|peer| peer.connections > 0);
        peers.map(|peer| peer.held).sum()
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use super::Peers;
    use crate::proto::tcp::defence::isn::Secrets;

    fn fattest(peers: &mut Peers) -> Option<u32> {
        Peers::sizes().find_map(|size| peers.next_of_size(size))
    }

    #[test]
    fn the_fattest_peer_is_found_whatever_comes_and_goes() {
        let mut peers = Peers::new(Secrets::new([1; 32]).table());
        let [a, b, c] = [1, 2, 3].map(|last| peers.join(Ipv4Addr::new(10, 0, 0, last).into()));
        assert_eq!(peers.join(Ipv4Addr::new(10, 0, 0, 2).into()), b);
        peers.note(a, 3000);
        peers.note(b, 1000);
        peers.note(b, 9000);
        peers.note(c, 700);
        assert_eq!((fattest(&mut peers), peers.held_by(b)), (Some(b), 10_000));
        peers.note(b, -8990);
        assert_eq!(fattest(&mut peers), Some(a));
        peers.note(b, -1010);
        peers.leave(b);
        peers.leave(b);
        assert_eq!(peers.noted(), 3700);
        // Its place is used again.
        assert_eq!(peers.join(Ipv4Addr::new(10, 0, 0, 9).into()), b);
        assert_eq!(peers.held_by(b), 0);
        peers.note(b, 1 << 30);
        assert_eq!(fattest(&mut peers), Some(b));
    }
}
