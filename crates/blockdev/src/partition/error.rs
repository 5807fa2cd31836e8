use core::fmt;

use crate::Error;

/// Why there is no table of partitions, or it is not to be trusted; `E` is the device's own error.
///
/// Sectors are those of the table, of 512 or 4096 bytes; partitions have the numbers that other
/// systems give them, from 1 on, and logical ones from 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TableError<E> {
    /// The device cannot be read.
    Device(Error<E>),
    /// The first block has neither an MBR nor the protective one of a GPT.
    NoTable,
    /// There should be a GPT, but there is no header of one.
    NoHeader,
    /// The size of a GPT's header is none.
    HeaderSize {
        /// Its size in bytes, by itself.
        size: u32,
    },
    /// A GPT's header says that it is elsewhere.
    HeaderPlace {
        /// The sector that it names.
        found: u64,
        /// The one that it is in.
        expected: u64,
    },
    /// The checksum of a GPT's header, or of its entries, is another.
    Checksum {
        /// The one that is written there.
        found: u32,
        /// That of what is there.
        expected: u32,
    },
    /// A GPT has too many entries, or of a size that none have.
    Entries {
        /// How many.
        count: u32,
        /// Bytes of each.
        size: u32,
    },
    /// The sectors for entries and for partitions of a GPT are not on the device, or overlap.
    Layout {
        /// The first sector of the entries.
        entries: u64,
        /// The first for partitions.
        first: u64,
        /// The last for partitions.
        last: u64,
    },
    /// A partition does not lie where there may be some.
    Range {
        /// Its number.
        number: u32,
        /// Its first sector.
        first: u64,
        /// Its last sector.
        last: u64,
        /// The first sector that there may be.
        usable_first: u64,
        /// The last sector that there may be.
        usable_last: u64,
    },
    /// Two partitions overlap, or one lies over what describes the other.
    Overlap {
        /// The number of one.
        first: u32,
        /// That of the other.
        second: u32,
    },
    /// The chain of logical partitions goes on where it must not: outside of the extended one,
    /// where it has been before, or where there is no table.
    Chain {
        /// The sector.
        sector: u64,
    },
    /// There are more logical partitions than this.
    TooMany {
        /// How many there may be.
        most: u32,
    },
}

impl<E> From<Error<E>> for TableError<E> {
    fn from(error: Error<E>) -> Self {
        Self::Device(error)
    }
}

impl<E: fmt::Display> fmt::Display for TableError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(error) => error.fmt(f),
            Self::NoTable => f.write_str("no table of partitions, neither an MBR nor a GPT"),
            Self::NoHeader => f.write_str("a protective MBR, but no header of a GPT"),
            Self::HeaderSize { size } => write!(
                f,
                "a GPT header of {size} bytes, expected 92 or more that fit a sector"
            ),
            Self::HeaderPlace { found, expected } => {
                write!(f, "a GPT header of sector {found} in sector {expected}")
            }
            Self::Checksum { found, expected } => write!(
                f,
                "GPT with checksum {found:#010x}, expected {expected:#010x}"
            ),
            Self::Entries { count, size } => write!(
                f,
                "GPT of {count} entries of {size} bytes, expected a multiple of 128 bytes each and 128 KiB in all at most"
            ),
            Self::Layout {
                entries,
                first,
                last,
            } => write!(
                f,
                "GPT with entries from sector {entries} on and partitions in sectors {first} to {last}, expected them apart and on the device"
            ),
            Self::Range {
                number,
                first,
                last,
                usable_first,
                usable_last,
            } => write!(
                f,
                "partition {number} in sectors {first} to {last}, expected some of {usable_first} to {usable_last}"
            ),
            Self::Overlap { first, second } => {
                write!(f, "partitions {first} and {second} overlap")
            }
            Self::Chain { sector } => write!(
                f,
                "the chain of logical partitions goes on in sector {sector}, where it cannot"
            ),
            Self::TooMany { most } => write!(f, "more than {most} logical partitions"),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for TableError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Device(error) => error.source(),
            _ => None,
        }
    }
}
