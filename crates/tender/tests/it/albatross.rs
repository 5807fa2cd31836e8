//! What Albatross asks of a tender, by a stand-in that does what its `vmm_unix` does: docs/deploy/albatross.md says it.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};

use solo5_abi::manifest::DeviceType;

use crate::confinement::sleeper;
use crate::support::{Code, DATA, Guest, Reg, Scratch, Tender};

/// Where the address of the command line is in the boot information.
const COMMAND_LINE: u64 = 0x1_1000 + 16;
/// A network namespace with the interface that it would have made, in which it runs the rest.
const WITH_TAP: &str = "ip tuntap add vmmtap0 mode tap && ip link set vmmtap0 up && exec \"$@\"";

/// A unikernel as Albatross has it: an image, a FIFO, a disk.
struct Unikernel {
    scratch: Scratch,
    /// The console's daemon.
    console: File,
}

impl Unikernel {
    fn new(guest: Guest) -> Self {
        let scratch = Scratch::new();
        let guest = guest
            .device("service", DeviceType::NetBasic)
            .device("storage", DeviceType::BlockBasic);
        guest.write(&scratch);
        scratch.image("disk", 4096, 0);
        let fifo = scratch.path("fifo");
        let name = CString::new(fifo.as_os_str().as_bytes()).unwrap();
        // SAFETY: the path is a C string.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o640) }, 0);
        let mut console = OpenOptions::new();
        console.read(true).custom_flags(libc::O_NONBLOCK);
        let console = console.open(fifo).unwrap();
        Self { scratch, console }
    }

    /// The command, with the FIFO as all three streams.
    fn start(&self, arguments: &[&str]) -> Child {
        let at = |name: &str| self.scratch.path(name);
        let fifo = OpenOptions::new().append(true).open(at("fifo")).unwrap();
        let mut command = Command::new("unshare");
        command
            .args(["--map-root-user", "--net", "sh", "-c", WITH_TAP, "sh"])
            .args(["taskset", "-c", "0"])
            .arg(Tender::Spt.path())
            .args(["--mem=2", "--net:service=vmmtap0"])
            .arg("--net-mac:service=00:80:41:01:02:03")
            .arg(format!("--block:storage={}", at("disk").display()))
            .args(["--block-sector-size:storage=512", "--"])
            .arg(at("guest"))
            .args(arguments);
        let stream = || fifo.try_clone().unwrap();
        command.stdin(stream()).stdout(stream()).stderr(stream());
        command.spawn().unwrap()
    }

    fn console(&self) -> String {
        let mut text = Vec::new();
        // All of its writers are gone, or it has none to give.
        let _ = (&self.console).read_to_end(&mut text);
        String::from_utf8(text).unwrap()
    }

    /// Starts it with its name, and again without when it does not know that.
    fn serve(&self, arguments: &[&str]) -> (usize, ExitStatus) {
        let named = [&["--name=web1"], arguments].concat();
        match self.start(&named).wait().unwrap() {
            status if status.code() == Some(64) => (2, self.start(arguments).wait().unwrap()),
            status => (1, status),
        }
    }
}

/// Ends with 64 if its command line begins with `--name=w`, else with 75.
fn knows_no_name() -> Code {
    let code = Code::new().syscall(1, &[1, DATA, 6]);
    // mov r8, [r8]; mov rax, [r8]
    let code = code
        .set(Reg::R8, COMMAND_LINE)
        .bytes(&[0x4d, 0x8b, 0x00, 0x49, 0x8b, 0x00]);
    let refuses = Code::new().exit(64);
    // cmp rax, r9; jne over the end
    let code = code.set(Reg::R9, u64::from_le_bytes(*b"--name=w"));
    let code = code.bytes(&[0x4c, 0x39, 0xc8, 0x75, refuses.0.len() as u8]);
    code.bytes(&refuses.0).exit(75)
}

#[test]
fn the_version_is_where_it_looks() {
    for tender in Tender::BOTH {
        let ended = tender.run(["--version"]);
        let text = ended.stdout + &ended.stderr;
        assert!(text.lines().any(|line| line == "ABI version 2"), "{text}");
        assert_eq!(ended.code, Some(0));
    }
}

#[test]
fn a_unikernel_that_knows_no_name_is_started_without() {
    let unikernel = Unikernel::new(Guest::spt(knows_no_name()).data(b"there\n"));
    let (starts, status) = unikernel.serve(&["--port=7"]);
    assert_eq!(
        (starts, status.code()),
        (2, Some(75)),
        "{}",
        unikernel.console()
    );
    assert_eq!(unikernel.console(), "there\nthere\n");
}

#[test]
fn what_cannot_start_says_so_on_the_console_and_is_not_started_again() {
    let unikernel = Unikernel::new(Guest::spt(Code::new().exit(0)));
    std::fs::remove_file(unikernel.scratch.path("disk")).unwrap();
    let (starts, status) = unikernel.serve(&[]);
    assert_eq!((starts, status.code()), (1, Some(1)));
    let text = unikernel.console();
    assert!(
        text.starts_with("solo5-spt: ") && text.contains("disk"),
        "{text}"
    );
}

#[test]
fn it_is_ended_by_sigterm() {
    let unikernel = Unikernel::new(Guest::spt(sleeper()).data(b"there\n"));
    let mut child = unikernel.start(&[]);
    let mut text = String::new();
    while text.is_empty() {
        assert_eq!(child.try_wait().unwrap(), None);
        text = unikernel.console();
        std::thread::yield_now();
    }
    assert_eq!(text, "there\n");
    // SAFETY: the call takes no pointer; the child has not been waited for, so that the number is its own.
    assert_eq!(unsafe { libc::kill(child.id() as i32, libc::SIGTERM) }, 0);
    assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGTERM));
}
