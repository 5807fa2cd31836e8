//! Reassembly of fragments, bounded in memory, time and effort.
//!
//! What arrives is copied into pieces of its own size, and appended to the piece that it follows:
//! no fragment, however small, keeps the frame that it came in. When there are too many, the source
//! that holds most loses its oldest datagram, so that one that floods displaces itself.
//!
//! Fragments that overlap others, other than by repeating them, end their datagram: no honest
//! sender makes them, and what they cover depends on who puts them together (RFC 1858, RFC 3128,
//! RFC 5722).

use core::net::Ipv4Addr;
use core::ops::Range;
use core::time::Duration;
use std::collections::BTreeMap;

use super::v4::{HEADER_LEN, Header};
use crate::proto::Instant;

/// The longest payload that a datagram can have.
const MAX_PAYLOAD: usize = 65_535 - HEADER_LEN;
/// Octets that a piece takes beside those in it, at most: its place in the table of pieces, whose
/// leaves of 304 octets hold at least five, with its share of the inner nodes, and what the heap adds
/// to an allocation.
const PIECE: usize = 112;
/// Octets that a datagram takes beside its pieces, at most: its places in the tables, which may be
/// half empty, the first leaf of its own table, and the start of its packet.
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
    /// seconds; 30, as the Linux kernel has it, is enough on today's paths and keeps less).
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

/// What became of a fragment.
#[derive(Debug, PartialEq, Eq)]
pub enum Reassembled {
    /// Others are still missing, or there was no room for it.
    Incomplete,
    /// It made its datagram whole: the header of the first fragment with the lengths of the whole
    /// (and no options), and the packet of this header and the payload.
    Complete(Header, Vec<u8>),
    /// It did not fit the others or any datagram, and was dropped with them.
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    source: Ipv4Addr,
    destination: Ipv4Addr,
    protocol: u8,
    identification: u16,
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
    /// Header of the fragment at offset 0, and the start of its packet for an ICMP error.
    first: Option<(Header, Box<[u8]>)>,
}

/// Datagrams that are not complete yet.
#[derive(Debug)]
pub struct Reassembly {
    limits: ReassemblyLimits,
    /// By their age: the oldest has the least number.
    datagrams: BTreeMap<u64, Datagram>,
    next: u64,
    numbers: BTreeMap<Key, u64>,
    /// Octets held for each source of a datagram, and for all.
    sources: BTreeMap<Ipv4Addr, usize>,
    held: usize,
    dropped: u64,
}

impl Reassembly {
    /// Nothing to reassemble yet.
    #[must_use]
    pub fn new(limits: ReassemblyLimits) -> Self {
        Self {
            limits,
            datagrams: BTreeMap::new(),
            next: 0,
            numbers: BTreeMap::new(),
            sources: BTreeMap::new(),
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

    /// Takes one fragment; `packet` is the whole IPv4 packet that `header` was read from. No more
    /// than `room` octets are held after it, if that is less than [`ReassemblyLimits::octets`].
    ///
    /// The effort is logarithmic in what is kept; only where a datagram has to go, all of them, up
    /// to [`ReassemblyLimits::datagrams`], are looked at.
    pub fn handle(
        &mut self,
        now: Instant,
        header: &Header,
        packet: &[u8],
        room: usize,
    ) -> Reassembled {
        let payload = &packet[header.header_len..header.total_len];
        let start = header.fragment_offset;
        let end = start + payload.len();
        let uneven = header.more_fragments && !payload.len().is_multiple_of(8);
        if uneven || end > MAX_PAYLOAD || payload.is_empty() {
            return Reassembled::Refused;
        }
        let number = self.find_or_add(now, header);
        let Some(datagram) = self.datagrams.get_mut(&number) else {
            return Reassembled::Incomplete;
        };
        let before = datagram.held;
        match datagram.insert(header, packet, start..end, self.limits.pieces) {
            Insert::Kept => {}
            Insert::Repeated => return Reassembled::Incomplete,
            Insert::Unfit => {
                self.remove(number);
                return Reassembled::Refused;
            }
        }
        let (source, added) = (header.source, datagram.held - before);
        let complete = datagram.is_complete();
        self.held += added;
        *self.sources.entry(source).or_default() += added;
        if complete && let Some(datagram) = self.remove(number) {
            return datagram.assemble();
        }
        self.shrink_to(room.min(self.limits.octets));
        Reassembled::Incomplete
    }

    fn find_or_add(&mut self, now: Instant, header: &Header) -> u64 {
        let key = Key {
            source: header.source,
            destination: header.destination,
            protocol: header.protocol,
            identification: header.identification,
        };
        if let Some(number) = self.numbers.get(&key) {
            return *number;
        }
        while self.datagrams.len() >= self.limits.datagrams.max(1) {
            self.drop_one();
        }
        let number = self.next;
        self.next += 1;
        self.numbers.insert(key, number);
        let datagram = Datagram {
            key,
            deadline: now + self.limits.timeout,
            pieces: BTreeMap::new(),
            octets: 0,
            held: DATAGRAM,
            len: None,
            first: None,
        };
        self.held += DATAGRAM;
        *self.sources.entry(key.source).or_default() += DATAGRAM;
        self.datagrams.insert(number, datagram);
        number
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
        let held = |datagram: &Datagram| self.sources.get(&datagram.key.source).copied();
        let oldest_first = self.datagrams.iter().rev();
        // Of equals `max_by_key` takes the last.
        let largest = oldest_first.max_by_key(|(_, datagram)| held(datagram));
        if let Some((&number, _)) = largest {
            self.remove(number);
            self.dropped += 1;
        }
    }

    fn remove(&mut self, number: u64) -> Option<Datagram> {
        let datagram = self.datagrams.remove(&number)?;
        self.numbers.remove(&datagram.key);
        self.held -= datagram.held;
        let source = datagram.key.source;
        if let Some(held) = self.sources.get_mut(&source) {
            *held -= datagram.held;
            if *held == 0 {
                self.sources.remove(&source);
            }
        }
        Some(datagram)
    }

    /// Gives up one datagram whose time is over; call until it returns `None`.
    ///
    /// Returns the start of its first fragment's packet, empty when that fragment never came:
    /// with it goes an ICMP Time Exceeded (RFC 1122 §3.3.2).
    pub fn poll(&mut self, now: Instant) -> Option<Box<[u8]>> {
        let (&number, oldest) = self.datagrams.first_key_value()?;
        if oldest.deadline > now {
            return None;
        }
        let datagram = self.remove(number)?;
        Some(datagram.first.map(|(_, packet)| packet).unwrap_or_default())
    }

    /// When [`Reassembly::poll`] wants to be called next.
    #[must_use]
    pub fn poll_at(&self) -> Option<Instant> {
        let (_, oldest) = self.datagrams.first_key_value()?;
        Some(oldest.deadline)
    }

    /// What [`Reassembly::held`] is to be, by walking all that is held.
    #[cfg(test)]
    pub(super) fn audit(&self) -> usize {
        let pieces = self
            .datagrams
            .values()
            .flat_map(|datagram| datagram.pieces.values());
        let held = pieces.map(|piece| piece.capacity() + PIECE).sum::<usize>();
        assert_eq!(self.numbers.len(), self.datagrams.len());
        assert_eq!(self.sources.values().sum::<usize>(), self.held);
        held + self.datagrams.len() * DATAGRAM
    }
}

enum Insert {
    Kept,
    Repeated,
    Unfit,
}

impl Datagram {
    fn insert(
        &mut self,
        header: &Header,
        packet: &[u8],
        range: Range<usize>,
        limit: usize,
    ) -> Insert {
        let payload = &packet[header.header_len..header.total_len];
        let Ok(offset) = u16::try_from(range.start) else {
            return Insert::Unfit;
        };
        let end = (!header.more_fragments).then_some(range.end);
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
            let quoted = packet.len().min(header.header_len + 8);
            self.first = Some((*header, packet[..quoted].into()));
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
        let Some((mut header, _)) = self.first else {
            return Reassembled::Refused;
        };
        header.more_fragments = false;
        header.header_len = HEADER_LEN;
        header.total_len = HEADER_LEN + self.octets;
        let mut packet = Vec::with_capacity(header.total_len);
        packet.resize(HEADER_LEN, 0);
        header.write(&mut packet);
        for piece in self.pieces.into_values() {
            packet.extend_from_slice(&piece);
        }
        Reassembled::Complete(header, packet)
    }
}
