//! Popular crates, unmodified, tested inside a unikernel with
//! `cargo test -p crates-exercise --target x86_64-solo5-spt`: the tests are in `tests/`, and this is
//! one of rustdoc's:
//!
//! ```
//! let number: u32 = crates_exercise::ANSWER.parse().unwrap();
//! assert_eq!(number, 42);
//! ```

/// What the documentation's test parses.
pub const ANSWER: &str = "42";
