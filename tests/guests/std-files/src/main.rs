//! Exercises std's files in a unikernel.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};
use std::{env, thread};

use mkernel as _;

fn main() -> io::Result<()> {
    files()?;
    directories()?;
    what_programs_expect()?;
    pipes()?;
    println!("SUCCESS");
    Ok(())
}

fn files() -> io::Result<()> {
    let path = env::temp_dir().join("file");
    fs::write(&path, "Hello ")?;
    OpenOptions::new()
        .append(true)
        .open(&path)?
        .write_all(b"World!")?;
    assert_eq!(fs::read_to_string(&path)?, "Hello World!");
    let mut file = File::options().read(true).write(true).open(&path)?;
    file.seek(SeekFrom::End(-6))?;
    file.write_all(b"there.")?;
    file.rewind()?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    assert_eq!(text, "Hello there.");
    file.set_len(5)?;
    file.sync_all()?;
    let metadata = file.metadata()?;
    assert_eq!((metadata.len(), metadata.is_file()), (5, true));
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    file.set_modified(time)?;
    assert_eq!(fs::metadata(&path)?.modified()?, time);
    let copy = path.with_extension("copy");
    assert_eq!(fs::copy(&path, &copy)?, 5);
    fs::rename(&copy, "/tmp/moved")?;
    assert_eq!(fs::read("/tmp/moved")?, b"Hello");
    fs::remove_file("/tmp/moved")?;
    let gone = fs::read("/tmp/moved").map_err(|error| error.kind());
    assert_eq!(gone, Err(ErrorKind::NotFound));
    let again = File::create_new(&path).map(drop);
    assert_eq!(
        again.map_err(|error| error.kind()),
        Err(ErrorKind::AlreadyExists)
    );
    Ok(())
}

fn directories() -> io::Result<()> {
    fs::create_dir_all("/data/a/b")?;
    fs::write("/data/a/file", vec![7; 100_000])?;
    std::os::unix::fs::symlink("a/file", "/data/link")?;
    assert_eq!(fs::read("/data/link")?.len(), 100_000);
    assert!(fs::symlink_metadata("/data/link")?.is_symlink());
    assert_eq!(fs::canonicalize("/data/./link")?, Path::new("/data/a/file"));
    let mut names = Vec::new();
    for entry in fs::read_dir("/data/a")? {
        let entry = entry?;
        names.push((
            entry.file_name(),
            entry.file_type()?.is_dir(),
            entry.metadata()?.len(),
        ));
    }
    names.sort();
    assert_eq!(
        names,
        [("b".into(), true, 4096), ("file".into(), false, 100_000)]
    );
    env::set_current_dir("/data/a")?;
    assert_eq!(env::current_dir()?, Path::new("/data/a"));
    assert!(Path::new("file").exists() && !Path::new("none").exists());
    fs::remove_dir_all("/data")?;
    assert!(!Path::new("/data").exists());
    env::set_current_dir("/")
}

fn what_programs_expect() -> io::Result<()> {
    assert_eq!(env::current_exe()?, Path::new("/std-files"));
    assert_eq!(fs::read("/proc/self/cmdline")?, b"std-files\0argument\0");
    assert_eq!(
        fs::read_to_string("/etc/resolv.conf")?,
        "nameserver 10.0.0.1\n"
    );
    let mut random = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    assert_ne!(random, [0; 32]);
    assert_eq!(env::var("GIVEN").as_deref(), Ok("value"));
    let command = std::process::Command::new("/bin/true").status();
    assert!(command.is_err());
    Ok(())
}

fn pipes() -> io::Result<()> {
    let (mut reader, mut writer) = io::pipe()?;
    let thread = thread::spawn(move || {
        for _ in 0..20 {
            writer.write_all(&[1; 10_000])?;
        }
        io::Result::Ok(())
    });
    let mut read = Vec::new();
    reader.read_to_end(&mut read)?;
    thread.join().expect("no panic")?;
    assert_eq!(read.len(), 200_000);
    Ok(())
}
