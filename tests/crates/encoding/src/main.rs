//! Formats, text, time and languages.

mod formats;
mod languages;
mod texts;

use std::process::ExitCode;

fn main() -> ExitCode {
    rows::run(&[
        ("serde_json", formats::serde_json),
        ("toml", formats::toml),
        ("prost", formats::prost),
        ("uuid", formats::uuid),
        ("chrono", formats::chrono),
        ("regex", texts::regex),
        ("askama", texts::askama),
        ("minijinja", texts::minijinja),
        ("rhai", languages::rhai),
        ("wasmi", languages::wasmi),
    ])
}
