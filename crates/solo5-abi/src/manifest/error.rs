use core::fmt;

use super::{Header, MAX_ENTRIES, TYPE_RESERVED_FIRST, VERSION};

/// Why bytes are not a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseError {
    /// There is not even a header.
    TooShort {
        /// Bytes given.
        found: usize,
    },
    /// A version other than [`VERSION`].
    Version {
        /// The version given.
        found: u32,
    },
    /// No entry at all, or more than [`MAX_ENTRIES`].
    EntryCount {
        /// The count given.
        found: u32,
    },
    /// More or fewer bytes than the entries take.
    Size {
        /// Bytes given.
        found: usize,
        /// Bytes that so many entries take, with the header.
        expected: usize,
        /// Entries that the header announces.
        entries: usize,
    },
    /// The first entry's type is not [`TYPE_RESERVED_FIRST`].
    FirstType {
        /// The type given.
        found: u32,
    },
    /// The first entry, which is reserved, has a name.
    FirstName,
    /// A name without a NUL at its end.
    NameUnterminated {
        /// Index of the entry.
        index: usize,
    },
    /// An entry that says that its device is attached already.
    Attached {
        /// Index of the entry.
        index: usize,
        /// The flag given.
        found: u8,
    },
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TooShort { found } => write!(
                f,
                "manifest of {found} bytes, expected at least {}",
                Header::SIZE
            ),
            Self::Version { found } => {
                write!(f, "manifest version {found}, expected {VERSION}")
            }
            Self::EntryCount { found } => {
                write!(
                    f,
                    "manifest of {found} entries, expected 1 to {MAX_ENTRIES}"
                )
            }
            Self::Size {
                found,
                expected,
                entries,
            } => write!(
                f,
                "manifest of {found} bytes, expected {expected} for its {entries} entries"
            ),
            Self::FirstType { found } => write!(
                f,
                "manifest entry 0 has type {found:#x}, expected {TYPE_RESERVED_FIRST:#x} (reserved)"
            ),
            Self::FirstName => {
                f.write_str("manifest entry 0, which is reserved, has a name, expected none")
            }
            Self::NameUnterminated { index } => write!(
                f,
                "manifest entry {index} has a name without an end, expected at most {} bytes and a NUL",
                super::NAME_MAX
            ),
            Self::Attached { index, found } => write!(
                f,
                "manifest entry {index} has its attached flag at {found}, expected 0"
            ),
        }
    }
}

impl core::error::Error for ParseError {}
