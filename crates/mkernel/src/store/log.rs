//! The log in front of the database: what has been promised and is not yet in the database on the device.
//!
//! A record is a header and operations, filled up with zeros to whole blocks, and the next one follows behind. When
//! the database has all, the next epoch begins at the start of the log. Whatever else lies there, of another epoch or
//! another store, is no record.
//!
//! | bytes | |
//! | --- | --- |
//! | 0..8 | the store's number |
//! | 8..16 | epoch |
//! | 16..24 | number of the record in it, from 0 |
//! | 24..28 | bytes of the operations |
//! | 28..32 | CRC-32 of what is in front of it and of the operations |
//! | 32.. | operations |
//!
//! An operation is the length of the key and of the value, as four bytes each, then both; a length of
//! [`DELETED`] stands for no value. Integers are little-endian.

use blockdev::{BlockDevice, Error, SectorDevice};

use super::superblock::LOG;

const HEADER: usize = 32;
/// The largest record.
pub(super) const MOST: usize = 4 << 20;
/// In place of a value's length.
const DELETED: u32 = u32::MAX;

/// Where a log is.
#[derive(Clone, Copy)]
pub(super) struct Log {
    pub(super) bytes: u64,
    pub(super) identity: u64,
}

/// Where in the log the next record will be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    pub(super) epoch: u64,
    number: u64,
    offset: u64,
}

impl Position {
    /// The start of an epoch.
    pub(super) fn start(epoch: u64) -> Self {
        Self {
            epoch,
            number: 0,
            offset: 0,
        }
    }
}

/// A key, and its value or that it is to be deleted.
pub(super) type Operation<'a> = (&'a [u8], Option<&'a [u8]>);

impl Log {
    /// The record of these operations, if there is room for it.
    pub(super) fn record<'a>(
        &self,
        position: &Position,
        operations: impl Iterator<Item = Operation<'a>>,
        block_size: usize,
    ) -> Option<Vec<u8>> {
        let mut record = vec![0; HEADER];
        for (key, value) in operations {
            let value_len = value.map_or(Some(DELETED), |value| {
                u32::try_from(value.len())
                    .ok()
                    .filter(|&len| len != DELETED)
            });
            record.extend(u32::try_from(key.len()).ok()?.to_le_bytes());
            record.extend(value_len?.to_le_bytes());
            record.extend(key);
            record.extend(value.unwrap_or_default());
        }
        let len = u32::try_from(record.len() - HEADER).ok()?;
        record[..8].copy_from_slice(&self.identity.to_le_bytes());
        record[8..16].copy_from_slice(&position.epoch.to_le_bytes());
        record[16..24].copy_from_slice(&position.number.to_le_bytes());
        record[24..28].copy_from_slice(&len.to_le_bytes());
        let sum = sum(&record[..28], &record[HEADER..]);
        record[28..HEADER].copy_from_slice(&sum.to_le_bytes());
        if record.len() > MOST {
            return None;
        }
        record.resize(record.len().next_multiple_of(block_size), 0);
        (record.len() as u64 <= self.bytes.checked_sub(position.offset)?).then_some(record)
    }

    /// Writes a record where the next one belongs.
    pub(super) fn append<D: SectorDevice>(
        &self,
        device: &mut BlockDevice<D>,
        position: &mut Position,
        record: &[u8],
    ) -> Result<(), Error<D::Error>> {
        device.write_at(LOG + position.offset, record)?;
        position.number += 1;
        position.offset += record.len() as u64;
        Ok(())
    }

    /// The operations of the record at `position`, which moves behind it; none if there is no such record.
    pub(super) fn next<D: SectorDevice>(
        &self,
        device: &mut BlockDevice<D>,
        position: &mut Position,
    ) -> Result<Option<Vec<u8>>, Error<D::Error>> {
        let Some(room) = self.bytes.checked_sub(position.offset + HEADER as u64) else {
            return Ok(None);
        };
        let mut header = [0; HEADER];
        device.read_at(LOG + position.offset, &mut header)?;
        let expected = [self.identity, position.epoch, position.number];
        let is_expected = header
            .as_chunks::<8>()
            .0
            .iter()
            .zip(expected)
            .all(|(&found, expected)| u64::from_le_bytes(found) == expected);
        let [.., a, b, c, d, s0, s1, s2, s3] = header;
        let len = u32::from_le_bytes([a, b, c, d]);
        if !is_expected || len as usize > MOST || u64::from(len) > room {
            return Ok(None);
        }
        let mut operations = vec![0; len as usize];
        device.read_at(LOG + position.offset + HEADER as u64, &mut operations)?;
        if sum(&header[..28], &operations) != u32::from_le_bytes([s0, s1, s2, s3]) {
            return Ok(None);
        }
        position.number += 1;
        position.offset +=
            ((HEADER + operations.len()) as u64).next_multiple_of(device.block_size() as u64);
        Ok(Some(operations))
    }
}

fn sum(header: &[u8], operations: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(header);
    hasher.update(operations);
    hasher.finalize()
}

/// The operations of a record; it ends early where a record says what no record can.
pub(super) struct Operations<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Operations<'a> {
    type Item = Operation<'a>;

    fn next(&mut self) -> Option<Operation<'a>> {
        let (&key_len, rest) = self.0.split_first_chunk()?;
        let (&value_len, rest) = rest.split_first_chunk()?;
        let (key, rest) = rest.split_at_checked(u32::from_le_bytes(key_len) as usize)?;
        let value_len = u32::from_le_bytes(value_len);
        if value_len == DELETED {
            self.0 = rest;
            return Some((key, None));
        }
        let (value, rest) = rest.split_at_checked(value_len as usize)?;
        self.0 = rest;
        Some((key, Some(value)))
    }
}
