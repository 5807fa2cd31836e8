//! What block devices have beyond Solo5's interface: `storage.c`.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use nix::sched::{CloneFlags, unshare};
use solo5_abi::manifest::BLOCK_FLUSH;
use system_tests::{Running, Target};

use crate::c_guest::{Linker, Program, TARGETS, boot, kvm_runs_general_code};
use crate::devices::image;

/// Boots a case of `storage.c` with this image.
fn start(program: &Program<'_>, target: Target, image: &Path, case: &str) -> Running {
    let options = [
        "--mem=8".to_owned(),
        format!("--block:disk={}", image.display()),
    ];
    let executable = program.link(target, Linker::Lld);
    let arguments = format!("--solo5:quiet {case}");
    boot(&executable, target, &options, &arguments, true)
}

/// The targets whose tender runs on this machine itself, and so on the image itself.
fn direct_targets() -> impl Iterator<Item = Target> {
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
    for target in TARGETS {
        for (program, features) in [(&plain, 0), (&asking, BLOCK_FLUSH)] {
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
        file.set_len(64 << 10).expect("an image can be extended");
        assert_success(running, "there\nshrunk\n");
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
        unshare(CloneFlags::CLONE_NEWNS).expect("a mount namespace needs root");
        run("mount", &["--make-rprivate", "/"]);
        let at = folder.to_str().expect("UTF-8");
        run("mount", &["-t", "tmpfs", "-o", "size=1m", "tmpfs", at]);
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
    for target in direct_targets() {
        let test = || {
            let folder = tempfile::tempdir().expect("a folder");
            let failing = Failing::new(folder.path());
            let mut running = start(&program, target, &failing.device, "flush-fails");
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
