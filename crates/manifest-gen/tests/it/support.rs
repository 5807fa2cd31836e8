//! Builds small Solo5 executables, right in every field until a test makes one wrong.

use solo5_abi::elf::{PF_R, PF_W, PF_X, PT_LOAD, PT_NOTE};
use solo5_abi::manifest::{DeviceType, Entry, Header};
use solo5_abi::note::{Abi, Header as NoteHeader, NAME, NAME_SIZE, TYPE_ABI1, TYPE_MFT1};

/// Where the first program header lies.
pub(crate) const TABLE: usize = 64;
/// Bytes of a program header.
pub(crate) const ROW: usize = 56;

/// The program headers of [`executable`], by index.
pub(crate) const TEXT: usize = 0;
pub(crate) const DATA: usize = 1;
pub(crate) const BSS: usize = 2;
pub(crate) const ABI1: usize = 3;
pub(crate) const MFT1: usize = 4;

/// Offsets within a program header.
pub(crate) const P_TYPE: usize = 0;
pub(crate) const P_FLAGS: usize = 4;
pub(crate) const P_OFFSET: usize = 8;
pub(crate) const P_VADDR: usize = 16;
pub(crate) const P_FILESZ: usize = 32;
pub(crate) const P_MEMSZ: usize = 40;
pub(crate) const P_ALIGN: usize = 48;

/// Where a field of a program header lies in the file.
pub(crate) fn at(row: usize, field: usize) -> usize {
    TABLE + row * ROW + field
}

/// A program header and the bytes that it points to.
pub(crate) struct Part {
    pub(crate) kind: u32,
    pub(crate) flags: u32,
    pub(crate) vaddr: u64,
    pub(crate) memsz: u64,
    pub(crate) content: Vec<u8>,
}

/// An ELF file of these parts, each at a multiple of 8 bytes, with entry point 0x100000.
pub(crate) fn file(parts: &[Part]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    bytes.extend(2_u16.to_le_bytes());
    bytes.extend(62_u16.to_le_bytes());
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(0x10_0000_u64.to_le_bytes());
    bytes.extend((TABLE as u64).to_le_bytes());
    bytes.extend(0_u64.to_le_bytes());
    bytes.extend(0_u32.to_le_bytes());
    for half in [64, 56, parts.len() as u16, 0, 0, 0] {
        bytes.extend(half.to_le_bytes());
    }
    let mut offset = TABLE + parts.len() * ROW;
    for part in parts {
        bytes.extend(part.kind.to_le_bytes());
        bytes.extend(part.flags.to_le_bytes());
        let filesz = part.content.len() as u64;
        let align: u64 = if part.kind == PT_NOTE { 4 } else { 0x1000 };
        let longs = [
            offset as u64,
            part.vaddr,
            part.vaddr,
            filesz,
            part.memsz,
            align,
        ];
        bytes.extend(longs.iter().flat_map(|long| long.to_le_bytes()));
        offset += part.content.len().next_multiple_of(8);
    }
    for part in parts {
        bytes.extend(&part.content);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
    }
    bytes
}

/// A Solo5 note.
pub(crate) fn note(kind: u32, descriptor: &[u8]) -> Vec<u8> {
    let header = NoteHeader {
        namesz: NAME_SIZE,
        descsz: descriptor.len() as u32,
        kind,
    };
    [&header.to_bytes()[..], &NAME, descriptor].concat()
}

/// The note of target hvt, ABI version 2.
pub(crate) fn abi_note() -> Vec<u8> {
    let abi = Abi {
        target: 1,
        version: 2,
        ..Abi::default()
    };
    note(TYPE_ABI1, &abi.to_bytes())
}

/// The note of a manifest of these entries.
pub(crate) fn manifest_note(entries: &[Entry]) -> Vec<u8> {
    let mut descriptor = vec![0; 4];
    descriptor.extend(Header::new(entries.len() as u32).to_bytes());
    descriptor.extend(entries.iter().flat_map(Entry::to_bytes));
    note(TYPE_MFT1, &descriptor)
}

/// A unikernel's parts: text, data, `.bss`, ABI note, manifest of a network and a block device.
pub(crate) fn parts() -> Vec<Part> {
    let load = |flags, vaddr, content: &[u8], memsz| Part {
        kind: PT_LOAD,
        flags,
        vaddr,
        memsz,
        content: content.to_vec(),
    };
    let note = |content: Vec<u8>| Part {
        kind: PT_NOTE,
        flags: PF_R,
        vaddr: 0x10_0000,
        memsz: content.len() as u64,
        content,
    };
    vec![
        load(PF_R | PF_X, 0x10_0000, b"text", 4),
        load(PF_R | PF_W, 0x10_1010, b"data", 0x1800),
        load(PF_R | PF_W, 0, b"", 0),
        note(abi_note()),
        note(manifest_note(&[
            Entry::RESERVED_FIRST,
            Entry::new("service0", DeviceType::NetBasic),
            Entry::new("storage", DeviceType::BlockBasic),
        ])),
    ]
}

/// A unikernel of [`parts`].
pub(crate) fn executable() -> Vec<u8> {
    file(&parts())
}

/// [`executable`] with `bytes` put at `offset`.
pub(crate) fn executable_with(offset: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = executable();
    file[offset..offset + bytes.len()].copy_from_slice(bytes);
    file
}
