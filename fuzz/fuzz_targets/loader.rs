//! Any executable in each tender's loader: it is read, planned and loaded into memory of the guest's, or refused for what
//! the executable says; never does the host fail at what the plan asks for.
//!
//! The first byte chooses the tender, and whether the others are the file or patches to a good one.
#![no_main]

#[allow(dead_code, reason = "the tests' part")]
#[path = "../../crates/manifest-gen/tests/it/support.rs"]
mod support;

use std::cell::RefCell;
use std::ffi::CString;
use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::path::PathBuf;

use solo5_abi::note::{Header as NoteHeader, NAME, Target};
use tender::{Error, Tender, try_load};

const MEM: u64 = 4 << 20;

unsafe extern "C" {
    fn memfd_create(name: *const std::ffi::c_char, flags: u32) -> i32;
}

thread_local! {
    static FILE: RefCell<File> = RefCell::new(in_memory());
}

fn in_memory() -> File {
    let name = CString::from(c"executable");
    // SAFETY: the name is a C string, and the descriptor is nobody else's.
    unsafe {
        let fd = memfd_create(name.as_ptr(), 0);
        assert!(fd >= 0);
        File::from_raw_fd(fd)
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, rest)) = bytes.split_first() else {
        return;
    };
    let tender = [Tender::Hvt, Tender::Spt][usize::from(choice & 1)];
    let executable = match choice & 2 {
        0 => patched(good(tender), rest),
        _ => rest.to_vec(),
    };
    FILE.with_borrow_mut(|file| {
        file.set_len(0).unwrap();
        file.rewind().unwrap();
        file.write_all(&executable).unwrap();
        let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        match try_load(tender, &path, MEM) {
            Ok(()) | Err(Error::Executable { .. } | Error::Abi { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    });
});

/// An executable for that tender.
fn good(tender: Tender) -> Vec<u8> {
    let mut file = support::executable();
    if tender == Tender::Spt {
        let note = support::abi_note();
        let at = file.windows(note.len()).position(|part| part == note);
        // The content begins with the target.
        file[at.unwrap() + NoteHeader::SIZE + NAME.len()] = Target::Spt as u8;
    }
    file
}

/// The file with a 64-bit number put at an offset for every ten bytes.
fn patched(mut file: Vec<u8>, patches: &[u8]) -> Vec<u8> {
    for &[low, high, ref number @ ..] in patches.as_chunks::<10>().0 {
        let offset = usize::from(u16::from_le_bytes([low, high])) % file.len();
        for (byte, new) in file[offset..].iter_mut().zip(number) {
            *byte = *new;
        }
    }
    file
}
