//! Tar archives: an index of what is where, made once from the headers.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::device::Device;
use super::tree::{Tree, resolve};
use super::volume::{Content, Volume};
use super::{DirEntry, ErrorKind, FileType, Format, Metadata, path};

mod header;

use header::{BLOCK, Entry, Header, What};

/// Most octets of the index, about.
const MAX_INDEX: usize = 32 << 20;
/// What an entry takes beside its name, about.
const ENTRY: usize = 128;

struct Archive {
    device: Device,
    /// The root is the first.
    nodes: Vec<Node>,
    /// Octets of the index, about.
    octets: usize,
}

struct Node {
    kind: Kind,
    modified: SystemTime,
}

enum Kind {
    /// The number of the node that is behind each name.
    Directory(BTreeMap<Box<str>, usize>),
    File {
        offset: u64,
        len: u64,
    },
    Link(Box<str>),
    Other,
}

pub(super) fn is_there(device: &Device) -> Result<bool, ErrorKind> {
    if device.capacity() < BLOCK {
        return Ok(false);
    }
    let block = device.read_array(0)?;
    Ok(Header::parse(&block).is_some_and(|header| header.is_named()))
}

pub(super) fn mount(device: Device) -> Result<impl Volume, ErrorKind> {
    if !is_there(&device)? {
        return Err(ErrorKind::NotRecognized);
    }
    let mut archive = Archive {
        nodes: vec![Node::directory()],
        octets: ENTRY,
        device,
    };
    let mut offset = 0;
    while let Some((entry, next)) = {
        archive.device.begin();
        header::next(&archive.device, offset)?
    } {
        archive.add(entry)?;
        offset = next;
    }
    Ok(archive)
}

impl Archive {
    fn add(&mut self, entry: Entry) -> Result<(), ErrorKind> {
        // A name that is not UTF-8, or none at all: nobody can ask for it.
        let Ok(name) = path::normalize(&entry.name) else {
            return Ok(());
        };
        let kind = match entry.what {
            What::File => Kind::File {
                offset: entry.offset,
                len: entry.len,
            },
            What::Directory => Kind::Directory(BTreeMap::new()),
            What::Link => Kind::Link(entry.link.into()),
            What::SameAs => self.same_as(&entry.link),
            What::Other => Kind::Other,
        };
        let modified = SystemTime::UNIX_EPOCH
            .checked_add(Duration::from_secs(entry.modified))
            .unwrap_or(SystemTime::UNIX_EPOCH);
        let mut here = 0;
        for name in path::names(&name) {
            here = self.enter(here, name)?;
        }
        let node = &mut self.nodes[here];
        node.modified = modified;
        // What a directory held that is there twice, it still holds; the root is one.
        let keeps = matches!(
            (&node.kind, &kind),
            (Kind::Directory(_), Kind::Directory(_))
        );
        if !keeps && here != 0 {
            self.octets += match &kind {
                Kind::Link(target) => target.len(),
                _ => 0,
            };
            node.kind = kind;
        }
        Ok(())
    }

    /// The node behind a name of another, which becomes a directory if it is none; a new one if there is none.
    fn enter(&mut self, directory: usize, name: &str) -> Result<usize, ErrorKind> {
        let new = self.nodes.len();
        let node = &mut self.nodes[directory];
        if !matches!(node.kind, Kind::Directory(_)) {
            node.kind = Kind::Directory(BTreeMap::new());
        }
        let Kind::Directory(entries) = &mut node.kind else {
            unreachable!("it has just become one");
        };
        if let Some(&there) = entries.get(name) {
            return Ok(there);
        }
        self.octets += ENTRY + name.len();
        if self.octets > MAX_INDEX {
            return Err(ErrorKind::LimitExceeded("entries of an archive"));
        }
        entries.insert(name.into(), new);
        self.nodes.push(Node::directory());
        Ok(new)
    }

    /// What an earlier entry is.
    fn same_as(&self, name: &str) -> Kind {
        let found = path::normalize(name).and_then(|name| resolve(self, &name));
        match found.map(|found| &self.nodes[found].kind) {
            Ok(&Kind::File { offset, len }) => Kind::File { offset, len },
            _ => Kind::Other,
        }
    }

    fn find(&self, path: &str) -> Result<&Node, ErrorKind> {
        resolve(self, path).map(|found| &self.nodes[found])
    }
}

impl Node {
    fn directory() -> Self {
        Self {
            kind: Kind::Directory(BTreeMap::new()),
            modified: SystemTime::UNIX_EPOCH,
        }
    }

    fn file_type(&self) -> FileType {
        match self.kind {
            Kind::Directory(_) => FileType::Directory,
            Kind::File { .. } => FileType::File,
            Kind::Link(_) => FileType::Link,
            Kind::Other => FileType::Other,
        }
    }
}

impl Tree for Archive {
    type Node = usize;

    fn root(&self) -> Result<usize, ErrorKind> {
        Ok(0)
    }

    fn file_type(&self, node: &usize) -> FileType {
        self.nodes[*node].file_type()
    }

    fn lookup(&self, directory: &usize, name: &str) -> Result<usize, ErrorKind> {
        match &self.nodes[*directory].kind {
            Kind::Directory(entries) => entries.get(name).copied().ok_or(ErrorKind::NotFound),
            _ => Err(ErrorKind::NotADirectory),
        }
    }

    fn link(&self, node: &usize) -> Result<String, ErrorKind> {
        match &self.nodes[*node].kind {
            Kind::Link(target) => Ok(String::from(&**target)),
            _ => Err(ErrorKind::NotFound),
        }
    }
}

impl Volume for Archive {
    fn format(&self) -> Format {
        Format::Tar
    }

    fn metadata(&self, path: &str) -> Result<Metadata, ErrorKind> {
        let node = self.find(path)?;
        Ok(Metadata {
            file_type: node.file_type(),
            len: match node.kind {
                Kind::File { len, .. } => len,
                _ => 0,
            },
            modified: Some(node.modified),
        })
    }

    fn read_dir(
        &self,
        path: &str,
        add: &mut dyn FnMut(DirEntry) -> Result<(), ErrorKind>,
    ) -> Result<(), ErrorKind> {
        let Kind::Directory(entries) = &self.find(path)?.kind else {
            return Err(ErrorKind::NotADirectory);
        };
        for (name, &node) in entries {
            add(DirEntry {
                name: String::from(&**name),
                file_type: self.nodes[node].file_type(),
            })?;
        }
        Ok(())
    }

    fn open(&self, path: &str) -> Result<Box<dyn Content>, ErrorKind> {
        match self.find(path)?.kind {
            Kind::File { offset, len } => Ok(Box::new(OpenFile {
                device: self.device.clone(),
                offset,
                len,
            })),
            Kind::Directory(_) => Err(ErrorKind::IsADirectory),
            Kind::Link(_) | Kind::Other => Err(ErrorKind::NotAFile),
        }
    }
}

struct OpenFile {
    device: Device,
    offset: u64,
    len: u64,
}

impl Content for OpenFile {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        self.device.begin();
        let left = self.len.saturating_sub(offset);
        let len = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        self.device
            .read_at(self.offset + offset, &mut buffer[..len])?;
        Ok(len)
    }
}
