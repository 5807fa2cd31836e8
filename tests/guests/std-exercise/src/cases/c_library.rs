//! What C code asks of the library, as far as no host can show it.

use std::ffi::{CStr, c_char, c_int, c_long, c_uint, c_void};
use std::io::{Error, ErrorKind};
use std::process::ExitCode;
use std::ptr;
use std::time::{Duration, SystemTime};

unsafe extern "C" {
    static stdin: *mut c_void;
    static stdout: *mut c_void;

    fn fprintf(stream: *mut c_void, format: *const c_char, ...) -> c_int;
    fn fputs(text: *const c_char, stream: *mut c_void) -> c_int;
    fn sem_init(semaphore: *mut [u64; 4], shared: c_int, value: c_uint) -> c_int;
    fn sem_timedwait(semaphore: *mut [u64; 4], deadline: *const [c_long; 2]) -> c_int;
    fn perror(before: *const c_char);
    fn dlopen(file: *const c_char, flags: c_int) -> *mut c_void;
    fn dlerror() -> *mut c_char;
    fn pipe(files: *mut c_int) -> c_int;
    fn pthread_atfork(
        prepare: Option<extern "C" fn()>,
        parent: Option<extern "C" fn()>,
        child: Option<extern "C" fn()>,
    ) -> c_int;
    fn clock_gettime(clock: c_int, time: *mut [c_long; 2]) -> c_int;
    fn getrusage(who: c_int, usage: *mut [c_long; 18]) -> c_int;
    fn sysinfo(info: *mut [c_long; 14]) -> c_int;
    fn mmap(
        hint: *mut c_void,
        size: usize,
        protection: c_int,
        flags: c_int,
        file: c_int,
        offset: c_long,
    ) -> *mut c_void;
    fn mremap(address: *mut c_void, size: usize, new_size: usize, flags: c_int) -> *mut c_void;
    fn munmap(address: *mut c_void, size: usize) -> c_int;
    fn __strcpy_chk(to: *mut c_char, from: *const c_char, room: usize) -> *mut c_char;
}

/// The text and the number are seen on the console.
pub(crate) fn streams() {
    // SAFETY: the streams are C's, and the arguments those of the format.
    unsafe {
        assert_eq!(fputs(c"to the ".as_ptr(), stdout), 0);
        let length = fprintf(stdout, c"%s: %.1f\n".as_ptr(), c"console".as_ptr(), 2.5_f64);
        assert_eq!(length, 13);
        assert_eq!(fputs(c"nowhere".as_ptr(), stdin), -1);
        perror(c"standard input".as_ptr());
    }
}

/// No library is found, and each error is told once.
pub(crate) fn loader() {
    // SAFETY: C strings, and an error that is one.
    unsafe {
        // std has looked for functions that are not there.
        dlerror();
        assert!(dlerror().is_null());
        assert!(dlopen(c"libm.so.6".as_ptr(), 1).is_null());
        let error = CStr::from_ptr(dlerror()).to_string_lossy();
        assert_eq!(error, "Solo5 has no dynamic loader and no files");
        assert!(dlerror().is_null());
    }
}

/// Nobody posts a semaphore that is waited for, so that its deadline comes.
pub(crate) fn semaphore_with_deadline() {
    let later = SystemTime::now() + Duration::from_millis(20);
    let since_epoch = later.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let deadline = [
        since_epoch.as_secs() as c_long,
        c_long::from(since_epoch.subsec_nanos()),
    ];
    let mut semaphore = [0; 4];
    // SAFETY: the array is as large as C's structure, and initialised first.
    unsafe {
        assert_eq!(sem_init(&mut semaphore, 0, 1), 0);
        assert_eq!(sem_timedwait(&mut semaphore, &deadline), 0);
        assert_eq!(sem_timedwait(&mut semaphore, &deadline), -1);
    }
    assert_eq!(Error::last_os_error().kind(), ErrorKind::TimedOut);
    assert!(SystemTime::now() >= later);
    // SAFETY: as above. One before 1970 has come long ago.
    assert_eq!(unsafe { sem_timedwait(&mut semaphore, &[-1, 0]) }, -1);
    assert_eq!(Error::last_os_error().kind(), ErrorKind::TimedOut);
}

/// The time it has run is all of the processor's, and its memory what the tender gave.
pub(crate) fn usage() {
    const MEGABYTE: c_long = 1 << 20;
    const CLOCK_MONOTONIC: c_int = 1;
    let (mut usage, mut info) = ([-1; 18], [-1; 14]);
    // SAFETY: the arrays are as large as C's structures, 144 and 112 bytes.
    unsafe {
        assert_eq!(getrusage(0, &mut usage), 0);
        assert_eq!(sysinfo(&mut info), 0);
        assert_eq!(getrusage(7, &mut usage), -1);
        assert_eq!(pthread_atfork(None, None, None), 0);
        assert_eq!(pipe([0, 0].as_mut_ptr()), -1);
    }
    assert_eq!(Error::last_os_error().kind(), ErrorKind::Unsupported);
    // The clock was going before. A pause between the two readings may be longer than it was, but not each time.
    let mut readings = (0..1000).map(|_| {
        let mut shown = [-1; 2];
        // SAFETY: the array is as large as C's structure.
        assert_eq!(unsafe { clock_gettime(CLOCK_MONOTONIC, &mut shown) }, 0);
        (
            shown[0] * 1_000_000_000 + shown[1],
            nolibc::processor_time() as c_long,
        )
    });
    assert!(readings.any(|(shown, run)| run > 0 && run < shown));
    let [seconds, microseconds, ..] = usage;
    assert!(seconds > 0 || microseconds > 0, "{usage:?}");
    // The structure's fifth and sixth words: all memory, and what is free.
    let (total, free) = (info[4], info[5]);
    assert!(
        total > MEGABYTE && (MEGABYTE..total).contains(&free),
        "{info:?}"
    );
}

/// A mapping keeps its contents when it grows, and its place when it shrinks.
pub(crate) fn remapping() {
    const READ_WRITE: c_int = 3;
    const PRIVATE_ANONYMOUS: c_int = 0x22;
    const MAY_MOVE: c_int = 1;
    let failed = ptr::without_provenance_mut::<c_void>(usize::MAX);
    // SAFETY: the mapping is used as far as it reaches at each time.
    unsafe {
        let first = mmap(ptr::null_mut(), 8_192, READ_WRITE, PRIVATE_ANONYMOUS, -1, 0);
        assert_ne!(first, failed);
        first.cast::<u8>().write_bytes(7, 8_192);
        assert_eq!(mremap(first, 8_192, 16_384, 0), failed, "it may not move");
        assert_eq!(
            mremap(first, 4_096, 16_384, MAY_MOVE),
            failed,
            "only a part"
        );
        let second = mremap(first, 8_192, 100_000, MAY_MOVE).cast::<u8>();
        assert_ne!(second.cast(), failed);
        let bytes = std::slice::from_raw_parts(second, 100_000);
        assert!(bytes[..8_192].iter().all(|&byte| byte == 7));
        assert!(bytes[8_192..].iter().all(|&byte| byte == 0));
        assert_eq!(mremap(second.cast(), 100_000, 5_000, 0), second.cast());
        assert_eq!(munmap(second.cast(), 100_000), -1, "it is smaller now");
        assert_eq!(munmap(second.cast(), 5_000), 0);
    }
}

/// As a C compiler with `_FORTIFY_SOURCE` calls it: what fits is copied, and the program ends at what does not.
pub(crate) fn fortified(_: &[String]) -> ExitCode {
    let mut room = [0_u8; 4];
    for text in [c"abc", c"abcd"] {
        // SAFETY: the function looks at the room first.
        unsafe { __strcpy_chk(room.as_mut_ptr().cast(), text.as_ptr(), room.len()) };
        println!("{room:?}");
    }
    ExitCode::SUCCESS
}
