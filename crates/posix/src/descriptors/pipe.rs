//! Pipes.

use core::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{IoSlice, IoSliceMut};
use std::rc::Rc;

use libc::{EBADF, EPIPE, S_IFIFO};

use super::open::{Description, Kind, gather, scatter, total};
use crate::error::{Errno, Result, fail};
use crate::memory;
use crate::readiness::queue::Queue;
use crate::readiness::{ALL, ERR, Events, HUP, READ, WRITE};

/// Octets that a pipe holds, as on Linux.
pub(crate) const CAPACITY: usize = 64 << 10;
/// So many octets are written at once or not at all (`PIPE_BUF`).
const ATOMIC: usize = 4096;

/// What is in a pipe, and who is at its ends.
#[derive(Default)]
struct Pipe {
    octets: RefCell<VecDeque<u8>>,
    reader: Queue,
    writer: Queue,
    is_read: Cell<bool>,
    is_written: Cell<bool>,
    /// A writer has found it full.
    was_full: Cell<bool>,
}

/// Where octets come out.
pub(crate) struct ReadEnd(Rc<Pipe>);

/// Where octets go in.
pub(crate) struct WriteEnd(Rc<Pipe>);

/// A pipe's two ends.
pub(crate) fn pipe() -> (ReadEnd, WriteEnd) {
    let pipe = Rc::new(Pipe::default());
    pipe.is_read.set(true);
    pipe.is_written.set(true);
    (ReadEnd(pipe.clone()), WriteEnd(pipe))
}

impl Pipe {
    fn room(&self) -> usize {
        CAPACITY - self.octets.borrow().len()
    }

    fn is_full(&self) -> bool {
        self.room() < ATOMIC
    }
}

impl Description for ReadEnd {
    fn read(&self, buffers: &mut [IoSliceMut<'_>]) -> Result<usize> {
        let pipe = &*self.0;
        let mut octets = pipe.octets.borrow_mut();
        if octets.is_empty() {
            return match pipe.is_written.get() {
                true => Err(Errno::AGAIN),
                false => Ok(0),
            };
        }
        let read = scatter(buffers, |buffer| Ok(take(&mut octets, buffer)))?;
        drop(octets);
        if pipe.was_full.get() && !pipe.is_full() {
            pipe.was_full.set(false);
            pipe.writer.wake(WRITE);
        }
        Ok(read)
    }

    fn write(&self, _buffers: &[IoSlice<'_>]) -> Result<usize> {
        fail(EBADF)
    }

    fn ready(&self) -> Events {
        let pipe = &*self.0;
        let read = if pipe.octets.borrow().is_empty() {
            0
        } else {
            READ
        };
        read | if pipe.is_written.get() { 0 } else { HUP }
    }

    fn queue(&self) -> Option<&Queue> {
        Some(&self.0.reader)
    }

    fn readable(&self) -> Result<usize> {
        Ok(self.0.octets.borrow().len())
    }

    fn kind(&self) -> Kind {
        S_IFIFO
    }
}

impl Drop for ReadEnd {
    fn drop(&mut self) {
        self.0.is_read.set(false);
        self.0.writer.wake(ALL);
    }
}

impl Description for WriteEnd {
    fn read(&self, _buffers: &mut [IoSliceMut<'_>]) -> Result<usize> {
        fail(EBADF)
    }

    fn write(&self, buffers: &[IoSlice<'_>]) -> Result<usize> {
        let pipe = &*self.0;
        if !pipe.is_read.get() {
            return fail(EPIPE);
        }
        let wanted = total(buffers);
        let room = pipe.room();
        if room == 0 || (wanted <= ATOMIC && room < wanted) {
            pipe.was_full.set(true);
            return Err(Errno::AGAIN);
        }
        let written = gather(buffers, |buffer| {
            let part = &buffer[..buffer.len().min(pipe.room())];
            memory::extend(&mut pipe.octets.borrow_mut(), part)?;
            Ok(part.len())
        })?;
        if pipe.is_full() {
            pipe.was_full.set(true);
        }
        pipe.reader.wake(READ);
        Ok(written)
    }

    fn ready(&self) -> Events {
        let pipe = &*self.0;
        let write = if pipe.is_full() { 0 } else { WRITE };
        write | if pipe.is_read.get() { 0 } else { ERR }
    }

    fn queue(&self) -> Option<&Queue> {
        Some(&self.0.writer)
    }

    fn kind(&self) -> Kind {
        S_IFIFO
    }
}

impl Drop for WriteEnd {
    fn drop(&mut self) {
        self.0.is_written.set(false);
        self.0.reader.wake(ALL);
    }
}

/// Moves what there is and fits.
pub(crate) fn take(octets: &mut VecDeque<u8>, buffer: &mut [u8]) -> usize {
    let read = copy(octets, buffer);
    octets.drain(..read);
    read
}

/// Copies what there is and fits.
pub(crate) fn copy(octets: &VecDeque<u8>, buffer: &mut [u8]) -> usize {
    let (front, back) = octets.as_slices();
    let first = front.len().min(buffer.len());
    buffer[..first].copy_from_slice(&front[..first]);
    let second = back.len().min(buffer.len() - first);
    buffer[first..first + second].copy_from_slice(&back[..second]);
    first + second
}
