//! What a power cut could leave behind: a device that records what is done to it, and every state that the
//! record allows.
//!
//! A device promises of a write only that it lasts after the next flush that was begun when it was there. Until then each of its blocks may be
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
use core::ops::Range;
use core::task::{Context, Poll};
use std::sync::{Arc, Mutex, PoisonError};

use crate::{Geometry, MemoryDevice, SectorDevice};

/// What a block holds that was discarded, in the states in which it was.
const DISCARDED: u8 = 0xdb;

/// What was done to a device.
#[derive(Debug)]
enum Event {
    Write {
        offset: u64,
        bytes: Box<[u8]>,
    },
    /// The end of a flush.
    Flush {
        /// The position at which it was begun: what was written later it need not cover.
        begun: usize,
    },
}

type Log = Arc<Mutex<Vec<Event>>>;

/// A device in memory that records what is done to it.
///
/// A discarded block counts as one that something else was written to.
#[derive(Debug)]
pub struct Recorder {
    device: MemoryDevice,
    log: Log,
    /// How often is asked after a flush that goes on before it has ended.
    polls: u32,
    /// By the numbers of flushes: where each was begun, and how often it is still to be asked after; none if it has ended.
    flushes: Vec<Option<(usize, u32)>>,
}

impl Recorder {
    /// Records from what `device` holds now; what that is counts as durable.
    pub fn new(device: MemoryDevice) -> (Self, Recording) {
        let log = Log::default();
        let recording = Recording {
            start: device.clone(),
            log: Arc::clone(&log),
        };
        let recorder = Self {
            device,
            log,
            polls: 0,
            flushes: Vec::new(),
        };
        (recorder, recording)
    }

    /// Has flushes that go on take longer: each is asked after so many times before it has ended.
    #[must_use]
    pub fn with_slow_flushes(mut self, polls: u32) -> Self {
        self.polls = polls;
        self
    }

    fn position(&self) -> usize {
        position(&self.log)
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
        let begun = self.position();
        self.note(Event::Flush { begun });
        self.device.flush()
    }

    fn begin_flush(&mut self) -> Result<u64, Self::Error> {
        let number = self.flushes.len() as u64;
        self.flushes.push(Some((self.position(), self.polls)));
        Ok(number)
    }

    fn poll_flush(
        &mut self,
        number: u64,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Self::Error>> {
        // The number is an index, as it was given out.
        let flush = &mut self.flushes[number as usize];
        match flush {
            Some((_, left)) if *left > 0 => {
                *left -= 1;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            _ => (),
        }
        if let Some((begun, _)) = flush.take() {
            self.note(Event::Flush { begun });
        }
        Poll::Ready(self.device.flush())
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
        position(&self.log)
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
        // Writes before `covered` are durable; those before `begin` are of an earlier part, and may be.
        let (mut covered, mut begin) = (0, 0);
        for part in log.split_inclusive(|event| matches!(event, Event::Flush { .. })) {
            let flush = match part.last() {
                Some(Event::Flush { begun }) => Some(*begun),
                _ => None,
            };
            let last = begin + part.len() - usize::from(flush.is_some());
            let epoch = Epoch::new(&log, covered..last, &durable);
            let writes = epoch.writes.len();
            let news = epoch.writes.iter().filter(|position| **position >= begin);
            tally.flushes += u64::from(flush.is_some());
            tally.writes += news.count() as u64;
            tally.unflushed = tally.unflushed.max(writes);
            let mut try_state = |kept: &[bool], first| {
                tally.states += 1;
                check(epoch.cut(kept, first))
            };
            try_state(&[], begin)?;
            for write in 0..writes {
                let first = begin.max(epoch.writes[write] + 1);
                epoch.each_subset(write, limits, &mut random, |kept| try_state(kept, first))?;
            }
            if let Some(begun) = flush {
                durable = epoch.durable_before(begun);
                covered = covered.max(begun);
            }
            begin = last + 1;
        }
        Ok(tally)
    }
}

fn position(log: &Log) -> usize {
    log.lock().unwrap_or_else(PoisonError::into_inner).len()
}

/// One block of a write.
struct Block<'a> {
    write: usize,
    offset: u64,
    bytes: &'a [u8],
}

/// What was done up to the end of a flush, and need not be durable before that.
struct Epoch<'a> {
    /// Positions of the writes.
    writes: Vec<usize>,
    last: usize,
    blocks: Vec<Block<'a>>,
    durable: &'a MemoryDevice,
}

impl<'a> Epoch<'a> {
    /// What is at these positions, on top of what is durable.
    fn new(log: &'a [Event], positions: Range<usize>, durable: &'a MemoryDevice) -> Self {
        let block_size = durable.geometry().block_size();
        let last = positions.end;
        let mut writes = Vec::new();
        let mut blocks = Vec::new();
        for position in positions {
            let Event::Write { offset, bytes } = &log[position] else {
                continue;
            };
            let parts = (*offset..)
                .step_by(block_size)
                .zip(bytes.chunks(block_size));
            blocks.extend(parts.map(|(offset, bytes)| Block {
                write: writes.len(),
                offset,
                bytes,
            }));
            writes.push(position);
        }
        Self {
            writes,
            last,
            blocks,
            durable,
        }
    }

    /// The state in which the blocks are there that `kept` says; those that it does not mention are not.
    fn cut(&self, kept: &[bool], first: usize) -> Cut {
        let mut device = self.durable.clone();
        let mut lost = Vec::new();
        for (index, block) in self.blocks.iter().enumerate() {
            let position = self.writes[block.write];
            if kept.get(index) == Some(&true) {
                let Ok(()) = device.write_blocks(block.offset, block.bytes);
            } else if position < first {
                lost.push((position, block.offset));
            }
        }
        Cut {
            device,
            first,
            last: self.last,
            lost,
        }
    }

    /// The state in which all is there that was written before a position.
    fn durable_before(&self, position: usize) -> MemoryDevice {
        let blocks = self.blocks.iter();
        let kept: Vec<bool> = blocks
            .map(|block| self.writes[block.write] < position)
            .collect();
        self.cut(&kept, self.last).device
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
