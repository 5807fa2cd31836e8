//! Any bytes at any place of a disk, as its table of partitions.
#![no_main]

#[allow(dead_code, reason = "the tests' part")]
#[path = "../../crates/blockdev/tests/it/partition/image.rs"]
mod image;
#[path = "../../crates/blockdev/tests/it/partition/invariants.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    invariants::check_image(invariants::image(input));
});
