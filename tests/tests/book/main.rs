//! What the book in `docs` shows is run: the commands of its `console` blocks, in order, in one shell for each page, with
//! the files that blocks of other languages are, and what they print is compared with what the page says.
//!
//! The shell is in an empty folder, in namespaces of its own, as root there; the crates of this repository take the place
//! of those of crates.io. Blocks of Rust are documentation tests of the package `book` too.
//!
//! - A command begins with `$ ` and goes on after a backslash at the end of its line. It has to end well.
//! - The lines below it are what it prints. `...`, within a line or as one, stands for anything; none at all are no claim.
//! - A command that ends in `&` goes on, and the lines below it have to come.
//! - A block behind a line that ends in a name in backquotes and a colon is the file of that name.

mod expected;
mod page;
mod session;

use std::fs;
use std::time::Instant;

use system_tests::workspace;

use crate::page::{Page, Step};
use crate::session::Session;

/// Pages whose commands take container engines and supervisors that are not to be had in a test; their own tests try what can
/// be tried of them.
const NOT_HERE: &str = "deploy/";

/// The pages that SUMMARY.md lists.
fn pages() -> Vec<Page> {
    let folder = workspace().join("docs");
    let summary = fs::read_to_string(folder.join("SUMMARY.md")).expect("the book has a summary");
    let names = summary
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'));
    names
        .map(|(name, _)| {
            let text = fs::read_to_string(folder.join(name));
            Page::new(
                name,
                &text.unwrap_or_else(|error| panic!("{name}: {error}")),
            )
        })
        .collect()
}

#[test]
fn every_block_is_of_a_kind_that_is_run() {
    let wrong: Vec<_> = pages()
        .iter()
        .filter(|page| !page.name.starts_with(NOT_HERE))
        .flat_map(Page::not_run)
        .collect();
    assert!(
        wrong.is_empty(),
        "neither rust, console, text, nor a named file: {wrong:#?}"
    );
}

#[test]
fn what_the_book_shows_is_so() {
    let here = |page: &Page| page.has_commands() && !page.name.starts_with(NOT_HERE);
    let pages: Vec<_> = pages().into_iter().filter(here).collect();
    assert!(!pages.is_empty());
    let wanted = std::env::var("BOOK_PAGE").ok();
    let mut failures = Vec::new();
    for page in pages {
        if wanted.as_ref().is_some_and(|wanted| *wanted != page.name) {
            continue;
        }
        let start = Instant::now();
        let result = run(&page);
        let took = start.elapsed();
        match result {
            Ok(()) => println!("docs/{}: as it says, {took:.0?}", page.name),
            Err(failure) => failures.push(format!("docs/{}:{failure}", page.name)),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

fn run(page: &Page) -> Result<(), String> {
    let mut session = Session::start();
    for (line, step) in &page.steps {
        let result = match step {
            Step::File { name, text } => session.write(name, text),
            Step::Command { command, expected } => session.run(command, expected),
        };
        result.map_err(|message| format!("{line}: {message}"))?;
    }
    Ok(())
}
