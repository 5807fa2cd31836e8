//! Files: a tree, in memory or of a disk, with the devices and the generated files that programs expect in it.

#[cfg(solo5)]
mod directory;
pub(crate) mod disk;
mod journal;
pub(crate) mod locks;
pub(crate) mod node;
mod opened;
mod pages;
#[cfg(solo5)]
mod start;
#[cfg(solo5)]
mod symbols;
pub(crate) mod tree;
mod volume;

use std::io::{IoSlice, IoSliceMut};
use std::rc::Rc;

use crate::error::Result;
use node::Node;

/// How a file is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    None,
    Shared,
    Exclusive,
}

/// An open file: what can be done at a place in it.
pub(crate) trait File {
    fn read_at(&self, offset: u64, buffers: &mut [IoSliceMut<'_>]) -> Result<usize>;

    fn write_at(&self, offset: u64, buffers: &[IoSlice<'_>]) -> Result<usize>;

    /// Moves to where `whence` and `offset` say; the position then.
    fn seek(&self, offset: i64, whence: core::ffi::c_int) -> Result<u64>;

    fn set_len(&self, len: u64) -> Result<()>;

    /// Sees that there is room from `start` to `end`, and has the file be at least so long.
    fn reserve(&self, start: u64, end: u64) -> Result<()>;

    /// Makes durable what was done: `only_data` as `fdatasync` does.
    fn sync(&self, only_data: bool) -> Result<()>;

    /// Locks it, or no more; `waits` for others, or is `EWOULDBLOCK`.
    fn lock(&self, lock: Lock, waits: bool) -> Result<()>;

    fn node(&self) -> &Rc<Node>;

    /// The path that it was opened by, without links.
    fn path(&self) -> &[u8];
}

#[cfg(test)]
mod tests;
