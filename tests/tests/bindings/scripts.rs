//! What the linker scripts make of a program, as tenders see it.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use manifest_gen::elf::Executable;
use manifest_gen::{query_abi, query_manifest};
use system_tests::Target;

use crate::c_guest::{LINKERS, Program, TARGETS, abi};

const PT_LOAD: u32 = 1;
const PT_INTERP: u32 = 3;
const PT_NOTE: u32 = 4;
const PF_X: u32 = 1;
const PF_W: u32 = 2;

fn open(path: &Path) -> Executable<File> {
    Executable::open(File::open(path).expect("the executable")).expect("an executable")
}

#[test]
fn segments_share_no_page_and_none_is_writable_and_executable() {
    for target in TARGETS {
        for linker in LINKERS {
            let path = Program::new("cases.c").link(target, linker);
            let executable = open(&path);
            let mut end = 0x100000;
            let mut kinds = Vec::new();
            for segment in executable.program_headers() {
                if segment.kind != PT_LOAD || segment.filesz == 0 {
                    continue;
                }
                assert_eq!(segment.align, 0x1000);
                assert!(segment.vaddr / 0x1000 * 0x1000 >= end, "{segment:x?}");
                end = (segment.vaddr + segment.memsz).next_multiple_of(0x1000);
                assert_ne!(segment.flags & (PF_W | PF_X), PF_W | PF_X, "{segment:x?}");
                kinds.push(segment.flags & (PF_W | PF_X));
            }
            assert_eq!(kinds, [PF_X, 0, PF_W], "text, read-only data, data");
        }
    }
}

#[test]
fn each_note_has_a_header_of_its_own() {
    for target in TARGETS {
        for linker in LINKERS {
            let path = Program::new("cases.c").link(target, linker);
            let executable = open(&path);
            let notes = executable.program_headers().iter();
            let notes = notes.filter(|header| header.kind == PT_NOTE);
            // OpenBSD's, ABI1, and MFT1 with the reserved entry alone.
            let sizes: Vec<u64> = notes.map(|header| header.filesz).collect();
            assert_eq!(sizes, [24, 36, 24 + 8 + 104]);
            let interp = executable.program_headers().first().expect("a header");
            assert_eq!((interp.kind, interp.filesz), (PT_INTERP, 24));

            let json = query_abi(File::open(&path).unwrap()).unwrap();
            let expected = format!("\"target\": \"{}\"", abi(target));
            assert!(json.contains(&expected), "{json}");
        }
    }
}

#[test]
fn the_host_refuses_to_execute_a_unikernel() {
    for target in TARGETS {
        let path = Program::new("cases.c").link(target, LINKERS[0]);
        let error = Command::new(path)
            .status()
            .expect_err("it is no program of the host");
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{error}");
    }
}

#[test]
fn devices_that_nothing_refers_to_are_not_declared() {
    for linker in LINKERS {
        let path = Program::new("many.c").link(Target::Spt, linker);
        let json = query_manifest(File::open(path).unwrap()).unwrap();
        assert_eq!(json.matches("BLOCK_BASIC").count(), 63, "{json}");
        assert!(!json.contains("unreachable"), "{json}");
        // Sorted by name, whatever the order of the objects.
        let names: Vec<&str> = json.lines().filter(|line| line.contains("disk")).collect();
        assert!(
            names.is_sorted_by_key(|line| line.trim_end_matches(',')),
            "{json}"
        );
    }
}

#[test]
fn a_manifest_in_c_excludes_devices_declared_in_place() {
    let source = crate::devices::c_manifest();
    for linker in LINKERS {
        let both = Program::new("many.c").manifest(&source);
        let message = both.try_link(Target::Spt, linker).unwrap_err();
        let expected = "devices are declared both in a manifest note and by net! or block!";
        assert!(message.contains(expected), "{message}");
    }
}
