use std::error::Error;
use std::fmt;

/// Why a store cannot be opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// The host cannot make writes durable ([`Options::require_flush`](super::Options::require_flush)).
    CannotFlush,
    /// The device is smaller than the least that holds a store.
    TooSmall {
        /// Bytes of the device.
        capacity: u64,
    },
    /// There is a store on the device, which had more bytes when it was written.
    CutShort {
        /// Bytes of the device.
        capacity: u64,
        /// The least that the store needs.
        expected: u64,
    },
    /// There is something on the device, and it is no store.
    NotAStore,
    /// The device failed, or what is on it is damaged.
    Store(StoreError),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CannotFlush => f.write_str("the host cannot make writes durable"),
            Self::TooSmall { capacity } => write!(
                f,
                "a device of {capacity} bytes is too small for a store, expected {} or more",
                super::LEAST_CAPACITY
            ),
            Self::CutShort { capacity, expected } => write!(
                f,
                "a device of {capacity} bytes has a store that was cut short, expected {expected} bytes or more"
            ),
            Self::NotAStore => f.write_str(
                "the device holds something that is no store, expected one, or a device that begins with zeros",
            ),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Store(error) => error.source(),
            _ => None,
        }
    }
}

/// Why a store did not do what it was asked for.
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no room. Nothing has changed; what deletes may find room all the same ([`Space::Reserve`]).
    ///
    /// [`Space::Reserve`]: super::Space::Reserve
    Full {
        /// Bytes for the database on the device.
        capacity: u64,
    },
    /// A transaction of this store is under way, and this was called from within it.
    Nested,
    /// What is on the device is not what was written there: `redb` says so, or found it by a panic.
    Damaged(String),
    /// The device failed, or the database refused. After a failed commit what was to be written is there after the next
    /// start, or is not.
    Database(redb::Error),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { capacity } => {
                write!(
                    f,
                    "the store is full: all of its {capacity} bytes are in use"
                )
            }
            Self::Nested => f.write_str("a transaction within a transaction of the same store"),
            Self::Damaged(found) => write!(f, "the store is damaged: {found}"),
            Self::Database(error) => error.fmt(f),
        }
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Database(error) => Some(error),
            _ => None,
        }
    }
}

impl<E: Into<redb::Error>> From<E> for StoreError {
    fn from(error: E) -> Self {
        match error.into() {
            redb::Error::Corrupted(found) => Self::Damaged(found),
            error => Self::Database(error),
        }
    }
}
