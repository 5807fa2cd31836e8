//! Manifests in JSON, good and bad.

use manifest_gen::{DeviceType, Manifest, SOURCE_MAX};

/// What is said of a source: `LINE: LOCATION: reason`.
fn message(source: &str) -> String {
    match Manifest::from_json(source.as_bytes()) {
        Ok(manifest) => panic!("{source} was taken for {manifest:?}"),
        Err(error) => error.to_string(),
    }
}

/// What is said of a manifest with these devices, each on a line of its own from line 4.
fn devices_message(devices: &[&str]) -> String {
    message(&with_devices(devices))
}

fn with_devices(devices: &[&str]) -> String {
    format!(
        "{{ \"type\": \"solo5.manifest\",\n\"version\": 1,\n\"devices\": [\n{}\n] }}",
        devices.join(",\n")
    )
}

#[test]
fn json_survives_a_round_trip() {
    let mut manifest = Manifest::new();
    assert_eq!(
        manifest.to_json(),
        "{\n  \"type\": \"solo5.manifest\",\n  \"version\": 1,\n  \"devices\": [\n  ]\n}\n"
    );
    manifest.push("service0", DeviceType::NetBasic).unwrap();
    manifest.push("storage", DeviceType::BlockBasic).unwrap();
    let json = manifest.to_json();
    assert_eq!(
        json.lines().nth(4),
        Some(r#"    { "name": "service0", "type": "NET_BASIC" },"#)
    );
    assert_eq!(
        json.lines().nth(5),
        Some(r#"    { "name": "storage", "type": "BLOCK_BASIC" }"#)
    );
    assert_eq!(Manifest::from_json(json.as_bytes()), Ok(manifest));
}

#[test]
fn order_of_keys_space_and_escapes_do_not_matter() {
    let source = "\r\n{\"devices\":[{\"type\":\"NET\\u005fBASIC\",\"name\":\"a\"}],\
                  \"version\":1,\"type\":\"solo5.manifest\"}\t ";
    let manifest = Manifest::from_json(source.as_bytes()).unwrap();
    assert_eq!(manifest.devices()[0].name(), "a");
}

#[test]
fn a_comma_behind_the_last_member_is_taken_as_upstream_takes_it() {
    let source =
        r#"{"type":"solo5.manifest","version":1,"devices":[{"name":"a","type":"NET_BASIC",},],}"#;
    let manifest = Manifest::from_json(source.as_bytes()).unwrap();
    assert_eq!(manifest.devices().len(), 1);
}

#[test]
fn what_is_not_json_is_refused_with_its_line() {
    let cases = [
        ("", "1: JSON parse error: no value, expected an object"),
        ("\n\n", "1: JSON parse error: no value, expected an object"),
        ("{\n\n\"type\": }", "3: JSON parse error: "),
        ("{} {}", "1: JSON parse error: "),
        ("// a comment\n{}", "1: JSON parse error: "),
        ("{'type': 1}", "1: JSON parse error: "),
        ("{\"a\": 0x1}", "1: JSON parse error: "),
        ("{\n\"a", "2: JSON parse error: "),
        // Found by fuzzing: only a line feed ends a line, here as in the other errors.
        ("{\r\r\r\n]", "2: JSON parse error: "),
    ];
    for (source, expected) in cases {
        let message = message(source);
        assert!(message.starts_with(expected), "{source:?}: {message}");
    }
    let error = Manifest::from_json(b"{\n\"a\": \"\xff\"}").unwrap_err();
    assert_eq!(error.to_string(), "2: JSON parse error: not UTF-8");
}

#[test]
fn depth_and_length_are_bounded() {
    let message = message(&"[".repeat(100_000));
    assert!(message.contains("depth"), "{message}");
    let error = Manifest::from_json(&vec![b' '; SOURCE_MAX + 1]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "1: source of 1048577 bytes, expected at most 1048576"
    );
}

#[test]
fn the_root_holds_three_keys_of_the_right_types() {
    let cases = [
        ("[]", "1: (root): expected OBJECT, got ARRAY"),
        ("\nnull", "2: (root): expected OBJECT, got NULL"),
        ("{}", "1: (root): missing key: type"),
        (
            "{\n\"type\": \"solo5.manifest\" }",
            "1: (root): missing key: version",
        ),
        (
            "{ \"type\": \"solo5.manifest\", \"version\": 1 }",
            "1: (root): missing key: devices",
        ),
        ("{\n\"colour\": 1 }", "2: (root): unknown key: \"colour\""),
        (
            "{\n\"type\": \"a\",\n\"type\": \"b\" }",
            "3: (root): repeated key: type",
        ),
        (
            "{ \"type\": true, \"version\": 1, \"devices\": [] }",
            "1: .type: expected STRING, got BOOLEAN",
        ),
        (
            "{ \"type\": \"solo5.abi\", \"version\": 1, \"devices\": [] }",
            "1: .type: invalid value \"solo5.abi\", expected \"solo5.manifest\"",
        ),
        (
            "{ \"type\": \"solo5.manifest\", \"version\": \"1\", \"devices\": [] }",
            "1: .version: expected INTEGER, got STRING",
        ),
        (
            "{ \"type\": \"solo5.manifest\", \"version\": 1.0, \"devices\": [] }",
            "1: .version: expected INTEGER, got REAL",
        ),
        (
            "{ \"type\": \"solo5.manifest\",\n\"version\": 2, \"devices\": [] }",
            "2: .version: invalid version 2, expected 1",
        ),
        (
            "{ \"type\": \"solo5.manifest\", \"version\": 99999999999999999999, \"devices\": [] }",
            "1: .version: invalid version 99999999999999999999, expected 1",
        ),
        (
            "{ \"type\": \"solo5.manifest\", \"version\": 1, \"devices\": {} }",
            "1: .devices: expected ARRAY, got OBJECT",
        ),
    ];
    for (source, expected) in cases {
        assert_eq!(message(source), expected, "{source}");
    }
}

#[test]
fn devices_are_checked_one_by_one() {
    let good = r#"{ "name": "a", "type": "NET_BASIC" }"#;
    let long = format!(r#"{{ "name": "{}", "type": "NET_BASIC" }}"#, "a".repeat(68));
    let cases = [
        ("7", "5: .devices[]: expected OBJECT, got INTEGER"),
        ("{}", "5: .devices[...]: missing key: name"),
        (r#"{ "name": "b" }"#, "5: .devices[...]: missing key: type"),
        (
            r#"{ "name": "b", "type": "NET_BASIC", "mac": 1 }"#,
            "5: .devices[...]: unknown key: \"mac\"",
        ),
        (
            r#"{ "name": [], "type": "NET_BASIC" }"#,
            "5: .devices[...]: expected STRING, got ARRAY",
        ),
        (
            r#"{ "name": "b", "type": null }"#,
            "5: .devices[...]: expected STRING, got NULL",
        ),
        (
            r#"{ "name": "b", "type": "NET_FANCY" }"#,
            "5: .devices[...]: unknown device type \"NET_FANCY\", expected \"NET_BASIC\" or \"BLOCK_BASIC\"",
        ),
        (
            r#"{ "name": "", "type": "NET_BASIC" }"#,
            "5: .devices[...]: empty name, expected 1 to 67 ASCII letters and digits",
        ),
        (
            &long,
            "5: .devices[...]: name of 68 bytes, expected at most 67",
        ),
        (
            r#"{ "name": "my disk", "type": "BLOCK_BASIC" }"#,
            "5: .devices[...]: name with 0x20 at byte 2, expected ASCII letters and digits only",
        ),
        (
            r#"{ "name": "b\u0000", "type": "BLOCK_BASIC" }"#,
            "5: .devices[...]: name with 0x00 at byte 1, expected ASCII letters and digits only",
        ),
        (
            good,
            "5: .devices[...]: a second NET_BASIC named \"a\", expected one at most",
        ),
    ];
    for (device, expected) in cases {
        assert_eq!(devices_message(&[good, device]), expected);
    }
    let both = with_devices(&[good, r#"{ "name": "a", "type": "BLOCK_BASIC" }"#]);
    let manifest = Manifest::from_json(both.as_bytes()).unwrap();
    assert_eq!(manifest.devices().len(), 2);
}

#[test]
fn there_are_63_devices_at_most() {
    let devices: Vec<String> = (0..64)
        .map(|i| format!(r#"{{ "name": "d{i}", "type": "BLOCK_BASIC" }}"#))
        .collect();
    let devices: Vec<&str> = devices.iter().map(String::as_str).collect();
    assert_eq!(
        devices_message(&devices),
        "3: .devices[]: too many entries, maximum 63"
    );
    let full = with_devices(&devices[..63]);
    let mut manifest = Manifest::from_json(full.as_bytes()).unwrap();
    assert_eq!(manifest.devices().len(), 63);
    let error = manifest.push("more", DeviceType::NetBasic).unwrap_err();
    assert_eq!(error.to_string(), "too many entries, maximum 63");
}

#[test]
fn messages_are_one_short_line_whatever_the_source_holds() {
    let key = format!("a\\n\\u001b[2J{}", "x".repeat(100_000));
    let message = message(&format!("{{\"{key}\": 1}}"));
    assert!(message.starts_with(r#"1: (root): unknown key: "a\n\u{1b}[2Jxxx"#));
    assert!(message.len() < 150, "{}", message.len());
    assert!(!message.chars().any(char::is_control));

    // Found by fuzzing: characters that are shown by longer escapes.
    let controls = "\u{e}".repeat(80);
    let error = Manifest::from_json(format!("{{\"{controls}\": 1}}").as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("1: (root): unknown key: \"{}\"...", "\\u{e}".repeat(16))
    );
}
