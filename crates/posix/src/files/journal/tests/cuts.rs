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
