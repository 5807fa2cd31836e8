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
}

/// What is in a file.
pub(super) trait Content {
    /// Octets of it.
    fn len(&self) -> u64;

    /// Reads some octets, at least one unless `offset` is at the end or `buffer` empty.
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, ErrorKind>;
}
