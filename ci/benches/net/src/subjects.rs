//! The servers that are compared, each started on interfaces of its own.

use std::{
    env,
    io::{self, BufRead, BufReader, Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bench_common::{
    CLIENT_CPU, Process, SERVER_CPU,
    build::{self, beside_us, repository},
    http::CLIENT,
    network,
    server::{self, SERVER},
};
use serde_json::{Map, Value};

/// How long a server may take to answer its first connection.
const START_UP: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, PartialEq)]
pub enum Subject {
    Mkernel,
    Smoltcp,
    Tokio,
    /// Ours as another checkout has it: `BENCH_BEFORE`.
    Before,
    /// Ours behind passt, reached at this host's own ports.
    User,
    /// Ours over IPv6.
    V6,
    /// tokio over IPv6.
    TokioV6,
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
            Subject::User => "mkernel-user",
            Subject::V6 => "mkernel-v6",
            Subject::TokioV6 => "tokio-current-thread-v6",
        }
    }

    /// The third byte of the subject's network, 10.0.x.0/24.
    fn network(self) -> u8 {
        self as u8
    }

    /// Where clients reach it.
    fn address(self) -> IpAddr {
        match self {
            Subject::User => Ipv4Addr::LOCALHOST.into(),
            Subject::V6 | Subject::TokioV6 => network::served_v6(self.network()).into(),
            _ => network::served(self.network()).into(),
        }
    }
}

/// A running server; ends with this value.
pub struct Server {
    subject: Subject,
    placement: Placement,
    process: Process,
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
        let process = match subject {
            Subject::Mkernel | Subject::Before | Subject::V6 => {
                network::add_tap(&link, network, mtu)?;
                let root = match subject {
                    Subject::Before => before().context("BENCH_BEFORE")?,
                    _ => repository(),
                };
                let tender = root.join("target/release/solo5-spt");
                let program = root.join("target/x86_64-solo5-spt/release/inetd");
                let mut command = server::unikernel(&tender, &program, &link, subject.address());
                SERVER.process(&mut command)?
            }
            Subject::User => {
                // Three processes: where each runs is the kernel's affair.
                let mut command = Command::new("taskset");
                command
                    .args(["-c", &format!("{CLIENT_CPU},{SERVER_CPU}")])
                    .arg(repository().join("target/release/solo5-spt"))
                    .arg("--net:service=user,tcp=3000,tcp=3009,tcp=3019")
                    .arg("--")
                    .arg(repository().join("target/x86_64-solo5-spt/release/inetd"))
                    .arg("--solo5:quiet")
                    .stdout(Stdio::null());
                SERVER.process(&mut command)?
            }
            Subject::Smoltcp => {
                network::add_tap(&link, network, mtu)?;
                let mut command = Command::new(beside_us("peer-smoltcp")?);
                command.args([&link, &subject.address().to_string()]);
                command.args([connections.max(2).to_string(), smoltcp_buffer.to_string()]);
                SERVER.process(&mut command)?
            }
            Subject::Tokio | Subject::TokioV6 => {
                let mut command = Command::new(beside_us("peer-tokio")?);
                server::behind_veth(&link, network, mtu, &mut command)?
            }
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
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut client = CLIENT.process(&mut command)?;
        let stdout = client
            .child()
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

    pub fn process(&self) -> &Process {
        &self.process
    }

    fn client(&self, case: &str, connections: usize, seconds: f64) -> Result<Command> {
        let cpu = match self.placement {
            Placement::OneCpu => SERVER_CPU,
            Placement::TwoCpus => CLIENT_CPU,
        };
        let mut command = Command::new("taskset");
        command.args(["-c", &cpu.to_string()]);
        command.arg(beside_us("load")?);
        command.args([case, &self.subject.address().to_string()]);
        command.args([connections.to_string(), seconds.to_string()]);
        Ok(command)
    }

    fn wait_until_it_answers(&self) -> Result<()> {
        let address = SocketAddr::from((self.subject.address(), 3000));
        let deadline = Instant::now() + START_UP;
        while echo(address).is_err() {
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

/// Has an octet echoed: passt takes connections that nobody listens for yet, and ends them.
fn echo(address: SocketAddr) -> io::Result<()> {
    const PATIENCE: Duration = Duration::from_millis(200);
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"m")?;
    stream.read_exact(&mut [0])
}

/// A client that holds connections open until it is dropped.
pub struct Held(#[expect(dead_code, reason = "it ends with this value")] Process);

/// Builds tender and unikernel in release mode, of every checkout that takes part.
pub fn build_unikernels() -> Result<()> {
    for root in [Some(repository()), before()].into_iter().flatten() {
        build::tender(&root, "solo5-spt")?;
        build::unikernel(&root, "inetd", "release")?;
    }
    Ok(())
}

/// The root of the checkout to compare with.
fn before() -> Option<PathBuf> {
    env::var_os("BENCH_BEFORE").map(PathBuf::from)
}
