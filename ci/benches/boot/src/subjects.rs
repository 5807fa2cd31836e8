//! What is booted, and how.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result};
use bench_common::{
    Process, SERVER_CPU, Start,
    build::{self, repository},
    network::{self, Namespace},
};

use crate::linux_guest::{self, LinuxGuest};
use crate::netlink;
use crate::probe::Question;

const MTU: usize = 1500;

/// A program of which each subject has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    Hello,
    Echo,
    Http,
}

impl Service {
    pub const ALL: [Service; 3] = [Service::Hello, Service::Echo, Service::Http];

    pub fn name(self) -> &'static str {
        match self {
            Service::Hello => "hello",
            Service::Echo => "echo",
            Service::Http => "http",
        }
    }

    /// The unikernel's package.
    fn package(self) -> &'static str {
        match self {
            Service::Http => "http-server",
            _ => self.name(),
        }
    }

    /// What it answers; nothing if it serves nobody.
    pub fn question(self) -> Option<Question> {
        match self {
            Service::Hello => None,
            Service::Echo => Some(Question {
                port: 3000,
                request: b"m",
                answer: b"m",
            }),
            Service::Http => Some(Question {
                port: 80,
                request: b"GET /healthz HTTP/1.1\r\nHost: bench\r\n\r\n",
                answer: b"HTTP/1.1 200",
            }),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    Mkernel,
    /// Under `solo5-hvt`.
    MkernelHvt,
    /// A static program on Linux; of tokio where it serves somebody.
    LinuxStatic,
    Nginx,
    /// The static program alone in a virtual machine with Linux.
    LinuxGuest,
}

impl Subject {
    /// Ours first.
    pub const ALL: [Subject; 5] = [
        Subject::Mkernel,
        Subject::MkernelHvt,
        Subject::LinuxStatic,
        Subject::Nginx,
        Subject::LinuxGuest,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Subject::Mkernel => "mkernel",
            Subject::MkernelHvt => "mkernel-hvt",
            Subject::LinuxStatic => "linux-static",
            Subject::Nginx => "nginx",
            Subject::LinuxGuest => "linux-guest",
        }
    }

    pub fn has(self, service: Service) -> bool {
        match self {
            Subject::Nginx => service == Service::Http,
            Subject::LinuxGuest => service != Service::Hello,
            _ => true,
        }
    }

    /// Whether it needs a processor's help with virtual machines.
    pub fn needs_kvm(self) -> bool {
        matches!(self, Subject::MkernelHvt | Subject::LinuxGuest)
    }

    fn has_kernel_of_its_own(self) -> bool {
        !matches!(self, Subject::LinuxStatic | Subject::Nginx)
    }
}

/// Whether the network is there when the clock starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Networks {
    There,
    MadeAnew,
}

/// What is started, built.
pub struct Programs {
    root: PathBuf,
    pub tender: PathBuf,
    hvt: Option<PathBuf>,
    nginx: PathBuf,
    guests: Vec<LinuxGuest>,
}

impl Programs {
    /// Builds what these subjects need for these services.
    pub fn prepare(subjects: &[Subject], services: &[Service]) -> Result<Self> {
        let root = repository();
        let mut programs = Self {
            tender: build::tender(&root, "solo5-spt")?,
            hvt: None,
            nginx: root.join("target/bench/boot/nginx.conf"),
            guests: Vec::new(),
            root,
        };
        let hvt = subjects.contains(&Subject::MkernelHvt);
        if hvt {
            programs.hvt = Some(build::tender(&programs.root, "solo5-hvt")?);
        }
        for service in services {
            let targets = if hvt { &["spt", "hvt"][..] } else { &["spt"] };
            for abi in targets {
                let target = format!("x86_64-solo5-{abi}");
                let package = ["-p", service.package(), "--target", &target];
                build::cargo_build(
                    &programs.root,
                    &[&["--profile", "stripped"], &package[..]].concat(),
                    &[],
                )?;
            }
        }
        programs.build_static()?;
        if let Some(folder) = programs.nginx.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&programs.nginx, NGINX)?;
        if subjects.contains(&Subject::LinuxGuest) {
            for service in services.iter().filter(|it| Subject::LinuxGuest.has(**it)) {
                let program = programs.peer(*service);
                let guest = linux_guest::make(&programs.root, *service, &program)?;
                programs.guests.push(guest);
            }
        }
        Ok(programs)
    }

    /// A Linux guest without KVM, which is not for measuring.
    pub fn emulated(&self, service: Service) -> Result<Command> {
        let guest = self.guests.iter().find(|guest| guest.service == service);
        let link = link(Subject::LinuxGuest as u8);
        Ok(guest.context("a Linux guest")?.command(&link, false))
    }

    /// Linux's programs, with no library to be loaded: with glibc, of which the toolchain's target is.
    fn build_static(&self) -> Result<()> {
        build::cargo_build(
            &self.root,
            &[
                "--profile=stripped",
                "--bin=peer-hello",
                "--bin=peer-echo",
                "--bin=peer-http",
                "--manifest-path=ci/benches/boot/Cargo.toml",
                "--target=x86_64-unknown-linux-gnu",
                "--target-dir=target/benches",
            ],
            &[("RUSTFLAGS", "-C target-feature=+crt-static")],
        )
    }

    /// The unikernel's file.
    pub fn unikernel(&self, service: Service, abi: &str) -> PathBuf {
        let folder = format!("target/x86_64-solo5-{abi}/stripped");
        self.root.join(folder).join(service.package())
    }

    /// The static program's file.
    pub fn peer(&self, service: Service) -> PathBuf {
        let folder = "target/benches/x86_64-unknown-linux-gnu/stripped";
        let name = format!("peer-{}", service.name());
        self.root.join(folder).join(name)
    }

    /// How to start the service on interface `link` with this number, its standard output closed.
    pub fn command(
        &self,
        subject: Subject,
        service: Service,
        number: u8,
        mem: usize,
    ) -> Result<Command> {
        let link = link(number);
        let mut command = match subject {
            Subject::Mkernel => self.tender_command(&self.tender, service, "spt", number, mem),
            Subject::MkernelHvt => {
                let tender = self.hvt.as_deref().context("solo5-hvt")?;
                self.tender_command(tender, service, "hvt", number, mem)
            }
            Subject::LinuxStatic => Command::new(self.peer(service)),
            Subject::Nginx => {
                let mut command = Command::new("nginx");
                command.arg("-c").arg(&self.nginx);
                command
            }
            Subject::LinuxGuest => {
                let guest = self.guests.iter().find(|guest| guest.service == service);
                guest.context("a Linux guest")?.command(&link, true)
            }
        };
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Ok(command)
    }

    fn tender_command(
        &self,
        tender: &Path,
        service: Service,
        abi: &str,
        number: u8,
        mem: usize,
    ) -> Command {
        let mut command = Command::new(tender);
        command.arg(format!("--mem={mem}"));
        if service != Service::Hello {
            command.arg(format!("--net:service={}", link(number)));
        }
        command
            .arg("--")
            .arg(self.unikernel(service, abi))
            .arg("--solo5:quiet");
        if service != Service::Hello {
            command.arg(format!("--ipv4={}/24", network::served(number)));
        }
        if service == Service::Http {
            command.arg("--port=80");
        }
        command
    }
}

/// The interface with this number.
pub fn link(number: u8) -> String {
    format!("boot{number}")
}

/// A service that was started, and when the clock did.
pub struct Booting {
    pub process: Process,
    pub started: Instant,
}

/// Starts a service on network `number`.
pub fn start(
    programs: &Programs,
    subject: Subject,
    service: Service,
    networks: Networks,
    mem: usize,
) -> Result<Booting> {
    let number = subject as u8;
    let link = link(number);
    let mut command = programs.command(subject, service, number, mem)?;
    let place = |namespace| Start {
        cpu: SERVER_CPU,
        namespace,
    };
    if networks == Networks::There {
        let process = if subject.has_kernel_of_its_own() {
            network::add_tap(&link, number, MTU)?;
            place(None).process(&mut command)?
        } else {
            let namespace = Namespace::new()?;
            network::add_veth(&link, number, MTU, &namespace)?;
            place(Some(&namespace)).process(&mut command)?
        };
        let started = process.started();
        return Ok(Booting { process, started });
    }
    network::delete(&link);
    let started = Instant::now();
    let process = if subject.has_kernel_of_its_own() {
        netlink::add_tap(&link)?;
        netlink::set_up(&link)?;
        place(None).process(&mut command)?
    } else {
        let namespace = Namespace::new()?;
        netlink::add_veth(&link, "server", std::os::fd::AsFd::as_fd(&namespace))?;
        netlink::set_up(&link)?;
        namespace.enter(|| -> Result<()> {
            netlink::add_address("server", network::served(number))?;
            netlink::set_up("server")
        })??;
        place(Some(&namespace)).process(&mut command)?
    };
    Ok(Booting { process, started })
}

/// Octets of what a subject's service is loaded from; of nginx also its libraries.
pub fn size(programs: &Programs, subject: Subject, service: Service) -> Result<u64> {
    let file = match subject {
        Subject::Mkernel => programs.unikernel(service, "spt"),
        Subject::MkernelHvt => programs.unikernel(service, "hvt"),
        Subject::LinuxStatic => programs.peer(service),
        Subject::Nginx => return nginx_size(),
        Subject::LinuxGuest => {
            let guest = programs
                .guests
                .iter()
                .find(|guest| guest.service == service);
            return guest.context("a Linux guest")?.size();
        }
    };
    octets(&file)
}

fn nginx_size() -> Result<u64> {
    let program = String::from_utf8(Command::new("which").arg("nginx").output()?.stdout)?;
    let program = program.trim();
    let libraries = String::from_utf8(Command::new("ldd").arg(program).output()?.stdout)?;
    let words = libraries.split_whitespace();
    let files = words.filter(|word| word.starts_with('/'));
    files
        .chain([program])
        .map(|file| octets(Path::new(file)))
        .sum()
}

pub fn octets(file: &Path) -> Result<u64> {
    let open = File::open(file).with_context(|| file.display().to_string())?;
    Ok(open.metadata()?.len())
}

/// Debian's nginx, as it would serve alone in a container.
const NGINX: &str = "\
daemon off;
worker_processes 1;
pid /dev/null;
error_log stderr;
events {
    worker_connections 4096;
}
http {
    access_log off;
    default_type text/plain;
    server {
        listen 80;
        location = /healthz {
            return 200 \"ok\\n\";
        }
    }
}
";
