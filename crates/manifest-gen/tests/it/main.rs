//! Tests of the public interface, in one binary:
//!
//! - `c_source`: the C source, compiled;
//! - `cli`: the program `solo5-elftool`;
//! - `elf`: executables, good and bad, through the reader of untrusted files;
//! - `json`: manifests in JSON, good and bad;
//! - `note`: manifests in notes;
//! - `support`: builds the executables.

mod c_source;
mod cli;
mod elf;
mod json;
mod note;
mod support;
