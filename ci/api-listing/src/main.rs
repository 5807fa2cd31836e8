//! `api-listing JSON`: prints the public API of the crate that rustdoc described in the file JSON, one item a line.
use std::env;
use std::ffi::OsStr;
use std::process::ExitCode;

/// Traits that the compiler implements and that say nothing here.
const UNSAID: [&str; 6] = [
    "core::marker::Freeze",
    "core::marker::StructuralPartialEq",
    "core::marker::Unpin",
    "core::marker::UnsafeUnpin",
    "core::panic::unwind_safe::RefUnwindSafe",
    "core::panic::unwind_safe::UnwindSafe",
];

fn main() -> ExitCode {
    let Some(path) = env::args_os().nth(1) else {
        eprintln!("usage: api-listing JSON");
        return ExitCode::FAILURE;
    };
    match listing(&path) {
        Ok(lines) => {
            lines.iter().for_each(|line| println!("{line}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}: {error}; is its format_version 57?", path.display());
            ExitCode::FAILURE
        }
    }
}

fn listing(path: &OsStr) -> Result<Vec<String>, public_api::Error> {
    // What is implemented for every type of some kind is another crate's API.
    let api = public_api::Builder::from_rustdoc_json(path)
        .omit_blanket_impls(true)
        .build()?;
    let mut methods = None;
    let mut lines: Vec<_> = api.items().map(ToString::to_string).collect();
    lines.retain(|line| is_said(line, &mut methods));
    Ok(lines)
}

/// Whether `line` tells more than those before it. `methods` is how the methods of the impl begin that the lines are
/// in, if it is a trait's: the trait says what they are.
fn is_said(line: &str, methods: &mut Option<String>) -> bool {
    if line.starts_with("impl") || line.starts_with("unsafe impl") {
        let (head, of) = match line.split_once(" for ") {
            Some((head, of)) => (head, Some(of.split(" where ").next().unwrap_or(of))),
            None => (line, None),
        };
        *methods = of.map(|of| format!("fn {of}::"));
        return of.is_none() || !UNSAID.iter().any(|name| head.ends_with(name));
    }
    !methods.as_ref().is_some_and(|start| line.contains(start))
}
