//! No path leads above the root.

use crate::fs::path::normalize;

#[test]
fn what_leads_up_is_taken_out() {
    for (path, expected) in [
        ("", "/"),
        ("/", "/"),
        ("..", "/"),
        ("a", "/a"),
        ("//a/./b/", "/a/b"),
        ("/a/../../b", "/b"),
        ("/../../etc/passwd", "/etc/passwd"),
        ("a/b/c/../../d", "/a/d"),
        ("...", "/..."),
    ] {
        assert_eq!(normalize(path).as_deref(), Ok(expected), "{path}");
    }
    assert!(normalize("a\0b").is_err());
}
