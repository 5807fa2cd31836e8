mod compare;
mod linux;
mod ours;

use std::io::{IoSlice, IoSliceMut};
use std::rc::Rc;

use libc::{
    EEXIST, EINVAL, EISDIR, ELOOP, ENOENT, ENOSPC, ENOTDIR, ENOTEMPTY, O_APPEND, O_CREAT, O_EXCL,
    O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY, SEEK_END, SEEK_SET,
};

use super::File;
use super::opened::Opened;
use super::tree::Tree;
use crate::descriptors::open::Description;
use crate::error::{Result, fail};

fn tree() -> Tree {
    Tree::new(1 << 20)
}

fn open(tree: &Tree, path: &str, flags: i32) -> Result<Rc<Opened>> {
    tree.open(None, path.as_bytes(), flags, 0o644)
}

fn write(tree: &Tree, path: &str, text: &str) {
    let file = open(tree, path, O_WRONLY | O_CREAT | O_TRUNC).expect("a new file");
    let written = file.write(&[IoSlice::new(text.as_bytes())]);
    assert_eq!(written, Ok(text.len()));
}

fn read(tree: &Tree, path: &str) -> Result<String> {
    let file = open(tree, path, O_RDONLY)?;
    let mut buffer = [0; 256];
    let size = file.read(&mut [IoSliceMut::new(&mut buffer)])?;
    Ok(String::from_utf8_lossy(&buffer[..size]).into_owned())
}

fn names(tree: &Tree, path: &str) -> Vec<String> {
    let place = tree.find(None, path.as_bytes(), true).expect("a directory");
    let entries = place.directory().expect("a directory").borrow();
    let names = entries.keys();
    names
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect()
}

#[test]
fn files_keep_what_is_written() {
    let tree = tree();
    write(&tree, "/tmp/a", "one");
    assert_eq!(read(&tree, "tmp/../tmp/./a").as_deref(), Ok("one"));
    write(&tree, "/tmp/a", "2");
    assert_eq!(read(&tree, "/tmp/a").as_deref(), Ok("2"));
    assert!(
        matches!(open(&tree, "/tmp/a", O_CREAT | O_EXCL), Err(error) if fail::<()>(EEXIST) == Err(error))
    );
    let file = open(&tree, "/tmp/a", O_RDWR | O_APPEND).expect("there");
    file.write(&[IoSlice::new(b"3")]).expect("room");
    assert_eq!(file.seek(-1, SEEK_END), Ok(1));
    assert_eq!(file.seek(-1, SEEK_SET), fail(EINVAL));
    tree.remove_file((None, b"/tmp/a")).expect("there");
    let mut buffer = [0; 8];
    // It is there as long as it is open.
    assert_eq!(file.read_at(0, &mut [IoSliceMut::new(&mut buffer)]), Ok(2));
    assert_eq!(read(&tree, "/tmp/a"), fail(ENOENT));
}

#[test]
fn what_was_never_written_reads_as_zeros_and_takes_no_room() {
    let tree = tree();
    let file = open(&tree, "/sparse", O_RDWR | O_CREAT).expect("a new file");
    file.write_at(1 << 40, &[IoSlice::new(b"end")])
        .expect("room");
    assert_eq!(file.node().len(), (1 << 40) + 3);
    assert_eq!(file.node().allocated(), 4096);
    let mut buffer = [1; 5];
    let offset = (1 << 40) - 2;
    assert_eq!(
        file.read_at(offset, &mut [IoSliceMut::new(&mut buffer)]),
        Ok(5)
    );
    assert_eq!(&buffer, b"\0\0end");
    file.set_len((1 << 40) + 1).expect("shorter");
    file.set_len((1 << 40) + 3).expect("longer");
    assert_eq!(
        file.read_at(offset, &mut [IoSliceMut::new(&mut buffer)]),
        Ok(5)
    );
    assert_eq!(&buffer, b"\0\0e\0\0");
}

#[test]
fn there_is_a_bound_and_what_goes_gives_room_back() {
    let tree = tree();
    let block = vec![1; 1 << 16];
    let file = open(&tree, "/large", O_RDWR | O_CREAT).expect("a new file");
    let mut written = 0;
    let error = loop {
        match file.write(&[IoSlice::new(&block)]) {
            Ok(octets) => written += octets,
            Err(error) => break error,
        }
    };
    assert_eq!(Err(error), fail::<()>(ENOSPC));
    assert!((900_000..1 << 20).contains(&written), "{written}");
    let free = file.node().volume.room().1;
    drop(file);
    tree.remove_file((None, b"/large")).expect("there");
    let file = open(&tree, "/next", O_RDWR | O_CREAT).expect("a new file");
    assert!(file.node().volume.room().1 >= free + written as u64);
}

#[test]
fn directories_hold_names_and_go_when_they_are_empty() {
    let tree = tree();
    let none = |path: &'static str| (None, path.as_bytes());
    tree.make_directory(none("/a"), 0o755).expect("new");
    tree.make_directory(none("/a/b/"), 0o755).expect("new");
    assert_eq!(tree.make_directory(none("/a"), 0o755), fail(EEXIST));
    assert_eq!(tree.make_directory(none("/x/y"), 0o755), fail(ENOENT));
    write(&tree, "/a/file", "");
    assert_eq!(tree.make_directory(none("/a/file/y"), 0o755), fail(ENOTDIR));
    assert_eq!(names(&tree, "/a"), ["b", "file"]);
    assert_eq!(tree.remove_directory(none("/a")), fail(ENOTEMPTY));
    assert_eq!(tree.remove_file(none("/a/b")), fail(EISDIR));
    assert_eq!(tree.rename(none("/a"), none("/a/b/c"), false), fail(EINVAL));
    tree.rename(none("/a/file"), none("/a/b/moved"), false)
        .expect("there");
    assert_eq!(names(&tree, "/a/b"), ["moved"]);
    tree.set_current(b"/a/b").expect("a directory");
    assert_eq!(read(&tree, "moved").as_deref(), Ok(""));
    assert_eq!(
        tree.find(None, b"../..", true).expect("the root").path,
        b"/"
    );
    assert_eq!(
        tree.find(None, b"..", true).expect("a directory").path,
        b"/a"
    );
}

#[test]
fn links_are_followed_but_not_in_a_circle() {
    let tree = tree();
    write(&tree, "/tmp/target", "text");
    tree.make_link(b"target", (None, b"/tmp/link"))
        .expect("new");
    tree.make_link(b"/tmp", (None, b"/away")).expect("new");
    assert_eq!(read(&tree, "/away/link").as_deref(), Ok("text"));
    let place = tree.find(None, b"/away/link", true).expect("there");
    assert_eq!(place.path, b"/tmp/target");
    tree.make_link(b"two", (None, b"/one")).expect("new");
    tree.make_link(b"one", (None, b"/two")).expect("new");
    assert_eq!(read(&tree, "/one"), fail(ELOOP));
    tree.remove_file((None, b"/away")).expect("a link");
    assert_eq!(read(&tree, "/tmp/link").as_deref(), Ok("text"));
}

#[test]
fn programs_find_what_they_expect() {
    let tree = tree();
    assert_eq!(read(&tree, "/dev/null").as_deref(), Ok(""));
    assert_eq!(read(&tree, "/dev/zero").map(|text| text.len()), Ok(256));
    let hosts = read(&tree, "/etc/hosts").expect("generated");
    assert!(hosts.starts_with("127.0.0.1 localhost\n"), "{hosts}");
    let null = open(&tree, "/dev/null", O_WRONLY).expect("a device");
    assert_eq!(null.write(&[IoSlice::new(b"gone")]), Ok(4));
    assert!(open(&tree, "/etc/hosts", O_WRONLY).is_err());
}
