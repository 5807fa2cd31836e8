//! The device below `hadris-fat`.

use hadris_fs::Error;
use hadris_io::ErrorType;
use hadris_storage::sync::BlockDevice;
use hadris_storage::{BlockIndex, BlockSize};

use super::super::ErrorKind;
use super::super::device::Device;

/// Largest block that `hadris-fat` takes.
const MAX_BLOCK: usize = 4096;

pub(super) struct Ordered {
    device: Device,
    block_size: BlockSize,
}

impl Ordered {
    pub(super) fn new(device: Device) -> Result<Self, ErrorKind> {
        let size = device.block_size();
        u32::try_from(size)
            .ok()
            .filter(|_| (512..=MAX_BLOCK).contains(&size))
            .and_then(BlockSize::new)
            .map(|block_size| Self { device, block_size })
            .ok_or_else(|| ErrorKind::Unsupported(format!("FAT on blocks of {size} octets")))
    }

    fn offset(&self, block: BlockIndex) -> Result<u64, Error<ErrorKind>> {
        let offset = block.get().checked_mul(self.block_size.get().into());
        offset.ok_or_else(|| failed(ErrorKind::Damaged(format!("block {}", block.get()))))
    }
}

impl ErrorType for Ordered {
    type Error = ErrorKind;
}

impl BlockDevice for Ordered {
    fn block_size(&self) -> BlockSize {
        self.block_size
    }

    fn block_count(&self) -> u64 {
        self.device.capacity() / u64::from(self.block_size.get())
    }

    fn writable(&self) -> bool {
        true
    }

    fn read_blocks(
        &mut self,
        first: BlockIndex,
        buffer: &mut [u8],
    ) -> Result<(), Error<ErrorKind>> {
        let offset = self.offset(first)?;
        self.device.read_at(offset, buffer).map_err(failed)
    }

    fn write_blocks(&mut self, first: BlockIndex, octets: &[u8]) -> Result<(), Error<ErrorKind>> {
        let offset = self.offset(first)?;
        self.device.write_in_order(offset, octets).map_err(failed)
    }

    fn flush(&mut self) -> Result<(), Error<ErrorKind>> {
        self.device.flush().map_err(failed)
    }
}

pub(super) fn failed(kind: ErrorKind) -> Error<ErrorKind> {
    Error::device(kind, "below FAT")
}
