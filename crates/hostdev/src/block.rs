use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Why a disk image could not be used.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// Not a block size that Solo5 knows.
    #[error(
        "invalid block size {0}: Block size must be a multiple of 2 greater than or equal 512, and a power of two up to 32768"
    )]
    Size(u64),
    /// The file cannot be opened for reading and writing.
    #[error("cannot open {path:?} for reading and writing: {source}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Another process uses the file, or another device of this one.
    #[error("{0:?} is in use: expected an image that nothing else has locked")]
    InUse(PathBuf),
    /// The file cannot be locked.
    #[error("cannot lock {path:?}: {source}")]
    Lock {
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
        "{path:?} is {capacity} bytes long: Backing storage size must be block aligned, to {block_size} bytes"
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

/// Why an image could not be read, written or made durable.
///
/// Making one allocates nothing: a tender does it behind a seccomp filter.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The file has been cut short while in use.
    #[error("image is shorter than the {capacity} bytes that it had")]
    Shrunk {
        /// The length that it had when it was opened.
        capacity: u64,
    },
    /// The file system is full, or a quota or a limit on the size of files is reached.
    #[error("no room for what is to be written: {0}")]
    NoSpace(#[source] io::Error),
    /// An earlier flush has failed, or the file was shorter than it had been: what was written then may be lost.
    #[error(
        "an earlier flush failed: expected none to have, since what was written before it may be lost"
    )]
    Lost,
    /// The kernel says so.
    #[error(transparent)]
    Io(io::Error),
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
/// It is locked for as long as it is open (an open file description lock on all of it), so that two guests never write to
/// the same image. What a write guarantees is what `pwrite(2)` does; what [`flush`](Self::flush) does is durable.
#[derive(Debug)]
pub struct BlockImage {
    file: File,
    capacity: u64,
    block_size: BlockSize,
    /// Something that was written may be lost, so that no flush may succeed any more.
    lost: AtomicBool,
}

impl BlockImage {
    /// Opens `path` for reading and writing; its length now is the capacity for good.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, when its length is not a multiple of the block size, or when it is empty.
    pub fn open(path: &Path, block_size: BlockSize) -> Result<Self, BlockError> {
        let at = || path.to_owned();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .map_err(|source| BlockError::Open { path: at(), source })?;
        lock(&file).map_err(|source| match source.raw_os_error() {
            Some(libc::EAGAIN | libc::EACCES) => BlockError::InUse(at()),
            _ => BlockError::Lock { path: at(), source },
        })?;
        // Not the metadata: a block device's is 0.
        let capacity = (&file)
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
            lost: AtomicBool::new(false),
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

    /// Whether the file still is as long as when it was opened, as far as can be told. A write to one that has been cut
    /// short in the meantime would make it grow again, with zeros where data had been.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        // One `lseek(2)`; where the file stands matters to nobody.
        let end = (&self.file).seek(SeekFrom::End(0));
        let whole = end.is_ok_and(|end| end >= self.capacity);
        if !whole {
            self.lost.store(true, Ordering::Relaxed);
        }
        whole
    }

    /// Whether the image can be synced: it is a file or a block device, and not whatever else has a length.
    #[must_use]
    pub fn can_flush(&self) -> bool {
        let metadata = self.file.metadata();
        metadata.is_ok_and(|metadata| metadata.is_file() || metadata.file_type().is_block_device())
    }

    /// Makes durable all that was written before, by `fdatasync(2)`.
    ///
    /// # Errors
    ///
    /// When the kernel says so, when the file is shorter than it was, and ever after: the kernel reports once that it could
    /// not write something to the disk, and may then forget what that was, so a later success would say nothing of it.
    pub fn flush(&self) -> Result<(), ImageError> {
        self.check()?;
        // The standard library calls again what a signal has interrupted.
        self.file.sync_data().map_err(|error| {
            self.lost.store(true, Ordering::Relaxed);
            ImageError::Io(error)
        })
    }

    /// Whether a flush may succeed: nothing that was written may be lost, as far as is known.
    ///
    /// # Errors
    ///
    /// When the file is or was shorter than at first, and when a flush has failed.
    pub fn check(&self) -> Result<(), ImageError> {
        self.check_whole()?;
        match self.lost.load(Ordering::Relaxed) {
            true => Err(ImageError::Lost),
            false => Ok(()),
        }
    }

    fn check_whole(&self) -> Result<(), ImageError> {
        match self.is_whole() {
            true => Ok(()),
            false => Err(self.shrunk()),
        }
    }

    fn shrunk(&self) -> ImageError {
        ImageError::Shrunk {
            capacity: self.capacity,
        }
    }

    /// Fills `buffer` from the byte `offset` on.
    ///
    /// # Errors
    ///
    /// When the kernel says so, or when the file has become too short.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ImageError> {
        let read = self.file.read_exact_at(buffer, offset);
        read.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => self.shrunk(),
            _ => ImageError::Io(error),
        })
    }

    /// Writes the whole of `data` from the byte `offset` on.
    ///
    /// # Errors
    ///
    /// When the kernel says so, or when the file has become too short.
    pub fn write_at(&self, offset: u64, data: &[u8]) -> Result<(), ImageError> {
        self.check_whole()?;
        let written = self.file.write_all_at(data, offset);
        written.map_err(failed_change)
    }

    /// Whether blocks of the image can be given up: it is a file, in a file system that can make holes.
    #[must_use]
    pub fn can_discard(&self) -> bool {
        let metadata = self.file.metadata();
        // A hole behind the end, where there is nothing yet, changes nothing.
        metadata.is_ok_and(|metadata| metadata.is_file())
            && self
                .punch_hole(self.capacity, u64::from(self.block_size.get()))
                .is_ok()
    }

    /// Gives up `len` bytes from the byte `offset` on, so that the file system has their room; they read as zeros until they
    /// are written again.
    ///
    /// # Errors
    ///
    /// When the file system has no holes, or fails, or when the file has become too short.
    pub fn discard(&self, offset: u64, len: u64) -> Result<(), ImageError> {
        self.check_whole()?;
        self.punch_hole(offset, len).map_err(failed_change)
    }

    /// Has the file hold nothing there, and leaves its length as it is.
    fn punch_hole(&self, offset: u64, len: u64) -> io::Result<()> {
        let beyond = |_| io::Error::from_raw_os_error(libc::EFBIG);
        let offset = libc::off_t::try_from(offset).map_err(beyond)?;
        let len = libc::off_t::try_from(len).map_err(beyond)?;
        loop {
            // SAFETY: the call takes no pointer, and the descriptor is open.
            let done = unsafe { libc::fallocate(self.file.as_raw_fd(), PUNCH_HOLE, offset, len) };
            if done == 0 {
                return Ok(());
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }
}

/// The mode of `fallocate(2)` that [`BlockImage::discard`] uses, and no other.
pub const PUNCH_HOLE: i32 = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;

/// Why an image could not be changed.
fn failed_change(error: io::Error) -> ImageError {
    match error.raw_os_error() {
        Some(libc::ENOSPC | libc::EDQUOT | libc::EFBIG) => ImageError::NoSpace(error),
        _ => ImageError::Io(error),
    }
}

/// Locks the whole file, whatever its length will be, against all that ask for a lock too.
fn lock(file: &File) -> io::Result<()> {
    // SAFETY: `flock` is plain C data, for which all zeros is a valid value: from the start, without end.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::F_WRLCK as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    // SAFETY: F_OFD_SETLK reads one `flock`, which `lock` is, and `file` is open.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
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
