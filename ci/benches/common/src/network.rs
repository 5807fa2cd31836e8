//! Interfaces and namespaces, by `ip`. What is measured has the address 10.0.N.2, we have 10.0.N.1; over IPv6 they are
//! fd00:0:0:N::2 and fd00:0:0:N::1.

use std::fs::{self, File};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::process::{self, Command};
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use nix::sched::{CloneFlags, setns, unshare};

/// Runs `ip` with these arguments.
///
/// # Errors
///
/// When there is no `ip`, and when it fails.
pub fn ip(arguments: &str) -> Result<()> {
    let output = Command::new("ip")
        .args(arguments.split(' '))
        .output()
        .context("ip, of the package iproute2")?;
    ensure!(
        output.status.success(),
        "ip {arguments}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

/// Moves this process to a network namespace of its own, with which all its interfaces end.
///
/// # Errors
///
/// Without root.
pub fn enter_namespace() -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNET).context("a network namespace needs root")?;
    ip("link set lo up")
}

/// Lets clients in this namespace open connections at any rate.
///
/// # Errors
///
/// When the kernel has no such settings.
pub fn open_at_any_rate() -> Result<()> {
    fs::write("/proc/sys/net/ipv4/ip_local_port_range", "1024 65535")?;
    // A client that closes first would otherwise run out of ports.
    fs::write("/proc/sys/net/ipv4/tcp_max_tw_buckets", "0")?;
    Ok(())
}

/// The address of what is measured on network `number`.
pub fn served(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, number, 2)
}

/// The same over IPv6.
pub fn served_v6(number: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, 0, 0, number.into(), 0, 0, 0, 2)
}

/// Deletes an interface; nothing where there is none.
pub fn delete(link: &str) {
    // Fails only where there is none.
    let _ = ip(&format!("link del {link}"));
}

/// Makes a TAP interface anew, with our addresses on it.
///
/// # Errors
///
/// As [`ip`].
pub fn add_tap(link: &str, number: u8, mtu: usize) -> Result<()> {
    delete(link);
    ip(&format!("tuntap add {link} mode tap"))?;
    bring_up(link, number, 1, mtu)
}

/// Makes a veth pair anew: `link`, with our addresses on it, and `server` in the namespace given.
///
/// # Errors
///
/// As [`ip`].
pub fn add_veth(link: &str, number: u8, mtu: usize, namespace: &Namespace) -> Result<()> {
    delete(link);
    let path = namespace.path();
    ip(&format!(
        "link add {link} type veth peer name server netns {path}"
    ))?;
    bring_up(link, number, 1, mtu)?;
    namespace.enter(|| bring_up("server", number, 2, mtu))?
}

/// Gives an interface the addresses of `host` on network `number`; that of IPv6 is used at once.
fn bring_up(link: &str, number: u8, host: u8, mtu: usize) -> Result<()> {
    ip(&format!("addr add 10.0.{number}.{host}/24 dev {link}"))?;
    ip(&format!(
        "addr add fd00:0:0:{number:x}::{host}/64 dev {link} nodad"
    ))?;
    ip(&format!("link set {link} mtu {mtu} up"))
}

/// A network namespace; it exists as long as this value, or a process in it.
#[derive(Debug)]
pub struct Namespace(File);

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Namespace {
    /// A new one.
    ///
    /// # Errors
    ///
    /// Without root.
    pub fn new() -> Result<Self> {
        on_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET).context("a network namespace needs root")?;
            Ok(Self(File::open("/proc/thread-self/ns/net")?))
        })?
    }

    /// Runs `action` in the namespace, on a thread of its own.
    ///
    /// # Errors
    ///
    /// When the namespace cannot be entered.
    pub fn enter<T: Send>(&self, action: impl FnOnce() -> T + Send) -> Result<T> {
        on_thread(|| {
            setns(&self.0, CloneFlags::CLONE_NEWNET)?;
            Ok(action())
        })?
    }

    /// A file that other programs can open.
    fn path(&self) -> String {
        format!("/proc/{}/fd/{}", process::id(), self.0.as_raw_fd())
    }
}

/// Runs `action` on a thread of its own: namespace and processors of a thread are what the processes have
/// that it starts.
pub(crate) fn on_thread<T: Send>(action: impl FnOnce() -> T + Send) -> Result<T> {
    thread::scope(|scope| scope.spawn(action).join()).map_err(|_| anyhow!("a thread panicked"))
}
