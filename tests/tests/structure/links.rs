//! Links of the documents: to files of the repository, and to headings in them; and what the book lists.

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

/// What the links of a text lead to, as a file and a heading in it, each of which may be empty.
fn targets(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let links = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'));
    links
        .map(|(target, _)| target.split_once('#').unwrap_or((target, "")))
        .filter(|(file, _)| !file.contains(':'))
}

/// What the headings of a document are called in links: in small letters, with `-` for spaces, and without what is neither
/// a letter, a digit, `-` nor `_`.
fn headings(text: &str) -> Vec<String> {
    let mut in_block = false;
    let mut headings = Vec::new();
    for line in text.lines() {
        in_block ^= line.starts_with("```");
        let heading = line.trim_start_matches('#');
        if in_block || heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let kept = |c: &char| c.is_alphanumeric() || matches!(c, '-' | '_' | ' ');
        let name: String = heading.trim().chars().filter(kept).collect();
        headings.push(name.to_lowercase().replace(' ', "-"));
    }
    headings
}

/// What is wrong with a link from a document in `folder`, whose text is `text`.
fn fault(folder: &Path, text: &str, (file, heading): (&str, &str)) -> Option<&'static str> {
    let target = folder.join(file);
    if !file.is_empty() && !target.exists() {
        return Some("no file");
    }
    if heading.is_empty() || !(file.is_empty() || file.ends_with(".md")) {
        return None;
    }
    let read = (!file.is_empty()).then(|| fs::read_to_string(&target).expect("it exists"));
    let found = headings(read.as_deref().unwrap_or(text)).contains(&heading.to_owned());
    (!found).then_some("no heading")
}

#[test]
fn links_are_found_and_told_from_addresses() {
    let text = "[a](b/c.rs) and [d](https://e.example/f#g), [g](#h), [i](j.md#k)";
    assert_eq!(
        targets(text).collect::<Vec<_>>(),
        [("b/c.rs", ""), ("", "h"), ("j.md", "k")]
    );
}

#[test]
fn headings_have_names() {
    let text = "# A `b`: c-d, E\n#no\n```\n# in a block\n```\n## Two";
    assert_eq!(headings(text), ["a-b-c-d-e", "two"]);
    assert_eq!(fault(Path::new("."), text, ("", "two")), None);
    assert_eq!(fault(Path::new("."), text, ("", "no")), Some("no heading"));
}

#[test]
fn every_link_of_a_document_leads_to_a_file_or_heading() {
    let documents = documents();
    assert!(documents.contains(&PathBuf::from("ARCHITECTURE.md")));
    let mut dead = Vec::new();
    for document in documents {
        let path = root().join(&document);
        let text = fs::read_to_string(&path).expect("it is listed");
        let folder = path.parent().unwrap_or(Path::new(""));
        for (file, heading) in targets(&text) {
            if let Some(fault) = fault(folder, &text, (file, heading)) {
                dead.push(format!("{}: {file}#{heading}: {fault}", document.display()));
            }
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

#[test]
fn the_book_lists_every_document_in_its_folder() {
    let summary = fs::read_to_string(root().join("docs/SUMMARY.md")).expect("the book has one");
    let listed: Vec<_> = targets(&summary).map(|(file, _)| file).collect();
    let documents = documents();
    let pages = documents
        .iter()
        .filter_map(|path| path.strip_prefix("docs").ok());
    let missing: Vec<_> = pages
        .filter(|page| *page != "SUMMARY.md" && !listed.iter().any(|file| *page == Path::new(file)))
        .collect();
    assert!(missing.is_empty(), "not in docs/SUMMARY.md: {missing:?}");
}
