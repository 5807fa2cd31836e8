use std::io;

use solo5_abi::elf::{MIN_ADDRESS, PAGE_SIZE};
use solo5_abi::manifest;

use crate::NoteProblem;

/// Why a file is not an executable that can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read the {what}: {source}")]
    Io {
        /// What was to be read.
        what: &'static str,
        /// The reason.
        source: io::Error,
    },
    /// Something lies beyond the file's end.
    #[error(
        "truncated: {size} bytes of {what} expected at offset {offset}, but the file has {file_size} bytes"
    )]
    Truncated {
        /// What was to be read.
        what: &'static str,
        /// Where it begins, in bytes from the start of the file.
        offset: u64,
        /// Bytes of it.
        size: u64,
        /// Bytes of the file.
        file_size: u64,
    },
    /// The file does not begin as ELF files do.
    #[error("not an ELF file: it begins with {found:02x?}, expected [7f, 45, 4c, 46]")]
    NotElf {
        /// The first bytes.
        found: [u8; 4],
    },
    /// A field of the header has a value that Solo5 executables do not have.
    #[error("unsupported executable: {field} is {found}, expected {expected}")]
    Header {
        /// The field, by its name in the ELF specification.
        field: &'static str,
        /// Its value.
        found: u64,
        /// What it should be.
        expected: &'static str,
    },
    /// The entry point lies outside of memory.
    #[error(
        "entry point {found:#x} is outside of memory, expected {MIN_ADDRESS:#x} to {mem_size:#x}"
    )]
    Entry {
        /// The address.
        found: u64,
        /// Bytes of memory.
        mem_size: u64,
    },
    /// A segment cannot be loaded.
    #[error("program header {index}: {problem}")]
    Segment {
        /// Index in the program header table.
        index: usize,
        /// Why.
        problem: SegmentProblem,
    },
    /// A note segment is malformed. (Solo5's own test suite looks for this wording.)
    #[error("program header {index}: note does not fall within valid size: {problem}")]
    Note {
        /// Index in the program header table.
        index: usize,
        /// Why.
        problem: NoteProblem,
    },
    /// There is no such note.
    #[error("no {name} note: this is not a Solo5 executable")]
    NoteMissing {
        /// The note, by its four letters.
        name: &'static str,
    },
    /// The `ABI1` note is too short for a target and a version.
    #[error("ABI1 note of {found} bytes, expected at least 8")]
    AbiSize {
        /// Bytes of its content.
        found: usize,
    },
    /// The `MFT1` note holds something that is not a manifest.
    #[error(transparent)]
    Manifest(#[from] manifest::ParseError),
}

/// Why a segment cannot be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SegmentProblem {
    /// It lies in memory that belongs to the tender.
    #[error("p_vaddr is {vaddr:#x}, expected {MIN_ADDRESS:#x} or above")]
    Low {
        /// The segment's address.
        vaddr: u64,
    },
    /// It lies below a segment in front of it.
    #[error("p_vaddr is {vaddr:#x}, expected {previous:#x} or above, after the segment in front")]
    Order {
        /// The segment's address.
        vaddr: u64,
        /// Address of the segment in front.
        previous: u64,
    },
    /// Its alignment is no power of two.
    #[error("p_align is {align:#x}, expected a power of two")]
    Alignment {
        /// The alignment.
        align: u64,
    },
    /// Rounded down to its alignment, it lies in memory that belongs to the tender.
    #[error(
        "p_vaddr rounded down to p_align {align:#x} is {start:#x}, expected {MIN_ADDRESS:#x} or above"
    )]
    LowStart {
        /// The rounded address.
        start: u64,
        /// The alignment.
        align: u64,
    },
    /// Rounded down to its alignment, it overlaps the segment in front of it.
    #[error(
        "p_vaddr rounded down to p_align is {start:#x}, expected {end:#x} or above, the end of the segment in front"
    )]
    Overlap {
        /// The rounded address.
        start: u64,
        /// Where the segment in front ends.
        end: u64,
    },
    /// Its content does not fit memory.
    #[error("{filesz:#x} bytes at p_vaddr {vaddr:#x} do not fit the {mem_size:#x} bytes of memory")]
    ContentBeyondMemory {
        /// The segment's address.
        vaddr: u64,
        /// Bytes of content.
        filesz: u64,
        /// Bytes of memory.
        mem_size: u64,
    },
    /// It takes less memory than its content.
    #[error("p_memsz is {memsz:#x}, expected at least p_filesz {filesz:#x}")]
    SizeInMemory {
        /// Bytes in memory.
        memsz: u64,
        /// Bytes of content.
        filesz: u64,
    },
    /// It does not fit memory.
    #[error(
        "{memsz:#x} bytes at p_vaddr {vaddr:#x}, rounded up to p_align {align:#x}, do not fit the {mem_size:#x} bytes of memory"
    )]
    BeyondMemory {
        /// The segment's address.
        vaddr: u64,
        /// Bytes in memory.
        memsz: u64,
        /// The alignment.
        align: u64,
        /// Bytes of memory.
        mem_size: u64,
    },
    /// It shares a page with something else.
    #[error(
        "it lies at {start:#x} to {end:#x}, expected multiples of the page size {PAGE_SIZE:#x}"
    )]
    PageAlignment {
        /// First address, rounded down to the segment's alignment.
        start: u64,
        /// Address behind the last, rounded up likewise.
        end: u64,
    },
    /// It could be written to and executed.
    #[error("p_flags is {flags:#x}, writable and executable, expected one of the two at most")]
    WritableAndExecutable {
        /// The flags.
        flags: u32,
    },
}
