//! What a running guest's process has left, as the host sees it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

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

/// The user's option for nobody, where there is another user than root.
fn nobody() -> &'static [&'static str] {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap();
    match map.contains("4294967295") {
        true => &["--user=65534:65534"],
        false => &[],
    }
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
    let child = asleep(&scratch, nobody());
    assert_eq!(owner(&child), ("0 0 bytes".to_owned(), 0));
    drop(child);
    if let [user] = nobody() {
        let child = asleep(&scratch, &["--x-dumpable", user]);
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

/// `/proc/PID/status` of the one process that a guest's has started, once that has its filter, which it takes last.
fn status_of_relay(child: &Mortal) -> String {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let relays = of(child, &format!("task/{}/children", child.id()));
        let status = fs::read_to_string(format!("/proc/{}/status", relays.trim())).unwrap();
        if value(&status, "Seccomp") == "2" {
            return status;
        }
        assert!(Instant::now() < deadline, "{status}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_relay_has_no_privilege_either() {
    let scratch = Scratch::new();
    let guest = Guest::spt(sleeper())
        .data(b"there\n")
        .device("service", DeviceType::NetBasic)
        .write(&scratch);
    let theirs = scratch.path("theirs");
    let _listener = UnixListener::bind(&theirs).unwrap();
    // It listens at the first path and connects at the second.
    for path in [scratch.path("ours"), theirs] {
        let mut command = Command::new(Tender::Spt.path());
        command
            .args(["--mem=2", &format!("--net:service=unix:{}", path.display())])
            .args(nobody())
            .arg(&guest)
            .stdout(Stdio::piped());
        let status = status_of_relay(&started(command));
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(value(&status, set), "0000000000000000", "{set}");
        }
        assert_eq!(value(&status, "NoNewPrivs"), "1");
        if !nobody().is_empty() {
            assert_eq!(value(&status, "Uid"), "65534 65534 65534 65534");
            assert_eq!(value(&status, "Groups"), "");
        }
    }
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
