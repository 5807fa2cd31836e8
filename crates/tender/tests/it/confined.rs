//! What a running guest's process has left, as the host sees it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

use solo5_abi::manifest::DeviceType;

use crate::confinement::{sleeper, started};
use crate::support::{Guest, Mortal, Scratch, Tender, run_hvt};

/// A guest that waits, started with these options, of one disk and of SIGTERM too.
fn asleep(scratch: &Scratch, options: &[&str]) -> Mortal {
    let disk = scratch.image("disk.img", 4096, 0);
    let guest = Guest::spt(sleeper())
        .data(b"there\n")
        .device("disk", DeviceType::BlockBasic)
        .asking_for_shutdown();
    let mut command = Command::new(Tender::Spt.path());
    command
        .args(["--mem=2", &format!("--block:disk={}", disk.display())])
        .args(options)
        .arg(guest.write(scratch))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    started(command)
}

fn of(child: &Mortal, name: &str) -> String {
    fs::read_to_string(format!("/proc/{}/{name}", child.id())).unwrap()
}

/// The value behind `name` in `/proc/PID/status` or `/proc/PID/limits`.
#[track_caller]
fn value(text: &str, name: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let line = line.unwrap_or_else(|| panic!("no {name} in {text}"));
    line.trim_start_matches(':')
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn no_privilege_is_left() {
    let scratch = Scratch::new();
    let child = asleep(&scratch, &[]);
    let status = of(&child, "status");
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(value(&status, set), "0000000000000000", "{set}");
    }
    assert_eq!(value(&status, "NoNewPrivs"), "1");
    assert_eq!(value(&status, "Seccomp"), "2");
}

#[test]
fn no_process_of_the_users_may_trace_it_unless_asked_for() {
    let scratch = Scratch::new();
    // What may not be traced shows as root's own, whoever runs it; who runs this test is root.
    let owner = |child: &Mortal| {
        let core = value(&of(child, "limits"), "Max core file size");
        let mem = fs::metadata(format!("/proc/{}/mem", child.id())).unwrap();
        (core, mem.uid())
    };
    let nobody = ["--user=65534:65534"];
    let has_nobody = fs::read_to_string("/proc/self/uid_map")
        .unwrap()
        .contains("4294967295");
    let child = asleep(&scratch, if has_nobody { &nobody } else { &[] });
    assert_eq!(owner(&child), ("0 0 bytes".to_owned(), 0));
    drop(child);
    if has_nobody {
        let child = asleep(&scratch, &["--x-dumpable", nobody[0]]);
        assert_ne!(owner(&child).0, "0 0 bytes");
        assert_eq!(owner(&child).1, 65534);
    }
}

#[test]
fn limits_leave_nothing_to_take() {
    let scratch = Scratch::new();
    let child = asleep(&scratch, &[]);
    let limits = of(&child, "limits");
    assert_eq!(value(&limits, "Max open files"), "0 0 files");
    assert_eq!(value(&limits, "Max processes"), "0 0 processes");
    assert_eq!(value(&limits, "Max file size"), "4096 4096 bytes");
}

#[test]
fn descriptors_of_whoever_started_it_are_closed() {
    let scratch = Scratch::new();
    let guest = Guest::spt(sleeper()).data(b"there\n");
    // Of its three streams, and one more, the guest has two.
    let mut command = Command::new("sh");
    command
        .args(["-c", "exec 9</dev/null; exec \"$@\"", "sh"])
        .arg(Tender::Spt.path())
        .arg("--mem=2")
        .arg(guest.write(&scratch))
        .stdout(Stdio::piped());
    let child = started(command);
    let folder = fs::read_dir(format!("/proc/{}/fd", child.id())).unwrap();
    let mut open: Vec<_> = folder
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    open.sort_unstable();
    assert!(
        !open.contains(&"0".to_owned()) && !open.contains(&"9".to_owned()),
        "{open:?}"
    );
    assert_eq!(open[..2], ["1", "2"]);
}

#[test]
fn it_has_namespaces_of_its_own_and_an_empty_root() {
    let scratch = Scratch::new();
    let child = asleep(&scratch, &[]);
    let namespace =
        |process: &str, name: &str| fs::read_link(format!("/proc/{process}/ns/{name}")).unwrap();
    let id = child.id().to_string();
    for name in ["mnt", "ipc", "uts", "net"] {
        assert_ne!(namespace(&id, name), namespace("self", name));
    }
    let root = fs::read_dir(format!("/proc/{id}/root")).unwrap();
    assert_eq!(root.count(), 0);
    // Nothing that the host has mounted is kept.
    assert_eq!(of(&child, "mounts").lines().count(), 1);
}

#[test]
fn what_the_host_did_not_allow_is_told() {
    let scratch = Scratch::new();
    let kernel = Guest::spt(crate::support::Code::new().exit(0)).write(&scratch);
    // Nobody may make a namespace here.
    let program = "echo 0 >/proc/sys/user/max_net_namespaces && exec \"$@\"";
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "sh", "-c", program, "sh"])
        .arg(Tender::Spt.path())
        .args(["--mem=2", "--verbose"])
        .arg(kernel)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.starts_with("solo5-spt: confined, without "), "{text}");
    assert!(text.contains("net namespace ("), "{text}");
    assert!(!text.contains("mount namespace"), "{text}");
}

#[test]
fn hvt_is_confined_too() {
    let scratch = Scratch::new();
    let kernel = Guest::hvt(crate::support::Code::new().hlt()).write(&scratch);
    let ended = run_hvt(&kernel, ["--mem=4", "--verbose"], &[]);
    assert!(ended.stderr.starts_with("solo5-hvt: confined"), "{ended:?}");
    assert!(ended.stderr.contains("guest executed HLT"), "{ended:?}");
}
