//! The tree, and the paths in it.

mod change;
mod furniture;

use core::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use libc::{
    EEXIST, EINVAL, EISDIR, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, O_ACCMODE, O_CREAT, O_DIRECTORY,
    O_EXCL, O_NOFOLLOW, O_RDONLY, O_TRUNC, mode_t,
};

use super::node::{Content, Node};
use super::opened::Opened;
use super::pages::{Budget, Pages};
use crate::error::{Errno, Result, fail};

/// Symbolic links that are followed for one path, at most.
const MOST_LINKS: usize = 40;
/// Octets of a name and of a path, as on Linux.
const LONGEST_NAME: usize = 255;
const LONGEST_PATH: usize = 4096;

/// All files.
pub(crate) struct Tree {
    root: Rc<Node>,
    budget: Rc<Budget>,
    next: Cell<u64>,
    /// Where paths begin that do not begin at the root.
    current: RefCell<Vec<u8>>,
}

/// Where a path leads.
pub(crate) struct Place {
    /// The directory, and the name in it; the root has none.
    directory: Rc<Node>,
    name: Vec<u8>,
    pub(crate) node: Option<Rc<Node>>,
    /// The same path without links.
    pub(crate) path: Vec<u8>,
    /// It ended with a slash, so that only a directory will do.
    is_directory: bool,
}

global! {
    static TREE: OnceCell<Tree> = OnceCell::new();
}

/// Calls `f`, which must not wait, with the tree.
pub(crate) fn with<R>(f: impl FnOnce(&Tree) -> R) -> R {
    TREE.with(|tree| f(tree.get_or_init(|| Tree::new(nolibc::free_memory() / 4))))
}

impl Tree {
    /// One whose files may hold so many octets.
    pub(crate) fn new(octets: usize) -> Self {
        let budget = Budget::new(octets.max(64 << 10));
        let directory = Content::Directory(RefCell::default());
        let root = Node::new(1, directory, 0o755, &budget);
        let tree = Self {
            root: root.expect("the budget has room for a directory"),
            budget,
            next: Cell::new(2),
            current: RefCell::new(b"/".to_vec()),
        };
        tree.furnish();
        tree
    }

    fn make(&self, content: Content, permissions: mode_t) -> Result<Rc<Node>> {
        let number = self.next.get();
        self.next.set(number + 1);
        Node::new(number, content, permissions, &self.budget)
    }

    /// Where `path` leads from the current directory, or from `base` if there is one; whether a link that it ends with is
    /// followed.
    ///
    /// # Errors
    ///
    /// `ENOENT` and `ENOTDIR` if a directory on the path is none, `ELOOP` and `ENAMETOOLONG`.
    pub(crate) fn find(&self, base: Option<&[u8]>, path: &[u8], follow: bool) -> Result<Place> {
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
        walk.finish(follow)
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
        let place = self.find(base, path, follow)?;
        let writes = flags & O_ACCMODE != O_RDONLY;
        let node = match &place.node {
            Some(_) if only_new => return fail(EEXIST),
            Some(node) => node.clone(),
            None if flags & O_CREAT == 0 => return fail(ENOENT),
            None if place.is_directory => return fail(EISDIR),
            None => {
                let pages = Pages::new(&self.budget);
                let new = self.make(Content::File(RefCell::new(pages)), permissions)?;
                place.put(new.clone());
                new
            }
        };
        match &node.content {
            Content::Link(_) => return fail(ELOOP),
            Content::Directory(_) if writes || flags & O_CREAT != 0 => return fail(EISDIR),
            Content::Directory(_) => {}
            _ if flags & O_DIRECTORY != 0 || place.is_directory => return fail(ENOTDIR),
            Content::Generated(_) if writes => return fail(libc::EACCES),
            Content::File(pages) if writes && flags & O_TRUNC != 0 => {
                pages.borrow_mut().set_len(0)?;
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

    fn put(&self, node: Rc<Node>) {
        if let Some(entries) = self.directory.entries() {
            let former = entries.borrow_mut().insert(self.name.clone(), node);
            drop(former);
            self.directory.touch();
        }
    }

    fn take(&self) {
        if let Some(entries) = self.directory.entries() {
            let gone = entries.borrow_mut().remove(&self.name);
            drop(gone);
            self.directory.touch();
        }
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
        let names = names.filter(|name| !name.is_empty() && *name != b".");
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

    /// The path of a name here.
    fn path(&self, name: &[u8]) -> Vec<u8> {
        let names = self.stack[1..].iter().map(|(name, _)| &name[..]);
        let names = names.chain([name]);
        names
            .flat_map(|name| b"/".iter().chain(name).copied())
            .collect()
    }

    fn finish(mut self, follow: bool) -> Result<Place> {
        while let Some(name) = self.todo.pop_front() {
            let Some(entries) = self.here().entries() else {
                return fail(ENOTDIR);
            };
            if name == b".." {
                if self.stack.len() > 1 {
                    self.stack.pop();
                }
                continue;
            }
            if name.len() > LONGEST_NAME {
                return fail(ENAMETOOLONG);
            }
            let child = entries.borrow().get(&name).cloned();
            let is_last = self.todo.is_empty();
            match child {
                None if is_last => return Ok(self.end(name, None)),
                None => return fail(ENOENT),
                Some(node) => match &node.content {
                    Content::Link(target) if !is_last || follow || self.ends_with_slash => {
                        self.links += 1;
                        if self.links > MOST_LINKS {
                            return fail(ELOOP);
                        }
                        self.prepend(target);
                    }
                    _ if is_last => return Ok(self.end(name, Some(node))),
                    _ => self.stack.push((name, node)),
                },
            }
        }
        // The root, or what `..` led to.
        let (name, node) = self.stack.pop().ok_or(Errno(EINVAL))?;
        if self.stack.is_empty() {
            self.stack.push((Vec::new(), node.clone()));
        }
        Ok(self.end(name, Some(node)))
    }

    fn end(self, name: Vec<u8>, node: Option<Rc<Node>>) -> Place {
        Place {
            path: self.path(&name),
            directory: self.here().clone(),
            name,
            node,
            is_directory: self.ends_with_slash,
        }
    }
}
