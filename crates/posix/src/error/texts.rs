//! The texts of errors, which Rust's `io::Error` prints: those of POSIX, as Linux' C library has them. (nolibc has those that it gives
//! itself.)

use core::ffi::{CStr, c_int};

/// What a unikernel has not, above all processes (`std::process::Command`): who reads this should know that it is in one.
const NOT_HERE: &CStr = c"Function not implemented: a unikernel is one program, without an operating system that could start others";

const TEXTS: &[(c_int, &CStr)] = &[
    (0, c"Success"),
    (libc::ENOSYS, NOT_HERE),
    (libc::E2BIG, c"Argument list too long"),
    (libc::EACCES, c"Permission denied"),
    (libc::EADDRINUSE, c"Address already in use"),
    (libc::EADDRNOTAVAIL, c"Cannot assign requested address"),
    (
        libc::EAFNOSUPPORT,
        c"Address family not supported by protocol",
    ),
    (libc::EAGAIN, c"Resource temporarily unavailable"),
    (libc::EALREADY, c"Operation already in progress"),
    (libc::EBADF, c"Bad file descriptor"),
    (libc::EBADMSG, c"Bad message"),
    (libc::EBUSY, c"Device or resource busy"),
    (libc::ECANCELED, c"Operation canceled"),
    (libc::ECHILD, c"No child processes"),
    (libc::ECONNABORTED, c"Software caused connection abort"),
    (libc::ECONNREFUSED, c"Connection refused"),
    (libc::ECONNRESET, c"Connection reset by peer"),
    (libc::EDEADLK, c"Resource deadlock avoided"),
    (libc::EDESTADDRREQ, c"Destination address required"),
    (libc::EDOM, c"Numerical argument out of domain"),
    (libc::EDQUOT, c"Disk quota exceeded"),
    (libc::EEXIST, c"File exists"),
    (libc::EFAULT, c"Bad address"),
    (libc::EFBIG, c"File too large"),
    (libc::EHOSTDOWN, c"Host is down"),
    (libc::EHOSTUNREACH, c"No route to host"),
    (libc::EIDRM, c"Identifier removed"),
    (
        libc::EILSEQ,
        c"Invalid or incomplete multibyte or wide character",
    ),
    (libc::EINPROGRESS, c"Operation now in progress"),
    (libc::EINTR, c"Interrupted system call"),
    (libc::EINVAL, c"Invalid argument"),
    (libc::EIO, c"Input/output error"),
    (libc::EISCONN, c"Transport endpoint is already connected"),
    (libc::EISDIR, c"Is a directory"),
    (libc::ELOOP, c"Too many levels of symbolic links"),
    (libc::EMFILE, c"Too many open files"),
    (libc::EMLINK, c"Too many links"),
    (libc::EMSGSIZE, c"Message too long"),
    (libc::ENAMETOOLONG, c"File name too long"),
    (libc::ENETDOWN, c"Network is down"),
    (libc::ENETRESET, c"Network dropped connection on reset"),
    (libc::ENETUNREACH, c"Network is unreachable"),
    (libc::ENFILE, c"Too many open files in system"),
    (libc::ENOBUFS, c"No buffer space available"),
    (libc::ENODEV, c"No such device"),
    (libc::ENOENT, c"No such file or directory"),
    (libc::ENOEXEC, c"Exec format error"),
    (libc::ENOLCK, c"No locks available"),
    (libc::ENOMEM, c"Cannot allocate memory"),
    (libc::ENOMSG, c"No message of desired type"),
    (libc::ENOPROTOOPT, c"Protocol not available"),
    (libc::ENOSPC, c"No space left on device"),
    (libc::ENOTCONN, c"Transport endpoint is not connected"),
    (libc::ENOTDIR, c"Not a directory"),
    (libc::ENOTEMPTY, c"Directory not empty"),
    (libc::ENOTRECOVERABLE, c"State not recoverable"),
    (libc::ENOTSOCK, c"Socket operation on non-socket"),
    (libc::ENOTTY, c"Inappropriate ioctl for device"),
    (libc::ENXIO, c"No such device or address"),
    (libc::EOPNOTSUPP, c"Operation not supported"),
    (libc::EOVERFLOW, c"Value too large for defined data type"),
    (libc::EOWNERDEAD, c"Owner died"),
    (libc::EPERM, c"Operation not permitted"),
    (libc::EPIPE, c"Broken pipe"),
    (libc::EPROTO, c"Protocol error"),
    (libc::EPROTONOSUPPORT, c"Protocol not supported"),
    (libc::EPROTOTYPE, c"Protocol wrong type for socket"),
    (libc::ERANGE, c"Numerical result out of range"),
    (libc::EROFS, c"Read-only file system"),
    (
        libc::ESHUTDOWN,
        c"Cannot send after transport endpoint shutdown",
    ),
    (libc::ESOCKTNOSUPPORT, c"Socket type not supported"),
    (libc::ESPIPE, c"Illegal seek"),
    (libc::ESRCH, c"No such process"),
    (libc::ESTALE, c"Stale file handle"),
    (libc::ETIME, c"Timer expired"),
    (libc::ETIMEDOUT, c"Connection timed out"),
    (libc::ETXTBSY, c"Text file busy"),
    (libc::EXDEV, c"Invalid cross-device link"),
];

/// The text of an error.
pub(crate) fn text(error: c_int) -> &'static CStr {
    let found = TEXTS.iter().find(|(known, _)| *known == error);
    found.map_or(c"Unknown error", |(_, text)| text)
}

#[cfg(solo5)]
mod symbols {
    use core::ffi::{c_char, c_int};

    use libc::{ERANGE, size_t};

    use super::text;
    use crate::ffi::bytes_mut;

    #[unsafe(no_mangle)]
    extern "C" fn strerror(error: c_int) -> *const c_char {
        text(error).as_ptr()
    }

    /// As much of the text as there is room for.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn __xpg_strerror_r(
        error: c_int,
        buffer: *mut c_char,
        size: size_t,
    ) -> c_int {
        let text = text(error).to_bytes();
        // SAFETY: the caller gives `size` writable bytes.
        let room = unsafe { bytes_mut(buffer.cast(), size) };
        let Some(most) = room.len().checked_sub(1) else {
            return ERANGE;
        };
        let length = text.len().min(most);
        room[..length].copy_from_slice(&text[..length]);
        room[length] = 0;
        if length == text.len() { 0 } else { ERANGE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each that is here is what the host's C library says.
    #[test]
    fn texts_are_those_of_linux() {
        let mut known = 0;
        for error in 0..200 {
            let ours = text(error).to_str().unwrap();
            // SAFETY: it gives a C string, which no other test changes.
            let theirs = unsafe { CStr::from_ptr(libc::strerror(error)) };
            let theirs = theirs.to_str().unwrap();
            if error == libc::ENOSYS {
                assert!(ours.starts_with(&format!("{theirs}: ")));
            } else if ours != "Unknown error" {
                assert_eq!(ours, theirs);
                known += 1;
            }
        }
        assert!(known > 70, "{known}");
    }
}
