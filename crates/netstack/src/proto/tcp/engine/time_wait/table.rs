//! The table of connections in TIME-WAIT: 88 octets each, and O(1) for all that is done with it.
//!
//! Records lie one after the other in small chunks, and the last takes the place of one that goes, so
//! that memory follows their number in both directions and nothing is ever copied in bulk. The hash
//! table is within them: there are as many buckets as records (linear hashing: each record that comes
//! splits one bucket, each that goes joins two), and the head of a bucket is a field of the slot with
//! its number. So is the order in which they end. Beside the chunks there is a pointer for each.

use crate::proto::Instant;
use crate::proto::tcp::wire::segment::FourTuple;
use crate::proto::tcp::wire::seq::Seq;

/// Slots of a chunk.
const CHUNK: usize = 16;
/// Where a chain ends.
const NONE: u32 = u32::MAX;

/// What is kept of a connection in TIME-WAIT.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeWait {
    pub(crate) tuple: FourTuple,
    pub(crate) snd_nxt: Seq,
    pub(crate) rcv_nxt: Seq,
    /// RCV.WND, in units of its scale.
    pub(crate) wnd: u16,
    pub(crate) ttl: u8,
    /// The connection uses timestamps: TS.Recent counts.
    pub(crate) timestamps: bool,
    pub(crate) recent: u32,
    /// Milliseconds of the clock when something was last answered; only when `answers` says so.
    pub(crate) answered: u32,
    /// The number of the last SYN that was answered, if one was.
    pub(crate) syn: Seq,
    pub(crate) answers: Answers,
    pub(crate) hash: AddressHash,
}

/// What is kept of the keyed hash of a record's addresses: enough to tell 16 million buckets apart, in octets that
/// would lie idle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AddressHash([u8; 3]);

impl AddressHash {
    pub(crate) fn new(hash: u32) -> Self {
        let [a, b, c, _] = hash.to_le_bytes();
        Self([a, b, c])
    }

    fn bits(self) -> u32 {
        let [a, b, c] = self.0;
        u32::from_le_bytes([a, b, c, 0])
    }
}

/// What has been answered in TIME-WAIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    Nothing,
    /// A segment that is no news.
    Segment,
    /// A SYN that looks older than the connection.
    Syn,
    /// That SYN, and a reset has said that the peer knows nothing of the connection.
    Confirmed,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    /// Nanoseconds, the low half first: as one word it would be aligned to eight octets, and the slot with it.
    until: [u32; 2],
    record: TimeWait,
    /// The next record of the same bucket.
    chain: u32,
    /// The records that end before and after this one.
    earlier: u32,
    later: u32,
    /// The first record of the bucket that has this slot's number.
    head: u32,
}

const _: () = assert!(size_of::<Slot>() <= 88);

type Chunk = [Slot; CHUNK];

/// All of them.
#[derive(Debug)]
pub(crate) struct Table {
    #[allow(clippy::vec_box)]
    // A vector of chunks would be copied, and twice as large, as it grows.
    chunks: Vec<Box<Chunk>>,
    len: u32,
    oldest: u32,
    newest: u32,
}

/// What [`Slot::until`] is of a time.
fn halves(until: Instant) -> [u32; 2] {
    let nanos = until.as_nanos();
    [nanos as u32, (nanos >> 32) as u32]
}

/// The bucket of a hash when there are so many.
fn bucket(hash: u32, buckets: u32) -> u32 {
    let low = power_below(buckets);
    let bucket = hash & low.wrapping_mul(2).wrapping_sub(1);
    if bucket < buckets {
        bucket
    } else {
        hash & (low - 1)
    }
}

/// The largest power of two that is not larger than `number`, which is not zero.
fn power_below(number: u32) -> u32 {
    1 << (31 - number.leading_zeros())
}

impl Table {
    pub(crate) fn new() -> Self {
        Self {
            chunks: Vec::new(),
            len: 0,
            oldest: NONE,
            newest: NONE,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    /// Octets of the allocations.
    pub(crate) fn held(&self) -> usize {
        self.chunks.len() * size_of::<Chunk>() + self.chunks.capacity() * size_of::<Box<Chunk>>()
    }

    fn slot(&self, index: u32) -> &Slot {
        &self.chunks[index as usize / CHUNK][index as usize % CHUNK]
    }

    fn slot_mut(&mut self, index: u32) -> &mut Slot {
        &mut self.chunks[index as usize / CHUNK][index as usize % CHUNK]
    }

    pub(crate) fn get(&self, index: u32) -> &TimeWait {
        &self.slot(index).record
    }

    pub(crate) fn get_mut(&mut self, index: u32) -> &mut TimeWait {
        &mut self.slot_mut(index).record
    }

    /// The bucket of a record with this hash.
    fn bucket(&self, hash: AddressHash) -> u32 {
        bucket(hash.bits(), self.len)
    }

    /// When a record ends.
    pub(crate) fn end(&self, index: u32) -> Instant {
        let [low, high] = self.slot(index).until;
        Instant::from_nanos(u64::from(high) << 32 | u64::from(low))
    }

    /// The record that ends next.
    pub(crate) fn oldest(&self) -> Option<u32> {
        (self.oldest != NONE).then_some(self.oldest)
    }

    /// The place of a record: it holds until one is removed.
    pub(crate) fn find(&self, tuple: &FourTuple, hash: AddressHash) -> Option<u32> {
        if self.len == 0 {
            return None;
        }
        let mut index = self.slot(self.bucket(hash)).head;
        while index != NONE {
            let slot = self.slot(index);
            if slot.record.tuple == *tuple {
                return Some(index);
            }
            index = slot.chain;
        }
        None
    }

    /// Adds a record that ends after all others. There is none with its addresses.
    pub(crate) fn insert(&mut self, record: TimeWait, until: Instant) {
        let index = self.len;
        let slot = Slot {
            until: halves(until),
            record,
            chain: NONE,
            earlier: NONE,
            later: NONE,
            head: NONE,
        };
        if index as usize == self.chunks.len() * CHUNK {
            self.chunks.push(Box::new([slot; CHUNK]));
        }
        *self.slot_mut(index) = slot;
        self.len += 1;
        self.split_bucket(index);
        self.link(index);
        self.append(index);
    }

    /// Bucket `new`, the last, takes from an earlier one what is its own now.
    fn split_bucket(&mut self, new: u32) {
        if new == 0 {
            return;
        }
        let source = new - power_below(new);
        let mut index = core::mem::replace(&mut self.slot_mut(source).head, NONE);
        while index != NONE {
            let next = self.slot(index).chain;
            self.link(index);
            index = next;
        }
    }

    /// The last bucket's records go back to the bucket that they would be in without it.
    fn join_bucket(&mut self, last: u32) {
        if last == 0 {
            return;
        }
        let target = last - power_below(last);
        let mut index = core::mem::replace(&mut self.slot_mut(last).head, NONE);
        while index != NONE {
            let next = self.slot(index).chain;
            self.slot_mut(index).chain = self.slot(target).head;
            self.slot_mut(target).head = index;
            index = next;
        }
    }

    /// Puts a record into its bucket.
    fn link(&mut self, index: u32) {
        let bucket = self.bucket(self.slot(index).record.hash);
        self.slot_mut(index).chain = self.slot(bucket).head;
        self.slot_mut(bucket).head = index;
    }

    /// Lets what points to `index` in its bucket point to `to`.
    fn relink(&mut self, index: u32, to: u32) {
        let bucket = self.bucket(self.slot(index).record.hash);
        if self.slot(bucket).head == index {
            self.slot_mut(bucket).head = to;
            return;
        }
        let mut before = self.slot(bucket).head;
        while before != NONE {
            let next = self.slot(before).chain;
            if next == index {
                self.slot_mut(before).chain = to;
                return;
            }
            before = next;
        }
    }

    /// Puts a record at the end of the order.
    fn append(&mut self, index: u32) {
        let newest = core::mem::replace(&mut self.newest, index);
        let slot = self.slot_mut(index);
        (slot.earlier, slot.later) = (newest, NONE);
        match newest {
            NONE => self.oldest = index,
            newest => self.slot_mut(newest).later = index,
        }
    }

    /// Lets the neighbours of `index` in the order be neighbours of `left` and `right` instead.
    fn reorder(&mut self, index: u32, left: u32, right: u32) {
        let Slot { earlier, later, .. } = *self.slot(index);
        match earlier {
            NONE => self.oldest = right,
            earlier => self.slot_mut(earlier).later = right,
        }
        match later {
            NONE => self.newest = left,
            later => self.slot_mut(later).earlier = left,
        }
    }

    /// Takes a record out of the order.
    fn take_out(&mut self, index: u32) {
        let Slot { earlier, later, .. } = *self.slot(index);
        self.reorder(index, earlier, later);
    }

    /// Lets a record end at `until`, after all others.
    pub(crate) fn postpone(&mut self, index: u32, until: Instant) {
        self.slot_mut(index).until = halves(until);
        self.take_out(index);
        self.append(index);
    }

    /// Removes a record; the last one takes its place.
    pub(crate) fn remove(&mut self, index: u32) {
        let chain = self.slot(index).chain;
        self.relink(index, chain);
        self.take_out(index);
        let last = self.len - 1;
        if index != last {
            self.relink(last, index);
            self.reorder(last, index, index);
            let head = self.slot(index).head;
            *self.slot_mut(index) = Slot {
                head,
                ..*self.slot(last)
            };
        }
        self.join_bucket(last);
        self.len = last;
        self.chunks.truncate((last as usize).div_ceil(CHUNK));
        if self.chunks.capacity() > 4 * self.chunks.len() {
            self.chunks.shrink_to(2 * self.chunks.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use core::net::{IpAddr, Ipv4Addr};
    use std::collections::VecDeque;

    use super::{AddressHash, Answers, Table, TimeWait};
    use crate::proto::Instant;
    use crate::proto::ip::Endpoint;
    use crate::proto::tcp::wire::segment::FourTuple;
    use crate::proto::tcp::wire::seq::Seq;

    fn tuple(number: u32) -> FourTuple {
        FourTuple {
            local: Endpoint::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 80),
            remote: Endpoint::new(
                IpAddr::V4(Ipv4Addr::from_bits(number >> 8)),
                number as u16 & 0xff,
            ),
        }
    }

    fn record(number: u32) -> TimeWait {
        TimeWait {
            tuple: tuple(number),
            snd_nxt: Seq(number),
            rcv_nxt: Seq(0),
            wnd: 0,
            ttl: 64,
            timestamps: false,
            recent: 0,
            answered: 0,
            syn: Seq(0),
            answers: Answers::Nothing,
            hash: hash(number),
        }
    }

    fn hash(number: u32) -> AddressHash {
        AddressHash::new(number.wrapping_mul(0x9e37_79b9) >> 8)
    }

    #[test]
    fn agrees_with_a_list() {
        let mut table = Table::new();
        let mut model: VecDeque<(u32, u64)> = VecDeque::new();
        let mut state = 1_u64;
        let mut random = |bound: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % bound
        };
        for step in 0..30_000_u64 {
            let number = random(300) as u32;
            let until = Instant::from_nanos(step);
            let known = model.iter().position(|(known, _)| *known == number);
            let found = table.find(&tuple(number), hash(number));
            assert_eq!(found.is_some(), known.is_some());
            // Waves, so that it grows and shrinks.
            match (found, known) {
                (None, _) if step / 1000 % 2 == 0 => {
                    table.insert(record(number), until);
                    model.push_back((number, step));
                }
                (Some(index), Some(known)) => {
                    assert_eq!(table.get(index).snd_nxt, Seq(number));
                    assert_eq!(table.end(index), Instant::from_nanos(model[known].1));
                    model.remove(known);
                    if random(2) == 0 {
                        table.postpone(index, until);
                        model.push_back((number, step));
                    } else {
                        table.remove(index);
                    }
                }
                _ => {}
            }
            assert_eq!(table.len(), model.len());
            let oldest = table.oldest().map(|index| table.get(index).snd_nxt.0);
            assert_eq!(oldest, model.front().map(|(number, _)| *number));
        }
        while let Some(index) = table.oldest() {
            assert_eq!(table.get(index).snd_nxt.0, model.pop_front().unwrap().0);
            table.remove(index);
        }
        assert_eq!((table.len(), model.len(), table.held()), (0, 0, 0));
    }

    #[test]
    fn rfc9293_3_6_1_each_takes_96_octets_at_most_also_while_the_table_grows_and_shrinks() {
        let mut table = Table::new();
        let mut held = Vec::new();
        for number in 0..20_000 {
            table.insert(record(number), Instant::from_nanos(number.into()));
            held.push((table.len(), table.held()));
        }
        while let Some(index) = table.oldest() {
            table.remove(index);
            held.push((table.len(), table.held()));
        }
        // A vector that grows or shrinks is there twice for a moment: less than three pointers more
        // for a chunk.
        for (len, held) in held {
            let moving = len.div_ceil(super::CHUNK) * 3 * size_of::<usize>();
            assert!(len < 512 || held + moving <= 96 * len, "{held} for {len}");
        }
    }
}
