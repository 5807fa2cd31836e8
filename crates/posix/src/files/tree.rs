//! The tree, and the paths in it.

mod change;
mod furniture;

use core::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use libc::{
    EBUSY, EEXIST, EISDIR, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, ENXIO, O_ACCMODE, O_CREAT,
    O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_TRUNC, mode_t,
};

use super::disk::Disk;
use super::node::{Content, Node};
use super::opened::Opened;
use super::pages::Budget;
use super::volume::{Memory, Volume};
use crate::error::{Errno, Result, fail};
use crate::memory;
use change::At;

/// Symbolic links that are followed for one path, at most.
const MOST_LINKS: usize = 40;
/// Octets of a name and of a path, as on Linux.
pub(super) const LONGEST_NAME: usize = 255;
pub(super) const LONGEST_PATH: usize = 4096;

/// Octets that files may always take.
const LEAST: usize = 64 << 10;

/// All files.
pub(crate) struct Tree {
    root: Rc<Node>,
    /// What is in memory whatever the root is in.
    memory: Rc<dyn Volume>,
    budget: Rc<Budget>,
    next: Cell<u64>,
    /// Where paths begin that do not begin at the root.
    current: RefCell<Vec<u8>>,
}

/// Where a path leads.
pub(crate) struct Place {
    /// The directory, and the name in it; empty if the path does not end with one.
    directory: Rc<Node>,
    name: Vec<u8>,
    pub(crate) node: Option<Rc<Node>>,
    /// The same path without links.
    pub(crate) path: Vec<u8>,
    /// It ended with a slash, so that only a directory will do.
    is_directory: bool,
    last: Last,
}

/// What a path ended with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Name,
    /// `.`
    Here,
    /// `..`
    Above,
    /// Nothing: it is the root's.
    Root,
}

global! {
    static TREE: OnceCell<Tree> = OnceCell::new();
}

/// Calls `f`, which must not wait, with the tree.
pub(crate) fn with<R>(f: impl FnOnce(&Tree) -> R) -> R {
    TREE.with(|tree| f(tree.get_or_init(begin)))
}

/// The tree of the program, with what its disk has if there is one.
fn begin() -> Tree {
    let octets = nolibc::free_memory() / 4;
    #[cfg(solo5)]
    if let Some(disk) = super::start::disk() {
        let tree = disk.and_then(|disk| Tree::on(disk, octets));
        let tree = tree.unwrap_or_else(|why| super::start::refuse(&why));
        super::start::has_begun();
        return tree;
    }
    Tree::new(octets)
}

impl Tree {
    /// One whose files may hold so many octets.
    pub(crate) fn new(octets: usize) -> Self {
        let budget = Budget::new(octets.max(LEAST));
        let memory = Memory::volume(&budget);
        let directory = Content::Directory(RefCell::default());
        let root = Node::new(1, directory, 0o755, &memory, &budget);
        let root = root.expect("the budget has room for a directory");
        root.names.set(1);
        Self::with_root(root, 2, memory, budget)
    }

    /// One of what is on a disk; files that are not there, and what is known of all, may take so many octets.
    ///
    /// # Errors
    ///
    /// A line that says what is wrong with the disk.
    pub(crate) fn on(disk: Disk, octets: usize) -> core::result::Result<Self, String> {
        let octets = octets.max(LEAST);
        let budget = Budget::new(octets);
        let memory = Memory::volume(&budget);
        let mounted = disk.mount(&budget)?;
        if budget.left() < LEAST as u64 / 2 {
            return Err(String::from(
                "it has more files than there is memory for: give the unikernel more (--mem)",
            ));
        }
        let tree = Self::with_root(mounted.root, mounted.next, memory, budget.clone());
        // What a program adds leaves some, so that there is memory for all of it at the next start.
        let spare = budget.left().min((octets / 8).max(LEAST / 2) as u64);
        let _ = budget.take(spare as usize);
        Ok(tree)
    }

    fn with_root(root: Rc<Node>, next: u64, memory: Rc<dyn Volume>, budget: Rc<Budget>) -> Self {
        let tree = Self {
            root,
            memory,
            budget,
            next: Cell::new(next),
            current: RefCell::new(b"/".to_vec()),
        };
        tree.furnish();
        tree
    }

    /// Something new for a volume, as a call asks for it.
    ///
    /// # Errors
    ///
    /// `ENOSPC`, or `ENOMEM` if there is no memory.
    fn make(
        &self,
        content: impl FnOnce(u64) -> Content,
        permissions: mode_t,
        volume: &Rc<dyn Volume>,
    ) -> Result<Rc<Node>> {
        memory::check()?;
        let number = self.number();
        Node::new(number, content(number), permissions, volume, &self.budget)
    }

    /// One that no node has.
    fn number(&self) -> u64 {
        self.next.replace(self.next.get() + 1)
    }

    /// What the root is in: the disk, if there is one.
    pub(crate) fn volume(&self) -> Rc<dyn Volume> {
        self.root.volume.clone()
    }

    /// Where `path` leads from the current directory, or from `base` if there is one; whether a link that it ends with is
    /// followed.
    ///
    /// # Errors
    ///
    /// `ENOENT` and `ENOTDIR` if a directory on the path is none, `ELOOP` and `ENAMETOOLONG`.
    pub(crate) fn find(&self, base: Option<&[u8]>, path: &[u8], follow: bool) -> Result<Place> {
        let walk = self.walk(base, path)?;
        let follow = follow || walk.ends_with_slash;
        walk.finish(follow)
    }

    /// As [`find`](Self::find), for what is done with the name itself: a link that the path ends with is not followed, even if
    /// a slash is behind it.
    ///
    /// # Errors
    ///
    /// As of [`find`](Self::find).
    fn find_name(&self, (base, path): At<'_>) -> Result<Place> {
        self.walk(base, path)?.finish(false)
    }

    fn walk(&self, base: Option<&[u8]>, path: &[u8]) -> Result<Walk> {
        if path.is_empty() {
            return fail(ENOENT);
        }
        if path.len() >= LONGEST_PATH {
            return fail(ENAMETOOLONG);
        }
        let mut walk = Walk {
            stack: vec![(Vec::new(), self.root.clone())],
            todo: VecDeque::new(),
            links: 0,
            ends_with_slash: path.ends_with(b"/"),
        };
        let current;
        walk.prepend(path);
        if !path.starts_with(b"/") {
            current = self.current.borrow().clone();
            walk.prepend(base.unwrap_or(&current));
        }
        Ok(walk)
    }

    /// Opens what is at `path`, or makes a file there.
    ///
    /// # Errors
    ///
    /// As of `open`.
    pub(crate) fn open(
        &self,
        base: Option<&[u8]>,
        path: &[u8],
        flags: i32,
        permissions: mode_t,
    ) -> Result<Rc<Opened>> {
        let only_new = flags & O_CREAT != 0 && flags & O_EXCL != 0;
        let follow = flags & O_NOFOLLOW == 0 && !only_new;
        // Before it is looked at what is there.
        if flags & O_CREAT != 0
            && path.ends_with(b"/")
            && self.find_name((base, path))?.last == Last::Name
        {
            return fail(EISDIR);
        }
        let place = self.find(base, path, follow)?;
        let writes = flags & O_ACCMODE != O_RDONLY;
        if flags & O_CREAT != 0 && place.is_directory && place.last == Last::Name {
            return fail(EISDIR);
        }
        let node = match &place.node {
            Some(_) if only_new => return fail(EEXIST),
            Some(node) => node.clone(),
            None if flags & O_CREAT == 0 => return fail(ENOENT),
            None => {
                let volume = place.volume();
                let content = |number| Content::File(RefCell::new(volume.octets(number)));
                let new = self.make(content, permissions, volume)?;
                place.put(new.clone())?;
                new
            }
        };
        match &node.content {
            Content::Directory(_) if writes || flags & O_CREAT != 0 => return fail(EISDIR),
            Content::Directory(_) => {}
            _ if flags & O_DIRECTORY != 0 || place.is_directory => return fail(ENOTDIR),
            Content::Link(_) => return fail(ELOOP),
            Content::Socket(_) => return fail(ENXIO),
            Content::Generated(_) if writes => return fail(libc::EACCES),
            Content::File(file) if writes && flags & O_TRUNC != 0 => {
                file.borrow_mut().set_len(0)?;
                node.touch();
            }
            _ => {}
        }
        Ok(Opened::new(node, place.path, flags))
    }

    /// The current directory.
    pub(crate) fn current(&self) -> Vec<u8> {
        self.current.borrow().clone()
    }

    /// # Errors
    ///
    /// As of `chdir`.
    pub(crate) fn set_current(&self, path: &[u8]) -> Result<()> {
        let place = self.find(None, path, true)?;
        place.directory()?;
        self.current.replace(place.path);
        Ok(())
    }
}

impl Place {
    /// What is there.
    ///
    /// # Errors
    ///
    /// `ENOENT`; `ENOTDIR` if the path ends with a slash and it is no directory.
    pub(crate) fn existing(&self) -> Result<&Rc<Node>> {
        let node = self.node.as_ref().ok_or(Errno(ENOENT))?;
        match self.is_directory && node.entries().is_none() {
            true => fail(ENOTDIR),
            false => Ok(node),
        }
    }

    /// The entries of the directory that is there.
    ///
    /// # Errors
    ///
    /// `ENOENT`, `ENOTDIR`.
    pub(crate) fn directory(&self) -> Result<&RefCell<BTreeMap<Vec<u8>, Rc<Node>>>> {
        self.existing()?.entries().ok_or(Errno(ENOTDIR))
    }

    /// What the directory is in.
    fn volume(&self) -> &Rc<dyn Volume> {
        &self.directory.volume
    }

    /// Whether something of another volume is there, which stays.
    fn is_mounted(&self) -> bool {
        let node = self.node.as_ref();
        node.is_some_and(|node| node.volume.id() != self.volume().id())
    }

    /// Gives a name to what is there no more, or new.
    fn put(&self, node: Rc<Node>) -> Result<()> {
        if let Some(entries) = self.directory.entries() {
            self.volume().name(&self.directory, &self.name, &node)?;
            node.names.set(node.names.get() + 1);
            entries.borrow_mut().insert(self.name.clone(), node);
            self.directory.touch();
        }
        Ok(())
    }

    fn take(&self) -> Result<()> {
        if self.is_mounted() {
            return fail(EBUSY);
        }
        self.volume().check()?;
        if let Some(node) = self.unlist() {
            self.volume().unname(&self.directory, &self.name, &node);
        }
        Ok(())
    }

    /// Takes the name away, which the volume is told of by who calls it.
    fn unlist(&self) -> Option<Rc<Node>> {
        let entries = self.directory.entries()?;
        let node = entries.borrow_mut().remove(&self.name)?;
        node.names.set(node.names.get() - 1);
        self.directory.touch();
        Some(node)
    }
}

/// Going along a path.
struct Walk {
    /// From the root to where we are, each with its name.
    stack: Vec<(Vec<u8>, Rc<Node>)>,
    todo: VecDeque<Vec<u8>>,
    links: usize,
    ends_with_slash: bool,
}

impl Walk {
    /// Goes along `path` first.
    fn prepend(&mut self, path: &[u8]) {
        let names = path.split(|octet| *octet == b'/');
        let names = names.filter(|name| !name.is_empty());
        for name in names.rev() {
            self.todo.push_front(name.to_vec());
        }
        if path.starts_with(b"/") {
            self.stack.truncate(1);
        }
    }

    fn here(&self) -> &Rc<Node> {
        &self.stack[self.stack.len() - 1].1
    }

    /// The path of a name here, or of where we are.
    fn path(&self, name: Option<&[u8]>) -> Vec<u8> {
        let names = self.stack[1..].iter().map(|(name, _)| &name[..]);
        let names = names.chain(name);
        let path: Vec<u8> = names
            .flat_map(|name| b"/".iter().chain(name).copied())
            .collect();
        if path.is_empty() { b"/".to_vec() } else { path }
    }

    fn finish(mut self, follow: bool) -> Result<Place> {
        while let Some(name) = self.todo.pop_front() {
            let Some(entries) = self.here().entries() else {
                return fail(ENOTDIR);
            };
            let is_last = self.todo.is_empty();
            if let Some(last) = dots(&name) {
                if last == Last::Above && self.stack.len() > 1 {
                    self.stack.pop();
                }
                match is_last {
                    true => return Ok(self.end_here(last)),
                    false => continue,
                }
            }
            if name.len() > LONGEST_NAME {
                return fail(ENAMETOOLONG);
            }
            let child = entries.borrow().get(&name).cloned();
            match child {
                None if is_last => return Ok(self.end(name, None)),
                None => return fail(ENOENT),
                Some(node) => match &node.content {
                    Content::Link(target) if !is_last || follow => {
                        self.links += 1;
                        if self.links > MOST_LINKS {
                            return fail(ELOOP);
                        }
                        self.ends_with_slash |= is_last && target.ends_with(b"/");
                        self.prepend(target);
                    }
                    _ if is_last => return Ok(self.end(name, Some(node))),
                    _ => self.stack.push((name, node)),
                },
            }
        }
        Ok(self.end_here(Last::Root))
    }

    fn end(self, name: Vec<u8>, node: Option<Rc<Node>>) -> Place {
        Place {
            path: self.path(Some(&name)),
            directory: self.here().clone(),
            name,
            node,
            is_directory: self.ends_with_slash,
            last: Last::Name,
        }
    }

    fn end_here(self, last: Last) -> Place {
        Place {
            path: self.path(None),
            directory: self.here().clone(),
            name: Vec::new(),
            node: Some(self.here().clone()),
            is_directory: true,
            last,
        }
    }
}

/// What a name is that is none.
fn dots(name: &[u8]) -> Option<Last> {
    match name {
        b"." => Some(Last::Here),
        b".." => Some(Last::Above),
        _ => None,
    }
}
