//! File systems on block devices (feature `fs`): FAT, read and written; ext4, ext3, ext2, squashfs and tar, read.
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
//! calls [`mount_fat`], [`mount_ext4`], [`mount_squashfs`] or [`mount_tar`] holds the code for that alone.
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
//! # The loss of power
//!
//! What was written to FAT is durable when [`flush`](std::io::Write::flush) of the file or [`FileSystem::sync`] has
//! returned, if the host can make it so. What a cut finds on its way there is there or not, each write of a block behind
//! those in front of it. `fsck.fat` then finds clusters that nobody has or that lie behind the end of a file whose length
//! changes, a count of free clusters that is off, and a second table that lags behind the first; and worse in two cases,
//! where an operation changes two blocks of directories: fragments of a long name that reaches from one block into the next,
//! which cost nothing, and of something that is renamed both names, which share the clusters, unless they stand in one
//! block. A file that was written in full and then renamed over another in the same block takes its place at once.
//!
//! # Waiting
//!
//! A call returns when it is done, and no other task runs meanwhile. A [`File`] reads or writes 64 KiB at most
//! for each call of `read` or `write`, so that a task can yield between them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::SystemTime;

use blockdev::{BlockDevice, SectorDevice};

mod device;
mod error;
mod ext4;
mod fat;
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
use volume::{Volume, Writable};

/// Most symbolic links that are followed for one path.
pub const MAX_LINKS: usize = 40;

/// Most entries of a directory that are listed.
pub const MAX_DIRECTORY: usize = 1 << 16;

/// A format of file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// FAT12, FAT16 or FAT32; is read and written.
    Fat,
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
    /// When its content was last changed. FAT knows no time zone: it counts as UTC.
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
        if fat::is_there(&device)? {
            return fat::mount(device).map(FileSystem::new);
        }
        if tar::is_there(&device)? {
            return tar::mount(device).map(FileSystem::new);
        }
        Err(ErrorKind::NotRecognized)
    })
}

/// Mounts FAT12, FAT16 or FAT32, to be read and written.
///
/// Every write waits until the one before is durable, where the device can make it so. After a write or a flush has
/// failed nothing more is written until the device is mounted again.
///
/// # Errors
///
/// When the device holds nothing of the kind, or has blocks of more than 4 KiB; when it fails.
pub fn mount_fat<D: SectorDevice + 'static>(device: BlockDevice<D>) -> Result<FileSystem, Error> {
    let device = Device::new(device);
    within("/", || fat::mount(device).map(FileSystem::new))
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

    /// Opens a file at `path` to be written, and read: a new one, or, emptied, the one that is there.
    ///
    /// # Errors
    ///
    /// When what is mounted cannot be written, the name is not one that FAT can have, or it is that of a directory; when
    /// there is no room, the file system is damaged or the device fails.
    pub fn create(&self, path: &str) -> Result<File, Error> {
        let content = self.write(path, |volume, path| volume.create(path))?;
        Ok(File::new(path, content))
    }

    /// Opens the file at `path` to be written, and read, as it is.
    ///
    /// # Errors
    ///
    /// When what is mounted cannot be written, or there is no file; when the file system is damaged or the device fails.
    pub fn open_mut(&self, path: &str) -> Result<File, Error> {
        let content = self.write(path, |volume, path| volume.open_mut(path))?;
        Ok(File::new(path, content))
    }

    /// Makes a directory.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create), and when there is something by that name.
    pub fn create_dir(&self, path: &str) -> Result<(), Error> {
        self.write(path, |volume, path| volume.create_dir(path))
    }

    /// Removes a file.
    ///
    /// # Errors
    ///
    /// When what is mounted cannot be written, there is no file, or it is open; when the file system is damaged or the
    /// device fails.
    pub fn remove_file(&self, path: &str) -> Result<(), Error> {
        self.write(path, |volume, path| volume.remove_file(path))
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    ///
    /// As [`remove_file`](Self::remove_file), and when the directory is not empty.
    pub fn remove_dir(&self, path: &str) -> Result<(), Error> {
        self.write(path, |volume, path| volume.remove_dir(path))
    }

    /// Gives the file or directory at `from` another name, or another place. A file that is there goes.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create), when there is nothing at `from`, and when what would go is open or a directory that is
    /// not empty.
    pub fn rename(&self, from: &str, to: &str) -> Result<(), Error> {
        self.write(from, |volume, from| {
            volume.rename(from, &path::normalize(to)?)
        })
    }

    /// Makes durable all that was written; where nothing can be written, it does nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::CannotFlush`] where the device cannot, once it has all that was written; when it fails.
    pub fn sync(&self) -> Result<(), Error> {
        match self.volume.writable() {
            Some(volume) => within("/", || volume.sync()),
            None => Ok(()),
        }
    }

    fn write<T>(
        &self,
        path: &str,
        work: impl FnOnce(&dyn Writable, &str) -> Result<T, ErrorKind>,
    ) -> Result<T, Error> {
        within(path, || {
            let volume = self.volume.writable().ok_or(ErrorKind::ReadOnly)?;
            work(volume, &path::normalize(path)?)
        })
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
