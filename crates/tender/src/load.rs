//! Which bytes of an executable go where in guest memory, and with which protection.
//!
//! The plan is made from the program headers alone, before any guest memory exists.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::ops::Range;

use manifest_gen::elf::ProgramHeader;
use solo5_abi::elf::{MIN_ADDRESS, PAGE_SIZE, PF_R, PF_W, PF_X, PT_LOAD};
use vm_memory::{ReadVolatile, VolatileMemoryError, VolatileSlice};

/// Why an executable cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The entry point is outside guest memory.
    #[error("entry point {entry:#x} is outside guest memory: expected {MIN_ADDRESS:#x} to {mem:#x} (see --mem)")]
    Entry {
        /// `e_entry`.
        entry: u64,
        /// End of guest memory.
        mem: u64,
    },
    /// A `PT_LOAD` program header breaks a rule.
    #[error("program header {index}: {problem}")]
    Segment {
        /// Index of the program header.
        index: usize,
        /// The rule.
        problem: SegmentProblem,
    },
    /// The bytes of a segment cannot be read.
    #[error("program header {index}: cannot read {len} bytes at file offset {offset:#x}: {source}")]
    Read {
        /// Index of the program header.
        index: usize,
        /// Where in the file.
        offset: u64,
        /// How many bytes.
        len: u64,
        /// What went wrong.
        source: io::Error,
    },
}

/// The rule that a `PT_LOAD` program header breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SegmentProblem {
    /// The alignment is no power of two.
    #[error("alignment {0:#x}: expected a power of two")]
    Alignment(u64),
    /// The segment starts below the first address for executables.
    #[error("segment starts at {0:#x} after alignment: expected {MIN_ADDRESS:#x} or above")]
    TooLow(u64),
    /// The segment overlaps the one before it, or comes before it.
    #[error("segment starts at {start:#x} after alignment: expected {end:#x} or above, the end of the one before")]
    Overlap {
        /// Start of this segment, rounded down.
        start: u64,
        /// End of the one before, rounded up.
        end: u64,
    },
    /// The segment has more bytes in the file than in memory.
    #[error("{filesz:#x} bytes in the file: expected at most its {memsz:#x} bytes of memory")]
    FileSize {
        /// `p_filesz`.
        filesz: u64,
        /// `p_memsz`.
        memsz: u64,
    },
    /// The segment does not fit.
    #[error("segment of {memsz:#x} bytes at {vaddr:#x}: expected its end at {mem:#x} or below (see --mem)")]
    TooHigh {
        /// `p_vaddr`.
        vaddr: u64,
        /// `p_memsz`.
        memsz: u64,
        /// End of guest memory.
        mem: u64,
    },
    /// The segment shares a page with something else.
    #[error("segment covers {start:#x} to {stop:#x} after alignment: expected multiples of {PAGE_SIZE:#x}")]
    NotPageAligned {
        /// Start, rounded down to the alignment.
        start: u64,
        /// End, rounded up.
        stop: u64,
    },
    /// The segment is writable and executable.
    #[error("segment is writable and executable: expected one of the two at most")]
    WritableAndExecutable,
}

/// What may be done with a segment's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    /// It may be read.
    pub read: bool,
    /// It may be written.
    pub write: bool,
    /// It may be executed.
    pub execute: bool,
}

/// One segment with file content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Index of its program header.
    pub index: usize,
    /// Where its bytes lie in the file.
    pub offset: u64,
    /// Where they go.
    pub vaddr: u64,
    /// How many there are; what follows up to the end of the pages is zero.
    pub filesz: u64,
    /// The pages that it covers and whose protection it decides.
    pub pages: Range<u64>,
    /// That protection.
    pub protection: Protection,
}

/// Where everything goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadPlan {
    /// Address of the first instruction.
    pub entry: u64,
    /// The segments, ascending, page-separated, never writable and executable at once.
    pub segments: Vec<Segment>,
    /// End of the last segment, `kernel_end` of the boot information.
    pub end: u64,
}

impl LoadPlan {
    /// Checks `entry` and the `PT_LOAD` headers against guest memory that ends at `mem`.
    ///
    /// Headers without file content are skipped unseen: genuine executables have one for `.bss`, and one at address 0.
    ///
    /// # Errors
    ///
    /// The first rule broken.
    pub fn new(entry: u64, headers: &[ProgramHeader], mem: u64) -> Result<Self, LoadError> {
        if !(MIN_ADDRESS..mem).contains(&entry) {
            return Err(LoadError::Entry { entry, mem });
        }
        let mut plan = Self { entry, segments: Vec::new(), end: 0 };
        for (index, header) in headers.iter().enumerate() {
            if header.kind == PT_LOAD && header.filesz > 0 {
                let segment = plan_segment(index, header, plan.end, mem)
                    .map_err(|problem| LoadError::Segment { index, problem })?;
                plan.end = segment.pages.end;
                plan.segments.push(segment);
            }
        }
        Ok(plan)
    }

    /// Reads the segments from `file` into fresh, zeroed guest memory; `slice` gives a checked range of it.
    ///
    /// # Errors
    ///
    /// When the file is too short, cannot be read, or the range is not memory.
    pub fn read<'m>(
        &self,
        file: &mut File,
        slice: impl Fn(u64, u64) -> Result<VolatileSlice<'m>, VolatileMemoryError>,
    ) -> Result<(), LoadError> {
        for segment in &self.segments {
            let &Segment { index, offset, filesz: len, vaddr, .. } = segment;
            let read = || {
                file.seek(SeekFrom::Start(offset))?;
                let mut target = slice(vaddr, len).map_err(io::Error::other)?;
                file.read_exact_volatile(&mut target).map_err(io::Error::other)
            };
            { read }().map_err(|source| LoadError::Read { index, offset, len, source })?;
        }
        Ok(())
    }
}

fn plan_segment(index: usize, header: &ProgramHeader, end: u64, mem: u64) -> Result<Segment, SegmentProblem> {
    let &ProgramHeader { flags, offset, vaddr, filesz, memsz, align, .. } = header;
    if !align.is_power_of_two() {
        return Err(SegmentProblem::Alignment(align));
    }
    let start = vaddr & !(align - 1);
    if start < MIN_ADDRESS {
        return Err(SegmentProblem::TooLow(start));
    }
    if start < end {
        return Err(SegmentProblem::Overlap { start, end });
    }
    if filesz > memsz {
        return Err(SegmentProblem::FileSize { filesz, memsz });
    }
    let stop = vaddr.checked_add(memsz).and_then(|stop| stop.checked_next_multiple_of(align));
    let stop = stop.filter(|&stop| stop <= mem).ok_or(SegmentProblem::TooHigh { vaddr, memsz, mem })?;
    if !start.is_multiple_of(PAGE_SIZE) || !stop.is_multiple_of(PAGE_SIZE) {
        return Err(SegmentProblem::NotPageAligned { start, stop });
    }
    let protection =
        Protection { read: flags & PF_R != 0, write: flags & PF_W != 0, execute: flags & PF_X != 0 };
    if protection.write && protection.execute {
        return Err(SegmentProblem::WritableAndExecutable);
    }
    Ok(Segment { index, offset, vaddr, filesz, pages: start..stop, protection })
}
