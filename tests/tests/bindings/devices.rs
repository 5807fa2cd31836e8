//! Block devices: `devices.c` and `many.c`.

use std::fs::{self, File};
use std::path::PathBuf;
use std::thread;

use manifest_gen::{DeviceType, Manifest};
use system_tests::{Network, Target};

use crate::c_guest::{LINKERS, Linker, Program, TARGETS, boot};

/// The manifest of `devices.c`, as a C file.
pub(crate) fn c_manifest() -> String {
    let mut manifest = Manifest::new();
    for (name, device_type) in [
        ("disk", DeviceType::BlockBasic),
        ("service", DeviceType::NetBasic),
        ("store", DeviceType::BlockBasic),
    ] {
        manifest.push(name, device_type).expect("a valid device");
    }
    manifest.to_c()
}

/// An image of so many bytes.
pub(crate) fn image(folder: &tempfile::TempDir, name: &str, size: u64) -> PathBuf {
    let path = folder.path().join(name);
    let file = File::create(&path).expect("an image can be created");
    file.set_len(size).expect("an image can be extended");
    path
}

/// The options that attach two disks and the interface `tap`.
pub(crate) fn options(folder: &tempfile::TempDir, tap: &str) -> Vec<String> {
    vec![
        "--mem=8".to_owned(),
        format!("--net:service={tap}"),
        format!("--block:disk={}", image(folder, "disk", 64 << 10).display()),
        format!(
            "--block:store={}",
            image(folder, "store", 64 << 10).display()
        ),
        "--block-sector-size:store=4096".to_owned(),
    ]
}

#[test]
fn blocks_are_transferred_whole_or_refused() {
    let source = c_manifest();
    let program = Program::new("devices.c").manifest(&source);
    Network::with(|network| {
        network.add_tap("bindings0", "10.0.0.1/24");
        for target in TARGETS {
            for &linker in target.some(&LINKERS, 1) {
                let folder = tempfile::tempdir().expect("a folder");
                let options = options(&folder, "bindings0");
                let executable = program.link(target, linker);
                let run = boot(&executable, target, &options, "--solo5:quiet block", true);
                let outcome = run.wait();
                assert_eq!(outcome.status, 0, "{outcome}");
                assert_eq!(
                    outcome.stdout,
                    "block size 512, capacity 65536\nblock size 4096, capacity 65536\nSUCCESS\n"
                );
            }
        }
    });
}

/// An image that is cut short while in use stays as short: a write does not make it grow again.
#[test]
fn spt_a_write_to_an_image_that_was_cut_short_is_refused() {
    let source = c_manifest();
    let program = Program::new("devices.c").manifest(&source);
    Network::with(|network| {
        network.add_tap("bindings0", "10.0.0.1/24");
        let folder = tempfile::tempdir().expect("a folder");
        let options = options(&folder, "bindings0");
        let executable = program.link(Target::Spt, Linker::Lld);
        let arguments = "--solo5:quiet shrunk";
        let run = boot(&executable, Target::Spt, &options, arguments, true);
        let image = folder.path().join("disk");
        while fs::read(&image).expect("the image")[0] != 7 {
            thread::yield_now();
        }
        let file = File::options().write(true).open(&image).expect("the image");
        file.set_len(100).expect("an image can be cut short");
        let outcome = run.wait();
        assert_eq!(outcome.status, 0, "{outcome}");
        assert_eq!(outcome.stdout, "SUCCESS\n");
        assert_eq!(fs::metadata(&image).expect("the image").len(), 100);
    });
}

#[test]
fn a_manifest_holds_63_devices_and_no_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let options: Vec<String> = (10..73)
        .map(|n| {
            let path = image(&folder, &format!("disk{n}"), 4096);
            format!("--block:disk{n}={}", path.display())
        })
        .collect();
    for target in TARGETS {
        for &linker in target.some(&LINKERS, 1) {
            let executable = Program::new("many.c").link(target, linker);
            let run = boot(&executable, target, &options, "--solo5:quiet", true);
            let outcome = run.wait();
            assert_eq!(outcome.stdout, "SUCCESS\n", "{outcome}");

            let too_many = Program::new("many.c").define("COUNT", 64);
            let message = too_many.try_link(target, linker).unwrap_err();
            assert!(
                message.contains("a manifest has at most 63 devices"),
                "{message}"
            );
        }
    }
}

#[test]
fn a_device_that_is_not_attached_is_named() {
    let source = c_manifest();
    let executable = Program::new("devices.c").manifest(&source);
    let executable = executable.link(Target::Spt, LINKERS[0]);
    let outcome = boot(&executable, Target::Spt, &[], "", true).wait();
    outcome.assert_error(1, "service");
}
