//! ext2, ext3 and ext4, by `ext4-view`.

use std::error::Error;
use std::time::{Duration, SystemTime};

use ext4_view::{Ext4, Ext4Error, Ext4Read, FileType as Ext4FileType, Timestamp};

use super::device::Device;
use super::tree::{Tree, resolve};
use super::volume::{Content, Volume};
use super::{DirEntry, ErrorKind, FileType, Format, Metadata};

/// Where the superblock is.
const SUPERBLOCK: u64 = 1024;
/// Most block groups: 16 TiB of the usual ones.
const MAX_GROUPS: u64 = 1 << 17;
/// To find a place in a file all its blocks in front are counted: so many are.
const MAX_BLOCKS: u64 = 1 << 24;
/// Most octets of a symbolic link, as Linux has it.
const MAX_LINK: u64 = 4095;

struct View {
    file_system: Ext4,
    device: Device,
    block_size: u64,
}

pub(super) fn is_there(device: &Device) -> Result<bool, ErrorKind> {
    if device.capacity() < SUPERBLOCK + 1024 {
        return Ok(false);
    }
    let superblock: [u8; 1024] = device.read_array(SUPERBLOCK)?;
    Ok(superblock[56..58] == [0x53, 0xef])
}

pub(super) fn mount(device: Device) -> Result<impl Volume, ErrorKind> {
    if !is_there(&device)? {
        return Err(ErrorKind::NotRecognized);
    }
    let block_size = check(&device)?;
    let file_system = Ext4::load(Box::new(Reader(device.clone()))).map_err(kind)?;
    Ok(View {
        file_system,
        device,
        block_size,
    })
}

/// That the superblock makes `ext4-view` allocate no more than there may be; returns the octets of a block.
fn check(device: &Device) -> Result<u64, ErrorKind> {
    let superblock: [u8; 1024] = device.read_array(SUPERBLOCK)?;
    let word = |at: usize| {
        let octets = superblock[at..at + 4].try_into().expect("four octets");
        u64::from(u32::from_le_bytes(octets))
    };
    // s_blocks_count_lo and _hi, the latter with the feature 64bit; s_log_block_size; s_blocks_per_group.
    let high = if word(96) & 0x80 != 0 { word(336) } else { 0 };
    let blocks = high << 32 | word(4);
    let (log, per_group) = (word(24), word(32));
    if log > 6 {
        return Err(ErrorKind::Damaged(format!("blocks of 2^{log} KiB")));
    }
    let block_size = 1024 << log;
    if blocks
        .checked_mul(block_size)
        .is_none_or(|octets| octets > device.capacity())
    {
        return Err(ErrorKind::Damaged(format!(
            "{blocks} blocks of {block_size} octets on a device of {} octets",
            device.capacity()
        )));
    }
    if per_group == 0 || blocks.div_ceil(per_group) > MAX_GROUPS {
        return Err(ErrorKind::Damaged(format!(
            "{blocks} blocks in groups of {per_group}"
        )));
    }
    Ok(block_size)
}

/// Links are followed here: `ext4-view` allocates as much for one as it says that it is long.
impl Tree for View {
    /// The way from the root, without links, and what it leads to.
    type Node = (String, FileType);

    fn root(&self) -> Result<Self::Node, ErrorKind> {
        Ok((String::from("/"), FileType::Directory))
    }

    fn file_type(&self, node: &Self::Node) -> FileType {
        node.1
    }

    fn lookup(&self, directory: &Self::Node, name: &str) -> Result<Self::Node, ErrorKind> {
        let path = format!("{}/{name}", directory.0.trim_end_matches('/'));
        let metadata = self.file_system.symlink_metadata(path.as_str());
        Ok((path, file_type(metadata.map_err(kind)?.file_type())))
    }

    fn link(&self, node: &Self::Node) -> Result<String, ErrorKind> {
        let path = node.0.as_str();
        let metadata = self.file_system.symlink_metadata(path).map_err(kind)?;
        if metadata.len() > MAX_LINK {
            return Err(ErrorKind::LimitExceeded("octets of a link"));
        }
        let target = self.file_system.read_link(path).map_err(kind)?;
        let target = str::from_utf8(target.as_ref());
        target.map(String::from).map_err(|_| ErrorKind::NotFound)
    }
}

impl Volume for View {
    fn format(&self) -> Format {
        Format::Ext4
    }

    fn metadata(&self, path: &str) -> Result<Metadata, ErrorKind> {
        self.device.begin();
        let (path, _) = resolve(self, path)?;
        let metadata = self.file_system.symlink_metadata(path.as_str());
        let metadata = metadata.map_err(kind)?;
        Ok(Metadata {
            file_type: file_type(metadata.file_type()),
            len: metadata.len(),
            modified: time(metadata.modified()),
        })
    }

    fn read_dir(
        &self,
        path: &str,
        add: &mut dyn FnMut(DirEntry) -> Result<(), ErrorKind>,
    ) -> Result<(), ErrorKind> {
        self.device.begin();
        let (path, _) = resolve(self, path)?;
        for entry in self.file_system.read_dir(path.as_str()).map_err(kind)? {
            let entry = entry.map_err(kind)?;
            let Ok(name) = entry.file_name().as_str() else {
                continue;
            };
            if matches!(name, "." | "..") {
                continue;
            }
            add(DirEntry {
                name: String::from(name),
                file_type: file_type(entry.file_type().map_err(kind)?),
            })?;
        }
        Ok(())
    }

    fn open(&self, path: &str) -> Result<Box<dyn Content>, ErrorKind> {
        self.device.begin();
        let (path, _) = resolve(self, path)?;
        let file = self.file_system.open(path.as_str()).map_err(kind)?;
        Ok(Box::new(OpenFile {
            len: file.metadata().len(),
            file,
            device: self.device.clone(),
            block_size: self.block_size,
        }))
    }
}

struct OpenFile {
    file: ext4_view::File,
    len: u64,
    device: Device,
    block_size: u64,
}

impl Content for OpenFile {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        self.device.begin();
        if self.file.position() != offset {
            if offset / self.block_size > MAX_BLOCKS {
                return Err(ErrorKind::LimitExceeded("blocks in front"));
            }
            self.file.seek_to(offset).map_err(kind)?;
        }
        let mut done = 0;
        while done < buffer.len() {
            match self.file.read_bytes(&mut buffer[done..]).map_err(kind)? {
                0 => break,
                read => done += read,
            }
        }
        Ok(done)
    }
}

struct Reader(Device);

impl Ext4Read for Reader {
    fn read(
        &mut self,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<(), Box<dyn Error + Send + Sync + 'static>> {
        self.0
            .read_at(offset, buffer)
            .map_err(|kind| Box::new(kind) as Box<_>)
    }
}

fn kind(error: Ext4Error) -> ErrorKind {
    match error {
        Ext4Error::NotFound => ErrorKind::NotFound,
        Ext4Error::NotADirectory => ErrorKind::NotADirectory,
        Ext4Error::IsADirectory => ErrorKind::IsADirectory,
        Ext4Error::IsASpecialFile => ErrorKind::NotAFile,
        Ext4Error::TooManySymlinks => ErrorKind::TooManyLinks,
        Ext4Error::MalformedPath | Ext4Error::PathTooLong => ErrorKind::InvalidPath,
        Ext4Error::Io(error) => match error.downcast::<ErrorKind>() {
            Ok(kind) => *kind,
            Err(error) => ErrorKind::Device(error.to_string()),
        },
        Ext4Error::Corrupt(what) => ErrorKind::Damaged(what.to_string()),
        Ext4Error::Incompatible(what) => ErrorKind::Unsupported(what.to_string()),
        Ext4Error::Encrypted => ErrorKind::Unsupported(String::from("encryption")),
        other => ErrorKind::Damaged(other.to_string()),
    }
}

fn file_type(of: Ext4FileType) -> FileType {
    match of {
        Ext4FileType::Regular => FileType::File,
        Ext4FileType::Directory => FileType::Directory,
        Ext4FileType::Symlink => FileType::Link,
        _ => FileType::Other,
    }
}

fn time(of: Timestamp) -> Option<SystemTime> {
    let magnitude = Duration::from_secs(of.seconds().unsigned_abs());
    let second = match of.seconds() >= 0 {
        true => SystemTime::UNIX_EPOCH.checked_add(magnitude),
        false => SystemTime::UNIX_EPOCH.checked_sub(magnitude),
    };
    second?.checked_add(Duration::from_nanos(of.nanoseconds().into()))
}
