//! A guest of solo5-spt that owns its process tries what a process can do. SECURITY.md's table names these tests.

use std::fs;

use solo5_abi::manifest::DeviceType;

use crate::support::{Code, DATA, Ended, Guest, Scratch, Tender};

const SIGSEGV: i32 = 11;
const SIGSYS: i32 = 31;
/// A path, and behind it room for structures, all zeros.
const PATH: u64 = DATA;
const ROOM: u64 = DATA + 64;
/// The end of memory with `--mem=2`.
const MEMORY_END: u64 = 2 << 20;

fn run(code: Code, disk: bool) -> Ended {
    let scratch = Scratch::new();
    let mut data = b"/etc/passwd\0".to_vec();
    data.resize(1024, 0);
    let mut guest = Guest::spt(code.exit(0)).data(&data);
    let mut words = vec!["--mem=2".to_owned()];
    if disk {
        guest = guest.device("disk", DeviceType::BlockBasic);
        let image = scratch.image("disk.img", 2048, 7);
        words.push(format!("--block:disk={}", image.display()));
    }
    words.push(guest.write(&scratch).to_str().unwrap().to_owned());
    let ended = Tender::Spt.run(words);
    if disk {
        assert_eq!(fs::metadata(scratch.path("disk.img")).unwrap().len(), 2048);
    }
    ended
}

/// Each call, with arguments that would do something, ends the guest.
#[track_caller]
fn each_ends_it(calls: &[(&str, u64, &[u64])]) {
    for (name, number, arguments) in calls {
        let ended = run(Code::new().syscall(*number, arguments), true);
        assert_eq!(ended.signal, Some(SIGSYS), "{name}: {ended:?}");
    }
}

#[test]
fn a_guest_opens_no_file() {
    each_ends_it(&[
        ("open", 2, &[PATH, 0, 0]),
        ("creat", 85, &[PATH, 0o600]),
        ("openat", 257, &[u64::MAX - 99, PATH, 0, 0]),
        ("openat2", 437, &[u64::MAX - 99, PATH, ROOM, 24]),
        ("unlink", 87, &[PATH]),
        ("memfd_create", 319, &[PATH, 0]),
        ("io_uring_setup", 425, &[1, ROOM]),
    ]);
}

#[test]
fn a_guest_has_no_socket() {
    each_ends_it(&[
        ("socket", 41, &[2, 1, 0]),
        ("socketpair", 53, &[1, 1, 0, ROOM]),
        ("sendto", 44, &[1, PATH, 1, 0, 0, 0]),
        ("connect", 42, &[1, ROOM, 16]),
    ]);
}

#[test]
fn a_guest_starts_no_process_and_no_program() {
    each_ends_it(&[
        ("clone", 56, &[17, 0, 0, 0, 0]),
        ("fork", 57, &[]),
        ("vfork", 58, &[]),
        ("clone3", 435, &[ROOM, 88]),
        ("execve", 59, &[PATH, 0, 0]),
        ("execveat", 322, &[u64::MAX - 99, PATH, 0, 0, 0]),
    ]);
}

#[test]
fn a_guest_touches_no_other_process() {
    let this = u64::from(std::process::id());
    each_ends_it(&[
        ("kill", 62, &[this, 0]),
        ("kill all", 62, &[u64::MAX, 0]),
        ("tkill", 200, &[this, 0]),
        ("tgkill", 234, &[this, this, 0]),
        ("pidfd_open", 434, &[this, 0]),
        ("ptrace", 101, &[16, this, 0, 0]),
        ("process_vm_readv", 310, &[this, ROOM, 1, ROOM, 1, 0]),
        ("setpriority", 141, &[0, this, 0]),
        ("sched_setaffinity", 203, &[this, 8, ROOM]),
    ]);
}

#[test]
fn a_guest_makes_no_code_and_no_memory() {
    each_ends_it(&[
        ("mprotect", 10, &[DATA, 4096, 7]),
        ("pkey_mprotect", 329, &[DATA, 4096, 7, u64::MAX]),
        ("mmap", 9, &[0x4000_0000, 4096, 7, 0x32, u64::MAX, 0]),
        ("mremap", 25, &[DATA, 4096, 8192, 1, 0]),
        ("brk", 12, &[0]),
        ("shmget", 29, &[0, 4096, 0o1600]),
        ("userfaultfd", 323, &[0]),
    ]);
}

#[test]
fn a_guest_undoes_nothing() {
    each_ends_it(&[
        ("prctl(PR_SET_NO_NEW_PRIVS, 0)", 157, &[38, 0, 0, 0, 0]),
        ("prctl(PR_SET_DUMPABLE, 1)", 157, &[4, 1, 0, 0, 0]),
        ("prctl(PR_SET_SECCOMP, 0)", 157, &[22, 0, 0, 0, 0]),
        ("seccomp", 317, &[1, 0, ROOM]),
        ("prlimit64", 302, &[0, 7, ROOM, 0]),
        ("setrlimit", 160, &[7, ROOM]),
        ("capset", 126, &[ROOM, ROOM]),
        ("setuid", 105, &[0]),
        ("setns", 308, &[1, 0]),
        ("unshare", 272, &[0x1000_0000]),
        ("chroot", 161, &[PATH]),
        ("arch_prctl(ARCH_SET_CPUID)", 158, &[0x1012, 0]),
    ]);
}

/// But for the console and, with a disk, that.
#[test]
fn a_guest_uses_no_descriptor_in_another_way() {
    for fd in (0..16).filter(|&fd| fd != 1) {
        let ended = run(Code::new().syscall(1, &[fd, PATH, 1]), false);
        assert_eq!(ended.signal, Some(SIGSYS), "write to {fd}");
    }
    for fd in 0..16 {
        let ended = run(Code::new().syscall(0, &[fd, ROOM, 1]), false);
        assert_eq!(ended.signal, Some(SIGSYS), "read of {fd}");
    }
    each_ends_it(&[
        ("ioctl(TIOCSTI)", 16, &[1, 0x5412, PATH]),
        ("fcntl(F_SETFL)", 72, &[1, 4, 0]),
        ("dup2", 33, &[1, 9]),
        ("close", 3, &[1]),
        ("sendmsg", 46, &[1, ROOM, 0]),
        ("splice", 275, &[1, 0, 2, 0, 1, 0]),
    ]);
}

/// Whichever descriptor the disk has.
#[test]
fn a_guest_makes_no_image_grow() {
    for fd in 0..16 {
        let calls: [(&str, u64, &[u64]); 4] = [
            ("pwrite64", 18, &[fd, ROOM, 512, 2048]),
            ("ftruncate", 77, &[fd, 1 << 20]),
            ("fallocate", 285, &[fd, 0, 0, 1 << 20]),
            ("write", 1, &[fd, ROOM, 512]),
        ];
        for (name, number, arguments) in calls {
            if (fd, name) == (1, "write") {
                continue;
            }
            let ended = run(Code::new().syscall(number, arguments), true);
            assert_eq!(ended.signal, Some(SIGSYS), "{name} of {fd}: {ended:?}");
        }
    }
}

/// It may use all of its memory, and has no more.
#[test]
fn a_guest_has_its_memory_and_no_more() {
    // rep stosb, from its data on.
    let fill = |count: u64| {
        let code = Code::new().bytes(&[0x48, 0xbf]).bytes(&DATA.to_le_bytes());
        let code = code.bytes(&[0x48, 0xb9]).bytes(&count.to_le_bytes());
        run(code.bytes(&[0xf3, 0xaa]), false)
    };
    assert_eq!(fill(MEMORY_END - DATA).code, Some(0));
    assert_eq!(fill(MEMORY_END - DATA + 1).signal, Some(SIGSEGV));
}
