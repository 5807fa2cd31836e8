//! The pages of the book in `docs`: their Rust is documentation tests of this package.
// What the pages show are whole programs and files.
#![allow(clippy::needless_doctest_main, clippy::test_attr_in_doctest)]

include!(concat!(env!("OUT_DIR"), "/pages.rs"));
