//! What is known of that which files are kept in.

use core::ffi::{c_char, c_int};

use libc::{AT_FDCWD, statfs64 as StatFs, statvfs64 as StatVfs};

use super::{also_64, at, path};
use crate::descriptors::process;
use crate::error::{Result, fail};
use crate::ffi::{nothing, place as given};
use crate::files::node::Node;
use crate::files::tree::{self, LONGEST_NAME};

/// Octets of a block.
const BLOCK: u64 = 4096;
/// More files than there ever are: only room is counted.
const FILES: u64 = 1 << 20;

fn of_path(name: &[u8]) -> Result<(u64, u64)> {
    at(AT_FDCWD, name, |base| {
        let place = tree::with(|tree| tree.find(base, name, true))?;
        place.existing().map(|node| room(node))
    })
}

fn of_descriptor(fd: c_int) -> Result<(u64, u64)> {
    let open = process::open(fd)?;
    let file = open.description().as_file().or(fail(libc::ENOSYS))?;
    Ok(room(file.node()))
}

fn room(node: &Node) -> (u64, u64) {
    let (all, free) = node.volume.room();
    (all / BLOCK, free / BLOCK)
}

/// # Safety
///
/// There is a place for it.
unsafe fn give_statfs((all, free): (u64, u64), place: *mut StatFs) {
    // SAFETY: all zeros is a valid value.
    let mut told: StatFs = unsafe { core::mem::zeroed() };
    told.f_bsize = BLOCK.cast_signed();
    told.f_frsize = BLOCK.cast_signed();
    (told.f_blocks, told.f_bfree, told.f_bavail) = (all, free, free);
    (told.f_files, told.f_ffree) = (FILES, FILES);
    told.f_namelen = LONGEST_NAME as i64;
    // SAFETY: the caller's promise is the same.
    unsafe { place.write(told) };
}

/// # Safety
///
/// There is a place for it.
unsafe fn give_statvfs((all, free): (u64, u64), place: *mut StatVfs) {
    // SAFETY: all zeros is a valid value.
    let mut told: StatVfs = unsafe { core::mem::zeroed() };
    (told.f_bsize, told.f_frsize) = (BLOCK, BLOCK);
    (told.f_blocks, told.f_bfree, told.f_bavail) = (all, free, free);
    (told.f_files, told.f_ffree, told.f_favail) = (FILES, FILES, FILES);
    told.f_namemax = LONGEST_NAME as u64;
    // SAFETY: the caller's promise is the same.
    unsafe { place.write(told) };
}

/// A function of C with a path, and the same with a descriptor.
macro_rules! volume {
    ($($by_path:ident $by_path_64:ident $by_fd:ident $by_fd_64:ident $told:ty, $give:ident;)+) => {
        also_64! {
            $(
                $by_path $by_path_64(name: *const c_char, place: *mut $told) -> c_int {
                    // SAFETY: the caller gives a string, or null.
                    let name = unsafe { path(name) };
                    nothing(|| {
                        let room = of_path(name?)?;
                        let place = given(place)?;
                        // SAFETY: the caller gives a place, or null, which it is not.
                        unsafe { $give(room, place) };
                        Ok(())
                    })
                }
                $by_fd $by_fd_64(fd: c_int, place: *mut $told) -> c_int {
                    nothing(|| {
                        let room = of_descriptor(fd)?;
                        let place = given(place)?;
                        // SAFETY: the caller gives a place, or null, which it is not.
                        unsafe { $give(room, place) };
                        Ok(())
                    })
                }
            )+
        }
    };
}

volume! {
    statfs statfs64 fstatfs fstatfs64 StatFs, give_statfs;
    statvfs statvfs64 fstatvfs fstatvfs64 StatVfs, give_statvfs;
}
