//! What Solo5 lacks, for each C symbol that the linker missed.

use std::collections::BTreeMap;

/// A line for each undefined C symbol in a linker's messages, rust-lld's or GNU ld's, as rustc hands them on.
pub(super) fn explain(messages: &str) -> String {
    let mut notes = String::new();
    for (symbol, wanted_by) in wanted(messages) {
        let by = wanted_by.map_or_else(String::new, |name| {
            format!(", which the crate `{name}` wants")
        });
        notes += &format!("note: Solo5 lacks `{symbol}`{by}: {}\n", reason(symbol));
    }
    notes
}

/// The symbols, each with the crate that refers to it if a line tells. rust-lld names the archive behind the symbol, GNU ld
/// before it.
fn wanted(messages: &str) -> BTreeMap<&str, Option<&str>> {
    let mut found: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    let mut symbol = None;
    let mut by = None;
    // In Cargo's JSON a line's end is written out.
    let lines = messages
        .split("\\n")
        .flat_map(|part| part.split("\"message\":\""))
        .flat_map(str::lines);
    for line in lines {
        let of_lld = line.contains("undefined symbol");
        let function = line.contains(": in function ");
        if function || line.contains(">>>") || line.contains(": undefined reference") {
            match archive(line) {
                Some(name) => by = Some(name),
                None if function => by = None,
                None => {}
            }
        }
        let named = ["undefined symbol: ", "undefined reference to `"]
            .iter()
            .find_map(|before| line.split_once(before));
        if let Some((_, rest)) = named {
            symbol = Some(identifier(rest)).filter(|name| !name.is_empty());
            if of_lld {
                by = None;
            }
        }
        if let Some(symbol) = symbol {
            let known = found.entry(symbol).or_default();
            *known = known.or(by);
        }
        if !of_lld && !line.contains(">>>") {
            symbol = None;
        }
    }
    found.retain(|symbol, _| !symbol.starts_with("_R") && !symbol.starts_with("_ZN"));
    found
}

fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

/// The crate of an archive named in the line, such as `libring-0123456789abcdef.rlib`.
fn archive(line: &str) -> Option<&str> {
    let (before, _) = line.split_once(".rlib")?;
    let (before, hash) = before.rsplit_once('-')?;
    let start = before.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let name = before[start.map_or(0, |start| start + 1)..].strip_prefix("lib")?;
    (!name.is_empty() && hash.bytes().all(|digit| digit.is_ascii_hexdigit())).then_some(name)
}

/// Why Solo5 has no such function: the first pattern that the name fits.
fn reason(symbol: &str) -> &'static str {
    REASONS
        .iter()
        .find(|(patterns, _)| patterns.split(' ').any(|pattern| fits(symbol, pattern)))
        .map_or(
            "it is neither in nolibc nor in what else the program links",
            |(_, reason)| reason,
        )
}

/// A `*` at the pattern's beginning or end stands for any text.
fn fits(symbol: &str, pattern: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(end), _) => symbol.ends_with(end),
        (None, Some(start)) => symbol.starts_with(start),
        (None, None) => symbol == pattern,
    }
}

const REASONS: &[(&str, &str)] = &[
    ("main", "the program has no main function"),
    (
        "vfork execl execle execlp execv execve execvpe fexecve posix_spawn posix_spawn_* wait wait3 wait4 popen pclose system \
         daemon",
        "Solo5 has no processes",
    ),
    (
        "pthread_* sem_* thrd_* mtx_* cnd_* call_once",
        "Solo5 has one processor and no threads; mkernel's feature `posix` has cooperative ones",
    ),
    (
        "dlmopen dladdr1 dlinfo dlvsym",
        "Solo5 has no dynamic loader",
    ),
    (
        "sendmmsg recvmmsg sockatmark getnameinfo gethostby* getservby* getprotoby* getifaddrs freeifaddrs if_nametoindex \
         if_indextoname if_nameindex if_freenameindex res_*",
        "Solo5 has no sockets; TCP, UDP and name resolution are in netstack",
    ),
    (
        "inet_* ntohs ntohl htons htonl",
        "nolibc does not supply it; std::net parses and prints addresses, u16::to_be turns bytes round",
    ),
    (
        "epoll_* select pselect ppoll eventfd_* timerfd_* signalfd inotify_* io_uring_*",
        "Solo5 has no file descriptors to wait for; waiting is in miou-rs, and mkernel's feature `posix` has select, poll and epoll",
    ),
    (
        "sigaltstack sigsuspend sigwait* sigtimedwait sigqueue sigpending sigismember sigdelset siginterrupt sigsetjmp siglongjmp \
         __sigsetjmp psignal strsignal raise killpg alarm ualarm setitimer getitimer timer_*",
        "Solo5 has no signals; mkernel's feature `posix` has those that a program sends to itself",
    ),
    (
        "shm_open shm_unlink shmget shmat shmdt shmctl mlock2 mincore msync remap_file_pages",
        "Solo5 has no virtual memory to arrange",
    ),
    (
        "*printf *printf_chk *scanf",
        "of its kind nolibc supplies snprintf, fprintf, printf and sscanf, and those with a va_list",
    ),
    (
        "freopen* fmemopen open_memstream fclose fseek* ftell* rewind setvbuf setbuf ungetc fgetc getc getchar getline getdelim \
         tmpfile* feof ferror clearerr fileno_unlocked",
        "Solo5 has no files; the C streams are the console, and only written",
    ),
    (
        "creat* mkstemp* mkdtemp mknod* opendir readdir readdir_r scandir* seekdir telldir rewinddir nftw* ftw* glob* fchdir lutimes \
         futimes statvfs* fstatvfs* mount umount* getxattr setxattr umask",
        "Solo5 has no file system; block devices are in blockdev",
    ),
    (
        "strtod strtof strtold atof",
        "nolibc reads whole numbers only; str::parse reads the others",
    ),
    (
        "setjmp _setjmp longjmp _longjmp",
        "nolibc does not jump out of functions",
    ),
];
