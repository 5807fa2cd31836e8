//! What the program has open.

use core::cell::{Cell, OnceCell};
use core::ffi::c_int;
use std::rc::Rc;

use libc::{O_RDONLY, O_WRONLY};

use super::console::Console;
use super::open::{Description, Open};
use super::table::Table;
use super::timer::Timers;
use crate::error::Result;
use crate::memory;

/// Descriptors and timers.
pub(crate) struct Process {
    pub(crate) table: Table,
    pub(super) timers: OnceCell<Rc<Timers>>,
    /// How often in a row a call has returned that had nothing, or might have waited for others and did not.
    pub(super) restless: Cell<u32>,
    has_begun: Cell<bool>,
}

global! {
    static PROCESS: Process = Process::new();
}

impl Process {
    const fn new() -> Self {
        Self {
            table: Table::new(),
            timers: OnceCell::new(),
            restless: Cell::new(0),
            has_begun: Cell::new(false),
        }
    }

    /// Opens what every program finds open.
    fn begin(&self) {
        let console: Rc<dyn Description> = Rc::new(Console);
        let input = Open::new(console.clone(), O_RDONLY);
        let output = Open::new(console, O_WRONLY);
        for open in [input, output.clone(), output] {
            // An empty table has room.
            let _ = self.table.add(open, false);
        }
    }
}

/// Calls `f`, which must not wait.
pub(crate) fn with<R>(f: impl FnOnce(&Process) -> R) -> R {
    PROCESS.with(|process| {
        if !process.has_begun.replace(true) {
            process.begin();
        }
        f(process)
    })
}

/// What a descriptor stands for.
///
/// # Errors
///
/// `EBADF`.
pub(crate) fn open(fd: c_int) -> Result<Rc<Open>> {
    with(|process| process.table.open(fd))
}

/// A descriptor for something new.
///
/// # Errors
///
/// `EMFILE`, and `ENOMEM` if little memory is left.
pub(crate) fn add(
    description: Rc<dyn Description>,
    flags: c_int,
    closes_on_exec: bool,
) -> Result<c_int> {
    memory::check()?;
    let open = Open::new(description, flags);
    with(|process| process.table.add(open, closes_on_exec))
}

/// Two, or none.
///
/// # Errors
///
/// `EMFILE`.
pub(crate) fn add_both(
    descriptions: [Rc<dyn Description>; 2],
    flags: [c_int; 2],
    closes_on_exec: bool,
) -> Result<[c_int; 2]> {
    let [first, second] = descriptions;
    let first = add(first, flags[0], closes_on_exec)?;
    match add(second, flags[1], closes_on_exec) {
        Ok(second) => Ok([first, second]),
        Err(error) => {
            let closed = with(|process| process.table.remove(first));
            drop(closed);
            Err(error)
        }
    }
}
