//! The program passt, which stands for a network behind a stream of frames, as an ordinary user.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::cable::pair;

/// The program's name.
const PROGRAM: &str = "passt";
/// The router's address on the link. The one that passt would take, its own interface's, may have none.
const ROUTER_MAC: &str = "9a:55:9a:55:9a:55";

/// How long [`Passt::start`] waits for ports that are in use: a passt whose guest has just ended closes its own only after that
/// guest's tender has ended.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often it looks.
const PAUSE: Duration = Duration::from_millis(2);

/// A port of the host's that leads to one of the guest's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forward {
    /// Where the host listens.
    pub host: SocketAddrV4,
    /// The guest's port.
    pub guest: u16,
}

/// The network that passt is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passt {
    /// The guest's address.
    pub address: Ipv4Addr,
    /// Bits of its network's prefix.
    pub prefix: u8,
    /// The router's address, passt itself.
    pub gateway: Ipv4Addr,
    /// The address at which the host's name server answers.
    pub dns: Ipv4Addr,
    /// Octets of the longest IP packet.
    pub mtu: u16,
    /// Whether the router's address leads to the host's loopback interface.
    pub host_loopback: bool,
    /// TCP ports.
    pub tcp: Vec<Forward>,
    /// UDP ports.
    pub udp: Vec<Forward>,
}

/// Why there is no such network.
#[derive(Debug, thiserror::Error)]
pub enum PasstError {
    /// The program is not there.
    #[error("expected the program {PROGRAM} on PATH (apt-get install {PROGRAM})")]
    Missing,
    /// The program cannot be started.
    #[error("cannot start {PROGRAM}: {0}")]
    Start(#[source] io::Error),
    /// The program has ended with an error.
    #[error("{PROGRAM} refuses to start: {0}")]
    Refused(String),
    /// A port cannot be listened on.
    #[error("cannot listen on {protocol} port {host}: {source}")]
    Port {
        /// `tcp` or `udp`.
        protocol: &'static str,
        /// The address.
        host: SocketAddrV4,
        /// Why not.
        source: io::Error,
    },
}

impl PasstError {
    /// Whether something else has the port.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        matches!(self, Self::Port { source, .. } if source.kind() == io::ErrorKind::AddrInUse)
    }
}

impl Passt {
    /// Starts the program, in the background; the stream of frames that it ends with.
    ///
    /// # Errors
    ///
    /// When it is not installed, or cannot listen on a port, also a second later if that is in use.
    pub fn start(&self) -> Result<OwnedFd, PasstError> {
        let until = Instant::now() + PATIENCE;
        for forward in &self.tcp {
            can_listen("tcp", forward.host, until)?;
        }
        for forward in &self.udp {
            can_listen("udp", forward.host, until)?;
        }
        let [stream, end] = pair(libc::SOCK_STREAM).map_err(PasstError::Start)?;
        let end = end.as_raw_fd();
        let mut command = Command::new(PROGRAM);
        command.args(self.arguments(end)).stdin(Stdio::null());
        hand_down(&mut command, end);
        // It goes to the background when all is done, with no descriptor of these left.
        let output = command.output().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => PasstError::Missing,
            _ => PasstError::Start(error),
        })?;
        match output.status.success() {
            true => Ok(stream),
            false => Err(PasstError::Refused(complaint(&output.stderr))),
        }
    }

    fn arguments(&self, fd: i32) -> Vec<String> {
        let mut arguments = vec!["--quiet".to_owned(), "--ipv4-only".to_owned()];
        let mut option = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        option("--fd", fd.to_string());
        option("--address", self.address.to_string());
        option("--netmask", self.prefix.to_string());
        option("--gateway", self.gateway.to_string());
        option("--mac-addr", ROUTER_MAC.to_owned());
        option("--dns-forward", self.dns.to_string());
        option("--mtu", self.mtu.to_string());
        for (name, forwards) in [("--tcp-ports", &self.tcp), ("--udp-ports", &self.udp)] {
            for Forward { host, guest } in forwards {
                option(name, format!("{}/{}:{guest}", host.ip(), host.port()));
            }
        }
        if !has_default_route() {
            // It refuses to start without an interface, from which it needs nothing that is not said above.
            option("--interface", "lo".to_owned());
        }
        if !self.host_loopback {
            arguments.push("--no-map-gw".to_owned());
        }
        arguments
    }
}

/// Has a program inherit `fd` and its standard streams, but no other descriptor: such as those that this process was started
/// with, which may be anything.
fn hand_down(command: &mut Command, fd: RawFd) {
    // SAFETY: the closure makes two system calls, which take no pointer.
    unsafe {
        command.pre_exec(move || {
            // A kernel before 5.11 does not.
            let (first, last) = (libc::STDERR_FILENO + 1, libc::c_uint::MAX);
            let flags = libc::CLOSE_RANGE_CLOEXEC;
            libc::syscall(libc::SYS_close_range, first, last, flags);
            match libc::fcntl(fd, libc::F_SETFD, 0) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        });
    }
}

/// Whether that can be listened on, by doing so: passt does not say what is in its way. What is in use is tried again `until`
/// then.
///
/// # Errors
///
/// When it cannot.
pub fn can_listen(
    protocol: &'static str,
    host: SocketAddrV4,
    until: Instant,
) -> Result<(), PasstError> {
    loop {
        let tried = match protocol {
            "udp" => UdpSocket::bind(host).map(drop),
            _ => TcpListener::bind(host).map(drop),
        };
        let tried = tried.map_err(|source| PasstError::Port {
            protocol,
            host,
            source,
        });
        match tried {
            Err(error) if error.is_in_use() && Instant::now() < until => thread::sleep(PAUSE),
            tried => return tried,
        }
    }
}

/// Whether the routing table of this network namespace has a default route.
fn has_default_route() -> bool {
    let table = fs::read_to_string("/proc/net/route").unwrap_or_default();
    let mut routes = table.lines().skip(1);
    routes.any(|route| route.split_whitespace().nth(1) == Some("00000000"))
}

/// The last line that says what is wrong.
fn complaint(stderr: &[u8]) -> String {
    let stderr = String::from_utf8_lossy(stderr);
    let lines = stderr.lines().map(str::trim);
    let mut said = lines.filter(|line| !line.is_empty() && !line.starts_with("Failed to send "));
    said.next_back().unwrap_or("it does not say why").to_owned()
}

#[cfg(test)]
mod tests;
