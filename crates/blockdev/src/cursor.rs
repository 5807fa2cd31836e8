use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::{BlockDevice, SectorDevice};

/// A position on a device, for code that reads and writes streams.
///
/// The device has the size that it has: at its end nothing is read and nothing can be written.
/// Small reads and writes are slow, since each transfers whole blocks; put a
/// [`BufReader`](io::BufReader) or [`BufWriter`](io::BufWriter) around it.
///
/// ```
/// use std::io::{Read, Seek, Write};
///
/// use blockdev::{BlockDevice, Cursor, MemoryDevice};
///
/// let mut disk = Cursor::new(BlockDevice::new(MemoryDevice::new(512, 2)?));
/// disk.write_all(b"Hello World!")?;
/// disk.rewind()?;
/// let mut bytes = Vec::new();
/// disk.read_to_end(&mut bytes)?;
/// assert_eq!((&bytes[..13], bytes.len()), (&b"Hello World!\0"[..], 1024));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Cursor<D> {
    device: BlockDevice<D>,
    position: u64,
}

impl<D> Cursor<D> {
    /// The start of a device.
    pub fn new(device: BlockDevice<D>) -> Self {
        Self {
            device,
            position: 0,
        }
    }

    /// Where the next read or write begins, in bytes from the start of the device. It may lie
    /// beyond the end.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The device.
    pub fn get_mut(&mut self) -> &mut BlockDevice<D> {
        &mut self.device
    }

    /// Gives the device back.
    pub fn into_inner(self) -> BlockDevice<D> {
        self.device
    }
}

impl<D: SectorDevice> Cursor<D> {
    /// How many of `wanted` bytes there are from the position to the end.
    fn available(&self, wanted: usize) -> usize {
        let left = self.device.capacity().saturating_sub(self.position);
        usize::try_from(left).map_or(wanted, |left| left.min(wanted))
    }
}

impl<D: SectorDevice> Read for Cursor<D>
where
    D::Error: Send + Sync + 'static,
{
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.available(buffer.len());
        if len == 0 {
            // The position may lie beyond the end, where no request may begin.
            return Ok(0);
        }
        self.device.read_at(self.position, &mut buffer[..len])?;
        self.position += len as u64;
        Ok(len)
    }
}

impl<D: SectorDevice> Write for Cursor<D>
where
    D::Error: Send + Sync + 'static,
{
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = self.available(bytes.len());
        if len == 0 {
            return Ok(0);
        }
        self.device.write_at(self.position, &bytes[..len])?;
        self.position += len as u64;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(self.device.flush()?)
    }
}

impl<D: SectorDevice> Seek for Cursor<D> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = seek(self.position, self.device.capacity(), to)?;
        Ok(self.position)
    }
}

/// Where `to` is, from `position` on a device of `capacity` bytes.
pub(crate) fn seek(position: u64, capacity: u64, to: SeekFrom) -> io::Result<u64> {
    let target = match to {
        SeekFrom::Start(position) => Some(position),
        SeekFrom::Current(distance) => position.checked_add_signed(distance),
        SeekFrom::End(distance) => capacity.checked_add_signed(distance),
    };
    target.ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            std::format!(
                "{to:?} from position {position} of a device of {capacity} bytes: expected a position of 0 or above that fits 64 bits"
            ),
        )
    })
}
