//! FAT12, FAT16 and FAT32, by `hadris-fat`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use hadris_fat::CacheOptions;
use hadris_fat::sync::FatFs;
use hadris_fs::sync::FileSystem;
use hadris_fs::{
    Clock, DateTime, DirCursor, Error, ErrorKind as Failure, FileType as FatFileType, FsResult,
    MountOptions, Name, NodeId, OpenMode, RenameMode, SetAttr,
};

use super::device::Device;
use super::volume::{Content, Volume, Writable};
use super::{DirEntry, ErrorKind, FileType, Format, Metadata, path};

mod ordered;

use ordered::{Ordered, failed};

/// Most reads for one call: as many sectors as the largest table of FAT32 has with clusters of 4 KiB on 32 GiB.
const MAX_READS: u32 = 1 << 17;
/// Most files that are open.
const MAX_OPEN: usize = 1 << 16;
/// Blocks of tables and directories that are kept.
const BLOCKS: usize = 64;
/// Names of one directory that are kept.
const NAMES: usize = 2048;

/// What all that is open has in common.
struct Shared {
    volume: RefCell<FatFs<Ordered>>,
    device: Device,
    /// Whether a call has begun and not ended; it is so for ever after a panic.
    is_within: Cell<bool>,
}

struct Mounted(Rc<Shared>);

/// The clock of the volume.
struct Now;

impl Clock for Now {
    fn now(&self) -> DateTime {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let seconds = since.map_or(0, |since| since.as_secs());
        i64::try_from(seconds)
            .ok()
            .and_then(|seconds| DateTime::from_unix_seconds(seconds).ok())
            .unwrap_or(DateTime::UNIX_EPOCH)
    }
}

pub(super) fn is_there(device: &Device) -> Result<bool, ErrorKind> {
    if device.capacity() < 512 {
        return Ok(false);
    }
    let sector: [u8; 512] = device.read_array(0)?;
    let sector_size = u16::from_le_bytes([sector[11], sector[12]]);
    // A jump, a size of sectors and of clusters, one table or more, and the signature; NTFS and exFAT have no tables.
    Ok(matches!(sector[0], 0xeb | 0xe9)
        && matches!(sector_size, 512 | 1024 | 2048 | 4096)
        && sector[13].is_power_of_two()
        && sector[16] != 0
        && sector[510..] == [0x55, 0xaa])
}

pub(super) fn mount(device: Device) -> Result<impl Volume, ErrorKind> {
    let device = device.with_max_reads(MAX_READS);
    if !is_there(&device)? {
        return Err(ErrorKind::NotRecognized);
    }
    let options = MountOptions::new()
        .with_clock(&Now)
        .with_node_limit(MAX_OPEN);
    let volume = FatFs::mount(Ordered::new(device.clone())?, options)
        .map_err(|error| kind(error.into_error()))?
        .with_cache(
            CacheOptions::new()
                .with_blocks(BLOCKS)
                .with_directory_entries(NAMES),
        );
    Ok(Mounted(Rc::new(Shared {
        volume: RefCell::new(volume),
        device,
        is_within: Cell::new(false),
    })))
}

impl Shared {
    /// Does `work` on the volume, and then has what it wrote on its way to the device.
    fn with<T>(
        &self,
        work: impl FnOnce(&mut FatFs<Ordered>) -> FsResult<T, ErrorKind>,
    ) -> Result<T, ErrorKind> {
        if self.is_within.replace(true) {
            return Err(ErrorKind::Damaged(String::from(
                "its reader panicked before",
            )));
        }
        self.device.begin();
        let outcome = work(&mut self.volume.borrow_mut()).map_err(kind);
        let settled = self.device.settle();
        self.is_within.set(false);
        settled.and(outcome)
    }
}

/// The node at a path; it is pinned unless it is the root.
fn find(volume: &mut FatFs<Ordered>, path: &str) -> FsResult<NodeId, ErrorKind> {
    let mut here = volume.root();
    for name in path::names(path) {
        let found = volume.lookup(here, Name::new(name));
        volume.forget(here, 1);
        here = found?;
    }
    Ok(here)
}

/// The directory that holds the last name of a path, pinned unless it is the root, and that name.
fn find_parent<'a>(
    volume: &mut FatFs<Ordered>,
    path: &'a str,
) -> FsResult<(NodeId, &'a Name), ErrorKind> {
    match path.rsplit_once('/') {
        Some((directory, name)) if !name.is_empty() => {
            Ok((find(volume, directory)?, Name::new(name)))
        }
        // The root has no name.
        _ => Err(Failure::Busy.into()),
    }
}

/// Does `work` in the directory that holds the last name of a path.
fn in_parent<T>(
    volume: &mut FatFs<Ordered>,
    path: &str,
    work: impl FnOnce(&mut FatFs<Ordered>, NodeId, &Name) -> FsResult<T, ErrorKind>,
) -> FsResult<T, ErrorKind> {
    let (directory, name) = find_parent(volume, path)?;
    let outcome = work(volume, directory, name);
    volume.forget(directory, 1);
    outcome
}

impl Volume for Mounted {
    fn format(&self) -> Format {
        Format::Fat
    }

    fn metadata(&self, path: &str) -> Result<Metadata, ErrorKind> {
        let metadata = self.0.with(|volume| {
            let node = find(volume, path)?;
            let metadata = volume.stat(node);
            volume.forget(node, 1);
            metadata
        })?;
        Ok(Metadata {
            file_type: file_type(metadata.file_type()),
            len: metadata.len(),
            modified: metadata.modified().and_then(time),
        })
    }

    fn read_dir(
        &self,
        path: &str,
        add: &mut dyn FnMut(DirEntry) -> Result<(), ErrorKind>,
    ) -> Result<(), ErrorKind> {
        self.0.with(|volume| {
            let directory = find(volume, path)?;
            let outcome = list(volume, directory, add);
            volume.forget(directory, 1);
            outcome
        })
    }

    fn open(&self, path: &str) -> Result<Box<dyn Content>, ErrorKind> {
        let node = self.0.with(|volume| open(volume, path, OpenMode::Read))?;
        self.content(node)
    }

    fn writable(&self) -> Option<&dyn Writable> {
        Some(self)
    }
}

fn list(
    volume: &mut FatFs<Ordered>,
    directory: NodeId,
    add: &mut dyn FnMut(DirEntry) -> Result<(), ErrorKind>,
) -> FsResult<(), ErrorKind> {
    let mut cursor = DirCursor::START;
    while let Some(entry) = volume.readdir(directory, cursor)? {
        cursor = entry.next_cursor();
        let Ok(name) = entry.name().to_str() else {
            continue;
        };
        if matches!(name, "." | "..") {
            continue;
        }
        add(DirEntry {
            name: String::from(name),
            file_type: file_type(entry.file_type()),
        })
        .map_err(failed)?;
    }
    Ok(())
}

/// Opens a file, which stays pinned.
fn open(volume: &mut FatFs<Ordered>, path: &str, mode: OpenMode) -> FsResult<NodeId, ErrorKind> {
    let node = find(volume, path)?;
    if let Err(error) = volume.open(node, mode) {
        volume.forget(node, 1);
        return Err(error);
    }
    Ok(node)
}

impl Mounted {
    fn content(&self, node: NodeId) -> Result<Box<dyn Content>, ErrorKind> {
        let mut file = OpenFile {
            shared: Rc::clone(&self.0),
            node,
            len: 0,
        };
        file.len = self.0.with(|volume| volume.stat(node))?.len();
        Ok(Box::new(file))
    }
}

impl Writable for Mounted {
    fn create(&self, path: &str) -> Result<Box<dyn Content>, ErrorKind> {
        let node = self
            .0
            .with(|volume| match open(volume, path, OpenMode::Write) {
                Ok(node) => {
                    if let Err(error) = volume.truncate(node, 0) {
                        _ = volume.close(node);
                        volume.forget(node, 1);
                        return Err(error);
                    }
                    Ok(node)
                }
                Err(error) if error.kind() == Failure::NotFound => {
                    let node = in_parent(volume, path, |volume, directory, name| {
                        volume.create(directory, name, &SetAttr::new())
                    })?;
                    volume.open(node, OpenMode::Write)?;
                    Ok(node)
                }
                Err(error) => Err(error),
            })?;
        self.content(node)
    }

    fn open_mut(&self, path: &str) -> Result<Box<dyn Content>, ErrorKind> {
        let node = self.0.with(|volume| open(volume, path, OpenMode::Write))?;
        self.content(node)
    }

    fn create_dir(&self, path: &str) -> Result<(), ErrorKind> {
        self.0.with(|volume| {
            in_parent(volume, path, |volume, directory, name| {
                let node = volume.mkdir(directory, name, &SetAttr::new())?;
                volume.forget(node, 1);
                Ok(())
            })
        })
    }

    fn remove_file(&self, path: &str) -> Result<(), ErrorKind> {
        self.0.with(|volume| {
            in_parent(volume, path, |volume, directory, name| {
                volume.unlink(directory, name)
            })
        })
    }

    fn remove_dir(&self, path: &str) -> Result<(), ErrorKind> {
        self.0.with(|volume| {
            in_parent(volume, path, |volume, directory, name| {
                volume.rmdir(directory, name)
            })
        })
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), ErrorKind> {
        self.0.with(|volume| {
            in_parent(volume, from, |volume, from_directory, from_name| {
                in_parent(volume, to, |volume, to_directory, to_name| {
                    volume.rename(
                        from_directory,
                        from_name,
                        to_directory,
                        to_name,
                        RenameMode::Replace,
                    )
                })
            })
        })
    }

    fn sync(&self) -> Result<(), ErrorKind> {
        self.0.with(|volume| volume.sync())?;
        match self.0.device.can_flush() {
            true => Ok(()),
            false => Err(ErrorKind::CannotFlush),
        }
    }
}

struct OpenFile {
    shared: Rc<Shared>,
    /// It is pinned.
    node: NodeId,
    len: u64,
}

impl Content for OpenFile {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        self.shared
            .with(|volume| volume.read(self.node, offset, buffer))
    }

    fn write_at(&mut self, offset: u64, octets: &[u8]) -> Result<usize, ErrorKind> {
        let written = self
            .shared
            .with(|volume| volume.write(self.node, offset, octets))?;
        self.len = self.len.max(offset + written as u64);
        Ok(written)
    }

    fn set_len(&mut self, len: u64) -> Result<(), ErrorKind> {
        self.shared.with(|volume| volume.truncate(self.node, len))?;
        self.len = len;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        self.shared.with(|volume| volume.fsync(self.node))
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        // Who wants to know whether it went well calls `flush`.
        _ = self.shared.with(|volume| {
            let outcome = volume.close(self.node);
            volume.forget(self.node, 1);
            outcome
        });
    }
}

fn kind(error: Error<ErrorKind>) -> ErrorKind {
    if let Some(kind) = error.device_error() {
        return kind.clone();
    }
    match error.kind() {
        Failure::NotRecognized => ErrorKind::NotRecognized,
        Failure::NotFound => ErrorKind::NotFound,
        Failure::AlreadyExists => ErrorKind::AlreadyExists,
        Failure::NotADirectory => ErrorKind::NotADirectory,
        Failure::IsADirectory => ErrorKind::IsADirectory,
        Failure::DirectoryNotEmpty => ErrorKind::NotEmpty,
        Failure::NoSpace => ErrorKind::Full,
        Failure::ReadOnly => ErrorKind::ReadOnly,
        Failure::InvalidInput | Failure::NameTooLong => ErrorKind::InvalidPath,
        Failure::FileTooLarge => ErrorKind::LimitExceeded("octets of a file"),
        Failure::LimitExceeded => ErrorKind::LimitExceeded("of what is open, or in a directory"),
        Failure::Busy => ErrorKind::InUse,
        Failure::Unsupported => ErrorKind::Unsupported(error.to_string()),
        Failure::Io => ErrorKind::Device(error.to_string()),
        _ => ErrorKind::Damaged(error.to_string()),
    }
}

fn file_type(of: FatFileType) -> FileType {
    match of {
        FatFileType::File => FileType::File,
        FatFileType::Dir => FileType::Directory,
        _ => FileType::Other,
    }
}

fn time(of: DateTime) -> Option<SystemTime> {
    let seconds = u64::try_from(of.unix_seconds()).ok()?;
    let since = Duration::from_secs(seconds) + Duration::from_nanos(of.nanoseconds().into());
    SystemTime::UNIX_EPOCH.checked_add(since)
}
