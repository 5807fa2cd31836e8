//! Unikernels in Rust, started anywhere: what `cargo mkernel` does, and what Cargo runs to build and boot unikernels.
//!
//! For the programs of this package; it is no interface for others.

pub mod command;
pub mod container;
pub mod image;
pub mod machine;
pub mod run;
pub mod toolchain;
