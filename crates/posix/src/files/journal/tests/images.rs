//! What is on a device is not trusted.

use super::*;
use crate::files::journal::log::{BLOCK as FILE_BLOCK, Header};

fn image(octets: usize) -> Vec<u8> {
    let device = Rc::new(RefCell::new(device(octets)));
    let tree = mount(device.clone()).expect("a new file system");
    tree.make_directory((None, b"/directory"), 0o755)
        .expect("new");
    write(&tree, "/directory/file", &[5; 9_000]);
    tree.make_link(b"directory", (None, b"/link")).expect("new");
    assert_eq!(sync(&tree), Ok(()));
    write(&tree, "/file", b"text");
    tree.rename((None, b"/file"), (None, b"/directory/file"), false)
        .expect("there");
    assert_eq!(sync(&tree), Ok(()));
    device.borrow().as_bytes().to_vec()
}

fn refused(octets: Vec<u8>) -> String {
    let device = MemoryDevice::from_bytes(BLOCK, octets).expect("sizes");
    mount(device).err().expect("it is refused")
}

#[test]
fn what_is_no_file_system_is_left_alone() {
    let mut octets = vec![0; 256 << 10];
    octets[100_000] = 1;
    assert!(refused(octets).contains("expected one, or zeros"));
    let mut octets = vec![0; 4 << 20];
    octets[(4 << 20) - 512] = 1;
    assert!(refused(octets).contains("expected one, or zeros"));
    assert!(refused(vec![0; 64 << 10]).contains("65536 octets"));
    let mut short = image(512 << 10);
    short.truncate(400 << 10);
    assert!(refused(short).contains("cut short"));
}

#[test]
fn an_image_that_was_made_larger_has_more_room() {
    let mut octets = image(256 << 10);
    octets.resize(512 << 10, 0);
    let tree = mount(MemoryDevice::from_bytes(BLOCK, octets).expect("sizes"));
    let tree = tree.expect("the file system");
    assert_eq!(read(&tree, "/link/file").as_deref(), Some(&b"text"[..]));
    let (all, free) = open(&tree, "/directory/file").node().volume.room();
    assert!(all > 400 << 10 && free < all, "{free} of {all}");
}

/// Octets that change at random are found out by sums; what is left is not more than what was there, and nothing panics.
#[test]
fn a_damaged_image_is_refused_or_an_earlier_one() {
    let image = image(256 << 10);
    let mut random = fastrand::Rng::with_seed(9);
    let mut refusals = 0;
    for _ in 0..2_000 {
        let mut octets = image.clone();
        let at = random.usize(..80 << 10);
        octets[at] ^= 1 << random.u8(..8);
        let device = MemoryDevice::from_bytes(BLOCK, octets).expect("sizes");
        match mount(device) {
            Ok(tree) => {
                let text = read(&tree, "/directory/file");
                let known = [None, Some(b"text".to_vec()), Some(vec![5; 9_000])];
                assert!(known.contains(&text), "octet {at}: {text:?}");
            }
            Err(why) => {
                assert!(why.contains("damaged") || why.contains("expected"), "{why}");
                refusals += 1;
            }
        }
    }
    assert!(refusals > 0);
}

/// Ops with a right sum that make no sense: each is refused in words, or does no harm.
#[test]
fn ops_that_make_no_sense_are_refused() {
    let image = image(256 << 10);
    let mut random = fastrand::Rng::with_seed(4);
    let mut refusals = 0;
    for _ in 0..3_000 {
        let device = Rc::new(RefCell::new(
            MemoryDevice::from_bytes(BLOCK, image.clone()).expect("sizes"),
        ));
        forge(&device, &mut random);
        match mount(device) {
            Ok(tree) => {
                write(&tree, "/new", b"new");
                assert_eq!(sync(&tree), Ok(()));
            }
            Err(why) => {
                assert!(why.contains("damaged"), "{why}");
                refusals += 1;
            }
        }
    }
    assert!(refusals > 1_000, "{refusals}");
}

/// Ops that make directories lie in themselves, and half of a renaming.
#[test]
fn directories_that_are_nowhere_are_refused() {
    use crate::files::journal::ops::Op;

    let image = image(256 << 10);
    let refused_with = |ops: &[Op<'_>]| {
        let device = Rc::new(RefCell::new(
            MemoryDevice::from_bytes(BLOCK, image.clone()).expect("sizes"),
        ));
        let tree = mount(device.clone()).expect("the file system");
        let directory = tree.find(None, b"/directory", true).expect("there");
        let directory = directory.existing().expect("there").number;
        drop(tree);
        append(&device, |all| {
            for op in ops {
                all.push(&match *op {
                    Op::To { name, .. } => Op::To { directory, name },
                    op => op,
                });
            }
        });
        mount(device).err().expect("it is refused")
    };
    let rename = Op::Rename {
        from: 1,
        name: b"directory",
    };
    let to = Op::To {
        directory: 0,
        name: b"inside",
    };
    assert!(refused_with(&[rename, to]).contains("lies in itself"));
    assert!(refused_with(&[rename]).contains("half of a renaming"));
}

#[test]
fn directories_as_deep_as_memory_allows_are_dropped() {
    use crate::files::node::{Content, Node};
    use crate::files::{pages::Budget, volume::Memory};

    let budget = Budget::new(256 << 20);
    let memory = Memory::volume(&budget);
    let mut deepest = None;
    for number in 0..200_000 {
        let inside = deepest.map(|node| (b"a".to_vec(), node));
        let content = Content::Directory(RefCell::new(inside.into_iter().collect()));
        deepest = Some(Node::new(number, content, 0o755, &memory, &budget).expect("room"));
    }
    drop(deepest);
    assert_eq!(budget.left(), 256 << 20);
}

/// Adds a record of random ops to the journal.
fn forge(device: &Rc<RefCell<MemoryDevice>>, random: &mut fastrand::Rng) {
    use crate::files::journal::extents::Run;
    use crate::files::journal::ops::{Op, Ops};

    let mut octets = Vec::new();
    for _ in 0..random.usize(1..5) {
        let number = |random: &mut fastrand::Rng| match random.u8(..8) {
            0 => u64::MAX - random.u64(..3),
            _ => random.u64(..14),
        };
        let names: [&[u8]; 6] = [b"file", b"directory", b"link", b"x", b"..", b"a/b"];
        let name = names[random.usize(..6)];
        let (one, other) = (number(random), number(random));
        let modes = [0o100_644, 0o40_755, 0o120_777, 0o20_644];
        let mode = modes[random.usize(..4)];
        let op = match random.u8(..8) {
            0 => Op::Node {
                node: one,
                mode,
                target: name,
            },
            1 => Op::Name {
                directory: one,
                node: other,
                name,
            },
            2 => Op::Unname {
                directory: one,
                name,
            },
            3 => Op::Rename { from: one, name },
            4 => Op::To {
                directory: one,
                name,
            },
            5 => Op::Map {
                node: one,
                first: other,
                run: Run {
                    disk: number(random).wrapping_add(30),
                    count: number(random),
                },
            },
            6 => Op::Unmap {
                node: one,
                first: other,
            },
            _ => {
                let time = core::time::Duration::from_nanos(other);
                Op::Attributes {
                    node: one,
                    mode,
                    len: other,
                    modified: time,
                    accessed: time,
                }
            }
        };
        let mut ops = Ops::default();
        ops.push(&op);
        octets.append(&mut ops.octets);
    }
    if random.u8(..16) == 0 {
        octets.push(random.u8(..));
    }
    append(device, |all| all.octets = octets);
}

/// Adds a record to the journal.
fn append(
    device: &Rc<RefCell<MemoryDevice>>,
    tell: impl FnOnce(&mut crate::files::journal::ops::Ops),
) {
    use crate::files::journal::log::Log;

    let mut ops = crate::files::journal::ops::Ops::default();
    tell(&mut ops);
    let shared = crate::files::disk::Shared::of(BlockDevice::new(device.clone()));
    let header = Header::read(&shared).expect("memory").expect("one");
    let mut log = Log::new(header);
    while log.read(&shared).expect("memory").is_some() {}
    log.append(&shared, &ops.octets).expect("room");
    assert!(header.first_block() * FILE_BLOCK < 256 << 10);
}
