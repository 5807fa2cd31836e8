mod pages;
mod read;
mod write_back;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::task::{Context, Poll};

use crate::{Geometry, SectorDevice};
use pages::Pages;

/// Requests of so many bytes or more go past the cache, but for what of them is in it: copying them
/// once more costs more than the call does.
const DIRECT: usize = 64 << 10;

/// How much a [`Cached`] device keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheConfig {
    /// Bytes of blocks, by default 1 MiB; one page is always kept. A page has 4 KiB or one block,
    /// whichever is more, but no more than 64 blocks. What is known of a page takes some hundred
    /// bytes beside it.
    pub bytes: usize,
    /// Most bytes that are read beyond what is asked for when requests follow each other, by default
    /// 128 KiB; 0 for none, and never more than half of the cache.
    pub read_ahead: usize,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            bytes: 1 << 20,
            read_ahead: 128 << 10,
        }
    }
}

/// A device with a cache of bounded size in front of it, and a device itself.
///
/// - What is read stays, and what is read in sequence is read ahead. Which page goes when there is no
///   room is decided by a clock: one that was used since the hand came by stays once more.
/// - What is written stays in the cache until its page goes or the device is flushed; neighbours are
///   then written together. Before a flush blocks reach the device in any order, or not at all: so a
///   program that needs an order flushes. **What is dirty when the cache is dropped is lost**: use
///   [`into_inner`](Self::into_inner), or flush.
/// - A flush writes what is dirty, in ascending order, and then flushes the device. It succeeds only
///   when all that was written is durable. What cannot be written stays dirty, is tried again, and is
///   what each flush reports until it succeeds, or it is written anew or discarded; if the cache is
///   full of such pages, requests go past it, and writes fail at once.
/// - Where the device cannot flush, neither can this; [`write_back`](Self::write_back) hands on what
///   is dirty.
///
/// ```
/// use blockdev::{BlockDevice, CacheConfig, Cached, MemoryDevice};
///
/// let device = Cached::new(MemoryDevice::new(512, 64)?, CacheConfig::default());
/// let mut disk = BlockDevice::new(device);
/// disk.write_at(3, b"soon")?;
/// assert_eq!(disk.get_ref().dirty_bytes(), 512);
/// disk.flush()?;
/// let memory = disk.into_inner().into_inner()?;
/// assert_eq!(memory.as_bytes()[3..7], *b"soon");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Cached<D> {
    device: D,
    geometry: Geometry,
    /// Most bytes of one transfer of the device.
    max_transfer: usize,
    read_ahead: usize,
    pages: Pages,
    stream: Stream,
    /// Transfers of more than one page pass through here.
    scratch: Vec<u8>,
}

/// What is known of requests that follow each other.
#[derive(Debug, Default)]
struct Stream {
    /// Where the last read ended.
    next: u64,
    /// Bytes that were last read ahead; 0 when the last read did not follow the one before it.
    window: usize,
}

/// Why a cache was not taken off: what it holds could not be written.
pub struct IntoInnerError<D: SectorDevice> {
    /// The device, with all that is dirty.
    pub cached: Box<Cached<D>>,
    /// What the device said.
    pub error: D::Error,
}

impl<D: SectorDevice> fmt::Display for IntoInnerError<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} bytes could not be written back: {}",
            self.cached.dirty_bytes(),
            self.error
        )
    }
}

impl<D: SectorDevice> fmt::Debug for IntoInnerError<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntoInnerError")
            .field("cached", &self.cached)
            .field("error", &self.error)
            .finish()
    }
}

impl<D: SectorDevice> core::error::Error for IntoInnerError<D> {}

impl<D: SectorDevice> Cached<D> {
    /// Takes a device; nothing is read yet.
    pub fn new(device: D, config: CacheConfig) -> Self {
        let geometry = device.geometry();
        let pages = Pages::new(geometry, config.bytes);
        Self {
            geometry,
            max_transfer: device.max_transfer(),
            device,
            read_ahead: config.read_ahead.min(pages.most_bytes() / 2),
            pages,
            stream: Stream::default(),
            scratch: Vec::new(),
        }
    }

    /// The device, which need not have what was written.
    pub fn get_ref(&self) -> &D {
        &self.device
    }

    /// The device, which need not have what was written. What changes there without the cache's
    /// knowledge is not seen.
    pub fn get_mut(&mut self) -> &mut D {
        &mut self.device
    }

    /// Bytes of the pages that are kept.
    pub fn cached_bytes(&self) -> usize {
        self.pages.bytes()
    }

    /// Bytes of blocks that the device does not have yet.
    pub fn dirty_bytes(&self) -> usize {
        self.pages.dirty_blocks() * self.geometry.block_size()
    }

    /// Gives the device back, when it has all that was written. It is not flushed.
    ///
    /// # Errors
    ///
    /// The cache, when it cannot be written back.
    pub fn into_inner(mut self) -> Result<D, IntoInnerError<D>> {
        match self.write_back() {
            Ok(()) => Ok(self.device),
            Err(error) => Err(IntoInnerError {
                cached: Box::new(self),
                error,
            }),
        }
    }

    /// Writes past the cache; what of it is in the cache becomes the same.
    fn write_direct(&mut self, offset: u64, blocks: &[u8]) -> Result<(), D::Error> {
        let mut at = offset;
        for part in blocks.chunks(self.max_transfer) {
            if let Err(error) = self.device.write_blocks(at, part) {
                // The device may have anything there now, but what is dirty is still to be written.
                self.pages.forget_clean(at, part.len() as u64);
                return Err(error);
            }
            self.pages.update(at, part);
            at += part.len() as u64;
        }
        Ok(())
    }
}

impl<D: SectorDevice> SectorDevice for Cached<D> {
    type Error = D::Error;

    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn max_transfer(&self) -> usize {
        self.max_transfer
            .max((1 << 20).max(self.geometry.block_size()))
    }

    fn read_blocks(&mut self, offset: u64, blocks: &mut [u8]) -> Result<(), D::Error> {
        self.read(offset, blocks)
    }

    fn write_blocks(&mut self, offset: u64, blocks: &[u8]) -> Result<(), D::Error> {
        if blocks.len() >= DIRECT {
            return self.write_direct(offset, blocks);
        }
        let mut rest = blocks;
        let mut at = offset;
        while !rest.is_empty() {
            let len = self.pages.left(at).min(rest.len());
            let (part, behind) = rest.split_at(len);
            match self.claim(at) {
                Some(slot) => self.pages.put(slot, at, part, true),
                None => self.write_direct(at, part)?,
            }
            rest = behind;
            at += len as u64;
        }
        Ok(())
    }

    fn can_flush(&self) -> bool {
        self.device.can_flush()
    }

    fn flush(&mut self) -> Result<(), D::Error> {
        self.write_back()?;
        self.device.flush()
    }

    fn begin_flush(&mut self) -> Result<u64, D::Error> {
        self.write_back()?;
        self.device.begin_flush()
    }

    fn poll_flush(&mut self, number: u64, context: &mut Context<'_>) -> Poll<Result<(), D::Error>> {
        self.device.poll_flush(number, context)
    }

    fn can_discard(&self) -> bool {
        self.device.can_discard()
    }

    fn discard(&mut self, offset: u64, len: u64) -> Result<(), D::Error> {
        self.pages.forget(offset, len);
        self.device.discard(offset, len)
    }
}

impl<D> fmt::Debug for Cached<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached")
            .field("geometry", &self.geometry)
            .field("bytes", &self.pages.bytes())
            .field("dirty_blocks", &self.pages.dirty_blocks())
            .finish_non_exhaustive()
    }
}
