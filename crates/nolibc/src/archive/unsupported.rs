//! What a unikernel has not, and std and crates link all the same: each function fails with
//! `ENOSYS`, so that `std::fs`, `std::net` and `std::process` give an `Err`.
//!
//! The functions are declared without their parameters, which on x86_64 the caller passes in
//! registers or removes from the stack itself.

use super::errno::fail;
use core::ffi::{c_int, c_void};
use core::ptr;
use libc::{EAI_SYSTEM, ENOSYS};

/// Gives -1 and sets `errno`; as wide as the widest result, because -1 is all ones.
extern "C" fn minus_one() -> isize {
    fail(ENOSYS) as isize
}

/// Gives a null pointer and sets `errno`.
extern "C" fn null() -> *mut c_void {
    fail(ENOSYS);
    ptr::null_mut()
}

/// Gives the error itself.
extern "C" fn error() -> c_int {
    ENOSYS
}

// Files.
weak! { minus_one =>
    open open64 openat openat64 lseek64 pread64 preadv pwrite64 pwritev ftruncate64 fsync fdatasync
    flock stat64 lstat64 fstat64 fstatat64 statx futimens utimensat utimes utime fchmod fchown fchownat
    copy_file_range sendfile64 splice dup dup2 dup3 pipe pipe2 closedir dirfd
    chdir chmod chown lchown chroot link linkat symlink readlink rename mkdir mkfifo rmdir unlink
    unlinkat access
    lseek pread pwrite ftruncate truncate truncate64 stat lstat fstat fstatat statfs fstatfs
    statfs64 fstatfs64 faccessat fchmodat mkdirat renameat renameat2 readlinkat symlinkat fallocate
    sendfile memfd_create
}
weak! { null => opendir fdopendir getcwd realpath fopen fopen64 fdopen }

// `readdir64` gives null without an error at the end of a directory.
weak! { null => readdir64 }

// Sockets.
weak! { minus_one =>
    socket socketpair accept accept4 bind listen connect shutdown getpeername getsockname getsockopt
    setsockopt send sendto sendmsg recv recvfrom recvmsg gethostname __res_init
}

weak! { getaddrinfo freeaddrinfo }

/// The error is in `errno`.
extern "C" fn getaddrinfo() -> c_int {
    fail(ENOSYS);
    EAI_SYSTEM
}

/// There is nothing to free.
extern "C" fn freeaddrinfo() {}

// Waiting for file descriptors.
weak! { minus_one =>
    epoll_create1 epoll_ctl epoll_wait epoll_pwait eventfd timerfd_create timerfd_settime
    inotify_init1 inotify_add_watch inotify_rm_watch
}

// Semaphores that have names.
weak! { minus_one => sem_close sem_unlink }
weak! { null => sem_open }

// Processes and signals.
weak! { minus_one =>
    fork execvp waitpid waitid kill pause pidfd_getpid setuid setgid setgroups setsid setpgid
    prctl
}
weak! { error =>
    posix_spawnp pidfd_spawnp posix_spawn_file_actions_init posix_spawn_file_actions_destroy
    posix_spawn_file_actions_adddup2 posix_spawn_file_actions_addchdir
    posix_spawn_file_actions_addchdir_np posix_spawnattr_init posix_spawnattr_destroy
    posix_spawnattr_setflags posix_spawnattr_setpgroup posix_spawnattr_setsigdefault
}

// Memory protection, and what is to stay in memory: a guest has no say in what its host does with it.
weak! { minus_one => mprotect madvise mlock munlock mlockall munlockall }
