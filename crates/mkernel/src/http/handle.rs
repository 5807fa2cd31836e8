//! Connections as `hyper` has them: what may be sent to other threads.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::thread::{self, ThreadId};

use hyper::rt::{Read, ReadBufCursor, Write};
use slab::Slab;

use super::wire::Wire;

thread_local! {
    /// The connections that `hyper` has a [`Handle`] of.
    static WIRES: RefCell<Slab<(u64, Rc<Wire>)>> = const { RefCell::new(Slab::new()) };
}

/// Handles that were dropped on other threads than their own.
static LOST: Mutex<Vec<(ThreadId, Entry)>> = Mutex::new(Vec::new());

/// Where a connection is, and its number, which no other has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    key: usize,
    number: u64,
}

impl Entry {
    fn new(wire: &Rc<Wire>) -> Self {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        let key = WIRES.with_borrow_mut(|wires| wires.insert((number, wire.clone())));
        let entry = Self { key, number };
        wire.entry.set(Some(entry));
        entry
    }

    fn wire(self) -> Option<Rc<Wire>> {
        WIRES.with_borrow(|wires| {
            let (number, wire) = wires.get(self.key)?;
            (*number == self.number).then(|| wire.clone())
        })
    }

    /// Whoever drops what this returns does it while nothing is borrowed: it may be the last of others.
    pub(super) fn remove(self) -> Option<Rc<Wire>> {
        let remove = |wires: &RefCell<Slab<(u64, Rc<Wire>)>>| {
            let mut wires = wires.borrow_mut();
            let (number, _) = wires.get(self.key)?;
            (*number == self.number).then(|| wires.remove(self.key).1)
        };
        // At the end of the thread they are gone with it.
        WIRES.try_with(remove).ok().flatten()
    }
}

/// A connection by its number: `hyper` wants what it gives away in an upgrade to be `Send`, which a stream is
/// not. On another thread it is an error to use it.
#[derive(Debug)]
pub(super) struct Handle {
    entry: Entry,
    home: ThreadId,
}

impl Handle {
    pub(super) fn new(wire: &Rc<Wire>) -> Self {
        Self {
            entry: Entry::new(wire),
            home: thread::current().id(),
        }
    }

    /// Closes the connections whose handles were dropped on other threads than this, which is theirs.
    pub(super) fn close_lost() {
        let here = thread::current().id();
        let mut lost = LOST.lock().unwrap_or_else(PoisonError::into_inner);
        let ours: Vec<_> = lost.extract_if(.., |(home, _)| *home == here).collect();
        drop(lost);
        for (_, entry) in ours {
            drop(entry.remove());
        }
    }

    fn wire(&self) -> io::Result<Rc<Wire>> {
        if thread::current().id() != self.home {
            let text = "a connection used on another thread than its own";
            return Err(io::Error::other(text));
        }
        let ended = || io::Error::new(io::ErrorKind::NotConnected, "the connection has ended");
        self.entry.wire().ok_or_else(ended)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if thread::current().id() == self.home {
            drop(self.entry.remove());
        } else {
            let mut lost = LOST.lock().unwrap_or_else(PoisonError::into_inner);
            lost.push((self.home, self.entry));
        }
    }
}

impl Read for Handle {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        self.wire()?.poll_read(context, cursor)
    }
}

impl Write for Handle {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.wire()?.poll_write(|io| io.poll_write(context, octets))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let write = |io: Pin<&mut dyn Write>| io.poll_write_vectored(context, parts);
        self.wire()?.poll_write(write)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire()?.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire()?.io.borrow_mut().writer().poll_shutdown(context)
    }
}
