//! What a program may ask about the system and about itself.

use super::errno::fail;
use super::heap;
use super::system_call::PROCESS;
use super::time::since_start;
use core::ffi::{CStr, c_char, c_int, c_long, c_ulong};
use core::ptr;
use libc::{
    _SC_AVPHYS_PAGES, _SC_CLK_TCK, _SC_NPROCESSORS_CONF, _SC_NPROCESSORS_ONLN, _SC_PAGESIZE,
    _SC_PHYS_PAGES, AT_PAGESZ, EINVAL, ENOENT, RUSAGE_CHILDREN, RUSAGE_SELF, RUSAGE_THREAD, gid_t,
    passwd, pid_t, rusage, size_t, uid_t,
};

weak! { gettid gai_strerror }

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

/// All memory is the heap's; what is free is its largest block, nearly.
#[unsafe(no_mangle)]
unsafe extern "C" fn sysinfo(info: *mut libc::sysinfo) -> c_int {
    // SAFETY: the caller gives a place. All zeros is a valid value.
    unsafe {
        info.write_bytes(0, 1);
        (*info).uptime = since_start().tv_sec;
        (*info).totalram = heap::size() as c_ulong;
        (*info).freeram = heap::largest_free() as c_ulong;
        (*info).procs = 1;
        (*info).mem_unit = 1;
    }
    0
}

/// A unikernel never waits for a processor and has all of its memory from the start; there are no children. What is not
/// counted is zero.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrusage(who: c_int, usage: *mut rusage) -> c_int {
    if !matches!(who, RUSAGE_SELF | RUSAGE_THREAD | RUSAGE_CHILDREN) {
        return fail(EINVAL);
    }
    // SAFETY: the caller gives a place. All zeros is a valid value.
    unsafe {
        usage.write_bytes(0, 1);
        if who != RUSAGE_CHILDREN {
            let time = since_start();
            (*usage).ru_utime.tv_sec = time.tv_sec;
            (*usage).ru_utime.tv_usec = time.tv_nsec / 1000;
            (*usage).ru_maxrss = (heap::size() / 1024) as c_long;
        }
    }
    0
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

static VERSION: &CStr = c"2.36";

/// std compares it with the versions of glibc whose defects it works round.
#[unsafe(no_mangle)]
extern "C" fn gnu_get_libc_version() -> *const c_char {
    VERSION.as_ptr()
}

extern "C" fn gai_strerror(_error: c_int) -> *const c_char {
    c"Solo5 has no name resolution".as_ptr()
}
