//! Reassembly of fragments, bounded in memory and time.
//!
//! Fragments that overlap others, other than by repeating them, end their datagram: no honest
//! sender makes them, and what they cover depends on who puts them together (RFC 1858, RFC 3128).

use core::net::Ipv4Addr;
use core::time::Duration;
use std::collections::VecDeque;

use super::{HEADER_LEN, Header};
use crate::proto::Instant;

/// The longest payload that a datagram can have.
const MAX_PAYLOAD: usize = 65_535 - HEADER_LEN;

/// What reassembly may keep, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct ReassemblyLimits {
    /// Datagrams under reassembly at once; one more makes the oldest go.
    pub datagrams: usize,
    /// Octets of all kept fragments together; more makes the oldest datagrams go.
    pub octets: usize,
    /// Fragments of one datagram; more ends it.
    pub fragments: usize,
    /// From the first fragment until the datagram is given up (RFC 1122 §3.3.2 asks for 60 to 120
    /// seconds; 30, as the Linux kernel has it, is enough on today's paths and keeps less).
    pub timeout: Duration,
}

impl Default for ReassemblyLimits {
    fn default() -> Self {
        Self {
            datagrams: 64,
            octets: 1 << 20,
            fragments: 256,
            timeout: Duration::from_secs(30),
        }
    }
}

/// What became of a fragment.
#[derive(Debug, PartialEq, Eq)]
pub enum Reassembled {
    /// Others are still missing.
    Incomplete,
    /// It made its datagram whole: the header of the first fragment with the lengths of the
    /// whole (and no options), and the payload.
    Complete(Header, Vec<u8>),
    /// It did not fit the others or any datagram, and was dropped with them.
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// In order of their offsets, without overlap.
    fragments: Vec<(usize, Box<[u8]>)>,
    octets: usize,
    /// Payload octets of the whole, known from the last fragment.
    len: Option<usize>,
    /// Header of the fragment at offset 0, and the start of its packet for an ICMP error.
    first: Option<(Header, Vec<u8>)>,
}

/// Datagrams that are not complete yet, the oldest in front.
#[derive(Debug)]
pub struct Reassembly {
    limits: ReassemblyLimits,
    datagrams: VecDeque<Datagram>,
    octets: usize,
    dropped: u64,
}

impl Reassembly {
    /// Nothing to reassemble yet.
    #[must_use]
    pub fn new(limits: ReassemblyLimits) -> Self {
        Self {
            limits,
            datagrams: VecDeque::new(),
            octets: 0,
            dropped: 0,
        }
    }

    /// Octets kept at the moment.
    #[must_use]
    pub fn octets(&self) -> usize {
        self.octets
    }

    /// Takes the count of datagrams that had to go for lack of room since the last call.
    pub fn take_dropped(&mut self) -> u64 {
        core::mem::take(&mut self.dropped)
    }

    /// Takes one fragment; `packet` is the whole IPv4 packet that `header` was read from.
    pub fn handle(&mut self, now: Instant, header: &Header, packet: &[u8]) -> Reassembled {
        let payload = &packet[header.header_len..header.total_len];
        let start = header.fragment_offset;
        let end = start + payload.len();
        let uneven = header.more_fragments && !payload.len().is_multiple_of(8);
        if uneven || end > MAX_PAYLOAD || payload.is_empty() {
            return Reassembled::Refused;
        }
        let index = self.find_or_add(now, header);
        let datagram = &mut self.datagrams[index];
        match datagram.insert(header, packet, start..end, self.limits.fragments) {
            Insert::Kept => self.octets += payload.len(),
            Insert::Repeated => return Reassembled::Incomplete,
            Insert::Unfit => {
                self.remove(index);
                return Reassembled::Refused;
            }
        }
        if self.datagrams[index].is_complete()
            && let Some(datagram) = self.remove(index)
        {
            return datagram.assemble();
        }
        while self.octets > self.limits.octets {
            self.drop_oldest();
        }
        Reassembled::Incomplete
    }

    fn find_or_add(&mut self, now: Instant, header: &Header) -> usize {
        let key = Key {
            source: header.source,
            destination: header.destination,
            protocol: header.protocol,
            identification: header.identification,
        };
        if let Some(index) = self
            .datagrams
            .iter()
            .position(|datagram| datagram.key == key)
        {
            return index;
        }
        while self.datagrams.len() >= self.limits.datagrams.max(1) {
            self.drop_oldest();
        }
        self.datagrams.push_back(Datagram {
            key,
            deadline: now + self.limits.timeout,
            fragments: Vec::new(),
            octets: 0,
            len: None,
            first: None,
        });
        self.datagrams.len() - 1
    }

    fn drop_oldest(&mut self) {
        self.remove(0);
        self.dropped += 1;
    }

    fn remove(&mut self, index: usize) -> Option<Datagram> {
        let datagram = self.datagrams.remove(index)?;
        self.octets -= datagram.octets;
        Some(datagram)
    }

    /// Gives up one datagram whose time is over; call until it returns `None`.
    ///
    /// Returns the start of its first fragment's packet, empty when that fragment never came:
    /// with it goes an ICMP Time Exceeded (RFC 1122 §3.3.2).
    pub fn poll(&mut self, now: Instant) -> Option<Vec<u8>> {
        if self.datagrams.front()?.deadline > now {
            return None;
        }
        let datagram = self.remove(0)?;
        Some(datagram.first.map(|(_, packet)| packet).unwrap_or_default())
    }

    /// When [`Reassembly::poll`] wants to be called next.
    #[must_use]
    pub fn poll_at(&self) -> Option<Instant> {
        self.datagrams.front().map(|datagram| datagram.deadline)
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
        range: core::ops::Range<usize>,
        limit: usize,
    ) -> Insert {
        let payload = &packet[header.header_len..header.total_len];
        let at = self
            .fragments
            .partition_point(|(start, _)| *start < range.start);
        if self
            .fragments
            .get(at)
            .is_some_and(|(start, data)| *start == range.start && **data == *payload)
        {
            return Insert::Repeated;
        }
        let before = at.checked_sub(1).map_or(0, |i| {
            let (start, data) = &self.fragments[i];
            start + data.len()
        });
        let after = self
            .fragments
            .get(at)
            .map_or(usize::MAX, |(start, _)| *start);
        let end = if header.more_fragments {
            None
        } else {
            Some(range.end)
        };
        let last = self
            .fragments
            .last()
            .map_or(0, |(start, data)| start + data.len());
        let beyond = self
            .len
            .is_some_and(|len| range.end > len || end.is_some_and(|e| e != len))
            || end.is_some_and(|end| last > end);
        if before > range.start || after < range.end || beyond || self.fragments.len() >= limit {
            return Insert::Unfit;
        }
        if range.start == 0 {
            let quoted = packet.len().min(header.header_len + 8);
            self.first = Some((*header, packet[..quoted].to_vec()));
        }
        self.len = self.len.or(end);
        self.octets += payload.len();
        self.fragments.insert(at, (range.start, payload.into()));
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
        let mut payload = Vec::with_capacity(self.octets);
        for (_, data) in &self.fragments {
            payload.extend_from_slice(data);
        }
        header.more_fragments = false;
        header.header_len = HEADER_LEN;
        header.total_len = HEADER_LEN + payload.len();
        Reassembled::Complete(header, payload)
    }
}
