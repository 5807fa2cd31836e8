//! What a confined process can still do, without the filter that a guest has in front of it: as root, as an ordinary user,
//! and with each option. What one of them is allowed by the host another may not be: each runs in a process of its own.

use std::ffi::CStr;
use std::fs::File;
use std::io::Write as _;
use std::net::{TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::{env, io, ptr};

use solo5_abi::manifest::{Entry, Header, Manifest};

use super::*;
use crate::options;
use crate::process::ignore_signals_of_writes;

/// Tells the test that it is the process to be confined, and how.
const ROLE: &str = "TENDER_CONFINED_AS";
/// The user and the group of nobody.
const NOBODY: u32 = 65534;

/// Runs `test`, the one that calls this, in a process of its own with this role, and so that it shows what it prints.
#[track_caller]
fn apart(test: &str, role: &str) {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", &format!("confine::tests::{test}")])
        .arg("--nocapture")
        .env(ROLE, role)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{role}: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Runs `test` in a copy of this process that has but one thread, as it takes to make a user namespace.
#[track_caller]
fn alone(test: impl FnOnce()) {
    // SAFETY: the other thread, which waits for this one, holds no lock that the copy could want.
    match unsafe { libc::fork() } {
        0 => {
            let ended = catch_unwind(AssertUnwindSafe(test));
            // SAFETY: the call has no precondition.
            unsafe { libc::_exit(ended.is_err().into()) }
        }
        child => {
            let mut status = -1;
            // SAFETY: the call writes to `status` alone.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            assert_eq!(status, 0);
        }
    }
}

fn role() -> Option<String> {
    env::var(ROLE).ok()
}

fn options(line: &[&str]) -> Options {
    let words = line.iter().chain(&["kernel"]).map(Into::into);
    match options::parse(words) {
        Ok(options::Command::Run(options)) => options,
        other => panic!("{line:?}: {other:?}"),
    }
}

fn no_devices(options: &Options) -> Devices {
    let entry = Entry::RESERVED_FIRST.to_bytes();
    let manifest = [&Header::new(1).to_bytes()[..], &entry].concat();
    Devices::attach(&Manifest::parse(&manifest).unwrap(), options).unwrap()
}

/// Whether there are other users than root: not where an ordinary user has made itself root for the tests.
fn has_nobody() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap();
    let mut counts = map
        .lines()
        .filter_map(|line| line.split_whitespace().last());
    counts.any(|count| count.parse().is_ok_and(|count: u32| count > NOBODY))
}

/// Confines this process, which keeps `descriptors` and may open 64.
fn confined(line: &[&str], descriptors: Vec<RawFd>) {
    let options = options(line);
    ignore_signals_of_writes();
    let own = Own {
        descriptors,
        polled: 64,
    };
    confine(Tender::Spt, &options, &no_devices(&options), &own).unwrap();
}

fn become_nobody() {
    // SAFETY: the calls take no pointer but one that is null, for no groups.
    unsafe {
        assert_eq!(libc::setgroups(0, ptr::null()), 0);
        assert_eq!(libc::setresgid(NOBODY, NOBODY, NOBODY), 0);
        assert_eq!(libc::setresuid(NOBODY, NOBODY, NOBODY), 0);
    }
}

#[track_caller]
fn fails_with(expected: &[i32], result: impl Into<i64>) {
    let (result, error) = (result.into(), io::Error::last_os_error());
    let errno = error.raw_os_error().unwrap();
    assert!(
        result == -1 && expected.contains(&errno),
        "{result}, {error}: expected one of {expected:?}"
    );
}

/// A system call whose arguments are numbers and strings.
fn call(number: libc::c_long, arguments: [u64; 4]) -> i64 {
    let [a, b, c, d] = arguments;
    // SAFETY: what is called here reads strings and writes nothing.
    unsafe { libc::syscall(number, a, b, c, d) }
}

fn text(text: &'static CStr) -> u64 {
    text.as_ptr().expose_provenance() as u64
}

/// What no confined process can do, whoever started it.
fn try_everything() {
    use libc::{EACCES, EINVAL, ENETUNREACH, ENOENT, EPERM, EROFS};
    let read = libc::O_RDONLY as u64;
    let create = (libc::O_CREAT | libc::O_WRONLY) as u64;
    for path in [c"/etc/passwd", c"/proc/self/mem", c"/dev/null", c"/"] {
        let opened = call(libc::SYS_open, [text(path), read, 0, 0]);
        fails_with(&[ENOENT, EACCES], opened);
    }
    let made = call(libc::SYS_open, [text(c"/new"), create, 0o600, 0]);
    fails_with(&[EACCES, EROFS], made);
    let ran = call(libc::SYS_execve, [text(c"/bin/true"), 0, 0, 0]);
    fails_with(&[ENOENT, EACCES], ran);

    let error = TcpStream::connect("127.0.0.1:9").unwrap_err();
    assert!([EACCES, ENETUNREACH].contains(&error.raw_os_error().unwrap()));
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let error = socket.send_to(b"x", "127.0.0.1:9").unwrap_err();
    assert_eq!(error.raw_os_error(), Some(ENETUNREACH));

    // SAFETY: the call has no precondition.
    let parent = unsafe { libc::getppid() } as u64;
    for signal in [0, libc::SIGKILL as u64] {
        fails_with(&[EPERM], call(libc::SYS_kill, [parent, signal, 0, 0]));
    }
    let attach = libc::PTRACE_ATTACH.into();
    fails_with(&[EPERM], call(libc::SYS_ptrace, [attach, parent, 0, 0]));

    let undo = libc::PR_SET_NO_NEW_PRIVS as u64;
    fails_with(&[EINVAL], call(libc::SYS_prctl, [undo, 0, 0, 0]));
    let name = text(c"name");
    fails_with(&[EPERM], call(libc::SYS_sethostname, [name, 4, 0, 0]));
    let namespace = libc::CLONE_NEWNET as u64;
    fails_with(&[EPERM], call(libc::SYS_unshare, [namespace, 0, 0, 0]));
    fails_with(&[EPERM], call(libc::SYS_chroot, [text(c"/"), 0, 0, 0]));
    let more = libc::rlimit {
        rlim_cur: 65,
        rlim_max: 65,
    };
    // SAFETY: the structure is live.
    let raised = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const more) };
    fails_with(&[EPERM], i64::from(raised));
    // The three sets of this thread, and whether one has anything in it.
    let mut sets = [0_u32; 6];
    let header = [0x2008_0522_u32, 0];
    // SAFETY: both are live, and as long as this version of the call has them.
    unsafe { libc::syscall(libc::SYS_capget, &raw const header, &raw mut sets) };
    assert_eq!(sets, [0; 6]);
}

#[test]
fn nothing_is_in_reach_of_a_confined_process() {
    let Some(role) = role() else {
        let roles = ["root", "--chroot", "nobody", "--user"];
        for role in &roles[..if has_nobody() { 4 } else { 2 }] {
            apart("nothing_is_in_reach_of_a_confined_process", role);
        }
        return;
    };
    alone(|| be_confined(&role));
}

fn be_confined(role: &str) {
    match role {
        "nobody" => {
            become_nobody();
            confined(&[], Vec::new());
        }
        "--user" => confined(&["--user=65534:65533"], Vec::new()),
        "--chroot" => confined(&["--chroot=/sys"], Vec::new()),
        _ => confined(&[], Vec::new()),
    }
    // SAFETY: the calls have no precondition.
    let (uid, gid) = unsafe { (libc::getuid(), libc::getgid()) };
    match role {
        "--user" => assert_eq!((uid, gid), (65534, 65533)),
        "nobody" => assert_eq!(uid, NOBODY),
        _ => {}
    }
    // SAFETY: with a count of zero nothing is written.
    assert_eq!(unsafe { libc::getgroups(0, ptr::null_mut()) }, 0);
    try_everything();
}

#[test]
fn descriptors_that_are_not_the_processs_own_are_closed() {
    if role().is_none() {
        return apart(
            "descriptors_that_are_not_the_processs_own_are_closed",
            "root",
        );
    }
    let open = || File::open("/dev/null").unwrap().into_raw_fd();
    let (first, own, last) = (open(), open(), open());
    confined(&[], vec![-1, own]);
    // SAFETY: F_GETFD touches no memory.
    let is_open = |fd| unsafe { libc::fcntl(fd, libc::F_GETFD) >= 0 };
    assert_eq!([0, 1, 2].map(is_open), [false, true, true]);
    assert_eq!([first, own, last].map(is_open), [false, true, false]);
}

#[test]
fn no_file_grows_beyond_the_largest_image() {
    if role().is_none() {
        return apart("no_file_grows_beyond_the_largest_image", "root");
    }
    let mut file = tempfile();
    confined(&[], vec![file.as_raw_fd()]);
    // No image here, and the test's output is a pipe.
    let error = file.write(b"x").unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EFBIG));
}

fn tempfile() -> File {
    let path = env::temp_dir().join(format!("confine-{}", std::process::id()));
    let file = File::create(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    file
}

#[test]
fn what_an_option_asks_for_must_be_had() {
    let Some(role) = role() else {
        for role in ["--user=1:1", "--chroot=/no/such/directory"] {
            apart("what_an_option_asks_for_must_be_had", role);
        }
        return;
    };
    let options = options(&[&role]);
    if has_nobody() {
        become_nobody();
    }
    let own = Own {
        descriptors: Vec::new(),
        polled: 0,
    };
    let error = confine(Tender::Spt, &options, &no_devices(&options), &own).unwrap_err();
    let (option, _) = role.split_once('=').unwrap();
    assert!(
        error.to_string().contains(&format!("(see {option}; ")),
        "{error}"
    );
}
