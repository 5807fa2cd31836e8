//! What to say of a program that asks for mkernel's feature `posix`, but that rustc links without it: what no line of a source
//! refers to is left out. Symbols are missed then, or such a program runs, and its sockets, files and threads fail.
//!
//! Whether one that is linked would ever use them is not to be seen: the standard library refers to all of them, and what is
//! unused goes only within the linker.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::contains;

/// What mkernel's rlib defines with the feature.
const FEATURE: &[u8] = b"__solo5_posix_platform";
/// What nolibc has for people of a call that fails, and posix has other words for.
const WITHOUT: &[u8] = b"and the line `use mkernel as _;`";
/// The features that a manifest names to have it.
const FEATURES: [&str; 3] = ["posix", "signals", "authorities"];

/// What came of linking.
pub(super) enum Linked<'a> {
    Program(&'a Path),
    /// Symbols are missed, in the linker's messages, which name what it was given.
    Missed(&'a str),
}

/// A note, if rustc, which was called with these options, has left it out.
pub(super) fn explain(options: &[OsString], linked: &Linked<'_>) -> Option<String> {
    let library = options
        .iter()
        .find_map(|option| library(option.as_bytes()))?;
    let folder = env::var_os("CARGO_MANIFEST_DIR")?;
    let manifest = fs::read_to_string(Path::new(&folder).join("Cargo.toml")).ok()?;
    if !asks(&manifest) || !contains(&fs::read(library).ok()?, FEATURE) {
        return None;
    }
    let is_left_out = match linked {
        Linked::Program(program) => contains(&fs::read(program).ok()?, WITHOUT),
        // With link-time optimisation the linker is not given the library in any case.
        Linked::Missed(_) if options.iter().any(|it| it.as_bytes().starts_with(b"-Clto")) => false,
        Linked::Missed(messages) => !messages.contains(library.file_stem()?.to_str()?),
    };
    is_left_out.then(|| {
        let name = env::var("CARGO_BIN_NAME").unwrap_or_else(|_| "the program".to_owned());
        format!(
            "note: {name} is linked without mkernel's feature `posix`, because nothing in it refers to mkernel. Where it is to \
             have sockets, files and threads, add the line `use mkernel as _;`\n"
        )
    })
}

/// Whether a package asks for the feature, and does not have it only because another of the workspace does.
fn asks(manifest: &str) -> bool {
    FEATURES.iter().any(|name| manifest.contains(name))
}

/// That of mkernel, among what follows `--extern`: `mkernel=FOLDER/libmkernel-HASH.rlib`.
fn library(option: &[u8]) -> Option<&Path> {
    let start = option.iter().position(|octet| *octet == b'=')?;
    let path = Path::new(OsStr::from_bytes(&option[start + 1..]));
    let name = path.file_name()?.as_bytes();
    (name.starts_with(b"libmkernel-") && name.ends_with(b".rlib")).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_asks_by_each_feature_that_has_it() {
        for feature in ["posix", "posix-storage", "signals", "authorities"] {
            let line = format!("mkernel = {{ version = \"0.1\", features = [\"{feature}\"] }}");
            assert!(asks(&line), "{line}");
        }
        assert!(!asks(
            "mkernel = { version = \"0.1\", features = [\"cli\"] }"
        ));
    }

    #[test]
    fn the_library_is_found_by_whatever_name_the_program_has_for_it() {
        let path = Path::new("/deps/libmkernel-0a.rlib");
        for name in ["mkernel", "system"] {
            let option = format!("{name}=/deps/libmkernel-0a.rlib");
            assert_eq!(library(option.as_bytes()), Some(path));
        }
        for option in [
            "mkernel=/deps/libmkernel-0a.rmeta",
            "mkernel",
            "x=/libmkernel_x-0.rlib",
        ] {
            assert_eq!(library(option.as_bytes()), None);
        }
    }
}
