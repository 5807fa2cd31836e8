//! Reading directories.

use core::ffi::{c_char, c_int};

use libc::{ENOTDIR, O_CLOEXEC, O_DIRECTORY, O_RDONLY, dirent64};

use super::{open_at, path};
use crate::descriptors::{calls, process};
use crate::error::{Result, fail};
use crate::ffi::{nothing, pointer};
use crate::files::directory::Directory;

fn made(fd: c_int) -> Result<*mut Directory> {
    let open = process::open(fd)?;
    let file = open.description().as_file().or(fail(ENOTDIR))?;
    if file.node().entries().is_none() {
        return fail(ENOTDIR);
    }
    Ok(Box::into_raw(Box::new(Directory::new(fd, file.node()))))
}

#[unsafe(no_mangle)]
extern "C" fn fdopendir(fd: c_int) -> *mut Directory {
    pointer(|| made(fd))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn opendir(name: *const c_char) -> *mut Directory {
    // SAFETY: the caller gives a string, or null.
    let name = unsafe { path(name) };
    pointer(|| {
        let flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
        made(open_at(libc::AT_FDCWD, name?, flags, 0)?)
    })
}

/// Null at the end, without an error.
#[unsafe(no_mangle)]
unsafe extern "C" fn readdir64(directory: *mut Directory) -> *mut dirent64 {
    // SAFETY: the caller gives what `opendir` has made and nobody has closed.
    unsafe { &*directory }.next()
}

#[unsafe(no_mangle)]
unsafe extern "C" fn readdir(directory: *mut Directory) -> *mut dirent64 {
    // SAFETY: the caller's promise is the same.
    unsafe { readdir64(directory) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn rewinddir(directory: *mut Directory) {
    // SAFETY: as of `readdir64`.
    unsafe { &*directory }.rewind();
}

#[unsafe(no_mangle)]
unsafe extern "C" fn dirfd(directory: *mut Directory) -> c_int {
    // SAFETY: as of `readdir64`.
    unsafe { &*directory }.fd
}

#[unsafe(no_mangle)]
unsafe extern "C" fn closedir(directory: *mut Directory) -> c_int {
    nothing(|| {
        // SAFETY: the caller gives what `opendir` has made, once.
        let directory = unsafe { Box::from_raw(directory) };
        calls::close(directory.fd)
    })
}
