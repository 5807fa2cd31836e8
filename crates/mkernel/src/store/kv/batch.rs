use std::fmt;

use super::super::Space;
use super::super::log::Operation;

/// Most bytes of a key.
pub const MOST_KEY_BYTES: usize = 1024;
/// Most bytes of a value.
pub const MOST_VALUE_BYTES: usize = 1 << 20;
/// Most bytes of a batch, keys and values together.
pub const MOST_BATCH_BYTES: usize = 4 << 20;

/// What the database may need on the device for one operation, beside twice its bytes: a page for each level, and as
/// many that are split.
const OPERATION_COST: u64 = 32 << 10;

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

    /// The most that the database may need on the device.
    pub(super) fn cost(&self) -> u64 {
        self.operations.len() as u64 * OPERATION_COST + 2 * self.bytes as u64
    }
}
