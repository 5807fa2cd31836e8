use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use system_tests::Running;

/// Where the unikernel listens.
pub(crate) const SERVICE: SocketAddr = SocketAddr::new(
    std::net::IpAddr::V4(std::net::Ipv4Addr::new(172, 30, 0, 2)),
    3000,
);

/// Where a container runtime would have put the things that a container finds.
const ENTER: &str = "cd \"$1\" && mkdir -p dev proc sys && mount --rbind /dev dev && mount --rbind /proc proc && \
     mount -t sysfs sysfs sys && shift && exec \"$@\"";

/// A network namespace with an interface `eth0`, of the address 172.30.0.2, which leads to one of this namespace.
pub(crate) struct Container {
    /// It does nothing but be in there.
    holder: Child,
}

impl Container {
    pub(crate) fn new() -> Self {
        let holder = Command::new("unshare")
            .args(["--net", "cat"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let container = Self { holder };
        let ours = fs::read_link("/proc/thread-self/ns/net").unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while fs::read_link(container.namespace()).unwrap() == ours {
            assert!(Instant::now() < deadline, "no network namespace");
            thread::sleep(Duration::from_millis(5));
        }
        let id = container.holder.id().to_string();
        ip(&[
            "link", "add", "outside", "type", "veth", "peer", "name", "eth0", "netns", &id,
        ]);
        ip(&["address", "add", "172.30.0.1/24", "dev", "outside"]);
        ip(&["link", "set", "outside", "up"]);
        for arguments in [
            &["link", "set", "lo", "up"][..],
            &["address", "add", "172.30.0.2/24", "dev", "eth0"],
            &["link", "set", "eth0", "mtu", "1400", "up"],
            &["route", "add", "default", "via", "172.30.0.1"],
        ] {
            succeed(container.inside().arg("ip").args(arguments));
        }
        container
    }

    /// The file that stands for the namespace.
    pub(crate) fn namespace(&self) -> String {
        format!("/proc/{}/ns/net", self.holder.id())
    }

    /// A command in there, to be completed.
    pub(crate) fn inside(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.namespace()));
        command
    }

    /// Starts a program of the folder `root`, which it takes for the root.
    pub(crate) fn start(&self, root: &Path, words: &[&str]) -> Running {
        self.start_by(&[], root, words)
    }

    /// The same by way of `starter`, which runs what is behind its own words.
    pub(crate) fn start_by(&self, starter: &[&str], root: &Path, words: &[&str]) -> Running {
        let mut command = self.inside();
        command
            .args(["unshare", "--mount", "sh", "-c", ENTER, "sh"])
            .arg(root)
            .args(starter)
            .args(["chroot", "."])
            .args(words);
        Running::start(command, Duration::from_secs(60))
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn ip(arguments: &[&str]) {
    succeed(Command::new("ip").args(arguments));
}

#[track_caller]
pub(crate) fn succeed(command: &mut Command) {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
}
