//! Splitting and quoting of command lines.

use nolibc::command_line::{Piece, quote, split};

fn arguments(line: &[u8]) -> Vec<Vec<u8>> {
    let mut arguments = vec![Vec::new()];
    let mut pieces = 0;
    split(line, |piece| {
        pieces += 1;
        match piece {
            Piece::Byte(byte) => arguments.last_mut().expect("never empty").push(byte),
            Piece::End => arguments.push(Vec::new()),
        }
    });
    assert!(pieces <= line.len() + 1, "{pieces} pieces of {line:?}");
    assert_eq!(arguments.pop(), Some(Vec::new()), "a piece without an end");
    arguments
}

#[track_caller]
fn check(line: &str, expected: &[&str]) {
    let expected: Vec<_> = expected
        .iter()
        .map(|argument| argument.as_bytes().to_vec())
        .collect();
    assert_eq!(arguments(line.as_bytes()), expected, "{line:?}");
}

#[test]
fn separators() {
    check("", &[]);
    check(" \t\n ", &[]);
    check("a", &["a"]);
    check("  a\tb\nc  ", &["a", "b", "c"]);
}

#[test]
fn quotes() {
    check("'a b'  \"c  d\"", &["a b", "c  d"]);
    check("x'a b'y\" z\"", &["xa by z"]);
    check("'' \"\"", &["", ""]);
    check(r"'\' 'it'\''s'", &[r"\", "it's"]);
    check(r#""a\"b\\c\d" "it's""#, &[r#"a"b\c\d"#, "it's"]);
}

#[test]
fn backslashes() {
    check(r"a\ b \' \\ c\n", &["a b", "'", r"\", "cn"]);
}

/// What is left open ends with the line.
#[test]
fn unfinished() {
    check("'a b ", &["a b "]);
    check("\"a b ", &["a b "]);
    check("\"", &[""]);
    check(r"a\", &[r"a\"]);
    check(r#""a\"#, &[r"a\"]);
}

#[test]
fn bytes_that_are_not_text() {
    let expected = [b"\xff".to_vec(), b"\xfe \x01".to_vec()];
    assert_eq!(arguments(b"\xff '\xfe \x01'"), expected);
}

/// Every string of up to five characters out of those with a meaning, alone and among others.
#[test]
fn quoted_arguments_survive() {
    let alphabet = ['a', ' ', '\'', '"', '\\', '\n', 'é'];
    let mut strings = vec![String::new()];
    for start in 0.. {
        let Some(string) = strings.get(start).cloned() else {
            break;
        };
        check(&quote(&string), &[&string]);
        check(&format!("x {} y", quote(&string)), &["x", &string, "y"]);
        if string.chars().count() < 5 {
            strings.extend(alphabet.map(|character| format!("{string}{character}")));
        }
    }
    let all = (0..=5).map(|length| 7_usize.pow(length)).sum();
    assert_eq!(strings.len(), all);
}
