//! Connections inside of the program: octets that go from one socket to another, at most so many.

use core::cell::{Cell, RefCell};
use core::ffi::c_int;
use core::mem;
use core::ops::Range;
use std::collections::VecDeque;
use std::io::{IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::rc::Rc;

use libc::{ECONNRESET, ENOMEM, ENOTCONN, EPIPE};

use super::rights::Rights;
use crate::descriptors::open::{gather, scatter, total};
use crate::descriptors::pipe::{copy, take};
use crate::error::{Errno, Result, fail};
use crate::memory;
use crate::readiness::queue::Queue;
use crate::readiness::{ALL, ERR, Events, HUP, RDHUP, READ, WRITE};

/// Octets that may wait in each direction.
const CAPACITY: usize = 256 << 10;

/// Writes whose lengths are kept: those that come then count as one with the last.
const MOST_WRITES: usize = 256;

/// Of what kind both ends are: they end in different ways.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Tcp,
    Unix,
}

/// One end of a connection.
pub(super) struct End {
    pair: Rc<Pair>,
    here: usize,
}

struct Pair {
    manner: Manner,
    sides: [Side; 2],
}

/// Descriptors that came with octets of the stream: their place in it.
struct Attached {
    octets: Range<u64>,
    rights: Rights,
}

struct Side {
    /// What has come in and was not read yet.
    octets: RefCell<VecDeque<u8>>,
    /// The lengths of what was written, between Unix sockets: when all of one was read, whoever wrote it is told of room.
    writes: RefCell<VecDeque<usize>>,
    /// How many octets were read, and which descriptors have come with those that were not.
    read: Cell<u64>,
    rights: RefCell<VecDeque<Attached>>,
    queue: Rc<Queue>,
    error: Cell<c_int>,
    /// No more comes in, or nobody wants it.
    is_read_closed: Cell<bool>,
    is_write_closed: Cell<bool>,
    /// The end of what it writes was sent.
    has_finished: Cell<bool>,
    /// The connection was reset.
    is_reset: Cell<bool>,
    /// Nobody holds this end any more.
    is_gone: Cell<bool>,
    /// There was no room for what it had to write.
    wants_room: Cell<bool>,
}

impl Side {
    fn new(queue: &Rc<Queue>) -> Self {
        Self {
            octets: RefCell::default(),
            writes: RefCell::default(),
            read: Cell::default(),
            rights: RefCell::default(),
            queue: queue.clone(),
            error: Cell::default(),
            is_read_closed: Cell::default(),
            is_write_closed: Cell::default(),
            has_finished: Cell::default(),
            is_reset: Cell::default(),
            is_gone: Cell::default(),
            wants_room: Cell::default(),
        }
    }

    fn room(&self) -> usize {
        CAPACITY - self.octets.borrow().len()
    }

    /// How many octets a read has at the most: it ends behind those that descriptors have come with.
    fn reach(&self) -> usize {
        let first = self.rights.borrow();
        let first = first
            .front()
            .map(|first| first.octets.end - self.read.get());
        first.map_or(usize::MAX, |octets| octets as usize)
    }

    /// The descriptors that have come with what was read or looked at, up to `end`.
    fn take_rights(&self, end: u64, peek: bool) -> Rights {
        let mut all = self.rights.borrow_mut();
        let first = all.front_mut().filter(|first| first.octets.start < end);
        let taken = first.map(|first| first.rights.take(peek));
        if taken.is_some() && !peek {
            all.pop_front();
        }
        taken.unwrap_or_default()
    }

    /// So many octets were written at once.
    fn has_come(&self, octets: usize) {
        let mut writes = self.writes.borrow_mut();
        let is_full = writes.len() >= MOST_WRITES;
        match writes.back_mut().filter(|_| is_full) {
            Some(last) => *last += octets,
            None => writes.push_back(octets),
        }
    }

    /// So many octets were read; whether that ends something that was written.
    fn has_read_all_of_one(&self, mut octets: usize) -> bool {
        let mut writes = self.writes.borrow_mut();
        let before = writes.len();
        while let Some(first) = writes.front_mut() {
            if octets < *first {
                *first -= octets;
                break;
            }
            octets -= *first;
            writes.pop_front();
        }
        writes.len() < before
    }

    /// It has ended in both directions.
    fn end(&self, error: c_int) {
        if error != 0 {
            self.error.set(error);
        }
        self.is_reset.set(true);
        self.is_read_closed.set(true);
        self.is_write_closed.set(true);
        self.queue.wake(ALL);
    }
}

impl End {
    /// Both ends of a connection between sockets whose queues these are.
    pub(super) fn pair(manner: Manner, queues: [&Rc<Queue>; 2]) -> [Self; 2] {
        let sides = queues.map(Side::new);
        let pair = Rc::new(Pair { manner, sides });
        [0, 1].map(|here| Self {
            pair: pair.clone(),
            here,
        })
    }

    fn side(&self) -> &Side {
        &self.pair.sides[self.here]
    }

    fn other(&self) -> &Side {
        &self.pair.sides[1 - self.here]
    }

    pub(super) fn read(&self, buffers: &mut [IoSliceMut<'_>], peek: bool) -> Result<usize> {
        // Descriptors that came with it are closed.
        Ok(self.read_with(buffers, peek)?.0)
    }

    /// As [`End::read`], with the descriptors.
    pub(super) fn read_with(
        &self,
        buffers: &mut [IoSliceMut<'_>],
        peek: bool,
    ) -> Result<(usize, Rights)> {
        let side = self.side();
        let start = side.read.get();
        let octets = self.read_octets(buffers, peek)?;
        Ok((octets, side.take_rights(start + octets as u64, peek)))
    }

    fn read_octets(&self, buffers: &mut [IoSliceMut<'_>], peek: bool) -> Result<usize> {
        let side = self.side();
        let mut octets = side.octets.borrow_mut();
        if octets.is_empty() {
            if self.is_tcp() && self.other().has_finished.get() {
                // The end was received, and an error that came later is not the reader's.
                return Ok(0);
            }
            return match side.error.take() {
                0 if side.is_read_closed.get() => Ok(0),
                0 => Err(Errno::AGAIN),
                error => fail(error),
            };
        }
        let mut left = side.reach();
        if peek {
            // Only the first buffer: a look at what comes first.
            let first = buffers.iter_mut().find(|buffer| !buffer.is_empty());
            return Ok(first.map_or(0, |buffer| copy(&octets, up_to(left, buffer))));
        }
        let read = scatter(buffers, |buffer| {
            let read = take(&mut octets, up_to(left, buffer));
            left -= read;
            Ok(read)
        })?;
        drop(octets);
        side.read.set(side.read.get() + read as u64);
        let other = self.other();
        if side.has_read_all_of_one(read) {
            other.queue.wake(WRITE);
        }
        if other.wants_room.get() && side.room() * 3 >= CAPACITY {
            other.wants_room.set(false);
            other.queue.wake(WRITE);
        }
        Ok(read)
    }

    pub(super) fn write(&self, buffers: &[IoSlice<'_>]) -> Result<usize> {
        self.write_with(buffers, &mut Rights::default())
    }

    /// As [`End::write`], with descriptors, which are taken with the first octet.
    pub(super) fn write_with(&self, buffers: &[IoSlice<'_>], rights: &mut Rights) -> Result<usize> {
        let (side, other) = (self.side(), self.other());
        if self.is_tcp() {
            match side.error.take() {
                0 => {}
                error => return fail(error),
            }
        }
        if side.is_write_closed.get() {
            return fail(EPIPE);
        }
        let is_refused = other.is_read_closed.get() && other.has_finished.get();
        if other.is_gone.get() || (self.is_tcp() && is_refused) {
            // What is sent to a TCP that wants nothing more, or has gone, is answered by a reset.
            side.end(EPIPE);
            other.end(ECONNRESET);
            return Ok(total(buffers));
        }
        if other.room() == 0 {
            side.wants_room.set(true);
            return Err(Errno::AGAIN);
        }
        if !rights.is_empty() {
            other.rights.borrow_mut().try_reserve(1).or(fail(ENOMEM))?;
            memory::check()?;
        }
        let written = gather(buffers, |buffer| {
            let part = &buffer[..buffer.len().min(other.room())];
            memory::extend(&mut other.octets.borrow_mut(), part)?;
            Ok(part.len())
        })?;
        if other.room() == 0 || written < total(buffers) {
            side.wants_room.set(true);
        }
        if !self.is_tcp() {
            other.has_come(written);
        }
        if !rights.is_empty() {
            let end = other.read.get() + other.octets.borrow().len() as u64;
            other.rights.borrow_mut().push_back(Attached {
                octets: end - written as u64..end,
                rights: mem::take(rights),
            });
        }
        other.queue.wake(READ);
        Ok(written)
    }

    fn is_tcp(&self) -> bool {
        self.pair.manner == Manner::Tcp
    }

    /// Whether TCP has ended the connection in both directions.
    fn has_ended(&self) -> bool {
        let both = self.side().has_finished.get() && self.other().has_finished.get();
        self.is_tcp() && (self.side().is_reset.get() || both)
    }

    /// # Errors
    ///
    /// `ENOTCONN` if TCP has ended the connection in both directions.
    pub(super) fn shutdown(&self, how: Shutdown) -> Result<()> {
        let (side, other) = (self.side(), self.other());
        let has_ended = self.has_ended();
        let mut is_news = !self.is_tcp();
        if matches!(how, Shutdown::Read | Shutdown::Both) {
            side.is_read_closed.set(true);
            if !self.is_tcp() {
                other.is_write_closed.set(true);
            }
        }
        if matches!(how, Shutdown::Write | Shutdown::Both) {
            side.is_write_closed.set(true);
            if !has_ended && !side.has_finished.replace(true) {
                is_news = true;
                other.is_read_closed.set(true);
            }
        }
        // The one that Linux tells first, first.
        let mut told = [Some(side), is_news.then_some(other)];
        if self.is_tcp() {
            told.reverse();
        }
        for side in told.into_iter().flatten() {
            side.queue.wake(ALL);
        }
        if has_ended { fail(ENOTCONN) } else { Ok(()) }
    }

    pub(super) fn ready(&self) -> Events {
        let (side, other) = (self.side(), self.other());
        let mut events = 0;
        let [no_more, closed] = [&side.is_read_closed, &side.is_write_closed].map(Cell::get);
        if no_more {
            events |= READ | RDHUP;
        }
        if no_more && closed {
            events |= HUP;
        }
        if !side.octets.borrow().is_empty() {
            events |= READ;
        }
        if side.error.get() != 0 {
            events |= ERR;
        }
        if closed || other.is_gone.get() || other.room() * 3 >= CAPACITY {
            events |= WRITE;
        } else {
            side.wants_room.set(true);
        }
        events
    }

    pub(super) fn readable(&self) -> usize {
        self.side().octets.borrow().len()
    }

    pub(super) fn take_error(&self) -> c_int {
        self.side().error.take()
    }

    /// A call that has got somewhere does not tell this error: it is as if it had not been taken. A broken pipe needs no keeping,
    /// as all that write have it.
    pub(super) fn keep_error(&self, error: Errno) {
        if error == Errno(ECONNRESET) && self.side().is_reset.get() {
            self.side().error.set(ECONNRESET);
        }
    }

    /// The end of this end is to be a reset.
    pub(super) fn reset(&self) {
        self.side().is_reset.set(true);
        self.other().end(ECONNRESET);
    }
}

/// A part of a buffer.
fn up_to(octets: usize, buffer: &mut [u8]) -> &mut [u8] {
    let octets = octets.min(buffer.len());
    &mut buffer[..octets]
}

impl Drop for End {
    fn drop(&mut self) {
        let (side, other) = (self.side(), self.other());
        side.is_gone.set(true);
        drop(side.rights.take());
        let unread = !side.octets.take().is_empty();
        if other.is_gone.get() || self.has_ended() {
            return;
        }
        match self.pair.manner {
            // To who has received the end a reset is a broken pipe.
            Manner::Tcp if unread && side.has_finished.get() => other.end(EPIPE),
            _ if unread => other.end(ECONNRESET),
            Manner::Unix => other.end(0),
            Manner::Tcp if side.has_finished.replace(true) => {}
            Manner::Tcp => {
                other.is_read_closed.set(true);
                other.queue.wake(ALL);
            }
        }
    }
}
