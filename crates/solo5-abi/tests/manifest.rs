//! Manifests: entries as they lie in memory, and what the parser refuses.

use solo5_abi::manifest::{
    BLOCK_DISCARD, BLOCK_FLUSH, BLOCK_MANY, BLOCK_WHOLE, BlockProperties, DeviceType, Entry,
    Header, MAX_ENTRIES, MAX_SIZE, Manifest, NET_OFFLOAD, NET_OFFLOAD_UDP, NET_OFFLOAD_V6,
    NameError, NetProperties, ParseError, TENDER_FLUSH, TENDER_SHUTDOWN, TYPE_RESERVED_FIRST,
    TenderProperties, check_name,
};

fn bytes_of(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Header::new(entries.len() as u32).to_bytes().to_vec();
    bytes.extend(entries.iter().flat_map(Entry::to_bytes));
    bytes
}

fn net_and_disk() -> Vec<u8> {
    bytes_of(&[
        Entry::RESERVED_FIRST,
        Entry::new("service0", DeviceType::NetBasic),
        Entry::new("storage", DeviceType::BlockBasic),
    ])
}

/// What `Manifest::parse` says of a good manifest in which `bytes` are put at `offset`.
fn parse_with(offset: usize, bytes: &[u8]) -> Result<usize, ParseError> {
    let mut manifest = net_and_disk();
    manifest[offset..offset + bytes.len()].copy_from_slice(bytes);
    Manifest::parse(&manifest).map(|manifest| manifest.len())
}

#[test]
fn names_and_types_lie_where_the_abi_puts_them() {
    let bytes = Entry::new("service0", DeviceType::NetBasic).to_bytes();
    assert_eq!(&bytes[..9], b"service0\0");
    assert_eq!(bytes[68..72], [2, 0, 0, 0]);
    assert!(bytes[72..].iter().all(|&byte| byte == 0));
    let first = Entry::RESERVED_FIRST.to_bytes();
    assert_eq!(first[68..72], 0x4000_0000_u32.to_le_bytes());
    assert!(first[..68].iter().all(|&byte| byte == 0));
}

#[test]
fn devices_are_found_by_name_and_type_and_their_handle_is_their_index() {
    let bytes = net_and_disk();
    let manifest = Manifest::parse(&bytes).unwrap();
    assert_eq!(manifest.len(), 3);
    let (handle, entry) = manifest.find("storage", DeviceType::BlockBasic).unwrap();
    assert_eq!((handle, entry.name()), (2, Some("storage")));
    assert_eq!(manifest.find("storage", DeviceType::NetBasic), None);
    assert_eq!(manifest.find("stor", DeviceType::BlockBasic), None);
    assert_eq!(manifest.find("", DeviceType::BlockBasic), None);
    assert_eq!(manifest.entry(2), Some(entry));
    assert_eq!(manifest.entry(3), None);
    let handles: Vec<_> = manifest.devices().map(|(handle, _)| handle).collect();
    assert_eq!(handles, [1, 2]);
}

#[test]
fn attaching_fills_in_the_unions() {
    let disk = Entry::new("disk", DeviceType::BlockBasic);
    let block = BlockProperties {
        capacity: 0x0102_0304_0506_0000,
        block_size: 4096,
        wanted: 0,
        granted: BLOCK_WHOLE,
    };
    let attached = disk.with_block(5, block);
    let bytes = attached.to_bytes();
    assert_eq!(bytes[72..80], 0x0102_0304_0506_0000_u64.to_le_bytes());
    assert_eq!(bytes[80..82], 4096_u16.to_le_bytes());
    assert_eq!(bytes[88..92], 5_i32.to_le_bytes());
    assert_eq!(bytes[96], 1);
    assert_eq!(Entry::from_bytes(&bytes), attached);
    assert_eq!((attached.block(), attached.net()), (Some(block), None));
    assert_eq!(attached.host_fd(), 5);
    assert_eq!(disk.block(), None);
    assert_eq!(attached.detached(), disk);

    let net = NetProperties {
        mac: [2, 0, 0, 0, 0, 9],
        mtu: 1500,
        ..Default::default()
    };
    let attached = Entry::new("service", DeviceType::NetBasic).with_net(7, net);
    let bytes = attached.to_bytes();
    assert_eq!(bytes[72..78], net.mac);
    assert_eq!(bytes[78..80], 1500_u16.to_le_bytes());
    assert_eq!((attached.net(), attached.block()), (Some(net), None));

    let copy = bytes_of(&[Entry::RESERVED_FIRST, attached]);
    assert_eq!(
        Manifest::parse(&copy).unwrap_err(),
        ParseError::Attached { index: 1, found: 1 }
    );
    let copy = Manifest::parse_attached(&copy).unwrap();
    assert_eq!(
        copy.find("service", DeviceType::NetBasic),
        Some((1, attached))
    );
}

#[test]
fn features_are_asked_for_by_the_guest_and_granted_by_the_tender() {
    let plain = Entry::new("service", DeviceType::NetBasic);
    let asking = plain.wanting(NET_OFFLOAD);
    let bytes = asking.to_bytes();
    assert_eq!(bytes[..72], plain.to_bytes()[..72]);
    assert_eq!(bytes[72..80], [0; 8]);
    assert_eq!(bytes[80..84], [1, 0, 0, 0]);
    assert_eq!(bytes[84..], [0; 20]);
    assert_eq!((plain.wanted(), asking.wanted()), (0, NET_OFFLOAD));

    // Of what a note holds, nothing but the known features is the guest's to say.
    let mut note = bytes;
    note[72..96].fill(0xff);
    let entry = Entry::from_bytes(&note);
    let all = NET_OFFLOAD | NET_OFFLOAD_V6 | NET_OFFLOAD_UDP;
    assert_eq!(entry.wanted(), all);
    assert_eq!(entry.detached(), plain.wanting(all));
    note[80] = 0xf9;
    assert_eq!(Entry::from_bytes(&note).detached(), asking);
    note[80] = 0xf8;
    assert_eq!(Entry::from_bytes(&note).detached(), plain);

    // In a block device's entry these bytes are the block size, and its features lie behind.
    let block = BlockProperties {
        capacity: 512,
        block_size: 513,
        wanted: 0,
        granted: u16::MAX,
    };
    let disk = Entry::new("disk", DeviceType::BlockBasic);
    assert_eq!(disk.with_block(3, block).wanted(), 0);
    assert_eq!(disk.with_block(3, block).detached(), disk);
    let asking_disk = disk.wanting(BLOCK_FLUSH | BLOCK_MANY | BLOCK_DISCARD);
    assert_eq!(asking_disk.to_bytes()[72..88][10..12], [14, 0]);
    let wanted = u16::MAX;
    let everything = disk.with_block(3, BlockProperties { wanted, ..block });
    assert_eq!(
        everything.wanted(),
        BLOCK_FLUSH | BLOCK_MANY | BLOCK_DISCARD
    );
    assert_eq!(everything.detached(), asking_disk);

    let net = NetProperties {
        mac: [2, 0, 0, 0, 0, 9],
        mtu: 1500,
        wanted: asking.wanted(),
        granted: NET_OFFLOAD,
    };
    let attached = asking.with_net(7, net);
    assert_eq!(attached.to_bytes()[80..84], [1, 0, 1, 0]);
    assert_eq!(attached.net(), Some(net));
    assert_eq!(attached.detached(), asking);
}

#[test]
fn flushes_beside_the_guest_are_asked_for_in_the_first_entry() {
    let mut first = Entry::first(TenderProperties {
        wanted: TENDER_FLUSH,
        ..Default::default()
    });
    assert_eq!(first.tender_wanted(), TENDER_FLUSH);
    assert_eq!(first.to_bytes()[80..84], [0, 1, 0, 0]);
    first = Entry::first(TenderProperties {
        wanted: u16::MAX,
        ..Default::default()
    });
    assert_eq!(first.tender_wanted(), TENDER_FLUSH | TENDER_SHUTDOWN);

    let disk = Entry::new("disk", DeviceType::BlockBasic);
    let attached = disk.with_block(3, BlockProperties::default());
    assert_eq!(attached.flush_fds(), [0, 0]);
    let attached = attached.with_flush_fds([0x1234, 5]);
    assert_eq!(attached.host_fd(), 3);
    assert_eq!(attached.flush_fds(), [0x1234, 5]);
    assert_eq!(attached.to_bytes()[88..96], [3, 0, 0, 0, 0x34, 0x12, 5, 0]);
    assert_eq!(attached.detached(), disk);
}

#[test]
#[should_panic(expected = "does not have these features")]
fn a_feature_is_one_of_the_types() {
    let _ = Entry::new("disk", DeviceType::BlockBasic).wanting(NET_OFFLOAD);
}

#[test]
#[should_panic(expected = "does not have these features")]
fn the_first_entry_is_no_device() {
    let _ = Entry::RESERVED_FIRST.wanting(TENDER_SHUTDOWN);
}

#[test]
fn a_full_manifest_is_accepted_and_one_more_entry_is_not() {
    let mut entries = vec![Entry::RESERVED_FIRST];
    entries.extend((1..MAX_ENTRIES).map(|i| Entry::new(&format!("d{i}"), DeviceType::BlockBasic)));
    let full = bytes_of(&entries);
    assert_eq!(full.len(), MAX_SIZE);
    assert_eq!(Manifest::parse(&full).unwrap().devices().count(), 63);
    entries.push(Entry::new("more", DeviceType::BlockBasic));
    assert_eq!(
        Manifest::parse(&bytes_of(&entries)).unwrap_err(),
        ParseError::EntryCount { found: 65 }
    );
}

#[test]
fn what_tenders_refuse_is_refused() {
    let first = 8;
    let second = first + Entry::SIZE;
    assert_eq!(parse_with(0, &[1]), Ok(3));
    assert_eq!(parse_with(0, &[2]), Err(ParseError::Version { found: 2 }));
    assert_eq!(
        parse_with(4, &[0]),
        Err(ParseError::EntryCount { found: 0 })
    );
    assert_eq!(
        parse_with(4, &u32::MAX.to_le_bytes()),
        Err(ParseError::EntryCount { found: u32::MAX })
    );
    assert_eq!(
        parse_with(4, &[2]),
        Err(ParseError::Size {
            found: 320,
            expected: 216,
            entries: 2
        })
    );
    assert_eq!(
        parse_with(first + 68, &2_u32.to_le_bytes()),
        Err(ParseError::FirstType { found: 2 })
    );
    assert_eq!(parse_with(first, b"x"), Err(ParseError::FirstName));
    assert_eq!(
        parse_with(second + 67, b"x"),
        Err(ParseError::NameUnterminated { index: 1 })
    );
    assert_eq!(
        parse_with(second + 96, &[255]),
        Err(ParseError::Attached {
            index: 1,
            found: 255
        })
    );
}

#[test]
fn every_truncation_is_refused() {
    let bytes = net_and_disk();
    for len in 0..bytes.len() {
        assert!(Manifest::parse(&bytes[..len]).is_err(), "{len} bytes");
    }
    assert_eq!(
        Manifest::parse(&bytes[..7]).unwrap_err(),
        ParseError::TooShort { found: 7 }
    );
}

#[test]
fn what_tenders_let_pass_is_let_pass() {
    let second = 8 + Entry::SIZE;
    let mut bytes = net_and_disk();
    bytes[second..second + 4].copy_from_slice(b"\xff \"\\");
    bytes[second + 68..second + 72].copy_from_slice(&99_u32.to_le_bytes());
    bytes[second + 72..second + 96].fill(0xa5);
    bytes[second + 97..second + 104].fill(0xa5);
    let manifest = Manifest::parse(&bytes).unwrap();
    let entry = manifest.entry(1).unwrap();
    assert_eq!(entry.name_bytes(), b"\xff \"\\ice0");
    assert_eq!((entry.name(), entry.device_type()), (None, None));
    assert_eq!(entry.raw_type(), 99);
    assert!(!entry.is_reserved());
    assert_eq!(
        format!("{entry:?}"),
        r#"Entry { name: "\xff \"\\ice0", type: 0x63, .. }"#
    );
}

#[test]
fn names_are_1_to_67_letters_and_digits() {
    assert_eq!(check_name("a"), Ok(()));
    assert_eq!(check_name("Disk0"), Ok(()));
    assert_eq!(check_name(&"z".repeat(67)), Ok(()));
    assert_eq!(check_name(""), Err(NameError::Empty));
    assert_eq!(
        check_name(&"z".repeat(68)),
        Err(NameError::TooLong { len: 68 })
    );
    assert_eq!(
        check_name("my disk"),
        Err(NameError::NotAlphanumeric {
            index: 2,
            byte: b' '
        })
    );
    assert_eq!(
        check_name("caf\u{e9}"),
        Err(NameError::NotAlphanumeric {
            index: 3,
            byte: 0xc3
        })
    );
}

#[test]
#[should_panic(expected = "more than 67 bytes")]
fn the_infallible_constructor_panics_on_a_bad_name() {
    let _ = Entry::new(&"z".repeat(68), DeviceType::NetBasic);
}

#[test]
fn messages_name_the_value_and_what_was_expected() {
    let cases = [
        (
            ParseError::TooShort { found: 7 },
            "manifest of 7 bytes, expected at least 8",
        ),
        (
            ParseError::Version { found: 9 },
            "manifest version 9, expected 1",
        ),
        (
            ParseError::EntryCount { found: 65 },
            "manifest of 65 entries, expected 1 to 64",
        ),
        (
            ParseError::FirstType { found: 2 },
            "manifest entry 0 has type 0x2, expected 0x40000000 (reserved)",
        ),
    ];
    for (error, message) in cases {
        assert_eq!(error.to_string(), message);
    }
    assert_eq!(TYPE_RESERVED_FIRST, 0x4000_0000);
}
