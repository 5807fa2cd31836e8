use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::*;

/// What is in a folder and those below, as paths from `root`.
fn files(root: &Path, folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(root, &path, found);
        } else {
            found.insert(path.strip_prefix(root).unwrap().display().to_string());
        }
    }
}

#[test]
fn every_header_of_nolibc_is_written() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("include");
    let mut found = BTreeSet::new();
    files(&root, &root, &mut found);
    let written: BTreeSet<String> = HEADERS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(written, found);
    assert!(HEADERS.iter().all(|(_, text)| !text.is_empty()));
}
