//! What the book in `docs` shows is run: the commands of its `console` blocks, in order, in one shell for each page, with
//! the files that blocks of other languages are, and what they print is compared with what the page says.
//!
//! The shell is in an empty folder, in namespaces of its own, as root there; the crates of this repository take the place
//! of those of crates.io, and stand-ins that of container engines, with which `ci/long image` has to do. Blocks of Rust are
//! documentation tests of the package `book` too.
//!
//! - A command begins with `$ ` and goes on after a backslash at the end of its line. It has to end well.
//! - The lines below it are what it prints. `...`, within a line or as one, stands for anything; none at all are no claim.
//! - A command that ends in `&` goes on, and the lines below it have to come.
//! - A block behind a line that ends in a name in backquotes and a colon is the file of that name.

mod expected;
mod page;
mod session;

use std::fs;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use system_tests::workspace;

use crate::page::{Page, Step};
use crate::session::Session;

/// One project is built at a time: Cargo would say that it waits for the others, where a page says what it prints.
static BUILDS: Mutex<()> = Mutex::new(());

/// Pages that build what is shipped.
const OPTIMISED: [&str; 2] = ["deployment.md", "deploy/images.md"];

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
    let wrong: Vec<_> = pages().iter().flat_map(Page::not_run).collect();
    assert!(
        wrong.is_empty(),
        "neither rust, console, text, nor a named file: {wrong:#?}"
    );
}

#[test]
fn what_the_book_shows_is_so() {
    run_pages(|page| !OPTIMISED.contains(&&*page.name));
}

#[test]
#[ignore = "takes minutes of optimising: ci/long runs it"]
fn what_the_book_shows_of_what_is_shipped_is_so() {
    run_pages(|page| OPTIMISED.contains(&&*page.name));
}

fn run_pages(which: impl Fn(&Page) -> bool) {
    let _one = BUILDS.lock().unwrap_or_else(PoisonError::into_inner);
    let pages = pages()
        .into_iter()
        .filter(|page| page.has_commands() && which(page));
    let pages: Vec<_> = pages.collect();
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

/// What `cargo mkernel new` writes is built, run and asked as its README says.
#[test]
fn what_new_projects_say_of_themselves_is_so() {
    if std::env::var_os("BOOK_PAGE").is_some_and(|wanted| wanted != "new") {
        return;
    }
    let _one = BUILDS.lock().unwrap_or_else(PoisonError::into_inner);
    let with_log = "[...] INFO  mkernel::cli::network: this unikernel has the address ...";
    // A program that knows nothing of signals ends by the first, 15, as on Linux.
    let listening = "listening on 0.0.0.0:8080";
    for (option, started, answer, status) in [
        ("--echo", with_log, "hello", 0),
        ("--http", with_log, "Hello World!", 0),
        ("--kv", with_log, "value", 0),
        ("--posix", listening, "Hello World!", 128 + 15),
    ] {
        if let Err(failure) = new_project(option, started, answer, status) {
            panic!("{option}: {failure}");
        }
    }
}

fn new_project(option: &str, started: &str, answer: &str, status: i32) -> Result<(), String> {
    let mut session = Session::start();
    session.run(
        &format!("cargo mkernel new project {option} && cd project"),
        &[],
    )?;
    let readme = fs::read_to_string(session.home().join("project/README.md"));
    let page = Page::new("README.md", &readme.map_err(|error| error.to_string())?);
    let commands = page.steps.into_iter().filter_map(|(_, step)| match step {
        Step::Command { command, .. } => Some(command),
        Step::File { .. } => None,
    });
    let mut commands: Vec<_> = commands.collect();
    let client = commands.pop().ok_or("its README has no command")?;
    let server = commands.pop().ok_or("its README has one command")?;
    for command in commands {
        session.run(&command, &[])?;
    }
    let started = ["...", started, "..."];
    session.run(&format!("{server} &"), &started.map(str::to_owned))?;
    // It has an address before it listens.
    let mut asked = Err(String::new());
    for _ in 0..50 {
        asked = session.run(&client, &[answer.to_owned()]);
        if asked.is_ok() {
            break;
        }
        thread::sleep(Duration::from_millis(200));
    }
    asked?;
    session.run(&format!("kill %1; wait %1; [ $? = {status} ]"), &[])
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
