//! Guests under solo5-spt, honest and hostile.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use solo5_abi::manifest::DeviceType;

use crate::confinement::sleeper;
use crate::support::{Code, DATA, Ended, Guest, Mortal, Reg, Scratch, TEXT, Tender};

const SIGILL: i32 = 4;
const SIGSEGV: i32 = 11;
const SIGSYS: i32 = 31;

fn run(guest: &Guest, options: &[&str], args: &[&str]) -> Ended {
    let scratch = Scratch::new();
    let path = guest.write(&scratch);
    let words = options
        .iter()
        .copied()
        .chain([path.to_str().unwrap()])
        .chain(args.iter().copied());
    Tender::Spt.run(words.collect::<Vec<_>>())
}

#[track_caller]
fn ends_with(code: Code, status: i32) {
    let ended = run(&Guest::spt(code), &["--mem=2"], &[]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(status), ""));
}

#[track_caller]
fn dies_of(code: Code, signal: i32) {
    let ended = run(&Guest::spt(code).data(b"\xc3 not code"), &["--mem=2"], &[]);
    assert_eq!(
        (ended.signal, ended.stderr.as_str()),
        (Some(signal), ""),
        "{ended:?}"
    );
}

#[test]
fn the_guests_status_is_the_tenders_modulo_256() {
    for (status, seen) in [(0, 0), (7, 7), (255, 255), (300, 44), (u64::MAX, 255)] {
        ends_with(Code::new().exit(status), seen);
    }
}

#[test]
fn the_guest_enters_as_the_abi_has_it() {
    // RDI is 0x11000 and RSP 8 below the end of memory.
    ends_with(Code::new().shift_rdi(12).exit_rdi(), 0x11);
    ends_with(Code::new().copy(Reg::Rdi, Reg::Rsp).exit_rdi(), 0xf8);
    ends_with(
        Code::new()
            .copy(Reg::Rdi, Reg::Rsp)
            .shift_rdi(16)
            .exit_rdi(),
        0x1f,
    );
    // Boot information: 2 MiB of memory, kernel end behind the page of data.
    ends_with(
        Code::new()
            .load(0x1_1000)
            .copy(Reg::Rdi, Reg::Rax)
            .shift_rdi(20)
            .exit_rdi(),
        2,
    );
    ends_with(
        Code::new()
            .load(0x1_1008)
            .copy(Reg::Rdi, Reg::Rax)
            .shift_rdi(12)
            .exit_rdi(),
        0x03,
    );
    // Memory behind the data, up to the end of its page and beyond, is zero and writable.
    ends_with(
        Code::new()
            .load(DATA + 16)
            .copy(Reg::Rdi, Reg::Rax)
            .exit_rdi(),
        0,
    );
    ends_with(
        Code::new()
            .store(0x1f_fff8, 9)
            .load(0x1f_fff8)
            .copy(Reg::Rdi, Reg::Rax)
            .exit_rdi(),
        9,
    );
}

#[test]
fn the_console_is_standard_output() {
    let code = Code::new().syscall(1, &[1, DATA, 6]).exit(0);
    let ended = run(&Guest::spt(code).data(b"Solo5\n"), &[], &[]);
    assert_eq!(
        (ended.code, ended.stdout.as_str(), ended.stderr.as_str()),
        (Some(0), "Solo5\n", "")
    );
}

#[test]
fn arguments_are_joined_by_spaces() {
    // The command line lies behind the manifest of one entry.
    let code = Code::new().syscall(1, &[1, 0x1_1028 + 8 + 104, 12]).exit(0);
    let ended = run(&Guest::spt(code), &["--mem=2", "--"], &["--foo", "", "a b"]);
    assert_eq!(ended.stdout, "--foo  a b\0\0");
}

#[test]
fn clocks_and_the_tls_base_are_allowed() {
    let code = Code::new()
        .syscall(228, &[1, DATA])
        .syscall(228, &[0, DATA])
        .syscall(158, &[0x1002, 0]);
    ends_with(code.exit(3), 3);
}

/// The descriptors of the boot information are an epoll set and a timer that work together.
#[test]
fn waiting_until_a_deadline() {
    let (epoll, timer, zero) = (0x1_1000 + 32, 0x1_1000 + 36, 0);
    // itimerspec with a deadline of one nanosecond: long past, not disarmed.
    let spec = [[0_u8; 8], [0; 8], [0; 8], 1_u64.to_le_bytes()].concat();
    let arm = Code::new().load(timer).copy(Reg::Rdi, Reg::Rax);
    let arm = arm
        .set(Reg::Rsi, 1)
        .set(Reg::Rdx, DATA)
        .set(Reg::R10, zero)
        .set(Reg::Rax, 286)
        .bytes(&[0x0f, 0x05]);
    let wait = arm
        .load(epoll)
        .copy(Reg::Rdi, Reg::Rax)
        .set(Reg::Rsi, DATA + 64)
        .set(Reg::Rdx, 1);
    let wait = wait
        .set(Reg::R10, u64::MAX)
        .set(Reg::R8, zero)
        .set(Reg::R9, 8)
        .set(Reg::Rax, 281)
        .bytes(&[0x0f, 0x05]);
    // One event: the timer's data word is 0xfffffffe.
    let code = wait.load(DATA + 64 + 4).copy(Reg::Rdi, Reg::Rax).exit_rdi();
    let ended = run(&Guest::spt(code).data(&spec), &["--mem=2"], &[]);
    assert_eq!(ended.code, Some(0xfe), "{ended:?}");
}

#[test]
fn other_system_calls_kill() {
    let calls: &[(u64, &[u64])] = &[
        (1, &[2, DATA, 1]),                    // write to stderr
        (0, &[0, DATA, 1]),                    // read from stdin
        (2, &[DATA, 0]),                       // open
        (3, &[1]),                             // close
        (9, &[0, 4096, 7, 0x22, u64::MAX, 0]), // mmap
        (10, &[TEXT, 4096, 7]),                // mprotect
        (12, &[0]),                            // brk
        (15, &[]),                             // rt_sigreturn
        (17, &[0, DATA, 512, 0]),              // pread64
        (32, &[1]),                            // dup
        (35, &[DATA, 0]),                      // nanosleep
        (59, &[DATA, 0, 0]),                   // execve
        (60, &[0]),                            // exit
        (72, &[1, 3]),                         // fcntl
        (158, &[0x1001, 0]),                   // arch_prctl(ARCH_SET_GS)
        (228, &[7, DATA]),                     // clock_gettime(CLOCK_BOOTTIME)
        (281, &[0, DATA, 1, 0, 0, 8]),         // epoll_pwait on something else
        (0x4000_0000 | 231, &[0]),             // exit_group of the x32 ABI
        (u64::MAX, &[]),
    ];
    for (number, arguments) in calls {
        dies_of(Code::new().syscall(*number, arguments).exit(0), SIGSYS);
    }
    // exit by `int 0x80`, the 32-bit ABI.
    dies_of(
        Code::new().set(Reg::Rax, 1).bytes(&[0xcd, 0x80]).exit(0),
        SIGSYS,
    );
}

#[test]
fn faults_are_the_hosts_signals() {
    dies_of(Code::new().store(8, 1), SIGSEGV);
    dies_of(Code::new().store(0x4_0000_0000, 1), SIGSEGV);
    dies_of(Code::new().hlt(), SIGSEGV);
    dies_of(Code::new().out(0x508, 0), SIGSEGV);
    dies_of(Code::new().bytes(&[0x0f, 0x0b]), SIGILL);
}

/// W^X: text is not writable; data, heap, stack and boot information are not executable.
#[test]
fn memory_is_writable_or_executable_but_not_both() {
    dies_of(Code::new().store(TEXT, 1), SIGSEGV);
    for address in [DATA, 0x18_0000, 0x1f_ff00, 0x1_1000, 0x1_8000] {
        dies_of(Code::new().store(address, 0xc3).jump(address), SIGSEGV);
    }
}

#[test]
fn the_heap_is_executable_if_asked_for() {
    // The guest copies the code of an exit to its heap and runs it there.
    let exit = Code::new().exit(5).0;
    let mut code = Code::new();
    for (index, four) in exit.chunks(4).enumerate() {
        let mut word = [0; 4];
        word[..four.len()].copy_from_slice(four);
        code = code.store(0x18_0000 + 4 * index as u64, u32::from_le_bytes(word));
    }
    let code = code.jump(0x18_0000);
    assert_eq!(
        run(&Guest::spt(code.clone()), &["--mem=2"], &[]).signal,
        Some(SIGSEGV)
    );
    assert_eq!(
        run(&Guest::spt(code), &["--mem=2", "--x-exec-heap"], &[]).code,
        Some(5)
    );
}

/// The descriptor is in the manifest entry: 1 (behind the reserved one), field `b`.
const DISK_FD: u64 = 0x1_1028 + 8 + 104 + 88;

fn block_call(number: u64, count: u64, offset: u64) -> Code {
    let code = Code::new()
        .load(DISK_FD)
        .copy(Reg::Rdi, Reg::Rax)
        .set(Reg::Rsi, DATA)
        .set(Reg::Rdx, count);
    code.set(Reg::R10, offset)
        .set(Reg::Rax, number)
        .bytes(&[0x0f, 0x05])
}

#[test]
fn blocks_are_read_and_written() {
    let scratch = Scratch::new();
    let image = scratch.image("disk.img", 2048, 7);
    let option = format!("--block:disk={}", image.display());
    let read = block_call(17, 512, 1536)
        .load(DATA)
        .copy(Reg::Rdi, Reg::Rax)
        .exit_rdi();
    let guest = |code| {
        Guest::spt(code)
            .device("disk", DeviceType::BlockBasic)
            .data(&[9; 512])
    };
    assert_eq!(run(&guest(read), &["--mem=2", &option], &[]).code, Some(7));
    let write = block_call(18, 512, 512).exit(0);
    assert_eq!(run(&guest(write), &["--mem=2", &option], &[]).code, Some(0));
    let bytes = fs::read(image).unwrap();
    assert_eq!(
        [&bytes[..512], &bytes[512..1024], &bytes[1024..]],
        [&[7; 512][..], &[9; 512], &[7; 1024]]
    );
}

/// A limit of the host's on the size of files is an error of the write, and no signal.
#[test]
fn a_write_that_the_host_refuses_is_an_error() {
    let scratch = Scratch::new();
    let image = scratch.image("disk.img", 2048, 7);
    let guest = Guest::spt(
        block_call(18, 512, 1536)
            .copy(Reg::Rdi, Reg::Rax)
            .exit_rdi(),
    );
    let kernel = guest.device("disk", DeviceType::BlockBasic).write(&scratch);
    let status = Command::new("prlimit")
        .arg("--fsize=1024")
        .arg(Tender::Spt.path())
        .arg("--mem=2")
        .arg(format!("--block:disk={}", image.display()))
        .arg(kernel)
        .status()
        .unwrap();
    // The call gave -EFBIG.
    assert_eq!(status.code(), Some(256 - 27));
}

/// Two tenders never write to the same image.
#[test]
fn an_image_in_use_is_refused() {
    let scratch = Scratch::new();
    let image = scratch.image("disk.img", 2048, 7);
    let _used = hostdev::BlockImage::open(&image, hostdev::BlockSize::default()).unwrap();
    let kernel = Guest::spt(Code::new().exit(0))
        .device("disk", DeviceType::BlockBasic)
        .write(&scratch);
    let option = format!("--block:disk={}", image.display());
    let ended = Tender::Spt.run([option.as_ref(), kernel.as_os_str()]);
    ended.refused(Tender::Spt, "disk.img\" is in use", false);
}

/// Nor do two devices of one guest.
#[test]
fn an_image_behind_two_devices_is_refused() {
    let scratch = Scratch::new();
    let image = scratch.image("disk.img", 2048, 7);
    for tender in Tender::BOTH {
        let guest = match tender {
            Tender::Spt => Guest::spt(Code::new().exit(0)),
            Tender::Hvt => Guest::hvt(Code::new().hlt()),
        };
        let guest = guest
            .device("disk", DeviceType::BlockBasic)
            .device("store", DeviceType::BlockBasic);
        let options = ["disk", "store"].map(|name| format!("--block:{name}={}", image.display()));
        let kernel = guest.write(&scratch);
        let ended = tender.run(
            options
                .iter()
                .map(AsRef::as_ref)
                .chain([kernel.as_os_str()]),
        );
        ended.refused(tender, "disk.img\" is in use", false);
    }
}

/// The lock is the process's: however that ends, the image can be used again.
#[test]
fn an_image_is_free_again_when_its_guest_has_been_killed() {
    let scratch = Scratch::new();
    let option = format!(
        "--block:disk={}",
        scratch.image("disk.img", 2048, 7).display()
    );
    let guest = Guest::spt(sleeper())
        .data(b"there\n")
        .device("disk", DeviceType::BlockBasic);
    let child = Command::new(Tender::Spt.path())
        .args(["--mem=2", &option])
        .arg(guest.write(&scratch))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = Mortal(child.unwrap());
    let mut line = String::new();
    let output = child.stdout.as_mut().unwrap();
    BufReader::new(output).read_line(&mut line).unwrap();
    let other = Guest::spt(Code::new().exit(5)).device("disk", DeviceType::BlockBasic);
    let ended = run(&other, &[&option], &[]);
    ended.refused(Tender::Spt, "disk.img\" is in use", false);
    drop(child);
    assert_eq!(run(&other, &[&option], &[]).code, Some(5));
}

#[test]
fn transfers_that_are_not_one_block_inside_the_disk_kill() {
    let scratch = Scratch::new();
    let option = format!(
        "--block:disk={}",
        scratch.image("disk.img", 2048, 7).display()
    );
    let cases = [
        (1024, 0),
        (511, 0),
        (0, 0),
        (512, 1537),
        (512, 2048),
        (512, u64::MAX),
        (512, 1 << 63),
        (512 | 1 << 32, 0),
    ];
    for (count, offset) in cases {
        for number in [17, 18] {
            let guest = Guest::spt(block_call(number, count, offset).exit(0));
            let ended = run(
                &guest.device("disk", DeviceType::BlockBasic),
                &["--mem=2", &option],
                &[],
            );
            assert_eq!(
                ended.signal,
                Some(SIGSYS),
                "count {count}, offset {offset}: {ended:?}"
            );
        }
    }
}
