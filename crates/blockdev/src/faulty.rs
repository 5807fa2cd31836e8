use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::fmt;
use core::task::{Context, Poll};

use crate::{Geometry, Operation, SectorDevice};

/// A device that fails on demand, around one that does not: for tests of what is above it.
///
/// ```
/// use blockdev::{BlockDevice, Fault, FaultyDevice, MemoryDevice, Operation};
///
/// let mut disk = BlockDevice::new(FaultyDevice::new(MemoryDevice::new(512, 8)?));
/// disk.get_mut().inject(Fault::Block(Operation::Write, 1024));
/// let error = disk.write_at(512, &[1; 1024]).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "write of 1024 bytes at offset 512 failed: write of the block at offset 1024 fails on demand"
/// );
/// // What lies in front has been written.
/// assert_eq!(disk.get_ref().get_ref().as_bytes()[1022..1026], [1, 1, 0, 0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct FaultyDevice<D> {
    device: D,
    faults: Vec<Fault>,
    /// How many blocks more can be written for the first time, and those that have been.
    room: Option<(u64, BTreeSet<u64>)>,
}

/// The number of a flush that was begun and fails, as no device begins so many.
const FAILS: u64 = u64::MAX;

/// What fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The call of that operation before which there are so many from now on, once: nothing of it is
    /// done. That of a flush which is begun shows at its end.
    Nth(Operation, u64),
    /// Each read, write or discard, as it says, of the block at this offset, in bytes. Of a write of
    /// several blocks those in front are written.
    Block(Operation, u64),
    /// Each call of that operation: nothing of it is done.
    All(Operation),
}

impl<D: SectorDevice> FaultyDevice<D> {
    /// Takes a device. Nothing fails as yet.
    pub fn new(device: D) -> Self {
        Self {
            device,
            faults: Vec::new(),
            room: None,
        }
    }

    /// From now on this fails too.
    pub fn inject(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// As a sparse file on a disk that is nearly full: from now on so many blocks can be written, as
    /// often as one likes, and writes of any other fail, but for the blocks in front of it.
    pub fn limit(&mut self, blocks: u64) {
        self.room = Some((blocks, BTreeSet::new()));
    }

    /// From now on nothing fails, and there is room for all blocks.
    pub fn repair(&mut self) {
        self.faults.clear();
        self.room = None;
    }

    /// The device.
    pub fn get_ref(&self) -> &D {
        &self.device
    }

    /// The device.
    pub fn get_mut(&mut self) -> &mut D {
        &mut self.device
    }

    /// Gives the device back.
    pub fn into_inner(self) -> D {
        self.device
    }

    /// Counts a call, and whether it fails as a whole.
    fn call(&mut self, operation: Operation, offset: u64) -> Result<(), FaultError<D::Error>> {
        let mut fails = false;
        self.faults.retain_mut(|fault| match fault {
            Fault::Nth(of, left) if *of == operation => {
                fails |= *left == 0;
                let stays = *left > 0;
                *left = left.saturating_sub(1);
                stays
            }
            Fault::All(of) => {
                fails |= *of == operation;
                true
            }
            Fault::Nth(..) | Fault::Block(..) => true,
        });
        if fails {
            return Err(FaultError::OnDemand { operation, offset });
        }
        Ok(())
    }

    /// The first of the blocks that fails.
    fn broken(&self, operation: Operation, offset: u64, len: u64) -> Option<u64> {
        let blocks = self.faults.iter().filter_map(|fault| match fault {
            Fault::Block(of, block) if *of == operation => Some(*block),
            _ => None,
        });
        blocks
            .filter(|block| (offset..offset + len).contains(block))
            .min()
    }

    /// Takes the room that a write needs; the first block for which there is none.
    fn take_room(&mut self, offset: u64, len: u64) -> Option<u64> {
        let (room, written) = self.room.as_mut()?;
        let block_size = self.device.geometry().block_size();
        for block in (offset..offset + len).step_by(block_size) {
            if written.contains(&block) {
                continue;
            }
            if *room == 0 {
                return Some(block);
            }
            *room -= 1;
            written.insert(block);
        }
        None
    }
}

impl<D: SectorDevice> SectorDevice for FaultyDevice<D> {
    type Error = FaultError<D::Error>;

    fn geometry(&self) -> Geometry {
        self.device.geometry()
    }

    fn max_transfer(&self) -> usize {
        self.device.max_transfer()
    }

    fn read_blocks(&mut self, offset: u64, blocks: &mut [u8]) -> Result<(), Self::Error> {
        self.call(Operation::Read, offset)?;
        if let Some(offset) = self.broken(Operation::Read, offset, blocks.len() as u64) {
            blocks.fill(0xa5);
            return Err(FaultError::OnDemand {
                operation: Operation::Read,
                offset,
            });
        }
        self.device
            .read_blocks(offset, blocks)
            .map_err(FaultError::Device)
    }

    fn write_blocks(&mut self, offset: u64, blocks: &[u8]) -> Result<(), Self::Error> {
        self.call(Operation::Write, offset)?;
        let broken = self.broken(Operation::Write, offset, blocks.len() as u64);
        let within = broken.map_or(blocks.len() as u64, |block| block - offset);
        let full = self.take_room(offset, within);
        let end = full.or(broken);
        // A position in the blocks.
        let len = end.map_or(blocks.len(), |end| (end - offset) as usize);
        if len > 0 {
            self.device
                .write_blocks(offset, &blocks[..len])
                .map_err(FaultError::Device)?;
        }
        match (full, broken) {
            (Some(offset), _) => Err(FaultError::Full { offset }),
            (None, Some(offset)) => Err(FaultError::OnDemand {
                operation: Operation::Write,
                offset,
            }),
            (None, None) => Ok(()),
        }
    }

    fn can_flush(&self) -> bool {
        self.device.can_flush()
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        self.call(Operation::Flush, 0)?;
        self.device.flush().map_err(FaultError::Device)
    }

    fn begin_flush(&mut self) -> Result<u64, Self::Error> {
        match self.call(Operation::Flush, 0) {
            Ok(()) => self.device.begin_flush().map_err(FaultError::Device),
            Err(_) => Ok(FAILS),
        }
    }

    fn poll_flush(
        &mut self,
        number: u64,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Self::Error>> {
        if number == FAILS {
            return Poll::Ready(Err(FaultError::OnDemand {
                operation: Operation::Flush,
                offset: 0,
            }));
        }
        self.device
            .poll_flush(number, context)
            .map_err(FaultError::Device)
    }

    fn can_discard(&self) -> bool {
        self.device.can_discard()
    }

    fn discard(&mut self, offset: u64, len: u64) -> Result<(), Self::Error> {
        self.call(Operation::Discard, offset)?;
        if let Some(offset) = self.broken(Operation::Discard, offset, len) {
            return Err(FaultError::OnDemand {
                operation: Operation::Discard,
                offset,
            });
        }
        self.device.discard(offset, len).map_err(FaultError::Device)
    }
}

/// Why a [`FaultyDevice`] failed; `E` is the error of the device in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultError<E> {
    /// A [`Fault`] says so.
    OnDemand {
        /// What was being done.
        operation: Operation,
        /// Where the block or the transfer begins; 0 for a flush.
        offset: u64,
    },
    /// There is no room for the block.
    Full {
        /// Where it begins.
        offset: u64,
    },
    /// The device itself failed.
    Device(E),
}

impl<E: fmt::Display> fmt::Display for FaultError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnDemand {
                operation: Operation::Flush,
                ..
            } => f.write_str("flush fails on demand"),
            Self::OnDemand { operation, offset } => {
                write!(
                    f,
                    "{operation} of the block at offset {offset} fails on demand"
                )
            }
            Self::Full { offset } => {
                write!(f, "no room for the block at offset {offset}, on demand")
            }
            Self::Device(error) => error.fmt(f),
        }
    }
}

impl<E: core::error::Error> core::error::Error for FaultError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Device(error) => error.source(),
            Self::OnDemand { .. } | Self::Full { .. } => None,
        }
    }
}
