//! What a hostile guest of solo5-spt finds of its host: nothing. It shares the address space of the tender's process, so
//! the tender must have left that before.

use std::ffi::CString;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Stdio};

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch, apply_filter};

use crate::support::{Code, DATA, Guest, Mortal, Reg, Scratch, Tender};

const SIGSEGV: i32 = 11;
const SIGTERM: i32 = 15;
const SIGSYS: i32 = 31;
/// The end of memory with `--mem=2`.
const MEMORY_END: u64 = 2 << 20;
/// Where the descriptor of the epoll set is in the boot information.
const EPOLL: u64 = 0x1_1000 + 32;
/// `uretprobe` and `uprobe`, which no filter is asked about: the kernel refuses them outside of its own trampolines.
const UPROBES: [u64; 2] = [335, 336];
const SECRET: &str = "SECRET=only-the-tender-knows";

/// Runs a guest with a known environment and argument.
fn command(scratch: &Scratch, guest: &Guest) -> Command {
    let path = guest.write(scratch);
    let mut command = Command::new(Tender::Spt.path());
    command
        .env_clear()
        .env("SECRET", SECRET.split_once('=').unwrap().1)
        .arg("--mem=2")
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command
}

/// Waits for nothing, for ever; says first that it is there.
pub(crate) fn sleeper() -> Code {
    let said = Code::new().syscall(1, &[1, DATA, 6]);
    let start = said.0.len() as i32;
    let waited = wait(said, 0);
    // The kernel sends frames of its own on an interface that is new.
    let back = start - (waited.0.len() as i32 + 5);
    waited.bytes(&[0xe9]).bytes(&back.to_le_bytes())
}

fn wait(code: Code, mask: u64) -> Code {
    code.load(EPOLL)
        .copy(Reg::Rdi, Reg::Rax)
        .set(Reg::Rsi, DATA + 64)
        .set(Reg::Rdx, 1)
        .set(Reg::R10, u64::MAX)
        .set(Reg::R8, mask)
        .set(Reg::R9, 8)
        .set(Reg::Rax, 281)
        .bytes(&[0x0f, 0x05])
}

/// A guest that is running: it has printed its line.
fn asleep(scratch: &Scratch) -> Mortal {
    started(command(scratch, &Guest::spt(sleeper()).data(b"there\n")))
}

/// Starts such a guest, and waits for its line.
pub(crate) fn started(mut command: Command) -> Mortal {
    let mut child = Mortal(command.spawn().unwrap());
    let mut line = String::new();
    let output = child.stdout.as_mut().unwrap();
    BufReader::new(output).read_line(&mut line).unwrap();
    assert_eq!(line, "there\n");
    child
}

fn of(child: &Mortal, name: &str) -> Vec<u8> {
    let path = format!("/proc/{}/{name}", child.id());
    let mut content = Vec::new();
    // What is unmapped reads as nothing, or fails.
    if let Ok(mut file) = fs::File::open(path) {
        let _ = file.read_to_end(&mut content);
    }
    content
}

#[test]
fn nothing_of_the_tender_stays_mapped() {
    let scratch = Scratch::new();
    let child = asleep(&scratch);
    let maps = String::from_utf8(of(&child, "maps")).unwrap();
    assert!(maps.starts_with("00010000-"), "{maps}");
    for line in maps.lines() {
        // The kernel's own pages for the clocks, where it does not let go of them, hold nothing of the tender.
        if ["[vdso]", "[vvar]", "[vvar_vclock]", "[vsyscall]"]
            .iter()
            .any(|name| line.ends_with(name))
        {
            continue;
        }
        let (start, rest) = line.split_once('-').unwrap();
        let (end, rest) = rest.split_once(' ').unwrap();
        let start = u64::from_str_radix(start, 16).unwrap();
        let end = u64::from_str_radix(end, 16).unwrap();
        assert!(end <= MEMORY_END + 0x1_0000, "{line}");
        // Behind guest memory: the last code and its data, which is not writable and executable at once.
        assert!(start < MEMORY_END || !rest.starts_with("rwx"), "{line}");
        assert!(
            rest.ends_with(' ') || rest.ends_with("00:00 0"),
            "a file is mapped: {line}"
        );
    }
    for name in ["environ", "cmdline"] {
        let content = of(&child, name);
        assert!(
            content.is_empty(),
            "{name}: {:?}",
            String::from_utf8_lossy(&content)
        );
    }
}

#[test]
fn the_executable_is_closed() {
    let scratch = Scratch::new();
    let child = asleep(&scratch);
    let folder = format!("/proc/{}/fd", child.id());
    let open: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .collect();
    // Nor is there anything else but two streams, epoll set and timer.
    assert_eq!(open.len(), 4, "{open:?}");
    assert!(!open.contains(&scratch.path("guest")), "{open:?}");
}

/// All that the guest can reach, written to its console: its memory and what lies behind it.
#[test]
fn what_a_guest_can_read_holds_nothing_of_the_tender() {
    let scratch = Scratch::new();
    // write(1, ...) gives what is mapped, and stops short at the first page that is not.
    let code = [0x1_0000, 0x10_0000, MEMORY_END - 0x1_0000, MEMORY_END]
        .into_iter()
        .fold(Code::new(), |code, start| {
            code.syscall(1, &[1, start, 0x2_0000])
        })
        .exit(0);
    let output = command(&scratch, &Guest::spt(code)).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(
        output.stdout.len() > 3 * 0x1_0000,
        "{} octets",
        output.stdout.len()
    );
    let kernel = scratch.path("guest");
    let needles = [
        SECRET.as_bytes(),
        &SECRET.as_bytes()[7..],
        b"--mem=2",
        b"solo5-spt\0",
        kernel.as_os_str().as_bytes(),
    ];
    for needle in needles {
        assert!(
            !output
                .stdout
                .windows(needle.len())
                .any(|window| window == needle),
            "{:?}",
            String::from_utf8_lossy(needle)
        );
    }
    // Addresses of this process: libraries, stack and heap begin with 7f, 7e, 56 or 55, in six octets.
    for (at, word) in output.stdout.chunks_exact(8).enumerate() {
        let word = u64::from_ne_bytes(word.try_into().unwrap());
        let high = word >> 40;
        assert!(
            !(0x55..=0x56).contains(&high) && !(0x7e..=0x7f).contains(&high),
            "{word:#x} at word {at}"
        );
    }
}

/// Without a thread pointer, what was at FS:0 cannot be read.
#[test]
fn the_thread_pointer_is_cleared() {
    let scratch = Scratch::new();
    for prefix in [0x64, 0x65] {
        let code = Code::new()
            .bytes(&[prefix, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0])
            .exit(0);
        let status = command(&scratch, &Guest::spt(code)).status().unwrap();
        assert_eq!(status.signal(), Some(SIGSEGV), "{prefix:#x}");
    }
}

/// Each vector register as the processor has it after a reset, and the control words at their defaults.
#[test]
fn vector_registers_are_cleared() {
    let wide = std::arch::is_x86_feature_detected!("avx");
    let size = if wide { 32 } else { 16 };
    let mut code = Code::new();
    for register in 0..16_u8 {
        let at = (DATA as u32 + u32::from(register) * size).to_le_bytes();
        // (v)movups [at], register
        let (high, low) = (register >> 3, register & 7);
        code = if wide {
            code.bytes(&[0xc5, 0xfc & !(high << 7), 0x11, 0x04 | low << 3, 0x25])
        } else {
            let rex: &[u8] = if high == 1 { &[0x44] } else { &[] };
            code.bytes(rex).bytes(&[0x0f, 0x11, 0x04 | low << 3, 0x25])
        };
        code = code.bytes(&at);
    }
    let control = DATA as u32 + 16 * size;
    // stmxcsr [control]; fnstcw [control + 4]
    code = code
        .bytes(&[0x0f, 0xae, 0x1c, 0x25])
        .bytes(&control.to_le_bytes())
        .bytes(&[0xd9, 0x3c, 0x25])
        .bytes(&(control + 4).to_le_bytes());
    let code = code
        .syscall(1, &[1, DATA, u64::from(16 * size) + 6])
        .exit(0);
    let scratch = Scratch::new();
    let guest = Guest::spt(code).data(&[0xee; 1024]);
    let output = command(&scratch, &guest).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let (registers, control) = output.stdout.split_at(16 * size as usize);
    assert_eq!(registers, vec![0; registers.len()]);
    assert_eq!(control, [0x80, 0x1f, 0, 0, 0x7f, 0x03]);
}

/// A guest cannot hold off the signal that is to end it.
#[test]
fn sigterm_ends_a_guest_that_waits_and_a_mask_is_refused() {
    let scratch = Scratch::new();
    let mut child = asleep(&scratch);
    // SAFETY: the process is a child that has not been waited for, so the number is its own.
    assert_eq!(unsafe { libc::kill(child.id() as i32, SIGTERM) }, 0);
    assert_eq!(child.wait().unwrap().signal(), Some(SIGTERM));
    let status = command(&scratch, &Guest::spt(wait(Code::new(), DATA).exit(0)))
        .status()
        .unwrap();
    assert_eq!(status.signal(), Some(SIGSYS));
}

/// Each system call that there is but those of the list.
#[test]
fn every_other_system_call_kills() {
    let scratch = Scratch::new();
    // read and pread64 belong to devices, of which there is none here.
    let allowed = [1, 158, 228, 231, 281, 286];
    for number in (0..=600).chain([1024, 0x4000_0001, u64::from(u32::MAX)]) {
        if allowed.contains(&number) || UPROBES.contains(&number) {
            continue;
        }
        let guest = Guest::spt(Code::new().syscall(number, &[1, 0, 0, 0, 0, 0]).exit(0));
        let status = command(&scratch, &guest).status().unwrap();
        assert_eq!(status.signal(), Some(SIGSYS), "system call {number}");
    }
}

#[test]
fn only_a_regular_file_is_a_unikernel() {
    let scratch = Scratch::new();
    let fifo = scratch.path("fifo");
    let name = CString::new(fifo.as_os_str().as_bytes()).unwrap();
    // SAFETY: the path is a C string.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    for path in [
        fifo.as_path(),
        Path::new("/dev/zero"),
        Path::new("/dev/null"),
        Path::new("/"),
    ] {
        for tender in Tender::BOTH {
            let ended = tender.run([path]);
            ended.refused(tender, "not a regular file", false);
        }
    }
}

/// systemd's `LockPersonality=` has a filter that lets nobody ask for it, either.
#[test]
fn a_personality_that_cannot_be_asked_for_is_looked_up() {
    let scratch = Scratch::new();
    let rules = std::iter::once((libc::SYS_personality, Vec::new())).collect();
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EPERM as u32),
        TargetArch::x86_64,
    );
    let filter: BpfProgram = filter.unwrap().try_into().unwrap();
    let mut command = command(&scratch, &Guest::spt(Code::new().exit(7)));
    // SAFETY: the function makes two system calls, and takes no lock.
    unsafe {
        command.pre_exec(move || apply_filter(&filter).map_err(std::io::Error::other));
    }
    assert_eq!(command.status().unwrap().code(), Some(7));
}
