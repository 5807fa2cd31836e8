//! Hashes, against what their specifications give.

use sha2::Digest as _;

fn hex(bytes: impl AsRef<[u8]>) -> String {
    let digit = |byte: &u8| format!("{byte:02x}");
    bytes.as_ref().iter().map(digit).collect()
}

/// FIPS 180-2's examples.
pub(crate) fn sha2() {
    assert_eq!(
        hex(sha2::Sha256::digest(b"abc")),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    assert!(hex(sha2::Sha512::digest(b"abc")).starts_with("ddaf35a193617abacc417349ae204131"));
}

/// The empty input, and one that is hashed as a tree is what it is in parts.
pub(crate) fn blake3() {
    assert_eq!(
        blake3::hash(b"").to_hex().as_str(),
        "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
    );
    let bytes: Vec<u8> = (0..100_000_u32)
        .map(|number| (number % 251) as u8)
        .collect();
    let mut parts = blake3::Hasher::new();
    bytes.chunks(777).for_each(|part| {
        parts.update(part);
    });
    assert_eq!(parts.finalize(), blake3::hash(&bytes));
}
