use std::io;
use std::path::PathBuf;

use manifest_gen::elf::{self, SegmentProblem};

use crate::attach::AttachError;
use crate::confine::ConfineError;
use crate::hvt::HvtError;
use crate::options::OptionError;
use crate::spt::SptError;

/// Why a unikernel could not be run to its own end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line is no good.
    #[error(transparent)]
    Options(#[from] OptionError),
    /// The unikernel cannot be opened.
    #[error("cannot open {path:?}: {source}")]
    Open {
        /// The unikernel.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is no unikernel, or cannot be loaded.
    #[error("cannot load {path:?}: {source}{}", more_memory(source, *least))]
    Executable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: elf::Error,
        /// Bytes of memory that its segments would fit, if that is what is wrong.
        least: Option<u64>,
    },
    /// The unikernel is for another target, or another version of this one.
    #[error("{path:?} is built for Solo5 ABI {found}: expected {expected}")]
    Abi {
        /// The unikernel.
        path: PathBuf,
        /// What it is built for.
        found: String,
        /// What this tender runs.
        expected: String,
    },
    /// The devices cannot be attached.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// The arguments do not fit the buffer that the ABI has for them.
    #[error("arguments of {len} bytes, joined by spaces: expected at most {max}")]
    CommandLine {
        /// Bytes given.
        len: usize,
        /// Bytes that fit.
        max: usize,
    },
    /// The process runs under a personality that makes readable memory executable.
    #[error(
        "personality READ_IMPLIES_EXEC is set, or cannot be asked for: expected it clear (see setarch -X)"
    )]
    ReadImpliesExec,
    /// Standard output cannot be made the guest's console.
    #[error("cannot use standard output as the console: {0}")]
    Console(#[source] io::Error),
    /// The tender cannot be confined as it must be.
    #[error(transparent)]
    Confine(#[from] ConfineError),
    /// Something particular to spt.
    #[error(transparent)]
    Spt(#[from] SptError),
    /// Something particular to hvt.
    #[error(transparent)]
    Hvt(#[from] HvtError),
}

impl Error {
    /// Whether the program's help is what helps.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Options(_)
                | Self::Attach(AttachError::Undeclared { .. } | AttachError::Missing(_))
        )
    }
}

/// What helps an executable that would fit more memory.
fn more_memory(error: &elf::Error, least: Option<u64>) -> String {
    let least = least.map(|least| least.div_ceil(1 << 20));
    match least {
        _ if !is_for_want_of_memory(error) => String::new(),
        Some(least) => {
            format!(
                " (--mem=N gives it more: {least} hold its image, and the program needs some beside that)"
            )
        }
        None => " (--mem=N gives it more)".to_owned(),
    }
}

/// Whether the executable would fit more memory, as far as this error tells.
pub(crate) fn is_for_want_of_memory(error: &elf::Error) -> bool {
    match error {
        elf::Error::Entry { found, mem_size } => found >= mem_size,
        elf::Error::Segment { problem, .. } => matches!(
            problem,
            SegmentProblem::ContentBeyondMemory { .. } | SegmentProblem::BeyondMemory { .. }
        ),
        _ => false,
    }
}
