//! Tests of the public interface, in one binary:
//!
//! - `c_source`: the C source, compiled;
//! - `cli`: the program `solo5-elftool`;
//! - `elf`: executables, good and bad, through the reader of untrusted files;
//! - `hostile`: damaged executables and sources by the thousand, from a seed;
//! - `invariants`: what holds of any input, shared with the fuzz targets;
//! - `json`: manifests in JSON, good and bad;
//! - `note`: manifests in notes;
//! - `support`: builds the executables.

mod c_source;
mod cli;
mod elf;
mod hostile;
mod invariants;
mod json;
mod note;
mod support;
