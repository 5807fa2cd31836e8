//! Modules of 500 lines and functions of 80 at most, tests included.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::sources::{self, Source};

const MODULE: usize = 500;
const FUNCTION: usize = 80;

/// Files, and functions as `FILE::NAME`, that may be longer.
const EXCEPTIONS: &[&str] = &[
    // A call to another routine would cost as much as copying 16 bytes.
    "crates/nolibc/src/memory.rs::memmove",
];

/// What is longer than it may be: where, and its lines.
fn long(source: &Source) -> Vec<(String, usize)> {
    let mut functions = Functions {
        path: &source.path,
        long: Vec::new(),
    };
    functions.visit_file(&source.parse());
    let mut long = functions.long;
    let lines = source.text.lines().count();
    if lines > MODULE {
        long.push((source.path.clone(), lines));
    }
    long
}

struct Functions<'a> {
    path: &'a str,
    long: Vec<(String, usize)>,
}

impl Functions<'_> {
    fn measure(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let lines = block.span().end().line - signature.span().start().line + 1;
        if lines > FUNCTION {
            self.long
                .push((format!("{}::{}", self.path, signature.ident), lines));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.measure(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.measure(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.measure(&function.sig, block);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

#[test]
fn no_module_and_no_function_is_long() {
    let found: Vec<_> = sources::all()
        .iter()
        .flat_map(long)
        .filter(|(place, _)| !EXCEPTIONS.contains(&place.as_str()))
        .map(|(place, lines)| format!("{place}: {lines} lines"))
        .collect();
    assert!(
        found.is_empty(),
        "longer than {MODULE} lines, or as a function {FUNCTION}:\n{}",
        found.join("\n")
    );
}

#[test]
fn what_is_just_too_long_is_found() {
    let function =
        |name: &str, lines: usize| format!("fn {name}() {{\n{}}}\n", "f();\n".repeat(lines - 2));
    let source = |text: String| Source {
        path: "a.rs".to_owned(),
        text,
    };

    assert_eq!(long(&source(function("fits", FUNCTION))), []);
    assert_eq!(
        long(&source(function("long", FUNCTION + 1))),
        [("a.rs::long".to_owned(), FUNCTION + 1)]
    );
    let method = format!("impl X {{\n{}}}", function("method", FUNCTION + 1));
    assert_eq!(
        long(&source(method)),
        [("a.rs::method".to_owned(), FUNCTION + 1)]
    );
    assert_eq!(long(&source("\n".repeat(MODULE))), []);
    assert_eq!(
        long(&source("\n".repeat(MODULE + 1))),
        [("a.rs".to_owned(), MODULE + 1)]
    );
}
