use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Why a disk image could not be used.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// Not a block size that Solo5 knows.
    #[error("invalid block size {0}: expected a power of two from 512 to 32768")]
    Size(u64),
    /// The file cannot be opened for reading and writing.
    #[error("cannot open {path:?} for reading and writing: {source}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The file has no length, as a pipe.
    #[error("cannot find the length of {path:?}: {source}")]
    Length {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The file's length is not a whole number of blocks.
    #[error(
        "{path:?} is {capacity} bytes long: backing storage must be a multiple of the block size, {block_size} bytes"
    )]
    NotMultiple {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        capacity: u64,
        /// The block size.
        block_size: BlockSize,
    },
    /// The file is empty.
    #[error(
        "{path:?} is empty: backing storage must hold at least one block of {block_size} bytes"
    )]
    Empty {
        /// The file.
        path: PathBuf,
        /// The block size.
        block_size: BlockSize,
    },
}

/// A block size in bytes: a power of two from 512 to 32768.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockSize(u16);

impl BlockSize {
    /// Checks a size in bytes.
    ///
    /// # Errors
    ///
    /// When it is not a power of two from 512 to 32768.
    pub fn new(bytes: u64) -> Result<Self, BlockError> {
        match u16::try_from(bytes) {
            Ok(size) if size.is_power_of_two() && size >= 512 => Ok(Self(size)),
            _ => Err(BlockError::Size(bytes)),
        }
    }

    /// The size in bytes.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0
    }
}

/// 512 bytes.
impl Default for BlockSize {
    fn default() -> Self {
        Self(512)
    }
}

impl fmt::Display for BlockSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A file or block device that backs a block device of a guest.
///
/// No lock is taken and nothing is synced: what a write guarantees is what `pwrite(2)` does.
#[derive(Debug)]
pub struct BlockImage {
    file: File,
    capacity: u64,
    block_size: BlockSize,
}

impl BlockImage {
    /// Opens `path` for reading and writing; its length now is the capacity for good.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, when its length is not a multiple of the block size, or when it is empty.
    pub fn open(path: &Path, block_size: BlockSize) -> Result<Self, BlockError> {
        let at = || path.to_owned();
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .map_err(|source| BlockError::Open { path: at(), source })?;
        // Not the metadata: a block device's is 0.
        let capacity = file
            .seek(SeekFrom::End(0))
            .map_err(|source| BlockError::Length { path: at(), source })?;
        if !capacity.is_multiple_of(u64::from(block_size.get())) {
            return Err(BlockError::NotMultiple {
                path: at(),
                capacity,
                block_size,
            });
        }
        if capacity == 0 {
            return Err(BlockError::Empty {
                path: at(),
                block_size,
            });
        }
        Ok(Self {
            file,
            capacity,
            block_size,
        })
    }

    /// The capacity in bytes, a positive multiple of the block size.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.capacity
    }

    /// The block size.
    #[must_use]
    pub fn block_size(&self) -> BlockSize {
        self.block_size
    }

    /// Fills `buffer` from the byte `offset` on.
    ///
    /// # Errors
    ///
    /// When the kernel says so, or when the file has become too short.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    /// Writes the whole of `data` from the byte `offset` on.
    ///
    /// # Errors
    ///
    /// When the kernel says so.
    pub fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_all_at(data, offset)
    }
}

impl AsFd for BlockImage {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl AsRawFd for BlockImage {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}
