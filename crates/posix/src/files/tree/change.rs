//! Names that come and go.

use std::cell::RefCell;
use std::rc::Rc;

use libc::{
    EADDRINUSE, EBUSY, EEXIST, EINVAL, EISDIR, ENAMETOOLONG, ENOENT, ENOTDIR, ENOTEMPTY, EXDEV,
    mode_t,
};

use super::{Content, LONGEST_PATH, Last, Place, Tree};
use crate::error::{Errno, Result, fail};
use crate::files::node::Node;
use crate::sockets::unix::Named;

/// Where a call's path begins, and the path.
pub(crate) type At<'a> = (Option<&'a [u8]>, &'a [u8]);

impl Tree {
    /// # Errors
    ///
    /// As of `mkdir`.
    pub(crate) fn make_directory(&self, at: At<'_>, permissions: mode_t) -> Result<()> {
        let place = self.find_name(at)?;
        if place.node.is_some() {
            return fail(EEXIST);
        }
        let content = |_| Content::Directory(RefCell::default());
        place.put(self.make(content, permissions, place.volume())?)
    }

    /// Gives a socket a path.
    ///
    /// # Errors
    ///
    /// As of `bind`.
    pub(crate) fn make_socket(&self, socket: Named, path: &[u8]) -> Result<()> {
        let place = self.find_name((None, path))?;
        match place.node {
            Some(_) => fail(EADDRINUSE),
            None if place.is_directory => fail(ENOENT),
            None => {
                let content = |_| Content::Socket(socket);
                place.put(self.make(content, 0o755, place.volume())?)
            }
        }
    }

    /// # Errors
    ///
    /// As of `symlink`.
    pub(crate) fn make_link(&self, target: &[u8], at: At<'_>) -> Result<()> {
        // As of a path: it is one, and a mount takes no longer one.
        if target.len() >= LONGEST_PATH {
            return fail(ENAMETOOLONG);
        }
        let place = self.find_name(at)?;
        match place.node {
            Some(_) => fail(EEXIST),
            None if target.is_empty() || place.is_directory => fail(ENOENT),
            None => {
                let content = |_| Content::Link(target.to_vec());
                place.put(self.make(content, 0o777, place.volume())?)
            }
        }
    }

    /// # Errors
    ///
    /// As of `link`.
    pub(crate) fn add_name(&self, (from, old): At<'_>, to: At<'_>, follow: bool) -> Result<()> {
        let node = self.find(from, old, follow)?.existing()?.clone();
        let place = self.find_name(to)?;
        match place.node {
            Some(_) => fail(EEXIST),
            None if place.is_directory => fail(ENOENT),
            None if node.entries().is_some() => fail(libc::EPERM),
            None if node.volume.id() != place.volume().id() => fail(EXDEV),
            None => place.put(node),
        }
    }

    /// # Errors
    ///
    /// As of `unlink`.
    pub(crate) fn remove_file(&self, at: At<'_>) -> Result<()> {
        let place = self.find_name(at)?;
        if place.existing()?.entries().is_some() {
            return fail(EISDIR);
        }
        place.take()
    }

    /// # Errors
    ///
    /// As of `rmdir`.
    pub(crate) fn remove_directory(&self, at: At<'_>) -> Result<()> {
        let place = self.find_name(at)?;
        match place.last {
            Last::Name => {}
            Last::Here => return fail(EINVAL),
            Last::Above => return fail(ENOTEMPTY),
            Last::Root => return fail(EBUSY),
        }
        if !place.directory()?.borrow().is_empty() {
            return fail(ENOTEMPTY);
        }
        place.take()
    }

    /// Gives what is at one path another, where something may be that goes; `keep` has it stay, and the call fail.
    ///
    /// # Errors
    ///
    /// As of `renameat2`.
    pub(crate) fn rename(&self, from: At<'_>, to: At<'_>, keep: bool) -> Result<()> {
        let (source, target) = (self.find_name(from)?, self.find_name(to)?);
        match (source.last, target.last) {
            (Last::Name, Last::Name) => {}
            (Last::Name, _) if keep => return fail(EEXIST),
            _ => return fail(EBUSY),
        }
        let node = source.node.clone().ok_or(Errno(ENOENT))?;
        if target.node.is_some() && keep {
            return fail(EEXIST);
        }
        if node.entries().is_none() && (source.is_directory || target.is_directory) {
            return fail(ENOTDIR);
        }
        if node.entries().is_some() && is_below(&target, &source) {
            return fail(EINVAL);
        }
        match &target.node {
            None => {}
            Some(_) if is_below(&source, &target) => return fail(ENOTEMPTY),
            Some(other) if Rc::ptr_eq(other, &node) => return Ok(()),
            Some(other) => check_replaced(&node, other)?,
        }
        if source.is_mounted() || target.is_mounted() {
            return fail(EBUSY);
        }
        if source.volume().id() != target.volume().id() {
            return fail(EXDEV);
        }
        move_name(&source, &target)
    }
}

fn move_name(source: &Place, target: &Place) -> Result<()> {
    let (from, to) = (&source.directory, &target.directory);
    let volume = source.volume();
    volume.rename(from, &source.name, to, &target.name)?;
    let node = source.unlist();
    let former = target.unlist();
    if let (Some(node), Some(entries)) = (node, to.entries()) {
        node.names.set(node.names.get() + 1);
        entries.borrow_mut().insert(target.name.clone(), node);
        to.touch();
    }
    if let Some(former) = former {
        volume.replaced(&target.name, &former);
    }
    Ok(())
}

/// Whether something lies in a directory that is itself at `above`.
fn is_below(target: &Place, above: &Place) -> bool {
    let rest = target.path.strip_prefix(&above.path[..]);
    rest.is_some_and(|rest| rest.starts_with(b"/"))
}

fn check_replaced(node: &Node, other: &Node) -> Result<()> {
    match (node.entries(), other.entries()) {
        (None, None) => Ok(()),
        (None, Some(_)) => fail(EISDIR),
        (Some(_), None) => fail(ENOTDIR),
        (Some(_), Some(entries)) if entries.borrow().is_empty() => Ok(()),
        (Some(_), Some(_)) => fail(ENOTEMPTY),
    }
}
