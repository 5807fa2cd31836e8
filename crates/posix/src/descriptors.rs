//! Descriptors: one table, and what the numbers in it stand for.

pub(crate) mod blocking;
pub(crate) mod calls;
mod console;
mod event;
pub(crate) mod open;
pub(crate) mod pipe;
pub(crate) mod process;
#[cfg(solo5)]
mod symbols;
pub(crate) mod table;
pub(crate) mod timer;
