//! Names that come and go.

use std::cell::RefCell;
use std::rc::Rc;

use libc::{EBUSY, EEXIST, EINVAL, EISDIR, ENOENT, ENOTDIR, ENOTEMPTY, mode_t};

use super::{Content, Place, Tree};
use crate::error::{Result, fail};
use crate::files::node::Node;

/// Where a call's path begins, and the path.
pub(crate) type At<'a> = (Option<&'a [u8]>, &'a [u8]);

impl Tree {
    /// # Errors
    ///
    /// As of `mkdir`.
    pub(crate) fn make_directory(&self, (base, path): At<'_>, permissions: mode_t) -> Result<()> {
        let place = self.find(base, path, false)?;
        if place.node.is_some() {
            return fail(EEXIST);
        }
        let content = Content::Directory(RefCell::default());
        place.put(self.make(content, permissions)?);
        Ok(())
    }

    /// # Errors
    ///
    /// As of `symlink`.
    pub(crate) fn make_link(&self, target: &[u8], (base, path): At<'_>) -> Result<()> {
        let place = self.find(base, path, false)?;
        match place.node {
            Some(_) => fail(EEXIST),
            None if target.is_empty() || place.is_directory => fail(ENOENT),
            None => {
                place.put(self.make(Content::Link(target.to_vec()), 0o777)?);
                Ok(())
            }
        }
    }

    /// # Errors
    ///
    /// As of `link`.
    pub(crate) fn add_name(
        &self,
        (from, old): At<'_>,
        (to, new): At<'_>,
        follow: bool,
    ) -> Result<()> {
        let node = self.find(from, old, follow)?.existing()?.clone();
        if node.entries().is_some() {
            return fail(libc::EPERM);
        }
        let place = self.find(to, new, false)?;
        match place.node {
            Some(_) => fail(EEXIST),
            None => {
                place.put(node);
                Ok(())
            }
        }
    }

    /// # Errors
    ///
    /// As of `unlink`.
    pub(crate) fn remove_file(&self, (base, path): At<'_>) -> Result<()> {
        let place = self.find(base, path, false)?;
        if place.existing()?.entries().is_some() {
            return fail(EISDIR);
        }
        place.take();
        Ok(())
    }

    /// # Errors
    ///
    /// As of `rmdir`.
    pub(crate) fn remove_directory(&self, (base, path): At<'_>) -> Result<()> {
        let place = self.find(base, path, false)?;
        if place.name.is_empty() {
            return fail(EBUSY);
        }
        if !place.directory()?.borrow().is_empty() {
            return fail(ENOTEMPTY);
        }
        place.take();
        Ok(())
    }

    /// Gives what is at one path another, where something may be that goes; `keep` has it stay, and the call fail.
    ///
    /// # Errors
    ///
    /// As of `renameat2`.
    pub(crate) fn rename(&self, (from, old): At<'_>, (to, new): At<'_>, keep: bool) -> Result<()> {
        let source = self.find(from, old, false)?;
        let node = source.existing()?.clone();
        let target = self.find(to, new, false)?;
        if source.name.is_empty() || target.name.is_empty() {
            return fail(EBUSY);
        }
        if node.entries().is_some() && is_below(&target, &source) {
            return fail(EINVAL);
        }
        match &target.node {
            None if target.is_directory && node.entries().is_none() => return fail(ENOTDIR),
            None => {}
            Some(_) if keep => return fail(EEXIST),
            Some(other) if Rc::ptr_eq(other, &node) => return Ok(()),
            Some(other) => check_replaced(&node, other)?,
        }
        source.take();
        target.put(node);
        Ok(())
    }
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
