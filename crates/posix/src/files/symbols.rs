//! The functions of C for files.

mod directories;
mod locks;
mod paths;
mod status;
mod volumes;

use core::cell::Cell;
use core::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::io::{IoSlice, IoSliceMut};
use std::rc::Rc;

use libc::{AT_FDCWD, EFAULT, EINVAL, ENOTDIR, O_CLOEXEC, iovec, mode_t, off64_t, size_t, ssize_t};

use super::tree;
use super::volume::give_way;
use crate::descriptors::open::Open;
use crate::descriptors::process;
use crate::error::{Errno, Result, fail};
use crate::ffi::{as_count, bytes, bytes_mut, gathered, nothing, number, octets, scattered};

/// The octets of a path.
///
/// # Safety
///
/// It is a string of C, or null.
///
/// # Errors
///
/// `EFAULT` if it is null, as on Linux.
unsafe fn path<'a>(path: *const c_char) -> Result<&'a [u8]> {
    if path.is_null() {
        return fail(EFAULT);
    }
    // SAFETY: the caller's promise is the same.
    Ok(unsafe { CStr::from_ptr(path) }.to_bytes())
}

/// Calls `work` with the path of the directory that `fd` stands for, which a relative path begins at; without one for the
/// current directory.
fn at<T>(fd: c_int, path: &[u8], work: impl FnOnce(Option<&[u8]>) -> Result<T>) -> Result<T> {
    let outcome = if fd == AT_FDCWD || path.starts_with(b"/") {
        work(None)
    } else {
        let open = process::open(fd)?;
        let file = open.description().as_file().or(fail(ENOTDIR))?;
        work(Some(file.path()))
    };
    give_way(&*tree::with(tree::Tree::volume));
    outcome
}

global! {
    /// The permissions that new files do not get.
    static MASK: Cell<mode_t> = Cell::new(0o022);
}

fn mask() -> mode_t {
    MASK.with(Cell::get)
}

#[unsafe(no_mangle)]
extern "C" fn umask(mask: mode_t) -> mode_t {
    MASK.with(|kept| kept.replace(mask & 0o777))
}

fn open_at(fd: c_int, path: &[u8], flags: c_int, permissions: mode_t) -> Result<c_int> {
    // Before a file is made, or made empty.
    process::with(|process| process.table.check())?;
    let opened = at(fd, path, |base| {
        tree::with(|tree| tree.open(base, path, flags, permissions & !mask()))
    })?;
    process::add(opened, flags & !O_CLOEXEC, flags & O_CLOEXEC != 0)
}

/// Declared with the argument that is there where a file may be made, which on x86_64 a caller of the variadic C function
/// passes in the same register.
#[unsafe(no_mangle)]
unsafe extern "C" fn openat64(
    fd: c_int,
    name: *const c_char,
    flags: c_int,
    permissions: mode_t,
) -> c_int {
    // SAFETY: the caller gives a string, or null.
    let name = unsafe { path(name) };
    number(|| open_at(fd, name?, flags, permissions))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn openat(fd: c_int, name: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller's promise is the same.
    unsafe { openat64(fd, name, flags, mode) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn open64(name: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller's promise is the same.
    unsafe { openat64(AT_FDCWD, name, flags, mode) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn open(name: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller's promise is the same.
    unsafe { openat64(AT_FDCWD, name, flags, mode) }
}

fn place(offset: off64_t) -> Result<u64> {
    u64::try_from(offset).or(fail(EINVAL))
}

fn read_at(fd: c_int, buffers: &mut [IoSliceMut<'_>], offset: off64_t) -> Result<usize> {
    let open = process::open(fd)?;
    open.check_readable()?;
    open.description()
        .as_file()?
        .read_at(place(offset)?, buffers)
}

fn write_at(fd: c_int, buffers: &[IoSlice<'_>], offset: off64_t) -> Result<usize> {
    let open = process::open(fd)?;
    open.check_writable()?;
    open.description()
        .as_file()?
        .write_at(place(offset)?, buffers)
}

/// A function of C, and its name for offsets of 64 bits, which all have.
macro_rules! also_64 {
    ($($name:ident $name_64:ident ($($argument:ident: $type:ty),*) -> $result:ty $body:block)+) => {
        $(
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $name_64($($argument: $type),*) -> $result $body

            #[unsafe(no_mangle)]
            unsafe extern "C" fn $name($($argument: $type),*) -> $result {
                // SAFETY: the caller's promise is the same.
                unsafe { $name_64($($argument),*) }
            }
        )+
    };
}
use also_64;

also_64! {
    pread pread64(fd: c_int, data: *mut c_void, size: size_t, offset: off64_t) -> ssize_t {
        // SAFETY: the caller gives `size` writable bytes.
        let buffer = unsafe { bytes_mut(data, size) };
        octets(|| read_at(fd, &mut [IoSliceMut::new(buffer)], offset))
    }
    pwrite pwrite64(fd: c_int, data: *const c_void, size: size_t, offset: off64_t) -> ssize_t {
        // SAFETY: the caller gives `size` readable bytes.
        let buffer = unsafe { bytes(data, size) };
        octets(|| write_at(fd, &[IoSlice::new(buffer)], offset))
    }
    preadv preadv64(fd: c_int, parts: *const iovec, count: c_int, offset: off64_t) -> ssize_t {
        octets(|| {
            // SAFETY: the caller gives `count` parts, each of writable bytes.
            let mut buffers = unsafe { scattered(parts, as_count(count)?)? };
            read_at(fd, &mut buffers, offset)
        })
    }
    pwritev pwritev64(fd: c_int, parts: *const iovec, count: c_int, offset: off64_t) -> ssize_t {
        octets(|| {
            // SAFETY: the caller gives `count` parts, each of readable bytes.
            let buffers = unsafe { gathered(parts, as_count(count)?)? };
            write_at(fd, &buffers, offset)
        })
    }
    lseek lseek64(fd: c_int, offset: off64_t, whence: c_int) -> off64_t {
        octets(|| {
            let position = process::open(fd)?.description().as_file()?.seek(offset, whence)?;
            Ok(position as usize)
        }) as off64_t
    }
    ftruncate ftruncate64(fd: c_int, len: off64_t) -> c_int {
        nothing(|| {
            let open = writable(fd)?;
            open.description().as_file().or(fail(EINVAL))?.set_len(place(len)?)
        })
    }
    truncate truncate64(name: *const c_char, len: off64_t) -> c_int {
        // SAFETY: the caller gives a string, or null.
        let name = unsafe { path(name) };
        nothing(|| {
            let opened = tree::with(|tree| tree.open(None, name?, libc::O_WRONLY, 0))?;
            super::File::set_len(&*opened, place(len)?)
        })
    }
    posix_fallocate posix_fallocate64(fd: c_int, offset: off64_t, len: off64_t) -> c_int {
        // Its result is the error itself.
        let outcome = crate::scheduler::inside(|| reserve(fd, offset, len));
        outcome.err().map_or(0, |error| error.0)
    }
    fallocate fallocate64(fd: c_int, mode: c_int, offset: off64_t, len: off64_t) -> c_int {
        nothing(|| match mode {
            0 => reserve(fd, offset, len),
            _ => fail(libc::EOPNOTSUPP),
        })
    }
}

fn writable(fd: c_int) -> Result<Rc<Open>> {
    let open = process::open(fd)?;
    open.check_writable().or(fail(EINVAL))?;
    Ok(open)
}

fn reserve(fd: c_int, offset: off64_t, len: off64_t) -> Result<()> {
    let start = place(offset)?;
    if len <= 0 {
        return fail(EINVAL);
    }
    let end = start.checked_add(place(len)?).ok_or(Errno(EINVAL))?;
    let open = process::open(fd)?;
    open.check_writable()?;
    open.description().as_file()?.reserve(start, end)
}

fn sync_one(fd: c_int, only_data: bool) -> c_int {
    nothing(|| {
        let open = process::open(fd)?;
        let file = open.description().as_file().or(fail(EINVAL))?;
        file.sync(only_data)
    })
}

#[unsafe(no_mangle)]
extern "C" fn fsync(fd: c_int) -> c_int {
    sync_one(fd, false)
}

#[unsafe(no_mangle)]
extern "C" fn fdatasync(fd: c_int) -> c_int {
    sync_one(fd, true)
}

#[unsafe(no_mangle)]
extern "C" fn syncfs(fd: c_int) -> c_int {
    sync_one(fd, false)
}

/// Tells nobody whether it could.
#[unsafe(no_mangle)]
extern "C" fn sync() {
    nothing(|| {
        super::start::sync();
        Ok(())
    });
}

/// Does more than Linux, which with this makes durable only what is in blocks that the file had.
#[unsafe(no_mangle)]
extern "C" fn sync_file_range(fd: c_int, _offset: off64_t, _len: off64_t, _flags: c_uint) -> c_int {
    sync_one(fd, true)
}
