//! Makes the certificate, as whoever builds such a program would: it is nowhere but in the program.

use std::path::Path;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let made = rcgen::generate_simple_self_signed(["compiled.example".to_owned()]);
    let made = made.expect("a certificate");
    let out = env::var_os("OUT_DIR").expect("set by cargo");
    for (file, text) in [
        ("certificate.pem", made.cert.pem()),
        ("key.pem", made.signing_key.serialize_pem()),
    ] {
        fs::write(Path::new(&out).join(file), text).expect("a folder of ours");
    }
}
