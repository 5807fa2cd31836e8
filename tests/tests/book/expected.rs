//! What a page says that a command prints.

/// Whether `printed` is what `expected` says; with `more`, or begins so.
pub(crate) fn is_printed(expected: &[String], printed: &[&str], more: bool) -> bool {
    let Some((first, rest)) = expected.split_first() else {
        return more || printed.is_empty();
    };
    if first.trim() == "..." {
        return (0..=printed.len()).any(|from| is_printed(rest, &printed[from..], more));
    }
    match printed.split_first() {
        Some((line, others)) => matches(first, line) && is_printed(rest, others, more),
        None => false,
    }
}

/// Whether a line is as `pattern` says, whose `...` stand for anything.
fn matches(pattern: &str, line: &str) -> bool {
    let Some((start, mut rest)) = pattern.split_once("...") else {
        return pattern.trim_end() == line.trim_end();
    };
    let Some(mut line) = line.strip_prefix(start) else {
        return false;
    };
    while let Some((part, after)) = rest.split_once("...") {
        let Some(at) = line.find(part) else {
            return false;
        };
        line = &line[at + part.len()..];
        rest = after;
    }
    line.trim_end().ends_with(rest.trim_end())
}

#[test]
fn dots_stand_for_anything() {
    let expected = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let holds = |text: &str, printed: &str, more| {
        is_printed(&expected(text), &printed.lines().collect::<Vec<_>>(), more)
    };
    assert!(holds("a\nb", "a\nb", false));
    assert!(!holds("a\nb", "a\nb\nc", false));
    assert!(holds("a\nb", "a\nb\nc", true));
    assert!(!holds("a\nb", "a", true));
    assert!(holds("...\nb", "a\na\nb", false));
    assert!(holds("...\nb", "b", false));
    assert!(!holds("...\nb", "a\nbb", false));
    assert!(holds("[...] a ... c", "[ 0.1] a b c", false));
    assert!(!holds("[...] a ... c", "[ 0.1] b c", false));
    assert!(holds("a\n...", "a", false));
}
