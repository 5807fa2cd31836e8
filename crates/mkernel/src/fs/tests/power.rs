//! What a power cut leaves of FAT: `fsck.fat` looks at every state, and so do we.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use blockdev::power_cut::{Cut, Limits, Recorder, Recording};
use blockdev::{BlockDevice, Geometry, MemoryDevice, SectorDevice};
use tempfile::TempDir;

use super::fat::{check, format};
use super::images::noise;
use crate::fs::{ErrorKind, FileSystem, mount};

/// Octets of a cluster, as `mkfs.fat` makes them here.
const CLUSTER: usize = 2048;

const LIMITS: Limits = Limits {
    exhaustive: 6,
    samples: 2,
    seed: 1,
};

/// What `fsck.fat` may say of a state, the first words of a line: what it costs is at most clusters that nobody has.
const HARMLESS: [&str; 12] = [
    "fsck.fat",
    "Dirty bit is set",
    " Automatically removing dirty bit",
    "*** Filesystem was changed",
    "The changes have not actually been written",
    "Leaving filesystem unchanged",
    // The first table counts.
    "FATs differ but appear to be intact",
    "  Using first FAT",
    // Clusters that nobody has.
    "Reclaimed ",
    "Reclaiming unconnected clusters",
    // A hint, on FAT32.
    "Free cluster summary wrong",
    "  Auto-correcting.",
];

/// What else it says where an operation touches more than a block: see the documentation of `fs`.
const KNOWN: [(&str, &str); 10] = [
    ("grown", "  File size is "),
    ("grown", "  Truncating file"),
    ("named", "Orphaned long file name part"),
    ("named", "  Auto-deleting."),
    ("named", "Long filename fragment"),
    ("named", "  (Maybe the start bit is missing"),
    ("named", "  Not auto-correcting this."),
    ("moved", "/"),
    ("moved", "  share clusters."),
    ("moved", "  Truncating second to 0 bytes."),
];

/// A device that cannot flush.
struct Unflushed<D>(D);

impl<D: SectorDevice> SectorDevice for Unflushed<D> {
    type Error = D::Error;

    fn geometry(&self) -> Geometry {
        self.0.geometry()
    }

    fn read_blocks(&mut self, offset: u64, blocks: &mut [u8]) -> Result<(), D::Error> {
        self.0.read_blocks(offset, blocks)
    }

    fn write_blocks(&mut self, offset: u64, blocks: &[u8]) -> Result<(), D::Error> {
        self.0.write_blocks(offset, blocks)
    }

    fn flush(&mut self) -> Result<(), D::Error> {
        Ok(())
    }

    fn discard(&mut self, _offset: u64, _len: u64) -> Result<(), D::Error> {
        Ok(())
    }
}

fn recorder(width: &str, kib: &str) -> (Recorder, Recording) {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("image");
    format(width, kib, &path);
    let octets = std::fs::read(path).expect("an image");
    let device = MemoryDevice::from_bytes(512, octets).expect("whole blocks");
    Recorder::new(device)
}

fn recorded() -> (FileSystem, Recording) {
    recorded_of("12", "512")
}

fn recorded_of(width: &str, kib: &str) -> (FileSystem, Recording) {
    let (device, recording) = recorder(width, kib);
    let mounted = mount(BlockDevice::new(device)).expect("a file system");
    (mounted, recording)
}

fn write(mounted: &FileSystem, path: &str, content: &[u8]) {
    let mut file = mounted.create(path).expect("a file");
    file.write_all(content).expect("room");
    file.flush().expect("memory");
}

type Counts = BTreeMap<String, u64>;

/// Looks at each state. `promised` says what must be in each, from which position of the record on.
fn each_cut(
    recording: &Recording,
    kinds: &[&str],
    promised: impl Fn(&FileSystem, &Cut) -> Result<(), String>,
) -> Counts {
    let mut said = Counts::new();
    let tally = recording
        .each_cut(&LIMITS, |cut| {
            let output = check(cut.device.as_bytes());
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            for line in text.lines() {
                judge(line, kinds, &mut said).map_err(|line| format!("{line:?} in {text}"))?;
            }
            let mounted =
                mount(BlockDevice::new(cut.device.clone())).map_err(|error| error.to_string())?;
            promised(&mounted, &cut)
        })
        .unwrap_or_else(|error| panic!("{error}"));
    assert!(tally.flushes > 2, "{tally:?}");
    println!("{tally:?}: {said:?}");
    said
}

fn judge<'a>(line: &'a str, kinds: &[&str], said: &mut Counts) -> Result<(), &'a str> {
    // The last line: how many files and clusters there are.
    let is_summary = line.contains(" files, ") && line.contains(" clusters");
    // Before what the size is comes whose.
    let is_name = line.starts_with('/') && kinds.contains(&"grown");
    if line.is_empty() || is_summary || is_name {
        return Ok(());
    }
    if HARMLESS.iter().any(|words| line.starts_with(words)) {
        return Ok(());
    }
    let known = KNOWN
        .iter()
        .find(|(kind, words)| kinds.contains(kind) && line.starts_with(words));
    let (_, words) = known.ok_or(line)?;
    *said.entry(String::from(*words)).or_default() += 1;
    Ok(())
}

/// The file is there, with that content, from that position of the record on.
fn has(
    mounted: &FileSystem,
    cut: &Cut,
    path: &str,
    content: &[u8],
    since: usize,
) -> Result<(), String> {
    if cut.last < since {
        return Ok(());
    }
    let mut found = Vec::new();
    let mut file = mounted.open(path).map_err(|error| error.to_string())?;
    file.read_to_end(&mut found)
        .map_err(|error| error.to_string())?;
    match found == content {
        true => Ok(()),
        false => Err(format!(
            "{path} differs, {} octets at {:?}",
            found.len(),
            cut.lost
        )),
    }
}

/// Small ones; the latter has a sector with the number of free clusters, and a mark for what is in use.
const WIDTHS: [(&str, &str); 2] = [("12", "512"), ("32", "34000")];

#[test]
fn new_files_and_directories() {
    for (width, kib) in WIDTHS {
        let (mounted, recording) = recorded_of(width, kib);
        let content = noise(3 * CLUSTER + 5);
        write(&mounted, "first", &content);
        let first = recording.position();
        mounted.create_dir("sub").expect("a directory");
        write(&mounted, "sub/second", b"second");
        let second = recording.position();
        mounted.sync().expect("memory");
        each_cut(&recording, &[], |mounted, cut| {
            has(mounted, cut, "first", &content, first)?;
            has(mounted, cut, "sub/second", b"second", second)
        });
    }
}

#[test]
fn files_that_go() {
    for (width, kib) in WIDTHS {
        let (mounted, recording) = recorded_of(width, kib);
        write(&mounted, "stays", b"stays");
        write(&mounted, "goes", &noise(5 * CLUSTER));
        let begin = recording.position();
        mounted.remove_file("goes").expect("removed");
        mounted.create_dir("sub").expect("a directory");
        mounted.remove_dir("sub").expect("removed");
        mounted.sync().expect("memory");
        each_cut(&recording, &[], |mounted, cut| {
            has(mounted, cut, "stays", b"stays", begin)
        });
    }
}

#[test]
fn a_file_that_is_shortened() {
    let (mounted, recording) = recorded();
    let content = noise(5 * CLUSTER);
    write(&mounted, "file", &content);
    let begin = recording.position();
    let mut file = mounted.open_mut("file").expect("a file");
    file.set_len(CLUSTER as u64 + 7).expect("shorter");
    file.flush().expect("memory");
    drop(file);
    let end = recording.position();
    mounted.sync().expect("memory");
    // Between the two the chain is longer than the file.
    each_cut(&recording, &["grown"], |mounted, cut| {
        if cut.last >= end {
            return has(mounted, cut, "file", &content[..CLUSTER + 7], end);
        }
        let len = mounted.metadata("file").map_or(0, |metadata| metadata.len);
        let is_one = len == content.len() as u64 || len == CLUSTER as u64 + 7;
        match cut.last < begin || is_one {
            true => Ok(()),
            false => Err(format!("{len} octets")),
        }
    });
}

#[test]
fn a_file_that_grows() {
    let (mounted, recording) = recorded();
    let content = noise(4 * CLUSTER);
    write(&mounted, "file", &content[..CLUSTER]);
    let begin = recording.position();
    let mut file = mounted.open_mut("file").expect("a file");
    std::io::Seek::seek(&mut file, std::io::SeekFrom::End(0)).expect("a position");
    file.write_all(&content[CLUSTER..]).expect("room");
    file.flush().expect("memory");
    drop(file);
    let end = recording.position();
    mounted.sync().expect("memory");
    each_cut(&recording, &["grown"], |mounted, cut| {
        if cut.last >= end {
            return has(mounted, cut, "file", &content, end);
        }
        let mut found = Vec::new();
        match mounted.open("file") {
            Ok(mut file) => file
                .read_to_end(&mut found)
                .map_err(|error| error.to_string())?,
            Err(_) if cut.last < begin => return Ok(()),
            Err(error) => return Err(error.to_string()),
        };
        // What it had it still has.
        match cut.last < begin || found.starts_with(&content[..CLUSTER]) {
            true => Ok(()),
            false => Err(format!("{} octets", found.len())),
        }
    });
}

#[test]
fn names_that_reach_into_the_next_block() {
    let (mounted, recording) = recorded();
    let names: Vec<String> = (0..6)
        .map(|number| format!("{number}{}", "n".repeat(60)))
        .collect();
    let mut ends = Vec::new();
    for name in &names {
        write(&mounted, name, name.as_bytes());
        ends.push(recording.position());
    }
    mounted.remove_file(&names[2]).expect("removed");
    mounted.sync().expect("memory");
    let said = each_cut(&recording, &["named"], |mounted, cut| {
        for (name, &end) in names.iter().zip(&ends) {
            if *name != names[2] {
                has(mounted, cut, name, name.as_bytes(), end)?;
            }
        }
        Ok(())
    });
    assert!(
        !said.is_empty(),
        "no name reached from one block into the next"
    );
}

#[test]
fn a_name_that_changes_within_a_block() {
    let (mounted, recording) = recorded();
    write(&mounted, "one", b"content");
    let begin = recording.position();
    mounted.rename("one", "two").expect("renamed");
    mounted.sync().expect("memory");
    let end = recording.position();
    each_cut(&recording, &[], |mounted, cut| {
        if cut.last >= end {
            return has(mounted, cut, "two", b"content", end);
        }
        has(mounted, cut, "one", b"content", begin)
            .or_else(|_| has(mounted, cut, "two", b"content", begin))
    });
}

#[test]
fn a_name_that_moves_to_another_directory() {
    let (mounted, recording) = recorded();
    mounted.create_dir("sub").expect("a directory");
    write(&mounted, "one", b"content");
    let begin = recording.position();
    mounted.rename("one", "sub/two").expect("moved");
    mounted.sync().expect("memory");
    let end = recording.position();
    // Both names are there between the two writes, and share the file.
    each_cut(&recording, &["moved", "grown"], |mounted, cut| {
        if cut.last >= end {
            return has(mounted, cut, "sub/two", b"content", end);
        }
        has(mounted, cut, "one", b"content", begin)
            .or_else(|_| has(mounted, cut, "sub/two", b"content", begin))
    });
}

/// What programs do to replace a file as a whole.
#[test]
fn a_file_that_takes_the_place_of_another() {
    let (mounted, recording) = recorded();
    write(&mounted, "config", b"old");
    let old = recording.position();
    write(&mounted, "config.new", b"new");
    mounted.rename("config.new", "config").expect("replaced");
    mounted.sync().expect("memory");
    let new = recording.position();
    each_cut(&recording, &[], |mounted, cut| {
        if cut.last >= new {
            return has(mounted, cut, "config", b"new", new);
        }
        has(mounted, cut, "config", b"old", old)
            .or_else(|_| has(mounted, cut, "config", b"new", old))
    });
}

/// Where no flush holds, some state is no longer harmless: the test sees it.
#[test]
fn writes_without_a_flush_between_are_seen() {
    let (device, recording) = recorder("12", "512");
    let mounted = mount(BlockDevice::new(Unflushed(device))).expect("a file system");
    write(&mounted, "file", &noise(3 * CLUSTER));
    let error = mounted.sync().expect_err("it cannot").kind().clone();
    assert_eq!(error, ErrorKind::CannotFlush);
    let mut said = Counts::new();
    let outcome = recording.each_cut(&LIMITS, |cut| {
        let output = check(cut.device.as_bytes());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let outcome = text
            .lines()
            .try_for_each(|line| judge(line, &["grown"], &mut said));
        outcome.map_err(String::from)
    });
    assert!(outcome.is_err(), "{outcome:?}");
}
