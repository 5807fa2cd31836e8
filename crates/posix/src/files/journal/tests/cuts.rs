//! Every state that a cut of the power could leave.

use std::collections::BTreeMap;

use blockdev::power_cut::{Limits, Recorder};

use super::*;

/// What all files hold, by their paths.
type Files = BTreeMap<String, Vec<u8>>;

fn files(tree: &Tree) -> Files {
    let root = tree.find(None, b"/", true).expect("the root");
    let names: Vec<String> = root
        .directory()
        .expect("a directory")
        .borrow()
        .iter()
        .filter(|(_, node)| node.kind() == libc::S_IFREG)
        .map(|(name, _)| format!("/{}", String::from_utf8_lossy(name)))
        .collect();
    names
        .into_iter()
        .map(|path| (path.clone(), read(tree, &path).expect("there")))
        .collect()
}

/// Changes a file or two, as programs do: a new one that takes the place of another, one that grows, one that goes.
fn change(tree: &Tree, random: &mut fastrand::Rng, step: u8) {
    let path = format!("/{}", random.u8(..4));
    let text = vec![step; random.usize(1..6_000)];
    match random.u8(..5) {
        0 | 1 => {
            write(tree, "/new", &text).sync(true).expect("a disk");
            tree.rename((None, b"/new"), (None, path.as_bytes()), false)
                .expect("there");
        }
        2 => {
            let file = open(tree, &path);
            let end = file.node().len();
            file.write_at(end, &[IoSlice::new(&text)]).expect("room");
        }
        3 => {
            let _ = tree.remove_file((None, path.as_bytes()));
        }
        _ => open(tree, &path)
            .set_len(random.u64(..5_000))
            .expect("room"),
    }
}

/// A cut finds what the last sync that had ended has made durable, or some of what was done before the next: a file that did
/// not change meanwhile is the same, and no file shows what it never held.
fn try_cuts(seed: u64) -> u64 {
    let (recorder, recording) = Recorder::new(device(256 << 10));
    let tree = mount(recorder).expect("a new file system");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut states: Vec<(usize, Files)> = Vec::new();
    for step in 1..=14 {
        change(&tree, &mut random, step);
        if random.bool() {
            assert_eq!(sync(&tree), Ok(()));
            states.push((recording.position(), files(&tree)));
        }
    }
    let limits = Limits {
        exhaustive: 5,
        samples: 8,
        seed,
    };
    let tally = recording.each_cut(&limits, |cut| {
        let tree = mount(cut.device).map_err(|why| format!("{why}: {:?}", cut.lost))?;
        let found = files(&tree);
        let promised = states
            .iter()
            .filter(|(position, _)| *position <= cut.last)
            .count();
        let none = Files::new();
        let before = promised
            .checked_sub(1)
            .map_or(&none, |last| &states[last].1);
        let Some((_, after)) = states.get(promised) else {
            return Ok(());
        };
        for (path, text) in before {
            // What did not change in between is there as it was.
            if after.get(path) == Some(text) && found.get(path) != Some(text) {
                return Err(format!("{path} has changed: lost {:?}", cut.lost));
            }
        }
        for (path, text) in &found {
            check_octets(path, text)?;
        }
        Ok(())
    });
    tally
        .map(|tally| tally.states)
        .unwrap_or_else(|why| panic!("seed {seed}: {why}"))
}

/// A file holds what was written to it once, and zeros: never what was in its blocks before.
fn check_octets(path: &str, text: &[u8]) -> core::result::Result<(), String> {
    match text.iter().position(|octet| *octet > 14) {
        Some(at) => Err(format!("{path} holds {} at {at}", text[at])),
        None => Ok(()),
    }
}

#[test]
fn cuts_leave_what_was_synced() {
    let seeds = std::env::var("POSIX_SEEDS").map_or(12, |seeds| seeds.parse().expect("a number"));
    let states: u64 = (0..seeds).map(try_cuts).sum();
    assert!(states > 100 * seeds, "{states} states");
}

/// A program that ends, but not the host, leaves what was not flushed where the next finds it: a cut may still lose it, and
/// nothing else.
fn try_cuts_after_an_end(is_mounted_again: bool, flushes: u64) {
    use blockdev::{Fault, FaultyDevice, Operation};

    let (recorder, recording) = Recorder::new(device(256 << 10));
    let device = Rc::new(RefCell::new(FaultyDevice::new(recorder)));
    let mut tree = mount(device.clone()).expect("a new file system");
    write(&tree, "/file", &[1; 9000]);
    assert_eq!(sync(&tree), Ok(()));
    if is_mounted_again {
        tree = mount(device.clone()).expect("the file system");
    }
    let promised = recording.position();
    let lost = Fault::Nth(Operation::Flush, flushes);
    device.borrow_mut().inject(lost);
    tree.make_directory((None, b"/gone"), 0o755).expect("new");
    tree.remove_file((None, b"/file")).expect("there");
    assert_eq!(sync(&tree), fail(EIO));
    drop(tree);
    device.borrow_mut().repair();
    let tree = mount(device).expect("the file system");
    write(&tree, "/next", &[2; 20_000]);
    assert_eq!(sync(&tree), Ok(()));
    let checked = recording.each_cut(&Limits::default(), |cut| {
        let tree = mount(cut.device).map_err(|why| format!("{why}: lost {:?}", cut.lost))?;
        let text = read(&tree, "/file");
        match (&text, read(&tree, "/next")) {
            (Some(text), _) if *text == [1; 9000] => Ok(()),
            (None, _)
                if tree
                    .find(None, b"/gone", false)
                    .is_ok_and(|it| it.node.is_some()) =>
            {
                Ok(())
            }
            _ if cut.last < promised => Ok(()),
            _ => Err(format!("another text: lost {:?}", cut.lost)),
        }
    });
    checked.unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn what_a_program_left_in_the_hosts_memory_is_durable_before_it_is_built_on() {
    // The last record, that the file is gone: its blocks are not used before.
    try_cuts_after_an_end(false, 0);
    // The header of the area that has it: the other is not written over before.
    try_cuts_after_an_end(true, 1);
}
