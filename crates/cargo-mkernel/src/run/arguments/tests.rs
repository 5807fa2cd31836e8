use super::*;

fn split(words: &[&str]) -> (Vec<String>, String) {
    let arguments = Arguments::split(words.iter().map(OsString::from).collect());
    let text = |word: OsString| word.into_string().unwrap();
    let options = arguments.options.into_iter().map(text).collect();
    (options, text(arguments.line))
}

#[test]
fn what_follows_two_hyphens_is_the_guests() {
    let (options, line) = split(&[
        "--anything",
        "--",
        "--mem=1",
        "--",
        "two  words",
        "it's",
        "",
    ]);
    assert_eq!(options, ["--anything"]);
    assert_eq!(line, "--solo5:quiet --mem=1 -- 'two  words' 'it'\\''s' ''");
}

#[test]
fn without_them_options_come_first() {
    let (options, line) = split(&["--mem=8", "--net:service=tap0", "--nocapture", "--mem=9"]);
    assert_eq!(options, ["--mem=8", "--net:service=tap0"]);
    assert_eq!(line, "--solo5:quiet --nocapture --mem=9");
}

#[test]
fn a_variable_follows_the_bindings_options() {
    for (words, expected) in [
        (&[][..], "--solo5:quiet --solo5:env=A=b"),
        (&["x"], "--solo5:quiet --solo5:env=A=b x"),
        (
            &["--solo5:debug", "--solo5:info", "x"],
            "--solo5:quiet --solo5:debug --solo5:info --solo5:env=A=b x",
        ),
    ] {
        let mut arguments = Arguments::split(words.iter().map(OsString::from).collect());
        arguments.set_variable("A=b");
        assert_eq!(arguments.line, expected);
    }
}
