//! Whose a symbol is.

/// What is no crate's by its name: the C library and Solo5's bindings, written in Rust or C, and libgcc's unwinder.
pub(crate) const C: &str = "(C symbols)";

/// Their code is in an image for others.
const STANDARD: [&str; 3] = ["core", "alloc", "std"];

/// The crate of a symbol: the first in it that is not of the standard library, or who instantiated it, or the first.
pub(crate) fn owner(symbol: &str) -> String {
    let Ok(demangled) = rustc_demangle::try_demangle(symbol) else {
        return C.to_owned();
    };
    let name = demangled.to_string();
    let roots = roots(&name);
    let others = |root: &&&str| !STANDARD.contains(*root);
    let instantiating = instantiating(symbol);
    let found = roots
        .iter()
        .find(others)
        .or(instantiating.iter().find(others));
    found
        .or(roots.first())
        .map_or_else(|| C.to_owned(), |root| (*root).to_owned())
}

/// The crates that a demangled name begins paths with: a name and, in brackets, the hash of the crate.
fn roots(name: &str) -> Vec<&str> {
    let hash = |text: &str| {
        let end = text.find(']');
        end.is_some_and(|end| end > 0 && text[..end].bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    let opened = name
        .match_indices('[')
        .filter(|(at, _)| hash(&name[at + 1..]));
    let names = opened.map(|(at, _)| {
        let is_name = |letter: char| letter.is_alphanumeric() || letter == '_';
        name[..at]
            .rsplit(|letter| !is_name(letter))
            .next()
            .unwrap_or_default()
    });
    names.filter(|name| !name.is_empty()).collect()
}

/// The crate at the end of a mangled name, which instantiated what is generic: `Cs` hash `_` length name.
fn instantiating(symbol: &str) -> Option<&str> {
    let symbol = symbol.split('.').next()?;
    let name = symbol
        .rsplit(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .next()?;
    (1..name.len()).rev().find_map(|length| {
        let (before, crate_name) = name.split_at(name.len() - length);
        let before = before.strip_suffix('_').unwrap_or(before);
        let before = before.strip_suffix(&length.to_string())?;
        let hash = before.strip_suffix('_')?;
        let start = hash.rfind("Cs")?;
        hash[start + 2..]
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric())
            .then_some(crate_name)
    })
}

#[cfg(test)]
mod tests {
    use super::owner;

    #[test]
    fn code_is_its_who_wrote_it_or_had_it_instantiated() {
        for (symbol, expected) in [
            ("memcpy", super::C),
            ("_RNvNtCs1234_4core9panicking5panic", "core"),
            ("_RNvMs_NtCsabc_8netstack3tcpNtB4_3Tcp4poll", "netstack"),
            // core::ptr::drop_in_place::<netstack::Stack>, which echo has instantiated.
            (
                "_RINvNtCs1234_4core3ptr13drop_in_placeNtCsabc_8netstack5StackECsx_4echo",
                "netstack",
            ),
            // core::ptr::drop_in_place::<u8>, which echo has instantiated.
            ("_RINvNtCs1234_4core3ptr13drop_in_placehECsx_4echo", "echo"),
            (
                "_RINvNtCs1234_4core3ptr13drop_in_placehECsx_4echo.llvm.17",
                "echo",
            ),
        ] {
            assert_eq!(owner(symbol), expected, "{symbol}");
        }
    }
}
