//! SIGTERM and SIGINT, for guests that asked to be told, honest and hostile, and for those that did not.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{ChildStdout, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use solo5_abi::hvt::{Halt, PollSet, Puts};

use crate::support::{Code, DATA, Ended, Guest, Mortal, Reg, Scratch, Tender, hvt, one_machine};

const SIGILL: i32 = 4;
const SIGSEGV: i32 = 11;
const SIGSYS: i32 = 31;
/// What a tender that has ended a guest ends with.
const ENDED: Option<i32> = Some(62);
/// Where guests have events written to.
const EVENTS: u64 = DATA + 64;

fn says_there() -> Code {
    Code::new().syscall(1, &[1, DATA, 6])
}

/// `jmp $`
fn spins() -> Code {
    says_there().bytes(&[0xeb, 0xfe])
}

/// `epoll_pwait(epoll, EVENTS, 4, timeout, no mask)`
fn wait(code: Code, timeout: u64) -> Code {
    let code = code.load(0x1_1000 + 32).copy(Reg::Rdi, Reg::Rax);
    let code = code.set(Reg::Rsi, EVENTS).set(Reg::Rdx, 4);
    let code = code.set(Reg::R10, timeout).set(Reg::R8, 0).set(Reg::R9, 8);
    code.set(Reg::Rax, 281).bytes(&[0x0f, 0x05])
}

/// A guest that has said `there`.
struct Running {
    child: Mortal,
    stdout: BufReader<ChildStdout>,
    _scratch: Scratch,
}

impl Running {
    fn start(code: Code, options: &[&str]) -> Self {
        Self::start_with(code, options, Stdio::piped())
    }

    fn start_with(code: Code, options: &[&str], stderr: Stdio) -> Self {
        let guest = Guest::spt(code).data(&data()).asking_for_shutdown();
        Self::start_guest(&guest, options, stderr)
    }

    fn start_guest(guest: &Guest, options: &[&str], stderr: Stdio) -> Self {
        let scratch = Scratch::new();
        let mut command = Command::new(Tender::Spt.path());
        command.arg("--mem=2").args(options);
        command.arg(guest.write(&scratch));
        Self::spawn(command, stderr, scratch)
    }

    fn spawn(mut command: Command, stderr: Stdio, scratch: Scratch) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        // SAFETY: the function makes one system call, and takes no lock.
        unsafe {
            // A shell has it ignored in what it runs in the background.
            command.pre_exec(|| match libc::signal(libc::SIGINT, libc::SIG_DFL) {
                libc::SIG_ERR => Err(std::io::Error::last_os_error()),
                _ => Ok(()),
            });
        }
        let mut child = Mortal(command.stderr(stderr).spawn().unwrap());
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let running = Self {
            child,
            stdout,
            _scratch: scratch,
        };
        if line.is_empty() {
            panic!("the guest has said nothing: {:?}", running.wait());
        }
        assert_eq!(line, "there\n");
        running
    }

    fn signal(&self, signal: i32) {
        // SAFETY: the call takes no pointer; the child has not been waited for, so that the number is its own.
        assert_eq!(unsafe { libc::kill(self.child.id() as i32, signal) }, 0);
    }

    /// Sends a signal again and again, until the guest has ended: the first ones may count as one with what came before.
    fn signal_until_it_ends(&mut self, signal: i32) {
        for _ in 0..600 {
            if self.child.try_wait().unwrap().is_some() {
                return;
            }
            self.signal(signal);
            thread::sleep(Duration::from_millis(50));
        }
        panic!("the guest goes on");
    }

    fn wait(mut self) -> Ended {
        let mut output = Output {
            status: self.child.wait().unwrap(),
            stdout: Vec::new(),
            stderr: Vec::new(),
        };
        self.stdout.read_to_end(&mut output.stdout).unwrap();
        if let Some(pipe) = &mut self.child.stderr {
            pipe.read_to_end(&mut output.stderr).unwrap();
        }
        Ended::new(&output)
    }
}

impl Ended {
    #[track_caller]
    fn check(&self, code: Option<i32>, signal: Option<i32>, stderr: &str) {
        let seen = (self.code, self.signal, self.stderr.as_str());
        assert_eq!(seen, (code, signal, stderr), "{self:?}");
    }
}

/// The text, and where events go.
fn data() -> Vec<u8> {
    let mut data = b"there\n".to_vec();
    data.resize(256, 0x55);
    data
}

#[test]
fn a_guest_that_did_not_ask_is_ended_by_the_first_signal() {
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let guest = Guest::spt(spins()).data(&data());
        let running = Running::start_guest(&guest, &[], Stdio::piped());
        running.signal(signal);
        running.wait().check(None, Some(signal), "");
    }
}

#[test]
fn so_is_one_that_is_given_no_time() {
    let running = Running::start(spins(), &["--shutdown-timeout=0"]);
    running.signal(libc::SIGTERM);
    running.wait().check(None, Some(libc::SIGTERM), "");
}

#[test]
fn a_guest_is_told_under_the_index_of_the_first_entry_and_once() {
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let told = wait(says_there(), u64::MAX)
            .load(EVENTS + 4)
            .copy(Reg::Rdi, Reg::Rax);
        let running = Running::start(told.exit_rdi(), &[]);
        running.signal(signal);
        running.wait().check(Some(0), None, "");
    }
    // How many events there are at the second look, and 9 more.
    let twice = wait(wait(says_there(), u64::MAX), 0).copy(Reg::Rdi, Reg::Rax);
    let running = Running::start(twice.bytes(&[0x48, 0x83, 0xc7, 0x09]).exit_rdi(), &[]);
    running.signal(libc::SIGTERM);
    running.wait().check(Some(9), None, "");
}

#[test]
fn the_second_signal_ends_a_guest_that_does_not_care() {
    for (first, second) in [(libc::SIGTERM, libc::SIGINT), (libc::SIGINT, libc::SIGTERM)] {
        let mut running = Running::start(spins(), &["--shutdown-timeout=600"]);
        running.signal(first);
        running.signal_until_it_ends(second);
        let expected = "solo5-spt: ended the unikernel: there was a second signal\n";
        running.wait().check(ENDED, None, expected);
    }
}

#[test]
fn what_comes_at_once_is_no_second_signal() {
    // After it has been told, the guest takes 300 ms to end.
    let told = wait(wait(says_there(), u64::MAX), 300);
    let running = Running::start(told.exit(7), &[]);
    // While it is stopped, they gather.
    running.signal(libc::SIGSTOP);
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGTERM, libc::SIGINT] {
        running.signal(signal);
    }
    running.signal(libc::SIGCONT);
    running.wait().check(Some(7), None, "");

    // The time, then, is what ends one that does not care, after however many at once.
    let running = Running::start(spins(), &["--shutdown-timeout=1"]);
    running.signal(libc::SIGSTOP);
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGTERM, libc::SIGINT] {
        running.signal(signal);
    }
    running.signal(libc::SIGCONT);
    let ended = running.wait();
    assert_eq!(ended.code, ENDED, "{ended:?}");
    assert!(ended.stderr.contains("within 1 s"), "{ended:?}");
}

#[test]
fn so_does_the_time() {
    let running = Running::start(spins(), &["--shutdown-timeout=1"]);
    running.signal(libc::SIGTERM);
    // A stop is no end, and does not take the time away.
    running.signal(libc::SIGSTOP);
    running.signal(libc::SIGCONT);
    let expected = "solo5-spt: ended the unikernel: it has not ended within 1 s of being told to (see \
                    --shutdown-timeout)\n";
    running.wait().check(ENDED, None, expected);
}

#[test]
fn a_full_standard_error_keeps_nobody_waiting() {
    let (read, write) = std::io::pipe().unwrap();
    let mut file = File::from(OwnedFd::from(write));
    let set_flags = |file: &File, flags: i32| {
        // SAFETY: the call touches no memory.
        let set = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFL, flags) };
        assert_eq!(set, 0);
    };
    set_flags(&file, libc::O_NONBLOCK);
    while file.write(&[0; 4096]).is_ok() {}
    set_flags(&file, 0);
    let mut running = Running::start_with(spins(), &["--shutdown-timeout=600"], file.into());
    running.signal(libc::SIGTERM);
    running.signal_until_it_ends(libc::SIGINT);
    running.wait().check(ENDED, None, "");
    drop(read);
}

#[test]
fn a_socket_as_standard_error_is_told_why() {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let stderr = OwnedFd::from(theirs).into();
    let mut running = Running::start_with(spins(), &["--shutdown-timeout=600"], stderr);
    running.signal(libc::SIGTERM);
    running.signal_until_it_ends(libc::SIGINT);
    running.wait().check(ENDED, None, "");
    let mut text = String::new();
    ours.read_to_string(&mut text).unwrap();
    assert!(text.contains("there was a second signal"), "{text}");
}

#[test]
fn a_signal_that_is_ignored_stays_so() {
    let scratch = Scratch::new();
    let guest = Guest::spt(spins()).data(&data()).asking_for_shutdown();
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' INT; exec \"$@\"", "sh"]);
    command.arg(Tender::Spt.path()).arg("--mem=2");
    command.arg(guest.write(&scratch));
    let running = Running::spawn(command, Stdio::piped(), scratch);
    // Of the two, SIGTERM alone waits for the thread that takes it.
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.child.id())).unwrap();
    let blocked = status.lines().find(|line| line.starts_with("SigBlk:"));
    assert_eq!(blocked, Some("SigBlk:\t0000000000004000"), "{status}");
    running.signal(libc::SIGINT);
    running.signal(libc::SIGKILL);
    running.wait().check(None, Some(libc::SIGKILL), "");
}

/// What a guest might do to live on, each of which is its end.
#[test]
fn a_hostile_guest_cannot_touch_what_ends_it() {
    let dies_of = |code: Code, signal: i32, what: &str| {
        let running = Running::start(code, &[]);
        let ended = running.wait();
        assert_eq!(ended.signal, Some(signal), "{what}: {ended:?}");
    };
    let calls: &[(&str, u64, &[u64])] = &[
        ("rt_sigaction", 13, &[15, 0, 0, 8]),
        ("rt_sigprocmask", 14, &[0, DATA, 0, 8]),
        ("rt_sigreturn", 15, &[]),
        ("clone", 56, &[0x1_0900, 0, 0, 0, 0]),
        ("exit", 60, &[0]),
        ("kill", 62, &[0, 9]),
        ("munmap", 11, &[0x20_1000, 4096]),
        ("rt_sigtimedwait", 128, &[DATA, 0, 0, 8]),
        ("prctl", 157, &[1, 0]),
        ("tgkill", 234, &[0, 0, 9]),
        ("signalfd4", 289, &[u64::MAX, DATA, 8, 0]),
    ];
    for (what, number, arguments) in calls {
        dies_of(
            says_there().syscall(*number, arguments).exit(0),
            SIGSYS,
            what,
        );
    }
    // The count, whichever descriptor it is: reading it, adding to it, taking it out of the set or changing it there.
    for fd in 3..16 {
        for number in [0, 1] {
            let code = says_there().syscall(number, &[fd, DATA, 8]).exit(0);
            dies_of(code, SIGSYS, &format!("call {number} of {fd}"));
        }
        for operation in [2, 3] {
            let code = says_there().load(0x1_1000 + 32).copy(Reg::Rdi, Reg::Rax);
            let code = code.set(Reg::Rsi, operation).set(Reg::Rdx, fd);
            let code = code.set(Reg::R10, DATA).set(Reg::Rax, 233);
            let code = code.bytes(&[0x0f, 0x05]).exit(0);
            dies_of(code, SIGSYS, &format!("epoll_ctl {operation} of {fd}"));
        }
    }
    // Code and data of the thread, a page behind 2 MiB of memory.
    for address in (0x20_1000..0x20_1800).step_by(64) {
        dies_of(says_there().store(address, 0), SIGSEGV, "a store");
    }
    dies_of(
        says_there().bytes(&[0x0f, 0x0b]),
        SIGILL,
        "an invalid instruction",
    );
}

/// An hvt guest that prints `there`, then runs `code`.
fn start_hvt(code: Code, asks: bool, options: &[&str]) -> Running {
    let scratch = Scratch::new();
    let puts = Puts { data: DATA, len: 6 };
    let poll = PollSet {
        timeout_nsecs: u64::MAX,
        wanted_set: 1,
        ..Default::default()
    };
    let mut data = data();
    data[PUTS..][..Puts::SIZE].copy_from_slice(&puts.to_bytes());
    data[POLL..][..PollSet::SIZE].copy_from_slice(&poll.to_bytes());
    let deaf = PollSet {
        wanted_set: 0,
        ..poll
    };
    data[DEAF..][..PollSet::SIZE].copy_from_slice(&deaf.to_bytes());
    data[HALT..][..Halt::SIZE].copy_from_slice(&Halt::default().to_bytes());
    let code = Code::new()
        .out(0x502, DATA as u32 + PUTS as u32)
        .bytes(&code.0);
    let guest = Guest::hvt(code).data(&data);
    let guest = match asks {
        true => guest.asking_for_shutdown(),
        false => guest,
    };
    let kernel = guest.write(&scratch);
    let mut command = hvt(&kernel, [&["--mem=4"], options].concat(), &[]);
    command.env("HVT_SIGNALS", "1");
    Running::spawn(command, Stdio::piped(), scratch)
}

/// Where the arguments of hypercalls lie in the data of such a guest.
const PUTS: usize = 16;
const POLL: usize = 64;
const HALT: usize = 128;
const DEAF: usize = 160;

#[test]
fn on_hvt_a_guest_is_told_and_ended_alike() {
    let _guard = one_machine();
    // It halts with the set that is ready, and 40 more.
    let told = Code::new()
        .out(0x580, (DATA as usize + POLL) as u32)
        .load(DATA + POLL as u64 + 16)
        .bytes(&[0x83, 0xc0, 40])
        .set(Reg::R8, DATA + HALT as u64 + 8)
        .bytes(&[0x41, 0x89, 0x00])
        .out(0x508, (DATA as usize + HALT) as u32);
    let running = start_hvt(told, true, &[]);
    running.signal(libc::SIGTERM);
    running.wait().check(Some(41), None, "");

    // It waits for nothing at all: where one processor is emulated, a guest that spins keeps the tender's
    // threads waiting. The tender may be unable to say there why it is ended: a port of the machine can be opened once.
    let deaf = || Code::new().out(0x580, (DATA as usize + DEAF) as u32).hlt();
    let mut running = start_hvt(deaf(), true, &["--shutdown-timeout=600"]);
    running.signal(libc::SIGINT);
    running.signal_until_it_ends(libc::SIGTERM);
    let ended = running.wait();
    assert_eq!(ended.code, ENDED, "{ended:?}");

    let running = start_hvt(deaf(), true, &["--shutdown-timeout=1"]);
    running.signal(libc::SIGINT);
    let ended = running.wait();
    assert_eq!(ended.code, ENDED, "{ended:?}");

    let running = start_hvt(deaf(), false, &[]);
    running.signal(libc::SIGTERM);
    let expected = "solo5-hvt: ended by SIGTERM\n";
    running.wait().check(Some(1), None, expected);
}
