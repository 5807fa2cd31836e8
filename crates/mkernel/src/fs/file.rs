use std::fmt;
use std::io::{self, Read, Seek, SeekFrom, Write};

use super::volume::Content;
use super::{Error, within};

/// Most octets of one read or write, so that a task may yield between two.
const MAX_TRANSFER: usize = 64 << 10;

/// An open file.
///
/// Of a file that was written and then dropped without [`flush`](Write::flush), errors at its end go unseen.
pub struct File {
    path: Box<str>,
    content: Box<dyn Content>,
    position: u64,
}

impl File {
    pub(super) fn new(path: &str, content: Box<dyn Content>) -> Self {
        Self {
            path: path.into(),
            content,
            position: 0,
        }
    }

    /// Octets of the file.
    #[expect(clippy::len_without_is_empty, reason = "as of std::fs::Metadata")]
    pub fn len(&self) -> u64 {
        self.content.len()
    }

    /// Cuts the file off there, or has it end in zeros up to there. The position stays.
    ///
    /// # Errors
    ///
    /// When the file was opened to be read; when there is no room, the file system is damaged or the device fails.
    pub fn set_len(&mut self, len: u64) -> Result<(), Error> {
        let content = &mut self.content;
        within(&self.path, || content.set_len(len))
    }
}

impl Read for File {
    /// Reads 64 KiB at most.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = buffer.len().min(MAX_TRANSFER);
        let (content, position) = (&mut self.content, self.position);
        let buffer = &mut buffer[..len];
        if buffer.is_empty() || position >= content.len() {
            return Ok(0);
        }
        let read = within(&self.path, || content.read_at(position, buffer))?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Write for File {
    /// Writes 64 KiB at most.
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let octets = &octets[..octets.len().min(MAX_TRANSFER)];
        let (content, position) = (&mut self.content, self.position);
        let written = within(&self.path, || content.write_at(position, octets))?;
        self.position += written as u64;
        Ok(written)
    }

    /// Makes durable what was written, where the device can: [`FileSystem::sync`](super::FileSystem::sync) says whether it
    /// can.
    fn flush(&mut self) -> io::Result<()> {
        let content = &mut self.content;
        Ok(within(&self.path, || content.flush())?)
    }
}

impl Seek for File {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (base, offset) = match to {
            SeekFrom::Start(position) => {
                self.position = position;
                return Ok(position);
            }
            SeekFrom::End(offset) => (self.len(), offset),
            SeekFrom::Current(offset) => (self.position, offset),
        };
        self.position = base.checked_add_signed(offset).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{offset} from position {base} is no position"),
            )
        })?;
        Ok(self.position)
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File")
            .field("path", &self.path)
            .field("len", &self.len())
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
