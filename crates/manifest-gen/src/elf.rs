//! Reads executables that nobody vouches for: header, program headers, Solo5's notes, and the plan
//! by which a tender loads one.
//!
//! Nothing in the file is believed. Every number is checked before it is used, sums cannot
//! overflow, memory is allocated for what the file really holds, and an error names the number
//! found and what was expected. Section headers are never looked at.

use std::io::{Read, Seek, SeekFrom};

mod error;
mod header;
mod load;
mod note;

pub use error::{Error, SegmentProblem};
pub use header::{Header, ProgramHeader};
pub use load::{LoadPlan, Segment};

/// An executable whose header and program headers are known to be of the right form.
///
/// `R` is a [`File`](std::fs::File), a [`Cursor`](std::io::Cursor) over bytes, or a `&mut` to either.
///
/// ```no_run
/// use std::fs::File;
///
/// let mut executable = manifest_gen::elf::Executable::open(File::open("echo.hvt")?)?;
/// let abi = executable.abi()?;
/// println!("target {}, version {}", abi.target, abi.version);
/// let plan = executable.load_plan(512 << 20)?;
/// println!("entry point {:#x}, {} segments", plan.entry, plan.segments.len());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Executable<R> {
    source: R,
    file_size: u64,
    header: Header,
    program_headers: Vec<ProgramHeader>,
}

impl<R: Read + Seek> Executable<R> {
    /// Reads the header and the program headers of `source`.
    ///
    /// # Errors
    ///
    /// When the source cannot be read, or is not a statically linked x86_64 executable at a fixed
    /// address with all of its program headers.
    pub fn open(mut source: R) -> Result<Self, Error> {
        let file_size = source.seek(SeekFrom::End(0)).map_err(|source| Error::Io {
            what: "file",
            source,
        })?;
        let mut file = Checked {
            source: &mut source,
            size: file_size,
        };
        let mut bytes = [0; Header::SIZE];
        file.read_exact_at("ELF header", 0, &mut bytes)?;
        let header = Header::parse(&bytes)?;

        let table_size = usize::from(header.program_header_count) * ProgramHeader::SIZE;
        let what = "program headers";
        file.check(what, header.program_header_offset, table_size as u64)?;
        let mut table = vec![0; table_size];
        file.read_exact_at(what, header.program_header_offset, &mut table)?;
        let (table, _) = table.as_chunks();
        let program_headers = table.iter().map(ProgramHeader::parse).collect();
        Ok(Self {
            source,
            file_size,
            header,
            program_headers,
        })
    }

    /// The file's header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The program headers in file order, as they are: apart from being there, nothing about them
    /// has been checked.
    pub fn program_headers(&self) -> &[ProgramHeader] {
        &self.program_headers
    }

    /// What the executable is read from.
    pub fn source_mut(&mut self) -> &mut R {
        &mut self.source
    }

    fn file(&mut self) -> Checked<'_, R> {
        Checked {
            source: &mut self.source,
            size: self.file_size,
        }
    }
}

/// A source of known size; what is asked for is compared with it first.
struct Checked<'a, R> {
    source: &'a mut R,
    size: u64,
}

impl<R: Read + Seek> Checked<'_, R> {
    fn check(&self, what: &'static str, offset: u64, size: u64) -> Result<(), Error> {
        match offset.checked_add(size) {
            Some(end) if end <= self.size => Ok(()),
            _ => Err(Error::Truncated {
                what,
                offset,
                size,
                file_size: self.size,
            }),
        }
    }

    fn read_exact_at(
        &mut self,
        what: &'static str,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<(), Error> {
        self.check(what, offset, buffer.len() as u64)?;
        self.source
            .seek(SeekFrom::Start(offset))
            .and_then(|_| self.source.read_exact(buffer))
            .map_err(|source| Error::Io { what, source })
    }
}
