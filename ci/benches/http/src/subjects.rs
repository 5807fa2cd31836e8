//! The servers that are compared, each on a network of its own.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::PathBuf,
    process::Command,
};

use anyhow::{Context, Result};
use bench_common::{
    Process,
    build::{self, beside_us, repository},
    http, network,
    server::{self, SERVER},
};

use crate::{nginx, other_executor};

/// The package of `examples/http`.
const PACKAGE: &str = "http-server";
const MTU: usize = 1500;
/// Octets of a download.
pub const DOWNLOAD: u64 = 128 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    Mkernel,
    AsyncExecutor,
    TokioCurrentThread,
    TokioMultiThread,
    Axum,
    Nginx,
    Smoltcp,
}

impl Subject {
    /// Ours first, then the peers.
    pub const ALL: [Subject; 7] = [
        Subject::Mkernel,
        Subject::AsyncExecutor,
        Subject::TokioCurrentThread,
        Subject::TokioMultiThread,
        Subject::Axum,
        Subject::Nginx,
        Subject::Smoltcp,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Subject::Mkernel => "mkernel",
            Subject::AsyncExecutor => "mkernel-async-executor",
            Subject::TokioCurrentThread => "tokio-current-thread",
            Subject::TokioMultiThread => "tokio-multi-thread",
            Subject::Axum => "axum-tokio-current-thread",
            Subject::Nginx => "nginx",
            Subject::Smoltcp => "smoltcp",
        }
    }
}

/// What servers are started from.
pub struct Programs {
    tender: PathBuf,
    mkernel: PathBuf,
    async_executor: PathBuf,
    /// The folder that nginx serves.
    files: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

impl Programs {
    /// Builds tender and unikernels, as far as they are wanted, and makes a certificate and the file to download.
    pub fn prepare(wanted: &[Subject]) -> Result<Self> {
        let root = repository();
        let files = root.join("target/bench/http");
        fs::create_dir_all(&files)?;
        let mut programs = Self {
            tender: PathBuf::new(),
            mkernel: PathBuf::new(),
            async_executor: PathBuf::new(),
            certificate: files.join("certificate.pem"),
            key: files.join("key.pem"),
            files,
        };
        let [ours, other] =
            [Subject::Mkernel, Subject::AsyncExecutor].map(|subject| wanted.contains(&subject));
        if ours || other {
            programs.tender = build::tender(&root, "solo5-spt")?;
        }
        if ours {
            programs.mkernel = build::unikernel(&root, PACKAGE, "release")?;
        }
        if other {
            programs.async_executor = other_executor::build(&root, PACKAGE)?;
        }
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        fs::write(&programs.certificate, made.cert.pem())?;
        fs::write(&programs.key, made.signing_key.serialize_pem())?;
        File::create(programs.files.join(DOWNLOAD.to_string()))?.set_len(DOWNLOAD)?;
        Ok(programs)
    }
}

/// What is asked of a server.
#[derive(Clone, Copy, Debug)]
pub struct Demand {
    /// Connections at once.
    pub connections: usize,
    /// Steps of the task that computes and yields; 0 without one.
    pub busy: u64,
    pub tls: bool,
}

/// A running server; ends with this value.
pub struct Server {
    subject: Subject,
    process: Process,
    address: SocketAddr,
}

impl Server {
    /// Makes the subject's interface anew and starts its server behind it.
    pub fn start(subject: Subject, programs: &Programs, demand: Demand) -> Result<Server> {
        let number = subject as u8;
        let link = format!("bench{number}");
        let address = network::served(number);
        let busy = demand.busy.to_string();
        let process = match subject {
            Subject::Mkernel | Subject::AsyncExecutor => {
                network::add_tap(&link, number, MTU)?;
                SERVER.process(&mut unikernel(subject, programs, demand, &link, address)?)?
            }
            Subject::Smoltcp => {
                network::add_tap(&link, number, MTU)?;
                let mut command = Command::new(beside_us("peer-smoltcp")?);
                // One that is closing does not listen yet.
                let sockets = (demand.connections + 16).to_string();
                command.args([&link, &address.to_string(), &sockets, &busy]);
                SERVER.process(&mut command)?
            }
            Subject::TokioCurrentThread | Subject::TokioMultiThread | Subject::Axum => {
                let mut command = Command::new(beside_us("peer-tokio")?);
                command.arg(match subject {
                    Subject::TokioCurrentThread => "current",
                    Subject::Axum => "axum",
                    _ => "multi",
                });
                command.arg(&busy);
                if demand.tls {
                    command.args([&programs.certificate, &programs.key]);
                }
                server::behind_veth(&link, number, MTU, &mut command)?
            }
            Subject::Nginx => {
                let (certificate, key) = (&programs.certificate, &programs.key);
                let configuration = nginx::configure(&programs.files, certificate, key)?;
                server::behind_veth(&link, number, MTU, &mut nginx::command(&configuration))?
            }
        };
        let server = Server {
            subject,
            process,
            address: (address, if demand.tls { 443 } else { 80 }).into(),
        };
        server.wait_until_it_answers(demand.tls)?;
        Ok(server)
    }

    pub fn subject(&self) -> Subject {
        self.subject
    }

    pub fn process(&self) -> &Process {
        &self.process
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A connection that has been used once.
    pub fn connect(&self) -> Result<TcpStream> {
        http::connect(self.address, "/healthz").context(self.subject.name())
    }

    fn wait_until_it_answers(&self, tls: bool) -> Result<()> {
        http::wait_until_it_listens(self.address).context(self.subject.name())?;
        if tls {
            return Ok(());
        }
        self.connect().map(drop)
    }
}

/// The command of a unikernel on TAP interface `link`.
fn unikernel(
    subject: Subject,
    programs: &Programs,
    demand: Demand,
    link: &str,
    address: Ipv4Addr,
) -> Result<Command> {
    let program = match subject {
        Subject::AsyncExecutor => &programs.async_executor,
        _ => &programs.mkernel,
    };
    let mut command = server::unikernel(&programs.tender, program, link, address);
    if demand.busy > 0 {
        command.arg(format!("--busy={}", demand.busy));
    }
    if demand.tls {
        for (option, file) in [("cert", &programs.certificate), ("key", &programs.key)] {
            // Quoted: the guest splits its command line at white space.
            command.arg(format!("--tls-{option}='{}'", fs::read_to_string(file)?));
        }
    }
    Ok(command)
}
