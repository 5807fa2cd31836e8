//! Tests of the public interface, in one binary:
//!
//! - `elf`: executables, good and bad, through the reader of untrusted files;
//! - `support`: builds the executables.

mod elf;
mod support;
