//! Links of the documents to files of the repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use system_tests::workspace as root;

/// The documents that git knows of, from the root.
fn documents() -> Vec<PathBuf> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "*.md",
        ])
        .current_dir(root())
        .output()
        .expect("git lists the files");
    let files = String::from_utf8(output.stdout).expect("names are text");
    files.lines().map(PathBuf::from).collect()
}

/// What the links of a text lead to, if that is a file.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    let links = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'));
    links
        .map(|(target, _)| target.split('#').next().unwrap_or_default())
        .filter(|target| !target.is_empty() && !target.contains(':'))
}

#[test]
fn links_are_found_and_told_from_addresses() {
    let text = "[a](b/c.rs) and [d](https://e.example/f), [g](#h), [i](j.md#k)";
    assert_eq!(targets(text).collect::<Vec<_>>(), ["b/c.rs", "j.md"]);
}

#[test]
fn every_link_of_a_document_leads_to_a_file() {
    let documents = documents();
    assert!(documents.contains(&PathBuf::from("ARCHITECTURE.md")));
    let mut dead = Vec::new();
    for document in documents {
        let path = root().join(&document);
        let text = fs::read_to_string(&path).expect("it is listed");
        let folder = path.parent().unwrap_or(Path::new(""));
        for target in targets(&text).filter(|target| !folder.join(target).exists()) {
            dead.push(format!("{}: {target}", document.display()));
        }
    }
    assert!(dead.is_empty(), "links to nothing: {dead:#?}");
}

/// The tests that SECURITY.md's table of attempts names.
#[test]
fn every_test_that_the_security_table_names_is_one() {
    let read = |path: &Path| fs::read_to_string(path).expect("a source file");
    let mut sources = read(&root().join("crates/tender/src/confine/tests.rs"));
    for file in fs::read_dir(root().join("crates/tender/tests/it")).expect("the tender's tests") {
        let path = file.expect("an entry").path();
        if path.is_file() {
            sources += &read(&path);
        }
    }
    let text = read(&root().join("SECURITY.md"));
    let rows: Vec<_> = text.lines().filter(|line| line.starts_with("| ")).collect();
    assert!(rows.len() > 10, "{rows:?}");
    // Behind the headings.
    for row in &rows[2..] {
        let tests = row.trim_end_matches('|').rsplit_once('|').expect("cells").1;
        let named: Vec<_> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "no test: {row}");
        for name in named {
            let test = format!("#[test]\nfn {name}()");
            assert!(sources.contains(&test), "no test {name}: {row}");
        }
    }
}
