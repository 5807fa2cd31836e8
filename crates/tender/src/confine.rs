//! What the tender gives up once all is open and before the guest runs, so that a guest that owned the process and got past
//! its filter would find nothing there to go on with.
//!
//! What is asked for by an option must be had. All else is taken as far as the host allows: no start fails for want of it,
//! and `--verbose` tells.

mod landlock;
mod namespaces;
mod privileges;

use std::ffi::CString;
use std::io;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::Tender;
use crate::attach::Devices;
use crate::options::Options;

/// Why the tender cannot be confined as it must be.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// The root directory asked for cannot be had.
    #[error(
        "cannot make {path:?} the root directory: {source} (see --chroot; it takes root, or a user namespace)"
    )]
    Chroot {
        /// The directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The user asked for cannot be had.
    #[error("cannot become user {uid} of group {gid}: {source} (see --user; it takes root)")]
    User {
        /// The user's number.
        uid: u32,
        /// The group's.
        gid: u32,
        /// Why not.
        source: io::Error,
    },
    /// Something that every process may give up.
    #[error("cannot give up {what}: {source}")]
    GiveUp {
        /// What it was.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
}

/// What the process goes on with.
pub(crate) struct Own {
    /// Its descriptors, besides the console and standard error. A negative number stands for none.
    pub(crate) descriptors: Vec<RawFd>,
    /// How many of them it waits for in one `poll(2)`, which `RLIMIT_NOFILE` is a limit of, too.
    pub(crate) polled: usize,
}

/// What the host did not allow, and why.
#[derive(Debug, Default)]
struct Lacking(Vec<String>);

impl Lacking {
    fn add(&mut self, what: &str, error: &io::Error) {
        self.0.push(format!("{what} ({error})"));
    }

    /// Notes a failure, if it is one.
    fn note(&mut self, what: &str, done: io::Result<()>) {
        if let Err(error) = done {
            self.add(what, &error);
        }
    }
}

/// Confines this process, which has one thread; those that it starts are confined like it.
///
/// Descriptors come first, since the rest must not leave one behind; then what takes privilege, then the privileges.
pub(crate) fn confine(
    tender: Tender,
    options: &Options,
    devices: &Devices,
    own: &Own,
) -> Result<(), ConfineError> {
    let mut lacking = Lacking::default();
    close_others(devices, own, &mut lacking);
    namespaces::leave(options, &mut lacking);
    if let Some(path) = &options.chroot {
        change_root(path)?;
    }
    privileges::drop_all(options.user)?;
    landlock::restrict(&mut lacking);
    privileges::set_dumpable(options.dumpable)?;
    limit(options, devices, own)?;
    if options.verbose {
        tender.notice(&match lacking.0.as_slice() {
            [] => "confined in full".to_owned(),
            lacking => format!("confined, without {}", lacking.join(", ")),
        });
    }
    Ok(())
}

/// Confines a relay of the process's, which keeps what it needs to look for others at a socket's path if it does that.
pub(crate) fn confine_relay(options: &Options, looks_at_path: bool) -> Result<(), ConfineError> {
    privileges::drop_all(options.user)?;
    if !looks_at_path {
        // What the host does not allow is told of the guest's own process.
        landlock::restrict(&mut Lacking::default());
    }
    privileges::set_dumpable(options.dumpable)
}

/// Closes every descriptor but the process's own.
fn close_others(devices: &Devices, own: &Own, lacking: &mut Lacking) {
    let mut kept: Vec<_> = [libc::STDOUT_FILENO, libc::STDERR_FILENO]
        .into_iter()
        .chain(devices.descriptors())
        .chain(own.descriptors.iter().copied())
        .filter_map(|fd| u32::try_from(fd).ok())
        .collect();
    kept.sort_unstable();
    let mut first = 0;
    for fd in kept {
        if first < fd {
            lacking.note("descriptors closed", close_range(first, fd - 1));
        }
        first = fd + 1;
    }
    lacking.note("descriptors closed", close_range(first, u32::MAX));
}

fn close_range(first: u32, last: u32) -> io::Result<()> {
    // SAFETY: the call takes no pointer. None of these descriptors is used again: `Own` and the devices name all that are.
    done(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) })
}

fn change_root(path: &Path) -> Result<(), ConfineError> {
    let name = CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other);
    let changed = name.and_then(|name| {
        // SAFETY: both are C strings.
        done(unsafe { libc::chroot(name.as_ptr()) }.into())?;
        // SAFETY: as above.
        done(unsafe { libc::chdir(c"/".as_ptr()) }.into())
    });
    changed.map_err(|source| ConfineError::Chroot {
        path: path.to_owned(),
        source,
    })
}

/// Limits what the process could take of the host: no further descriptor, no file that grows, no core.
fn limit(options: &Options, devices: &Devices, own: &Own) -> Result<(), ConfineError> {
    set_limit(libc::RLIMIT_NOFILE, own.polled as u64)?;
    if !options.dumpable {
        set_limit(libc::RLIMIT_CORE, 0)?;
    }
    // A log that is a file grows, and the limit is one for all files.
    let files = [libc::STDOUT_FILENO, libc::STDERR_FILENO].map(is_regular);
    if files == [false, false] {
        let largest = devices.block.iter().map(|device| device.image.capacity());
        set_limit(libc::RLIMIT_FSIZE, largest.max().unwrap_or(0))?;
    }
    Ok(())
}

fn is_regular(fd: RawFd) -> bool {
    // SAFETY: `stat` is plain C data, for which all zeros is a valid value, and the call writes to it alone.
    unsafe {
        let mut stat: libc::stat = std::mem::zeroed();
        libc::fstat(fd, &raw mut stat) == 0 && stat.st_mode & libc::S_IFMT == libc::S_IFREG
    }
}

/// Lowers a limit for good, unless it is lower already.
fn set_limit(resource: libc::__rlimit_resource_t, value: u64) -> Result<(), ConfineError> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the structure is live, and the calls touch nothing else.
    let set = unsafe {
        done(libc::getrlimit(resource, &raw mut limit).into()).and_then(|()| {
            let value = value.min(limit.rlim_cur);
            limit.rlim_cur = value;
            limit.rlim_max = value;
            done(libc::setrlimit(resource, &raw const limit).into())
        })
    };
    set.map_err(give_up("resources"))
}

/// The result of a system call that gives 0 or -1.
fn done(result: libc::c_long) -> io::Result<()> {
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn give_up(what: &'static str) -> impl Fn(io::Error) -> ConfineError {
    move |source| ConfineError::GiveUp { what, source }
}

#[cfg(test)]
mod tests;
