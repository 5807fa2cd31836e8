//! What descriptors stand for: an open file description, as POSIX calls it.

use core::cell::{Cell, RefCell};
use core::ffi::c_int;
use core::ops::Deref;
use std::io::{IoSlice, IoSliceMut};
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicU64, Ordering};

use libc::{EBADF, EINVAL, ENOTSOCK, ENOTTY, ESPIPE, O_ACCMODE, O_NONBLOCK, O_RDONLY, O_WRONLY};

use super::timer::Timer;
use crate::error::{Errno, Result, fail};
use crate::files::File;
use crate::readiness::Events;
use crate::readiness::epoll::{Epoll, Item};
use crate::readiness::queue::Queue;
use crate::signals::descriptor::Signals;
use crate::sockets::Socket;

/// What kind of thing a description is, for `fstat`: the file type bits of its mode.
pub(crate) type Kind = libc::mode_t;

/// A pipe, a socket, a file, …: what can be done with it without waiting. A call that would have to wait is
/// [`Errno::AGAIN`](crate::error::Errno::AGAIN).
pub(crate) trait Description {
    /// Reads what there is into the buffers, of which not all are empty; 0 at the end.
    fn read(&self, _buffers: &mut [IoSliceMut<'_>]) -> Result<usize> {
        fail(EINVAL)
    }

    /// Writes as much as there is room for, of buffers that are not all empty.
    fn write(&self, _buffers: &[IoSlice<'_>]) -> Result<usize> {
        fail(EINVAL)
    }

    /// A call that has got somewhere does not tell this error, which another one then is to.
    fn keep_error(&self, _error: Errno) {}

    /// What it is ready for.
    fn ready(&self) -> Events;

    /// Who waits for it; `None` for what is always ready.
    fn queue(&self) -> Option<&Queue>;

    /// Octets that can be read at once.
    fn readable(&self) -> Result<usize> {
        fail(ENOTTY)
    }

    fn kind(&self) -> Kind {
        0
    }

    /// `fcntl` has set `O_APPEND`, or not.
    fn set_flags(&self, _flags: c_int) {}

    /// What `lseek`, `pread` and other calls for files need.
    fn as_file(&self) -> Result<&dyn File> {
        fail(ESPIPE)
    }

    fn as_socket(&self) -> Result<&dyn Socket> {
        fail(ENOTSOCK)
    }

    fn as_timer(&self) -> Option<&Timer> {
        None
    }

    fn as_signals(&self) -> Option<&Signals> {
        None
    }

    fn as_epoll(&self) -> Option<&Epoll> {
        None
    }
}

static OPENED: AtomicU64 = AtomicU64::new(0);

/// A description with what belongs to all descriptors of it.
pub(crate) struct Open {
    id: u64,
    description: Rc<dyn Description>,
    /// How it was opened, and what `fcntl` has set since: `O_…`.
    flags: Cell<c_int>,
    /// Where it is watched.
    items: RefCell<Vec<Weak<Item>>>,
}

impl Open {
    pub(crate) fn new(description: Rc<dyn Description>, flags: c_int) -> Rc<Self> {
        Rc::new(Self {
            id: OPENED.fetch_add(1, Ordering::Relaxed),
            description,
            flags: Cell::new(flags),
            items: RefCell::default(),
        })
    }

    /// A number that no other has.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn description(&self) -> &dyn Description {
        &*self.description
    }

    pub(crate) fn flags(&self) -> c_int {
        self.flags.get()
    }

    pub(crate) fn set_flags(&self, flags: c_int) {
        self.description.set_flags(flags);
        self.flags.set(flags);
    }

    pub(crate) fn is_nonblocking(&self) -> bool {
        self.flags.get() & O_NONBLOCK != 0
    }

    pub(crate) fn set_nonblocking(&self, on: bool) {
        let others = self.flags.get() & !O_NONBLOCK;
        self.flags
            .set(if on { others | O_NONBLOCK } else { others });
    }

    /// # Errors
    ///
    /// `EBADF` if it was opened to be written only.
    pub(crate) fn check_readable(&self) -> Result<()> {
        match self.flags.get() & O_ACCMODE {
            O_WRONLY => fail(EBADF),
            _ => Ok(()),
        }
    }

    /// # Errors
    ///
    /// `EBADF` if it was opened to be read only.
    pub(crate) fn check_writable(&self) -> Result<()> {
        match self.flags.get() & O_ACCMODE {
            O_RDONLY => fail(EBADF),
            _ => Ok(()),
        }
    }

    /// An instance of `epoll` watches it.
    pub(crate) fn remember(&self, item: &Rc<Item>) {
        self.items.borrow_mut().push(Rc::downgrade(item));
    }

    #[cfg(test)]
    pub(crate) fn items(&self) -> usize {
        self.items.borrow().len()
    }

    pub(crate) fn forget(&self, item: &Rc<Item>) {
        let item = Rc::downgrade(item);
        self.items.borrow_mut().retain(|other| !other.ptr_eq(&item));
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        for item in self.items.take() {
            if let Some(item) = item.upgrade() {
                item.end();
            }
        }
    }
}

/// Octets that all buffers together have.
pub(crate) fn total(buffers: &[impl Deref<Target = [u8]>]) -> usize {
    buffers.iter().map(|buffer| buffer.len()).sum()
}

/// Gives each buffer in turn to `read` until one is not filled. What has been read before an error counts.
pub(crate) fn scatter(
    buffers: &mut [IoSliceMut<'_>],
    read: impl FnMut(&mut [u8]) -> Result<usize>,
) -> Result<usize> {
    in_turn(buffers.iter_mut().map(|buffer| &mut **buffer), read)
}

/// As [`scatter`], for what is written.
pub(crate) fn gather(
    buffers: &[IoSlice<'_>],
    write: impl FnMut(&[u8]) -> Result<usize>,
) -> Result<usize> {
    in_turn(buffers.iter().map(|buffer| &**buffer), write)
}

fn in_turn<B: Deref<Target = [u8]>>(
    buffers: impl Iterator<Item = B>,
    mut call: impl FnMut(B) -> Result<usize>,
) -> Result<usize> {
    let mut done = 0;
    for buffer in buffers.filter(|buffer| !buffer.is_empty()) {
        let wanted = buffer.len();
        match call(buffer) {
            Ok(octets) if octets == wanted => done += octets,
            Ok(octets) => return Ok(done + octets),
            Err(_) if done > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}
