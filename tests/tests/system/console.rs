//! A service that logs each request to a console that does not take it: no request waits for its line or is lost with it,
//! and what was lost of the log is counted.
//!
//! Each test prints how long the slowest requests took, for a person to compare.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, PipeReader, Read, Write, pipe};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use system_tests::{Guest, Network, Target, host_program};

const CLIENTS: usize = 4;
/// Of each client. Their lines of the log, 1,000 octets each, are more than any pipe holds.
const REQUESTS: usize = 1000;
const ALL: usize = CLIENTS * REQUESTS;
/// Octets of a line of the log, without its end.
const LOG_LINE: usize = 1000;
/// For each step of a request; nothing is said about how long one should take.
const LIMIT: Duration = Duration::from_secs(60);

/// A guest that logs to `console`, and ends with this.
struct Service(Child);

impl Service {
    fn start(network: &Network, tender: &mut Command, console: impl Into<Stdio>) -> Self {
        network.add_tap("tap0", "10.0.0.1/24");
        let guest = Guest::build_release("logging-echo", Target::Spt);
        let child = tender
            .args(["--mem=64", "--net:service=tap0", "--"])
            .arg(guest.path())
            .arg("--solo5:quiet")
            .stdin(Stdio::null())
            .stdout(console)
            .spawn()
            .expect("the tender can be run");
        Self(child)
    }

    /// All clients' requests, each answered; how long the slowest but one in a hundred took is printed.
    fn serve(&self, what: &str) {
        let clients = (0..CLIENTS).map(|client| {
            thread::spawn(move || {
                let mut connection = Connection::open();
                let first = client * REQUESTS;
                let numbers = first..first + REQUESTS;
                numbers.map(|n| connection.request(n)).collect::<Vec<_>>()
            })
        });
        let clients: Vec<_> = clients.collect();
        let mut took: Vec<Duration> = clients
            .into_iter()
            .flat_map(|client| client.join().expect("a client whose requests are answered"))
            .collect();
        took.sort();
        let slow = took[took.len() * 99 / 100];
        println!("{what}: p99 of {ALL} requests {slow:?}");
    }

    /// Tells it to end.
    fn quit(mut self) {
        Connection::open().0.get_mut().write_all(b"quit\n").unwrap();
        assert_eq!(self.0.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Connection(BufReader<TcpStream>);

impl Connection {
    /// Connects, as soon as the guest is there.
    fn open() -> Self {
        let begin = Instant::now();
        loop {
            match TcpStream::connect_timeout(&SocketAddr::from(([10, 0, 0, 2], 3000)), LIMIT) {
                Ok(stream) => {
                    stream.set_nodelay(true).unwrap();
                    stream.set_read_timeout(Some(LIMIT)).unwrap();
                    return Self(BufReader::new(stream));
                }
                Err(error) => assert!(begin.elapsed() < LIMIT, "{error}"),
            }
        }
    }

    /// Makes a request, which must be answered; how long that took.
    fn request(&mut self, number: usize) -> Duration {
        let begin = Instant::now();
        let line = format!("{number}\n");
        self.0.get_mut().write_all(line.as_bytes()).unwrap();
        let mut answer = String::new();
        self.0.read_line(&mut answer).unwrap();
        assert_eq!(answer, line);
        begin.elapsed()
    }
}

fn spt() -> Command {
    Command::new(host_program("cargo-mkernel", "solo5-spt"))
}

/// The lines of the pipe as they are printed, without the spaces that fill them.
fn lines(reader: PipeReader) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(reader).lines() {
            let line = line.unwrap().trim_end().to_owned();
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// How many lines a report says were lost, if the line is one.
fn lost(line: &str) -> Option<usize> {
    let text = line.strip_prefix("Solo5: console: ")?;
    let (count, rest) = text.split_once(" lines (")?;
    assert!(rest.ends_with(" octets) were lost here"), "{line}");
    count.parse().ok()
}

#[test]
fn spt_a_console_that_is_read() {
    Network::with(|network| {
        let (reader, writer) = pipe().unwrap();
        let lines = lines(reader);
        let service = Service::start(network, &mut spt(), writer);
        service.serve("a pipe that is read");
        service.quit();
        let printed: Vec<String> = lines.iter().collect();
        let lost: usize = printed.iter().filter_map(|line| lost(line)).sum();
        let requests = printed.iter().filter(|line| line.starts_with("request "));
        assert_eq!(requests.count() + lost, ALL);
    });
}

#[test]
fn spt_a_full_pipe_costs_no_request_and_what_was_lost_is_counted_once_it_is_read() {
    Network::with(|network| {
        let (reader, writer) = pipe().unwrap();
        let service = Service::start(network, &mut spt(), writer);
        service.serve("a pipe that is full");
        let lines = lines(reader);
        let mut printed = Vec::new();
        let lost = loop {
            let line = lines.recv_timeout(LIMIT).unwrap();
            match lost(&line) {
                Some(lost) => break lost,
                None => printed.push(line),
            }
        };
        assert!(printed.iter().all(|line| line.starts_with("request ")));
        assert!(lost > 0);
        assert_eq!(printed.len() + lost, ALL);
        Connection::open().request(ALL);
        let line = lines.recv_timeout(LIMIT).unwrap();
        assert_eq!(line, format!("request {ALL}"));
        service.quit();
    });
}

#[test]
fn spt_a_pipe_that_nobody_reads_any_more_costs_no_request() {
    Network::with(|network| {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let service = Service::start(network, &mut spt(), writer);
        service.serve("a pipe that is closed");
        service.quit();
    });
}

#[test]
fn spt_a_device_without_room_costs_no_request() {
    Network::with(|network| {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let service = Service::start(network, &mut spt(), full);
        service.serve("/dev/full");
        service.quit();
    });
}

/// A disk that has no more room, played by a limit on the size of files, and then has.
#[test]
fn spt_a_full_disk_costs_no_request_and_what_was_lost_is_counted_once_there_is_room() {
    Network::with(|network| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut tender = Command::new("prlimit");
        tender
            .arg("--fsize=100000:unlimited")
            .arg(host_program("cargo-mkernel", "solo5-spt"));
        let service = Service::start(network, &mut tender, File::create(&path).unwrap());
        service.serve("a disk that is full");
        let room = Command::new("prlimit")
            .arg("--fsize=unlimited:unlimited")
            .arg(format!("--pid={}", service.0.id()))
            .status()
            .unwrap();
        assert!(room.success());
        let mut all = ALL;
        let mut connection = Connection::open();
        let begin = Instant::now();
        while !fs::read_to_string(&path)
            .unwrap()
            .contains("Solo5: console: ")
        {
            assert!(begin.elapsed() < LIMIT, "what was lost is not said");
            connection.request(all);
            all += 1;
        }
        service.quit();
        let mut text = String::new();
        File::open(&path)
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        let lost: usize = text.lines().filter_map(lost).sum();
        // The last one that there was room for may have been cut, and counts as lost.
        let requests = text.lines().filter(|line| line.starts_with("request "));
        let whole = requests.filter(|line| line.len() == LOG_LINE);
        assert!(lost > ALL / 2);
        assert_eq!(whole.count() + lost, all);
    });
}
