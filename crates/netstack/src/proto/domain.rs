//! Domain names as other protocols than DNS give them to us: only such as can be written, and asked for, as they are.

/// Octets of a name with the lengths of its labels, at most (RFC 1035 §2.3.4).
const MAX_NAME: usize = 255;

/// Whether `text` is a name of labels of letters, digits, hyphens and underscores, without a dot at its end.
pub(crate) fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        let mut octets = label.bytes();
        let allowed = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
        (1..=63).contains(&label.len()) && octets.all(allowed)
    };
    // A length in front, and the root behind.
    text.len() <= MAX_NAME - 2 && text.split('.').all(is_label)
}

/// Names behind each other, each of labels with their lengths and a zero at its end (RFC 8415 §10, RFC 8106 §5.2), at
/// most `most`. One that is none is left out; zeros between and behind them are passed over.
pub(crate) fn list(mut octets: &[u8], most: usize) -> Vec<String> {
    let mut names = Vec::new();
    while names.len() < most
        && let Some((name, rest)) = first(octets)
    {
        octets = rest;
        if is_name(&name) {
            names.push(name);
        }
    }
    names
}

/// The name that `octets` begin with, and what is behind it; `None` if they end before it does.
fn first(mut octets: &[u8]) -> Option<(String, &[u8])> {
    let mut name = String::new();
    loop {
        let (&length, rest) = octets.split_first()?;
        if length == 0 {
            return Some((name, rest));
        }
        // There is no compression here, and so no length above 63.
        let (label, rest) = rest.split_at_checked(length.into())?;
        if !name.is_empty() {
            name.push('.');
        }
        // What is no text, or has a dot in it, makes the name none.
        match core::str::from_utf8(label) {
            Ok(label) if !label.contains('.') => name.push_str(label),
            _ => name.push(' '),
        }
        octets = rest;
    }
}

#[cfg(test)]
mod tests;
