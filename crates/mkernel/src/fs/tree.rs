//! The way from the root to a node, for file systems that tell of one directory at a time.

use super::{ErrorKind, FileType, MAX_LINKS, path};

/// Most names on the way, those in links among them.
const MAX_NAMES: usize = 4096;

pub(super) trait Tree {
    /// What names lead to.
    type Node: Clone;

    fn root(&self) -> Result<Self::Node, ErrorKind>;

    fn file_type(&self, node: &Self::Node) -> FileType;

    /// What `name` is in a directory.
    fn lookup(&self, directory: &Self::Node, name: &str) -> Result<Self::Node, ErrorKind>;

    /// Where a symbolic link leads.
    fn link(&self, node: &Self::Node) -> Result<String, ErrorKind>;
}

/// The node at `path`, which [`path::normalize`] has made; links are followed.
pub(super) fn resolve<T: Tree>(tree: &T, path: &str) -> Result<T::Node, ErrorKind> {
    let mut directories = Vec::new();
    let mut here = tree.root()?;
    // The names still to come, the next one last.
    let mut names: Vec<String> = path::names(path).map(String::from).collect();
    names.reverse();
    let (mut links, mut steps) = (0, 0);
    while let Some(name) = names.pop() {
        steps += 1;
        if steps > MAX_NAMES {
            return Err(ErrorKind::LimitExceeded("names on a path"));
        }
        match name.as_str() {
            "" | "." => continue,
            ".." => {
                here = directories.pop().unwrap_or(here);
                continue;
            }
            _ => {}
        }
        if tree.file_type(&here) != FileType::Directory {
            return Err(ErrorKind::NotADirectory);
        }
        let next = tree.lookup(&here, &name)?;
        if tree.file_type(&next) != FileType::Link {
            directories.push(std::mem::replace(&mut here, next));
            continue;
        }
        links += 1;
        if links > MAX_LINKS {
            return Err(ErrorKind::TooManyLinks);
        }
        let target = tree.link(&next)?;
        if target.starts_with('/') {
            here = directories.into_iter().next().unwrap_or(here);
            directories = Vec::new();
        }
        names.extend(target.split('/').rev().map(String::from));
        if names.len() > MAX_NAMES {
            return Err(ErrorKind::LimitExceeded("names on a path"));
        }
    }
    Ok(here)
}
