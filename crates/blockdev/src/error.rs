use core::fmt;

/// What was being done when a device failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Blocks were being read.
    Read,
    /// Blocks were being written.
    Write,
    /// What had been written was being made durable.
    Flush,
    /// Blocks were being given up.
    Discard,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Flush => "flush",
            Self::Discard => "discard",
        })
    }
}

/// Why bytes were not read or written; `E` is the device's own error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error<E> {
    /// The bytes do not lie on the device. Nothing was transferred.
    OutOfBounds {
        /// Where they begin.
        offset: u64,
        /// How many there are.
        len: u64,
        /// Bytes of the device.
        capacity: u64,
    },
    /// Whole blocks were asked for, but the bytes do not begin or end where blocks do. Nothing was
    /// transferred.
    Misaligned {
        /// Where they begin.
        offset: u64,
        /// How many there are.
        len: u64,
        /// Bytes of a block.
        block_size: usize,
    },
    /// The device cannot make durable what is written ([`SectorDevice::can_flush`]).
    ///
    /// [`SectorDevice::can_flush`]: crate::SectorDevice::can_flush
    CannotFlush,
    /// The device failed. Blocks before `offset` have been transferred, those of this transfer may
    /// have been, and those behind it have not.
    Device {
        /// What was being done.
        operation: Operation,
        /// Where the transfer begins that failed; 0 for a flush.
        offset: u64,
        /// Bytes of that transfer; 0 for a flush.
        len: u64,
        /// The device's error.
        source: E,
    },
}

impl<E: fmt::Display> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfBounds {
                offset,
                len,
                capacity,
            } => write!(
                f,
                "{len} bytes at offset {offset} reach beyond the device's {capacity} bytes"
            ),
            Self::Misaligned {
                offset,
                len,
                block_size,
            } => write!(
                f,
                "{len} bytes at offset {offset}, expected whole blocks of {block_size} bytes"
            ),
            Self::CannotFlush => f.write_str("the device cannot make durable what is written"),
            Self::Device {
                operation: Operation::Flush,
                source,
                ..
            } => write!(f, "flush failed: {source}"),
            Self::Device {
                operation,
                offset,
                len,
                source,
            } => write!(
                f,
                "{operation} of {len} bytes at offset {offset} failed: {source}"
            ),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for Error<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Device { source, .. } => Some(source),
            Self::OutOfBounds { .. } | Self::Misaligned { .. } | Self::CannotFlush => None,
        }
    }
}

#[cfg(feature = "std")]
impl<E: core::error::Error + Send + Sync + 'static> From<Error<E>> for std::io::Error {
    fn from(error: Error<E>) -> Self {
        let kind = match error {
            Error::OutOfBounds { .. } | Error::Misaligned { .. } => {
                std::io::ErrorKind::InvalidInput
            }
            Error::CannotFlush => std::io::ErrorKind::Unsupported,
            Error::Device { .. } => std::io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
