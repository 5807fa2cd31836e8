//! Which module of a crate names which other, by the paths in its source: those of `use` and those written out.
//!
//! A name that a module re-exports counts as what it stands for. Code for tests alone is left out.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};

/// A path of modules, without `crate`.
pub(crate) type Module = Vec<String>;

/// `from` names something of `to`, which need not be a module: it may be an item in one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Arrow {
    pub(crate) from: Module,
    pub(crate) to: Module,
}

/// The arrows of a crate of which each file is given by its path below `src`, and its syntax.
pub(crate) fn arrows(files: &[(String, syn::File)]) -> BTreeSet<Arrow> {
    let mut scan = Scan {
        modules: files.iter().map(|(path, _)| module_of(path)).collect(),
        ..Scan::default()
    };
    for (path, file) in files {
        scan.here = module_of(path);
        if !is_test(&scan.here) {
            scan.visit_file(file);
        }
    }
    let Scan {
        modules,
        exports,
        found,
        ..
    } = scan;
    let resolved = found.into_iter().map(|Arrow { from, to }| Arrow {
        from,
        to: stands_for(to, &exports, &modules),
    });
    resolved.filter(|arrow| arrow.from != arrow.to).collect()
}

/// The module in the file `path`: `tcp/mod.rs` and `tcp.rs` both have `tcp`.
fn module_of(path: &str) -> Module {
    let path = path.strip_suffix(".rs").expect("a Rust file");
    let mut module: Module = path.split('/').map(str::to_owned).collect();
    if module
        .last()
        .is_some_and(|name| name == "mod" || name == "lib")
    {
        module.pop();
    }
    module
}

fn is_test(module: &[String]) -> bool {
    module.iter().any(|name| name == "tests")
}

/// Follows re-exports from `path` to where the item is defined.
fn stands_for(
    mut path: Module,
    exports: &BTreeMap<Module, Module>,
    modules: &BTreeSet<Module>,
) -> Module {
    // A chain of re-exports is short; one in a circle does not compile.
    for _ in 0..8 {
        let exported = (1..=path.len()).find_map(|end| {
            let target = exports.get(&path[..end])?;
            (!modules.contains(&path[..end])).then(|| [target, &path[end..]].concat())
        });
        match exported {
            Some(next) => path = next,
            None => break,
        }
    }
    path
}

#[derive(Default)]
struct Scan {
    modules: BTreeSet<Module>,
    /// What each re-exported name stands for.
    exports: BTreeMap<Module, Module>,
    found: BTreeSet<Arrow>,
    here: Module,
}

impl Scan {
    /// The path from the crate's root, if `path` leads into this crate.
    fn absolute(&self, path: &[String]) -> Option<Module> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some([self.here.as_slice(), rest].concat()),
            "super" => {
                let mut base = self.here.clone();
                let supers = path.iter().take_while(|name| *name == "super").count();
                for _ in 0..supers {
                    base.pop()?;
                }
                base.extend_from_slice(&path[supers..]);
                Some(base)
            }
            // A module that is declared here.
            name => {
                let child = [self.here.as_slice(), &[name.to_owned()]].concat();
                (!name.is_empty() && self.modules.contains(&child))
                    .then(|| [child.as_slice(), rest].concat())
            }
        }
    }

    fn names(&mut self, path: &[String]) {
        if let Some(to) = self.absolute(path) {
            let from = self.here.clone();
            self.found.insert(Arrow { from, to });
        }
    }

    /// Takes the tree of a `use` apart. `prefix` is what stands before `tree`.
    fn uses(&mut self, tree: &syn::UseTree, prefix: &mut Module, exported: bool) {
        match tree {
            syn::UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.uses(&path.tree, prefix, exported);
                prefix.pop();
            }
            syn::UseTree::Group(group) => group
                .items
                .iter()
                .for_each(|tree| self.uses(tree, prefix, exported)),
            syn::UseTree::Glob(_) => self.names(prefix),
            syn::UseTree::Name(name) => self.imports(&name.ident, &name.ident, prefix, exported),
            syn::UseTree::Rename(name) => self.imports(&name.ident, &name.rename, prefix, exported),
        }
    }

    fn imports(
        &mut self,
        name: &syn::Ident,
        known_as: &syn::Ident,
        prefix: &[String],
        exported: bool,
    ) {
        let mut path = prefix.to_vec();
        if name != "self" {
            path.push(name.to_string());
        }
        if exported && let Some(target) = self.absolute(&path) {
            let export = [self.here.as_slice(), &[known_as.to_string()]].concat();
            self.exports.insert(export, target);
        }
        self.names(&path);
    }
}

/// Whether the item is compiled for tests alone.
fn for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Path>()
                .is_ok_and(|condition| condition.is_ident("test"))
    })
}

impl<'ast> Visit<'ast> for Scan {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !for_tests(&item.attrs) {
            // An import without `pub` can be named from modules inside, too.
            self.uses(&item.tree, &mut Module::new(), true);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if for_tests(&item.attrs) {
            return;
        }
        self.here.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.here.pop();
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !for_tests(&item.attrs) {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if !for_tests(&item.attrs) {
            visit::visit_item_impl(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !for_tests(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Module = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        // A single name is an item of this module, or was imported.
        if names.len() > 1 {
            self.names(&names);
        }
        visit::visit_path(self, path);
    }

    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {
        // `pub(in path)` says who may see, not what is used.
    }
}
