//! Manifests in notes: both ways, and what is refused.

use manifest_gen::elf::Executable;
use manifest_gen::{
    DeviceError, DeviceType, Manifest, NoteError, NoteProblem, abi_to_json, manifest_to_json,
    query_abi, query_manifest,
};
use solo5_abi::manifest::{
    Entry, Header, Manifest as AbiManifest, NET_OFFLOAD, NameError, ParseError,
};
use solo5_abi::note::Abi;
use std::io::Cursor;

use crate::support::{MFT1, executable, file, manifest_note, parts};

fn net_and_disk() -> Manifest {
    let mut manifest = Manifest::new();
    manifest.push("service0", DeviceType::NetBasic).unwrap();
    manifest.push("storage", DeviceType::BlockBasic).unwrap();
    manifest
}

/// A note's content of the reserved entry and these.
fn content(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Header::new(entries.len() as u32 + 1).to_bytes().to_vec();
    bytes.extend(Entry::RESERVED_FIRST.to_bytes());
    bytes.extend(entries.iter().flat_map(Entry::to_bytes));
    bytes
}

#[test]
fn a_note_survives_a_round_trip() {
    for manifest in [Manifest::new(), net_and_disk()] {
        let note = manifest.to_note();
        assert_eq!(note.len(), 24 + 8 + 104 * (manifest.devices().len() + 1));
        assert_eq!(Manifest::from_note(&note), Ok(manifest.clone()));
        assert_eq!(Manifest::from_bytes(&manifest.to_bytes()), Ok(manifest));
    }
}

#[test]
fn a_note_is_the_same_whoever_wrote_it() {
    let by_hand = manifest_note(&[
        Entry::RESERVED_FIRST,
        Entry::new("service0", DeviceType::NetBasic),
        Entry::new("storage", DeviceType::BlockBasic),
    ]);
    assert_eq!(net_and_disk().to_note(), by_hand);
    let mut executable = Executable::open(Cursor::new(executable())).unwrap();
    assert_eq!(
        executable.manifest_bytes().unwrap(),
        net_and_disk().to_bytes()
    );
}

#[test]
fn what_is_no_manifest_note_is_refused() {
    let note = net_and_disk().to_note();
    assert_eq!(Manifest::from_note(&note[..19]), Err(NoteError::Other));
    let mut other = note.clone();
    other[8] = b'X';
    assert_eq!(Manifest::from_note(&other), Err(NoteError::Other));
    for len in 20..note.len() {
        assert_eq!(
            Manifest::from_note(&note[..len]),
            Err(NoteError::Malformed(NoteProblem::Truncated {
                size: len as u64,
                expected: 344
            }))
        );
    }
    let mut attached = note;
    attached[24 + 8 + 104 + 96] = 1;
    assert_eq!(
        Manifest::from_note(&attached),
        Err(NoteError::Manifest(ParseError::Attached {
            index: 1,
            found: 1
        }))
    );
}

#[test]
fn devices_that_no_tender_could_attach_are_refused() {
    let disk = Entry::new("disk", DeviceType::BlockBasic);
    let mut spaced = disk.to_bytes();
    spaced[1] = b' ';
    let mut unknown = disk.to_bytes();
    unknown[68] = 9;
    let nameless = Entry::from_bytes(&{
        let mut bytes = disk.to_bytes();
        bytes[..4].fill(0);
        bytes
    });
    let cases = [
        (
            Entry::from_bytes(&spaced),
            NoteError::Device {
                index: 2,
                problem: DeviceError::Name(NameError::NotAlphanumeric {
                    index: 1,
                    byte: b' ',
                }),
            },
        ),
        (
            nameless,
            NoteError::Device {
                index: 2,
                problem: DeviceError::Name(NameError::Empty),
            },
        ),
        (
            Entry::from_bytes(&unknown),
            NoteError::DeviceType { index: 2, found: 9 },
        ),
    ];
    for (entry, expected) in cases {
        assert_eq!(
            Manifest::from_bytes(&content(&[disk, entry])),
            Err(expected)
        );
    }
    let error = Manifest::from_bytes(&content(&[disk, disk])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "manifest entry 2: a second BLOCK_BASIC named \"disk\", expected one at most"
    );
}

#[test]
fn queries_print_what_an_executable_holds() {
    assert_eq!(
        query_abi(Cursor::new(executable())).unwrap(),
        "{\n  \"type\": \"solo5.abi\",\n  \"target\": \"hvt\",\n  \"version\": 2\n}\n"
    );
    assert_eq!(
        query_manifest(Cursor::new(executable())).unwrap(),
        net_and_disk().to_json()
    );
    let unknown = Abi {
        target: 77,
        version: u32::MAX,
        ..Abi::default()
    };
    assert_eq!(
        abi_to_json(&unknown),
        "{\n  \"type\": \"solo5.abi\",\n  \"target\": \"unknown\",\n  \"version\": 4294967295\n}\n"
    );
}

/// Features are between guest and tender: the tools neither show nor refuse them.
#[test]
fn wanted_features_are_not_looked_at() {
    let asking = Entry::new("service0", DeviceType::NetBasic).wanting(NET_OFFLOAD);
    let disk = Entry::new("storage", DeviceType::BlockBasic);
    let mut parts = parts();
    parts[MFT1].content = manifest_note(&[Entry::RESERVED_FIRST, asking, disk]);
    assert_eq!(
        query_manifest(Cursor::new(file(&parts))).unwrap(),
        net_and_disk().to_json()
    );
    assert_eq!(
        Manifest::from_bytes(&content(&[asking, disk])),
        Ok(net_and_disk())
    );
}

#[test]
fn what_only_tenders_let_pass_is_printed_as_valid_json() {
    let mut odd = Entry::new("disk", DeviceType::BlockBasic).to_bytes();
    odd[..6].copy_from_slice(b"\"\\\n\xff\x7fz");
    odd[68] = 9;
    let mut reserved = Entry::RESERVED_FIRST.to_bytes();
    reserved[..4].copy_from_slice(b"last");
    let bytes = content(&[Entry::from_bytes(&odd), Entry::from_bytes(&reserved)]);
    let json = manifest_to_json(&AbiManifest::parse(&bytes).unwrap());
    assert_eq!(
        json.lines().skip(4).collect::<Vec<_>>(),
        [
            "    { \"name\": \"\\\"\\\\\\u000a\u{fffd}\\u007fz\", \"type\": \"<undefined type>\" }",
            "  ]",
            "}"
        ]
    );
    // It parses, up to the type that is not known.
    let error = Manifest::from_json(json.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("unknown device type"), "{error}");

    let mut parts = parts();
    parts[MFT1].content[24..28].copy_from_slice(&2_u32.to_le_bytes());
    let error = query_manifest(Cursor::new(file(&parts))).unwrap_err();
    assert_eq!(error.to_string(), "manifest version 2, expected 1");
}
