//! What block devices have beyond Solo5's interface, and how it fails: `storage.c`.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use nix::sched::{CloneFlags, unshare};
use solo5_abi::manifest::{BLOCK_DISCARD, BLOCK_FLUSH, BLOCK_MANY, TENDER_FLUSH};
use system_tests::{Network, Running, Target};

use crate::c_guest::{LIMIT, Linker, Program, TARGETS, boot, boot_command, kvm_runs_general_code};
use crate::devices::image;
use crate::network::{RawSocket, frame};

/// Boots a case of `storage.c` with this image.
fn start(program: &Program<'_>, target: Target, image: &Path, case: &str) -> Running {
    Running::start(command(program, target, image, case), LIMIT)
}

/// What does that.
fn command(program: &Program<'_>, target: Target, image: &Path, case: &str) -> Command {
    linked(&program.link(target, Linker::Lld), target, image, case)
}

/// What does that with the executable.
pub(crate) fn linked(executable: &Path, target: Target, image: &Path, case: &str) -> Command {
    let options = [
        "--mem=8".to_owned(),
        format!("--block:disk={}", image.display()),
    ];
    let arguments = format!("--solo5:quiet {case}");
    boot_command(executable, target, &options, &arguments, true)
}

/// The targets whose tender runs on this machine itself, and so on the image itself.
pub(crate) fn direct_targets() -> impl Iterator<Item = Target> {
    let direct = |target: &Target| *target == Target::Spt || kvm_runs_general_code();
    TARGETS.into_iter().filter(direct)
}

#[track_caller]
fn assert_success(running: Running, said: &str) {
    let outcome = running.wait();
    assert_eq!(outcome.status, 0, "{outcome}");
    assert_eq!(outcome.stdout, format!("{said}SUCCESS\n"), "{outcome}");
}

#[test]
fn features_are_for_those_who_ask_for_them() {
    let asking = Program::new("storage.c");
    let plain = Program::new("storage.c").define("WANTED", 0);
    let waiting = Program::new("storage.c").define("TENDER_WANTED", 0);
    for target in TARGETS {
        let mut all = BLOCK_FLUSH | BLOCK_MANY;
        // In an emulated machine, the image is a disk, in which the tender makes no holes.
        if direct_targets().any(|direct| direct == target) {
            all |= BLOCK_DISCARD;
        }
        for (program, features) in [(&plain, 0), (&asking, all | TENDER_FLUSH), (&waiting, all)] {
            let folder = tempfile::tempdir().expect("a folder");
            let image = image(&folder, "disk", 64 << 10);
            let running = start(program, target, &image, "features");
            assert_success(running, &format!("features {features}\n"));
            let octets = fs::read(&image).expect("the image");
            assert!(octets[..512].iter().all(|&octet| octet == 9));
            assert!(octets[512..].iter().all(|&octet| octet == 0));
        }
    }
}

/// What an image has lost stays lost when it has its length again.
#[test]
fn no_flush_succeeds_after_the_image_was_cut_short() {
    let program = Program::new("storage.c");
    for target in direct_targets() {
        let folder = tempfile::tempdir().expect("a folder");
        let image = image(&folder, "disk", 64 << 10);
        let mut running = start(&program, target, &image, "shrunk");
        running.wait_for("there");
        let file = File::options().write(true).open(&image);
        let file = file.expect("the image");
        file.set_len(1000).expect("an image can be cut short");
        running.wait_for("shrunk");
        // Nothing that was refused has made it grow.
        assert_eq!(file.metadata().expect("the image").len(), 1000);
        file.set_len(64 << 10).expect("an image can be extended");
        assert_success(running, "there\nshrunk\n");
    }
}

#[test]
fn a_guest_goes_on_while_it_flushes() {
    let program = Program::new("storage.c");
    for target in TARGETS {
        let folder = tempfile::tempdir().expect("a folder");
        let image = image(&folder, "disk", 64 << 10);
        assert_success(start(&program, target, &image, "beside"), "");
    }
}

#[test]
fn spt_frames_that_nobody_reads_do_not_end_the_wait_for_a_flush() {
    let program = Program::new("storage.c").define("FRAMES", 1);
    Network::with(|network| {
        network.add_tap("frames0", "10.0.0.1/24");
        let socket = RawSocket::bind("frames0");
        let folder = tempfile::tempdir().expect("a folder");
        let options = [
            "--mem=8".to_owned(),
            "--net:service=frames0".to_owned(),
            format!(
                "--block:disk={}",
                image(&folder, "disk", 64 << 10).display()
            ),
        ];
        let executable = program.link(Target::Spt, Linker::Lld);
        let arguments = "--solo5:quiet beside-frames";
        let mut running = boot(&executable, Target::Spt, &options, arguments, true);
        running.wait_for("there");
        socket.send(&frame(1, 60));
        assert_success(running, "there\n");
    });
}

/// The filter lets a guest call for flushes, and hear of them; it may do that as it likes.
#[test]
fn a_hostile_guest_has_no_more_than_flushes() {
    const SIGSYS: i32 = 128 + 31;
    let program = Program::new("storage.c");
    let folder = tempfile::tempdir().expect("a folder");
    let image = image(&folder, "disk", 64 << 10);
    assert_success(start(&program, Target::Spt, &image, "ring"), "");
    for case in ["ring-read", "ring-write"] {
        let outcome = start(&program, Target::Spt, &image, case).wait();
        assert_eq!(outcome.status, SIGSYS, "{case}: {outcome}");
    }
}

#[test]
fn many_blocks_are_transferred_at_once_or_refused() {
    let program = Program::new("storage.c");
    // At the end, fewer than fill the largest transfer.
    let length = (2 << 20) + (64 << 10);
    for target in TARGETS {
        let folder = tempfile::tempdir().expect("a folder");
        let image = image(&folder, "disk", length);
        assert_success(start(&program, target, &image, "many"), "");
        let octets = fs::read(&image).expect("the image");
        assert_eq!(octets.len() as u64, length);
        for (at, octets) in (0_u64..).step_by(8).zip(octets.as_chunks().0) {
            let pattern = at.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1;
            assert_eq!(u64::from_le_bytes(*octets), pattern, "at {at}");
        }
    }
}

#[test]
fn what_is_given_up_is_the_hosts_again() {
    let program = Program::new("storage.c");
    for target in direct_targets() {
        let folder = tempfile::tempdir().expect("a folder");
        let image = image(&folder, "disk", 64 << 10);
        assert_success(start(&program, target, &image, "discard"), "");
        let metadata = fs::metadata(&image).expect("the image");
        assert_eq!(metadata.len(), 64 << 10);
        // 32 KiB of it are a hole.
        assert!(metadata.blocks() * 512 < 48 << 10, "{metadata:?}");
    }
}

/// Mounts a file system of so many MiB at the folder, in a namespace of the calling thread's.
fn mount(folder: &Path, mib: u32) {
    unshare(CloneFlags::CLONE_NEWNS).expect("a mount namespace needs root");
    run("mount", &["--make-rprivate", "/"]);
    let at = folder.to_str().expect("UTF-8");
    run(
        "mount",
        &["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs", at],
    );
}

/// A full disk of the host's is an error of its own, of which the guest and its disk recover.
#[test]
fn a_full_disk_is_told() {
    let program = Program::new("storage.c");
    for target in direct_targets() {
        let test = || {
            let folder = tempfile::tempdir().expect("a folder");
            mount(folder.path(), 6);
            let filler = folder.path().join("filler");
            // Room for one of the largest transfers, and part of another.
            fs::write(&filler, vec![1; 4 << 20]).expect("room for it");
            let image = image(&folder, "disk", 4 << 20);
            let mut running = start(&program, target, &image, "full");
            running.wait_for("full");
            fs::remove_file(filler).expect("the file");
            let file = File::options().write(true).open(&image).expect("the image");
            file.write_all_at(&[0xaa; 512], (4 << 20) - 512)
                .expect("a write");
            assert_success(running, "full\n");
        };
        thread::scope(|scope| scope.spawn(test).join()).expect("the test");
    }
}

/// An I/O error is that of the blocks that it befalls. A system call filter, which the tender inherits, makes it.
#[test]
fn a_bad_block_is_an_error_and_the_others_are_not() {
    let program = Program::new("storage.c");
    for target in direct_targets() {
        let folder = tempfile::tempdir().expect("a folder");
        let image = image(&folder, "disk", 64 << 10);
        let mut command = command(&program, target, &image, "broken");
        fail_at(&mut command, 4096);
        assert_success(Running::start(command, LIMIT), "");
    }
}

/// Has every `pread64` and `pwrite64` at that offset fail with EIO.
fn fail_at(command: &mut Command, offset: u32) {
    let of = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    // The number; then the fourth argument's halves. (linux/bpf_common.h has the codes.)
    let filter = [
        of(0x20, 0, 0, 0),
        of(0x15, 1, 0, libc::SYS_pread64 as u32),
        of(0x15, 0, 4, libc::SYS_pwrite64 as u32),
        of(0x20, 0, 0, 16 + 3 * 8),
        of(0x15, 0, 2, offset),
        of(0x20, 0, 0, 16 + 3 * 8 + 4),
        of(0x15, 1, 0, 0),
        of(0x06, 0, 0, libc::SECCOMP_RET_ALLOW),
        of(0x06, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EIO as u32),
    ];
    // SAFETY: between fork and exec, the closure makes system calls alone, of which the second reads the filter, which it
    // owns.
    unsafe {
        command.pre_exec(move || {
            let program = libc::sock_fprog {
                len: filter.len() as u16,
                filter: filter.as_ptr().cast_mut(),
            };
            let set = libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
                && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program) == 0;
            match set {
                true => Ok(()),
                false => Err(io::Error::last_os_error()),
            }
        });
    }
}

/// A block device of the host that fails to write what it has taken: a loop device on a sparse file, in a file system
/// that is full.
struct Failing {
    device: PathBuf,
    filler: PathBuf,
}

/// What the program prints.
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {output:?}"
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

impl Failing {
    /// Mounts the file system at the folder, in a namespace of the calling thread's.
    fn new(folder: &Path) -> Self {
        mount(folder, 1);
        let backing = folder.join("backing");
        let sparse = File::create(&backing).expect("a file");
        sparse.set_len(64 << 10).expect("a sparse file");
        let filler = folder.join("filler");
        let mut file = File::create(&filler).expect("a file");
        while file.write_all(&[1; 4096]).is_ok() {}
        let backing = backing.to_str().expect("UTF-8");
        let device = run("losetup", &["--find", "--show", backing]).into();
        Self { device, filler }
    }

    /// Makes room, so that the device does not fail any more.
    fn heal(&self) {
        fs::remove_file(&self.filler).expect("the file");
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        run(
            "losetup",
            &["--detach", self.device.to_str().expect("UTF-8")],
        );
    }
}

/// The kernel tells once that it could not write something, and forgets it: a flush that it then says succeeds is none.
#[test]
fn no_flush_succeeds_after_one_has_failed() {
    let program = Program::new("storage.c");
    for (target, case) in direct_targets()
        .flat_map(|target| ["flush-fails", "flush-fails-beside"].map(|case| (target, case)))
    {
        let test = || {
            let folder = tempfile::tempdir().expect("a folder");
            let failing = Failing::new(folder.path());
            let mut running = start(&program, target, &failing.device, case);
            running.wait_for("failed");
            failing.heal();
            let device = File::options().write(true).open(&failing.device);
            let device = device.expect("the device");
            device.sync_data().expect("the kernel has forgotten it");
            let last = (64 << 10) - 512;
            device.write_all_at(&[0xaa; 512], last).expect("a write");
            assert_success(running, "failed\n");
        };
        thread::scope(|scope| scope.spawn(test).join()).expect("the test");
    }
}
