//! A layer: files, as an archive that says nothing of when and by whom it was made.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::Path;

use flate2::{Compression, GzBuilder};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

/// A file's permissions and what is in it.
#[derive(Clone, Debug)]
pub struct File {
    /// Whether it is a program.
    pub executable: bool,
    /// Its octets.
    pub content: Vec<u8>,
}

/// Files by their path, without a slash in front.
pub type Files = BTreeMap<String, File>;

/// A layer of an image.
#[derive(Debug)]
pub struct Layer {
    /// The archive.
    pub archive: Vec<u8>,
    /// The archive, compressed by gzip.
    pub blob: Vec<u8>,
}

impl Layer {
    /// Archives `files`, which are all root's and of the second `time`, with the folders they are in.
    ///
    /// # Errors
    ///
    /// When a path is none that an archive can have.
    pub fn new(files: &Files, time: u64) -> io::Result<Self> {
        let archive = archive(files, time)?;
        let mut encoder = GzBuilder::new().write(Vec::new(), Compression::default());
        encoder.write_all(&archive)?;
        let blob = encoder.finish()?;
        Ok(Self { archive, blob })
    }
}

/// The archive of `files`.
pub(super) fn archive(files: &Files, time: u64) -> io::Result<Vec<u8>> {
    let mut builder = Builder::new(Vec::new());
    let parents = files
        .keys()
        .flat_map(|path| Path::new(path).ancestors().skip(1));
    let parents: BTreeSet<&Path> = parents.collect();
    for folder in parents {
        if !folder.as_os_str().is_empty() {
            let mut header = header(0o755, 0, time);
            header.set_entry_type(EntryType::Directory);
            builder.append_data(&mut header, folder, io::empty())?;
        }
    }
    for (path, file) in files {
        let mode = if file.executable { 0o755 } else { 0o644 };
        let mut header = header(mode, file.content.len() as u64, time);
        builder.append_data(&mut header, path, &*file.content)?;
    }
    builder.into_inner()
}

fn header(mode: u32, size: u64, time: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(size);
    header.set_mtime(time);
    header
}

/// The SHA-256 of `bytes`, in hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    let digits = Sha256::digest(bytes);
    digits.iter().map(|octet| format!("{octet:02x}")).collect()
}
