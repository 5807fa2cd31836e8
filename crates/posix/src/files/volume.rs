//! What files are kept in: memory, or a disk.

use core::pin::Pin;
use std::rc::Rc;

use super::node::Node;
use super::pages::{Budget, Pages};
use crate::error::Result;
use crate::memory;
use crate::wait::{self, wait_undisturbed};

/// Where files are kept. What is in one directory is in one volume, apart from what is mounted there.
pub(crate) trait Volume {
    /// A number that no other volume has.
    fn id(&self) -> u64;

    /// What will be in a file of that number.
    fn octets(&self, number: u64) -> Box<dyn Octets>;

    /// `node` is about to get a name, and nothing has it.
    ///
    /// # Errors
    ///
    /// `ENOSPC`.
    fn name(&self, directory: &Node, name: &[u8], node: &Rc<Node>) -> Result<()>;

    /// `node` has lost a name.
    fn unname(&self, directory: &Node, name: &[u8], node: &Node);

    /// What has the name `old` is about to have the name `new`; what has that has lost it.
    ///
    /// # Errors
    ///
    /// `ENOSPC`.
    fn rename(&self, from: &Node, old: &[u8], to: &Node, new: &[u8]) -> Result<()>;

    /// `node` has lost a name that something else has got by [`rename`](Self::rename).
    fn replaced(&self, name: &[u8], node: &Node);

    /// What is known of `node` has changed.
    fn change(&self, node: &Rc<Node>);

    /// Makes durable what was done.
    ///
    /// # Errors
    ///
    /// `EIO`, from then on always; `EOPNOTSUPP` where the disk cannot.
    fn sync(self: Rc<Self>, manner: Sync) -> Syncing;

    /// Whether there is room that a [`sync`](Self::sync) would give back.
    fn has_pending_room(&self) -> bool;

    /// Octets for files: all, and those that are left.
    fn room(&self) -> (u64, u64);

    /// Whether what is to become durable by itself waits for longer than it should.
    fn is_late(&self) -> bool {
        false
    }

    /// # Errors
    ///
    /// `EIO` when nothing more will be durable.
    fn check(&self) -> Result<()> {
        Ok(())
    }
}

/// Lets what makes files durable run if it is late: a thread that does nothing but use files would not otherwise.
pub(crate) fn give_way(volume: &dyn Volume) {
    if crate::is_in_thread() && volume.is_late() {
        wait::give_way();
    }
}

/// Makes durable what was done to `volume`, as a call that waits if it may.
///
/// # Errors
///
/// As of [`Volume::sync`].
pub(super) fn sync(volume: Rc<dyn Volume>, only_data: bool) -> Result<()> {
    let waits = crate::is_in_thread();
    let mut syncing = volume.sync(Sync { only_data, waits });
    wait_undisturbed("the disk", |context| syncing.as_mut().poll(context))
}

/// Octets of memory for a name of what has another.
const HELD_NAME: usize = 320;

/// Takes memory for a name; what a first one takes is charged with its node.
///
/// # Errors
///
/// `ENOSPC`, or `ENOMEM` if there is no memory.
pub(super) fn charge_name(budget: &Budget, node: &Node) -> Result<()> {
    match node.names.get() {
        0 => Ok(()),
        _ => memory::check().and_then(|()| budget.take(HELD_NAME)),
    }
}

/// The opposite, when the name is gone.
pub(super) fn discharge_name(budget: &Budget, node: &Node) {
    if node.names.get() > 0 {
        budget.give_back(HELD_NAME);
    }
}

/// How to sync.
#[derive(Clone, Copy)]
pub(crate) struct Sync {
    /// As `fdatasync`, and not times.
    pub(crate) only_data: bool,
    /// What polls it may wait.
    pub(crate) waits: bool,
}

impl Sync {
    /// All, for who may wait.
    pub(crate) const WAITING: Self = Self {
        only_data: false,
        waits: true,
    };
}

pub(crate) type Syncing = Pin<Box<dyn Future<Output = Result<()>>>>;

/// What is in a file.
pub(crate) trait Octets {
    fn len(&self) -> u64;

    /// Octets of the volume that it takes.
    fn held(&self) -> u64;

    /// Reads what is at `offset`, as much as fits and is there; what was never written is zeros.
    ///
    /// # Errors
    ///
    /// `EIO`.
    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<usize>;

    /// Writes at `offset`; what is between the end and there becomes zeros.
    ///
    /// # Errors
    ///
    /// `ENOSPC` when there is no room for any of it, `ENOMEM` when there is no memory, `EFBIG` if no file is so long, `EIO`.
    fn write(&mut self, offset: u64, octets: &[u8]) -> Result<usize>;

    /// # Errors
    ///
    /// `EFBIG` if no file is so long, `EIO`.
    fn set_len(&mut self, len: u64) -> Result<()>;

    /// Has room for all octets from `start` to `end`, and is at least so long.
    ///
    /// # Errors
    ///
    /// As of [`write`](Self::write).
    fn reserve(&mut self, start: u64, end: u64) -> Result<()>;

    /// What journals keep of it.
    fn as_stored(&self) -> Option<&super::journal::Stored> {
        None
    }
}

/// Memory, whose files last as long as the program.
pub(crate) struct Memory {
    budget: Rc<Budget>,
    size: u64,
}

impl Memory {
    pub(crate) fn volume(budget: &Rc<Budget>) -> Rc<dyn Volume> {
        Rc::new(Self {
            budget: budget.clone(),
            size: budget.left(),
        })
    }
}

impl Volume for Memory {
    fn id(&self) -> u64 {
        1
    }

    fn octets(&self, _number: u64) -> Box<dyn Octets> {
        Box::new(Pages::new(&self.budget))
    }

    fn name(&self, _directory: &Node, _name: &[u8], node: &Rc<Node>) -> Result<()> {
        charge_name(&self.budget, node)
    }

    fn unname(&self, _directory: &Node, _name: &[u8], node: &Node) {
        discharge_name(&self.budget, node);
    }

    fn rename(&self, _from: &Node, _old: &[u8], _to: &Node, _new: &[u8]) -> Result<()> {
        Ok(())
    }

    fn replaced(&self, _name: &[u8], node: &Node) {
        discharge_name(&self.budget, node);
    }

    fn change(&self, _node: &Rc<Node>) {}

    /// As in Linux' `tmpfs`: there is nothing to write.
    fn sync(self: Rc<Self>, _manner: Sync) -> Syncing {
        Box::pin(core::future::ready(Ok(())))
    }

    fn has_pending_room(&self) -> bool {
        false
    }

    fn room(&self) -> (u64, u64) {
        (self.size, self.budget.left())
    }
}
