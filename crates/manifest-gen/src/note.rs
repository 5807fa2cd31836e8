use std::ops::Range;

use solo5_abi::manifest::{self, Entry, Manifest as AbiManifest, ParseError};
use solo5_abi::note::{
    ABI1_ALIGN, ABI1_DESCRIPTOR_MAX, DESCRIPTOR_OFFSET, Header, MFT1_ALIGN, MFT1_DESCRIPTOR_MAX,
    NAME, NAME_SIZE, TYPE_ABI1, TYPE_MFT1,
};

use crate::{DeviceError, DeviceType, Manifest};

/// The notes that Solo5 knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteKind {
    /// Target and ABI version.
    Abi1,
    /// The manifest.
    Mft1,
}

impl NoteKind {
    /// The note's type, read as four letters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Abi1 => "ABI1",
            Self::Mft1 => "MFT1",
        }
    }

    const fn raw_type(self) -> u32 {
        match self {
            Self::Abi1 => TYPE_ABI1,
            Self::Mft1 => TYPE_MFT1,
        }
    }

    /// Bytes of padding between the name and the content, which count in the descriptor.
    const fn pad(self) -> u32 {
        let align = match self {
            Self::Abi1 => ABI1_ALIGN,
            Self::Mft1 => MFT1_ALIGN,
        };
        (DESCRIPTOR_OFFSET.next_multiple_of(align) - DESCRIPTOR_OFFSET) as u32
    }

    const fn descriptor_max(self) -> u32 {
        match self {
            Self::Abi1 => ABI1_DESCRIPTOR_MAX,
            Self::Mft1 => MFT1_DESCRIPTOR_MAX,
        }
    }

    /// Where the content lies in a note that begins with `start`, if it is a note of this kind.
    ///
    /// The range ends within the `size` bytes that there are of the note, and holds at least one
    /// byte and at most some kilobytes.
    pub(crate) fn content(
        self,
        start: &[u8; DESCRIPTOR_OFFSET],
        size: u64,
    ) -> Result<Option<Range<u64>>, NoteProblem> {
        let Some((header, name)) = start.split_first_chunk() else {
            return Ok(None);
        };
        let header = Header::from_bytes(header);
        // The padding behind the name may be anything, as for Solo5's own tools.
        let owner = &NAME[..NAME_SIZE as usize];
        let is_ours = header.namesz == NAME_SIZE && name.starts_with(owner);
        if !is_ours || header.kind != self.raw_type() {
            return Ok(None);
        }
        let (min, max) = (self.pad() + 1, self.descriptor_max());
        let found = header.descsz;
        if !(min..=max).contains(&found) {
            return Err(NoteProblem::Descriptor { found, min, max });
        }
        let descriptor = DESCRIPTOR_OFFSET as u64;
        let end = descriptor + u64::from(found);
        if size < end {
            return Err(NoteProblem::Truncated {
                size,
                expected: end,
            });
        }
        Ok(Some(descriptor + u64::from(self.pad())..end))
    }
}

/// Why a note is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteProblem {
    /// There is not even a note's header.
    #[error("{size} bytes, expected at least 12")]
    Size {
        /// Bytes that there are.
        size: u64,
    },
    /// The descriptor is too short to hold anything, or too long.
    #[error("n_descsz is {found}, expected {min} to {max}")]
    Descriptor {
        /// Bytes of the descriptor.
        found: u32,
        /// Bytes of the smallest one with content.
        min: u32,
        /// Bytes of the largest one.
        max: u32,
    },
    /// The descriptor goes on where there is nothing any more.
    #[error("{size} bytes, expected at least {expected} for its n_descsz")]
    Truncated {
        /// Bytes that there are.
        size: u64,
        /// Bytes that the note takes.
        expected: u64,
    },
}

/// Why bytes are not the note of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// It is another note, or none.
    #[error("not an MFT1 note of Solo5")]
    Other,
    /// The note's size is wrong.
    #[error("note does not fall within valid size: {0}")]
    Malformed(#[from] NoteProblem),
    /// The content is no manifest.
    #[error(transparent)]
    Manifest(#[from] ParseError),
    /// A device has a type that is not known.
    #[error(
        "manifest entry {index} has type {found:#x}, expected 1 (BLOCK_BASIC) or 2 (NET_BASIC)"
    )]
    DeviceType {
        /// Index of the entry.
        index: usize,
        /// The type.
        found: u32,
    },
    /// A device cannot be one of a [`Manifest`].
    #[error("manifest entry {index}: {problem}")]
    Device {
        /// Index of the entry.
        index: usize,
        /// Why.
        problem: DeviceError,
    },
}

impl Manifest {
    /// The whole `MFT1` note: header, name, padding and [`to_bytes`](Self::to_bytes).
    pub fn to_note(&self) -> Vec<u8> {
        let kind = NoteKind::Mft1;
        let content = self.to_bytes();
        let header = Header {
            namesz: NAME_SIZE,
            // At most MFT1_DESCRIPTOR_MAX, since no manifest has more than 63 devices.
            descsz: kind.pad() + content.len() as u32,
            kind: kind.raw_type(),
        };
        let pad = vec![0; kind.pad() as usize];
        [&header.to_bytes()[..], &NAME, &pad, &content].concat()
    }

    /// The manifest in a whole `MFT1` note; bytes behind the note are ignored.
    ///
    /// # Errors
    ///
    /// When it is another note, or as [`from_bytes`](Self::from_bytes).
    pub fn from_note(note: &[u8]) -> Result<Self, NoteError> {
        let start = note.first_chunk().ok_or(NoteError::Other)?;
        let range = NoteKind::Mft1
            .content(start, note.len() as u64)?
            .ok_or(NoteError::Other)?;
        Self::from_bytes(&note[range.start as usize..range.end as usize])
    }

    /// The note's content: header, reserved entry, devices.
    pub fn to_bytes(&self) -> Vec<u8> {
        // At most 64 entries.
        let header = manifest::Header::new(self.devices().len() as u32 + 1);
        let mut bytes = header.to_bytes().to_vec();
        bytes.extend(Entry::RESERVED_FIRST.to_bytes());
        bytes.extend(
            self.devices()
                .iter()
                .flat_map(|device| device.entry().to_bytes()),
        );
        bytes
    }

    /// The manifest in a note's content.
    ///
    /// # Errors
    ///
    /// When a tender would refuse it ([`solo5_abi::manifest::Manifest::parse`]), or could not attach
    /// one of its devices: a name that is not 1 to 67 ASCII letters and digits, an unknown type, a
    /// second device of the same name and type.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NoteError> {
        let mut manifest = Self::new();
        for (index, entry) in AbiManifest::parse(bytes)?.devices() {
            let found = entry.raw_type();
            let device_type =
                DeviceType::from_raw(found).ok_or(NoteError::DeviceType { index, found })?;
            // What is not UTF-8 becomes a character that names may not have.
            let name = String::from_utf8_lossy(entry.name_bytes());
            manifest
                .push(&name, device_type)
                .map_err(|problem| NoteError::Device { index, problem })?;
        }
        Ok(manifest)
    }
}
