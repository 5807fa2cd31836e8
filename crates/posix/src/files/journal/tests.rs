//! The journal after cuts of the power, on devices that fail, and on images that lie.

mod cuts;
mod images;
mod threads;

use std::cell::RefCell;
use std::io::{IoSlice, IoSliceMut};
use std::rc::Rc;

use blockdev::{BlockDevice, MemoryDevice, SectorDevice};
use libc::{EIO, ENOSPC, EOPNOTSUPP, O_CREAT, O_RDWR};

use crate::descriptors::open::Description as _;
use crate::error::{Result, fail};
use crate::files::File as _;
use crate::files::disk::Disk;
use crate::files::opened::Opened;
use crate::files::tree::Tree;

const MEMORY: usize = 1 << 20;
const BLOCK: usize = 512;

fn device(octets: usize) -> MemoryDevice {
    MemoryDevice::new(BLOCK, octets / BLOCK).expect("sizes")
}

fn mount<D: SectorDevice + 'static>(device: D) -> core::result::Result<Tree, String> {
    Tree::on(Disk::new(BlockDevice::new(device), |_| false), MEMORY)
}

fn open(tree: &Tree, path: &str) -> Rc<Opened> {
    let opened = tree.open(None, path.as_bytes(), O_RDWR | O_CREAT, 0o644);
    opened.expect("a file")
}

fn write(tree: &Tree, path: &str, text: &[u8]) -> Rc<Opened> {
    let file = open(tree, path);
    file.set_len(0).expect("shorter");
    assert_eq!(file.write_at(0, &[IoSlice::new(text)]), Ok(text.len()));
    file
}

/// What is in a file; `None` if there is none.
fn read(tree: &Tree, path: &str) -> Option<Vec<u8>> {
    let file = tree.open(None, path.as_bytes(), 0, 0).ok()?;
    let mut buffer = vec![0; file.node().len() as usize];
    let read = file.read(&mut [IoSliceMut::new(&mut buffer)]);
    assert_eq!(read, Ok(buffer.len()));
    Some(buffer)
}

fn sync(tree: &Tree) -> Result<()> {
    let root = tree.open(None, b"/", 0, 0).expect("the root");
    root.sync(false)
}

#[test]
fn what_was_synced_is_there_again() {
    let device = Rc::new(RefCell::new(device(1 << 20)));
    let tree = mount(device.clone()).expect("a new file system");
    tree.make_directory((None, b"/a"), 0o700).expect("new");
    write(&tree, "/a/file", &[7; 10_000]);
    write(&tree, "/tmp/file", b"in memory");
    tree.make_link(b"a/file", (None, b"/link")).expect("new");
    tree.add_name((None, b"/a/file"), (None, b"/b"), false)
        .expect("new");
    assert_eq!(sync(&tree), Ok(()));
    write(&tree, "/later", b"not synced");
    let tree = mount(device).expect("the file system");
    assert_eq!(read(&tree, "/link"), Some(vec![7; 10_000]));
    assert_eq!(read(&tree, "/tmp/file"), None);
    assert_eq!(read(&tree, "/later"), None);
    let place = tree.find(None, b"/b", false).expect("a directory");
    assert_eq!(place.existing().map(|node| node.names.get()), Ok(2));
    let gone = tree.rename((None, b"/b"), (None, b"/tmp/b"), false);
    assert_eq!(gone, fail(libc::EXDEV));
    assert_eq!(tree.remove_directory((None, b"/tmp")), fail(libc::EBUSY));
}

#[test]
fn records_are_found_whatever_the_sectors_of_the_next_start_are() {
    let mut octets = vec![0; 1 << 20];
    for (round, sector) in [512, 4096, 512, 1024].into_iter().enumerate() {
        let device = MemoryDevice::from_bytes(sector, octets).expect("sizes");
        let device = Rc::new(RefCell::new(device));
        let tree = mount(device.clone()).expect("the file system");
        for last in 0..3 {
            write(&tree, &format!("/{round}.{last}"), b"text");
            assert_eq!(sync(&tree), Ok(()));
        }
        for (round, last) in (0..=round).flat_map(|round| (0..3).map(move |last| (round, last))) {
            let text = read(&tree, &format!("/{round}.{last}"));
            assert_eq!(text.as_deref(), Some(&b"text"[..]), "{round}.{last}");
        }
        octets = device.borrow().as_bytes().to_vec();
    }
}

#[test]
fn after_a_header_may_or_may_not_be_there_nothing_is_promised() {
    use blockdev::{Fault, FaultyDevice, Operation};

    let device = Rc::new(RefCell::new(FaultyDevice::new(device(1 << 20))));
    let tree = mount(device.clone()).expect("a new file system");
    write(&tree, "/file", b"text");
    // The first commit writes all there is in one record, and the header.
    device.borrow_mut().inject(Fault::Nth(Operation::Write, 1));
    assert_eq!(sync(&tree), fail(EIO));
    assert_eq!(sync(&tree), fail(EIO));
}

#[test]
fn many_commits_and_more_files_than_an_area_has_room_for_at_once() {
    let device = Rc::new(RefCell::new(device(1 << 20)));
    let mut tree = mount(device.clone()).expect("a new file system");
    let mut random = fastrand::Rng::with_seed(3);
    let mut expected = std::collections::BTreeMap::new();
    for round in 0..400_u32 {
        let path = format!("/file {}", random.u32(..40));
        let text = vec![round as u8; random.usize(..9_000)];
        write(&tree, &path, &text);
        expected.insert(path, text);
        if round % 3 == 0 {
            assert_eq!(sync(&tree), Ok(()));
        }
        if round % 50 == 0 {
            assert_eq!(sync(&tree), Ok(()));
            tree = mount(device.clone()).expect("the file system");
            for (path, text) in &expected {
                assert_eq!(read(&tree, path).as_ref(), Some(text), "{path}");
            }
        }
    }
}

#[test]
fn a_full_disk_is_an_error_and_what_goes_gives_room_back() {
    let tree = mount(device(512 << 10)).expect("a new file system");
    let file = open(&tree, "/large");
    let free = file.node().volume.room().1;
    let mut written = 0;
    let error = loop {
        match file.write(&[IoSlice::new(&[1; 5000])]) {
            Ok(octets) => written += octets as u64,
            Err(error) => break error,
        }
    };
    assert_eq!(fail::<()>(ENOSPC), Err(error));
    assert!(written > free - 4096, "{written} of {free}");
    drop(file);
    tree.remove_file((None, b"/large")).expect("there");
    // The blocks are free when it is durable that the file is gone: this sees to that.
    write(&tree, "/next", &vec![2; written as usize]);
    assert_eq!(read(&tree, "/next"), Some(vec![2; written as usize]));
}

#[test]
fn room_of_a_file_that_is_open_no_more_comes_back_when_nothing_else_is_pending() {
    let tree = mount(device(512 << 10)).expect("a new file system");
    let (large, other) = (open(&tree, "/large"), open(&tree, "/other"));
    while large.write(&[IoSlice::new(&[1; 5000])]).is_ok() {}
    tree.remove_file((None, b"/large")).expect("there");
    assert_eq!(other.sync(false), Ok(()));
    drop(large);
    assert_eq!(other.write(&[IoSlice::new(&[2; 5000])]), Ok(5000));
}

#[test]
fn the_longest_link_lasts_and_a_longer_one_is_refused() {
    let device = Rc::new(RefCell::new(device(1 << 20)));
    let tree = mount(device.clone()).expect("a new file system");
    let too_long = tree.make_link(&[b'a'; 4096], (None, b"/longer"));
    assert_eq!(too_long, fail(libc::ENAMETOOLONG));
    tree.make_link(&[b'a'; 4095], (None, b"/long"))
        .expect("new");
    assert_eq!(sync(&tree), Ok(()));
    let tree = mount(device).expect("the file system");
    let place = tree.find(None, b"/long", false).expect("a directory");
    assert_eq!(place.existing().map(|node| node.len()), Ok(4095));
}

#[test]
fn names_are_refused_before_the_journal_has_no_room_for_all() {
    let device = Rc::new(RefCell::new(device(256 << 10)));
    let tree = mount(device.clone()).expect("a new file system");
    let mut count = 0;
    let error = loop {
        let path = format!("/{count:0200}");
        match tree.make_directory((None, path.as_bytes()), 0o755) {
            Ok(()) => count += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(fail::<()>(ENOSPC), Err(error));
    assert!((50..200).contains(&count), "{count}");
    assert_eq!(sync(&tree), Ok(()));
    let tree = mount(device).expect("the file system");
    let place = tree.find(None, format!("/{:0200}", count - 1).as_bytes(), false);
    assert!(place.is_ok_and(|place| place.node.is_some()));
}

#[test]
fn a_program_that_takes_all_memory_it_may_can_start_again() {
    let device = Rc::new(RefCell::new(device(32 << 20)));
    let mut count = 0;
    for start in 0..4 {
        let tree = mount(device.clone()).expect("the file system");
        while tree
            .make_directory((None, format!("/{count:0100}").as_bytes()), 0o755)
            .is_ok()
        {
            count += 1;
        }
        assert_eq!(sync(&tree), Ok(()), "{start}");
    }
    assert!(count > 2_000, "{count}");
}

#[test]
fn names_of_one_file_take_memory() {
    for tree in [
        Tree::new(MEMORY),
        mount(device(32 << 20)).expect("a new file system"),
    ] {
        write(&tree, "/file", b"text");
        let mut count = 0;
        while tree
            .add_name(
                (None, b"/file"),
                (None, format!("/{count}").as_bytes()),
                false,
            )
            .is_ok()
        {
            count += 1;
        }
        assert!((1_000..MEMORY / 320).contains(&count), "{count}");
        tree.remove_file((None, b"/0")).expect("there");
        tree.rename((None, b"/1"), (None, b"/2"), false)
            .expect("there");
        tree.rename((None, b"/2"), (None, b"/0"), false)
            .expect("there");
    }
}

#[test]
fn what_cannot_be_reserved_takes_nothing() {
    let tree = mount(device(512 << 10)).expect("a new file system");
    let file = write(&tree, "/file", &[1; 9000]);
    let free = file.node().volume.room().1;
    assert_eq!(file.reserve(0, 1 << 40), fail(ENOSPC));
    assert_eq!(file.reserve(4096, 12_288 + free + 1), fail(ENOSPC));
    assert_eq!(file.node().volume.room().1, free);
    assert_eq!(file.reserve(4096, 12_288 + free), Ok(()));
    assert_eq!(file.node().len(), 12_288 + free);
}

#[test]
fn after_a_flush_has_failed_nothing_is_promised() {
    use blockdev::{Fault, FaultyDevice, Operation};

    let device = Rc::new(RefCell::new(FaultyDevice::new(device(1 << 20))));
    let tree = mount(device.clone()).expect("a new file system");
    let file = write(&tree, "/file", b"text");
    assert_eq!(sync(&tree), Ok(()));
    file.write_at(0, &[IoSlice::new(b"TEXT")]).expect("room");
    device.borrow_mut().inject(Fault::All(Operation::Flush));
    assert_eq!(sync(&tree), fail(EIO));
    device.borrow_mut().repair();
    assert_eq!(sync(&tree), fail(EIO));
    assert_eq!(file.sync(true), fail(EIO));
    assert_eq!(file.write_at(0, &[IoSlice::new(b"more")]), fail(EIO));
    assert_eq!(tree.remove_file((None, b"/file")), fail(EIO));
    assert_eq!(read(&tree, "/file").as_deref(), Some(&b"TEXT"[..]));
}

#[test]
fn where_nothing_can_be_flushed_a_sync_says_so_and_writes_all_the_same() {
    let device = Rc::new(RefCell::new(device(1 << 20)));
    let tree = mount(Unflushed(device.clone())).expect("a new file system");
    write(&tree, "/file", b"text");
    assert_eq!(sync(&tree), fail(EOPNOTSUPP));
    let tree = mount(Unflushed(device)).expect("the file system");
    assert_eq!(read(&tree, "/file").as_deref(), Some(&b"text"[..]));
}

/// A device that cannot flush.
struct Unflushed(Rc<RefCell<MemoryDevice>>);

impl SectorDevice for Unflushed {
    type Error = core::convert::Infallible;

    fn geometry(&self) -> blockdev::Geometry {
        self.0.geometry()
    }

    fn read_blocks(
        &mut self,
        offset: u64,
        blocks: &mut [u8],
    ) -> core::result::Result<(), Self::Error> {
        self.0.read_blocks(offset, blocks)
    }

    fn write_blocks(
        &mut self,
        offset: u64,
        blocks: &[u8],
    ) -> core::result::Result<(), Self::Error> {
        self.0.write_blocks(offset, blocks)
    }

    fn flush(&mut self) -> core::result::Result<(), Self::Error> {
        panic!("it cannot")
    }

    fn discard(&mut self, _offset: u64, _len: u64) -> core::result::Result<(), Self::Error> {
        Ok(())
    }
}
