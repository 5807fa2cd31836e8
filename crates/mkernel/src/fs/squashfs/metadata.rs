//! Metadata: blocks of 8 KiB at most when decompressed, each behind its length, in a row.

use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;

use miniz_oxide::inflate::core::DecompressorOxide;

use super::super::ErrorKind;
use super::Image;
use super::inflate::inflate;

/// Most octets of a block.
const BLOCK: usize = 8 << 10;
/// Blocks that are kept.
const KEPT: usize = 32;

/// A block of metadata.
struct Block {
    octets: Box<[u8]>,
    /// Where the next one is.
    next: u64,
}

/// The blocks that were used last, the latest at the end.
#[derive(Default)]
pub(super) struct Cache {
    blocks: VecDeque<(u64, Rc<Block>)>,
    decompressor: Box<DecompressorOxide>,
}

impl Image {
    fn block(&self, offset: u64) -> Result<Rc<Block>, ErrorKind> {
        self.device.step()?;
        let cache = &mut *self.cache.borrow_mut();
        let kept = cache.blocks.iter().position(|(of, _)| *of == offset);
        if let Some(entry) = kept.and_then(|index| cache.blocks.remove(index)) {
            let block = Rc::clone(&entry.1);
            cache.blocks.push_back(entry);
            return Ok(block);
        }
        let header = u16::from_le_bytes(self.device.read_array(offset)?);
        let len = usize::from(header & 0x7fff);
        if len == 0 || len > BLOCK {
            return Err(ErrorKind::Damaged(format!(
                "{len} octets of metadata at offset {offset}"
            )));
        }
        let mut stored = vec![0; len];
        self.device.read_at(offset + 2, &mut stored)?;
        let octets = if header & 0x8000 != 0 {
            stored
        } else {
            let mut octets = vec![0; BLOCK];
            let len = inflate(&mut cache.decompressor, &stored, &mut octets)?;
            octets.truncate(len);
            octets
        };
        let block = Rc::new(Block {
            octets: octets.into(),
            next: offset + 2 + len as u64,
        });
        if cache.blocks.len() == KEPT {
            cache.blocks.pop_front();
        }
        cache.blocks.push_back((offset, Rc::clone(&block)));
        Ok(block)
    }
}

/// A place in metadata.
#[derive(Clone)]
pub(super) struct Place {
    range: Range<u64>,
    block: u64,
    offset: usize,
}

impl Place {
    pub(super) fn at<'a>(&self, image: &'a Image) -> Cursor<'a> {
        Cursor {
            image,
            place: self.clone(),
            current: None,
        }
    }
}

/// Reads metadata from a place on.
pub(super) struct Cursor<'a> {
    image: &'a Image,
    place: Place,
    current: Option<Rc<Block>>,
}

impl<'a> Cursor<'a> {
    /// The octet `offset` of the block at `block`, one of those in `range` of the device.
    pub(super) fn new(image: &'a Image, range: Range<u64>, block: u64, offset: u16) -> Self {
        Self {
            image,
            place: Place {
                range,
                block,
                offset: offset.into(),
            },
            current: None,
        }
    }

    pub(super) fn place(&self) -> Place {
        self.place.clone()
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<(), ErrorKind> {
        let mut done = 0;
        while done < buffer.len() {
            let available = self.available()?;
            let len = available.len().min(buffer.len() - done);
            buffer[done..done + len].copy_from_slice(&available[..len]);
            done += len;
            self.place.offset += len;
        }
        Ok(())
    }

    pub(super) fn skip(&mut self, mut octets: u64) -> Result<(), ErrorKind> {
        while octets > 0 {
            let len = (self.available()?.len() as u64).min(octets);
            octets -= len;
            self.place.offset += len as usize;
        }
        Ok(())
    }

    pub(super) fn short(&mut self) -> Result<u16, ErrorKind> {
        let mut octets = [0; 2];
        self.read(&mut octets)?;
        Ok(u16::from_le_bytes(octets))
    }

    pub(super) fn word(&mut self) -> Result<u32, ErrorKind> {
        let mut octets = [0; 4];
        self.read(&mut octets)?;
        Ok(u32::from_le_bytes(octets))
    }

    pub(super) fn long(&mut self) -> Result<u64, ErrorKind> {
        let mut octets = [0; 8];
        self.read(&mut octets)?;
        Ok(u64::from_le_bytes(octets))
    }

    /// What is left of the block, at least one octet.
    fn available(&mut self) -> Result<&[u8], ErrorKind> {
        loop {
            let block = match self.current.take() {
                Some(block) => block,
                None if self.place.range.contains(&self.place.block) => {
                    self.image.block(self.place.block)?
                }
                None => {
                    return Err(ErrorKind::Damaged(format!(
                        "metadata at offset {}, expected it in {:?}",
                        self.place.block, self.place.range
                    )));
                }
            };
            if self.place.offset < block.octets.len() {
                let block = self.current.insert(block);
                return Ok(&block.octets[self.place.offset..]);
            }
            self.place.offset -= block.octets.len();
            self.place.block = block.next;
        }
    }
}
