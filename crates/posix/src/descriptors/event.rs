//! `eventfd`: a count.

use core::cell::Cell;
use std::io::{IoSlice, IoSliceMut};

use libc::EINVAL;

use super::open::{Description, scatter, total};
use crate::error::{Errno, Result, fail};
use crate::readiness::queue::Queue;
use crate::readiness::{ERR, Events, IN, OUT};

/// What no count reaches.
const FULL: u64 = u64::MAX;
const SIZE: usize = size_of::<u64>();

/// A count that a write adds to, and a read takes: all of it or, as a semaphore, one.
pub(crate) struct Event {
    count: Cell<u64>,
    is_semaphore: bool,
    queue: Queue,
}

impl Event {
    pub(crate) fn new(count: u64, is_semaphore: bool) -> Self {
        Self {
            count: Cell::new(count),
            is_semaphore,
            queue: Queue::default(),
        }
    }
}

impl Description for Event {
    fn read(&self, buffers: &mut [IoSliceMut<'_>]) -> Result<usize> {
        if total(buffers) < SIZE {
            return fail(EINVAL);
        }
        let count = self.count.get();
        if count == 0 {
            return Err(Errno::AGAIN);
        }
        let taken = if self.is_semaphore { 1 } else { count };
        self.count.set(count - taken);
        spread(taken, buffers);
        self.queue.wake(OUT);
        Ok(SIZE)
    }

    fn write(&self, buffers: &[IoSlice<'_>]) -> Result<usize> {
        if total(buffers) != SIZE {
            return fail(EINVAL);
        }
        let octets: Vec<u8> = buffers
            .iter()
            .flat_map(|part| part.iter().copied())
            .collect();
        let Ok(octets) = <[u8; SIZE]>::try_from(octets) else {
            return fail(EINVAL);
        };
        let more = u64::from_ne_bytes(octets);
        if more == FULL {
            return fail(EINVAL);
        }
        match self.count.get().checked_add(more) {
            Some(count) if count < FULL => self.count.set(count),
            _ => return Err(Errno::AGAIN),
        }
        self.queue.wake(IN);
        Ok(SIZE)
    }

    fn ready(&self) -> Events {
        let count = self.count.get();
        let read = if count > 0 { IN } else { 0 };
        let write = if count < FULL - 1 { OUT } else { 0 };
        read | write | if count == FULL { ERR } else { 0 }
    }

    fn queue(&self) -> Option<&Queue> {
        Some(&self.queue)
    }
}

/// Writes a number into buffers that have room for it.
pub(super) fn spread(number: u64, buffers: &mut [IoSliceMut<'_>]) {
    let octets = number.to_ne_bytes();
    let mut rest = &octets[..];
    // It cannot fail.
    let _ = scatter(buffers, |buffer| {
        let part = buffer.len().min(rest.len());
        buffer[..part].copy_from_slice(&rest[..part]);
        rest = &rest[part..];
        Ok(part)
    });
}
