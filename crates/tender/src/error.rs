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
    #[error("cannot load {path:?}: {source}{}", more_memory(source))]
    Executable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: elf::Error,
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
fn more_memory(error: &elf::Error) -> &'static str {
    match error {
        elf::Error::Entry { found, mem_size } if found >= mem_size => " (--mem=N gives it more)",
        elf::Error::Segment {
            problem:
                SegmentProblem::ContentBeyondMemory { .. } | SegmentProblem::BeyondMemory { .. },
            ..
        } => " (--mem=N gives it more)",
        _ => "",
    }
}
