//! Compiles the C code.

fn main() {
    println!("cargo::rerun-if-changed=src/half.c");
    let mut build = cc::Build::new();
    if std::env::var_os("CARGO_CFG_SOLO5").is_some() {
        build.define("SOLO5", None);
    }
    build.file("src/half.c").compile("half");
}
