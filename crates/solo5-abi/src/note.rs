//! The ELF notes by which an executable says that it is a unikernel: `ABI1` (which target it was
//! linked for) and `MFT1` (the devices it needs, see [`manifest`]).
//!
//! Each note has a `PT_NOTE` program header of its own, since only the first note of such a
//! segment is looked at. A note is its [`Header`], the eight bytes of [`NAME`], padding up to the
//! alignment of the content, then the content. The padding counts in `descsz`.

use crate::layout::layout;
use crate::manifest;

/// Name of the owner as it lies in the file: `Solo5`, its NUL and two zero bytes of padding.
pub const NAME: [u8; 8] = *b"Solo5\0\0\0";
/// `n_namesz` of a Solo5 note: five letters and the NUL.
pub const NAME_SIZE: u32 = 6;

/// Bytes in front of a note's descriptor: [`Header`] and [`NAME`].
pub const DESCRIPTOR_OFFSET: usize = Header::SIZE + NAME.len();

/// `n_type` of the note that names the target and its ABI version.
pub const TYPE_ABI1: u32 = u32::from_le_bytes(*b"ABI1");
/// `n_type` of the note that holds the manifest.
pub const TYPE_MFT1: u32 = u32::from_le_bytes(*b"MFT1");

/// Alignment within the note of the content of an `ABI1` note.
pub const ABI1_ALIGN: usize = 4;
/// Alignment within the note of the content of an `MFT1` note.
pub const MFT1_ALIGN: usize = 8;

/// Largest `n_descsz` of an `ABI1` note that is accepted.
pub const ABI1_DESCRIPTOR_MAX: u32 = 32;
/// Bytes of padding between the name and the manifest.
pub const MFT1_PAD: usize = DESCRIPTOR_OFFSET.next_multiple_of(MFT1_ALIGN) - DESCRIPTOR_OFFSET;
/// Largest `n_descsz` of an `MFT1` note: the padding and a full manifest.
pub const MFT1_DESCRIPTOR_MAX: u32 =
    (MFT1_PAD + manifest::Header::SIZE + manifest::MAX_ENTRIES * manifest::Entry::SIZE) as u32;

const _: () = {
    assert!(DESCRIPTOR_OFFSET == 20);
    assert!(DESCRIPTOR_OFFSET.is_multiple_of(ABI1_ALIGN));
    assert!(MFT1_PAD == 4);
    assert!(MFT1_DESCRIPTOR_MAX == 6668);
    assert!(TYPE_ABI1 == 0x3149_4241);
    assert!(TYPE_MFT1 == 0x3154_464D);
};

layout! {
    /// Header of any ELF note (`Elf64_Nhdr`).
    pub struct Header, size 12 {
        /// Bytes of the name, its NUL included, without padding.
        0 => pub namesz: u32,
        /// Bytes of the descriptor; in an `MFT1` note this includes the padding before the content.
        4 => pub descsz: u32,
        /// What the note is, by the reckoning of its owner.
        8 => pub kind: u32,
    }
}

layout! {
    /// Content of an `ABI1` note.
    pub struct Abi, size 16 {
        /// Number of the target, see [`Target`].
        0 => pub target: u32,
        /// Version of that target's ABI.
        4 => pub version: u32,
        /// Zero; not checked.
        8 => pub reserved0: u32,
        /// Zero; not checked.
        12 => pub reserved1: u32,
    }
}

/// The targets that Solo5 has numbers for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Target {
    /// Hardware virtualised tender: a KVM guest.
    Hvt = 1,
    /// Sandboxed process tender: a Linux process behind a seccomp filter.
    Spt = 2,
    /// Virtio-based virtual machine monitors.
    Virtio = 3,
    /// The Muen separation kernel.
    Muen = 4,
    /// The Genode framework.
    Genode = 5,
    /// Xen PVH.
    Xen = 6,
}

impl Target {
    /// The target with this number, if it is known.
    pub const fn from_raw(raw: u32) -> Option<Self> {
        match raw {
            1 => Some(Self::Hvt),
            2 => Some(Self::Spt),
            3 => Some(Self::Virtio),
            4 => Some(Self::Muen),
            5 => Some(Self::Genode),
            6 => Some(Self::Xen),
            _ => None,
        }
    }

    /// The target's name as Solo5's tools print it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hvt => "hvt",
            Self::Spt => "spt",
            Self::Virtio => "virtio",
            Self::Muen => "muen",
            Self::Genode => "genode",
            Self::Xen => "xen",
        }
    }
}

impl core::fmt::Display for Target {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.as_str())
    }
}
