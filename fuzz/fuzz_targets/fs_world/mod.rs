//! An image that may be anything, mounted, and all that is in it looked at.

use std::io::{Read, Seek, SeekFrom, Write};
use std::process::abort;
use std::sync::atomic::{AtomicUsize, Ordering};

use mkernel::block::{BlockDevice, Geometry, blockdev};
use mkernel::fs::{Error, FileSystem, FileType};
use mkernel_fuzz::memory::{self, Counting};
use mkernel_fuzz::panics;

use blockdev::{MemoryDevice, SectorDevice};

/// More than any image may make us hold, beside itself.
const MAX_HELD: usize = 96 << 20;
/// More reads than any call may make.
const MAX_READS: usize = 1 << 18;

#[global_allocator]
static COUNTING: Counting = Counting;

/// A device in memory that counts reads.
pub struct Device {
    memory: MemoryDevice,
    before: usize,
}

static READS: AtomicUsize = AtomicUsize::new(0);

impl Device {
    fn check(&self) {
        if READS.fetch_add(1, Ordering::Relaxed) > MAX_READS {
            eprintln!("more than {MAX_READS} reads for one call");
            abort();
        }
        let held = memory::in_use().saturating_sub(self.before);
        if held > MAX_HELD {
            eprintln!("{held} octets are held");
            abort();
        }
    }
}

impl SectorDevice for Device {
    type Error = <MemoryDevice as SectorDevice>::Error;

    fn geometry(&self) -> Geometry {
        self.memory.geometry()
    }

    fn read_blocks(&mut self, offset: u64, blocks: &mut [u8]) -> Result<(), Self::Error> {
        self.check();
        self.memory.read_blocks(offset, blocks)
    }

    fn write_blocks(&mut self, offset: u64, blocks: &[u8]) -> Result<(), Self::Error> {
        self.memory.write_blocks(offset, blocks)
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    fn discard(&mut self, _offset: u64, _len: u64) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Mounts `image` and looks at all of it.
pub fn look(image: &[u8], mount: impl FnOnce(BlockDevice<Device>) -> Result<FileSystem, Error>) {
    // They become errors.
    panics::contain(&["ext4-view", "hadris", "miniz_oxide"]);
    let mut octets = image.to_vec();
    octets.resize(image.len().next_multiple_of(512).max(512), 0);
    let memory = MemoryDevice::from_bytes(512, octets).expect("whole blocks");
    READS.store(0, Ordering::Relaxed);
    let device = Device {
        memory,
        before: memory::in_use(),
    };
    if let Ok(mounted) = mount(BlockDevice::new(device)) {
        let mut left = 64;
        walk(&mounted, "", &mut left);
        change(&mounted);
    }
}

/// Reads what there is, within bounds.
fn walk(mounted: &FileSystem, path: &str, left: &mut usize) {
    READS.store(0, Ordering::Relaxed);
    let Ok(entries) = mounted.read_dir(path) else {
        return;
    };
    for entry in entries.iter().take(16) {
        let Some(less) = left.checked_sub(1) else {
            return;
        };
        *left = less;
        let path = format!("{path}/{}", entry.name);
        READS.store(0, Ordering::Relaxed);
        let metadata = mounted.metadata(&path);
        match entry.file_type {
            FileType::Directory => walk(mounted, &path, left),
            _ => read(mounted, &path, metadata.map_or(0, |metadata| metadata.len)),
        }
    }
}

fn read(mounted: &FileSystem, path: &str, len: u64) {
    READS.store(0, Ordering::Relaxed);
    let Ok(mut file) = mounted.open(path) else {
        return;
    };
    if file.len() != len {
        eprintln!("{path} has {} octets, or {len}", file.len());
        abort();
    }
    let mut buffer = [0; 10_000];
    for offset in [0, len / 2, len.saturating_sub(1)] {
        READS.store(0, Ordering::Relaxed);
        let read = file
            .seek(SeekFrom::Start(offset))
            .and_then(|_| file.read(&mut buffer));
        if read.is_ok_and(|read| read as u64 > len - offset) {
            eprintln!("{path} is longer than its {len} octets");
            abort();
        }
    }
}

/// Changes what can be changed.
fn change(mounted: &FileSystem) {
    let steps: [&dyn Fn() -> Result<(), Error>; 5] = [
        &|| mounted.create_dir("new directory"),
        &|| {
            let mut file = mounted.create("new directory/new")?;
            _ = file.write_all(&[1; 3000]);
            file.set_len(100)
        },
        &|| mounted.rename("new directory/new", "newer"),
        &|| mounted.remove_file("newer"),
        &|| mounted.sync(),
    ];
    for step in steps {
        READS.store(0, Ordering::Relaxed);
        _ = step();
    }
}
