//! What a program may ask about the system and about itself.

use super::errno::fail;
use super::heap;
use super::random;
use super::system_call::PROCESS;
use core::ffi::{CStr, c_char, c_int, c_long, c_ulong, c_void};
use core::ptr;
use libc::{
    _SC_AVPHYS_PAGES, _SC_CLK_TCK, _SC_NPROCESSORS_CONF, _SC_NPROCESSORS_ONLN, _SC_PAGESIZE,
    _SC_PHYS_PAGES, AT_PAGESZ, EINVAL, ENOENT, gid_t, passwd, pid_t, size_t, uid_t,
};

const PAGE: u16 = 4096;

#[unsafe(no_mangle)]
extern "C" fn sysconf(name: c_int) -> c_long {
    match name {
        _SC_PAGESIZE => PAGE.into(),
        _SC_NPROCESSORS_CONF | _SC_NPROCESSORS_ONLN => 1,
        _SC_PHYS_PAGES => (heap::size() / usize::from(PAGE)) as c_long,
        _SC_AVPHYS_PAGES => (heap::largest_free() / usize::from(PAGE)) as c_long,
        _SC_CLK_TCK => 100,
        _ => fail(EINVAL).into(),
    }
}

#[unsafe(no_mangle)]
extern "C" fn getpagesize() -> c_int {
    PAGE.into()
}

#[unsafe(no_mangle)]
extern "C" fn getauxval(kind: c_ulong) -> c_ulong {
    if kind == AT_PAGESZ {
        return PAGE.into();
    }
    fail(ENOENT);
    0
}

#[unsafe(no_mangle)]
extern "C" fn getpid() -> pid_t {
    PROCESS
}

#[unsafe(no_mangle)]
extern "C" fn gettid() -> pid_t {
    PROCESS
}

#[unsafe(no_mangle)]
extern "C" fn getppid() -> pid_t {
    0
}

#[unsafe(no_mangle)]
extern "C" fn getuid() -> uid_t {
    0
}

#[unsafe(no_mangle)]
extern "C" fn geteuid() -> uid_t {
    0
}

#[unsafe(no_mangle)]
extern "C" fn getgid() -> gid_t {
    0
}

#[unsafe(no_mangle)]
extern "C" fn getegid() -> gid_t {
    0
}

/// Success without an entry: there is no such user.
#[unsafe(no_mangle)]
unsafe extern "C" fn getpwuid_r(
    _user: uid_t,
    _entry: *mut passwd,
    _buffer: *mut c_char,
    _size: size_t,
    result: *mut *mut passwd,
) -> c_int {
    // SAFETY: the caller gives a place for the pointer.
    unsafe { result.write(ptr::null_mut()) };
    0
}

/// Crates ask for functions by name that an older C library may not have. Those in the list they get,
/// others are absent.
#[unsafe(no_mangle)]
unsafe extern "C" fn dlsym(_library: *mut c_void, name: *const c_char) -> *mut c_void {
    // SAFETY: the caller gives a C string.
    match unsafe { CStr::from_ptr(name) }.to_bytes() {
        b"getrandom" => random::getrandom as *const () as *mut c_void,
        b"gettid" => gettid as *const () as *mut c_void,
        _ => ptr::null_mut(),
    }
}

static VERSION: &CStr = c"2.36";

/// std compares it with the versions of glibc whose defects it works round.
#[unsafe(no_mangle)]
extern "C" fn gnu_get_libc_version() -> *const c_char {
    VERSION.as_ptr()
}

#[unsafe(no_mangle)]
extern "C" fn gai_strerror(_error: c_int) -> *const c_char {
    c"Solo5 has no name resolution".as_ptr()
}
