use super::{is_name, list};

#[test]
fn a_name_is_one_that_can_be_asked_for() {
    let label = "a".repeat(63);
    let longest = format!("{0}.{0}.{0}.{1}", label, "a".repeat(61));
    for name in ["example.org", "a_b-c.d", "org", &longest] {
        assert!(is_name(name), "{name}");
    }
    let (long, long_label) = (format!("{longest}a"), "a".repeat(64));
    for none in [
        "",
        ".",
        "a..b",
        "a.",
        "a b",
        "\x1b[2J",
        "é",
        &long,
        &long_label,
    ] {
        assert!(!is_name(none), "{none}");
    }
}

#[test]
fn rfc8415_10_names_stand_behind_each_other() {
    let octets = b"\x07example\x03org\x00\x03lan\x00";
    assert_eq!(list(octets, 9), ["example.org", "lan"]);
    assert_eq!(list(octets, 1), ["example.org"]);
    // RFC 8106 §5.2: padded with zeros.
    assert_eq!(list(b"\x03lan\x00\x00\x00\x00", 9), ["lan"]);
}

#[test]
fn what_is_no_name_costs_itself_alone() {
    for (octets, names) in [
        (&b"\x01\xff\x00\x03lan\x00"[..], &["lan"][..]),
        (b"\x03a.b\x00\x03lan\x00", &["lan"]),
        (b"\x03lan\x00\x03or", &["lan"]),
        (b"\x03lan\x00\x03org", &["lan"]),
        (b"\xc0\x00\x03lan\x00", &[]),
        (b"\x03lan", &[]),
        (b"", &[]),
    ] {
        assert_eq!(list(octets, 9), names, "{octets:?}");
    }
}
