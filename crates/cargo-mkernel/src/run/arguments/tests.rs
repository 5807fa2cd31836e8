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

#[test]
fn what_is_told_is_between_the_bindings_words_and_the_guests() {
    for (words, expected) in [
        (&[][..], "--solo5:quiet --ipv4=10.0.0.9/24"),
        (&["--port=80"], "--solo5:quiet --ipv4=10.0.0.9/24 --port=80"),
        (
            &["--solo5:debug", "x"],
            "--solo5:quiet --solo5:debug --ipv4=10.0.0.9/24 x",
        ),
    ] {
        let mut arguments = Arguments::split(words.iter().map(OsString::from).collect());
        assert!(!arguments.mention("--ipv4"));
        arguments.tell(&["--ipv4=10.0.0.9/24".to_owned()]);
        assert_eq!(arguments.line, expected);
        assert!(arguments.mention("--ipv4") && !arguments.mention("--ip"));
    }
}

#[test]
fn an_option_of_the_tenders_that_goes_to_the_guest_gets_a_hint() {
    let hint = |line: &str| {
        let words: Vec<_> = line.split(' ').map(OsString::from).collect();
        Arguments::hint(&words, [&["service".to_owned()], &[]])
    };
    for (line, meant) in [
        ("--verbose", "--verbose"),
        ("--mem=8 --verbose", "--verbose"),
        ("--net=user", "--net:service=user"),
        ("--port=80 --net:service=user", "--net:service=user"),
    ] {
        let said = hint(line).expect(line);
        assert!(said.contains(&format!(" -- {meant} -- ")), "{said}");
    }
    for line in [
        "--net:service=user --port=80",
        "--verbose --",
        "-- --verbose",
        "--block=disk.img",
        "--nocapture net",
    ] {
        assert_eq!(hint(line), None, "{line}");
    }
}
