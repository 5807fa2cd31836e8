//! Byte for byte what the tools were given.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::Command;

use super::images::{Files, compare, image, noise, run};
use crate::fs::{ErrorKind, FileSystem, FileType, Format, mount};

fn check(mounted: &FileSystem, files: &Files, format: Format) {
    assert_eq!(mounted.format(), format);
    assert_eq!(compare(mounted, files.path()), 1006);
    random_access(mounted);
}

pub(super) fn random_access(mounted: &FileSystem) {
    let expected = noise(5_000_001);
    let mut file = mounted.open("large.bin").expect("a file");
    for offset in [4_999_990_u64, 0, 131_071, 4096, 131_073, 2_500_000] {
        file.seek(SeekFrom::Start(offset)).expect("a position");
        let mut part = Vec::new();
        (&mut file)
            .take(5000)
            .read_to_end(&mut part)
            .expect("octets");
        let offset = offset as usize;
        let end = expected.len().min(offset + 5000);
        assert!(part == expected[offset..end], "at {offset}");
    }
    assert_eq!(file.seek(SeekFrom::End(10)).expect("a position"), 5_000_011);
    assert_eq!(file.read(&mut [0; 8]).expect("nothing"), 0);
    assert!(file.seek(SeekFrom::Current(-6_000_000)).is_err());
}

fn links(mounted: &FileSystem) {
    let read = |path: &str| {
        let mut text = String::new();
        let mut file = mounted.open(path)?;
        file.read_to_string(&mut text).expect("UTF-8");
        Ok::<_, crate::fs::Error>(text)
    };
    assert_eq!(read("relative").expect("a file"), "three deep\n");
    assert_eq!(
        read("absolute/three deep.txt").expect("a file"),
        "three deep\n"
    );
    assert_eq!(
        read("sub/above").expect("within the root"),
        "<!doctype html>\n"
    );
    assert_eq!(
        read("/../../index.html").expect("within the root"),
        "<!doctype html>\n"
    );
    assert_eq!(
        *read("circle").expect_err("no end").kind(),
        ErrorKind::TooManyLinks
    );
    assert_eq!(
        *read("broken").expect_err("nothing").kind(),
        ErrorKind::NotFound
    );
    let metadata = mounted.metadata("absolute").expect("a directory");
    assert_eq!(metadata.file_type, FileType::Directory);
}

pub(super) fn errors(mounted: &FileSystem) {
    let kind = |path: &str| mounted.open(path).expect_err("no file").kind().clone();
    assert_eq!(kind("nowhere"), ErrorKind::NotFound);
    assert_eq!(kind("sub"), ErrorKind::IsADirectory);
    assert_eq!(kind("/"), ErrorKind::IsADirectory);
    assert_eq!(kind("index.html/more"), ErrorKind::NotADirectory);
    assert_eq!(kind(&"long".repeat(2000)), ErrorKind::InvalidPath);
    let error = mounted.read_dir("sub/nowhere").expect_err("no directory");
    assert_eq!(error.to_string(), "sub/nowhere: no such file or directory");
    let error = mounted.read_dir("empty").expect_err("a file");
    assert_eq!(*error.kind(), ErrorKind::NotADirectory);
}

#[test]
fn tar_of_every_dialect() {
    let files = Files::new().with_links();
    for dialect in ["gnu", "pax", "posix"] {
        let device = image(&files, |from, to| {
            run(Command::new("tar")
                .arg("--format")
                .arg(dialect)
                .arg("-C")
                .arg(from)
                .arg("-cf")
                .arg(to)
                .arg("."));
        });
        let mounted = mount(device).expect("an archive");
        check(&mounted, &files, Format::Tar);
        links(&mounted);
        errors(&mounted);
    }
}

#[test]
fn tar_of_1988_and_hard_links() {
    let files = Files {
        directory: tempfile::TempDir::new().expect("a directory"),
    };
    let deep = format!("{}/{}", "x".repeat(90), "y".repeat(90));
    fs::create_dir_all(files.path().join(&deep)).expect("a directory");
    fs::write(files.path().join(&deep).join("far"), "far").expect("a file");
    fs::write(files.path().join("one"), "same").expect("a file");
    fs::hard_link(files.path().join("one"), files.path().join("two")).expect("a link");
    let device = image(&files, |from, to| {
        run(Command::new("tar")
            .args(["--format", "ustar"])
            .arg("-C")
            .arg(from)
            .arg("-cf")
            .arg(to)
            .arg("."));
    });
    let mounted = mount(device).expect("an archive");
    for (path, expected) in [
        (format!("{deep}/far"), "far"),
        ("one".into(), "same"),
        ("two".into(), "same"),
    ] {
        let mut text = String::new();
        let mut file = mounted.open(&path).expect("a file");
        file.read_to_string(&mut text).expect("text");
        assert_eq!(text, expected);
    }
}

#[test]
fn ext_of_every_generation() {
    let files = Files::new().with_links();
    for (generation, block) in [
        ("ext2", "1024"),
        ("ext3", "4096"),
        ("ext4", "4096"),
        ("ext4", "1024"),
    ] {
        let device = image(&files, |from, to| make_ext(generation, block, from, to));
        let mounted = mount(device).expect("a file system");
        check(&mounted, &files, Format::Ext4);
        links(&mounted);
        errors(&mounted);
    }
}

fn make_ext(generation: &str, block: &str, from: &Path, to: &Path) {
    run(Command::new("mkfs.ext4")
        .args(["-q", "-t", generation, "-b", block, "-d"])
        .arg(from)
        .arg(to)
        .arg("32M"));
}

#[test]
fn squashfs_of_every_layout() {
    let files = Files::new().with_links();
    let layouts: [&[&str]; 5] = [
        &[],
        &["-b", "4096", "-always-use-fragments"],
        &["-b", "1M", "-no-fragments"],
        &["-noI", "-noD", "-noF"],
        &["-no-exports", "-no-xattrs", "-nopad"],
    ];
    for layout in layouts {
        let device = image(&files, |from, to| {
            run(Command::new("mksquashfs")
                .arg(from)
                .arg(to)
                .args(["-quiet", "-no-progress", "-processors", "1"])
                .args(layout));
        });
        let mounted = mount(device).expect("a file system");
        check(&mounted, &files, Format::Squashfs);
        links(&mounted);
        errors(&mounted);
    }
}

#[test]
fn squashfs_compressed_otherwise_is_refused() {
    let files = Files {
        directory: tempfile::TempDir::new().expect("a directory"),
    };
    let device = image(&files, |from, to| {
        run(Command::new("mksquashfs")
            .arg(from)
            .arg(to)
            .args(["-quiet", "-comp", "xz"]));
    });
    let error = mount(device).expect_err("not known").to_string();
    assert_eq!(
        error,
        "/: not supported: squashfs compressed by xz, only gzip is"
    );
}
