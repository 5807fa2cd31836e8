//! Reassembly of fragments, bounded in memory, time and effort.
//!
//! What arrives is copied into pieces of its own size, and appended to the piece that it follows:
//! no fragment, however small, keeps the frame that it came in. When there are too many, the source
//! that holds most loses its oldest datagram, so that one that floods displaces itself.
//!
//! Fragments that overlap others, other than by repeating them, end their datagram: no honest
//! sender makes them, and what they cover depends on who puts them together (RFC 1858, RFC 3128,
//! RFC 5722).

use core::net::IpAddr;
use core::time::Duration;
use std::collections::BTreeMap;

use super::{host_key, v4};
use crate::proto::Instant;

/// The most octets that a datagram of IPv4 can have, and the payload of a packet of IPv6.
const MAX_LEN: usize = 65_535;
/// Octets that a piece takes beside those in it, at most: its place in the table of pieces, whose
/// leaves of 304 octets hold at least five, with its share of the inner nodes, and what the heap adds
/// to an allocation.
const PIECE: usize = 112;
/// Octets that a datagram takes beside its pieces, at most: its place in the list and its source's, of
/// which half may be empty, the first leaf of its own table, and header and start of its packet.
const DATAGRAM: usize = 2 * size_of::<Datagram>() + 304 + 256;

/// What reassembly may keep, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct ReassemblyLimits {
    /// Datagrams under reassembly at once; one more makes one go.
    pub datagrams: usize,
    /// Octets of the memory that holds all kept fragments together; more makes datagrams go.
    pub octets: usize,
    /// Pieces of one datagram with gaps between them; more ends it. All of the largest datagram over
    /// the smallest MTU, of 68 octets, in the reverse order are 1,365.
    pub pieces: usize,
    /// From the first fragment until the datagram is given up (RFC 1122 §3.3.2 asks for 60 to 120
    /// seconds; 30, as the Linux kernel has it, is enough on today's paths and keeps less). Over IPv6
    /// twice that (RFC 8200 §4.5).
    pub timeout: Duration,
}

impl Default for ReassemblyLimits {
    fn default() -> Self {
        Self {
            datagrams: 64,
            octets: 1 << 20,
            pieces: 2048,
            timeout: Duration::from_secs(30),
        }
    }
}

/// A part of a datagram that has arrived.
#[derive(Clone, Copy, Debug)]
pub struct Fragment<'a> {
    /// Who sent it.
    pub source: IpAddr,
    /// Whom it is for.
    pub destination: IpAddr,
    /// What it carries; 0 over IPv6, where that does not tell datagrams apart.
    pub protocol: u8,
    /// What all fragments of the datagram have in common.
    pub identification: u32,
    /// Where its payload belongs in that of the whole, in octets.
    pub offset: usize,
    /// Whether others follow.
    pub more: bool,
    /// The header that the whole is to have, its lengths apart; counts only at offset 0.
    pub header: &'a [u8],
    /// The start of the packet that it came in, for an error about the whole; counts only at offset 0.
    pub start: &'a [u8],
    /// Its payload.
    pub payload: &'a [u8],
}

/// The start of a first fragment whose datagram was not put together in time, empty when that fragment
/// never came: with it goes an ICMP Time Exceeded (RFC 1122 §3.3.2, RFC 8200 §4.5).
#[derive(Debug, PartialEq, Eq)]
pub enum Expired {
    /// Of IPv4.
    V4(Box<[u8]>),
    /// Of IPv6.
    V6(Box<[u8]>),
}

/// What became of a fragment.
#[derive(Debug, PartialEq, Eq)]
pub enum Reassembled {
    /// Others are still missing, or there was no room for it.
    Incomplete,
    /// It made its datagram whole: the header of the first fragment, and the payload.
    Complete(Vec<u8>),
    /// It did not fit the others or any datagram, and was dropped with them.
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    identification: u32,
}

#[derive(Debug)]
struct Datagram {
    key: Key,
    deadline: Instant,
    /// What has come, by its offset, without overlap.
    pieces: BTreeMap<u16, Vec<u8>>,
    /// Octets of payload in the pieces, and of the memory that holds them.
    octets: usize,
    held: usize,
    /// Payload octets of the whole, known from the last fragment.
    len: Option<usize>,
    /// What is kept of the fragment at offset 0.
    first: Option<First>,
}

/// [`Fragment::header`] and [`Fragment::start`] of a first fragment.
#[derive(Debug)]
struct First {
    header: Box<[u8]>,
    start: Box<[u8]>,
}

/// Datagrams that are not complete yet. They are few: lists are searched as fast as trees, and are less code.
#[derive(Debug)]
pub struct Reassembly {
    limits: ReassemblyLimits,
    /// The oldest first.
    datagrams: Vec<Datagram>,
    /// Octets held for each host ([`host_key`]) that datagrams come from, and for all.
    sources: Vec<(u64, usize)>,
    held: usize,
    dropped: u64,
}

impl Reassembly {
    /// Nothing to reassemble yet.
    #[must_use]
    pub fn new(limits: ReassemblyLimits) -> Self {
        Self {
            limits,
            datagrams: Vec::new(),
            sources: Vec::new(),
            held: 0,
            dropped: 0,
        }
    }

    /// Octets of memory held at the moment.
    #[inline]
    #[must_use]
    pub fn held(&self) -> usize {
        self.held
    }

    /// Takes the count of datagrams that had to go for lack of room since the last call.
    pub fn take_dropped(&mut self) -> u64 {
        core::mem::take(&mut self.dropped)
    }

    /// Takes one fragment. No more than `room` octets are held after it, if that is less than [`ReassemblyLimits::octets`].
    ///
    /// The effort is logarithmic in the pieces of a datagram; of the datagrams, up to
    /// [`ReassemblyLimits::datagrams`], and where one has to go also of the sources, all are looked at.
    pub fn handle(&mut self, now: Instant, fragment: &Fragment<'_>, room: usize) -> Reassembled {
        let payload = fragment.payload;
        let end = fragment.offset + payload.len();
        let uneven = fragment.more && !payload.len().is_multiple_of(8);
        let header = match fragment.source {
            IpAddr::V4(_) => v4::HEADER_LEN,
            IpAddr::V6(_) => 0,
        };
        if uneven || header + end > MAX_LEN || payload.is_empty() {
            return Reassembled::Refused;
        }
        let at = self.find_or_add(now, fragment);
        let Some(datagram) = self.datagrams.get_mut(at) else {
            return Reassembled::Incomplete;
        };
        let before = datagram.held;
        match datagram.insert(fragment, end, self.limits.pieces) {
            Insert::Kept => {}
            Insert::Repeated => return Reassembled::Incomplete,
            Insert::Unfit => {
                self.remove(at);
                return Reassembled::Refused;
            }
        }
        let added = datagram.held - before;
        let complete = datagram.is_complete();
        self.hold(fragment.source, added);
        if complete && let Some(datagram) = self.remove(at) {
            return datagram.assemble();
        }
        self.shrink_to(room.min(self.limits.octets));
        Reassembled::Incomplete
    }

    /// The place of the datagram that a fragment belongs to.
    fn find_or_add(&mut self, now: Instant, fragment: &Fragment<'_>) -> usize {
        let key = Key {
            source: fragment.source,
            destination: fragment.destination,
            protocol: fragment.protocol,
            identification: fragment.identification,
        };
        let timeout = match fragment.source {
            IpAddr::V4(_) => self.limits.timeout,
            IpAddr::V6(_) => 2 * self.limits.timeout,
        };
        let mut datagrams = self.datagrams.iter();
        if let Some(at) = datagrams.position(|datagram| datagram.key == key) {
            return at;
        }
        while self.datagrams.len() >= self.limits.datagrams.max(1) {
            self.drop_one();
        }
        self.datagrams.push(Datagram {
            key,
            deadline: now + timeout,
            pieces: BTreeMap::new(),
            octets: 0,
            held: DATAGRAM,
            len: None,
            first: None,
        });
        self.hold(key.source, DATAGRAM);
        self.datagrams.len() - 1
    }

    /// Counts octets that are held for a source from now on.
    fn hold(&mut self, source: IpAddr, octets: usize) {
        self.held += octets;
        let source = host_key(source);
        match self.sources.iter_mut().find(|(other, _)| *other == source) {
            Some((_, held)) => *held += octets,
            None => self.sources.push((source, octets)),
        }
    }

    /// Counts octets that are no longer held for a source.
    fn release(&mut self, source: IpAddr, octets: usize) {
        self.held -= octets;
        let source = host_key(source);
        let mut sources = self.sources.iter();
        if let Some(at) = sources.position(|(other, _)| *other == source) {
            self.sources[at].1 -= octets;
            if self.sources[at].1 == 0 {
                self.sources.swap_remove(at);
                self.sources.shrink_to(2 * self.sources.len());
            }
        }
    }

    /// Gives up datagrams until `octets` less are held, if so many are; returns how many less it is.
    pub fn give_back(&mut self, octets: usize) -> usize {
        let before = self.held;
        self.shrink_to(before.saturating_sub(octets));
        before - self.held
    }

    fn shrink_to(&mut self, octets: usize) {
        while self.held > octets {
            self.drop_one();
        }
    }

    /// Gives up the oldest datagram of the source that holds most; of several such sources, the
    /// oldest of all.
    fn drop_one(&mut self) {
        let held = |datagram: &Datagram| {
            let host = host_key(datagram.key.source);
            let mut sources = self.sources.iter();
            sources.find_map(|(source, held)| (*source == host).then_some(*held))
        };
        let oldest_first = self.datagrams.iter().enumerate().rev();
        // Of equals `max_by_key` takes the last.
        let largest = oldest_first.max_by_key(|(_, datagram)| held(datagram));
        if let Some((at, _)) = largest {
            self.remove(at);
            self.dropped += 1;
        }
    }

    fn remove(&mut self, at: usize) -> Option<Datagram> {
        if at >= self.datagrams.len() {
            return None;
        }
        let datagram = self.datagrams.remove(at);
        self.datagrams.shrink_to(2 * self.datagrams.len());
        self.release(datagram.key.source, datagram.held);
        Some(datagram)
    }

    /// Gives up one datagram whose time is over; call until it returns `None`.
    pub fn poll(&mut self, now: Instant) -> Option<Expired> {
        let mut datagrams = self.datagrams.iter();
        let at = datagrams.position(|datagram| datagram.deadline <= now)?;
        let datagram = self.remove(at)?;
        let start = datagram.first.map(|first| first.start).unwrap_or_default();
        Some(match datagram.key.source {
            IpAddr::V4(_) => Expired::V4(start),
            IpAddr::V6(_) => Expired::V6(start),
        })
    }

    /// When [`Reassembly::poll`] wants to be called next.
    #[must_use]
    pub fn poll_at(&self) -> Option<Instant> {
        self.datagrams.iter().map(|it| it.deadline).min()
    }

    /// What [`Reassembly::held`] is to be, by walking all that is held.
    #[cfg(test)]
    pub(super) fn audit(&self) -> usize {
        let pieces = self
            .datagrams
            .iter()
            .flat_map(|datagram| datagram.pieces.values());
        let held = pieces.map(|piece| piece.capacity() + PIECE).sum::<usize>();
        let sources = self.sources.iter().map(|(_, held)| held);
        assert_eq!(sources.sum::<usize>(), self.held);
        held + self.datagrams.len() * DATAGRAM
    }
}

enum Insert {
    Kept,
    Repeated,
    Unfit,
}

impl Datagram {
    fn insert(&mut self, fragment: &Fragment<'_>, end: usize, limit: usize) -> Insert {
        let payload = fragment.payload;
        let range = fragment.offset..end;
        let Ok(offset) = u16::try_from(range.start) else {
            return Insert::Unfit;
        };
        let end = (!fragment.more).then_some(range.end);
        let last = self
            .pieces
            .last_key_value()
            .map_or(0, |(at, piece)| usize::from(*at) + piece.len());
        let beyond = self
            .len
            .is_some_and(|len| range.end > len || end.is_some_and(|end| end != len))
            || end.is_some_and(|end| last > end);
        if beyond {
            return Insert::Unfit;
        }
        let after = self.pieces.range(offset.saturating_add(1)..).next();
        let after = after.map_or(usize::MAX, |(at, _)| usize::from(*at));
        let number = self.pieces.len();
        match self.pieces.range_mut(..=offset).next_back() {
            Some((at, piece)) if usize::from(*at) + piece.len() > range.start => {
                let from = range.start - usize::from(*at);
                return match piece.get(from..from + payload.len()) {
                    Some(known) if known == payload => Insert::Repeated,
                    _ => Insert::Unfit,
                };
            }
            _ if after < range.end => return Insert::Unfit,
            Some((at, piece)) if usize::from(*at) + piece.len() == range.start => {
                let before = piece.capacity();
                if before - piece.len() < payload.len() {
                    piece.reserve_exact(payload.len().max(piece.len() / 2));
                }
                piece.extend_from_slice(payload);
                self.held += piece.capacity() - before;
            }
            _ if number >= limit => return Insert::Unfit,
            _ => {
                let piece = payload.to_vec();
                self.held += piece.capacity() + PIECE;
                self.pieces.insert(offset, piece);
            }
        }
        if range.start == 0 {
            self.first = Some(First {
                header: fragment.header.into(),
                start: fragment.start.into(),
            });
        }
        self.len = self.len.or(end);
        self.octets += payload.len();
        Insert::Kept
    }

    fn is_complete(&self) -> bool {
        // Without overlap, as many octets as the whole has are the whole.
        self.first.is_some() && self.len == Some(self.octets)
    }

    fn assemble(self) -> Reassembled {
        let Some(First { header, .. }) = self.first else {
            return Reassembled::Refused;
        };
        let mut packet = Vec::with_capacity(header.len() + self.octets);
        packet.extend_from_slice(&header);
        for piece in self.pieces.into_values() {
            packet.extend_from_slice(&piece);
        }
        Reassembled::Complete(packet)
    }
}
