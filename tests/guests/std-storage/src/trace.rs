//! Calls drawn from a seed.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::mem;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use fastrand::Rng;

const STEPS: usize = 1_500;
const SLOTS: usize = 3;

struct World<'a> {
    directory: &'a Path,
    files: [Option<File>; SLOTS],
    random: Rng,
    /// What the call is, in words.
    said: String,
}

/// Makes the calls and prints what they came to.
pub(super) fn run(seed: u64, directory: &Path) {
    // So deep that no link leads out of it.
    let directory = &directory.join("base/base/base/base");
    fs::create_dir_all(directory).expect("a directory");
    let mut world = World {
        directory,
        files: [const { None }; SLOTS],
        random: Rng::with_seed(seed),
        said: String::new(),
    };
    for step in 0..STEPS {
        let outcome = world.call();
        let outcome = outcome.unwrap_or_else(|error| format!("{:?}", error.raw_os_error()));
        println!("{step}: {} {outcome}", mem::take(&mut world.said));
    }
    drop(world.files);
    print_all(directory);
}

fn print_all(directory: &Path) {
    for (name, kind) in names(directory).expect("a directory") {
        let path = directory.join(&name);
        println!(
            "{name} {kind} {:?}",
            fs::symlink_metadata(&path).map(|told| described(&told))
        );
        match &*kind {
            "directory" => print_all(&path),
            "file" => println!("{:?}", fs::read(&path).map(|octets| sum(&octets))),
            _ => println!("{:?}", fs::read_link(&path)),
        }
    }
}

fn names(directory: &Path) -> io::Result<Vec<(String, String)>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let kind = match (kind.is_dir(), kind.is_file()) {
            (true, _) => "directory",
            (_, true) => "file",
            _ => "other",
        };
        names.push((
            entry.file_name().into_string().expect("UTF-8"),
            kind.to_owned(),
        ));
    }
    names.sort();
    Ok(names)
}

fn described(told: &Metadata) -> (u32, u64, u64) {
    match told.is_dir() {
        true => (told.mode(), 0, 0),
        false => (told.mode(), told.nlink(), told.len()),
    }
}

/// A sum of octets, and how many.
fn sum(octets: &[u8]) -> (usize, u64) {
    let add = |sum: u64, octet: &u8| sum.wrapping_mul(31).wrapping_add(u64::from(*octet));
    (octets.len(), octets.iter().fold(7, add))
}

impl World<'_> {
    fn path(&mut self) -> PathBuf {
        const NAMES: [&str; 5] = ["one", "two", "three", "four", "."];
        let mut path = PathBuf::new();
        for _ in 0..self.random.usize(1..4) {
            path.push(NAMES[self.random.usize(..NAMES.len())]);
        }
        self.said += &format!(" {}", path.display());
        self.directory.join(path)
    }

    fn file(&mut self) -> io::Result<(&File, &mut Rng)> {
        let file = self.files[self.random.usize(..SLOTS)].as_ref();
        let file = file.ok_or(io::Error::from_raw_os_error(9))?;
        Ok((file, &mut self.random))
    }

    fn content(&mut self) -> Vec<u8> {
        let octets = self.random.usize(..20_000);
        let mut content = vec![0; octets];
        self.random.fill(&mut content);
        content
    }

    fn call(&mut self) -> io::Result<String> {
        match self.random.u8(..6) {
            0 | 1 => self.call_for_names(),
            2 => self.call_for_paths(),
            3 => self.open(),
            _ => self.call_for_file(),
        }
    }

    fn open(&mut self) -> io::Result<String> {
        let path = self.path();
        let slot = self.random.usize(..SLOTS);
        self.files[slot] = None;
        let mut options = OpenOptions::new();
        options
            .read(self.random.u8(..4) > 0)
            .write(self.random.u8(..4) > 0)
            .append(self.random.u8(..4) == 0)
            .create(self.random.bool())
            .create_new(self.random.u8(..6) == 0)
            .truncate(self.random.u8(..4) == 0);
        let file = options.open(path)?;
        let told = described(&file.metadata()?);
        // What a directory does when it is read is the file system's affair.
        if file.metadata()?.is_file() {
            self.files[slot] = Some(file);
        }
        Ok(format!("{told:?}"))
    }

    fn call_for_names(&mut self) -> io::Result<String> {
        let (path, other) = (self.path(), self.path());
        let kind = self.random.u8(..10);
        self.said += &format!(" names {kind}");
        let outcome = match kind {
            0 | 1 => fs::create_dir(path),
            2 => fs::create_dir_all(path),
            3 => fs::remove_file(path),
            4 => fs::remove_dir(path),
            5 if self.random.u8(..4) == 0 => fs::remove_dir_all(path),
            5 | 6 => fs::rename(path, other),
            7 => fs::hard_link(path, other),
            8 => symlink(
                ["one", "two/three", "../two", "."][self.random.usize(..4)],
                path,
            ),
            _ => return fs::copy(path, other).map(|octets| format!("copied {octets}")),
        };
        outcome.map(|()| String::from("done"))
    }

    fn call_for_paths(&mut self) -> io::Result<String> {
        let path = self.path();
        let kind = self.random.u8(..10);
        self.said += &format!(" path {kind}");
        match kind {
            0 => fs::metadata(path).map(|told| format!("{:?}", described(&told))),
            1 => fs::symlink_metadata(path).map(|told| format!("{:?}", described(&told))),
            2 => names(&path).map(|names| format!("{names:?}")),
            3 => fs::read_link(path).map(|target| format!("{target:?}")),
            4 => {
                let path = fs::canonicalize(path)?;
                let directory = fs::canonicalize(self.directory)?;
                let inside = path.strip_prefix(directory).map(Path::to_owned);
                Ok(format!("{inside:?}"))
            }
            5 => fs::read(path).map(|octets| format!("{:?}", sum(&octets))),
            6 => {
                let content = self.content();
                fs::write(path, content).map(|()| String::from("written"))
            }
            7 if fs::metadata(&path)?.is_file() => {
                let mode = 0o600 | self.random.u32(..0o100);
                fs::set_permissions(path, Permissions::from_mode(mode))?;
                Ok(String::from("set"))
            }
            8 => fs::exists(path).map(|exists| exists.to_string()),
            _ => Ok(format!("{}", path.is_dir())),
        }
    }

    fn call_for_file(&mut self) -> io::Result<String> {
        let content = self.content();
        let kind = self.random.u8(..12);
        self.said += &format!("file {kind}");
        let (mut file, random) = self.file()?;
        match kind {
            0 | 1 => {
                let mut buffer = vec![0; random.usize(..9_000)];
                let read = file.read(&mut buffer)?;
                Ok(format!("{:?}", sum(&buffer[..read])))
            }
            2..5 => file.write_all(&content).map(|()| String::from("written")),
            5 => {
                let mut buffer = vec![0; random.usize(..9_000)];
                let read = file.read_at(&mut buffer, random.u64(..30_000))?;
                Ok(format!("{:?}", sum(&buffer[..read])))
            }
            6 => {
                let offset = random.u64(..50_000);
                file.write_all_at(&content, offset)
                    .map(|()| String::from("written"))
            }
            7 => {
                let to = match random.u8(..3) {
                    0 => SeekFrom::Start(random.u64(..40_000)),
                    1 => SeekFrom::Current(random.i64(-9_000..9_000)),
                    _ => SeekFrom::End(random.i64(-9_000..9_000)),
                };
                file.seek(to).map(|position| position.to_string())
            }
            8 => file
                .set_len(random.u64(..30_000))
                .map(|()| String::from("set")),
            9 => file.sync_all().map(|()| String::from("synced")),
            10 => {
                let time = SystemTime::UNIX_EPOCH + Duration::from_nanos(random.u64(..1 << 60));
                file.set_modified(time)?;
                Ok(format!("{}", file.metadata()?.modified()? == time))
            }
            _ => Ok(format!("{:?}", described(&file.metadata()?))),
        }
    }
}
