//! Patterns and templates.

use askama::Template;

pub(crate) fn regex() {
    let date = regex::Regex::new(r"(?P<year>\d{4})-(?P<month>\d\d)").unwrap();
    let text = "from 2024-02 to 2026-11, ünïcode";
    assert_eq!(
        date.replace_all(text, "$month/$year"),
        "from 02/2024 to 11/2026, ünïcode"
    );
    assert!(regex::Regex::new(r"(?i)Ü\p{L}+").unwrap().is_match(text));
}

#[derive(Template)]
#[template(
    source = "<ul>{% for item in items %}<li>{{ loop.index }}: {{ item }}</li>{% endfor %}</ul>",
    ext = "html"
)]
struct List<'a> {
    items: &'a [&'a str],
}

pub(crate) fn askama() {
    let page = List {
        items: &["a", "<b>"],
    };
    assert_eq!(
        page.render().unwrap(),
        "<ul><li>1: a</li><li>2: &#60;b&#62;</li></ul>"
    );
}

pub(crate) fn minijinja() {
    let mut environment = minijinja::Environment::new();
    environment
        .add_template(
            "greeting",
            "Hello {{ name|upper }}{% if more %}, again{% endif %}!",
        )
        .unwrap();
    let greeting = environment.get_template("greeting").unwrap();
    let text = greeting.render(minijinja::context! { name => "world", more => true });
    assert_eq!(text.unwrap(), "Hello WORLD, again!");
    assert!(environment.add_template("broken", "{% if %}").is_err());
}
