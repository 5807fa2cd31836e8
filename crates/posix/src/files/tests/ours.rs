//! The files of this crate.

use core::ffi::c_int;
use std::io::{IoSlice, IoSliceMut};
use std::rc::Rc;

use blockdev::{BlockDevice, MemoryDevice};
use libc::{EBADF, EINVAL, O_RDONLY, S_IFMT, S_IFREG};

use super::compare::{ROOT, SLOTS, Told, World};
use crate::descriptors::open::Open;
use crate::error::{Result, fail};
use crate::files::File;
use crate::files::disk::Disk;
use crate::files::node::{Content, Node};
use crate::files::tree::Tree;

const DISK: usize = 4 << 20;
const MEMORY: usize = 8 << 20;

type Device = Rc<core::cell::RefCell<MemoryDevice>>;

pub(super) struct Ours {
    tree: Tree,
    device: Option<Device>,
    slots: [Option<Rc<Open>>; SLOTS],
}

fn mounted(device: &Device) -> Tree {
    let disk = Disk::new(BlockDevice::new(device.clone()), |_| false);
    Tree::on(disk, MEMORY).expect("a file system")
}

fn told(node: &Node) -> Told {
    let is_directory = node.entries().is_some();
    let names = u64::from(node.names.get());
    let [names, len] = if is_directory {
        [0; 2]
    } else {
        [names, node.len()]
    };
    (node.mode(), names, len)
}

fn absolute(path: &str) -> Vec<u8> {
    format!("{ROOT}{path}").into_bytes()
}

impl Ours {
    fn new(tree: Tree, device: Option<Device>) -> Self {
        for (end, _) in ROOT.match_indices('/').skip(1).chain([(ROOT.len(), "")]) {
            let path = &ROOT.as_bytes()[..end];
            tree.make_directory((None, path), 0o755).expect("new");
        }
        Self {
            tree,
            device,
            slots: [const { None }; SLOTS],
        }
    }

    pub(super) fn in_memory() -> Self {
        Self::new(Tree::new(MEMORY), None)
    }

    pub(super) fn on_disk() -> Self {
        let device = MemoryDevice::new(512, DISK / 512).expect("sizes");
        let device = Rc::new(core::cell::RefCell::new(device));
        Self::new(mounted(&device), Some(device))
    }

    fn slot(&self, slot: usize) -> Result<Rc<Open>> {
        self.slots[slot].clone().map_or(fail(EBADF), Ok)
    }
}

impl World for Ours {
    fn open(&mut self, slot: usize, path: &str, flags: c_int) -> Result<()> {
        self.slots[slot] = None;
        let opened = self.tree.open(None, &absolute(path), flags, 0o644)?;
        self.slots[slot] = Some(Open::new(opened, flags));
        Ok(())
    }

    fn close(&mut self, slot: usize) {
        self.slots[slot] = None;
    }

    fn read(&mut self, slot: usize, octets: usize, at: Option<u64>) -> Result<Vec<u8>> {
        let open = self.slot(slot)?;
        open.check_readable()?;
        let mut buffer = vec![0; octets];
        let buffers = &mut [IoSliceMut::new(&mut buffer)];
        let description = open.description();
        let read = match at {
            None => description.read(buffers)?,
            Some(at) => description.as_file()?.read_at(at, buffers)?,
        };
        buffer.truncate(read);
        Ok(buffer)
    }

    fn write(&mut self, slot: usize, octets: &[u8], at: Option<u64>) -> Result<usize> {
        let open = self.slot(slot)?;
        open.check_writable()?;
        let buffers = &[IoSlice::new(octets)];
        let description = open.description();
        match at {
            None => description.write(buffers),
            Some(at) => description.as_file()?.write_at(at, buffers),
        }
    }

    fn seek(&mut self, slot: usize, offset: i64, whence: c_int) -> Result<u64> {
        self.slot(slot)?
            .description()
            .as_file()?
            .seek(offset, whence)
    }

    fn set_len(&mut self, slot: usize, len: u64) -> Result<()> {
        let open = self.slot(slot)?;
        open.check_writable().or(fail(EINVAL))?;
        open.description().as_file()?.set_len(len)
    }

    fn reserve(&mut self, slot: usize, start: u64, len: u64) -> Result<()> {
        let open = self.slot(slot)?;
        open.check_writable()?;
        open.description().as_file()?.reserve(start, start + len)
    }

    fn sync(&mut self, slot: usize) -> Result<()> {
        let open = self.slot(slot)?;
        open.description().as_file()?.sync(true)
    }

    fn status_of(&mut self, slot: usize) -> Result<Told> {
        let open = self.slot(slot)?;
        Ok(told(open.description().as_file()?.node()))
    }

    fn status(&mut self, path: &str, follow: bool) -> Result<Told> {
        let place = self.tree.find(None, &absolute(path), follow)?;
        place.existing().map(|node| told(node))
    }

    fn make_directory(&mut self, path: &str) -> Result<()> {
        self.tree.make_directory((None, &absolute(path)), 0o755)
    }

    fn remove(&mut self, path: &str, directory: bool) -> Result<()> {
        match directory {
            true => self.tree.remove_directory((None, &absolute(path))),
            false => self.tree.remove_file((None, &absolute(path))),
        }
    }

    fn rename(&mut self, old: &str, new: &str, keep: bool) -> Result<()> {
        self.tree
            .rename((None, &absolute(old)), (None, &absolute(new)), keep)
    }

    fn link(&mut self, old: &str, new: &str) -> Result<()> {
        self.tree
            .add_name((None, &absolute(old)), (None, &absolute(new)), false)
    }

    fn make_link(&mut self, target: &str, path: &str) -> Result<()> {
        self.tree
            .make_link(target.as_bytes(), (None, &absolute(path)))
    }

    fn target(&mut self, path: &str) -> Result<String> {
        let place = self.tree.find(None, &absolute(path), false)?;
        match &place.existing()?.content {
            Content::Link(target) => Ok(String::from_utf8_lossy(target).into_owned()),
            _ => fail(EINVAL),
        }
    }

    fn set_permissions(&mut self, path: &str, permissions: u32) -> Result<()> {
        let place = self.tree.find(None, &absolute(path), true)?;
        let node = place.existing()?;
        if node.mode() & S_IFMT == S_IFREG {
            node.permissions.set(permissions);
            node.volume.change(node);
        }
        Ok(())
    }

    fn list(&mut self, path: &str) -> Result<Vec<String>> {
        let place = self.tree.find(None, &absolute(path), true)?;
        let entries = place.directory()?.borrow();
        let names = entries
            .keys()
            .map(|name| String::from_utf8_lossy(name).into_owned());
        Ok(names.collect())
    }

    fn restart(&mut self) {
        self.slots = [const { None }; SLOTS];
        if let Some(device) = &self.device {
            let any = self.tree.open(None, b"/", O_RDONLY, 0).expect("the root");
            assert_eq!(any.sync(false), Ok(()));
            drop(any);
            self.tree = mounted(device);
        }
    }
}
