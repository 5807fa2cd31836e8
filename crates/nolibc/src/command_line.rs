//! Splitting a unikernel's command line into arguments.
//!
//! A tender joins the arguments with single spaces and quotes nothing, so an argument with a space in
//! it needs quoting by whoever starts the unikernel (`cargo run` does it). The rules are a shell's:
//!
//! - arguments are separated by spaces, tabs and line feeds;
//! - between single quotes everything stands for itself;
//! - between double quotes a backslash makes `"` and `\` stand for themselves;
//! - elsewhere a backslash makes the next byte stand for itself;
//! - `''` is an empty argument; a quote that is not closed ends with the line.

/// What [`split`] has found next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Piece {
    /// One more byte of the current argument.
    Byte(u8),
    /// The current argument is complete.
    End,
}

/// Splits `line` into arguments, of which it gives `each` the bytes, and after each argument
/// [`Piece::End`]: never more pieces than `line` has bytes, plus one.
///
/// ```
/// use nolibc::command_line::{Piece, split};
///
/// let mut arguments = vec![String::new()];
/// split(br#"--bar 'two  words' it\'s"#, |piece| match piece {
///     Piece::Byte(byte) => arguments.last_mut().unwrap().push(byte as char),
///     Piece::End => arguments.push(String::new()),
/// });
/// arguments.pop();
/// assert_eq!(arguments, ["--bar", "two  words", "it's"]);
/// ```
pub fn split(line: &[u8], mut each: impl FnMut(Piece)) {
    let mut bytes = line.iter().copied().peekable();
    // Whether an argument has begun, which '' does without a byte.
    let mut begun = false;
    while let Some(byte) = bytes.next() {
        match byte {
            b' ' | b'\t' | b'\n' => {
                if begun {
                    each(Piece::End);
                }
                begun = false;
                continue;
            }
            b'\'' => bytes
                .by_ref()
                .take_while(|&byte| byte != b'\'')
                .for_each(|byte| each(Piece::Byte(byte))),
            b'"' => {
                while let Some(byte) = bytes.next_if(|&byte| byte != b'"') {
                    let escaped =
                        bytes.next_if(|next| byte == b'\\' && matches!(next, b'"' | b'\\'));
                    each(Piece::Byte(escaped.unwrap_or(byte)));
                }
                bytes.next();
            }
            b'\\' => each(Piece::Byte(bytes.next().unwrap_or(b'\\'))),
            _ => each(Piece::Byte(byte)),
        }
        begun = true;
    }
    if begun {
        each(Piece::End);
    }
}

/// Quotes an argument so that [`split`] gives it back as it is; one that needs no quotes stays.
///
/// ```
/// use nolibc::command_line::quote;
///
/// assert_eq!(quote("--foo=100"), "--foo=100");
/// assert_eq!(quote("it's  two"), r"'it'\''s  two'");
/// assert_eq!(quote(""), "''");
/// ```
#[cfg(not(nolibc_archive))]
pub fn quote(argument: &str) -> std::borrow::Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_./:=,@%+-".contains(&byte);
    if !argument.is_empty() && argument.bytes().all(plain) {
        return argument.into();
    }
    format!("'{}'", argument.replace('\'', r"'\''")).into()
}
