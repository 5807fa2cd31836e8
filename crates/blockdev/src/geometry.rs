use core::fmt;

use crate::Error;

/// The size of a device and of its blocks.
///
/// A block is a power of two of bytes, and a device is one block or more of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Geometry {
    block_size: usize,
    capacity: u64,
}

impl Geometry {
    /// Blocks of `block_size` bytes on a device of `capacity` bytes.
    ///
    /// # Errors
    ///
    /// When the block size is no power of two, or the capacity no multiple of it or 0.
    pub const fn new(block_size: usize, capacity: u64) -> Result<Self, GeometryError> {
        if !block_size.is_power_of_two() {
            return Err(GeometryError::BlockSize { block_size });
        }
        if capacity == 0 || !capacity.is_multiple_of(block_size as u64) {
            return Err(GeometryError::Capacity {
                capacity,
                block_size,
            });
        }
        Ok(Self {
            block_size,
            capacity,
        })
    }

    /// Bytes of a block, a power of two.
    pub const fn block_size(&self) -> usize {
        self.block_size
    }

    /// Bytes of the device, a multiple of the block size.
    pub const fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Blocks of the device, at least one.
    pub const fn blocks(&self) -> u64 {
        self.capacity / self.block_size as u64
    }

    /// Whether `len` bytes at `offset` lie on the device.
    pub(crate) fn contains(&self, offset: u64, len: u64) -> bool {
        offset
            .checked_add(len)
            .is_some_and(|end| end <= self.capacity)
    }

    /// That `len` bytes at `offset` lie on the device.
    pub(crate) fn check_bytes<E>(&self, offset: u64, len: u64) -> Result<(), Error<E>> {
        if self.contains(offset, len) {
            return Ok(());
        }
        Err(Error::OutOfBounds {
            offset,
            len,
            capacity: self.capacity,
        })
    }

    /// That `len` bytes at `offset` are whole blocks of the device.
    pub(crate) fn check_blocks<E>(&self, offset: u64, len: u64) -> Result<(), Error<E>> {
        if self.within_block(offset) != 0 || self.within_block(len) != 0 {
            return Err(Error::Misaligned {
                offset,
                len,
                block_size: self.block_size,
            });
        }
        self.check_bytes(offset, len)
    }

    /// Bytes between `offset` and the start of its block.
    pub(crate) fn within_block(&self, offset: u64) -> usize {
        // Less than a block, whose size is a usize.
        (offset & (self.block_size as u64 - 1)) as usize
    }
}

/// Why a device cannot have a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GeometryError {
    /// The size of a block is no power of two.
    BlockSize {
        /// Bytes of a block.
        block_size: usize,
    },
    /// The device is not made of whole blocks, or of none.
    Capacity {
        /// Bytes of the device.
        capacity: u64,
        /// Bytes of a block.
        block_size: usize,
    },
}

impl fmt::Display for GeometryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BlockSize { block_size } => {
                write!(f, "blocks of {block_size} bytes, expected a power of two")
            }
            Self::Capacity {
                capacity,
                block_size,
            } => write!(
                f,
                "device of {capacity} bytes, expected a multiple of its blocks of {block_size} bytes, and at least one"
            ),
        }
    }
}

impl core::error::Error for GeometryError {}
