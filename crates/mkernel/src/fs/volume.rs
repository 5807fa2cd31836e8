//! What each format of file system does.

use super::{DirEntry, ErrorKind, Format, Metadata};

/// A file system. Paths are as [`normalize`](super::path::normalize) makes them.
pub(super) trait Volume {
    fn format(&self) -> Format;

    /// Of what the path leads to, links followed.
    fn metadata(&self, path: &str) -> Result<Metadata, ErrorKind>;

    /// Gives the entries of a directory to `add`, one after the other, until it fails.
    fn read_dir(
        &self,
        path: &str,
        add: &mut dyn FnMut(DirEntry) -> Result<(), ErrorKind>,
    ) -> Result<(), ErrorKind>;

    fn open(&self, path: &str) -> Result<Box<dyn Content>, ErrorKind>;

    /// The same, if it can be written.
    fn writable(&self) -> Option<&dyn Writable> {
        None
    }
}

/// A file system that can be written.
pub(super) trait Writable {
    /// Opens a file, new or emptied.
    fn create(&self, path: &str) -> Result<Box<dyn Content>, ErrorKind>;

    fn open_mut(&self, path: &str) -> Result<Box<dyn Content>, ErrorKind>;

    fn create_dir(&self, path: &str) -> Result<(), ErrorKind>;

    fn remove_file(&self, path: &str) -> Result<(), ErrorKind>;

    fn remove_dir(&self, path: &str) -> Result<(), ErrorKind>;

    fn rename(&self, from: &str, to: &str) -> Result<(), ErrorKind>;

    fn sync(&self) -> Result<(), ErrorKind>;
}

/// What is in a file.
pub(super) trait Content {
    /// Octets of it.
    fn len(&self) -> u64;

    /// Reads some octets, at least one unless `offset` is at the end or `buffer` empty.
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, ErrorKind>;

    /// Writes some octets, at least one unless there are none; what is between the end and `offset` becomes zeros.
    fn write_at(&mut self, _offset: u64, _octets: &[u8]) -> Result<usize, ErrorKind> {
        Err(ErrorKind::ReadOnly)
    }

    fn set_len(&mut self, _len: u64) -> Result<(), ErrorKind> {
        Err(ErrorKind::ReadOnly)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}
