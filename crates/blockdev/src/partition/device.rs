use core::task::{Context, Poll};

use crate::{Error, Geometry, SectorDevice};

/// A part of a device, and a device itself: nothing beyond it can be reached.
///
/// Of several partitions of one device each has a handle to it: `&mut D` one after the other, or
/// `Rc<RefCell<D>>` at once.
///
/// ```
/// use blockdev::partition::Partition;
/// use blockdev::{BlockDevice, MemoryDevice};
///
/// let mut memory = MemoryDevice::new(512, 8)?;
/// let mut second_half = BlockDevice::new(Partition::new(&mut memory, 2048, 2048)?);
/// second_half.write_at(0, b"half")?;
/// assert_eq!(memory.as_bytes()[2048..2052], *b"half");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Partition<D> {
    device: D,
    start: u64,
    geometry: Geometry,
}

impl<D: SectorDevice> Partition<D> {
    /// The `len` bytes of a device from byte `start` on.
    ///
    /// # Errors
    ///
    /// When they are not whole blocks, one or more, or do not lie on the device.
    pub fn new(device: D, start: u64, len: u64) -> Result<Self, Error<D::Error>> {
        let whole = device.geometry();
        whole.check_blocks(start, len)?;
        let geometry = Geometry::new(whole.block_size(), len).map_err(|_| Error::Misaligned {
            offset: start,
            len,
            block_size: whole.block_size(),
        })?;
        Ok(Self {
            device,
            start,
            geometry,
        })
    }

    /// Where it begins on the device, in bytes.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Gives the device back.
    pub fn into_inner(self) -> D {
        self.device
    }

    /// Where `offset` is on the device.
    ///
    /// # Panics
    ///
    /// When not all of the bytes are on the partition: who calls has not kept to the rules, and
    /// would reach what is another's.
    fn place(&self, offset: u64, len: u64) -> u64 {
        let capacity = self.geometry.capacity();
        assert!(
            self.geometry.contains(offset, len),
            "{len} bytes at offset {offset} of a partition of {capacity} bytes"
        );
        self.start + offset
    }
}

impl<D: SectorDevice> SectorDevice for Partition<D> {
    type Error = D::Error;

    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn max_transfer(&self) -> usize {
        self.device.max_transfer()
    }

    fn read_blocks(&mut self, offset: u64, blocks: &mut [u8]) -> Result<(), D::Error> {
        let place = self.place(offset, blocks.len() as u64);
        self.device.read_blocks(place, blocks)
    }

    fn write_blocks(&mut self, offset: u64, blocks: &[u8]) -> Result<(), D::Error> {
        let place = self.place(offset, blocks.len() as u64);
        self.device.write_blocks(place, blocks)
    }

    fn can_flush(&self) -> bool {
        self.device.can_flush()
    }

    fn flush(&mut self) -> Result<(), D::Error> {
        self.device.flush()
    }

    fn begin_flush(&mut self) -> Result<u64, D::Error> {
        self.device.begin_flush()
    }

    fn poll_flush(&mut self, number: u64, context: &mut Context<'_>) -> Poll<Result<(), D::Error>> {
        self.device.poll_flush(number, context)
    }

    fn can_discard(&self) -> bool {
        self.device.can_discard()
    }

    fn discard(&mut self, offset: u64, len: u64) -> Result<(), D::Error> {
        let place = self.place(offset, len);
        self.device.discard(place, len)
    }
}
