//! What is in files: blocks, and the ends of several files together in a block, a fragment.

use std::rc::Rc;

use miniz_oxide::inflate::core::DecompressorOxide;

use super::super::ErrorKind;
use super::super::volume::Content;
use super::Image;
use super::inflate::inflate;
use super::inode::{Inode, Kind};
use super::metadata::{Cursor, Place};

/// Which bit of a length says that the block is not compressed.
const STORED: u32 = 1 << 24;

/// The block of data and the fragment that were used last, decompressed, and where they are on the device.
#[derive(Default)]
pub(super) struct Blocks {
    data: Option<(u64, Vec<u8>)>,
    fragment: Option<(u64, Vec<u8>)>,
    stored: Vec<u8>,
    decompressor: Box<DecompressorOxide>,
}

/// Where a block is on the device; no octets of it are there when all of them are zeros.
#[derive(Clone, Copy)]
struct Stored {
    offset: u64,
    len: u32,
    compressed: bool,
}

impl Stored {
    fn new(offset: u64, len: u32) -> Self {
        Self {
            offset,
            len: len & (STORED - 1),
            compressed: len & STORED == 0,
        }
    }
}

/// An open file.
pub(super) struct OpenFile {
    image: Rc<Image>,
    len: u64,
    start: u64,
    fragment: Option<(u32, u32)>,
    lengths: Place,
    /// The number of a block, where it is on the device, and where its length is.
    reached: (u64, u64, Place),
}

impl OpenFile {
    /// # Panics
    ///
    /// When the inode is not that of a file.
    pub(super) fn new(image: Rc<Image>, inode: Inode) -> Self {
        let Kind::File {
            len,
            start,
            fragment,
            lengths,
        } = inode.kind
        else {
            panic!("not the inode of a file");
        };
        Self {
            reached: (0, start, lengths.clone()),
            image,
            len,
            start,
            fragment,
            lengths,
        }
    }

    /// Where the block of that number is.
    fn locate(&mut self, number: u64) -> Result<Stored, ErrorKind> {
        if number < self.reached.0 {
            self.reached = (0, self.start, self.lengths.clone());
        }
        let (reached, mut offset, place) = self.reached.clone();
        let mut cursor = place.at(&self.image);
        for _ in reached..number {
            let stored = Stored::new(offset, cursor.word()?);
            offset = offset.saturating_add(stored.len.into());
        }
        self.reached = (number, offset, cursor.place());
        Ok(Stored::new(offset, cursor.word()?))
    }
}

impl Content for OpenFile {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        self.image.device.begin();
        let block_size = u64::from(self.image.superblock.block_size);
        let number = offset / block_size;
        let within = (offset % block_size) as usize;
        let left = (self.len - offset).min(block_size - within as u64) as usize;
        let buffer_len = buffer.len().min(left);
        let buffer = &mut buffer[..buffer_len];
        let is_last = number == self.len / block_size;
        let read = match self.fragment {
            Some((fragment, start)) if is_last => {
                let stored = self.image.fragment(fragment)?;
                let mut blocks = self.image.blocks.borrow_mut();
                let octets = blocks.fragment(&self.image, stored)?;
                copy(octets, start as usize + within, buffer)
            }
            _ => {
                let stored = self.locate(number)?;
                if stored.len == 0 {
                    buffer.fill(0);
                    return Ok(buffer.len());
                }
                let mut blocks = self.image.blocks.borrow_mut();
                let octets = blocks.data(&self.image, stored)?;
                copy(octets, within, buffer)
            }
        };
        read.ok_or_else(|| {
            ErrorKind::Damaged(format!(
                "a block that ends before octet {offset} of its file"
            ))
        })
    }
}

fn copy(octets: &[u8], from: usize, buffer: &mut [u8]) -> Option<usize> {
    let octets = octets.get(from..).filter(|octets| !octets.is_empty())?;
    let len = octets.len().min(buffer.len());
    buffer[..len].copy_from_slice(&octets[..len]);
    Some(len)
}

impl Blocks {
    fn data(&mut self, image: &Image, stored: Stored) -> Result<&[u8], ErrorKind> {
        let kept = self.data.take();
        let block = self.fetch(image, stored, kept)?;
        Ok(&self.data.insert(block).1)
    }

    fn fragment(&mut self, image: &Image, stored: Stored) -> Result<&[u8], ErrorKind> {
        let kept = self.fragment.take();
        let block = self.fetch(image, stored, kept)?;
        Ok(&self.fragment.insert(block).1)
    }

    /// The block itself, in the memory of the one that was kept, or that one if it is the same.
    fn fetch(
        &mut self,
        image: &Image,
        stored: Stored,
        kept: Option<(u64, Vec<u8>)>,
    ) -> Result<(u64, Vec<u8>), ErrorKind> {
        let mut octets = match kept {
            Some(kept) if kept.0 == stored.offset => return Ok(kept),
            Some((_, octets)) => octets,
            None => Vec::new(),
        };
        let superblock = &image.superblock;
        let end = stored.offset.checked_add(stored.len.into());
        if stored.len > superblock.block_size || end.is_none_or(|end| end > superblock.end) {
            return Err(ErrorKind::Damaged(format!(
                "a block of {} octets at offset {}",
                stored.len, stored.offset
            )));
        }
        if !stored.compressed {
            octets.resize(stored.len as usize, 0);
            image.device.read_at(stored.offset, &mut octets)?;
            return Ok((stored.offset, octets));
        }
        self.stored.resize(stored.len as usize, 0);
        image.device.read_at(stored.offset, &mut self.stored)?;
        octets.resize(superblock.block_size as usize, 0);
        let len = inflate(&mut self.decompressor, &self.stored, &mut octets)?;
        octets.truncate(len);
        Ok((stored.offset, octets))
    }
}

impl Image {
    /// Where the fragment of that number is.
    fn fragment(&self, number: u32) -> Result<Stored, ErrorKind> {
        let superblock = &self.superblock;
        if number >= superblock.fragment_count {
            return Err(ErrorKind::Damaged(format!(
                "fragment {number} of {}",
                superblock.fragment_count
            )));
        }
        // 512 of them, 16 octets each, in each block of metadata.
        let entry = superblock
            .fragments
            .checked_add(u64::from(number) / 512 * 8)
            .ok_or_else(|| ErrorKind::Damaged(format!("fragment {number}")))?;
        let block = u64::from_le_bytes(self.device.read_array(entry)?);
        let offset = (number % 512 * 16) as u16;
        let mut cursor = Cursor::new(self, 0..superblock.end, block, offset);
        Ok(Stored::new(cursor.long()?, cursor.word()?))
    }
}
