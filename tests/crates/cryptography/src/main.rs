//! Randomness, hashes, signatures and TLS.

mod hashes;
mod randomness;
mod signatures;
mod tls;

use std::process::ExitCode;

fn main() -> ExitCode {
    rows::run(&[
        ("getrandom 0.2", randomness::getrandom_0_2),
        ("rand 0.8", randomness::rand_0_8),
        ("rand 0.10", randomness::rand_0_10),
        ("sha2", hashes::sha2),
        ("blake3", hashes::blake3),
        ("rsa", signatures::rsa),
        ("ed25519-dalek", signatures::ed25519_dalek),
        ("ring", signatures::ring),
        ("aws-lc-rs", signatures::aws_lc_rs),
        ("rustls", tls::rustls),
    ])
}
