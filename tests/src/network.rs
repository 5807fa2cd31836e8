//! A private network: a namespace in which the test and the unikernels it boots are alone.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};

use crate::build::workspace;
use crate::process::Running;

/// The network namespace that a test is in; it exists while the closure given to [`Network::with`] runs.
#[derive(Debug)]
pub struct Network(());

impl Network {
    /// Runs `test` on a thread in a new network namespace. Sockets it opens, threads and processes it starts are in
    /// there too.
    pub fn with(test: impl FnOnce(&Network) + Send) {
        // Before the machine's own network is out of reach: a first use may download.
        prepare_hvt();
        let result = thread::scope(|scope| {
            let thread = scope.spawn(|| {
                unshare(CloneFlags::CLONE_NEWNET).unwrap_or_else(|error| {
                    panic!("a network namespace needs root (or `unshare --user --map-root-user`): {error}")
                });
                ip(&["link", "set", "dev", "lo", "up"]);
                test(&Network(()));
            });
            thread.join()
        });
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    }

    /// Makes the TAP interface `name`, which is up, with the host's address on it (`10.0.0.1/24`).
    pub fn add_tap(&self, name: &str, address: &str) {
        ip(&["tuntap", "add", "dev", name, "mode", "tap"]);
        ip(&["address", "add", address, "dev", name]);
        ip(&["link", "set", "dev", name, "up"]);
    }

    /// Gives the interface an IPv6 address of the host's (`fd00::1/64`), to be used at once.
    pub fn add_ipv6(&self, name: &str, address: &str) {
        // Some machines do without.
        let disabled = format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6");
        fs::write(&disabled, "0").unwrap_or_else(|error| panic!("{disabled}: {error}"));
        ip(&["address", "add", address, "dev", name, "nodad"]);
    }

    /// Deletes the interface.
    pub fn delete(&self, name: &str) {
        ip(&["link", "delete", "dev", name]);
    }

    /// Takes the interface down.
    pub fn set_down(&self, name: &str) {
        ip(&["link", "set", "dev", name, "down"]);
    }
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip")
        .args(arguments)
        .output()
        .unwrap_or_else(|error| {
            panic!("cannot run ip (package iproute2, which ci/setup installs): {error}")
        });
    assert!(
        output.status.success(),
        "ip {} (a TAP interface needs /dev/net/tun, open to this user): {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn prepare_hvt() {
    let status = Command::new(workspace().join("ci/hvt"))
        .arg("--prepare")
        .status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "ci/hvt --prepare failed"
    );
}

impl Running {
    /// Connects to this unikernel, which may still be booting; panics when it does not listen `within` this time.
    #[track_caller]
    pub fn connect(&mut self, address: SocketAddr, within: Duration) -> TcpStream {
        let deadline = Instant::now() + within;
        loop {
            let error = match TcpStream::connect_timeout(&address, ATTEMPT) {
                Ok(stream) => return stream,
                Err(error) => error,
            };
            if !is_too_early(&error) || Instant::now() >= deadline || self.has_ended() {
                panic!("no connection to {address}: {error}; {}", self.outcome());
            }
            thread::sleep(PAUSE);
        }
    }
}

/// For the answer to one attempt: the kernel asks for the address, and repeats its SYN, each second.
const ATTEMPT: Duration = Duration::from_secs(5);

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(20);

/// A unikernel that does not listen yet refuses, and one that has no address yet is not reached.
fn is_too_early(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionRefused, HostUnreachable, NetworkDown, NetworkUnreachable, TimedOut,
    };
    matches!(
        error.kind(),
        ConnectionRefused | HostUnreachable | NetworkDown | NetworkUnreachable | TimedOut
    )
}
