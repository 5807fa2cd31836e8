//! Any bytes as a manifest's JSON.
#![no_main]

#[allow(dead_code, reason = "the other target's part")]
#[path = "../../crates/manifest-gen/tests/it/invariants.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|source: &[u8]| {
    invariants::check_source(source);
});
