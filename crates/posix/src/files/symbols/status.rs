//! What is known of files, and what may be set of them.

use core::ffi::{c_char, c_int, c_uint};
use core::time::Duration;
use std::rc::Rc;

use libc::{
    AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, EINVAL, UTIME_NOW, UTIME_OMIT, gid_t, mode_t,
    stat64 as Stat, statx as Statx, timespec, uid_t,
};

use super::{also_64, at, path};
use crate::descriptors::process;
use crate::error::{Errno, Result, fail};
use crate::ffi::{nothing, place as given};
use crate::files::node::Node;
use crate::files::tree;
use crate::time::{duration, wall_clock};

/// Octets that a program should read at once.
const BLOCK: i64 = 4096;

/// What every call tells of something.
#[derive(Default)]
struct Status {
    volume: u64,
    number: u64,
    names: u32,
    mode: mode_t,
    len: u64,
    allocated: u64,
    modified: Duration,
    accessed: Duration,
}

impl Status {
    fn of(node: &Node) -> Self {
        Self {
            volume: node.volume.id(),
            number: node.number,
            names: node.names.get(),
            mode: node.mode(),
            len: node.len(),
            allocated: node.allocated(),
            modified: node.modified.get(),
            accessed: node.accessed.get(),
        }
    }

    fn of_descriptor(fd: c_int) -> Result<Self> {
        let open = process::open(fd)?;
        let description = open.description();
        Ok(match description.as_file() {
            Ok(file) => Self::of(file.node()),
            Err(_) => Self {
                number: open.id(),
                names: 1,
                mode: description.kind() | 0o600,
                ..Self::default()
            },
        })
    }

    fn at(fd: c_int, name: &[u8], flags: c_int) -> Result<Self> {
        if name.is_empty() && flags & AT_EMPTY_PATH != 0 {
            return Self::of_descriptor(fd);
        }
        let follow = flags & AT_SYMLINK_NOFOLLOW == 0;
        at(fd, name, |base| {
            let place = tree::with(|tree| tree.find(base, name, follow))?;
            Ok(Self::of(place.existing()?))
        })
    }

    /// # Safety
    ///
    /// There is a place for it.
    unsafe fn write(&self, place: *mut Stat) {
        // SAFETY: all zeros is a valid value.
        let mut stat: Stat = unsafe { core::mem::zeroed() };
        stat.st_dev = self.volume;
        stat.st_ino = self.number;
        stat.st_mode = self.mode;
        stat.st_nlink = self.names.into();
        stat.st_size = self.len.cast_signed();
        stat.st_blksize = BLOCK;
        stat.st_blocks = (self.allocated / 512).cast_signed();
        for (seconds, nanos, time) in [
            (&mut stat.st_atime, &mut stat.st_atime_nsec, self.accessed),
            (&mut stat.st_mtime, &mut stat.st_mtime_nsec, self.modified),
            (&mut stat.st_ctime, &mut stat.st_ctime_nsec, self.modified),
        ] {
            *seconds = time.as_secs().cast_signed();
            *nanos = time.subsec_nanos().into();
        }
        // SAFETY: the caller's promise is the same.
        unsafe { place.write(stat) };
    }

    /// # Safety
    ///
    /// There is a place for it.
    unsafe fn write_extended(&self, place: *mut Statx) {
        // SAFETY: all zeros is a valid value.
        let mut statx: Statx = unsafe { core::mem::zeroed() };
        // No time of birth, which nobody keeps.
        statx.stx_mask = libc::STATX_BASIC_STATS;
        statx.stx_dev_minor = self.volume as u32;
        statx.stx_ino = self.number;
        statx.stx_mode = self.mode as u16;
        statx.stx_nlink = self.names;
        statx.stx_size = self.len;
        statx.stx_blksize = BLOCK as u32;
        statx.stx_blocks = self.allocated / 512;
        for (place, time) in [
            (&mut statx.stx_atime, self.accessed),
            (&mut statx.stx_mtime, self.modified),
            (&mut statx.stx_ctime, self.modified),
        ] {
            place.tv_sec = time.as_secs().cast_signed();
            place.tv_nsec = time.subsec_nanos();
        }
        // SAFETY: the caller's promise is the same.
        unsafe { place.write(statx) };
    }
}

also_64! {
    fstatat fstatat64(fd: c_int, name: *const c_char, stat: *mut Stat, flags: c_int) -> c_int {
        // SAFETY: the caller gives a string, or null.
        let name = unsafe { path(name) };
        nothing(|| {
            let status = Status::at(fd, name?, flags)?;
            let stat = given(stat)?;
            // SAFETY: the caller gives a place, or null, which it is not.
            unsafe { status.write(stat) };
            Ok(())
        })
    }
    stat stat64(name: *const c_char, stat: *mut Stat) -> c_int {
        // SAFETY: the caller's promise is the same.
        unsafe { fstatat64(AT_FDCWD, name, stat, 0) }
    }
    lstat lstat64(name: *const c_char, stat: *mut Stat) -> c_int {
        // SAFETY: the caller's promise is the same.
        unsafe { fstatat64(AT_FDCWD, name, stat, AT_SYMLINK_NOFOLLOW) }
    }
    fstat fstat64(fd: c_int, stat: *mut Stat) -> c_int {
        nothing(|| {
            let status = Status::of_descriptor(fd)?;
            let stat = given(stat)?;
            // SAFETY: the caller gives a place, or null, which it is not.
            unsafe { status.write(stat) };
            Ok(())
        })
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn statx(
    fd: c_int,
    name: *const c_char,
    flags: c_int,
    _mask: c_uint,
    place: *mut Statx,
) -> c_int {
    nothing(|| {
        // std asks without any of them whether there is such a call.
        if name.is_null() || place.is_null() {
            return fail(libc::EFAULT);
        }
        // SAFETY: the caller gives a string, or null.
        let status = Status::at(fd, unsafe { path(name)? }, flags)?;
        // SAFETY: the caller gives a place.
        unsafe { status.write_extended(place) };
        Ok(())
    })
}

/// Does something with what is at a path, or without one with what a descriptor stands for.
fn with_node(
    fd: c_int,
    name: Option<&[u8]>,
    flags: c_int,
    work: impl FnOnce(&Rc<Node>) -> Result<()>,
) -> Result<()> {
    let Some(name) = name else {
        return work(
            process::open(fd)?
                .description()
                .as_file()
                .or(fail(EINVAL))?
                .node(),
        );
    };
    let follow = flags & AT_SYMLINK_NOFOLLOW == 0;
    at(fd, name, |base| {
        let place = tree::with(|tree| tree.find(base, name, follow))?;
        work(place.existing()?)
    })
}

/// A time that is to be set, if it is to be.
fn time(time: &timespec) -> Result<Option<Duration>> {
    match time.tv_nsec {
        UTIME_NOW => Ok(Some(wall_clock())),
        UTIME_OMIT => Ok(None),
        _ => duration(time).map(Some).ok_or(Errno(EINVAL)),
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn utimensat(
    fd: c_int,
    name: *const c_char,
    times: *const [timespec; 2],
    flags: c_int,
) -> c_int {
    // SAFETY: the caller gives a string, or null, and two times or null.
    let (name, times) = unsafe { (path(name).ok(), times.as_ref()) };
    nothing(|| {
        let [accessed, modified] = match times {
            None => [Some(wall_clock()); 2],
            Some([accessed, modified]) => [time(accessed)?, time(modified)?],
        };
        with_node(fd, name, flags, |node| {
            node.accessed.set(accessed.unwrap_or(node.accessed.get()));
            node.modified.set(modified.unwrap_or(node.modified.get()));
            node.volume.change(node);
            Ok(())
        })
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn futimens(fd: c_int, times: *const [timespec; 2]) -> c_int {
    // SAFETY: the caller's promise is the same.
    unsafe { utimensat(fd, core::ptr::null(), times, 0) }
}

fn set_permissions(
    fd: c_int,
    name: Option<&[u8]>,
    permissions: mode_t,
    flags: c_int,
) -> Result<()> {
    with_node(fd, name, flags, |node| {
        node.permissions.set(permissions & 0o7777);
        node.volume.change(node);
        Ok(())
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fchmodat(
    fd: c_int,
    name: *const c_char,
    permissions: mode_t,
    flags: c_int,
) -> c_int {
    // SAFETY: the caller gives a string, or null.
    let name = unsafe { path(name) };
    nothing(|| set_permissions(fd, Some(name?), permissions, flags))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn chmod(name: *const c_char, permissions: mode_t) -> c_int {
    // SAFETY: the caller's promise is the same.
    unsafe { fchmodat(AT_FDCWD, name, permissions, 0) }
}

#[unsafe(no_mangle)]
extern "C" fn fchmod(fd: c_int, permissions: mode_t) -> c_int {
    nothing(|| set_permissions(fd, None, permissions, 0))
}

/// There is one user, whose all files are.
#[unsafe(no_mangle)]
extern "C" fn fchown(fd: c_int, _user: uid_t, _group: gid_t) -> c_int {
    nothing(|| with_node(fd, None, 0, |_| Ok(())))
}
