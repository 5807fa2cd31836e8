//! File systems on block devices (feature `fs`), to be read: ext4, ext3, ext2, squashfs and tar.
//!
//! ```no_run
//! use std::io::Read;
//!
//! let disk = mkernel::block::open(mkernel::block!("site")?)?;
//! let files = mkernel::fs::mount(disk)?;
//! let mut page = String::new();
//! files.open("/index.html")?.read_to_string(&mut page)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`mount`] looks at the device for what is on it, and a program that calls it holds the code for all of it; one that
//! calls [`mount_ext4`], [`mount_squashfs`] or [`mount_tar`] holds the code for that alone.
//!
//! # Paths
//!
//! They begin at the root whether they begin with `/` or not. `..` is taken out before anything is looked up, and never
//! leads above the root; nor does a symbolic link, of which one after the other is followed, at most [`MAX_LINKS`].
//! Names that are not UTF-8 are not listed.
//!
//! # What is not trusted
//!
//! An image may hold anything: what it holds is an error at worst, takes a bounded number of reads of the device for
//! each call, and memory as [`mount`] says. Where a crate that reads it panics, the call returns
//! [`ErrorKind::Damaged`].
//!
//! # Waiting
//!
//! A call returns when it is done, and no other task runs meanwhile. A [`File`] reads 64 KiB at most for each call
//! of `read`, so that a task can yield between them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::SystemTime;

use blockdev::{BlockDevice, SectorDevice};

mod device;
mod error;
mod ext4;
mod file;
mod path;
mod squashfs;
mod tar;
#[cfg(test)]
mod tests;
mod tree;
mod volume;

pub use error::{Error, ErrorKind};
pub use file::File;

use device::Device;
use volume::Volume;

/// Most symbolic links that are followed for one path.
pub const MAX_LINKS: usize = 40;

/// Most entries of a directory that are listed.
pub const MAX_DIRECTORY: usize = 1 << 16;

/// A format of file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// ext2, ext3 or ext4; is read.
    Ext4,
    /// squashfs 4.0; is read.
    Squashfs,
    /// A tar archive: ustar, with what GNU and POSIX.1-2001 (pax) added for names and sizes; is read.
    Tar,
}

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileType {
    /// Octets.
    File,
    /// A directory.
    Directory,
    /// A symbolic link. Only [`FileSystem::read_dir`] tells: elsewhere it is followed.
    Link,
    /// A device, a pipe, a socket, or a sparse file of tar: nothing that can be opened.
    Other,
}

/// What is known of a file or directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// What it is.
    pub file_type: FileType,
    /// Octets of a file; of anything else it means nothing.
    pub len: u64,
    /// When its content was last changed.
    pub modified: Option<SystemTime>,
}

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// Its name, without the directory's path.
    pub name: String,
    /// What it is.
    pub file_type: FileType,
}

/// A mounted file system. A clone is the same file system.
#[derive(Clone)]
pub struct FileSystem {
    volume: Rc<dyn Volume>,
}

/// Mounts what is on the device, by its signatures.
///
/// Memory, beside that of open files: for tar as [`mount_tar`] says, for ext4 a few octets for each block group and for
/// each block in the journal, and else less than 3 MiB.
///
/// # Errors
///
/// When there is no file system that this module knows, and as the function of that file system says.
pub fn mount<D: SectorDevice + 'static>(device: BlockDevice<D>) -> Result<FileSystem, Error> {
    let device = Device::new(device);
    within("/", || {
        if ext4::is_there(&device)? {
            return ext4::mount(device).map(FileSystem::new);
        }
        if squashfs::is_there(&device)? {
            return squashfs::mount(device).map(FileSystem::new);
        }
        if tar::is_there(&device)? {
            return tar::mount(device).map(FileSystem::new);
        }
        Err(ErrorKind::NotRecognized)
    })
}

/// Mounts ext2, ext3 or ext4, to be read. What is in the journal counts.
///
/// # Errors
///
/// When the device holds nothing of the kind, or uses what `ext4-view` does not know, encryption among it; when the
/// device fails.
pub fn mount_ext4<D: SectorDevice + 'static>(device: BlockDevice<D>) -> Result<FileSystem, Error> {
    let device = Device::new(device);
    within("/", || ext4::mount(device).map(FileSystem::new))
}

/// Mounts squashfs 4.0, to be read, compressed by gzip, the default of `mksquashfs`, or not at all.
///
/// # Errors
///
/// When the device holds nothing of the kind, or something compressed otherwise (`mksquashfs -comp`); when the device
/// fails.
pub fn mount_squashfs<D: SectorDevice + 'static>(
    device: BlockDevice<D>,
) -> Result<FileSystem, Error> {
    let device = Device::new(device);
    within("/", || squashfs::mount(device).map(FileSystem::new))
}

/// Mounts a tar archive, to be read. It is looked through from header to header and an index kept of it, of 32 MiB at
/// most: some 130 octets and its name for each entry. Compressed archives are not known.
///
/// # Errors
///
/// When the device does not begin with a header, a later header is damaged or the index becomes too large; when the
/// device fails.
pub fn mount_tar<D: SectorDevice + 'static>(device: BlockDevice<D>) -> Result<FileSystem, Error> {
    let device = Device::new(device);
    within("/", || tar::mount(device).map(FileSystem::new))
}

impl FileSystem {
    fn new(volume: impl Volume + 'static) -> Self {
        Self {
            volume: Rc::new(volume),
        }
    }

    /// What is mounted.
    pub fn format(&self) -> Format {
        self.volume.format()
    }

    /// What is known of the file or directory at `path`.
    ///
    /// # Errors
    ///
    /// When there is none; when the file system is damaged or the device fails.
    pub fn metadata(&self, path: &str) -> Result<Metadata, Error> {
        within(path, || self.volume.metadata(&path::normalize(path)?))
    }

    /// The entries of the directory at `path`, without `.` and `..`, in no order that is promised.
    ///
    /// # Errors
    ///
    /// When there is no directory, or one of more than [`MAX_DIRECTORY`] entries; when the file system is damaged or
    /// the device fails.
    pub fn read_dir(&self, path: &str) -> Result<Vec<DirEntry>, Error> {
        within(path, || {
            let mut entries = Vec::new();
            self.volume
                .read_dir(&path::normalize(path)?, &mut |entry| {
                    if entries.len() == MAX_DIRECTORY {
                        return Err(ErrorKind::LimitExceeded("entries of a directory"));
                    }
                    entries.push(entry);
                    Ok(())
                })?;
            Ok(entries)
        })
    }

    /// Opens the file at `path`, to be read.
    ///
    /// # Errors
    ///
    /// When there is no file; when the file system is damaged or the device fails.
    pub fn open(&self, path: &str) -> Result<File, Error> {
        let content = within(path, || self.volume.open(&path::normalize(path)?))?;
        Ok(File::new(path, content))
    }
}

impl std::fmt::Debug for FileSystem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileSystem")
            .field("format", &self.format())
            .finish_non_exhaustive()
    }
}

/// Does `work` for what is at `path`. The crates that read file systems trust them up to a point, and panic beyond it.
fn within<T>(path: &str, work: impl FnOnce() -> Result<T, ErrorKind>) -> Result<T, Error> {
    let outcome = catch_unwind(AssertUnwindSafe(work));
    outcome
        .unwrap_or_else(|_| Err(ErrorKind::Damaged(String::from("its reader panicked"))))
        .map_err(|kind| Error::new(path, kind))
}
