//! The Rust files of this repository.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that have them.
const FOLDERS: [&str; 5] = ["ci", "crates", "examples", "fuzz", "tests"];

/// A file's path, counted from the repository's root, and text.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn parse(&self) -> syn::File {
        syn::parse_file(&self.text).unwrap_or_else(|error| panic!("{}: {error}", self.path))
    }
}

/// All Rust files, by path.
pub(crate) fn all() -> Vec<Source> {
    let root = system_tests::workspace();
    let mut paths = Vec::new();
    for folder in FOLDERS {
        collect(&root.join(folder), &mut paths);
    }
    paths.sort();
    assert!(!paths.is_empty(), "no Rust file below {}", root.display());
    let read = |path: PathBuf| Source {
        text: fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display())),
        path: path
            .strip_prefix(root)
            .expect("below the root")
            .display()
            .to_string(),
    };
    paths.into_iter().map(read).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
    {
        let path = entry.expect("an entry").path();
        // Not followed where they are links, nor where Cargo builds.
        if path.is_dir() && !path.is_symlink() && !path.ends_with("target") {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}
