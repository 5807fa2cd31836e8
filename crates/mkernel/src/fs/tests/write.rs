//! FAT images that we write: `fsck.fat` finds nothing, and what was written is what is read.

use std::cell::RefCell;
use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::rc::Rc;

use blockdev::{BlockDevice, Fault, FaultyDevice, Geometry, MemoryDevice, Operation, SectorDevice};
use tempfile::{NamedTempFile, TempDir};

use super::fat::{WIDTHS, assert_clean, files, format};
use super::images::noise;
use crate::fs::{ErrorKind, FileSystem, FileType, mount};

/// A device that stays with the test.
struct Held<D>(Rc<RefCell<D>>);

impl<D: SectorDevice> SectorDevice for Held<D> {
    type Error = D::Error;

    fn geometry(&self) -> Geometry {
        self.0.borrow().geometry()
    }

    fn read_blocks(&mut self, offset: u64, blocks: &mut [u8]) -> Result<(), D::Error> {
        self.0.borrow_mut().read_blocks(offset, blocks)
    }

    fn write_blocks(&mut self, offset: u64, blocks: &[u8]) -> Result<(), D::Error> {
        self.0.borrow_mut().write_blocks(offset, blocks)
    }

    fn can_flush(&self) -> bool {
        true
    }

    fn flush(&mut self) -> Result<(), D::Error> {
        self.0.borrow_mut().flush()
    }

    fn discard(&mut self, _offset: u64, _len: u64) -> Result<(), D::Error> {
        Ok(())
    }
}

fn formatted(width: &str, kib: &str) -> MemoryDevice {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("image");
    format(width, kib, &path);
    let octets = fs::read(path).expect("an image");
    MemoryDevice::from_bytes(512, octets).expect("whole blocks")
}

/// A file system that is mounted more than once.
struct Shared(Rc<RefCell<MemoryDevice>>);

impl Shared {
    fn formatted(width: &str, kib: &str) -> Self {
        Self(Rc::new(RefCell::new(formatted(width, kib))))
    }

    fn mount(&self) -> FileSystem {
        mount(BlockDevice::new(Held(Rc::clone(&self.0)))).expect("a file system")
    }

    fn assert_clean(&self) {
        assert_clean(&BlockDevice::new(self.0.borrow().clone()));
    }
}

fn write(mounted: &FileSystem, path: &str, content: &[u8]) {
    let mut file = mounted.create(path).expect("a file");
    file.write_all(content).expect("room");
    file.flush().expect("memory");
}

fn read(mounted: &FileSystem, path: &str) -> Vec<u8> {
    let mut content = Vec::new();
    let mut file = mounted.open(path).expect("a file");
    file.read_to_end(&mut content).expect("its content");
    content
}

/// Copies a directory of the host.
fn copy(mounted: &FileSystem, from: &Path, to: &str) {
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("UTF-8");
        let path = format!("{to}/{name}");
        if entry.file_type().expect("a type").is_dir() {
            mounted.create_dir(&path).expect("a directory");
            copy(mounted, &entry.path(), &path);
        } else {
            write(mounted, &path, &fs::read(entry.path()).expect("a file"));
        }
    }
}

/// As many files as there are, all of them the same.
fn compare(mounted: &FileSystem, from: &Path, path: &str) -> usize {
    let entries = mounted.read_dir(path).expect("a directory");
    let count = fs::read_dir(from).expect("a directory").count();
    assert_eq!(entries.len(), count, "{path}");
    let mut files = 0;
    for entry in entries {
        let (path, from) = (format!("{path}/{}", entry.name), from.join(&entry.name));
        if entry.file_type == FileType::Directory {
            files += compare(mounted, &from, &path);
        } else {
            let expected = fs::read(from).expect("a file");
            assert!(read(mounted, &path) == expected, "{path}");
            files += 1;
        }
    }
    files
}

#[test]
fn a_tree_that_we_wrote_is_clean_and_complete() {
    for (width, kib) in WIDTHS {
        let (files, count) = files(width);
        let device = Shared::formatted(width, kib);
        let mounted = device.mount();
        copy(&mounted, files.path(), "");
        mounted.sync().expect("memory");
        device.assert_clean();
        drop(mounted);
        assert_eq!(compare(&device.mount(), files.path(), ""), count);
    }
}

#[test]
fn files_change() {
    let device = Shared::formatted("16", "32768");
    let mounted = device.mount();
    let mut expected = noise(100_000);
    write(&mounted, "file", &expected);
    let mut file = mounted.open_mut("file").expect("a file");
    file.seek(SeekFrom::Start(50_001)).expect("a position");
    file.write_all(b"in the middle").expect("room");
    expected[50_001..50_014].copy_from_slice(b"in the middle");
    file.seek(SeekFrom::Start(120_000)).expect("a position");
    file.write_all(b"beyond").expect("room");
    expected.resize(120_000, 0);
    expected.extend(b"beyond");
    drop(file);
    assert!(read(&mounted, "file") == expected);
    let mut file = mounted.open_mut("file").expect("a file");
    file.set_len(70_000).expect("shorter");
    file.set_len(80_000).expect("longer");
    drop(file);
    expected.truncate(70_000);
    expected.resize(80_000, 0);
    assert!(read(&mounted, "file") == expected);
    write(&mounted, "FILE", b"again");
    assert_eq!(read(&mounted, "file"), b"again");
    mounted.sync().expect("memory");
    device.assert_clean();
}

#[test]
fn names_change_and_go() {
    let device = Shared::formatted("32", "65536");
    let mounted = device.mount();
    mounted.create_dir("a").expect("a directory");
    mounted.create_dir("b").expect("a directory");
    write(&mounted, "a/one", b"one");
    write(&mounted, "b/two", b"two");
    mounted
        .rename("a/one", "b/one of a long name")
        .expect("moved");
    assert_eq!(read(&mounted, "b/one of a long name"), b"one");
    mounted
        .rename("b/one of a long name", "b/two")
        .expect("in its place");
    assert_eq!(read(&mounted, "b/two"), b"one");
    mounted.rename("b", "a/b").expect("a directory moved");
    assert_eq!(read(&mounted, "/a/b/../b/two"), b"one");
    let kind = |outcome: Result<(), crate::fs::Error>| outcome.expect_err("no").kind().clone();
    assert_eq!(kind(mounted.rename("a", "a/b/a")), ErrorKind::InvalidPath);
    assert_eq!(kind(mounted.remove_dir("a/b")), ErrorKind::NotEmpty);
    assert_eq!(kind(mounted.remove_file("a")), ErrorKind::IsADirectory);
    assert_eq!(
        kind(mounted.remove_dir("a/b/two")),
        ErrorKind::NotADirectory
    );
    assert_eq!(kind(mounted.remove_file("nowhere")), ErrorKind::NotFound);
    assert_eq!(kind(mounted.remove_dir("/")), ErrorKind::InUse);
    assert_eq!(kind(mounted.create_dir("a")), ErrorKind::AlreadyExists);
    assert_eq!(
        kind(mounted.create("a:b").map(drop)),
        ErrorKind::InvalidPath
    );
    assert_eq!(kind(mounted.create("a").map(drop)), ErrorKind::IsADirectory);
    let open = mounted.open("a/b/two").expect("a file");
    assert_eq!(kind(mounted.remove_file("a/b/two")), ErrorKind::InUse);
    drop(open);
    mounted.remove_file("a/b/two").expect("removed");
    mounted.remove_dir("a/b").expect("removed");
    mounted.remove_dir("a").expect("removed");
    assert_eq!(mounted.read_dir("/").expect("the root"), []);
    mounted.sync().expect("memory");
    device.assert_clean();
}

#[test]
fn a_full_device_takes_nothing_and_then_again() {
    let device = Shared::formatted("12", "1024");
    let mounted = device.mount();
    let mut file = mounted.create("large").expect("a file");
    let error = file.write_all(&noise(2 << 20)).expect_err("no room");
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    drop(file);
    mounted.remove_file("large").expect("removed");
    let content = noise(900_000);
    write(&mounted, "fits", &content);
    assert!(read(&mounted, "fits") == content);
    mounted.sync().expect("memory");
    device.assert_clean();
}

#[test]
fn what_can_only_be_read_is_not_written() {
    let file = NamedTempFile::new().expect("a file");
    super::images::run(
        std::process::Command::new("tar")
            .arg("-cf")
            .arg(file.path())
            .args(["-C", "/", "proc/version"]),
    );
    let archive = super::images::device(fs::read(file.path()).expect("an archive"));
    let mounted = mount(archive).expect("an archive");
    let error = mounted.create("new").expect_err("no").to_string();
    assert_eq!(error, "new: can only be read");
    let mut file = mounted.open("proc/version").expect("a file");
    assert!(file.write(b"x").is_err());
    mounted.sync().expect("nothing to do");
}

#[test]
fn after_a_failed_write_nothing_more_is_written() {
    let device = FaultyDevice::new(formatted("16", "32768"));
    let faulty = Rc::new(RefCell::new(device));
    let mounted = mount(BlockDevice::new(Held(Rc::clone(&faulty)))).expect("a file system");
    write(&mounted, "before", b"before");
    faulty.borrow_mut().inject(Fault::Nth(Operation::Write, 1));
    let mut file = mounted.create("now").expect("it is held back, or an error");
    let error = file
        .write_all(&noise(100_000))
        .and_then(|()| file.flush())
        .expect_err("a write fails");
    assert!(error.to_string().contains("the device failed"), "{error}");
    drop(file);
    let error = mounted.create_dir("later").expect_err("no more writes");
    assert!(matches!(error.kind(), ErrorKind::Device(_)), "{error}");
    assert_eq!(read(&mounted, "before"), b"before");
    drop(mounted);
    let mounted = mount(BlockDevice::new(Held(faulty))).expect("a file system");
    assert_eq!(read(&mounted, "before"), b"before");
    write(&mounted, "later", b"later");
    assert_eq!(read(&mounted, "later"), b"later");
}
