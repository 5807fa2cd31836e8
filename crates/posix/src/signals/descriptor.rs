//! `signalfd`: signals that are read in place of handlers.

use core::cell::{Cell, RefCell};
use core::ffi::c_int;
use std::io::{IoSliceMut, Read};
use std::rc::{Rc, Weak};

use libc::{EINVAL, O_NONBLOCK, O_RDWR, SFD_CLOEXEC, SFD_NONBLOCK, signalfd_siginfo};

use super::{MOST, Set, blockable, expect, pending, take};
use crate::descriptors::open::{Description, scatter, total};
use crate::descriptors::process;
use crate::error::{Errno, Result, fail};
use crate::readiness::queue::Queue;
use crate::readiness::{ALL, Events, READ};
use crate::scheduler::inside;
use crate::thread;

/// What is read of each signal.
const SIZE: usize = size_of::<signalfd_siginfo>();

/// Signals that wait for the thread that looks, of a set.
pub(crate) struct Signals {
    set: Cell<Set>,
    queue: Queue,
}

global! {
    static ALL_OF_THEM: RefCell<Vec<Weak<Signals>>> = RefCell::new(Vec::new());
}

/// # Errors
///
/// `EINVAL` if the flags are unknown or `fd`, which is to have another set, is none of these; `EBADF`, and those of a new
/// descriptor, which -1 asks for.
pub(crate) fn signalfd(fd: c_int, set: Set, flags: c_int) -> Result<c_int> {
    if flags & !(SFD_CLOEXEC | SFD_NONBLOCK) != 0 {
        return fail(EINVAL);
    }
    let set = blockable(set);
    expect(set);
    if fd != -1 {
        let open = process::open(fd)?;
        let signals = open.description().as_signals().ok_or(Errno(EINVAL))?;
        signals.set.set(set);
        signals.queue.wake(ALL);
        return Ok(fd);
    }
    let signals = Rc::new(Signals {
        set: Cell::new(set),
        queue: Queue::default(),
    });
    let weak = Rc::downgrade(&signals);
    let mode = O_RDWR | flags & SFD_NONBLOCK;
    let fd = process::add(signals, mode, flags & SFD_CLOEXEC != 0)?;
    ALL_OF_THEM.with(|all| {
        let mut all = all.borrow_mut();
        all.retain(|signals| signals.strong_count() > 0);
        all.push(weak);
    });
    Ok(fd)
}

/// A signal waits from now on: who is asked tells.
pub(super) fn has_come(signal: Set) {
    let all = ALL_OF_THEM.with(|all| all.borrow().clone());
    let meant = all.iter().filter_map(Weak::upgrade);
    for signals in meant.filter(|signals| signals.set.get() & signal != 0) {
        inside(|| signals.queue.wake(READ));
    }
}

impl Description for Signals {
    fn read(&self, buffers: &mut [IoSliceMut<'_>]) -> Result<usize> {
        let most = (total(buffers) / SIZE).min(MOST as usize);
        if most == 0 {
            return fail(EINVAL);
        }
        let next = || take(thread::current()?, self.set.get());
        let taken = core::iter::from_fn(next).take(most);
        let told: Vec<u8> = taken.flat_map(information).collect();
        if told.is_empty() {
            return Err(Errno::AGAIN);
        }
        let mut rest = &told[..];
        scatter(buffers, |buffer| Ok(rest.read(buffer).unwrap_or(0)))
    }

    fn ready(&self) -> Events {
        match pending() & self.set.get() {
            0 => 0,
            _ => READ,
        }
    }

    fn queue(&self) -> Option<&Queue> {
        Some(&self.queue)
    }

    fn as_signals(&self) -> Option<&Signals> {
        Some(self)
    }
}

/// Its number, and that the program itself has sent it (`SI_USER`).
fn information(signal: c_int) -> [u8; SIZE] {
    let mut octets = [0; SIZE];
    octets[..4].copy_from_slice(&signal.to_ne_bytes());
    // `ssi_pid`, behind `ssi_errno` and `ssi_code`.
    octets[12..16].copy_from_slice(&std::process::id().to_ne_bytes());
    octets
}

const _: () = assert!(SFD_NONBLOCK == O_NONBLOCK && SIZE == 128);

#[cfg(test)]
mod tests;
