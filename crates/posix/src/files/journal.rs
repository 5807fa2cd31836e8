//! Files on a disk: the tree of names is in memory, as without one, and what changes it is written to a journal; what is in
//! files lies in blocks behind that.
//!
//! A commit makes durable, all at once, what was done since the last one: first what was written to blocks that are new, as a
//! file must not show what was in them before, then one record of the journal, and then blocks that were given up are free to
//! be used again. What is written to a file goes to the disk at once; only what a commit has made durable is there after a
//! cut. When an area of the journal is full, the other begins with all that there is.

mod blocks;
mod commit;
mod content;
mod extents;
mod log;
mod ops;
mod replay;
#[cfg(test)]
mod tests;

use core::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use libc::{EIO, ENOSPC};

use super::disk::Shared;
use super::node::{Content, Node};
use super::pages::Budget;
use super::volume::{Octets, Sync, Syncing, Volume, charge_name, discharge_name};
use crate::error::{Errno, Result, fail};
use crate::memory;
use crate::readiness::queue::Queue;
use blocks::Blocks;
pub(crate) use content::Stored;
use extents::Run;
use log::{BLOCK, Log};
use ops::{Op, Ops};
pub(super) use replay::mount;

/// Octets of memory for a run of blocks.
const HELD_RUN: usize = 48;
/// Octets of the journal for a node with its attributes, for a name, and for a run, at most.
const KEPT_NODE: usize = 80;
const KEPT_NAME: usize = 24;
const KEPT_RUN: usize = 40;
/// Octets of ops that wait for a commit, at most: with more, it writes all there is.
const MOST_OPS: usize = 256 << 10;

/// A disk.
pub(crate) struct Journal {
    this: Weak<Self>,
    device: Shared,
    budget: Rc<Budget>,
    blocks: RefCell<Blocks>,
    root: RefCell<Weak<Node>>,
    log: RefCell<Log>,
    /// Octets that all there is takes in the journal, and how many it may take.
    kept: Cell<usize>,
    most_kept: usize,
    pending: RefCell<Pending>,
    progress: Progress,
}

/// What was done since the last commit.
#[derive(Default)]
struct Pending {
    ops: Ops,
    /// Nodes of which attributes have changed.
    changed: Vec<Weak<Node>>,
    /// Blocks that are given up.
    freed: Vec<Run>,
    /// Something was written.
    has_data: bool,
    /// `fdatasync` needs a record.
    is_needed: bool,
    /// What was written must be durable before the record is.
    is_ordered: bool,
    /// The record is to hold all there is.
    whole: bool,
}

/// Commits, by numbers.
#[derive(Default)]
struct Progress {
    /// That of the last that has begun, and of the last that is durable.
    begun: Cell<u64>,
    durable: Cell<u64>,
    is_running: Cell<bool>,
    /// How often one that cannot wait went past one that is running.
    overtaken: Cell<u64>,
    /// Is woken at the end of each.
    ended: Queue,
    /// A flush has failed: nothing more will be durable.
    has_failed: Cell<bool>,
    /// The task that commits after a while.
    later: RefCell<Option<miou_rs::Promise<()>>>,
    /// When it does; none if nobody waits for that.
    due: Cell<Option<miou_rs::Instant>>,
}

impl Journal {
    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.device.read_at(offset, buffer)
    }

    fn write(&self, offset: u64, octets: &[u8]) -> Result<()> {
        if octets.is_empty() {
            return Ok(());
        }
        self.device.write_at(offset, octets)?;
        self.pending.borrow_mut().has_data = true;
        Ok(())
    }

    fn take_blocks(&self, best: Option<u64>, most: u64) -> Result<Run> {
        let taken = self.blocks.borrow_mut().take(best, most);
        taken.ok_or(Errno(ENOSPC))
    }

    /// Blocks that no record has told of.
    fn give_back(&self, run: Run) {
        self.blocks.borrow_mut().give_back(run);
    }

    /// Blocks that are free when the next commit is durable: until then the file may be there again after a cut.
    fn free_later(&self, runs: Vec<Run>) {
        self.pending.borrow_mut().freed.extend(runs);
    }

    fn log(&self, op: &Op<'_>) {
        let mut pending = self.pending.borrow_mut();
        pending.is_needed = true;
        pending.is_ordered |= matches!(op, Op::Map { .. });
        if !pending.whole {
            pending.ops.push(op);
            if pending.ops.octets.len() > MOST_OPS {
                pending.whole = true;
                pending.ops = Ops::default();
            }
        }
        drop(pending);
        self.commit_later();
    }

    /// A file has become longer: what is in it then must be there before that is told.
    fn note_growth(&self) {
        let mut pending = self.pending.borrow_mut();
        (pending.is_ordered, pending.is_needed) = (true, true);
    }

    /// `fdatasync` must tell of an attribute.
    fn note_needed(&self) {
        self.pending.borrow_mut().is_needed = true;
    }

    /// Takes memory for a run of blocks, and room in the journal if the file is kept there; false if there is none.
    fn charge_run(&self, is_kept: bool) -> bool {
        if memory::check().is_err() || self.budget.take(HELD_RUN).is_err() {
            return false;
        }
        if is_kept && self.keep(KEPT_RUN).is_err() {
            self.budget.give_back(HELD_RUN);
            return false;
        }
        true
    }

    fn discharge_run(&self, is_kept: bool) {
        self.budget.give_back(HELD_RUN);
        if is_kept {
            self.unkeep(KEPT_RUN);
        }
    }

    fn keep(&self, octets: usize) -> Result<()> {
        let kept = self.kept.get() + octets;
        if kept > self.most_kept {
            return fail(ENOSPC);
        }
        self.kept.set(kept);
        Ok(())
    }

    fn unkeep(&self, octets: usize) {
        self.kept.set(self.kept.get() - octets);
    }

    /// Takes room in the journal for a name, and if it is the first for the node.
    fn keep_name(&self, name: &[u8], node: &Node) -> Result<()> {
        let is_first = node.names.get() == 0;
        let octets = KEPT_NAME + name.len() + if is_first { kept(node) } else { 0 };
        self.keep(octets)?;
        if let Err(error) = charge_name(&self.budget, node) {
            self.unkeep(octets);
            return Err(error);
        }
        if is_first {
            with_stored(node, |stored| stored.set_named(true));
        }
        Ok(())
    }

    /// The opposite, when the name is gone.
    fn unkeep_name(&self, name: &[u8], node: &Node) {
        let is_last = node.names.get() == 0;
        self.unkeep(KEPT_NAME + name.len() + if is_last { kept(node) } else { 0 });
        discharge_name(&self.budget, node);
        if is_last {
            with_stored(node, |stored| stored.set_named(false));
        }
    }
}

/// Octets of the journal for a node.
fn kept(node: &Node) -> usize {
    let target = match &node.content {
        Content::Link(target) => target.len(),
        _ => 0,
    };
    let mut runs = 0;
    with_stored(node, |stored| runs = stored.run_count());
    KEPT_NODE + target + runs * KEPT_RUN
}

fn with_stored(node: &Node, work: impl FnOnce(&Stored)) {
    if let Content::File(octets) = &node.content
        && let Some(stored) = octets.borrow().as_stored()
    {
        work(stored);
    }
}

/// All that the journal says of a node apart from its names.
fn describe(node: &Node, mut tell: impl FnMut(&Op<'_>)) {
    let target = match &node.content {
        Content::Link(target) => &target[..],
        _ => &[],
    };
    tell(&Op::Node {
        node: node.number,
        mode: node.mode(),
        target,
    });
    let mut runs = Vec::new();
    with_stored(node, |stored| runs = stored.runs());
    for (first, run) in runs {
        tell(&Op::Map {
            node: node.number,
            first,
            run,
        });
    }
    tell(&attributes(node));
}

fn attributes(node: &Node) -> Op<'static> {
    Op::Attributes {
        node: node.number,
        mode: node.mode(),
        len: node.len(),
        modified: node.modified.get(),
        accessed: node.accessed.get(),
    }
}

impl Volume for Journal {
    fn id(&self) -> u64 {
        2
    }

    fn octets(&self, number: u64) -> Box<dyn Octets> {
        let this = self.this.upgrade();
        let this = this.expect("who calls it has a handle to it");
        Box::new(Stored::new(this, number))
    }

    fn name(&self, directory: &Node, name: &[u8], node: &Rc<Node>) -> Result<()> {
        self.check()?;
        self.keep_name(name, node)?;
        if node.names.get() == 0 {
            describe(node, |op| self.log(op));
        }
        self.log(&Op::Name {
            directory: directory.number,
            node: node.number,
            name,
        });
        Ok(())
    }

    fn unname(&self, directory: &Node, name: &[u8], node: &Node) {
        self.unkeep_name(name, node);
        self.log(&Op::Unname {
            directory: directory.number,
            name,
        });
    }

    fn rename(&self, from: &Node, old: &[u8], to: &Node, new: &[u8]) -> Result<()> {
        self.check()?;
        self.keep(new.len())?;
        self.unkeep(old.len());
        self.log(&Op::Rename {
            from: from.number,
            name: old,
        });
        self.log(&Op::To {
            directory: to.number,
            name: new,
        });
        Ok(())
    }

    fn replaced(&self, name: &[u8], node: &Node) {
        self.unkeep_name(name, node);
    }

    fn change(&self, node: &Rc<Node>) {
        if !node.is_changed.replace(true) {
            let changed = &mut self.pending.borrow_mut().changed;
            if changed.len() == changed.capacity() {
                // Those of files that are gone: there is no end of them while nothing commits.
                changed.retain(|node| node.strong_count() > 0);
            }
            changed.push(Rc::downgrade(node));
        }
        self.commit_later();
    }

    fn sync(self: Rc<Self>, manner: Sync) -> Syncing {
        Box::pin(self.synced(manner))
    }

    fn has_pending_room(&self) -> bool {
        let is_coming = self.progress.is_running.get() || !self.pending.borrow().freed.is_empty();
        is_coming && !self.progress.has_failed.get()
    }

    fn is_late(&self) -> bool {
        let due = self.progress.due.get();
        due.is_some_and(|due| miou_rs::Instant::now() >= due)
    }

    fn check(&self) -> Result<()> {
        match self.progress.has_failed.get() {
            true => fail(EIO),
            false => Ok(()),
        }
    }

    fn room(&self) -> (u64, u64) {
        let blocks = self.blocks.borrow();
        (blocks.all() * BLOCK, blocks.free() * BLOCK)
    }
}
