//! Descriptors 0, 1 and 2: no input, and the console, which takes everything.

use std::io::{IoSlice, IoSliceMut};

use libc::S_IFCHR;

use super::open::{Description, Kind, gather};
use crate::error::Result;
use crate::machine::print;
use crate::readiness::queue::Queue;
use crate::readiness::{Events, READ, WRITE};

/// The console.
pub(super) struct Console;

impl Description for Console {
    /// Always at the end.
    fn read(&self, _buffers: &mut [IoSliceMut<'_>]) -> Result<usize> {
        Ok(0)
    }

    fn write(&self, buffers: &[IoSlice<'_>]) -> Result<usize> {
        gather(buffers, |octets| {
            print(octets);
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
