//! What names in the tree stand for.

use core::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use libc::{S_IFCHR, S_IFDIR, S_IFLNK, S_IFREG, mode_t};

use super::pages::{Budget, Pages};
use crate::error::Result;
use crate::time::wall_clock;

/// Octets that a node and its name take beside what is in it.
const HELD: usize = 256;

/// A file, a directory, …: it stays as long as it has a name or is open.
pub(crate) struct Node {
    /// A number that no other has.
    pub(crate) number: u64,
    pub(crate) content: Content,
    /// Permissions: told as they were set, as there is one user.
    pub(crate) permissions: Cell<mode_t>,
    /// When the content was last changed, since 1970.
    pub(crate) modified: Cell<Duration>,
    pub(crate) accessed: Cell<Duration>,
    budget: Rc<Budget>,
    held: usize,
}

pub(crate) enum Content {
    File(RefCell<Pages>),
    Directory(RefCell<BTreeMap<Vec<u8>, Rc<Node>>>),
    /// A symbolic link, to a path.
    Link(Vec<u8>),
    Device(Device),
    /// A file whose content is made when it is opened.
    Generated(fn() -> Vec<u8>),
}

/// A device that is made of nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Device {
    Null,
    Zero,
    Random,
}

impl Node {
    /// # Errors
    ///
    /// `ENOSPC`.
    pub(crate) fn new(
        number: u64,
        content: Content,
        permissions: mode_t,
        budget: &Rc<Budget>,
    ) -> Result<Rc<Self>> {
        let held = HELD
            + match &content {
                Content::Link(target) => target.len(),
                _ => 0,
            };
        budget.take(held)?;
        let now = wall_clock();
        Ok(Rc::new(Self {
            number,
            content,
            permissions: Cell::new(permissions & 0o7777),
            modified: Cell::new(now),
            accessed: Cell::new(now),
            budget: budget.clone(),
            held,
        }))
    }

    pub(crate) fn entries(&self) -> Option<&RefCell<BTreeMap<Vec<u8>, Rc<Self>>>> {
        match &self.content {
            Content::Directory(entries) => Some(entries),
            _ => None,
        }
    }

    /// The file type bits of its mode.
    pub(crate) fn kind(&self) -> mode_t {
        match self.content {
            Content::File(_) | Content::Generated(_) => S_IFREG,
            Content::Directory(_) => S_IFDIR,
            Content::Link(_) => S_IFLNK,
            Content::Device(_) => S_IFCHR,
        }
    }

    pub(crate) fn len(&self) -> u64 {
        match &self.content {
            Content::File(pages) => pages.borrow().len(),
            Content::Link(target) => target.len() as u64,
            Content::Directory(_) => 4096,
            Content::Device(_) | Content::Generated(_) => 0,
        }
    }

    /// Octets of memory that the content takes.
    pub(crate) fn allocated(&self) -> u64 {
        match &self.content {
            Content::File(pages) => pages.borrow().held(),
            _ => 0,
        }
    }

    /// Octets that are left for all files.
    pub(crate) fn free(&self) -> u64 {
        self.budget.left()
    }

    pub(crate) fn touch(&self) {
        self.modified.set(wall_clock());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.budget.give_back(self.held);
    }
}
