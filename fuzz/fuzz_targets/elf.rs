//! Any bytes as an executable: load plan, ABI note and manifest.
//!
//! The bytes are tried as they are, then as patches to a good executable, so that the target gets
//! behind the first checks without a corpus.
#![no_main]

#[allow(dead_code, reason = "the other target's part")]
#[path = "../../crates/manifest-gen/tests/it/invariants.rs"]
mod invariants;
#[allow(dead_code, reason = "the tests' part")]
#[path = "../../crates/manifest-gen/tests/it/support.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    invariants::check_executable(bytes);
    invariants::check_executable(&patched(bytes));
});

/// A good executable with a 64-bit number put at an offset for every ten bytes.
fn patched(patches: &[u8]) -> Vec<u8> {
    let mut file = support::executable();
    for &[low, high, ref number @ ..] in patches.as_chunks::<10>().0 {
        let offset = usize::from(u16::from_le_bytes([low, high])) % file.len();
        for (byte, new) in file[offset..].iter_mut().zip(number) {
            *byte = *new;
        }
    }
    file
}
