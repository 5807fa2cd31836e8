//! Descriptors 0, 1 and 2: no input, and the console, which takes everything.

use std::io::{IoSlice, IoSliceMut};

use libc::S_IFCHR;

use super::open::{Description, Kind, gather};
use crate::error::Result;
use crate::readiness::queue::Queue;
use crate::readiness::{Events, READ, WRITE};

/// The console.
pub(super) struct Console;

#[cfg(solo5)]
pub(crate) fn write(octets: &[u8]) {
    unsafe extern "C" {
        fn solo5_console_write(octets: *const u8, size: usize);
    }
    // SAFETY: a slice is valid for reads of its length.
    unsafe { solo5_console_write(octets.as_ptr(), octets.len()) };
}

/// A test has none.
#[cfg(not(solo5))]
pub(crate) fn write(_octets: &[u8]) {}

impl Description for Console {
    /// Always at the end.
    fn read(&self, _buffers: &mut [IoSliceMut<'_>]) -> Result<usize> {
        Ok(0)
    }

    fn write(&self, buffers: &[IoSlice<'_>]) -> Result<usize> {
        gather(buffers, |octets| {
            write(octets);
            Ok(octets.len())
        })
    }

    fn ready(&self) -> Events {
        READ | WRITE
    }

    fn queue(&self) -> Option<&Queue> {
        None
    }

    fn kind(&self) -> Kind {
        S_IFCHR
    }
}
