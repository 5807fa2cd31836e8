//! squashfs 4.0, compressed by gzip or not at all.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use super::device::Device;
use super::tree::{Tree, resolve};
use super::volume::{Content, Volume};
use super::{DirEntry, ErrorKind, FileType, Format, Metadata};

mod content;
mod inflate;
mod inode;
mod metadata;
mod superblock;

use content::OpenFile;
use inode::{Inode, Kind, Listing};
use metadata::{Cache, Cursor};
use superblock::Superblock;

/// Most octets of a symbolic link.
const MAX_LINK: u32 = 4096;

/// What all that is open has in common.
struct Image {
    device: Device,
    superblock: Superblock,
    cache: RefCell<Cache>,
    blocks: RefCell<content::Blocks>,
}

struct Mounted(Rc<Image>);

pub(super) fn is_there(device: &Device) -> Result<bool, ErrorKind> {
    Ok(device.capacity() >= superblock::LEN && device.read_array(0)? == *b"hsqs")
}

pub(super) fn mount(device: Device) -> Result<impl Volume, ErrorKind> {
    if !is_there(&device)? {
        return Err(ErrorKind::NotRecognized);
    }
    let superblock = Superblock::read(&device)?;
    let mounted = Mounted(Rc::new(Image {
        blocks: RefCell::default(),
        cache: RefCell::default(),
        device,
        superblock,
    }));
    let root = mounted.root()?;
    match root.kind {
        Kind::Directory { .. } => Ok(mounted),
        _ => Err(ErrorKind::Damaged(String::from("the root is no directory"))),
    }
}

impl Mounted {
    fn find(&self, path: &str) -> Result<Inode, ErrorKind> {
        self.0.device.begin();
        resolve(self, path)
    }

    fn listing(&self, directory: &Inode) -> Result<Listing<'_>, ErrorKind> {
        match directory.kind {
            Kind::Directory { block, offset, len } => {
                let start = self.0.superblock.directories.start;
                let cursor = Cursor::new(
                    &self.0,
                    self.0.superblock.directories.clone(),
                    start + u64::from(block),
                    offset,
                );
                Ok(Listing::new(cursor, len))
            }
            _ => Err(ErrorKind::NotADirectory),
        }
    }
}

impl Tree for Mounted {
    type Node = Inode;

    fn root(&self) -> Result<Inode, ErrorKind> {
        Inode::read(&self.0, self.0.superblock.root)
    }

    fn file_type(&self, node: &Inode) -> FileType {
        node.file_type()
    }

    fn lookup(&self, directory: &Inode, name: &str) -> Result<Inode, ErrorKind> {
        let mut listing = self.listing(directory)?;
        while let Some(entry) = listing.next()? {
            if entry.name == name.as_bytes() {
                return Inode::read(&self.0, entry.inode);
            }
        }
        Err(ErrorKind::NotFound)
    }

    fn link(&self, node: &Inode) -> Result<String, ErrorKind> {
        let Kind::Link { target, len } = &node.kind else {
            return Err(ErrorKind::NotFound);
        };
        if *len > MAX_LINK {
            return Err(ErrorKind::LimitExceeded("octets of a link"));
        }
        let mut octets = vec![0; *len as usize];
        target.at(&self.0).read(&mut octets)?;
        String::from_utf8(octets).map_err(|_| ErrorKind::NotFound)
    }
}

impl Volume for Mounted {
    fn format(&self) -> Format {
        Format::Squashfs
    }

    fn metadata(&self, path: &str) -> Result<Metadata, ErrorKind> {
        let inode = self.find(path)?;
        Ok(Metadata {
            file_type: inode.file_type(),
            len: match inode.kind {
                Kind::File { len, .. } => len,
                _ => 0,
            },
            modified: SystemTime::UNIX_EPOCH
                .checked_add(Duration::from_secs(inode.modified.into())),
        })
    }

    fn read_dir(
        &self,
        path: &str,
        add: &mut dyn FnMut(DirEntry) -> Result<(), ErrorKind>,
    ) -> Result<(), ErrorKind> {
        let directory = self.find(path)?;
        let mut listing = self.listing(&directory)?;
        while let Some(entry) = listing.next()? {
            if let Ok(name) = String::from_utf8(entry.name) {
                add(DirEntry {
                    name,
                    file_type: entry.file_type,
                })?;
            }
        }
        Ok(())
    }

    fn open(&self, path: &str) -> Result<Box<dyn Content>, ErrorKind> {
        let inode = self.find(path)?;
        match &inode.kind {
            Kind::File { .. } => Ok(Box::new(OpenFile::new(Rc::clone(&self.0), inode))),
            Kind::Directory { .. } => Err(ErrorKind::IsADirectory),
            Kind::Link { .. } | Kind::Other => Err(ErrorKind::NotAFile),
        }
    }
}
