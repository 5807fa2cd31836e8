use std::io::{self, Read, Seek, SeekFrom};

use solo5_abi::elf::{MIN_ADDRESS, PAGE_SIZE, PF_R, PF_W, PF_X, PT_LOAD};

use super::{Error, Executable, ProgramHeader, SegmentProblem};

/// How to load an executable into a guest's memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadPlan {
    /// Address of the first instruction: within memory, not necessarily within a segment.
    pub entry: u64,
    /// End of the last segment, a multiple of the page size; 0 if there is no segment.
    ///
    /// Segments without content in the file (`.bss` mostly) do not count.
    pub kernel_end: u64,
    /// The segments in ascending order, no two sharing a page.
    pub segments: Vec<Segment>,
}

/// A part of the file that goes into memory.
///
/// In memory it is its content at `vaddr`, then zeros up to `vaddr + memsz`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where the content lies in the file.
    pub offset: u64,
    /// Bytes of content, at least one.
    pub filesz: u64,
    /// Where it goes in memory.
    pub vaddr: u64,
    /// Bytes in memory, at least `filesz`.
    pub memsz: u64,
    /// First address of the pages that the segment takes.
    pub start: u64,
    /// Address behind those pages.
    pub end: u64,
    /// `p_flags`, never writable and executable at once.
    pub flags: u32,
}

impl Segment {
    /// Whether the guest may read it.
    pub fn is_readable(&self) -> bool {
        self.flags & PF_R != 0
    }

    /// Whether the guest may write to it.
    pub fn is_writable(&self) -> bool {
        self.flags & PF_W != 0
    }

    /// Whether the guest may execute it.
    pub fn is_executable(&self) -> bool {
        self.flags & PF_X != 0
    }
}

impl<R: Read + Seek> Executable<R> {
    /// How to load the executable into `mem_size` bytes of memory, counted from address 0.
    ///
    /// The rules are those of Solo5's tenders. A segment without content in the file is left out
    /// before any check; the memory must be zero before loading.
    ///
    /// # Errors
    ///
    /// When the entry point or a segment lies outside of memory, segments are out of order, share
    /// pages, are writable and executable at once, or are not in the file in full.
    pub fn load_plan(&mut self, mem_size: u64) -> Result<LoadPlan, Error> {
        let entry = self.header.entry;
        if entry < MIN_ADDRESS || entry >= mem_size {
            return Err(Error::Entry {
                found: entry,
                mem_size,
            });
        }
        let mut segments = Vec::new();
        let mut previous = 0;
        let mut end = 0;
        for index in 0..self.program_headers.len() {
            let header = self.program_headers[index];
            if header.kind != PT_LOAD || header.filesz == 0 {
                continue;
            }
            let segment = place(&header, previous, end, mem_size)
                .map_err(|problem| Error::Segment { index, problem })?;
            self.file()
                .check("a segment", header.offset, header.filesz)?;
            previous = segment.vaddr;
            end = segment.end;
            segments.push(segment);
        }
        Ok(LoadPlan {
            entry,
            kernel_end: end,
            segments,
        })
    }

    /// A reader of a segment's content; it yields `filesz` bytes, unless the file has shrunk.
    ///
    /// # Errors
    ///
    /// When the source cannot seek there.
    pub fn read_segment(&mut self, segment: &Segment) -> Result<io::Take<&mut R>, Error> {
        let what = "a segment";
        self.file().check(what, segment.offset, segment.filesz)?;
        self.source
            .seek(SeekFrom::Start(segment.offset))
            .map_err(|source| Error::Io { what, source })?;
        Ok((&mut self.source).take(segment.filesz))
    }
}

/// Checks a segment with content against the one in front (its address, and where it ends).
fn place(
    header: &ProgramHeader,
    previous: u64,
    previous_end: u64,
    mem_size: u64,
) -> Result<Segment, SegmentProblem> {
    let &ProgramHeader {
        flags,
        offset,
        vaddr,
        filesz,
        memsz,
        align,
        ..
    } = header;
    if vaddr < MIN_ADDRESS {
        return Err(SegmentProblem::Low { vaddr });
    }
    if vaddr < previous {
        return Err(SegmentProblem::Order { vaddr, previous });
    }
    if !align.is_power_of_two() {
        return Err(SegmentProblem::Alignment { align });
    }
    let start = vaddr & !(align - 1);
    if start < MIN_ADDRESS {
        return Err(SegmentProblem::LowStart { start, align });
    }
    if start < previous_end {
        let end = previous_end;
        return Err(SegmentProblem::Overlap { start, end });
    }
    let fits = |end: &u64| *end <= mem_size;
    if vaddr.checked_add(filesz).filter(fits).is_none() {
        return Err(SegmentProblem::ContentBeyondMemory {
            vaddr,
            filesz,
            mem_size,
        });
    }
    if memsz < filesz {
        return Err(SegmentProblem::SizeInMemory { memsz, filesz });
    }
    let end = vaddr
        .checked_add(memsz)
        .and_then(|end| end.checked_next_multiple_of(align));
    let Some(end) = end.filter(fits) else {
        return Err(SegmentProblem::BeyondMemory {
            vaddr,
            memsz,
            align,
            mem_size,
        });
    };
    if !start.is_multiple_of(PAGE_SIZE) || !end.is_multiple_of(PAGE_SIZE) {
        return Err(SegmentProblem::PageAlignment { start, end });
    }
    if flags & PF_W != 0 && flags & PF_X != 0 {
        return Err(SegmentProblem::WritableAndExecutable { flags });
    }
    Ok(Segment {
        offset,
        filesz,
        vaddr,
        memsz,
        start,
        end,
        flags,
    })
}
