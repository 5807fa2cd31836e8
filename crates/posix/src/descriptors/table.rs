//! The table: numbers, and what they stand for.

use core::cell::RefCell;
use core::ffi::c_int;
use std::rc::Rc;

use libc::{EBADF, EINVAL, EMFILE, ENOMEM};

use super::open::Open;
use crate::error::{Result, fail};
use crate::memory;

/// Descriptors, at most.
pub(crate) const LIMIT: usize = 16 << 10;

/// What a number stands for.
struct Entry {
    open: Rc<Open>,
    /// `FD_CLOEXEC`, which means nothing where no program takes the place of another, and is told as it was set.
    closes_on_exec: bool,
}

/// All descriptors. A new one is the lowest number that is free.
#[derive(Default)]
pub(crate) struct Table {
    numbers: RefCell<Numbers>,
}

#[derive(Default)]
struct Numbers {
    entries: Vec<Option<Entry>>,
    /// None below is free.
    lowest: usize,
}

impl Table {
    pub(crate) const fn new() -> Self {
        Self {
            numbers: RefCell::new(Numbers {
                entries: Vec::new(),
                lowest: 0,
            }),
        }
    }

    /// # Errors
    ///
    /// `EBADF`.
    pub(crate) fn open(&self, fd: c_int) -> Result<Rc<Open>> {
        self.with(fd, |entry| entry.open.clone())
    }

    /// # Errors
    ///
    /// `EMFILE` when there are as many as may be, `ENOMEM` if there is no memory.
    pub(crate) fn add(&self, open: Rc<Open>, closes_on_exec: bool) -> Result<c_int> {
        self.add_from(0, open, closes_on_exec)
    }

    /// Whether there is room for one more.
    ///
    /// # Errors
    ///
    /// As of [`Table::add`].
    pub(crate) fn check(&self) -> Result<()> {
        let Numbers { entries, lowest } = &mut *self.numbers.borrow_mut();
        if entries.len() < LIMIT {
            entries.try_reserve(1).or(fail(ENOMEM))?;
        } else if entries[*lowest..].iter().all(Option::is_some) {
            return fail(EMFILE);
        }
        memory::check()
    }

    /// As [`Table::add`], not below a number.
    ///
    /// # Errors
    ///
    /// Those; `EINVAL` if `least` is none that may be.
    pub(crate) fn add_from(
        &self,
        least: c_int,
        open: Rc<Open>,
        closes_on_exec: bool,
    ) -> Result<c_int> {
        let least = usize::try_from(least).unwrap_or(LIMIT);
        if least >= LIMIT {
            return fail(EINVAL);
        }
        let Numbers { entries, lowest } = &mut *self.numbers.borrow_mut();
        let start = least.max(*lowest);
        let free = entries.iter().skip(start).position(Option::is_none);
        let number = free.map_or(entries.len().max(start), |index| start + index);
        if number >= LIMIT {
            return fail(EMFILE);
        }
        lengthen(entries, number)?;
        entries[number] = Some(Entry {
            open,
            closes_on_exec,
        });
        if *lowest == number || least <= *lowest {
            *lowest = number + 1;
        }
        Ok(number as c_int)
    }

    /// Has the number stand for this, and returns what it stood for.
    ///
    /// # Errors
    ///
    /// `EBADF` if it is none that may be, `ENOMEM` if there is no memory.
    pub(crate) fn replace(
        &self,
        fd: c_int,
        open: Rc<Open>,
        closes_on_exec: bool,
    ) -> Result<Option<Rc<Open>>> {
        let number = usize::try_from(fd).unwrap_or(LIMIT);
        if number >= LIMIT {
            return fail(EBADF);
        }
        let entries = &mut self.numbers.borrow_mut().entries;
        lengthen(entries, number)?;
        let new = Entry {
            open,
            closes_on_exec,
        };
        Ok(entries[number].replace(new).map(|former| former.open))
    }

    /// Frees the number. Who gets the result drops it, which may end what it stood for.
    ///
    /// # Errors
    ///
    /// `EBADF`.
    pub(crate) fn remove(&self, fd: c_int) -> Result<Rc<Open>> {
        let Numbers { entries, lowest } = &mut *self.numbers.borrow_mut();
        let number = usize::try_from(fd).unwrap_or(LIMIT);
        let entry = entries.get_mut(number).and_then(Option::take);
        match entry {
            Some(entry) => {
                *lowest = number.min(*lowest);
                Ok(entry.open)
            }
            None => fail(EBADF),
        }
    }

    /// Frees all but the console's three. Who gets the result drops it.
    pub(crate) fn take_all(&self) -> Vec<Rc<Open>> {
        let Numbers { entries, lowest } = &mut *self.numbers.borrow_mut();
        *lowest = 3.min(*lowest);
        let taken = entries.iter_mut().skip(3).filter_map(Option::take);
        taken.map(|entry| entry.open).collect()
    }

    /// What `select` asks no descriptors beyond, as of Linux' table: whole words of its sets, all that are open, and one word at
    /// least.
    pub(crate) fn size(&self) -> usize {
        let numbers = self.numbers.borrow();
        numbers.entries.len().max(1).next_multiple_of(64)
    }

    /// # Errors
    ///
    /// `EBADF`.
    pub(crate) fn closes_on_exec(&self, fd: c_int) -> Result<bool> {
        self.with(fd, |entry| entry.closes_on_exec)
    }

    /// # Errors
    ///
    /// `EBADF`.
    pub(crate) fn set_closes_on_exec(&self, fd: c_int, on: bool) -> Result<()> {
        self.with(fd, |entry| entry.closes_on_exec = on)
    }

    fn with<T>(&self, fd: c_int, look: impl FnOnce(&mut Entry) -> T) -> Result<T> {
        let entries = &mut self.numbers.borrow_mut().entries;
        let index = usize::try_from(fd).unwrap_or(LIMIT);
        match entries.get_mut(index) {
            Some(Some(entry)) => Ok(look(entry)),
            _ => fail(EBADF),
        }
    }
}

/// Has a number be one of the table's, which has room for all that are opened soon.
fn lengthen(entries: &mut Vec<Option<Entry>>, number: usize) -> Result<()> {
    if entries.len() <= number {
        let more = number + 1 - entries.len();
        entries.try_reserve(more).or(fail(ENOMEM))?;
        memory::check()?;
        entries.resize_with(number + 1, || None);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
