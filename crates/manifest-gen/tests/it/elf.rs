//! Executables, good and bad, through the reader of untrusted files.

use std::io::{Cursor, Read};

use manifest_gen::elf::{Error, Executable, LoadPlan, SegmentProblem};
use manifest_gen::{NoteKind, NoteProblem};
use solo5_abi::elf::{PF_R, PF_W, PF_X, PT_NOTE};
use solo5_abi::manifest::{Manifest, ParseError};
use solo5_abi::note::TYPE_MFT1;

use crate::support::{
    ABI1, BSS, DATA, MFT1, P_ALIGN, P_FILESZ, P_FLAGS, P_MEMSZ, P_OFFSET, P_TYPE, P_VADDR, TEXT,
    at, executable, executable_with, file, manifest_note, note, parts,
};

const MEM_SIZE: u64 = 4 << 20;

fn open(file: Vec<u8>) -> Result<Executable<Cursor<Vec<u8>>>, Error> {
    Executable::open(Cursor::new(file))
}

fn plan(file: Vec<u8>) -> Result<LoadPlan, Error> {
    open(file)?.load_plan(MEM_SIZE)
}

/// The problem with program header `row` once a field of it has become `value`.
fn segment_problem(row: usize, field: usize, value: u64) -> SegmentProblem {
    match plan(executable_with(at(row, field), &value.to_le_bytes())) {
        Err(Error::Segment { index, problem }) => {
            assert_eq!(index, row);
            problem
        }
        other => panic!("expected a segment error, got {other:?}"),
    }
}

/// The message for [`executable`] with `bytes` put at `offset`, opened and planned.
fn message(offset: usize, bytes: &[u8]) -> String {
    plan(executable_with(offset, bytes))
        .unwrap_err()
        .to_string()
}

#[test]
fn a_good_executable_is_planned_as_the_tenders_load_it() {
    let mut executable = open(executable()).unwrap();
    let plan = executable.load_plan(MEM_SIZE).unwrap();
    assert_eq!(plan.entry, 0x10_0000);
    assert_eq!(plan.kernel_end, 0x10_3000);
    let [text, data] = plan.segments[..] else {
        panic!("two segments have content: {plan:?}");
    };
    assert_eq!((text.start, text.end), (0x10_0000, 0x10_1000));
    assert_eq!((data.start, data.end), (0x10_1000, 0x10_3000));
    assert_eq!(
        (data.vaddr, data.filesz, data.memsz),
        (0x10_1010, 4, 0x1800)
    );
    assert!(text.is_readable() && text.is_executable() && !text.is_writable());
    assert!(data.is_readable() && data.is_writable() && !data.is_executable());
    let mut content = Vec::new();
    executable
        .read_segment(&data)
        .unwrap()
        .read_to_end(&mut content)
        .unwrap();
    assert_eq!(content, b"data");
}

#[test]
fn a_segment_is_for_what_its_flags_say_and_no_more() {
    for flags in [0, PF_X, PF_W, PF_R, PF_R | PF_X, PF_R | PF_W] {
        let file = executable_with(at(DATA, P_FLAGS), &flags.to_le_bytes());
        let segment = plan(file).unwrap().segments[1];
        assert_eq!(segment.is_readable(), flags & PF_R != 0, "{flags}");
        assert_eq!(segment.is_writable(), flags & PF_W != 0, "{flags}");
        assert_eq!(segment.is_executable(), flags & PF_X != 0, "{flags}");
    }
}

#[test]
fn notes_of_a_good_executable_are_found() {
    let mut executable = open(executable()).unwrap();
    let abi = executable.abi().unwrap();
    assert_eq!((abi.target, abi.version), (1, 2));
    let bytes = executable.manifest_bytes().unwrap();
    assert_eq!(Manifest::parse(&bytes).unwrap().len(), 3);
}

#[test]
fn every_truncation_is_refused_or_harmless() {
    let whole = executable();
    for len in 0..whole.len() {
        match open(whole[..len].to_vec()) {
            Err(Error::Truncated { file_size, .. }) => assert_eq!(file_size, len as u64),
            Err(other) => panic!("{len} bytes: {other}"),
            // The table is whole: what lies behind it is missed when it is asked for.
            Ok(mut executable) => {
                let error = executable.manifest_bytes().unwrap_err();
                assert!(matches!(error, Error::Truncated { .. }), "{len}: {error}");
            }
        }
    }
    let error = open(whole[..20].to_vec()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "truncated: 64 bytes of ELF header expected at offset 0, but the file has 20 bytes"
    );
}

#[test]
fn headers_of_other_files_are_refused_by_name_and_value() {
    let cases: [(usize, &[u8], &str); 10] = [
        (
            0,
            b"#!/b",
            "not an ELF file: it begins with [23, 21, 2f, 62], expected [7f, 45, 4c, 46]",
        ),
        (4, &[1], "EI_CLASS is 1, expected 2 (64-bit)"),
        (5, &[2], "EI_DATA is 2, expected 1 (little-endian)"),
        (20, &[9], "e_version is 9, expected 1"),
        (52, &[65], "e_ehsize is 65, expected 64"),
        (54, &[32], "e_phentsize is 32, expected 56"),
        (
            16,
            &[3],
            "e_type is 3, expected 2 (ET_EXEC, a static executable at a fixed address)",
        ),
        (18, &[183], "e_machine is 183, expected 62 (x86_64)"),
        (56, &[0], "e_phnum is 0, expected at least 1"),
        (
            56,
            &[255, 255],
            "truncated: 3669960 bytes of program headers expected at offset 64, but the file has ",
        ),
    ];
    for (offset, bytes, expected) in cases {
        let message = message(offset, bytes);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn what_tenders_do_not_look_at_is_not_looked_at() {
    // EI_VERSION, EI_OSABI, EI_ABIVERSION, padding, then e_shoff, e_flags, e_shentsize and so on.
    for (offset, len) in [(6, 10), (40, 12), (58, 6)] {
        plan(executable_with(offset, &vec![0xff; len])).unwrap();
    }
    // A segment without content in the file, whatever else it says.
    for field in [P_OFFSET, P_VADDR, P_MEMSZ, P_ALIGN] {
        plan(executable_with(at(BSS, field), &[0xff; 8])).unwrap();
    }
    // The physical address.
    plan(executable_with(at(TEXT, 24), &[0xff; 8])).unwrap();
}

#[test]
fn the_program_header_table_may_lie_anywhere_but_beyond_the_end() {
    let file_size = executable().len() as u64;
    for offset in [file_size - 279, file_size, u64::MAX - 8, u64::MAX] {
        match open(executable_with(32, &offset.to_le_bytes())) {
            Err(Error::Truncated { offset: found, .. }) => assert_eq!(found, offset),
            other => panic!("{offset:#x}: {other:?}"),
        }
    }
}

#[test]
fn the_entry_point_lies_in_memory() {
    for entry in [0, 0xf_ffff, MEM_SIZE, u64::MAX] {
        match plan(executable_with(24, &entry.to_le_bytes())) {
            Err(Error::Entry { found, mem_size }) => {
                assert_eq!((found, mem_size), (entry, MEM_SIZE));
            }
            other => panic!("{entry:#x}: {other:?}"),
        }
    }
    let last = (MEM_SIZE - 1).to_le_bytes();
    assert_eq!(
        plan(executable_with(24, &last)).unwrap().entry,
        MEM_SIZE - 1
    );
}

#[test]
fn segments_outside_of_memory_are_refused() {
    assert_eq!(
        segment_problem(TEXT, P_VADDR, 0xf_f000),
        SegmentProblem::Low { vaddr: 0xf_f000 }
    );
    assert_eq!(
        segment_problem(TEXT, P_ALIGN, 0x20_0000),
        SegmentProblem::LowStart {
            start: 0,
            align: 0x20_0000
        }
    );
    for vaddr in [MEM_SIZE, MEM_SIZE - 3, u64::MAX - 1] {
        assert_eq!(
            segment_problem(DATA, P_VADDR, vaddr),
            SegmentProblem::ContentBeyondMemory {
                vaddr,
                filesz: 4,
                mem_size: MEM_SIZE
            }
        );
    }
    assert_eq!(
        segment_problem(DATA, P_FILESZ, u64::MAX),
        SegmentProblem::ContentBeyondMemory {
            vaddr: 0x10_1010,
            filesz: u64::MAX,
            mem_size: MEM_SIZE
        }
    );
    for memsz in [MEM_SIZE - 0x10_1010 + 1, u64::MAX - 0x10_1010, u64::MAX] {
        assert_eq!(
            segment_problem(DATA, P_MEMSZ, memsz),
            SegmentProblem::BeyondMemory {
                vaddr: 0x10_1010,
                memsz,
                align: 0x1000,
                mem_size: MEM_SIZE
            }
        );
    }
    let most = (MEM_SIZE - 0x10_1010).to_le_bytes();
    let plan = plan(executable_with(at(DATA, P_MEMSZ), &most)).unwrap();
    assert_eq!(plan.kernel_end, MEM_SIZE);
}

#[test]
fn segments_that_overlap_or_go_down_are_refused() {
    assert_eq!(
        segment_problem(DATA, P_VADDR, 0x10_0800),
        SegmentProblem::Overlap {
            start: 0x10_0000,
            end: 0x10_1000
        }
    );
    let mut parts = parts();
    parts.swap(TEXT, DATA);
    assert!(matches!(
        plan(file(&parts)),
        Err(Error::Segment {
            index: 1,
            problem: SegmentProblem::Order {
                vaddr: 0x10_0000,
                previous: 0x10_1010
            }
        })
    ));
}

#[test]
fn segments_of_impossible_shape_are_refused() {
    for align in [0, 3, 0x1001, u64::MAX] {
        assert_eq!(
            segment_problem(TEXT, P_ALIGN, align),
            SegmentProblem::Alignment { align }
        );
    }
    assert_eq!(
        segment_problem(TEXT, P_MEMSZ, 3),
        SegmentProblem::SizeInMemory {
            memsz: 3,
            filesz: 4
        }
    );
    assert_eq!(
        segment_problem(TEXT, P_ALIGN, 16),
        SegmentProblem::PageAlignment {
            start: 0x10_0000,
            end: 0x10_0010
        }
    );
    let flags = 7_u32.to_le_bytes();
    let error = plan(executable_with(at(DATA, P_FLAGS), &flags)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "program header 1: p_flags is 0x7, writable and executable, expected one of the two at most"
    );
}

#[test]
fn segments_beyond_the_file_are_refused() {
    for offset in [executable().len() as u64 - 3, u64::MAX - 2] {
        match plan(executable_with(at(DATA, P_OFFSET), &offset.to_le_bytes())) {
            Err(Error::Truncated {
                offset: found,
                size: 4,
                ..
            }) => assert_eq!(found, offset),
            other => panic!("{offset:#x}: {other:?}"),
        }
    }
}

fn manifest_error(file: Vec<u8>) -> Error {
    open(file).unwrap().manifest_bytes().unwrap_err()
}

#[test]
fn note_segments_too_small_for_a_note_are_refused_and_for_ours_skipped() {
    for filesz in [0_u64, 11] {
        match manifest_error(executable_with(at(ABI1, P_FILESZ), &filesz.to_le_bytes())) {
            Error::Note {
                index: ABI1,
                problem: NoteProblem::Size { size: found },
            } => assert_eq!(found, filesz),
            other => panic!("{other:?}"),
        }
    }
    for filesz in [12_u64, 19] {
        let file = executable_with(at(ABI1, P_FILESZ), &filesz.to_le_bytes());
        let mut executable = open(file).unwrap();
        assert!(executable.manifest_bytes().is_ok());
        assert!(matches!(
            executable.abi(),
            Err(Error::NoteMissing { name: "ABI1" })
        ));
    }
}

#[test]
fn descriptors_of_impossible_size_are_refused() {
    let descsz = |size: u32| {
        let mut parts = parts();
        parts[MFT1].content[4..8].copy_from_slice(&size.to_le_bytes());
        manifest_error(file(&parts))
    };
    // Upstream's test of a buggy ELF file has 1.
    for size in [0, 1, 4, 6669, u32::MAX] {
        let error = descsz(size);
        let message = error.to_string();
        assert!(
            message.ends_with(&format!("n_descsz is {size}, expected 5 to 6668")),
            "{message}"
        );
        assert!(message.contains("note does not fall within valid size"));
    }
    assert!(matches!(
        descsz(6668),
        Error::Note {
            index: MFT1,
            problem: NoteProblem::Truncated {
                size: 344,
                expected: 6688
            }
        }
    ));
    // Content shorter than a manifest's header, then one byte short.
    assert!(matches!(
        descsz(5),
        Error::Manifest(ParseError::TooShort { found: 1 })
    ));
    assert!(matches!(
        descsz(323),
        Error::Manifest(ParseError::Size {
            found: 319,
            expected: 320,
            entries: 3
        })
    ));
}

#[test]
fn notes_beyond_the_file_are_refused() {
    for offset in [executable().len() as u64 - 19, u64::MAX - 8] {
        let error = manifest_error(executable_with(at(MFT1, P_OFFSET), &offset.to_le_bytes()));
        assert!(matches!(error, Error::Truncated { .. }), "{error}");
    }
}

#[test]
fn only_the_first_note_of_a_segment_counts_and_the_first_match_wins() {
    let mut two = parts();
    let second = two.remove(MFT1).content;
    two[ABI1].content.extend(second);
    assert!(matches!(
        manifest_error(file(&two)),
        Error::NoteMissing { name: "MFT1" }
    ));

    let mut repeated = parts();
    let mut other = parts().remove(MFT1);
    other.content = manifest_note(&[solo5_abi::manifest::Entry::RESERVED_FIRST]);
    repeated.push(other);
    let bytes = open(file(&repeated)).unwrap().manifest_bytes().unwrap();
    assert_eq!(Manifest::parse(&bytes).unwrap().len(), 3);
}

#[test]
fn notes_of_other_owners_are_skipped() {
    for (offset, byte) in [(0, 7), (8, 0), (12, b's'), (17, 1)] {
        let mut parts = parts();
        parts[MFT1].content[offset] = byte;
        let error = manifest_error(file(&parts));
        assert_eq!(
            error.to_string(),
            "no MFT1 note: this is not a Solo5 executable"
        );
    }
    // What pads the name is nobody's business.
    let mut padded = parts();
    padded[MFT1].content[18..20].fill(0xff);
    assert!(open(file(&padded)).unwrap().manifest_bytes().is_ok());
    let mut foreign = parts();
    foreign[MFT1].kind = PT_NOTE + 1;
    assert!(matches!(
        manifest_error(file(&foreign)),
        Error::NoteMissing { .. }
    ));
    let kind = executable_with(at(ABI1, P_TYPE), &[7]);
    assert!(matches!(
        open(kind).unwrap().abi(),
        Err(Error::NoteMissing { .. })
    ));
}

#[test]
fn an_abi_note_may_lack_the_reserved_words_but_no_more() {
    let with = |descriptor: &[u8]| {
        let mut parts = parts();
        parts[ABI1].content = note(solo5_abi::note::TYPE_ABI1, descriptor);
        open(file(&parts)).unwrap().abi()
    };
    assert_eq!(with(&[2, 0, 0, 0, 2, 0, 0, 0]).unwrap().target, 2);
    assert_eq!(with(&[2; 32]).unwrap().version, 0x0202_0202);
    assert_eq!(
        with(&[2; 7]).unwrap_err().to_string(),
        "ABI1 note of 7 bytes, expected at least 8"
    );
    assert!(matches!(
        with(&[2; 33]),
        Err(Error::Note {
            problem: NoteProblem::Descriptor { found: 33, .. },
            ..
        })
    ));
}

#[test]
fn a_note_is_handed_out_without_its_padding() {
    let mut parts = parts();
    parts[MFT1].content = note(TYPE_MFT1, b"\xaa\xaa\xaa\xaacontent");
    let mut executable = open(file(&parts)).unwrap();
    assert_eq!(executable.note(NoteKind::Mft1).unwrap(), b"content");
}
