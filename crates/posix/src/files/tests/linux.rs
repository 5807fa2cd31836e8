//! The kernel's files, in a directory of their own.

use core::ffi::c_int;
use core::mem::MaybeUninit;
use std::ffi::CString;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use libc::{EBADF, O_CLOEXEC, S_IFDIR, S_IFMT, S_IFREG, stat64};

use super::compare::{ROOT, SLOTS, Told, World};
use crate::error::{Errno, Result, fail};

pub(super) struct Linux {
    directory: tempfile::TempDir,
    slots: [Option<OwnedFd>; SLOTS],
}

fn outcome(result: i64) -> Result<u64> {
    u64::try_from(result).map_err(|_| {
        let error = std::io::Error::last_os_error();
        Errno(error.raw_os_error().unwrap_or(0))
    })
}

fn done(result: c_int) -> Result<()> {
    outcome(result.into()).map(drop)
}

fn told(stat: &stat64) -> Told {
    let is_directory = stat.st_mode & S_IFMT == S_IFDIR;
    let [names, len] = if is_directory {
        [0; 2]
    } else {
        [stat.st_nlink, stat.st_size as u64]
    };
    (stat.st_mode, names, len)
}

impl Linux {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let root = format!("{}{ROOT}", directory.path().display());
        std::fs::create_dir_all(root).expect("directories");
        Self {
            directory,
            slots: [const { None }; SLOTS],
        }
    }

    fn path(&self, path: &str) -> CString {
        let root = self.directory.path().to_str().expect("UTF-8");
        CString::new(format!("{root}{ROOT}{path}")).expect("no zero")
    }

    fn fd(&self, slot: usize) -> Result<c_int> {
        self.slots[slot]
            .as_ref()
            .map_or(fail(EBADF), |fd| Ok(fd.as_raw_fd()))
    }
}

// Strings end with a zero, and buffers are as long as is said.
#[allow(clippy::undocumented_unsafe_blocks, reason = "the line above")]
impl World for Linux {
    fn open(&mut self, slot: usize, path: &str, flags: c_int) -> Result<()> {
        self.slots[slot] = None;
        let path = self.path(path);
        let fd = unsafe { libc::open(path.as_ptr(), flags | O_CLOEXEC, 0o644) };
        let fd = outcome(fd.into())? as c_int;
        self.slots[slot] = Some(unsafe { OwnedFd::from_raw_fd(fd) });
        Ok(())
    }

    fn close(&mut self, slot: usize) {
        self.slots[slot] = None;
    }

    fn read(&mut self, slot: usize, octets: usize, at: Option<u64>) -> Result<Vec<u8>> {
        let mut buffer = vec![0; octets];
        let (fd, place) = (self.fd(slot)?, buffer.as_mut_ptr().cast());
        let read = match at {
            None => unsafe { libc::read(fd, place, octets) },
            Some(at) => unsafe { libc::pread64(fd, place, octets, at as i64) },
        };
        buffer.truncate(outcome(read as i64)? as usize);
        Ok(buffer)
    }

    fn write(&mut self, slot: usize, octets: &[u8], at: Option<u64>) -> Result<usize> {
        let (fd, place) = (self.fd(slot)?, octets.as_ptr().cast());
        let written = match at {
            None => unsafe { libc::write(fd, place, octets.len()) },
            Some(at) => unsafe { libc::pwrite64(fd, place, octets.len(), at as i64) },
        };
        outcome(written as i64).map(|written| written as usize)
    }

    fn seek(&mut self, slot: usize, offset: i64, whence: c_int) -> Result<u64> {
        outcome(unsafe { libc::lseek64(self.fd(slot)?, offset, whence) })
    }

    fn set_len(&mut self, slot: usize, len: u64) -> Result<()> {
        done(unsafe { libc::ftruncate64(self.fd(slot)?, len as i64) })
    }

    fn reserve(&mut self, slot: usize, start: u64, len: u64) -> Result<()> {
        done(unsafe { libc::fallocate64(self.fd(slot)?, 0, start as i64, len as i64) })
    }

    fn sync(&mut self, slot: usize) -> Result<()> {
        done(unsafe { libc::fdatasync(self.fd(slot)?) })
    }

    fn status_of(&mut self, slot: usize) -> Result<Told> {
        let mut stat = MaybeUninit::uninit();
        done(unsafe { libc::fstat64(self.fd(slot)?, stat.as_mut_ptr()) })?;
        Ok(told(&unsafe { stat.assume_init() }))
    }

    fn status(&mut self, path: &str, follow: bool) -> Result<Told> {
        let mut stat = MaybeUninit::uninit();
        let (path, place) = (self.path(path), stat.as_mut_ptr());
        done(match follow {
            true => unsafe { libc::stat64(path.as_ptr(), place) },
            false => unsafe { libc::lstat64(path.as_ptr(), place) },
        })?;
        Ok(told(&unsafe { stat.assume_init() }))
    }

    fn make_directory(&mut self, path: &str) -> Result<()> {
        done(unsafe { libc::mkdir(self.path(path).as_ptr(), 0o755) })
    }

    fn remove(&mut self, path: &str, directory: bool) -> Result<()> {
        let path = self.path(path);
        done(match directory {
            true => unsafe { libc::rmdir(path.as_ptr()) },
            false => unsafe { libc::unlink(path.as_ptr()) },
        })
    }

    fn rename(&mut self, old: &str, new: &str, keep: bool) -> Result<()> {
        let (old, new) = (self.path(old), self.path(new));
        let flags = if keep { libc::RENAME_NOREPLACE } else { 0 };
        let at = libc::AT_FDCWD;
        done(unsafe { libc::renameat2(at, old.as_ptr(), at, new.as_ptr(), flags) })
    }

    fn link(&mut self, old: &str, new: &str) -> Result<()> {
        done(unsafe { libc::link(self.path(old).as_ptr(), self.path(new).as_ptr()) })
    }

    fn make_link(&mut self, target: &str, path: &str) -> Result<()> {
        let target = CString::new(target).expect("no zero");
        done(unsafe { libc::symlink(target.as_ptr(), self.path(path).as_ptr()) })
    }

    fn target(&mut self, path: &str) -> Result<String> {
        let mut buffer = [0_u8; 256];
        let place = buffer.as_mut_ptr().cast();
        let size = unsafe { libc::readlink(self.path(path).as_ptr(), place, buffer.len()) };
        let size = outcome(size as i64)? as usize;
        Ok(String::from_utf8_lossy(&buffer[..size]).into_owned())
    }

    fn set_permissions(&mut self, path: &str, permissions: u32) -> Result<()> {
        let told = self.status(path, true)?;
        if told.0 & S_IFMT != S_IFREG {
            return Ok(());
        }
        done(unsafe { libc::chmod(self.path(path).as_ptr(), permissions) })
    }

    fn list(&mut self, path: &str) -> Result<Vec<String>> {
        let path = self.path(path).into_string().expect("UTF-8");
        let entries = std::fs::read_dir(path);
        let entries = entries.map_err(|error| Errno(error.raw_os_error().unwrap_or(0)))?;
        let names = entries.map(|entry| entry.map(|entry| entry.file_name()));
        let names = names.map(|name| name.expect("an entry").into_string().expect("UTF-8"));
        let mut names: Vec<String> = names.collect();
        names.sort();
        Ok(names)
    }

    fn restart(&mut self) {
        self.slots = [const { None }; SLOTS];
    }
}
