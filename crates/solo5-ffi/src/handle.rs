//! Handles of acquired devices, and sets of them.

use core::fmt;

/// An acquired device: its index in the manifest, 1 to 63.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(u8);

impl Handle {
    /// The handle with this number; `None` where the ABI has no such handle.
    pub(crate) fn new(raw: u64) -> Option<Self> {
        match u8::try_from(raw) {
            Ok(index) if index < 64 => Some(Self(index)),
            _ => None,
        }
    }

    /// The number.
    pub const fn index(self) -> u8 {
        self.0
    }
}

/// The network devices that have a frame to read.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct HandleSet(u64);

impl HandleSet {
    /// The set in which bit *h* stands for handle *h*.
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Whether no device is in the set, as after a time-out.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether this device is in the set.
    pub const fn contains(self, handle: Handle) -> bool {
        self.0 >> handle.0 & 1 == 1
    }
}

impl fmt::Debug for HandleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries((0..64).filter(|index| self.0 >> index & 1 == 1))
            .finish()
    }
}
