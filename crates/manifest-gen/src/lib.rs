//! Solo5 application manifests and the executables that carry them.
#![forbid(unsafe_code)]

pub mod elf;
