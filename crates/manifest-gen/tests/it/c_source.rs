//! The C source of a manifest.

use manifest_gen::{DeviceType, Manifest};

#[test]
fn entries_stand_in_the_order_of_the_source_behind_the_reserved_one() {
    let mut manifest = Manifest::new();
    manifest.push("service", DeviceType::NetBasic).unwrap();
    manifest.push("disk", DeviceType::BlockBasic).unwrap();
    let source = manifest.to_c();
    assert!(source.starts_with("/* Written by solo5-elftool "));
    let lines: Vec<&str> = source.lines().skip(2).map(str::trim).collect();
    assert_eq!(
        lines,
        [
            "#define MFT_ENTRIES 3",
            "#include \"mft_abi.h\"",
            "",
            "MFT1_NOTE_DECLARE_BEGIN",
            "{",
            ".version = MFT_VERSION,",
            ".entries = 3,",
            ".e = {",
            "{ .name = \"\", .type = MFT_RESERVED_FIRST },",
            "{ .name = \"service\", .type = MFT_DEV_NET_BASIC },",
            "{ .name = \"disk\", .type = MFT_DEV_BLOCK_BASIC },",
            "},",
            "}",
            "MFT1_NOTE_DECLARE_END",
        ]
    );
}
