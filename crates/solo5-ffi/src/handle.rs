//! Handles of acquired devices, and sets of them.

use core::fmt;

/// An acquired device: its index in the manifest, 1 to 63. Of 0, see [`shutdown`](crate::shutdown).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(u8);

impl Handle {
    /// What stands among the devices for the host's wish that the program end: see
    /// [`shutdown`](crate::shutdown).
    pub(crate) const SHUTDOWN: Self = Self(0);

    /// The handle with this number; `None` where the ABI has no such handle.
    pub fn new(raw: u64) -> Option<Self> {
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

/// Some of the network devices: those that have a frame to read, or that are waited for.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct HandleSet(u64);

impl HandleSet {
    /// The set in which bit *h* stands for handle *h*.
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Bit *h* stands for handle *h*.
    #[cfg(any(solo5 = "hvt", solo5 = "spt"))]
    pub(crate) const fn bits(self) -> u64 {
        self.0
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

impl FromIterator<Handle> for HandleSet {
    fn from_iter<I: IntoIterator<Item = Handle>>(handles: I) -> Self {
        let bits = handles.into_iter().map(|handle| 1 << handle.index());
        Self(bits.fold(0, |set, bit: u64| set | bit))
    }
}

impl fmt::Debug for HandleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries((0..64).filter(|index| self.0 >> index & 1 == 1))
            .finish()
    }
}
