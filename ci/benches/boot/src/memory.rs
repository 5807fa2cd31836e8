//! What a service takes up: resident while idle and with connections, and the least memory of a unikernel.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bench_common::{Process, SERVER_CPU, Start, network};

use crate::subjects::{Networks, Programs, Service, Subject, start};

/// Connections with which it is measured.
pub const CONNECTIONS: usize = 512;
/// MiB of a unikernel where that is not what is measured.
pub const ENOUGH: usize = 512;
const START_UP: Duration = Duration::from_secs(5);
/// For a step of a client's.
const PATIENCE: Duration = Duration::from_secs(3);

/// A client that has asked once, and keeps its connection.
struct Client(TcpStream);

impl Client {
    fn connect(address: SocketAddr, service: Service) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut client = Self(stream);
        client.ask(service)?;
        Ok(client)
    }

    fn ask(&mut self, service: Service) -> Result<()> {
        let question = service.question().context("a service")?;
        self.0.write_all(question.request)?;
        let mut answer = [0; 4096];
        let length = self.0.read(&mut answer)?;
        let answer = &answer[..length];
        ensure!(
            answer.starts_with(question.answer),
            "{}: answered {:?}",
            service.name(),
            String::from_utf8_lossy(answer)
        );
        Ok(())
    }
}

fn address(subject: Subject, service: Service) -> Result<SocketAddr> {
    let question = service.question().context("a service")?;
    Ok((network::served(subject as u8), question.port).into())
}

/// The first connection; none if the service ends before, or does not answer.
fn meet(process: &mut Process, subject: Subject, service: Service) -> Result<Option<Client>> {
    let address = address(subject, service)?;
    let deadline = Instant::now() + START_UP;
    while Instant::now() < deadline && process.child().try_wait()?.is_none() {
        if let Ok(client) = Client::connect(address, service) {
            return Ok(Some(client));
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(None)
}

/// Resident octets: when it has answered one client, and when so many as [`CONNECTIONS`] are connected that have
/// each been answered once.
pub fn resident(programs: &Programs, subject: Subject, service: Service) -> Result<(u64, u64)> {
    let mut booting = start(programs, subject, service, Networks::There, ENOUGH)?;
    let first = meet(&mut booting.process, subject, service)?;
    let mut clients = vec![first.with_context(|| format!("{}: does not answer", subject.name()))?];
    thread::sleep(Duration::from_millis(200));
    let idle = booting.process.resident()?;
    while clients.len() < CONNECTIONS {
        clients.push(Client::connect(address(subject, service)?, service)?);
    }
    thread::sleep(Duration::from_millis(200));
    Ok((idle, booting.process.resident()?))
}

/// The least MiB with which the unikernel of a service boots and holds so many connections: each is answered twice,
/// the second time when all are there. A service without any prints what it has to print.
pub fn least(programs: &Programs, service: Service, connections: usize) -> Result<usize> {
    let (mut failed, mut held) = (0, 1);
    while !holds(programs, service, connections, held)? {
        failed = held;
        held *= 2;
        ensure!(
            held <= ENOUGH,
            "{} with {connections} connections: not with {ENOUGH} MiB either",
            service.name()
        );
    }
    while held - failed > 1 {
        let middle = (held + failed) / 2;
        if holds(programs, service, connections, middle)? {
            held = middle;
        } else {
            failed = middle;
        }
    }
    Ok(held)
}

fn holds(programs: &Programs, service: Service, connections: usize, mem: usize) -> Result<bool> {
    let held = match service {
        Service::Hello => prints(programs, mem)?,
        _ => serves(programs, service, connections, mem)?,
    };
    eprintln!(
        "{} with {connections} connections, {mem} MiB: {}",
        service.name(),
        if held { "held" } else { "not held" }
    );
    Ok(held)
}

fn prints(programs: &Programs, mem: usize) -> Result<bool> {
    let mut command = programs.command(Subject::Mkernel, Service::Hello, 0, mem)?;
    command.stdout(Stdio::piped());
    let place = Start {
        cpu: SERVER_CPU,
        namespace: None,
    };
    let mut process = place.process(&mut command)?;
    let mut text = String::new();
    let pipe = process.child().stdout.take();
    pipe.context("standard output")?.read_to_string(&mut text)?;
    Ok(process.child().wait()?.success() && text == "Hello World!\n")
}

fn serves(programs: &Programs, service: Service, connections: usize, mem: usize) -> Result<bool> {
    let subject = Subject::Mkernel;
    let mut booting = start(programs, subject, service, Networks::There, mem)?;
    let Some(first) = meet(&mut booting.process, subject, service)? else {
        return Ok(false);
    };
    let mut clients = vec![first];
    while clients.len() < connections {
        match Client::connect(address(subject, service)?, service) {
            Ok(client) => clients.push(client),
            Err(_) => return Ok(false),
        }
    }
    Ok(clients.iter_mut().all(|client| client.ask(service).is_ok()))
}
