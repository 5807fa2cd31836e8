//! Linux is the oracle: the same calls, drawn from a seed, on a file system of the kernel's and here.

use core::ffi::c_int;

use libc::{
    O_APPEND, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY,
    SEEK_CUR, SEEK_END, SEEK_SET,
};

use super::linux::Linux;
use super::ours::Ours;
use crate::error::Result;

/// What is told of something: type and permissions, names unless it is a directory, octets of a file or link.
pub(super) type Told = (u32, u64, u64);

/// What the calls are made on; open files by their place, of which there are [`SLOTS`].
pub(super) trait World {
    fn open(&mut self, slot: usize, path: &str, flags: c_int) -> Result<()>;
    fn close(&mut self, slot: usize);
    fn read(&mut self, slot: usize, octets: usize, at: Option<u64>) -> Result<Vec<u8>>;
    fn write(&mut self, slot: usize, octets: &[u8], at: Option<u64>) -> Result<usize>;
    fn seek(&mut self, slot: usize, offset: i64, whence: c_int) -> Result<u64>;
    fn set_len(&mut self, slot: usize, len: u64) -> Result<()>;
    fn reserve(&mut self, slot: usize, start: u64, len: u64) -> Result<()>;
    fn sync(&mut self, slot: usize) -> Result<()>;
    fn status_of(&mut self, slot: usize) -> Result<Told>;
    fn status(&mut self, path: &str, follow: bool) -> Result<Told>;
    fn make_directory(&mut self, path: &str) -> Result<()>;
    fn remove(&mut self, path: &str, directory: bool) -> Result<()>;
    fn rename(&mut self, old: &str, new: &str, keep: bool) -> Result<()>;
    fn link(&mut self, old: &str, new: &str) -> Result<()>;
    fn make_link(&mut self, target: &str, path: &str) -> Result<()>;
    fn target(&mut self, path: &str) -> Result<String>;
    fn set_permissions(&mut self, path: &str, permissions: u32) -> Result<()>;
    /// The names in a directory, in order.
    fn list(&mut self, path: &str) -> Result<Vec<String>>;
    /// Starts anew with what was made durable, which is all; nothing is open.
    fn restart(&mut self);
}

/// Where paths begin: so deep that those which lead up do not lead out of what is the same on both sides.
pub(super) const ROOT: &str = "/test/test/test/test/test/test";
pub(super) const SLOTS: usize = 4;

#[derive(Clone, Debug)]
enum Call {
    Open(usize, String, c_int),
    Close(usize),
    Read(usize, usize, Option<u64>),
    Write(usize, usize, Option<u64>),
    Seek(usize, i64, c_int),
    SetLen(usize, u64),
    Reserve(usize, u64, u64),
    Sync(usize),
    StatusOf(usize),
    Status(String, bool),
    MakeDirectory(String),
    Remove(String, bool),
    Rename(String, String, bool),
    Link(String, String),
    MakeLink(String, String),
    Target(String),
    SetPermissions(String, u32),
    List(String),
    Restart,
}

/// A path of few names, so that calls meet.
fn path(random: &mut fastrand::Rng) -> String {
    const NAMES: [&str; 6] = ["a", "b", "c", "d", ".", ".."];
    let mut path = String::new();
    for _ in 0..random.usize(1..4) {
        path += "/";
        path += NAMES[random.usize(..NAMES.len())];
    }
    if random.u8(..8) == 0 {
        path += "/";
    }
    path
}

fn offset(random: &mut fastrand::Rng) -> u64 {
    match random.u8(..4) {
        0 => random.u64(..64),
        1 => 4096 * random.u64(..16),
        2 => random.u64(..40_000),
        _ => 4090 + random.u64(..12),
    }
}

fn flags(random: &mut fastrand::Rng) -> c_int {
    let mut flags = [O_RDONLY, O_WRONLY, O_RDWR, O_RDWR][random.usize(..4)];
    for (flag, part) in [
        (O_CREAT, 2),
        (O_EXCL, 8),
        (O_TRUNC, 5),
        (O_APPEND, 4),
        (O_DIRECTORY, 12),
        (O_NOFOLLOW, 12),
    ] {
        if random.u8(..part) == 0 {
            flags |= flag;
        }
    }
    // Neither has one meaning on all kernels.
    if flags & O_CREAT == 0 {
        flags &= !O_EXCL;
    } else {
        flags &= !O_DIRECTORY;
    }
    if flags & libc::O_ACCMODE == O_RDONLY {
        flags &= !O_TRUNC;
    }
    flags
}

fn draw(random: &mut fastrand::Rng) -> Call {
    let slot = random.usize(..SLOTS);
    let at = |random: &mut fastrand::Rng| random.bool().then(|| offset(random));
    let octets = |random: &mut fastrand::Rng| [1, 100, 4096, 9000, 20_000][random.usize(..5)];
    match random.u8(..64) {
        0..8 => Call::Open(slot, path(random), flags(random)),
        8..10 => Call::Close(slot),
        10..18 => Call::Read(slot, octets(random), at(random)),
        18..28 => Call::Write(slot, octets(random), at(random)),
        28..31 => {
            let whence = [SEEK_SET, SEEK_CUR, SEEK_END][random.usize(..3)];
            Call::Seek(slot, random.i64(-3000..9000), whence)
        }
        31..34 => Call::SetLen(slot, offset(random)),
        34 => Call::Reserve(slot, offset(random), 1 + offset(random)),
        35 => Call::Sync(slot),
        36..38 => Call::StatusOf(slot),
        38..41 => Call::Status(path(random), random.bool()),
        41..45 => Call::MakeDirectory(path(random)),
        45..49 => Call::Remove(path(random), random.bool()),
        49..54 => Call::Rename(path(random), path(random), random.u8(..4) == 0),
        54..56 => Call::Link(path(random), path(random)),
        56..58 => {
            let target = path(random);
            // A relative one: roots are not the same.
            Call::MakeLink(
                target.trim_start_matches('/').to_owned() + "x",
                path(random),
            )
        }
        58 => Call::MakeLink(
            ["a", "b", "../a", "c/d", "./b/"][random.usize(..5)].into(),
            path(random),
        ),
        59 => Call::Target(path(random)),
        60 => Call::SetPermissions(path(random), 0o600 + random.u32(..8)),
        61..63 => Call::List(path(random)),
        _ => Call::Restart,
    }
}

fn make(world: &mut dyn World, call: &Call, step: usize) -> String {
    match call {
        Call::Open(slot, path, flags) => format!("{:?}", world.open(*slot, path, *flags)),
        Call::Close(slot) => {
            world.close(*slot);
            String::new()
        }
        Call::Read(slot, octets, at) => {
            let read = world.read(*slot, *octets, *at);
            format!("{:?}", read.map(|octets| digest(&octets)))
        }
        Call::Write(slot, octets, at) => {
            let data: Vec<u8> = (0..*octets)
                .map(|place| (place * 7 + step) as u8 | 1)
                .collect();
            format!("{:?}", world.write(*slot, &data, *at))
        }
        // Where a directory ends is the file system's affair.
        Call::Seek(slot, ..) if is_directory(world.status_of(*slot)) => String::new(),
        Call::Seek(slot, offset, whence) => format!("{:?}", world.seek(*slot, *offset, *whence)),
        Call::SetLen(slot, len) => format!("{:?}", world.set_len(*slot, *len)),
        Call::Reserve(slot, start, len) => format!("{:?}", world.reserve(*slot, *start, *len)),
        Call::Sync(slot) => format!("{:?}", world.sync(*slot)),
        Call::StatusOf(slot) => format!("{:x?}", world.status_of(*slot)),
        Call::Status(path, follow) => format!("{:x?}", world.status(path, *follow)),
        Call::MakeDirectory(path) => format!("{:?}", world.make_directory(path)),
        Call::Remove(path, directory) => format!("{:?}", world.remove(path, *directory)),
        Call::Rename(old, new, keep) => format!("{:?}", world.rename(old, new, *keep)),
        Call::Link(old, new) => format!("{:?}", world.link(old, new)),
        Call::MakeLink(target, path) => format!("{:?}", world.make_link(target, path)),
        Call::Target(path) => format!("{:?}", world.target(path)),
        Call::SetPermissions(path, bits) => format!("{:?}", world.set_permissions(path, *bits)),
        Call::List(path) => format!("{:?}", world.list(path)),
        Call::Restart => {
            world.restart();
            every(world, "")
        }
    }
}

fn is_directory(told: Result<Told>) -> bool {
    told.is_ok_and(|told| told.0 & libc::S_IFMT == libc::S_IFDIR)
}

fn digest(octets: &[u8]) -> (usize, u32) {
    (octets.len(), crc32fast::hash(octets))
}

/// All there is below a directory, in words.
pub(super) fn every(world: &mut dyn World, path: &str) -> String {
    let mut all = String::new();
    for name in world
        .list(if path.is_empty() { "/" } else { path })
        .unwrap_or_default()
    {
        let path = format!("{path}/{name}");
        let told = world.status(&path, false);
        all += &format!("{path} {told:x?}");
        match told.map_or(0, |told| told.0 & libc::S_IFMT) {
            libc::S_IFDIR => all += &format!("\n{}", every(world, &path)),
            libc::S_IFLNK => all += &format!(" {:?}\n", world.target(&path)),
            _ => {
                let content = world.open(0, &path, O_RDONLY).and_then(|()| {
                    let content = world.read(0, 1 << 20, None);
                    world.close(0);
                    content
                });
                all += &format!(" {:x?}\n", content.map(|octets| digest(&octets)));
            }
        }
    }
    all
}

fn compare(seed: u64, mut ours: Ours) -> core::result::Result<(), String> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut linux = Linux::new();
    let mut trace = format!("seed {seed}:\n");
    for step in 0..300 {
        let call = draw(&mut random);
        let expected = make(&mut linux, &call, step);
        let found = make(&mut ours, &call, step);
        trace += &format!("{call:?} -> {expected}\n");
        if found != expected {
            return Err(format!("{trace}ours: {found}"));
        }
    }
    match (every(&mut linux, ""), every(&mut ours, "")) {
        (expected, found) if expected == found => Ok(()),
        (expected, found) => Err(format!("{trace}at the end: {expected}ours: {found}")),
    }
}

fn compare_all(ours: impl Fn() -> Ours) {
    let _descriptors = crate::testing::descriptors();
    let seeds = std::env::var("POSIX_SEEDS").map_or(60, |seeds| seeds.parse().expect("a number"));
    let failures = (0..seeds).filter_map(|seed| compare(seed, ours()).err());
    let mut failures: Vec<String> = failures.collect();
    failures.sort_by_key(String::len);
    let count = failures.len();
    failures.truncate(1);
    assert_eq!(count, 0, "{}", failures.join("\n\n"));
}

#[test]
fn files_in_memory_do_what_those_of_linux_do() {
    compare_all(Ours::in_memory);
}

#[test]
fn files_on_a_disk_do_what_those_of_linux_do() {
    compare_all(Ours::on_disk);
}
