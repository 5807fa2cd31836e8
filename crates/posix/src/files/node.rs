//! What names in the tree stand for.

use core::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use libc::{S_IFCHR, S_IFDIR, S_IFLNK, S_IFREG, S_IFSOCK, mode_t};

use super::locks::Locks;
use super::pages::Budget;
use super::volume::{Octets, Volume};
use crate::error::Result;
use crate::sockets::unix::Named;
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
    /// How many names it has.
    pub(crate) names: Cell<u32>,
    /// Whether its volume knows that something of it has changed.
    pub(crate) is_changed: Cell<bool>,
    pub(crate) volume: Rc<dyn Volume>,
    /// If it was ever locked.
    pub(crate) locks: OnceCell<Box<Locks>>,
    budget: Rc<Budget>,
    held: usize,
}

pub(crate) enum Content {
    File(RefCell<Box<dyn Octets>>),
    Directory(RefCell<BTreeMap<Vec<u8>, Rc<Node>>>),
    /// A symbolic link, to a path.
    Link(Vec<u8>),
    Device(Device),
    /// The name of a Unix socket, which may be gone.
    Socket(Named),
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
        volume: &Rc<dyn Volume>,
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
            names: Cell::new(0),
            is_changed: Cell::new(false),
            volume: volume.clone(),
            locks: OnceCell::new(),
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

    /// Moves what is in a directory behind what is in `to`.
    fn take_entries(&mut self, to: &mut Vec<Rc<Self>>) {
        if let Content::Directory(entries) = &mut self.content {
            to.extend(core::mem::take(entries.get_mut()).into_values());
        }
    }

    /// The file type bits of its mode.
    pub(crate) fn kind(&self) -> mode_t {
        match self.content {
            Content::File(_) | Content::Generated(_) => S_IFREG,
            Content::Directory(_) => S_IFDIR,
            Content::Link(_) => S_IFLNK,
            Content::Device(_) => S_IFCHR,
            Content::Socket(_) => S_IFSOCK,
        }
    }

    /// Its type and permissions.
    pub(crate) fn mode(&self) -> mode_t {
        self.kind() | self.permissions.get()
    }

    pub(crate) fn len(&self) -> u64 {
        match &self.content {
            Content::File(octets) => octets.borrow().len(),
            Content::Link(target) => target.len() as u64,
            Content::Directory(_) => 4096,
            Content::Device(_) | Content::Socket(_) | Content::Generated(_) => 0,
        }
    }

    /// Octets of the volume that the content takes.
    pub(crate) fn allocated(&self) -> u64 {
        match &self.content {
            Content::File(octets) => octets.borrow().held(),
            _ => 0,
        }
    }

    /// The content has changed.
    pub(crate) fn touch(self: &Rc<Self>) {
        self.modified.set(wall_clock());
        self.volume.change(self);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.budget.give_back(self.held);
        // One after the other: a stack has no room for directories as deep as they may be.
        let mut todo = Vec::new();
        self.take_entries(&mut todo);
        while let Some(node) = todo.pop() {
            if let Some(mut last) = Rc::into_inner(node) {
                last.take_entries(&mut todo);
            }
        }
    }
}
