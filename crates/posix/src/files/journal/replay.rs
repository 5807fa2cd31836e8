//! From the journal to the tree. Nothing that the disk says is trusted.

use core::cell::{Cell, RefCell};
use core::time::Duration;
use std::collections::BTreeMap;
use std::rc::Rc;

use libc::{ENOMEM, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK};

use super::blocks::Blocks;
use super::log::{BLOCK, Header, LEAST, Log, is_unused};
use super::ops::{Op, take};
use super::{Journal, Pending, Progress, with_stored};
use crate::error::{Errno, Result};
use crate::files::disk::{Mounted, Shared};
use crate::files::node::{Content, Node};
use crate::files::pages::Budget;
use crate::files::tree::{LONGEST_NAME, LONGEST_PATH};
use crate::files::volume::Volume;
use crate::sockets::unix::Named;

/// The number of the root.
const ROOT: u64 = 1;

/// Opens the file system on a disk, or makes one if it was never written.
///
/// # Errors
///
/// When it holds anything else, is damaged or fails.
pub(in crate::files) fn mount(
    device: Shared,
    budget: &Rc<Budget>,
) -> core::result::Result<Mounted, String> {
    let fails = |Errno(number): Errno| format!("the device failed (error {number})");
    if device.capacity < LEAST || device.block_size as u64 > BLOCK {
        return Err(format!(
            "{} octets in blocks of {}: expected {LEAST} at least, and blocks of {BLOCK} at most",
            device.capacity, device.block_size
        ));
    }
    let header = match Header::read(&device).map_err(fails)? {
        Some(header) if header.size > device.capacity => {
            return Err(format!(
                "cut short: it has {} octets, and had {}",
                device.capacity, header.size
            ));
        }
        Some(header) => {
            // What is read may be in the host's memory only, if a program ended without a sync: it must not be lost when
            // what it took the place of is written over.
            device.flush_now().map_err(fails)?;
            header
        }
        None if is_unused(&device).map_err(fails)? => make(&device).map_err(fails)?,
        None => {
            return Err(String::from(
                "it holds something that is no file system of this kind: expected one, or zeros",
            ));
        }
    };
    let blocks = Blocks::new(header.first_block(), device.capacity / BLOCK)
        .map_err(|_| String::from(NO_MEMORY))?;
    let journal = Rc::new_cyclic(|this| Journal {
        this: this.clone(),
        device,
        budget: budget.clone(),
        blocks: RefCell::new(blocks),
        root: RefCell::default(),
        log: RefCell::new(Log::new(header)),
        kept: Cell::new(0),
        // The rest is for what records have around them.
        most_kept: (header.area / 8 * 7) as usize,
        pending: RefCell::default(),
        progress: Progress::default(),
    });
    journal.replay()
}

/// Makes a file system of nothing but a root.
fn make(device: &Shared) -> Result<Header> {
    let header = Header::new(device);
    header.write(device)?;
    // Before anything else is there: what has no header is never written.
    device.flush_now()?;
    Ok(header)
}

/// The tree as far as it is known.
struct Replay {
    volume: Rc<dyn Volume>,
    budget: Rc<Budget>,
    nodes: BTreeMap<u64, Rc<Node>>,
    /// What was renamed, to a name that comes next.
    renamed: Option<Rc<Node>>,
}

const NO_MEMORY: &str = "more than there is memory for: give the unikernel more (--mem)";
const HALF: &str = "half of a renaming";
const NO_ROOM: &str = "more than there is room for";

/// Why there is no tree, in words.
type Outcome<T> = core::result::Result<T, &'static str>;

impl Journal {
    fn replay(self: Rc<Self>) -> core::result::Result<Mounted, String> {
        let damaged = |what: &str| format!("damaged: {what}");
        let volume: Rc<dyn Volume> = self.clone();
        let content = Content::Directory(RefCell::default());
        let root = Node::new(ROOT, content, 0o755, &volume, &self.budget)
            .map_err(|_| String::from(NO_MEMORY))?;
        root.names.set(1);
        let mut replay = Replay {
            volume,
            budget: self.budget.clone(),
            nodes: BTreeMap::from([(ROOT, root.clone())]),
            renamed: None,
        };
        let mut log = *self.log.borrow();
        while let Some(ops) = log
            .read(&self.device)
            .map_err(|Errno(number)| match number {
                ENOMEM => String::from(NO_MEMORY),
                _ => format!("the device failed (error {number})"),
            })?
        {
            let mut rest = &ops[..];
            while !rest.is_empty() {
                let op = take(&mut rest).ok_or_else(|| damaged("no op of the journal"))?;
                self.apply(&mut replay, &op).map_err(damaged)?;
            }
        }
        if log.records() < log.header().whole {
            return Err(damaged("the journal has not all there was when it began"));
        }
        replay.check(&root).map_err(damaged)?;
        // What follows is written to the other area: behind what a cut has left nothing is written.
        self.log.replace(log);
        let mut blocks = self.blocks.borrow_mut();
        for node in replay.nodes.values() {
            let mut is_right = true;
            with_stored(node, |stored| {
                is_right = stored.runs().into_iter().all(|(_, run)| blocks.mark(run));
            });
            if !is_right {
                return Err(damaged("a block that is none, or in two files"));
            }
        }
        drop(blocks);
        self.root.replace(Rc::downgrade(&root));
        self.pending.replace(Pending {
            whole: true,
            ..Pending::default()
        });
        let next = replay.nodes.keys().next_back().map_or(ROOT, |last| *last) + 1;
        Ok(Mounted { root, next })
    }

    fn apply(&self, replay: &mut Replay, op: &Op<'_>) -> Outcome<()> {
        if replay.renamed.is_some() != matches!(op, Op::To { .. }) {
            return Err(HALF);
        }
        match *op {
            Op::Node { node, mode, target } => replay.make(node, mode, target),
            Op::Name {
                directory,
                node,
                name,
            } => {
                let node = replay.node(node)?;
                self.keep_name(name, &node).map_err(|_| NO_ROOM)?;
                self.insert(replay, directory, name, node)
            }
            Op::Unname { directory, name } => {
                let directory = replay.node(directory)?;
                let node = take_name(&directory, name).ok_or("a name that is gone is not there")?;
                self.lost(replay, name, &node)
            }
            Op::Rename { from, name } => {
                let from = replay.node(from)?;
                let node = take_name(&from, name).ok_or("what is renamed is not there")?;
                // The rest stays charged, for the other name.
                self.unkeep(name.len());
                node.names.set(node.names.get() - 1);
                replay.renamed = Some(node);
                Ok(())
            }
            Op::To { directory, name } => {
                let node = replay.renamed.take().ok_or(HALF)?;
                self.keep(name.len()).map_err(|_| NO_ROOM)?;
                self.insert(replay, directory, name, node)
            }
            Op::Map { node, first, run } => {
                let node = replay.node(node)?;
                let mut is_right = false;
                with_stored(&node, |stored| is_right = stored.restore(first, run));
                is_right
                    .then_some(())
                    .ok_or("blocks where there are some, or no memory for them")
            }
            Op::Unmap { node, first } => {
                let node = replay.node(node)?;
                with_stored(&node, |stored| stored.restore_end(first));
                Ok(())
            }
            Op::Attributes {
                node,
                mode,
                len,
                modified,
                accessed,
            } => {
                let node = replay.node(node)?;
                set_attributes(&node, mode, len, modified, accessed)
            }
        }
    }

    /// Gives a node a name, which something else may lose.
    fn insert(
        &self,
        replay: &mut Replay,
        directory: u64,
        name: &[u8],
        node: Rc<Node>,
    ) -> Outcome<()> {
        let is_name = !name.is_empty()
            && name.len() <= LONGEST_NAME
            && !name.iter().any(|octet| matches!(octet, 0 | b'/'))
            && !matches!(name, b"." | b"..");
        if !is_name {
            return Err("a name that is none");
        }
        let target = replay.node(directory)?;
        let entries = target.entries().ok_or("a name in what is no directory")?;
        if node.entries().is_some() {
            check_directory(&node)?;
        }
        node.names.set(node.names.get() + 1);
        let former = entries.borrow_mut().insert(name.to_vec(), node);
        former.map_or(Ok(()), |former| self.lost(replay, name, &former))
    }

    /// A node has lost a name.
    fn lost(&self, replay: &mut Replay, name: &[u8], node: &Rc<Node>) -> Outcome<()> {
        if node
            .entries()
            .is_some_and(|entries| !entries.borrow().is_empty())
        {
            return Err("a directory that is gone and not empty");
        }
        node.names.set(node.names.get() - 1);
        self.unkeep_name(name, node);
        if node.names.get() == 0 {
            replay.nodes.remove(&node.number);
        }
        Ok(())
    }
}

impl Replay {
    fn node(&self, number: u64) -> Outcome<Rc<Node>> {
        let node = self.nodes.get(&number);
        node.cloned().ok_or("a change of what is not there")
    }

    fn make(&mut self, number: u64, mode: u32, target: &[u8]) -> Outcome<()> {
        if self.nodes.contains_key(&number) || number >= u64::MAX / 2 {
            return Err("something new that is there already");
        }
        let content = match mode & S_IFMT {
            S_IFREG => Content::File(RefCell::new(self.volume.octets(number))),
            S_IFDIR => Content::Directory(RefCell::default()),
            S_IFLNK if (1..LONGEST_PATH).contains(&target.len()) => Content::Link(target.to_vec()),
            // Of a program that has ended.
            S_IFSOCK => Content::Socket(Named::gone()),
            _ => return Err("something that is neither file, directory, link nor socket"),
        };
        let node =
            Node::new(number, content, mode, &self.volume, &self.budget).map_err(|_| NO_MEMORY)?;
        self.nodes.insert(number, node);
        Ok(())
    }

    /// Looks at what was found when all is done.
    fn check(&self, root: &Rc<Node>) -> Outcome<()> {
        if self.renamed.is_some() {
            return Err(HALF);
        }
        let directories = self.nodes.values().filter(|node| node.entries().is_some());
        let named = directories.filter(|node| node.names.get() > 0).count();
        let (mut todo, mut reached) = (vec![root.clone()], 0);
        while let Some(directory) = todo.pop() {
            reached += 1;
            let entries = directory.entries().map(RefCell::borrow);
            let inside = entries.iter().flat_map(|entries| entries.values());
            todo.extend(inside.filter(|node| node.entries().is_some()).cloned());
        }
        // Each has one name, so that it is reached once or not at all.
        match reached == named {
            true => Ok(()),
            false => Err("a directory that lies in itself"),
        }
    }
}

/// Whether a directory may get a name: it has one only.
fn check_directory(node: &Node) -> Outcome<()> {
    match node.number == ROOT || node.names.get() > 0 {
        true => Err("a directory with two names"),
        false => Ok(()),
    }
}

fn take_name(directory: &Node, name: &[u8]) -> Option<Rc<Node>> {
    directory.entries()?.borrow_mut().remove(name)
}

fn set_attributes(
    node: &Rc<Node>,
    mode: u32,
    len: u64,
    modified: Duration,
    accessed: Duration,
) -> Outcome<()> {
    if mode & S_IFMT != node.kind() || len > crate::files::pages::LONGEST {
        return Err("attributes that nothing has");
    }
    node.permissions.set(mode & 0o7777);
    node.modified.set(modified);
    node.accessed.set(accessed);
    with_stored(node, |stored| stored.restore_len(len));
    Ok(())
}
