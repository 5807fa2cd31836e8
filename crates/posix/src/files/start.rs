//! The disk of the program, if it has one, from the first file to the end.

use super::disk::Disk;
use super::{tree, volume};
use crate::ends::{Step, at_end};

unsafe extern "Rust" {
    /// What [`storage!`](crate::storage) defines.
    safe fn __solo5_posix_storage() -> crate::Storage;
}

/// What is below `/`; `None` if that is memory.
pub(super) fn disk() -> Option<Result<Disk, String>> {
    __solo5_posix_storage()
}

/// There is a tree on it, which is to be synced at the end.
pub(super) fn has_begun() {
    at_end(Step::Files, sync);
}

/// Ends the program: there is no way to tell who asked for a file.
pub(super) fn refuse(why: &str) -> ! {
    crate::report::end(&format!("cannot use the device \"storage\": {why}"), 1)
}

/// Makes durable what was done to files of the disk, as far as it can be.
pub(super) fn sync() {
    // Nobody is there to be told.
    let _ = volume::sync(tree::with(tree::Tree::volume), false);
}
