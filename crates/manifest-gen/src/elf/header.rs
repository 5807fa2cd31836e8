use solo5_abi::elf::{HEADER_SIZE, MACHINE_X86_64, PROGRAM_HEADER_SIZE, TYPE_EXEC, VERSION};

use super::Error;

const MAGIC: [u8; 4] = *b"\x7fELF";
const CLASS_64: u8 = 2;
const DATA_LITTLE_ENDIAN: u8 = 1;

/// The little-endian integer at `offset`, which the caller keeps within `bytes`.
macro_rules! field {
    ($bytes:ident, $offset:literal, $ty:ty) => {{
        let mut raw = [0; size_of::<$ty>()];
        raw.copy_from_slice(&$bytes[$offset..$offset + size_of::<$ty>()]);
        <$ty>::from_le_bytes(raw)
    }};
}

/// What of the ELF header is left to know once it has been found to be the right kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// `e_entry`: address of the first instruction.
    pub entry: u64,
    /// `e_phoff`: where the program headers lie, in bytes from the start of the file.
    pub program_header_offset: u64,
    /// `e_phnum`: how many there are, at least one.
    pub program_header_count: u16,
}

impl Header {
    pub(super) const SIZE: usize = HEADER_SIZE as usize;

    pub(super) fn parse(bytes: &[u8; Self::SIZE]) -> Result<Self, Error> {
        let magic = [bytes[0], bytes[1], bytes[2], bytes[3]];
        if magic != MAGIC {
            return Err(Error::NotElf { found: magic });
        }
        let expect = |field, found: u64, value: u64, expected| {
            if found == value {
                return Ok(());
            }
            Err(Error::Header {
                field,
                found,
                expected,
            })
        };
        let (class, data) = (bytes[4].into(), bytes[5].into());
        expect("EI_CLASS", class, CLASS_64.into(), "2 (64-bit)")?;
        expect(
            "EI_DATA",
            data,
            DATA_LITTLE_ENDIAN.into(),
            "1 (little-endian)",
        )?;
        let version = field!(bytes, 20, u32).into();
        expect("e_version", version, VERSION.into(), "1")?;
        let header_size = field!(bytes, 52, u16).into();
        expect("e_ehsize", header_size, HEADER_SIZE.into(), "64")?;
        let entry_size = field!(bytes, 54, u16).into();
        expect("e_phentsize", entry_size, PROGRAM_HEADER_SIZE.into(), "56")?;
        let file_type = field!(bytes, 16, u16).into();
        let expected = "2 (ET_EXEC, a static executable at a fixed address)";
        expect("e_type", file_type, TYPE_EXEC.into(), expected)?;
        let machine = field!(bytes, 18, u16).into();
        expect("e_machine", machine, MACHINE_X86_64.into(), "62 (x86_64)")?;
        let count = field!(bytes, 56, u16);
        if count == 0 {
            return Err(Error::Header {
                field: "e_phnum",
                found: 0,
                expected: "at least 1",
            });
        }
        Ok(Self {
            entry: field!(bytes, 24, u64),
            program_header_offset: field!(bytes, 32, u64),
            program_header_count: count,
        })
    }
}

/// A program header, as the file has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProgramHeader {
    /// `p_type`: what the segment is.
    pub kind: u32,
    /// `p_flags`: how it may be used once loaded.
    pub flags: u32,
    /// `p_offset`: where it lies in the file.
    pub offset: u64,
    /// `p_vaddr`: where it goes in memory.
    pub vaddr: u64,
    /// `p_filesz`: bytes of it in the file.
    pub filesz: u64,
    /// `p_memsz`: bytes of it in memory.
    pub memsz: u64,
    /// `p_align`: alignment in memory.
    pub align: u64,
}

impl ProgramHeader {
    pub(super) const SIZE: usize = PROGRAM_HEADER_SIZE as usize;

    pub(super) fn parse(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            kind: field!(bytes, 0, u32),
            flags: field!(bytes, 4, u32),
            offset: field!(bytes, 8, u64),
            vaddr: field!(bytes, 16, u64),
            filesz: field!(bytes, 32, u64),
            memsz: field!(bytes, 40, u64),
            align: field!(bytes, 48, u64),
        }
    }
}
