use super::{Candidate, DEFAULT_POLICY, Policy, policy_of, sort_destinations, source};
use core::net::{IpAddr, Ipv6Addr};

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// Addresses of ours, each with `d` behind a space if it is deprecated, `t` if temporary, `n` if the next hop has
/// advertised its prefix.
fn candidates(ours: &[&str]) -> Vec<Candidate> {
    let candidate = |text: &&str| {
        let (cidr, flags) = text.split_once(' ').unwrap_or((text, ""));
        let (address, prefix) = cidr.split_once('/').unwrap_or((cidr, "64"));
        Candidate {
            deprecated: flags.contains('d'),
            temporary: flags.contains('t'),
            of_next_hop: flags.contains('n'),
            ..Candidate::new(ip(address), prefix.parse().expect("a number"))
        }
    };
    ours.iter().map(candidate).collect()
}

/// Checks that `expected` is chosen, in whatever order the others come.
fn chooses(destination: &str, ours: &[&str], expected: &str) {
    let mut candidates = candidates(ours);
    for _ in 0..candidates.len() {
        candidates.rotate_left(1);
        let found = source(DEFAULT_POLICY, ip(destination), candidates.clone());
        let found = found.map(|found| found.address);
        assert_eq!(found, Some(ip(expected)), "to {destination} from {ours:?}");
    }
}

/// Checks that the destinations are sorted so, in whatever order they come.
fn sorts(ours: &[&str], expected: &[&str]) {
    sorts_by(DEFAULT_POLICY, ours, expected);
}

fn sorts_by(table: &[Policy], ours: &[&str], expected: &[&str]) {
    let candidates = candidates(ours);
    let expected: Vec<_> = expected.iter().map(|text| ip(text)).collect();
    let mut sorted = expected.clone();
    for _ in 0..sorted.len() {
        sorted.rotate_left(1);
        sort_destinations(table, &mut sorted, |to| {
            source(table, to, candidates.iter().copied())
        });
        assert_eq!(sorted, expected, "from {ours:?}");
        sorted.reverse();
    }
}

#[test]
fn rfc6724_2_1_the_longest_prefix_decides() {
    for (address, precedence, label) in [
        ("::1", 50, 0),
        ("2001:db8::1", 40, 1),
        ("10.1.2.3", 35, 4),
        ("::ffff:10.1.2.3", 35, 4),
        ("2002:c633:6401::1", 30, 2),
        ("2001:0:1::1", 5, 5),
        ("fd00::1", 3, 13),
        ("::10.1.2.3", 1, 3),
        ("fec0::1", 1, 11),
        ("3ffe::1", 1, 12),
    ] {
        let policy = policy_of(DEFAULT_POLICY, ip(address));
        assert_eq!(
            (policy.precedence, policy.label),
            (precedence, label),
            "{address}"
        );
    }
    let none = policy_of(&[], ip("::1"));
    assert_eq!((none.precedence, none.label), (40, 1));
}

#[test]
fn rfc6724_5_the_family_of_the_source_is_the_destinations() {
    let ours = candidates(&["10.0.0.2/24", "2001:db8::2"]);
    for (to, from) in [("192.0.2.1", "10.0.0.2"), ("2001:db8:9::1", "2001:db8::2")] {
        let found = source(DEFAULT_POLICY, ip(to), ours.clone()).expect("one");
        assert_eq!(found.address, ip(from));
    }
    assert_eq!(source(DEFAULT_POLICY, ip("::1"), [ours[0]]), None);
}

#[test]
fn rfc6724_5_rule_1_the_same_address() {
    chooses(
        "2001:db8::7",
        &["2001:db8::7 d", "2001:db8::8 tn", "fe80::8"],
        "2001:db8::7",
    );
}

#[test]
fn rfc6724_5_rule_2_the_smallest_scope_that_reaches() {
    chooses(
        "2001:db8:1::1",
        &["2001:db8:3::1", "fe80::1"],
        "2001:db8:3::1",
    );
    chooses("ff05::1", &["2001:db8:3::1", "fe80::1"], "2001:db8:3::1");
    chooses("fe80::9", &["2001:db8:3::1", "fe80::1 d"], "fe80::1");
    chooses("ff02::1", &["2001:db8:3::1", "fe80::1"], "fe80::1");
    // If none reaches so far, the one that reaches farthest.
    chooses("2001:db8:1::1", &["fec0::1", "fe80::1"], "fec0::1");
    chooses("8.8.8.8", &["169.254.9.9/16", "10.0.0.1/24"], "10.0.0.1");
    chooses(
        "169.254.3.3",
        &["169.254.9.9/16", "10.0.0.1/24"],
        "169.254.9.9",
    );
}

#[test]
fn rfc6724_5_rule_3_no_deprecated_address() {
    chooses(
        "2001:db8:1::1",
        &["2001:db8:1::2 dtn", "2001:db8:3::2"],
        "2001:db8:3::2",
    );
}

#[test]
fn rfc6724_5_rule_5_5_a_prefix_of_the_next_hops() {
    chooses(
        "2001:db8:1::1",
        &["2001:db8:1::2 t", "2001:db8:3::2 n"],
        "2001:db8:3::2",
    );
}

#[test]
fn rfc6724_5_rule_6_the_same_label() {
    chooses(
        "2002:c633:6401::1",
        &["2002:c633:6401::d5e3:7953:13eb:22e8", "2001:db8:1::2 t"],
        "2002:c633:6401::d5e3:7953:13eb:22e8",
    );
    chooses("fd00:1::1", &["fd77::1", "2001:db8::1 t"], "fd77::1");
}

#[test]
fn rfc6724_5_rule_7_a_temporary_address() {
    chooses(
        "2001:db8:1::d5e3:0:0:1",
        &["2001:db8:1::2", "2001:db8:3::2 t"],
        "2001:db8:3::2",
    );
}

#[test]
fn rfc6724_5_rule_8_the_longest_prefix_within_the_network() {
    chooses(
        "2001:db8:1::1",
        &["2001:db8:1::2", "2001:db8:3::2"],
        "2001:db8:1::2",
    );
    // Bits behind the prefix do not count: the first of equals is taken.
    let ours = candidates(&["2001:db8:1::ffff", "2001:db8:1::3"]);
    let found = source(DEFAULT_POLICY, ip("2001:db8:1::2"), ours).expect("one");
    assert_eq!(found.address, ip("2001:db8:1::ffff"));
    chooses("10.2.0.1", &["10.1.0.1/16", "10.2.0.9/16"], "10.2.0.9");
}

#[test]
fn rfc6724_6_rule_1_what_can_be_reached() {
    sorts(&["10.0.0.2/24"], &["192.0.2.1", "2001:db8::1"]);
    sorts(&["2001:db8::9"], &["2001:db8::1", "192.0.2.1"]);
}

#[test]
fn rfc6724_6_rule_2_the_same_scope() {
    // Section 10.2 of the RFC has these.
    sorts(
        &["2001:db8:1::2", "fe80::1", "169.254.13.78/16"],
        &["2001:db8:1::1", "198.51.100.121"],
    );
    sorts(
        &["fe80::1", "198.51.100.117/24"],
        &["198.51.100.121", "2001:db8:1::1"],
    );
}

#[test]
fn rfc6724_6_rule_3_no_deprecated_source() {
    sorts(
        &["2001:db8:1::2 d", "198.51.100.117/24"],
        &["198.51.100.121", "2001:db8:1::1"],
    );
    sorts(
        &["fe80::2 d", "2001:db8:1::2"],
        &["2001:db8:1::1", "fe80::1"],
    );
}

#[test]
fn rfc6724_6_rule_5_the_same_label() {
    sorts(
        &["2002:c633:6401::2", "fe80::2"],
        &["2002:c633:6401::1", "2001:db8:1::1"],
    );
}

#[test]
fn rfc6724_6_rule_6_higher_precedence() {
    sorts(
        &["2001:db8:1::2", "10.1.2.4/24"],
        &["2001:db8:1::1", "10.1.2.3"],
    );
    sorts(
        &["2001:db8:1::2", "2002:c633:6401::2", "fe80::2"],
        &["2001:db8:1::1", "2002:c633:6401::1"],
    );
}

#[test]
fn rfc6724_6_rule_8_the_smaller_scope() {
    sorts(&["2001:db8:1::2", "fe80::2"], &["fe80::1", "2001:db8:1::1"]);
}

#[test]
fn rfc6724_6_rule_9_the_longest_prefix() {
    sorts(
        &["2001:db8:1::2", "2001:db8:3f44::2"],
        &["2001:db8:1::1", "2001:db8:3ffe::1"],
    );
    sorts(&["10.0.0.2/24"], &["10.0.0.9", "192.0.2.1"]);
}

#[test]
fn rfc6724_6_rule_10_otherwise_the_order_stays() {
    let ours = candidates(&["10.0.0.2/24", "2001:db8:1::2"]);
    let given = ["192.0.2.9", "11.0.0.1", "192.0.2.1", "203.0.113.5"].map(ip);
    let mut sorted = given;
    sort_destinations(DEFAULT_POLICY, &mut sorted, |to| {
        source(DEFAULT_POLICY, to, ours.iter().copied())
    });
    assert_eq!(sorted, given);
}

#[test]
fn rfc6724_10_3_a_table_that_prefers_ipv4() {
    let mut table = DEFAULT_POLICY.to_vec();
    for entry in &mut table {
        if entry.length == 96 && entry.prefix != Ipv6Addr::UNSPECIFIED {
            entry.precedence = 100;
        }
    }
    sorts_by(
        &table,
        &["2001:db8:1::2", "10.1.2.4/24"],
        &["10.1.2.3", "2001:db8:1::1"],
    );
}
