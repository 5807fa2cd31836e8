//! A writer of small unikernels.

use std::fs;
use std::path::PathBuf;

use solo5_abi::manifest::{DeviceType, Entry, Header, TENDER_SHUTDOWN, TenderProperties};
use solo5_abi::note::Target;

use super::{Code, Scratch};

/// Where the code goes, in a page of its own.
pub(crate) const TEXT: u64 = 0x10_0000;
/// Where the data goes, writable.
pub(crate) const DATA: u64 = 0x10_2000;

const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;

/// A program header and the bytes it stands for.
struct Segment {
    kind: u32,
    flags: u32,
    vaddr: u64,
    align: u64,
    content: Vec<u8>,
}

/// A unikernel of one page of code and one of data.
#[derive(Clone)]
pub(crate) struct Guest {
    pub(crate) target: u32,
    pub(crate) version: u32,
    pub(crate) code: Code,
    pub(crate) data: Vec<u8>,
    pub(crate) text_flags: u32,
    pub(crate) devices: Vec<Entry>,
    /// What it asks of the tender.
    pub(crate) wanted: u16,
}

impl Guest {
    pub(crate) fn new(target: Target, code: Code) -> Self {
        Self {
            target: target as u32,
            version: 2,
            code,
            data: vec![0; 16],
            text_flags: 5,
            devices: Vec::new(),
            wanted: 0,
        }
    }

    pub(crate) fn spt(code: Code) -> Self {
        Self::new(Target::Spt, code)
    }

    pub(crate) fn hvt(code: Code) -> Self {
        Self::new(Target::Hvt, code)
    }

    pub(crate) fn data(self, data: &[u8]) -> Self {
        Self {
            data: data.to_vec(),
            ..self
        }
    }

    pub(crate) fn device(mut self, name: &'static str, device_type: DeviceType) -> Self {
        self.devices.push(Entry::new(name, device_type));
        self
    }

    /// A block device that is asked for these features.
    pub(crate) fn disk_wanting(mut self, name: &'static str, features: u16) -> Self {
        let entry = Entry::new(name, DeviceType::BlockBasic);
        self.devices.push(entry.wanting(features));
        self
    }

    pub(crate) fn asking_for_shutdown(mut self) -> Self {
        self.wanted = TENDER_SHUTDOWN;
        self
    }

    /// The executable.
    pub(crate) fn elf(&self) -> Vec<u8> {
        let load = |flags, vaddr, content| Segment {
            kind: PT_LOAD,
            flags,
            vaddr,
            align: 0x1000,
            content,
        };
        let note = |content| Segment {
            kind: PT_NOTE,
            flags: 4,
            vaddr: 0,
            align: 4,
            content,
        };
        let abi = [
            self.target.to_le_bytes(),
            self.version.to_le_bytes(),
            [0; 4],
            [0; 4],
        ]
        .concat();
        let mut manifest = vec![0; 4];
        manifest.extend(Header::new(self.devices.len() as u32 + 1).to_bytes());
        let asks = TenderProperties {
            wanted: self.wanted,
            ..Default::default()
        };
        manifest.extend(Entry::first(asks).to_bytes());
        manifest.extend(self.devices.iter().flat_map(Entry::to_bytes));
        write(&[
            load(self.text_flags, TEXT, self.code.0.clone()),
            load(6, DATA, self.data.clone()),
            note(solo5_note(b"ABI1", &abi)),
            note(solo5_note(b"MFT1", &manifest)),
        ])
    }

    /// The executable in a file.
    pub(crate) fn write(&self, scratch: &Scratch) -> PathBuf {
        let path = scratch.path("guest");
        fs::write(&path, self.elf()).unwrap();
        path
    }
}

/// A note; `descriptor` has the padding that its content needs.
fn solo5_note(kind: &[u8; 4], descriptor: &[u8]) -> Vec<u8> {
    let size = descriptor.len() as u32;
    [
        &6_u32.to_le_bytes()[..],
        &size.to_le_bytes(),
        kind,
        b"Solo5\0\0\0",
        descriptor,
    ]
    .concat()
}

fn write(segments: &[Segment]) -> Vec<u8> {
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut put = |bytes: &[u8]| file.extend(bytes);
    put(&2_u16.to_le_bytes()); // e_type: ET_EXEC
    put(&62_u16.to_le_bytes()); // e_machine: x86_64
    put(&1_u32.to_le_bytes()); // e_version
    put(&TEXT.to_le_bytes()); // e_entry
    put(&64_u64.to_le_bytes()); // e_phoff
    put(&[0; 12]); // e_shoff, e_flags
    put(&64_u16.to_le_bytes()); // e_ehsize
    put(&56_u16.to_le_bytes()); // e_phentsize
    put(&(segments.len() as u16).to_le_bytes()); // e_phnum
    put(&[0; 6]); // e_shentsize, e_shnum, e_shstrndx
    let mut offset = 64 + 56 * segments.len() as u64;
    for segment in segments {
        let size = segment.content.len() as u64;
        put(&segment.kind.to_le_bytes());
        put(&segment.flags.to_le_bytes());
        for field in [
            offset,
            segment.vaddr,
            segment.vaddr,
            size,
            size,
            segment.align,
        ] {
            put(&field.to_le_bytes());
        }
        offset += size;
    }
    for segment in segments {
        put(&segment.content);
    }
    file
}
