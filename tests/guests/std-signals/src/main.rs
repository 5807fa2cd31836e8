//! Signals and ends of a program. The first argument names the case.

mod ends;

use std::ffi::c_int;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use libc::{SIG_DFL, SIG_ERR, SIG_IGN, SIGINT, SIGTERM, SIGUSR1, sighandler_t};
use mkernel as _;
use tokio::signal::unix::{SignalKind, signal};

const CASES: &[(&str, fn())] = &[
    ("terminate", terminate),
    ("ctrl_c", ctrl_c),
    ("flag", flag),
    ("pause", pause),
    ("poll", poll),
    ("masked", masked),
    ("sleep", sleep),
    ("sigwait", sigwait),
    ("sigsuspend", sigsuspend),
    ("signalfd", signalfd),
    ("default", default),
    ("itself", itself),
    ("unhandled", unhandled),
    ("at_exit", ends::at_exit),
    ("in_a_thread", ends::in_a_thread),
    ("aborts", ends::aborts),
    ("command", ends::command),
];

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    let Some((_, run)) = CASES.iter().find(|(case, _)| *case == name) else {
        eprintln!("no case {name:?}");
        return ExitCode::from(2);
    };
    run();
    println!("SUCCESS");
    ExitCode::SUCCESS
}

fn block_on(work: impl Future<Output = ()>) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap().block_on(work);
}

/// tokio's stream of SIGTERM, and one of SIGINT that stays silent.
fn terminate() {
    block_on(async {
        let mut terminate = signal(SignalKind::terminate()).unwrap();
        let mut interrupt = signal(SignalKind::interrupt()).unwrap();
        println!("waiting");
        tokio::select! {
            _ = terminate.recv() => println!("terminated"),
            _ = interrupt.recv() => println!("interrupted"),
        }
    });
}

/// What a server of axum's waits for.
fn ctrl_c() {
    block_on(async {
        let ticks = tokio::spawn(async {
            loop {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        let waiting = tokio::spawn(tokio::signal::ctrl_c());
        tokio::task::yield_now().await;
        println!("waiting");
        waiting.await.unwrap().unwrap();
        ticks.abort();
    });
}

static TOLD: AtomicBool = AtomicBool::new(false);
static COUNT: AtomicUsize = AtomicUsize::new(0);

extern "C" fn told(_signal: c_int) {
    TOLD.store(true, Ordering::Relaxed);
    COUNT.fetch_add(1, Ordering::Relaxed);
}

fn handle(number: c_int, handler: sighandler_t) -> sighandler_t {
    // SAFETY: the handler is one of the constants, or a function that sets a flag.
    let former = unsafe { libc::signal(number, handler) };
    assert_ne!(former, SIG_ERR);
    former
}

fn on_told(number: c_int) {
    let former = handle(number, told as *const () as sighandler_t);
    assert_eq!(former, SIG_DFL);
}

/// A flag that another thread looks at now and then.
fn flag() {
    on_told(SIGTERM);
    println!("waiting");
    while !TOLD.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(5));
    }
}

fn pause() {
    on_told(SIGINT);
    println!("waiting");
    // SAFETY: it takes nothing.
    assert_eq!(unsafe { libc::pause() }, -1);
    assert!(TOLD.load(Ordering::Relaxed));
}

/// `poll` without an end, in `main`, whose handler runs there.
fn poll() {
    on_told(SIGTERM);
    let _other = thread::spawn(|| thread::sleep(Duration::from_secs(3_600)));
    println!("waiting");
    // SAFETY: there are no descriptors.
    let ready = unsafe { libc::poll(std::ptr::null_mut(), 0, -1) };
    let error = std::io::Error::last_os_error();
    assert_eq!((ready, error.kind()), (-1, std::io::ErrorKind::Interrupted));
}

/// As servers have it: a signal that is blocked but while they wait.
fn masked() {
    on_told(SIGTERM);
    set_blocked(libc::SIG_BLOCK, SIGTERM);
    println!("waiting");
    // Long enough for the signal to come meanwhile, or not.
    thread::sleep(Duration::from_millis(5));
    assert!(!TOLD.load(Ordering::Relaxed));
    // SAFETY: zeros are an empty set; there are no descriptors, and there is no end.
    let ready = unsafe {
        let none = std::mem::zeroed();
        libc::ppoll(std::ptr::null_mut(), 0, std::ptr::null(), &raw const none)
    };
    let error = std::io::Error::last_os_error();
    assert_eq!((ready, error.kind()), (-1, std::io::ErrorKind::Interrupted));
    assert!(TOLD.load(Ordering::Relaxed));
}

/// The way of servers that have a thread for signals.
fn sigwait() {
    let set = set_blocked(libc::SIG_BLOCK, SIGTERM);
    let waiting = thread::spawn(move || {
        let mut signal = 0;
        println!("waiting");
        // SAFETY: the set and the place are live.
        assert_eq!(unsafe { libc::sigwait(&raw const set, &raw mut signal) }, 0);
        signal
    });
    assert_eq!(waiting.join().unwrap(), SIGTERM);
    let time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 1_000_000,
    };
    // SAFETY: zeros are a valid value; the set, the place and the time are live.
    unsafe {
        let mut told: libc::siginfo_t = std::mem::zeroed();
        let taken = libc::sigtimedwait(&raw const set, &raw mut told, &raw const time);
        let error = std::io::Error::last_os_error();
        assert_eq!((taken, error.raw_os_error()), (-1, Some(libc::EAGAIN)));
        assert_eq!(libc::raise(SIGTERM), 0);
        let taken = libc::sigwaitinfo(&raw const set, &raw mut told);
        assert_eq!((taken, told.si_signo), (SIGTERM, SIGTERM));
        assert_eq!(told.si_pid().cast_unsigned(), std::process::id());
    }
}

/// A signal that is blocked but in a pause.
fn sigsuspend() {
    on_told(SIGTERM);
    set_blocked(libc::SIG_BLOCK, SIGTERM);
    println!("waiting");
    // SAFETY: zeros are an empty set.
    let ended = unsafe {
        let none = std::mem::zeroed();
        libc::sigsuspend(&raw const none)
    };
    let error = std::io::Error::last_os_error();
    assert_eq!((ended, error.kind()), (-1, std::io::ErrorKind::Interrupted));
    assert!(TOLD.load(Ordering::Relaxed));
}

/// The way of loops that wait for descriptors.
fn signalfd() {
    let set = set_blocked(libc::SIG_BLOCK, SIGTERM);
    // SAFETY: the set is live; the descriptor is nobody else's.
    let mut file = unsafe {
        let fd = libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC);
        File::from(OwnedFd::from_raw_fd(fd))
    };
    let mut entry = libc::pollfd {
        fd: file.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    println!("waiting");
    // SAFETY: there is one entry.
    assert_eq!(unsafe { libc::poll(&raw mut entry, 1, -1) }, 1);
    let mut told = [0; 256];
    assert_eq!(file.read(&mut told).unwrap(), 128);
    assert_eq!(told[..4], SIGTERM.to_ne_bytes());
}

/// C's `sleep` ends with a handler.
fn sleep() {
    on_told(SIGTERM);
    println!("waiting");
    // SAFETY: it takes a number.
    let left = unsafe { libc::sleep(3_600) };
    assert!((1..3_600).contains(&left), "{left}");
    assert!(TOLD.load(Ordering::Relaxed));
}

/// Blocks a signal, or does no more; all in a set of that alone.
fn set_blocked(how: c_int, signal: c_int) -> libc::sigset_t {
    // SAFETY: zeros are a set, which is then filled in. No place for the former one is given.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        assert_eq!(libc::sigaddset(&raw mut set, signal), 0);
        let blocked = libc::pthread_sigmask(how, &raw const set, std::ptr::null_mut());
        assert_eq!(blocked, 0);
        set
    }
}

/// Where a handler was, and is no more, the signal ends the program.
fn default() {
    on_told(SIGTERM);
    handle(SIGTERM, SIG_DFL);
    println!("waiting");
    thread::sleep(Duration::from_secs(3_600));
}

/// Signals that the program sends to itself.
fn itself() {
    let count = || COUNT.load(Ordering::Relaxed);
    on_told(SIGUSR1);
    // SAFETY: they take numbers; the thread is the one that runs.
    unsafe {
        assert_eq!(libc::raise(SIGUSR1), 0);
        assert_eq!(libc::kill(libc::getpid(), SIGUSR1), 0);
        assert_eq!(libc::pthread_kill(libc::pthread_self(), SIGUSR1), 0);
        assert_eq!(libc::kill(4_711, SIGUSR1), -1);
    }
    assert_eq!(
        std::io::Error::last_os_error().raw_os_error(),
        Some(libc::ESRCH)
    );
    assert_eq!(count(), 3);
    let mut set = set_blocked(libc::SIG_BLOCK, SIGUSR1);
    // SAFETY: the set is live.
    unsafe {
        assert_eq!(libc::sigismember(&raw const set, SIGUSR1), 1);
        assert_eq!(libc::raise(SIGUSR1), 0);
        assert_eq!(count(), 3);
        libc::sigpending(&raw mut set);
        assert_eq!(libc::sigismember(&raw const set, SIGUSR1), 1);
    }
    set_blocked(libc::SIG_UNBLOCK, SIGUSR1);
    assert_eq!(count(), 4);
    handle(SIGUSR1, SIG_IGN);
    // SAFETY: it takes a number.
    unsafe { libc::raise(SIGUSR1) };
    assert_eq!(count(), 4);
}

fn unhandled() {
    // SAFETY: it takes a number.
    unsafe { libc::raise(SIGUSR1) };
}
