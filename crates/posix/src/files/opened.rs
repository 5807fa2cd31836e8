//! Open files.

use core::cell::Cell;
use core::ffi::c_int;
use core::sync::atomic::{AtomicU64, Ordering};
use core::task::Poll;
use std::io::{IoSlice, IoSliceMut};
use std::rc::Rc;

use libc::{
    EBADF, EINVAL, EISDIR, ENODEV, ENOSPC, EOPNOTSUPP, ESPIPE, O_APPEND, O_SYNC, SEEK_CUR,
    SEEK_END, SEEK_SET,
};

use super::node::{Content, Device, Node};
use super::volume;
use super::{File, Lock};
use crate::descriptors::open::{Description, Kind, gather, scatter};
use crate::error::{Errno, Result, fail};
use crate::readiness::queue::{Place, Queue};
use crate::readiness::{ALL, Events, READ, WRITE};
use crate::wait::wait;

static OPENED: AtomicU64 = AtomicU64::new(0);

/// An open file, directory or device, with a position.
pub(crate) struct Opened {
    /// One that no other has.
    number: u64,
    node: Rc<Node>,
    path: Vec<u8>,
    appends: Cell<bool>,
    /// `O_SYNC`, of which `O_DSYNC` is a part, or neither.
    syncs: c_int,
    position: Cell<u64>,
    /// What a generated file was when it was opened.
    generated: Option<Vec<u8>>,
}

impl Opened {
    pub(super) fn new(node: Rc<Node>, path: Vec<u8>, flags: c_int) -> Rc<Self> {
        let generated = match node.content {
            Content::Generated(generate) => Some(generate()),
            _ => None,
        };
        Rc::new(Self {
            number: OPENED.fetch_add(1, Ordering::Relaxed),
            node,
            path,
            appends: Cell::new(flags & O_APPEND != 0),
            syncs: flags & O_SYNC,
            position: Cell::new(0),
            generated,
        })
    }

    fn read_once(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        match &self.node.content {
            Content::File(file) => file.borrow().read(offset, buffer),
            Content::Directory(_) => fail(EISDIR),
            Content::Link(_) | Content::Socket(_) => fail(EBADF),
            Content::Device(Device::Null) => Ok(0),
            Content::Device(Device::Zero) => {
                buffer.fill(0);
                Ok(buffer.len())
            }
            Content::Device(Device::Random) => {
                // SAFETY: the buffer has so many octets. In a unikernel it always fills it.
                unsafe { libc::getrandom(buffer.as_mut_ptr().cast(), buffer.len(), 0) };
                Ok(buffer.len())
            }
            Content::Generated(_) => {
                let text = self.generated.as_deref().unwrap_or_default();
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                let rest = text.get(start..).unwrap_or_default();
                let size = rest.len().min(buffer.len());
                buffer[..size].copy_from_slice(&rest[..size]);
                Ok(size)
            }
        }
    }

    /// Writes to where `position` is in each try, as others may write between two, and moves it before anything else runs.
    fn write_once(&self, position: &Cell<u64>, octets: &[u8]) -> Result<usize> {
        match &self.node.content {
            Content::File(file) => {
                let written = self.with_room(|| {
                    let to = self.place(position.get());
                    let written = file.borrow_mut().write(to, octets)?;
                    position.set(to + written as u64);
                    Ok(written)
                })?;
                self.node.touch();
                Ok(written)
            }
            Content::Device(_) => {
                position.set(self.place(position.get()) + octets.len() as u64);
                Ok(octets.len())
            }
            Content::Directory(_)
            | Content::Link(_)
            | Content::Socket(_)
            | Content::Generated(_) => fail(EBADF),
        }
    }

    fn read_from(&self, position: &Cell<u64>, buffers: &mut [IoSliceMut<'_>]) -> Result<usize> {
        let read = scatter(buffers, |buffer| {
            let from = position.get();
            let read = self.read_once(from, buffer)?;
            position.set(from + read as u64);
            Ok(read)
        });
        volume::give_way(&*self.node.volume);
        read
    }

    fn write_to(&self, position: &Cell<u64>, buffers: &[IoSlice<'_>]) -> Result<usize> {
        let written = gather(buffers, |octets| self.write_once(position, octets))?;
        match self.syncs {
            0 => volume::give_way(&*self.node.volume),
            flags => self.sync(flags != O_SYNC)?,
        }
        Ok(written)
    }

    /// Where what is to go to `offset` goes.
    fn place(&self, offset: u64) -> u64 {
        match self.appends.get() {
            true => self.node.len(),
            false => offset,
        }
    }

    /// Does `work`, and again if a sync gives back room that it needs.
    fn with_room<T>(&self, mut work: impl FnMut() -> Result<T>) -> Result<T> {
        let outcome = work();
        match outcome {
            Err(Errno(ENOSPC)) if self.node.volume.has_pending_room() => {
                self.sync(false).or_else(|error| match error {
                    Errno(EOPNOTSUPP) => Ok(()),
                    error => Err(error),
                })?;
                work()
            }
            outcome => outcome,
        }
    }

    /// Whether the position means something.
    fn has_places(&self) -> bool {
        !matches!(self.node.content, Content::Device(_))
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if let Some(locks) = self.node.locks.get() {
            locks.unlock(self.number);
        }
    }
}

impl Description for Opened {
    fn read(&self, buffers: &mut [IoSliceMut<'_>]) -> Result<usize> {
        self.read_from(&self.position, buffers)
    }

    fn write(&self, buffers: &[IoSlice<'_>]) -> Result<usize> {
        self.write_to(&self.position, buffers)
    }

    fn ready(&self) -> Events {
        READ | WRITE
    }

    fn queue(&self) -> Option<&Queue> {
        None
    }

    fn kind(&self) -> Kind {
        self.node.kind()
    }

    fn set_flags(&self, flags: c_int) {
        self.appends.set(flags & O_APPEND != 0);
    }

    fn as_file(&self) -> Result<&dyn File> {
        Ok(self)
    }
}

impl File for Opened {
    fn read_at(&self, offset: u64, buffers: &mut [IoSliceMut<'_>]) -> Result<usize> {
        self.read_from(&Cell::new(offset), buffers)
    }

    fn write_at(&self, offset: u64, buffers: &[IoSlice<'_>]) -> Result<usize> {
        // Linux appends also what is to go elsewhere.
        self.write_to(&Cell::new(offset), buffers)
    }

    fn seek(&self, offset: i64, whence: c_int) -> Result<u64> {
        if !self.has_places() {
            return fail(ESPIPE);
        }
        let base = match whence {
            SEEK_SET => 0,
            SEEK_CUR => self.position.get(),
            SEEK_END => self.node.len(),
            _ => return fail(EINVAL),
        };
        match base.checked_add_signed(offset) {
            Some(position) if i64::try_from(position).is_ok() => {
                self.position.set(position);
                Ok(position)
            }
            _ => fail(EINVAL),
        }
    }

    fn set_len(&self, len: u64) -> Result<()> {
        let Content::File(file) = &self.node.content else {
            return fail(EINVAL);
        };
        file.borrow_mut().set_len(len)?;
        self.node.touch();
        volume::give_way(&*self.node.volume);
        Ok(())
    }

    fn reserve(&self, start: u64, end: u64) -> Result<()> {
        let Content::File(file) = &self.node.content else {
            return fail(ENODEV);
        };
        self.with_room(|| file.borrow_mut().reserve(start, end))?;
        self.node.touch();
        Ok(())
    }

    fn sync(&self, only_data: bool) -> Result<()> {
        volume::sync(self.node.volume.clone(), only_data)
    }

    fn lock(&self, lock: Lock, waits: bool) -> Result<()> {
        let locks = self.node.locks.get_or_init(Box::default);
        // One of the other kind goes first, whether or not there will be another: so nobody waits for himself.
        locks.unlock(self.number);
        let exclusive = match lock {
            Lock::None => return Ok(()),
            Lock::Shared => false,
            Lock::Exclusive => true,
        };
        if locks.lock(self.number, exclusive) {
            return Ok(());
        }
        if !waits {
            return Err(Errno::AGAIN);
        }
        let mut place = Place::new(&locks.changed);
        wait("the lock of a file", |context| {
            place.wait(ALL, context.waker());
            match locks.lock(self.number, exclusive) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        });
        Ok(())
    }

    fn node(&self) -> &Rc<Node> {
        &self.node
    }

    fn path(&self) -> &[u8] {
        &self.path
    }
}
