//! The manifest: which devices a unikernel needs, declared in its `MFT1` note, and handed back to
//! it by the tender with what was attached.
//!
//! A manifest is a [`Header`] and up to [`MAX_ENTRIES`] times an [`Entry`] of 104 bytes. The first
//! entry is reserved. A device's index in the manifest is its handle.

use crate::layout::layout;

mod entry;
mod error;
mod name;

pub use entry::{
    BLOCK_DISCARD, BLOCK_FLUSH, BLOCK_MANY, BLOCK_WHOLE, BlockProperties, DeviceType, Entry,
    NET_OFFLOAD, NET_OFFLOAD_UDP, NET_OFFLOAD_V6, NetProperties, TENDER_FLUSH, TENDER_POLL_SET,
    TENDER_SHUTDOWN, TENDER_WRFSBASE, TYPE_RESERVED_FIRST, TenderProperties,
};
pub use error::ParseError;
pub use name::{NAME_FIELD, NAME_MAX, NameError, check_name};

/// Version of the manifest that this crate knows.
pub const VERSION: u32 = 1;

/// Entries of the largest manifest, the reserved one included.
pub const MAX_ENTRIES: usize = 64;

/// Devices of the largest manifest.
pub const MAX_DEVICES: usize = MAX_ENTRIES - 1;

/// Bytes of the largest manifest.
pub const MAX_SIZE: usize = size(MAX_ENTRIES);

/// Bytes of a manifest of so many entries.
pub const fn size(entries: usize) -> usize {
    Header::SIZE + entries * Entry::SIZE
}

layout! {
    /// What stands in front of the entries.
    pub struct Header, size 8 {
        /// [`VERSION`].
        0 => pub version: u32,
        /// How many entries follow, the reserved one included.
        4 => pub entries: u32,
    }
}

impl Header {
    /// Header of a manifest of so many entries, the reserved one included.
    pub const fn new(entries: u32) -> Self {
        Self {
            version: VERSION,
            entries,
        }
    }
}

/// A manifest in memory, found valid.
#[derive(Clone, Copy, Debug)]
pub struct Manifest<'a> {
    entries: &'a [[u8; Entry::SIZE]],
}

impl<'a> Manifest<'a> {
    /// Takes `bytes`, the content of an `MFT1` note, for a manifest.
    ///
    /// # Errors
    ///
    /// When the bytes break a rule that Solo5's tenders enforce: version 1, 1 to 64 entries, a size
    /// that fits them exactly, a reserved and nameless first entry, every name terminated, nothing
    /// attached yet. Not checked: the alphabet of names, repeated names, unknown types, and the
    /// properties (which tenders overwrite).
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let manifest = Self::parse_attached(bytes)?;
        for (index, entry) in manifest.entries().enumerate() {
            if entry.attached != 0 {
                return Err(ParseError::Attached {
                    index,
                    found: entry.attached,
                });
            }
        }
        Ok(manifest)
    }

    /// As [`parse`](Self::parse), for the copy that a tender hands to a guest, in which devices are
    /// attached.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn parse_attached(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let found = bytes.len();
        let Some((header, rest)) = bytes.split_first_chunk() else {
            return Err(ParseError::TooShort { found });
        };
        let header = Header::from_bytes(header);
        if header.version != VERSION {
            return Err(ParseError::Version {
                found: header.version,
            });
        }
        let count = header.entries as usize;
        if count == 0 || count > MAX_ENTRIES {
            return Err(ParseError::EntryCount {
                found: header.entries,
            });
        }
        let (entries, tail) = rest.as_chunks();
        if entries.len() != count || !tail.is_empty() {
            return Err(ParseError::Size {
                found,
                expected: size(count),
                entries: count,
            });
        }
        let manifest = Self { entries };
        manifest.check_entries()?;
        Ok(manifest)
    }

    fn check_entries(&self) -> Result<(), ParseError> {
        for (index, entry) in self.entries().enumerate() {
            if index == 0 && entry.raw_type() != TYPE_RESERVED_FIRST {
                return Err(ParseError::FirstType {
                    found: entry.raw_type(),
                });
            }
            if index == 0 && !entry.name_bytes().is_empty() {
                return Err(ParseError::FirstName);
            }
            if !entry.name_is_terminated() {
                return Err(ParseError::NameUnterminated { index });
            }
        }
        Ok(())
    }

    /// How many entries there are, the reserved one included; at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a manifest is never empty")]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// All entries in the order of their handles, the reserved one first.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = Entry> + use<'a> {
        self.entries.iter().map(Entry::from_bytes)
    }

    /// The entries that stand for devices, with their handles: all but those of reserved type.
    pub fn devices(&self) -> impl Iterator<Item = (usize, Entry)> + use<'a> {
        self.entries()
            .enumerate()
            .filter(|(_, entry)| !entry.is_reserved())
    }

    /// The entry with this handle.
    pub fn entry(&self, handle: usize) -> Option<Entry> {
        self.entries.get(handle).map(Entry::from_bytes)
    }

    /// The first device of this name and type, with its handle.
    pub fn find(&self, name: &str, device_type: DeviceType) -> Option<(usize, Entry)> {
        self.devices().find(|(_, entry)| {
            entry.device_type() == Some(device_type) && entry.name_bytes() == name.as_bytes()
        })
    }
}
