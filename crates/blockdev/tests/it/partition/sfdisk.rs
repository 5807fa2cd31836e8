//! Images that `sfdisk` has made (Debian's package `fdisk`, which `ci/setup` installs).

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use blockdev::partition::{Kind, Table};
use blockdev::{BlockDevice, FileDevice};

/// An image of 16 MiB with the partitions of a script.
fn image(script: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    file.as_file().set_len(16 << 20).unwrap();
    sfdisk(file.path(), script);
    file
}

fn sfdisk(image: &Path, script: &str) {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut child = Command::new("sfdisk")
        .arg("--quiet")
        .arg(image)
        // Where it is, not every user looks.
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("sfdisk, of the package fdisk: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(script.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn open(image: &tempfile::NamedTempFile) -> BlockDevice<FileDevice> {
    BlockDevice::new(FileDevice::open(image.path(), 512).unwrap())
}

/// Numbers, first sectors and how many.
fn places(table: &Table) -> Vec<(u32, u64, u64)> {
    let places = table.entries.iter();
    places
        .map(|it| (it.number, it.start / 512, it.len / 512))
        .collect()
}

#[test]
fn a_gpt_is_read() {
    let image = image(
        "label: gpt\n\
         start=2048, size=4096, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, uuid=01234567-89AB-CDEF-0123-456789ABCDEF, name=\"EFI system\"\n\
         start=8192, size=100, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, name=\"root \u{e9}\"\n\
         start=10000, size=20480\n",
    );
    let mut disk = open(&image);
    let table = Table::read(&mut disk).unwrap();
    assert!(!table.is_backup);
    assert_eq!(
        places(&table),
        [(1, 2048, 4096), (2, 8192, 100), (3, 10000, 20480)]
    );
    let Kind::Gpt {
        type_guid,
        unique_guid,
        name,
    } = &table.entries[0].kind
    else {
        panic!("{table:?}");
    };
    assert_eq!(
        type_guid.to_string(),
        "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
    );
    assert_eq!(
        unique_guid.to_string(),
        "01234567-89AB-CDEF-0123-456789ABCDEF"
    );
    assert_eq!(name, "EFI system");
    let Kind::Gpt { name, .. } = &table.entries[1].kind else {
        panic!("{table:?}");
    };
    assert_eq!(name, "root \u{e9}");

    disk.write_at(512, &[0; 512]).unwrap();
    let again = Table::read(&mut disk).unwrap();
    assert!(again.is_backup);
    assert_eq!(again.entries, table.entries);
}

#[test]
fn an_mbr_is_read_with_logical_partitions() {
    let image = image(
        "label: dos\n\
         start=2048, size=2048, type=c, bootable\n\
         start=4096, size=16384, type=5\n\
         start=20480, type=83\n\
         start=6144, size=1000, type=83\n\
         start=10000, size=2000, type=82\n\
         start=18432, size=2048, type=83\n",
    );
    let table = Table::read(&mut open(&image)).unwrap();
    let expected = [
        (1, 2048, 2048),
        (3, 20480, (16 << 11) - 20480),
        (5, 6144, 1000),
        (6, 10000, 2000),
        (7, 18432, 2048),
    ];
    assert_eq!(places(&table), expected);
    let codes = table.entries.iter().map(|it| match it.kind {
        Kind::Mbr { code, is_active } => (code, is_active),
        _ => panic!("{it:?}"),
    });
    let codes: Vec<_> = codes.collect();
    let expected = [
        (0x0c, true),
        (0x83, false),
        (0x83, false),
        (0x82, false),
        (0x83, false),
    ];
    assert_eq!(codes, expected);
}
