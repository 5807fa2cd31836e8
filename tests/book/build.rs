//! Makes a module of each page that the book's summary lists.

use std::path::Path;
use std::{env, fs};

fn main() {
    let docs =
        Path::new(&env::var("CARGO_MANIFEST_DIR").expect("Cargo sets it")).join("../../docs");
    let summary = docs.join("SUMMARY.md");
    println!("cargo::rerun-if-changed={}", summary.display());
    let text = fs::read_to_string(&summary).expect("the book has a summary");
    let mut modules = String::new();
    for (name, _) in text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
    {
        let module = name
            .trim_end_matches(".md")
            .replace(['/', '-'], "_")
            .to_lowercase();
        let page = docs.join(name);
        modules += &format!("#[doc = include_str!({page:?})]\npub mod {module} {{}}\n");
    }
    let out = env::var("OUT_DIR").expect("Cargo sets it");
    fs::write(Path::new(&out).join("pages.rs"), modules).expect("the folder is ours");
}
