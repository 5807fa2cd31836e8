//! Honest clients: the kernel's own sockets, whose users want nothing but to be served.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// For each step of a visit. The kernel repeats a SYN after 1, 3 and 7 s.
pub const LIMIT: Duration = Duration::from_secs(10);

/// One visit to the echo service at `address`: connects, sends, reads the same back, and closes. Returns how long that
/// took.
pub fn visit(address: impl Into<SocketAddr>, length: usize) -> io::Result<Duration> {
    let start = Instant::now();
    let mut stream = TcpStream::connect_timeout(&address.into(), LIMIT)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    let sent: Vec<u8> = (0..length).map(|at| (at * 31 + at / 256) as u8).collect();
    stream.write_all(&sent)?;
    let mut received = vec![0; length];
    stream.read_exact(&mut received)?;
    if received != sent {
        return Err(io::Error::other("other octets came back"));
    }
    Ok(start.elapsed())
}

/// What became of visits.
#[derive(Debug, Default)]
pub struct Visits {
    took: Vec<Duration>,
    failures: Vec<io::Error>,
}

impl Visits {
    /// `count` visits to echo, one after the other.
    pub fn pay(address: impl Into<SocketAddr>, count: usize) -> Self {
        let address = address.into();
        let mut visits = Self::default();
        for _ in 0..count {
            visits.add(visit(address, 1000));
        }
        visits
    }

    /// Visits to echo, one after the other, with `pause` in between, for as long as `other` runs.
    pub fn during<T>(
        address: impl Into<SocketAddr>,
        pause: Duration,
        other: impl FnOnce() -> T,
    ) -> (T, Self) {
        let address = address.into();
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let visitor = scope.spawn(|| {
                let mut visits = Self::default();
                while !over.load(Ordering::Relaxed) {
                    visits.add(visit(address, 1000));
                    thread::sleep(pause);
                }
                visits
            });
            // The visitor must not go on when `other` panics.
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(other));
            over.store(true, Ordering::Relaxed);
            let visits = visitor.join().expect("the visitor does not panic");
            match result {
                Ok(result) => (result, visits),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    fn add(&mut self, visit: io::Result<Duration>) {
        match visit {
            Ok(took) => self.took.push(took),
            Err(error) => self.failures.push(error),
        }
    }

    /// The longest of the visits that succeeded.
    pub fn longest(&self) -> Duration {
        self.took.iter().max().copied().unwrap_or_default()
    }

    /// How many succeeded.
    pub fn count(&self) -> usize {
        self.took.len()
    }

    /// Those that did not.
    pub fn failures(&self) -> &[io::Error] {
        &self.failures
    }
}

/// The character at `position` of what the chargen service sends (RFC 864): lines of 72 of the 95 printing characters,
/// each line beginning one character further on.
pub fn chargen(position: u64) -> u8 {
    let (line, column) = (position / 74, position % 74);
    match column {
        72 => b'\r',
        73 => b'\n',
        _ => b' ' + ((line + column) % 95) as u8,
    }
}

/// A client of chargen that reads `rate` octets a second and no more.
#[derive(Debug)]
pub struct SlowReader {
    stream: TcpStream,
    read: u64,
}

impl SlowReader {
    /// Connects.
    pub fn connect(address: impl Into<SocketAddr>) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address.into(), LIMIT)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, read: 0 })
    }

    /// Reads what there is until so many octets have been read altogether.
    pub fn read_up_to(&mut self, total: u64) -> io::Result<()> {
        let mut buffer = [0; 4096];
        while self.read < total {
            let length = buffer.len().min((total - self.read) as usize);
            match self.stream.read(&mut buffer[..length]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(length) => {
                    for (position, octet) in (self.read..).zip(&buffer[..length]) {
                        if *octet != chargen(position) {
                            return Err(io::Error::other(format!("a wrong octet at {position}")));
                        }
                    }
                    self.read += length as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// How many octets have been read.
    pub fn read(&self) -> u64 {
        self.read
    }
}

/// `readers` read at `rate` octets a second each for `time`. Returns what went wrong.
pub fn read_slowly(readers: &mut [SlowReader], rate: u64, time: Duration) -> Vec<io::Error> {
    let mut failures = Vec::new();
    let already: Vec<u64> = readers.iter().map(SlowReader::read).collect();
    let start = Instant::now();
    while start.elapsed() < time && failures.is_empty() {
        let due = (start.elapsed().as_secs_f64() * rate as f64) as u64;
        for (reader, already) in readers.iter_mut().zip(&already) {
            failures.extend(reader.read_up_to(already + due).err());
        }
        thread::sleep(Duration::from_millis(50));
    }
    failures
}
