//! A tree of files, and images of it.

use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use blockdev::{BlockDevice, MemoryDevice};
use tempfile::TempDir;

use crate::fs::{FileSystem, FileType};

/// When every file was changed: an even second, as FAT knows no others.
pub(super) const MODIFIED: Duration = Duration::from_secs(1_700_000_000);

/// A directory of the host.
pub(super) struct Files {
    pub(super) directory: TempDir,
}

impl Files {
    /// A thousand files in one directory, and the others of [`with_many`](Self::with_many).
    pub(super) fn new() -> Self {
        Self::with_many(1000)
    }

    /// An empty file, a large one, so many in one directory, long names and others than English.
    pub(super) fn with_many(many: usize) -> Self {
        let files = Self {
            directory: TempDir::new().expect("a directory"),
        };
        files.write("empty", b"");
        files.write("large.bin", &noise(5_000_001));
        files.write("sub/directory/three deep.txt", b"three deep\n");
        files.write(&format!("sub/{}.txt", "long-name-".repeat(20)), b"long\n");
        files.write("sub/Grüße, 世界.txt", "hällo\n".as_bytes());
        files.write("index.html", b"<!doctype html>\n");
        for number in 0..many {
            files.write(
                &format!("many/file {number:04}.txt"),
                format!("{number}\n").as_bytes(),
            );
        }
        fs::create_dir(files.path().join("nothing")).expect("a directory");
        files
    }

    pub(super) fn with_links(self) -> Self {
        for (target, name) in [
            ("sub/directory/three deep.txt", "relative"),
            ("/sub/directory", "absolute"),
            ("../../../index.html", "sub/above"),
            ("circle", "circle"),
            ("nowhere", "broken"),
        ] {
            symlink(target, self.path().join(name)).expect("a link");
        }
        self
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    fn write(&self, name: &str, content: &[u8]) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(&path, content).expect("a file");
        let file = fs::File::options().write(true).open(&path).expect("a file");
        file.set_modified(SystemTime::UNIX_EPOCH + MODIFIED)
            .expect("a time");
    }
}

/// Octets that no compression shrinks.
pub(super) fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut octets = Vec::with_capacity(len + 8);
    while octets.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        octets.extend(state.to_le_bytes());
    }
    octets.truncate(len);
    octets
}

/// Runs a tool; it must succeed.
pub(super) fn run(command: &mut Command) {
    let path = std::env::var("PATH").unwrap_or_default();
    let output = command
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; ci/setup installs it"));
    assert!(output.status.success(), "{command:?}: {output:?}");
}

/// The image that a tool makes of a directory, into the file it is told.
pub(super) fn image(files: &Files, make: impl FnOnce(&Path, &Path)) -> BlockDevice<MemoryDevice> {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("image");
    make(files.path(), &path);
    device(fs::read(path).expect("an image"))
}

pub(super) fn device(mut octets: Vec<u8>) -> BlockDevice<MemoryDevice> {
    octets.resize(octets.len().next_multiple_of(512), 0);
    let device = MemoryDevice::from_bytes(512, octets).expect("whole blocks");
    BlockDevice::new(device)
}

/// Everything that the host has in a directory is in the image, to the octet, and nothing else; links are followed.
pub(super) fn compare(mounted: &FileSystem, host: &Path) -> usize {
    compare_directory(mounted, host, "/")
}

fn compare_directory(mounted: &FileSystem, host: &Path, path: &str) -> usize {
    let mut found: Vec<_> = mounted
        .read_dir(path)
        .expect("a directory")
        .into_iter()
        .filter(|entry| entry.name != "lost+found")
        .map(|entry| (entry.name, entry.file_type))
        .collect();
    let mut expected: Vec<_> = fs::read_dir(host.join(&path[1..]))
        .expect("a directory")
        .map(|entry| {
            let entry = entry.expect("an entry");
            let file_type = entry.file_type().expect("a type");
            let file_type = match () {
                () if file_type.is_dir() => FileType::Directory,
                () if file_type.is_symlink() => FileType::Link,
                () => FileType::File,
            };
            (entry.file_name().into_string().expect("UTF-8"), file_type)
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(found, expected, "{path}");
    let mut files = 0;
    for (name, file_type) in found {
        let path = format!("{}/{name}", path.trim_end_matches('/'));
        match file_type {
            FileType::Directory => files += compare_directory(mounted, host, &path),
            FileType::File => {
                compare_file(mounted, host, &path);
                files += 1;
            }
            _ => {}
        }
    }
    files
}

fn compare_file(mounted: &FileSystem, host: &Path, path: &str) {
    let expected = fs::read(host.join(&path[1..])).expect("a file");
    let metadata = mounted.metadata(path).expect("a file");
    assert_eq!(metadata.file_type, FileType::File, "{path}");
    assert_eq!(metadata.len, expected.len() as u64, "{path}");
    let modified = metadata.modified.expect("a time");
    assert_eq!(modified, SystemTime::UNIX_EPOCH + MODIFIED, "{path}");
    let mut content = Vec::new();
    let mut file = mounted.open(path).expect("a file");
    file.read_to_end(&mut content).expect("its content");
    assert!(content == expected, "{path} differs");
}
