//! Every arrow between the rooms of netstack points down.

use std::collections::BTreeSet;

use crate::arrows::{Arrow, arrows};
use crate::sources;

/// The rooms, from top to bottom: each uses those below it only, and none beside it in its line. A module belongs to
/// the room whose path is the longest that its own begins with; the crate's root, which joins them, is above all.
const LAYERS: &[&[&str]] = &[
    &["sockets"],
    &["driver"],
    &["device"],
    &["proto"],
    &["proto::interface"],
    &[
        "proto::dhcp",
        "proto::dhcpv6",
        "proto::dns",
        "proto::happy_eyeballs",
        "proto::icmp",
        "proto::multicast",
        "proto::udp",
        "proto::tcp",
    ],
    &["proto::tcp::engine"],
    &["proto::tcp::connection"],
    &[
        "proto::tcp::send",
        "proto::tcp::receive",
        "proto::tcp::defence",
    ],
    &["proto::tcp::config"],
    &["proto::tcp::congestion"],
    &[
        "proto::tcp::wire",
        "proto::tcp::counters",
        "proto::tcp::on_demand",
        "proto::tcp::pinned",
    ],
    &["proto::tcp::api"],
    &["proto::link"],
    &["proto::ip"],
    &[
        "proto::account",
        "proto::checksum",
        "proto::counters",
        "proto::domain",
        "proto::ports",
        "proto::random",
        "proto::searches",
        "proto::time",
    ],
];

/// The place of a module in `layers`: the number of the line and its room.
fn room<'a>(module: &[String], layers: &[&[&'a str]]) -> Option<(usize, &'a str)> {
    let module = module.join("::");
    let is_in = |room: &str| {
        module
            .strip_prefix(room)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    let lines = layers.iter().enumerate();
    lines
        .flat_map(|(line, rooms)| rooms.iter().map(move |room| (line, *room)))
        .filter(|(_, room)| is_in(room))
        .max_by_key(|(_, room)| room.len())
}

/// Those of `arrows` that do not point down, as paths.
fn not_down(arrows: &BTreeSet<Arrow>, layers: &[&[&str]]) -> Vec<(String, String)> {
    let is_wrong = |arrow: &&Arrow| match (room(&arrow.from, layers), room(&arrow.to, layers)) {
        // The root may use all.
        (None, _) => false,
        // And is used by none.
        (Some(_), None) => true,
        (Some((from, from_room)), Some((to, to_room))) => from_room != to_room && from >= to,
    };
    let paths = |arrow: &Arrow| (arrow.from.join("::"), arrow.to.join("::"));
    arrows.iter().filter(is_wrong).map(paths).collect()
}

#[test]
fn all_arrows_of_netstack_point_down() {
    let files: Vec<_> = sources::all()
        .into_iter()
        .filter_map(|source| {
            let path = source.path.strip_prefix("crates/netstack/src/")?.to_owned();
            Some((path, source.parse()))
        })
        .collect();
    let arrows = arrows(&files);
    for room in LAYERS.iter().copied().flatten() {
        let has = arrows.iter().any(|arrow| {
            arrow.from.join("::").starts_with(room) || arrow.to.join("::").starts_with(room)
        });
        assert!(has, "netstack has no room {room}");
    }
    let wrong: Vec<_> = not_down(&arrows, LAYERS)
        .into_iter()
        .map(|(from, to)| format!("{from} uses {to}"))
        .collect();
    assert!(
        wrong.is_empty(),
        "arrows that do not point down:\n{}",
        wrong.join("\n")
    );
}

/// What is wrong in a crate of three rooms, `top`, `left` beside `right`, and `low`, whose root says `root`.
fn check(files: &[(&str, &str)]) -> Vec<String> {
    const ROOMS: &[&[&str]] = &[&["top"], &["left", "right"], &["low"]];
    let files: Vec<_> = files
        .iter()
        .map(|(path, text)| {
            (
                (*path).to_owned(),
                syn::parse_file(text).expect("it parses"),
            )
        })
        .collect();
    let wrong = not_down(&arrows(&files), ROOMS);
    wrong
        .into_iter()
        .map(|(from, to)| format!("{from} uses {to}"))
        .collect()
}

#[test]
fn arrows_down_and_within_a_room_are_right() {
    let wrong = check(&[
        (
            "lib.rs",
            "mod left; mod low; mod right; mod top; pub use top::Top; use low::Low;",
        ),
        (
            "top.rs",
            "mod inner; use crate::{left::Left, low::{self, Low}}; fn f() { crate::right::f() }",
        ),
        (
            "top/inner.rs",
            "use super::Top; use super::super::left; use crate::low::Low as L;",
        ),
        (
            "left/mod.rs",
            "mod inner; pub use inner::Left; use std::top::Top;",
        ),
        (
            "left/inner.rs",
            "use crate::low::Low; use super::Left; fn f() { core::mem::take(&mut 0) }",
        ),
        ("right.rs", "fn f(low: super::low::Low) {}"),
        ("low.rs", ""),
    ]);
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn arrows_up_and_aside_are_found() {
    let files = |low| {
        [
            (
                "lib.rs",
                "mod left; mod low; mod right; mod top; pub use top::Top;",
            ),
            ("top.rs", ""),
            ("left/mod.rs", "pub use inner::Left;"),
            ("left/inner.rs", ""),
            ("right.rs", "pub use crate::low::Low;"),
            ("low.rs", low),
        ]
    };
    for (text, wrong) in [
        ("use crate::top::Top;", "low uses top::Top"),
        (
            "use super::{low, top::{self, Top}};",
            "low uses top, low uses top::Top",
        ),
        ("use crate::left::*;", "low uses left"),
        ("fn f() { crate::top::f() }", "low uses top::f"),
        ("impl super::top::Trait for X {}", "low uses top::Trait"),
        (
            "fn f() -> Vec<crate::top::T> { Vec::new() }",
            "low uses top::T",
        ),
        (
            "mod inner { use super::super::top::T; }",
            "low::inner uses top::T",
        ),
        // By another name, which the root or a room between gives it.
        ("use crate::Top;", "low uses top::Top"),
        ("use crate::left::Left as L;", "low uses left::inner::Left"),
        // By the root's own.
        ("use crate::Rooted;", "low uses Rooted"),
        // What is re-exported from below is no arrow up; code for tests may use all.
        ("use crate::right::Low as L;", ""),
        (
            "#[cfg(test)] use crate::top::Top; #[cfg(test)] mod tests { use crate::top::Top; }",
            "",
        ),
    ] {
        assert_eq!(check(&files(text)).join(", "), wrong, "{text}");
    }
    let mut beside = files("");
    beside[4].1 = "use crate::left::Left;";
    assert_eq!(check(&beside), ["right uses left::inner::Left"]);
}
