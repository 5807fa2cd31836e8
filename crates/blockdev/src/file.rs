use core::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
#[cfg(unix)]
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::{Geometry, GeometryError, SectorDevice};

/// Most bytes of one transfer, or a block where blocks are larger.
const MAX_TRANSFER: usize = 1 << 20;

/// A file as a device: a disk image, or a disk of the host's.
#[derive(Debug)]
pub struct FileDevice {
    file: File,
    geometry: Geometry,
    /// The error of the first flush that failed.
    lost: Option<io::ErrorKind>,
}

impl FileDevice {
    /// Opens a file for reading and writing.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, the block size is no power of two, or the file's size no multiple
    /// of it or 0.
    pub fn open(path: impl AsRef<Path>, block_size: usize) -> Result<Self, OpenError> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Self::from_file(file, block_size)
    }

    /// Takes a file. Where it is opened for reading only, writes fail.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn from_file(mut file: File, block_size: usize) -> Result<Self, OpenError> {
        // Block devices have a length of 0 in their metadata, but an end.
        let capacity = file.seek(SeekFrom::End(0))?;
        let geometry = Geometry::new(block_size, capacity)?;
        Ok(Self {
            file,
            geometry,
            lost: None,
        })
    }

    /// Gives the file back.
    pub fn into_inner(self) -> File {
        self.file
    }
}

/// A flush is `fdatasync`. After one that failed all fail, as Linux takes for written what it could
/// not write. Discarding does nothing.
impl SectorDevice for FileDevice {
    type Error = io::Error;

    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn max_transfer(&self) -> usize {
        MAX_TRANSFER.max(self.geometry.block_size())
    }

    #[cfg(unix)]
    fn read_blocks(&mut self, offset: u64, blocks: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(blocks, offset)
    }

    #[cfg(not(unix))]
    fn read_blocks(&mut self, offset: u64, blocks: &mut [u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(offset))?;
        io::Read::read_exact(&mut self.file, blocks)
    }

    #[cfg(unix)]
    fn write_blocks(&mut self, offset: u64, blocks: &[u8]) -> io::Result<()> {
        self.file.write_all_at(blocks, offset)
    }

    #[cfg(not(unix))]
    fn write_blocks(&mut self, offset: u64, blocks: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(offset))?;
        io::Write::write_all(&mut self.file, blocks)
    }

    fn can_flush(&self) -> bool {
        true
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(kind) = self.lost {
            return Err(io::Error::new(kind, "an earlier flush has failed"));
        }
        let result = self.file.sync_data();
        self.lost = result.as_ref().err().map(io::Error::kind);
        result
    }

    fn discard(&mut self, _offset: u64, _len: u64) -> io::Result<()> {
        Ok(())
    }
}

/// Why a file cannot be a device.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// It cannot be opened, or has no end.
    Io(io::Error),
    /// Its size is not that of a device.
    Geometry(GeometryError),
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<GeometryError> for OpenError {
    fn from(error: GeometryError) -> Self {
        Self::Geometry(error)
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "cannot open the file: {error}"),
            Self::Geometry(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Geometry(_) => None,
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::File;
    use std::io::ErrorKind;
    use std::os::fd::OwnedFd;
    use std::string::ToString;

    use super::FileDevice;
    use crate::{Geometry, SectorDevice};

    #[test]
    fn after_a_flush_that_failed_none_succeeds() {
        // A pipe cannot be synced, and a file can.
        let (reader, _writer) = std::io::pipe().unwrap();
        let mut device = FileDevice {
            file: File::from(OwnedFd::from(reader)),
            geometry: Geometry::new(512, 512).unwrap(),
            lost: None,
        };
        assert_eq!(device.flush().unwrap_err().kind(), ErrorKind::InvalidInput);
        device.file = File::open("Cargo.toml").unwrap();
        let error = device.flush().unwrap_err();
        assert_eq!(error.to_string(), "an earlier flush has failed");
        device.lost = None;
        device.flush().unwrap();
    }
}
