//! The unikernel's executable: which ABI it is for, which devices it declares, how it is loaded.

use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use manifest_gen::elf::{self, Executable, LoadPlan};
use solo5_abi::CMDLINE_SIZE;
use solo5_abi::manifest::Manifest;
use solo5_abi::note::Target;
use vm_memory::{ReadVolatile, VolatileMemoryError, VolatileSlice};

use crate::error::{Error, is_for_want_of_memory};

/// More memory than any guest has.
const MUCH: u64 = 1 << 46;

/// An executable that has been found to be a unikernel for this tender.
pub(crate) struct Kernel {
    path: PathBuf,
    executable: Executable<File>,
    /// Content of the manifest note, valid.
    manifest: Vec<u8>,
}

impl Kernel {
    /// Opens the executable at `path` and checks that it is for version `version` of `target`'s ABI.
    pub(crate) fn open(path: &Path, target: Target, version: u32) -> Result<Self, Error> {
        let file = open_regular(path).map_err(|source| Error::Open {
            path: path.to_owned(),
            source,
        })?;
        let error = |source| Error::Executable {
            path: path.to_owned(),
            source,
            least: None,
        };
        let mut executable = Executable::open(file).map_err(error)?;
        let abi = executable.abi().map_err(error)?;
        if abi.target != target as u32 || abi.version != version {
            let found = match Target::from_raw(abi.target) {
                Some(target) => format!("{target} version {}", abi.version),
                None => format!("of unknown target {} version {}", abi.target, abi.version),
            };
            return Err(Error::Abi {
                path: path.to_owned(),
                found,
                expected: format!("{target} version {version}"),
            });
        }
        let manifest = executable.manifest_bytes().map_err(error)?;
        Ok(Self {
            path: path.to_owned(),
            executable,
            manifest,
        })
    }

    /// The devices that the unikernel declares.
    pub(crate) fn manifest(&self) -> Manifest<'_> {
        Manifest::parse(&self.manifest).expect("`open` keeps none but a valid manifest")
    }

    /// Where everything goes in guest memory that ends at `mem`.
    pub(crate) fn plan(&mut self, mem: u64) -> Result<LoadPlan, Error> {
        self.executable.load_plan(mem).map_err(|source| {
            let least = match is_for_want_of_memory(&source) {
                true => self.executable.load_plan(MUCH).ok(),
                false => None,
            };
            Error::Executable {
                path: self.path.clone(),
                source,
                least: least.map(|plan| plan.kernel_end.max(plan.entry + 1)),
            }
        })
    }

    /// Reads the segments into fresh, zeroed guest memory, of which `slice` gives a checked range (address, length).
    pub(crate) fn load<'m>(
        &mut self,
        plan: &LoadPlan,
        slice: impl Fn(u64, u64) -> Result<VolatileSlice<'m>, VolatileMemoryError>,
    ) -> Result<(), Error> {
        for segment in &plan.segments {
            let file = self.executable.source_mut();
            let read = file.seek(SeekFrom::Start(segment.offset)).and_then(|_| {
                let mut target = slice(segment.vaddr, segment.filesz).map_err(io::Error::other)?;
                file.read_exact_volatile(&mut target)
                    .map_err(io::Error::other)
            });
            read.map_err(|source| {
                self.error(elf::Error::Io {
                    what: "segment",
                    source,
                })
            })?;
        }
        Ok(())
    }

    fn error(&self, source: elf::Error) -> Error {
        Error::Executable {
            path: self.path.clone(),
            source,
            least: None,
        }
    }
}

/// The stack of the unikernel's own, which no segment that is loaded covers: what lies between what cannot be written to and
/// what can.
pub(crate) fn own_stack(plan: &LoadPlan) -> Option<Range<u64>> {
    let mut pairs = plan.segments.windows(2);
    let (below, above) = pairs.find_map(|pair| match pair {
        [below, above] if !below.is_writable() && above.is_writable() => Some((below, above)),
        _ => None,
    })?;
    (below.end < above.start).then_some(below.end..above.start)
}

/// What gives a program more of it.
pub(crate) const MORE_STACK: &str =
    "RUSTFLAGS=-Clink-arg=-Wl,--defsym=__solo5_stack_size=0x400000 makes them 4 MiB";

/// What else may have filled it: a thread's stack has no pages below it that fault, and such an overflow goes through all
/// that lies between.
pub(crate) const THREADS: &str = "a thread's stack is (thread::Builder::stack_size)";

/// Stack pointers at which a fault shows that the stack is full: a frame is touched page by page, from the stack's last page
/// down.
pub(crate) fn overflow(stack: &Range<u64>) -> Range<u64> {
    stack.start.saturating_sub(1 << 20)..stack.start.saturating_add(4096)
}

/// Opens a file that is one: a FIFO or a terminal would keep the tender waiting, and a device may do anything, even when it
/// is only opened.
fn open_regular(path: &Path) -> io::Result<File> {
    let check = |metadata: Metadata| match metadata.is_file() {
        true => Ok(()),
        false => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a regular file: expected a unikernel's executable",
        )),
    };
    check(path.metadata()?)?;
    // It may have become another one since.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)?;
    check(file.metadata()?)?;
    Ok(file)
}

/// The guest's command line: its arguments joined by single spaces, with a NUL behind. `words` stand before all of them but
/// those that are for the bindings, which have to be the first.
pub(crate) fn command_line(words: &[String], args: &[OsString]) -> Result<Vec<u8>, Error> {
    let mut line = args
        .iter()
        .map(|arg| arg.as_bytes())
        .collect::<Vec<_>>()
        .join(&b' ');
    // A place behind the last word.
    line.push(b' ');
    let mut at = 0;
    while line[at..].starts_with(b"--solo5:") {
        at += 1 + line[at..].iter().take_while(|&&byte| byte != b' ').count();
    }
    let words: String = words.iter().map(|word| format!("{word} ")).collect();
    line.splice(at..at, words.into_bytes());
    line.pop();
    let max = CMDLINE_SIZE - 1;
    if line.len() > max {
        return Err(Error::CommandLine {
            len: line.len(),
            max,
        });
    }
    line.push(0);
    Ok(line)
}
