//! The header files in `include`: each can be included alone, by each standard of C, and describes what `std` was compiled
//! for: sizes, places of fields and numbers are those of the `libc` crate.

use std::fmt::Write as _;
use std::io::Write as _;
use std::mem::offset_of;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const STANDARDS: [&str; 4] = ["-std=c99", "-std=gnu89", "-std=c11", "-std=gnu2x"];

fn include() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("include")
}

/// What is in a folder, as paths from `include`.
fn headers(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(headers(&path));
        } else {
            let name = path.strip_prefix(include()).unwrap().to_str().unwrap();
            found.push(name.to_owned());
        }
    }
    found
}

/// Compiles a text as `solo5-cc` would, and all of its warnings are errors; with what the compiler says.
fn compile(standard: &str, text: &str) -> Result<(), String> {
    let own = Command::new("cc").arg("-print-file-name=include").output();
    let own = String::from_utf8(own.unwrap().stdout).unwrap();
    let mut compiler = Command::new("cc")
        .args([standard, "-nostdinc", "-isystem", own.trim(), "-isystem"])
        .arg(include())
        .args(["-Wall", "-Wextra", "-Werror", "-Wsystem-headers"])
        .args(["-fsyntax-only", "-x", "c", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = compiler.stdin.take().unwrap();
    input.write_all(text.as_bytes()).unwrap();
    drop(input);
    let output = compiler.wait_with_output().unwrap();
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn each_header_is_complete() {
    let headers = headers(&include());
    assert!(headers.len() > 40, "{headers:?}");
    for header in headers {
        for standard in STANDARDS {
            let result = compile(standard, &format!("#include <{header}>\n"));
            assert_eq!(result, Ok(()), "{header} with {standard}");
        }
    }
}

#[test]
fn they_fit_each_other() {
    let mut text = String::new();
    for header in headers(&include()) {
        writeln!(text, "#include <{header}>").unwrap();
    }
    for standard in STANDARDS {
        assert_eq!(compile(standard, &text), Ok(()), "{standard}");
    }
}

/// Assertions of C that a type is as large as the `libc` crate's of that name, and that its fields lie where they do there.
macro_rules! layouts {
    ($($keyword:literal $name:ident { $($field:ident),* })*) => {
        [$(
            format!("sizeof({} {}) == {}", $keyword, stringify!($name), size_of::<libc::$name>()),
            $(format!(
                "__builtin_offsetof({} {}, {}) == {}",
                $keyword,
                stringify!($name),
                stringify!($field),
                offset_of!(libc::$name, $field),
            ),)*
        )*]
    };
}

/// Assertions of C that numbers are those of the `libc` crate.
macro_rules! numbers {
    ($($name:ident)*) => {
        [$(format!("(long)({}) == {}L", stringify!($name), libc::$name as i64)),*]
    };
}

fn hold(headers: &[&str], assertions: &[String]) {
    let mut text = String::new();
    for header in headers {
        writeln!(text, "#include <{header}>").unwrap();
    }
    for assertion in assertions {
        writeln!(text, "_Static_assert({assertion}, {assertion:?});").unwrap();
    }
    assert_eq!(compile("-std=c11", &text), Ok(()));
}

#[test]
fn a_wrong_layout_would_be_found() {
    let wrong = "#include <sys/stat.h>\n_Static_assert(sizeof(struct stat) == 143, \"\");";
    assert!(compile("-std=c11", wrong).is_err());
}

#[test]
fn structures_are_linuxs() {
    let assertions = layouts! {
        "" size_t {} "" ssize_t {} "" off_t {} "" time_t {} "" mode_t {} "" nlink_t {} "" ino_t {} "" dev_t {}
        "" pid_t {} "" uid_t {} "" clock_t {} "" socklen_t {} "" suseconds_t {} "" blkcnt_t {} "" clockid_t {}
        "" pthread_t {} "" pthread_key_t {} "" pthread_mutex_t {} "" pthread_cond_t {} "" pthread_rwlock_t {}
        "" pthread_attr_t {} "" pthread_mutexattr_t {} "" pthread_condattr_t {} "" pthread_rwlockattr_t {}
        "" pthread_barrier_t {} "" pthread_once_t {} "" sem_t {} "" cpu_set_t {} "" sigset_t {} "" siginfo_t {}
        "" fd_set {}
        "" stack_t { ss_sp, ss_flags, ss_size }
        "" Dl_info { dli_fname, dli_fbase, dli_sname, dli_saddr }
        "struct" timespec { tv_sec, tv_nsec }
        "struct" timeval { tv_sec, tv_usec }
        "struct" itimerval { it_interval, it_value }
        "struct" itimerspec { it_interval, it_value }
        "struct" tm { tm_sec, tm_min, tm_hour, tm_mday, tm_mon, tm_year, tm_wday, tm_yday, tm_isdst, tm_gmtoff, tm_zone }
        "struct" sigaction { sa_sigaction, sa_mask, sa_flags, sa_restorer }
        "struct" pollfd { fd, events, revents }
        "struct" iovec { iov_base, iov_len }
        "struct" flock { l_type, l_whence, l_start, l_len, l_pid }
        "struct" rlimit { rlim_cur, rlim_max }
        "struct" rusage { ru_utime, ru_stime, ru_maxrss, ru_majflt, ru_nivcsw }
        "struct" sysinfo { uptime, loads, totalram, freeram, totalswap, procs, totalhigh, mem_unit }
        "struct" utsname { sysname, nodename, release, version, machine, domainname }
        "struct" passwd { pw_name, pw_passwd, pw_uid, pw_gid, pw_gecos, pw_dir, pw_shell }
        "struct" dirent { d_ino, d_off, d_reclen, d_type, d_name }
        "struct" utimbuf { actime, modtime }
        "struct" termios { c_iflag, c_oflag, c_cflag, c_lflag, c_line, c_cc, c_ispeed, c_ospeed }
        "struct" sockaddr { sa_family, sa_data }
        "struct" sockaddr_storage { ss_family }
        "struct" sockaddr_in { sin_family, sin_port, sin_addr }
        "struct" sockaddr_in6 { sin6_family, sin6_port, sin6_flowinfo, sin6_addr, sin6_scope_id }
        "struct" sockaddr_un { sun_family, sun_path }
        "struct" linger { l_onoff, l_linger }
        "struct" msghdr { msg_name, msg_namelen, msg_iov, msg_iovlen, msg_control, msg_controllen, msg_flags }
        "struct" cmsghdr { cmsg_len, cmsg_level, cmsg_type }
        "struct" addrinfo { ai_flags, ai_family, ai_socktype, ai_protocol, ai_addrlen, ai_addr, ai_canonname, ai_next }
        "struct" hostent { h_name, h_aliases, h_addrtype, h_length, h_addr_list }
    };
    let headers = [
        "dirent.h",
        "dlfcn.h",
        "fcntl.h",
        "netdb.h",
        "poll.h",
        "pthread.h",
        "pwd.h",
        "semaphore.h",
        "signal.h",
        "sys/resource.h",
        "sys/select.h",
        "sys/sysinfo.h",
        "sys/time.h",
        "sys/un.h",
        "sys/utsname.h",
        "termios.h",
        "time.h",
        "utime.h",
    ];
    hold(&headers, &assertions);
    // The libc crate has the seconds and the nanoseconds of `struct stat` as fields of their own.
    let stat = layouts! {
        "struct" stat {
            st_dev, st_ino, st_nlink, st_mode, st_uid, st_gid, st_rdev, st_size, st_blksize, st_blocks, st_atime, st_mtime,
            st_ctime
        }
    };
    hold(&["sys/stat.h"], &stat);
}

#[test]
fn numbers_are_linuxs() {
    let assertions = numbers! {
        EPERM ENOENT EINTR EIO EBADF EAGAIN ENOMEM EACCES EFAULT EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE
        EMFILE ENOTTY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP
        EWOULDBLOCK EOVERFLOW EILSEQ ENOTSOCK EMSGSIZE EPROTONOSUPPORT EOPNOTSUPP ENOTSUP EAFNOSUPPORT EADDRINUSE
        EADDRNOTAVAIL ENETUNREACH ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ETIMEDOUT ECONNREFUSED EHOSTUNREACH
        EALREADY EINPROGRESS ESTALE EDQUOT ECANCELED EOWNERDEAD ENOTRECOVERABLE ERFKILL EHWPOISON
        CLOCK_REALTIME CLOCK_MONOTONIC CLOCK_PROCESS_CPUTIME_ID CLOCK_THREAD_CPUTIME_ID CLOCK_MONOTONIC_RAW
        CLOCK_REALTIME_COARSE CLOCK_MONOTONIC_COARSE CLOCK_BOOTTIME CLOCK_TAI TIMER_ABSTIME
        O_RDONLY O_WRONLY O_RDWR O_CREAT O_EXCL O_NOCTTY O_TRUNC O_APPEND O_NONBLOCK O_DSYNC O_DIRECT O_DIRECTORY O_NOFOLLOW
        O_NOATIME O_CLOEXEC O_SYNC O_PATH F_GETFD F_SETFD F_GETFL F_SETFL F_GETLK F_SETLK F_SETLKW F_DUPFD_CLOEXEC FD_CLOEXEC
        F_RDLCK F_WRLCK F_UNLCK AT_FDCWD AT_SYMLINK_NOFOLLOW AT_REMOVEDIR
        S_IFMT S_IFIFO S_IFCHR S_IFDIR S_IFBLK S_IFREG S_IFLNK S_IFSOCK S_IRWXU S_IRWXG S_IRWXO UTIME_NOW UTIME_OMIT
        _SC_CLK_TCK _SC_OPEN_MAX _SC_PAGESIZE _SC_IOV_MAX _SC_GETPW_R_SIZE_MAX _SC_NPROCESSORS_CONF _SC_NPROCESSORS_ONLN
        _SC_PHYS_PAGES _SC_AVPHYS_PAGES
        PROT_READ PROT_WRITE PROT_EXEC MAP_SHARED MAP_PRIVATE MAP_FIXED MAP_ANONYMOUS MAP_NORESERVE MAP_POPULATE MAP_STACK
        MAP_HUGETLB MREMAP_MAYMOVE MREMAP_FIXED MS_ASYNC MS_INVALIDATE MS_SYNC MADV_WILLNEED MADV_DONTNEED MADV_FREE
        MADV_DONTFORK MADV_HUGEPAGE MADV_NOHUGEPAGE MADV_DONTDUMP MADV_DODUMP MADV_WIPEONFORK MCL_CURRENT MCL_FUTURE
        SIGABRT SIGBUS SIGFPE SIGKILL SIGUSR1 SIGSEGV SIGUSR2 SIGPIPE SIGALRM SIGTERM SIGCHLD SIGSTOP SIGPROF SIGWINCH SIGSYS
        SA_NOCLDSTOP SI_USER SA_SIGINFO SA_ONSTACK SA_RESTART SA_NODEFER SIG_BLOCK SIG_UNBLOCK SIG_SETMASK SS_DISABLE
        PTHREAD_BARRIER_SERIAL_THREAD PTHREAD_MUTEX_NORMAL PTHREAD_MUTEX_RECURSIVE PTHREAD_MUTEX_ERRORCHECK PTHREAD_CREATE_DETACHED
        PTHREAD_PROCESS_SHARED RTLD_LAZY RTLD_NOW RTLD_GLOBAL POLLIN POLLPRI POLLOUT POLLERR POLLHUP POLLNVAL
        GRND_NONBLOCK GRND_RANDOM GRND_INSECURE AT_PAGESZ AT_HWCAP AT_SECURE AT_RANDOM AT_SYSINFO_EHDR
        FIONREAD FIONBIO TIOCGWINSZ SYS_getpid SYS_gettid SYS_futex SYS_getrandom SYS_membarrier SYS_mbind SYS_statx
        RUSAGE_CHILDREN RUSAGE_THREAD RLIMIT_STACK RLIMIT_NOFILE RLIMIT_AS PR_SET_NAME PR_SET_THP_DISABLE WNOHANG
        AF_UNIX AF_INET AF_INET6 SOCK_STREAM SOCK_DGRAM SOCK_NONBLOCK SOCK_CLOEXEC SOL_SOCKET SO_REUSEADDR SO_TYPE SO_ERROR
        SO_BROADCAST SO_SNDBUF SO_RCVBUF SO_KEEPALIVE SO_LINGER SO_RCVTIMEO SO_SNDTIMEO SOMAXCONN MSG_PEEK MSG_CTRUNC MSG_TRUNC
        MSG_OOB MSG_WAITALL MSG_DONTWAIT MSG_NOSIGNAL MSG_CMSG_CLOEXEC SCM_RIGHTS IPPROTO_TCP IPPROTO_UDP IPPROTO_IPV6 IPV6_V6ONLY
        TCP_NODELAY AI_PASSIVE AI_CANONNAME AI_NUMERICHOST
        EAI_NONAME EAI_AGAIN EAI_FAIL EAI_SYSTEM LC_CTYPE LC_NUMERIC LC_ALL DT_DIR DT_REG DT_LNK EXIT_FAILURE SEEK_END BUFSIZ
        FILENAME_MAX PATH_MAX
    };
    let headers = [
        "dirent.h",
        "dlfcn.h",
        "errno.h",
        "fcntl.h",
        "limits.h",
        "locale.h",
        "netdb.h",
        "netinet/tcp.h",
        "poll.h",
        "pthread.h",
        "signal.h",
        "stdio.h",
        "stdlib.h",
        "sys/auxv.h",
        "sys/ioctl.h",
        "sys/mman.h",
        "sys/prctl.h",
        "sys/random.h",
        "sys/resource.h",
        "sys/socket.h",
        "sys/stat.h",
        "sys/syscall.h",
        "sys/wait.h",
        "time.h",
        "unistd.h",
    ];
    hold(&headers, &assertions);
}
