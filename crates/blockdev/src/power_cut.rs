//! What a power cut could leave behind: a device that records what is done to it, and every state that the
//! record allows.
//!
//! A device promises of a write only that it lasts after the next flush. Until then each of its blocks may be
//! there after a cut or not, whatever has been written later, and so may any other since the last flush. Run a
//! program on a [`Recorder`], and look with [`Recording::each_cut`] whether it recovers from all that could be
//! left of it.
//!
//! ```
//! use blockdev::power_cut::{Limits, Recorder};
//! use blockdev::{BlockDevice, MemoryDevice};
//!
//! let (device, recording) = Recorder::new(MemoryDevice::new(512, 8)?);
//! let mut disk = BlockDevice::new(device);
//! disk.write_at(0, b"promised")?;
//! disk.flush()?;
//! let promised = recording.position();
//! disk.write_at(1024, b"perhaps")?;
//!
//! let tally = recording.each_cut(&Limits::default(), |mut cut| {
//!     let mut bytes = [0; 8];
//!     BlockDevice::new(&mut cut.device).read_at(0, &mut bytes).expect("memory is readable");
//!     match &bytes {
//!         b"promised" => Ok(()),
//!         _ if cut.last < promised => Ok(()),
//!         _ => Err("lost"),
//!     }
//! })?;
//! assert_eq!(tally.states, 4);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use alloc::boxed::Box;
use alloc::vec::Vec;
use std::sync::{Arc, Mutex, PoisonError};

use crate::{Geometry, MemoryDevice, SectorDevice};

/// What a block holds that was discarded, in the states in which it was.
const DISCARDED: u8 = 0xdb;

/// What was done to a device.
#[derive(Debug)]
enum Event {
    Write { offset: u64, bytes: Box<[u8]> },
    Flush,
}

type Log = Arc<Mutex<Vec<Event>>>;

/// A device in memory that records what is done to it.
///
/// A discarded block counts as one that something else was written to.
#[derive(Debug)]
pub struct Recorder {
    device: MemoryDevice,
    log: Log,
}

impl Recorder {
    /// Records from what `device` holds now; what that is counts as durable.
    pub fn new(device: MemoryDevice) -> (Self, Recording) {
        let log = Log::default();
        let recording = Recording {
            start: device.clone(),
            log: Arc::clone(&log),
        };
        (Self { device, log }, recording)
    }

    fn note(&self, event: Event) {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(event);
    }
}

impl SectorDevice for Recorder {
    type Error = <MemoryDevice as SectorDevice>::Error;

    fn geometry(&self) -> Geometry {
        self.device.geometry()
    }

    fn max_transfer(&self) -> usize {
        self.device.max_transfer()
    }

    fn read_blocks(&mut self, offset: u64, blocks: &mut [u8]) -> Result<(), Self::Error> {
        self.device.read_blocks(offset, blocks)
    }

    fn write_blocks(&mut self, offset: u64, blocks: &[u8]) -> Result<(), Self::Error> {
        self.note(Event::Write {
            offset,
            bytes: blocks.into(),
        });
        self.device.write_blocks(offset, blocks)
    }

    fn can_flush(&self) -> bool {
        true
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        self.note(Event::Flush);
        self.device.flush()
    }

    fn can_discard(&self) -> bool {
        true
    }

    fn discard(&mut self, offset: u64, len: u64) -> Result<(), Self::Error> {
        // No block of the device is as large as the address space.
        let bytes = alloc::vec![DISCARDED; usize::try_from(len).unwrap_or(usize::MAX)];
        self.write_blocks(offset, &bytes)
    }
}

/// How many states to try.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// With so many writes between two flushes, or fewer, every subset of them is tried; and every subset of
    /// their blocks, if these are not more.
    pub exhaustive: usize,
    /// How many subsets are drawn at random for each write where not every subset is tried.
    pub samples: usize,
    /// What they are drawn from; the same seed draws the same.
    pub seed: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            exhaustive: 12,
            samples: 16,
            seed: 1,
        }
    }
}

/// One state that a power cut could leave.
#[derive(Clone, Debug)]
pub struct Cut {
    /// The device, as it would be found.
    pub device: MemoryDevice,
    /// The first position in the record at which the cut could have been: what was begun later is not there.
    pub first: usize,
    /// The last such position: what was promised up to it must be there.
    pub last: usize,
    /// Which blocks written since the last flush are lost: the position of the write, and the block's offset.
    pub lost: Vec<(usize, u64)>,
}

/// What was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// States.
    pub states: u64,
    /// Flushes in the record.
    pub flushes: u64,
    /// Writes in the record.
    pub writes: u64,
    /// Most writes between two flushes.
    pub unflushed: usize,
}

/// The record of a [`Recorder`].
#[derive(Clone, Debug)]
pub struct Recording {
    start: MemoryDevice,
    log: Log,
}

impl Recording {
    /// How many events there are: where in the record something was begun or promised.
    pub fn position(&self) -> usize {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Calls `check` with the states that a cut could leave, at whatever position: every prefix of what was
    /// written since a flush, and every subset within `limits`, in which also writes of many blocks are torn.
    ///
    /// A state that several cuts could leave is tried once, with the positions of all of them.
    ///
    /// # Errors
    ///
    /// The first that `check` returns.
    pub fn each_cut<E>(
        &self,
        limits: &Limits,
        mut check: impl FnMut(Cut) -> Result<(), E>,
    ) -> Result<Tally, E> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tally = Tally::default();
        let mut durable = self.start.clone();
        let mut random = Random(limits.seed);
        let mut begin = 0;
        for epoch in log.split_inclusive(|event| matches!(event, Event::Flush)) {
            let flushed = matches!(epoch.last(), Some(Event::Flush));
            let writes = &epoch[..epoch.len() - usize::from(flushed)];
            tally.flushes += u64::from(flushed);
            tally.writes += writes.len() as u64;
            tally.unflushed = tally.unflushed.max(writes.len());
            let epoch = Epoch {
                begin,
                last: begin + writes.len(),
                blocks: blocks(writes, self.start.geometry().block_size()),
                durable: &durable,
            };
            let mut try_state = |kept: &[bool], first| {
                tally.states += 1;
                check(epoch.cut(kept, first))
            };
            try_state(&[], begin)?;
            for write in 0..writes.len() {
                epoch.each_subset(write, limits, &mut random, |kept| {
                    try_state(kept, begin + write + 1)
                })?;
            }
            let all = alloc::vec![true; epoch.blocks.len()];
            let after = epoch.cut(&all, epoch.last).device;
            begin = epoch.last + usize::from(flushed);
            durable = after;
        }
        Ok(tally)
    }
}

/// One block of a write.
struct Block<'a> {
    write: usize,
    offset: u64,
    bytes: &'a [u8],
}

fn blocks(writes: &[Event], block_size: usize) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    for (write, event) in writes.iter().enumerate() {
        let Event::Write { offset, bytes } = event else {
            continue;
        };
        let parts = (*offset..)
            .step_by(block_size)
            .zip(bytes.chunks(block_size));
        blocks.extend(parts.map(|(offset, bytes)| Block {
            write,
            offset,
            bytes,
        }));
    }
    blocks
}

/// What was done between two flushes.
struct Epoch<'a> {
    begin: usize,
    last: usize,
    blocks: Vec<Block<'a>>,
    durable: &'a MemoryDevice,
}

impl Epoch<'_> {
    /// The state in which the blocks are there that `kept` says; those that it does not mention are not.
    fn cut(&self, kept: &[bool], first: usize) -> Cut {
        let mut device = self.durable.clone();
        let mut lost = Vec::new();
        for (index, block) in self.blocks.iter().enumerate() {
            if kept.get(index) == Some(&true) {
                let Ok(()) = device.write_blocks(block.offset, block.bytes);
            } else if block.write < first - self.begin {
                lost.push((self.begin + block.write, block.offset));
            }
        }
        Cut {
            device,
            first,
            last: self.last,
            lost,
        }
    }

    /// Calls `visit` with subsets of the blocks up to `write` in which at least one block of it is.
    fn each_subset<E>(
        &self,
        write: usize,
        limits: &Limits,
        random: &mut Random,
        mut visit: impl FnMut(&[bool]) -> Result<(), E>,
    ) -> Result<(), E> {
        let end = self.blocks.partition_point(|block| block.write <= write);
        let own = self.blocks.partition_point(|block| block.write < write);
        let mut kept = alloc::vec![true; end];
        if end <= limits.exhaustive {
            for subset in 1..1_u64 << end {
                if subset >> own == 0 {
                    continue;
                }
                set(&mut kept, |index| subset >> index & 1 == 1);
                visit(&kept)?;
            }
            return Ok(());
        }
        if write < limits.exhaustive {
            for subset in 0..1_u64 << write {
                set(&mut kept, |index| {
                    index >= own || subset >> self.blocks[index].write & 1 == 1
                });
                visit(&kept)?;
            }
        } else {
            visit(&kept)?;
        }
        for sample in 0..limits.samples {
            let whole_writes = sample.is_multiple_of(2);
            let bits: Vec<bool> = (0..end).map(|_| random.bit()).collect();
            set(&mut kept, |index| match whole_writes {
                true => index >= own || bits[self.blocks[index].write],
                false => bits[index],
            });
            if kept[own..].contains(&true) {
                visit(&kept)?;
            }
        }
        Ok(())
    }
}

fn set(kept: &mut [bool], value: impl Fn(usize) -> bool) {
    for (index, kept) in kept.iter_mut().enumerate() {
        *kept = value(index);
    }
}

/// SplitMix64, of Steele, Lea and Flood.
struct Random(u64);

impl Random {
    fn bit(&mut self) -> bool {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (value ^ value >> 31) & 1 == 1
    }
}
