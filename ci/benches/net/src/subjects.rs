//! The servers that are compared, each started on interfaces of its own.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value};

pub const CLIENT_CPU: usize = 0;
const SERVER_CPU: usize = 1;

/// How long a server may take to answer its first connection.
const START_UP: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, PartialEq)]
pub enum Subject {
    Mkernel,
    Smoltcp,
    Tokio,
    /// Ours as another checkout has it: `BENCH_BEFORE`.
    Before,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Placement {
    OneCpu,
    TwoCpus,
}

impl Subject {
    /// Ours first, then the peers.
    pub const COLUMNS: [Subject; 3] = [Subject::Mkernel, Subject::Smoltcp, Subject::Tokio];

    /// Those, and what ours was before if there is a checkout of that.
    pub fn all() -> Vec<Subject> {
        let before = before().map(|_| Subject::Before);
        Self::COLUMNS.into_iter().chain(before).collect()
    }

    pub fn name(self) -> &'static str {
        match self {
            Subject::Mkernel => "mkernel",
            Subject::Smoltcp => "smoltcp",
            Subject::Tokio => "tokio-current-thread",
            Subject::Before => "mkernel-before",
        }
    }

    /// The third byte of the subject's network, 10.0.x.0/24.
    fn network(self) -> u8 {
        self as u8
    }
}

/// A running server; ends with this value.
pub struct Server {
    subject: Subject,
    placement: Placement,
    process: Child,
}

impl Server {
    /// Makes the subject's interface anew and starts its server behind it.
    pub fn start(
        subject: Subject,
        mtu: usize,
        placement: Placement,
        connections: usize,
        smoltcp_buffer: usize,
    ) -> Result<Server> {
        let network = subject.network();
        let link = format!("bench{network}");
        // Fails where there is none yet.
        let _ = ip(&["link", "del", &link]);
        let process = match subject {
            Subject::Mkernel | Subject::Before => {
                add_tap(&link, network, mtu)?;
                let root = match subject {
                    Subject::Before => before().context("BENCH_BEFORE")?,
                    _ => repository(),
                };
                on_cpu(SERVER_CPU, format!("{root}/target/release/solo5-spt"))
                    .arg("--mem=512")
                    .arg(format!("--net:service={link}"))
                    .arg("--")
                    .arg(format!("{root}/target/x86_64-solo5-spt/release/inetd"))
                    .args(["--solo5:quiet", &format!("--ipv4=10.0.{network}.2/24")])
                    .stdout(Stdio::null())
                    .spawn()?
            }
            Subject::Smoltcp => {
                add_tap(&link, network, mtu)?;
                on_cpu(SERVER_CPU, beside_us("peer-smoltcp")?)
                    .args([&link, &format!("10.0.{network}.2")])
                    .args([connections.max(2).to_string(), smoltcp_buffer.to_string()])
                    .spawn()?
            }
            Subject::Tokio => start_behind_veth(&link, network, mtu)?,
        };
        let server = Server {
            subject,
            placement,
            process,
        };
        server.wait_until_it_answers()?;
        Ok(server)
    }

    pub fn subject(&self) -> Subject {
        self.subject
    }

    /// Runs a case of `load` against this server; its metrics by name.
    pub fn load(&self, case: &str, connections: usize, seconds: f64) -> Result<Vec<(String, f64)>> {
        let output = self.client(case, connections, seconds)?.output()?;
        ensure!(
            output.status.success(),
            "{} against {}: {}",
            case,
            self.subject.name(),
            String::from_utf8_lossy(&output.stderr)
        );
        let metrics: Map<String, Value> = serde_json::from_slice(&output.stdout)?;
        let number = |(name, value): (String, Value)| value.as_f64().map(|value| (name, value));
        Ok(metrics.into_iter().filter_map(number).collect())
    }

    /// Opens connections, uses each once, and holds them.
    pub fn hold_connections(&self, connections: usize) -> Result<Held> {
        let mut command = self.client("idle", connections, 0.0)?;
        let mut client = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = client
            .stdout
            .take()
            .context("the client's standard output")?;
        let held = Held(client);
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        ensure!(
            line == "ready\n",
            "{}: the client said {line:?}",
            self.subject.name()
        );
        Ok(held)
    }

    /// Processor time of the server so far, in seconds.
    pub fn cpu_time(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        // Fields 14 and 15, counted from the end of the name in parentheses.
        let fields = stat.rsplit(") ").next().unwrap_or_default();
        let ticks: u64 = fields
            .split(' ')
            .skip(11)
            .take(2)
            .map(|field| field.parse().unwrap_or(0))
            .sum();
        Ok(ticks as f64 / 100.0)
    }

    pub fn resident_bytes(&self) -> Result<u64> {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.process.id()))?;
        let line = rollup
            .lines()
            .find(|line| line.starts_with("Rss:"))
            .context("no Rss line")?;
        let kib: u64 = line
            .split_whitespace()
            .nth(1)
            .context("no figure")?
            .parse()?;
        Ok(kib << 10)
    }

    fn client(&self, case: &str, connections: usize, seconds: f64) -> Result<Command> {
        let cpu = match self.placement {
            Placement::OneCpu => SERVER_CPU,
            Placement::TwoCpus => CLIENT_CPU,
        };
        let mut command = on_cpu(cpu, beside_us("load")?);
        command.args([case, &format!("10.0.{}.2", self.subject.network())]);
        command.args([connections.to_string(), seconds.to_string()]);
        Ok(command)
    }

    fn wait_until_it_answers(&self) -> Result<()> {
        let address = SocketAddr::from(([10, 0, self.subject.network(), 2], 3000));
        let deadline = Instant::now() + START_UP;
        while TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_err() {
            ensure!(
                Instant::now() < deadline,
                "{}: does not answer",
                self.subject.name()
            );
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only if it has ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A client that holds connections open until it is dropped.
pub struct Held(Child);

impl Drop for Held {
    fn drop(&mut self) {
        // As above.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Builds tender and unikernel in release mode, of every checkout that takes part.
pub fn build_unikernels() -> Result<()> {
    build_unikernel(&repository())?;
    before().map_or(Ok(()), |root| build_unikernel(&root))
}

fn build_unikernel(root: &str) -> Result<()> {
    for arguments in [
        ["-p", "solo5-tender", "--bin", "solo5-spt"],
        ["-p", "inetd", "--target", "x86_64-solo5-spt"],
    ] {
        let mut cargo = Command::new("cargo");
        let status = cargo
            .args(["build", "--release", "--quiet"])
            .args(arguments)
            .current_dir(root)
            .status()?;
        ensure!(status.success(), "cargo build {arguments:?}: {status}");
    }
    Ok(())
}

/// Lets the client open connections at any rate.
pub fn prepare_namespace() -> Result<()> {
    ip(&["link", "set", "lo", "up"])?;
    fs::write("/proc/sys/net/ipv4/ip_local_port_range", "1024 65535")?;
    // A client that closes first would otherwise run out of ports.
    fs::write("/proc/sys/net/ipv4/tcp_max_tw_buckets", "0")?;
    Ok(())
}

/// The root of the repository.
pub fn repository() -> String {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .nth(3)
        .unwrap_or(here)
        .display()
        .to_string()
}

/// The root of the checkout to compare with.
fn before() -> Option<String> {
    env::var("BENCH_BEFORE").ok()
}

fn add_tap(link: &str, network: u8, mtu: usize) -> Result<()> {
    ip(&["tuntap", "add", link, "mode", "tap"])?;
    bring_up(link, network, mtu)
}

fn bring_up(link: &str, network: u8, mtu: usize) -> Result<()> {
    ip(&["addr", "add", &format!("10.0.{network}.1/24"), "dev", link])?;
    ip(&["link", "set", link, "mtu", &mtu.to_string(), "up"])
}

/// A namespace of its own for the server, joined to ours by a veth pair.
fn start_behind_veth(link: &str, network: u8, mtu: usize) -> Result<Child> {
    let process = Command::new("unshare")
        .args(["--net", "taskset", "-c", &SERVER_CPU.to_string()])
        .arg(beside_us("peer-tokio")?)
        .spawn()?;
    let pid = process.id().to_string();
    let ours = fs::read_link("/proc/self/ns/net")?;
    let deadline = Instant::now() + START_UP;
    while fs::read_link(format!("/proc/{pid}/ns/net"))? == ours {
        ensure!(
            Instant::now() < deadline,
            "unshare --net: no namespace after {START_UP:?}"
        );
        thread::sleep(Duration::from_millis(5));
    }
    ip(&[
        "link", "add", link, "type", "veth", "peer", "name", "server", "netns", &pid,
    ])?;
    bring_up(link, network, mtu)?;
    let inside = |arguments: &[&str]| {
        let mut all = vec!["-t", &pid, "-n", "ip"];
        all.extend(arguments);
        run("nsenter", &all)
    };
    inside(&[
        "addr",
        "add",
        &format!("10.0.{network}.2/24"),
        "dev",
        "server",
    ])?;
    inside(&["link", "set", "server", "mtu", &mtu.to_string(), "up"])?;
    Ok(process)
}

fn on_cpu(cpu: usize, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", &cpu.to_string()]).arg(program);
    command
}

/// Another program of this package, built with this one.
pub fn beside_us(name: &str) -> Result<PathBuf> {
    Ok(env::current_exe()?.with_file_name(name))
}

fn ip(arguments: &[&str]) -> Result<()> {
    run("ip", arguments)
}

fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .context(program.to_owned())?;
    ensure!(
        output.status.success(),
        "{program} {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
