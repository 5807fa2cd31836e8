//! What is done with names.

use core::ffi::{c_char, c_int, c_uint};
use core::ptr;

use libc::{
    AT_EACCESS, AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_FOLLOW, EINVAL, ENOMEM, ERANGE,
    RENAME_NOREPLACE, mode_t, size_t, ssize_t,
};

use super::{at, mask, path};
use crate::error::{Result, fail};
use crate::ffi::{bytes_mut, nothing, octets, pointer};
use crate::files::node::Content;
use crate::files::tree;

#[unsafe(no_mangle)]
unsafe extern "C" fn mkdirat(fd: c_int, name: *const c_char, permissions: mode_t) -> c_int {
    // SAFETY: the caller gives a string, or null.
    let name = unsafe { path(name) };
    nothing(|| {
        let name = name?;
        at(fd, name, |base| {
            tree::with(|tree| tree.make_directory((base, name), permissions & !mask()))
        })
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn mkdir(name: *const c_char, permissions: mode_t) -> c_int {
    // SAFETY: the caller's promise is the same.
    unsafe { mkdirat(AT_FDCWD, name, permissions) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn unlinkat(fd: c_int, name: *const c_char, flags: c_int) -> c_int {
    // SAFETY: the caller gives a string, or null.
    let name = unsafe { path(name) };
    nothing(|| {
        let name = name?;
        at(fd, name, |base| {
            tree::with(|tree| match flags & AT_REMOVEDIR {
                0 => tree.remove_file((base, name)),
                _ => tree.remove_directory((base, name)),
            })
        })
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn unlink(name: *const c_char) -> c_int {
    // SAFETY: the caller's promise is the same.
    unsafe { unlinkat(AT_FDCWD, name, 0) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn rmdir(name: *const c_char) -> c_int {
    // SAFETY: the caller's promise is the same.
    unsafe { unlinkat(AT_FDCWD, name, AT_REMOVEDIR) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn renameat2(
    from: c_int,
    old: *const c_char,
    to: c_int,
    new: *const c_char,
    flags: c_uint,
) -> c_int {
    // SAFETY: the caller gives two strings, or null.
    let (old, new) = unsafe { (path(old), path(new)) };
    nothing(|| {
        let (old, new) = (old?, new?);
        if flags & !RENAME_NOREPLACE != 0 {
            return fail(EINVAL);
        }
        let keep = flags & RENAME_NOREPLACE != 0;
        at(from, old, |from| {
            at(to, new, |to| {
                tree::with(|tree| tree.rename((from, old), (to, new), keep))
            })
        })
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn renameat(
    from: c_int,
    old: *const c_char,
    to: c_int,
    new: *const c_char,
) -> c_int {
    // SAFETY: the caller's promise is the same.
    unsafe { renameat2(from, old, to, new, 0) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn rename(old: *const c_char, new: *const c_char) -> c_int {
    // SAFETY: the caller's promise is the same.
    unsafe { renameat2(AT_FDCWD, old, AT_FDCWD, new, 0) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn symlinkat(target: *const c_char, fd: c_int, name: *const c_char) -> c_int {
    // SAFETY: the caller gives two strings, or null.
    let (target, name) = unsafe { (path(target), path(name)) };
    nothing(|| {
        let (target, name) = (target?, name?);
        at(fd, name, |base| {
            tree::with(|tree| tree.make_link(target, (base, name)))
        })
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn symlink(target: *const c_char, name: *const c_char) -> c_int {
    // SAFETY: the caller's promise is the same.
    unsafe { symlinkat(target, AT_FDCWD, name) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn linkat(
    from: c_int,
    old: *const c_char,
    to: c_int,
    new: *const c_char,
    flags: c_int,
) -> c_int {
    // SAFETY: the caller gives two strings, or null.
    let (old, new) = unsafe { (path(old), path(new)) };
    nothing(|| {
        let (old, new) = (old?, new?);
        let follow = flags & AT_SYMLINK_FOLLOW != 0;
        at(from, old, |from| {
            at(to, new, |to| {
                tree::with(|tree| tree.add_name((from, old), (to, new), follow))
            })
        })
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn link(old: *const c_char, new: *const c_char) -> c_int {
    // SAFETY: the caller's promise is the same.
    unsafe { linkat(AT_FDCWD, old, AT_FDCWD, new, 0) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn readlinkat(
    fd: c_int,
    name: *const c_char,
    buffer: *mut c_char,
    size: size_t,
) -> ssize_t {
    // SAFETY: the caller gives a string or null, and `size` writable bytes.
    let (name, buffer) = unsafe { (path(name), bytes_mut(buffer.cast(), size)) };
    octets(|| {
        let name = name?;
        at(fd, name, |base| {
            let place = tree::with(|tree| tree.find(base, name, false))?;
            let Content::Link(target) = &place.existing()?.content else {
                return fail(EINVAL);
            };
            let size = target.len().min(buffer.len());
            buffer[..size].copy_from_slice(&target[..size]);
            Ok(size)
        })
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn readlink(name: *const c_char, buffer: *mut c_char, size: size_t) -> ssize_t {
    // SAFETY: the caller's promise is the same.
    unsafe { readlinkat(AT_FDCWD, name, buffer, size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn chdir(name: *const c_char) -> c_int {
    // SAFETY: the caller gives a string, or null.
    let name = unsafe { path(name) };
    nothing(|| {
        let name = name?;
        tree::with(|tree| tree.set_current(name))
    })
}

/// Whoever runs may do all that there is to be done.
#[unsafe(no_mangle)]
unsafe extern "C" fn faccessat(
    fd: c_int,
    name: *const c_char,
    _mode: c_int,
    flags: c_int,
) -> c_int {
    // SAFETY: the caller gives a string, or null.
    let name = unsafe { path(name) };
    nothing(|| {
        let name = name?;
        if flags & !(AT_EACCESS | libc::AT_SYMLINK_NOFOLLOW) != 0 {
            return fail(EINVAL);
        }
        let follow = flags & libc::AT_SYMLINK_NOFOLLOW == 0;
        at(fd, name, |base| {
            let place = tree::with(|tree| tree.find(base, name, follow))?;
            place.existing().map(drop)
        })
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn access(name: *const c_char, mode: c_int) -> c_int {
    // SAFETY: the caller's promise is the same.
    unsafe { faccessat(AT_FDCWD, name, mode, 0) }
}

/// Copies a path with a zero behind it into `room`, or into memory that the caller frees if that is null; where it is.
///
/// # Safety
///
/// `room` has `size` writable bytes, or is null.
unsafe fn give(text: &[u8], room: *mut c_char, size: usize) -> Result<*mut c_char> {
    let place = match room.is_null() {
        // SAFETY: any size may be asked for.
        true => unsafe { libc::malloc(text.len() + 1) }.cast(),
        false if size <= text.len() => return fail(ERANGE),
        false => room,
    };
    if place.is_null() {
        return fail(ENOMEM);
    }
    // SAFETY: there is room for the text and a zero.
    unsafe {
        ptr::copy_nonoverlapping(text.as_ptr().cast(), place, text.len());
        place.add(text.len()).write(0);
    }
    Ok(place)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn getcwd(room: *mut c_char, size: size_t) -> *mut c_char {
    pointer(|| {
        let path = tree::with(tree::Tree::current);
        // SAFETY: the caller gives `size` writable bytes, or null.
        unsafe { give(&path, room, size) }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn realpath(name: *const c_char, room: *mut c_char) -> *mut c_char {
    // SAFETY: the caller gives a string, or null.
    let name = unsafe { path(name) };
    pointer(|| {
        let name = name.or(fail(EINVAL))?;
        let place = tree::with(|tree| tree.find(None, name, true))?;
        place.existing()?;
        // SAFETY: the caller gives as many bytes as any path has (`PATH_MAX`), or null.
        unsafe { give(&place.path, room, libc::PATH_MAX as usize) }
    })
}
