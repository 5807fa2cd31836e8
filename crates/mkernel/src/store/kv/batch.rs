use std::fmt;

use super::super::Space;
use super::super::log::Operation;

/// Most bytes of a key.
pub const MOST_KEY_BYTES: usize = 1024;
/// Most bytes of a value.
pub const MOST_VALUE_BYTES: usize = 1 << 20;
/// Most bytes of a batch, keys and values together.
pub const MOST_BATCH_BYTES: usize = 4 << 20;

/// What the database may need on the device for one operation, beside twice its bytes and the leaf that it is in: a page for
/// each level, and as many that are split.
const OPERATION_COST: u64 = 32 << 10;
/// The size of a page; a larger entry is in a page of its own size.
const PAGE: u64 = 4 << 10;

/// A key, and its value or that it goes.
type Owned = (Box<[u8]>, Option<Box<[u8]>>);

/// Operations that are done together or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    operations: Vec<Owned>,
    /// Of keys and values, with what each operation has beside.
    pub(super) bytes: usize,
}

/// Why an operation does not go into a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TooLarge {
    /// The key has more than [`MOST_KEY_BYTES`].
    Key {
        /// Bytes of the key.
        bytes: usize,
    },
    /// The value has more than [`MOST_VALUE_BYTES`].
    Value {
        /// Bytes of the value.
        bytes: usize,
    },
    /// The batch would have more than [`MOST_BATCH_BYTES`].
    Batch {
        /// Bytes that it would have.
        bytes: usize,
    },
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, bytes, most) = match *self {
            Self::Key { bytes } => ("key", bytes, MOST_KEY_BYTES),
            Self::Value { bytes } => ("value", bytes, MOST_VALUE_BYTES),
            Self::Batch { bytes } => ("batch", bytes, MOST_BATCH_BYTES),
        };
        write!(f, "{what} of {bytes} bytes, expected {most} at most")
    }
}

impl std::error::Error for TooLarge {}

impl Batch {
    /// No operations.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives `key` that value.
    ///
    /// # Errors
    ///
    /// When something is too large; the batch is as before then.
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), TooLarge> {
        if value.len() > MOST_VALUE_BYTES {
            return Err(TooLarge::Value { bytes: value.len() });
        }
        self.push(key, Some(value))
    }

    /// Takes `key` away, if it is there.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub fn delete(&mut self, key: &[u8]) -> Result<(), TooLarge> {
        self.push(key, None)
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Operations.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    fn push(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), TooLarge> {
        if key.len() > MOST_KEY_BYTES {
            return Err(TooLarge::Key { bytes: key.len() });
        }
        // What the operation has beside its bytes in memory and in the log.
        let bytes = self.bytes + key.len() + value.map_or(0, <[u8]>::len) + 64;
        if bytes > MOST_BATCH_BYTES {
            return Err(TooLarge::Batch { bytes });
        }
        self.operations.push((key.into(), value.map(Into::into)));
        self.bytes = bytes;
        Ok(())
    }

    pub(super) fn operations(&self) -> impl Iterator<Item = Operation<'_>> {
        let operations = self.operations.iter();
        operations.map(|(key, value)| (&**key, value.as_deref()))
    }

    pub(super) fn space(&self) -> Space {
        match self.operations.iter().all(|(_, value)| value.is_none()) {
            true => Space::Reserve,
            false => Space::Ordinary,
        }
    }

    pub(super) fn load(&self) -> Load {
        let entries = self.operations.iter();
        let entries = entries.map(|(key, value)| entry(key, value.as_deref()));
        Load {
            operations: self.operations.len() as u64,
            bytes: self.bytes as u64,
            largest: entries.max().unwrap_or(0),
        }
    }
}

/// Bytes of an entry.
pub(super) fn entry(key: &[u8], value: Option<&[u8]>) -> u64 {
    (key.len() + value.map_or(0, <[u8]>::len)) as u64
}

/// What operations ask of the database.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Load {
    pub(super) operations: u64,
    pub(super) bytes: u64,
    /// Bytes of the largest entry that there is or was.
    pub(super) largest: u64,
}

impl Load {
    /// What both ask together.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            operations: self.operations + other.operations,
            bytes: self.bytes + other.bytes,
            largest: self.largest.max(other.largest),
        }
    }

    /// The most that the database may need on the device, were nothing done twice to the same page.
    pub(super) fn cost(self) -> u64 {
        self.operations * (OPERATION_COST + self.largest_leaf()) + 2 * self.bytes
    }

    /// What the leaf with the largest entry takes, which is copied for any other entry in it too. Such pages have a power of
    /// two as their size, and lie at a multiple of that, so that as much may be lost in front of them.
    pub(super) fn largest_leaf(self) -> u64 {
        match self.largest > PAGE / 4 {
            true => 2 * (self.largest + PAGE).next_power_of_two(),
            false => 0,
        }
    }
}
