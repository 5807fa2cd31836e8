//! Where the journal lies, and its records.
//!
//! | octets | |
//! | --- | --- |
//! | 0 and 4,096 | the headers of even and of odd generations |
//! | 8,192 | the area of even generations |
//! | 8,192 + `area` | that of odd ones |
//! | 8,192 + 2 `area` | blocks of files, of 4 KiB each |
//!
//! A header: [`MAGIC`], the generation, the octets of an area, the octets of the device when it was made, a random number by
//! which what belongs to this area is known, how many records it begins with that hold all there was when it began, the octets
//! of a sector then, and a CRC-32 of all that. The newer of two counts.
//!
//! A record begins where such a sector does: a CRC-32 of what follows, the octets of its ops, the random number, the generation,
//! the record's place in the area counted from 0, and the ops. Integers are little-endian.

use libc::ENOMEM;

use crate::error::{Errno, Result};
use crate::files::disk::Shared;
use crate::random;

/// Octets of a block of files.
pub(super) const BLOCK: u64 = 4096;

const MAGIC: &[u8; 8] = b"mkfiles\x02";
const HEADER: usize = 60;
/// Octets of the header that its sum is of.
const SUMMED: usize = HEADER - 4;
const RECORD: usize = 32;
const AREAS: u64 = 2 * BLOCK;
/// No header has been written so often.
const MOST_GENERATIONS: u64 = 1 << 62;
/// What is looked at of a device that was never written, in front and at its end.
const UNUSED: u64 = 1 << 20;

/// Of the device, a part for each area, in bounds.
const AREA_PART: u64 = 32;
const LEAST_AREA: u64 = 32 << 10;
const MOST_AREA: u64 = 64 << 20;
/// Octets of the least device.
pub(super) const LEAST: u64 = 256 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) generation: u64,
    pub(super) area: u64,
    /// Octets that the device had.
    pub(super) size: u64,
    identity: u64,
    /// Records at the beginning of the area that belong together.
    pub(super) whole: u64,
    /// What records of the area are rounded up to, which the device's sectors may not be any more.
    unit: u64,
}

impl Header {
    /// That of a new file system.
    pub(super) fn new(device: &Shared) -> Self {
        let area = (device.capacity / AREA_PART).clamp(LEAST_AREA, MOST_AREA);
        Self {
            generation: 1,
            area: area - area % BLOCK,
            size: device.capacity,
            identity: identity(),
            whole: 0,
            unit: unit(device) as u64,
        }
    }

    /// The first block of files.
    pub(super) fn first_block(&self) -> u64 {
        (AREAS + 2 * self.area) / BLOCK
    }

    fn octets(&self) -> [u8; HEADER] {
        let mut octets = [0; HEADER];
        octets[..8].copy_from_slice(MAGIC);
        let numbers = [
            self.generation,
            self.area,
            self.size,
            self.identity,
            self.whole,
            self.unit,
        ];
        for (place, number) in octets[8..SUMMED].chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        let sum = crc32fast::hash(&octets[..SUMMED]);
        octets[SUMMED..].copy_from_slice(&sum.to_le_bytes());
        octets
    }

    fn from_octets(octets: &[u8; HEADER]) -> Option<Self> {
        let number = |at| octets[at..].first_chunk().map(|it| u64::from_le_bytes(*it));
        let found = Self {
            generation: number(8)?,
            area: number(16)?,
            size: number(24)?,
            identity: number(32)?,
            whole: number(40)?,
            unit: number(48)?,
        };
        let areas =
            found.area.is_multiple_of(BLOCK) && (LEAST_AREA..=MOST_AREA).contains(&found.area);
        let is_unit = found.unit.is_power_of_two() && (512..=BLOCK).contains(&found.unit);
        let makes_sense = areas
            && is_unit
            && found.size >= LEAST
            && AREAS + 2 * found.area < found.size
            && (1..MOST_GENERATIONS).contains(&found.generation);
        (found.octets() == *octets && makes_sense).then_some(found)
    }

    /// The newer of the two, if there is one.
    pub(super) fn read(device: &Shared) -> Result<Option<Self>> {
        let mut newest: Option<Self> = None;
        for slot in 0..2 {
            let mut octets = [0; HEADER];
            device.read_at(slot * BLOCK, &mut octets)?;
            let found = Self::from_octets(&octets).filter(|found| found.generation % 2 == slot);
            if found.map(|found| found.generation) > newest.map(|newest| newest.generation) {
                newest = found;
            }
        }
        Ok(newest)
    }

    pub(super) fn write(&self, device: &Shared) -> Result<()> {
        let mut sector = vec![0; unit(device)];
        sector[..HEADER].copy_from_slice(&self.octets());
        device.write_at(self.generation % 2 * BLOCK, &sector)
    }
}

/// A number that nothing else has. Of one that is not random nothing worse comes than that what was on the device before could
/// be taken for what it is now.
fn identity() -> u64 {
    random::number()
}

/// Octets of a sector: what is written at once.
fn unit(device: &Shared) -> usize {
    device.block_size.max(512)
}

/// Whether nothing was ever written to the device, as far as is looked at. (A sector of the first header may be anything: it may have been torn.)
pub(super) fn is_unused(device: &Shared) -> Result<bool> {
    let mut octets = vec![0; BLOCK as usize];
    let blocks = device.capacity / BLOCK;
    let (first, last) = (UNUSED / BLOCK, blocks.saturating_sub(UNUSED / BLOCK));
    let behind = last.max(first.min(blocks))..blocks;
    for block in (0..first.min(blocks)).chain(behind) {
        let at = block * BLOCK;
        device.read_at(at, &mut octets)?;
        let skipped = if at == BLOCK { unit(device) } else { 0 };
        if octets[skipped..].iter().any(|octet| *octet != 0) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A place in an area.
#[derive(Clone, Copy, Debug)]
pub(super) struct Log {
    header: Header,
    sequence: u64,
    /// Octets from the beginning of the area.
    position: u64,
}

impl Log {
    /// The beginning of the area.
    pub(super) fn new(header: Header) -> Self {
        Self {
            header,
            sequence: 0,
            position: 0,
        }
    }

    /// The beginning of the other area, with the header that is to be written for it. It is another each time: records of one
    /// that was not written do not count in the next.
    pub(super) fn next(&self, device: &Shared, whole: u64) -> Self {
        Self::new(Header {
            generation: self.header.generation + 1,
            identity: identity(),
            whole,
            unit: unit(device) as u64,
            ..self.header
        })
    }

    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    fn offset(&self) -> u64 {
        AREAS + self.header.generation % 2 * self.header.area + self.position
    }

    fn left(&self) -> u64 {
        self.header.area - self.position
    }

    /// Whether there is room for a record of so many octets.
    pub(super) fn has_room(&self, octets: usize) -> bool {
        self.rounded(octets) as u64 <= self.left()
    }

    /// What a record of so many octets takes.
    fn rounded(&self, octets: usize) -> usize {
        (RECORD + octets).next_multiple_of(self.header.unit as usize)
    }

    fn head(&self, len: u32) -> [u8; RECORD - 4] {
        let mut head = [0; RECORD - 4];
        head[..4].copy_from_slice(&len.to_le_bytes());
        let numbers = [self.header.identity, self.header.generation, self.sequence];
        for (place, number) in head[4..].chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        head
    }

    /// Writes a record, for which there is room.
    pub(super) fn append(&mut self, device: &Shared, ops: &[u8]) -> Result<()> {
        let size = self.rounded(ops.len());
        let mut record = Vec::with_capacity(size);
        record.extend_from_slice(&[0; 4]);
        record.extend_from_slice(&self.head(ops.len() as u32));
        record.extend_from_slice(ops);
        let sum = crc32fast::hash(&record[4..]);
        record[..4].copy_from_slice(&sum.to_le_bytes());
        record.resize(size, 0);
        device.write_at(self.offset(), &record)?;
        self.advance(size);
        Ok(())
    }

    fn advance(&mut self, size: usize) {
        self.position += size as u64;
        self.sequence += 1;
    }

    /// How many records were read or written.
    pub(super) fn records(&self) -> u64 {
        self.sequence
    }

    /// The ops of the record that is here, if there is one.
    pub(super) fn read(&mut self, device: &Shared) -> Result<Option<Vec<u8>>> {
        if !self.has_room(0) {
            return Ok(None);
        }
        let mut head = [0; RECORD];
        device.read_at(self.offset(), &mut head)?;
        let (sum, rest) = head.split_at(4);
        let len = rest.first_chunk().map_or(0, |len| u32::from_le_bytes(*len));
        if rest != self.head(len) || !self.has_room(len as usize) {
            return Ok(None);
        }
        let mut ops = Vec::new();
        let reserved = ops.try_reserve_exact(len as usize);
        reserved.map_err(|_| Errno(ENOMEM))?;
        ops.resize(len as usize, 0);
        device.read_at(self.offset() + RECORD as u64, &mut ops)?;
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(rest);
        hasher.update(&ops);
        if hasher.finalize().to_le_bytes() != sum {
            return Ok(None);
        }
        self.advance(self.rounded(ops.len()));
        Ok(Some(ops))
    }
}
