//! The honest load.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, SocketAddrV4, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use system_tests::honest::{LIMIT, SlowReader, visit};

/// What has been measured since it was taken last.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    pub(crate) round_trips: Vec<Duration>,
    pub(crate) connects: Vec<Duration>,
    pub(crate) octets: u64,
    pub(crate) failures: Vec<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Load(Mutex<Samples>);

/// A bulk transfer, and whose.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bulk {
    Echo(SocketAddrV4),
    Chargen(SocketAddrV4),
}

const ROUND_TRIP_EVERY: Duration = Duration::from_millis(5);
const CONNECT_EVERY: Duration = Duration::from_millis(50);
const BULK_EVERY: Duration = Duration::from_millis(250);
const BULK: usize = 256 << 10;

impl Load {
    fn samples(&self) -> std::sync::MutexGuard<'_, Samples> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What has been measured since the last call.
    pub(crate) fn take(&self) -> Samples {
        std::mem::take(&mut *self.samples())
    }

    fn failed(&self, what: &str, error: &io::Error) {
        self.samples().failures.push(format!("{what}: {error}"));
        // Where everything fails the list must not grow without end.
        thread::sleep(Duration::from_millis(100));
    }

    /// One connection, kept for as long as it can be, and round trips on it.
    pub(crate) fn round_trips(&self, address: SocketAddrV4, over: &AtomicBool) {
        let mut due = Instant::now();
        while !over.load(Ordering::Relaxed) {
            if let Err(error) = self.round_trips_on_one(address, over, &mut due) {
                self.failed("round trip", &error);
            }
        }
    }

    fn round_trips_on_one(
        &self,
        address: SocketAddrV4,
        over: &AtomicBool,
        due: &mut Instant,
    ) -> io::Result<()> {
        let mut stream = connect(address)?;
        let mut message = [0; 64];
        while !over.load(Ordering::Relaxed) {
            *due += ROUND_TRIP_EVERY;
            sleep_until(*due);
            let sent = message.map(|octet: u8| octet.wrapping_add(1));
            stream.write_all(&sent)?;
            stream.read_exact(&mut message)?;
            if message != sent {
                return Err(io::Error::other("other octets came back"));
            }
            self.samples().round_trips.push(due.elapsed());
        }
        Ok(())
    }

    /// New connections, each of which is used once.
    pub(crate) fn connects(&self, address: SocketAddrV4, over: &AtomicBool) {
        let mut due = Instant::now();
        while !over.load(Ordering::Relaxed) {
            due += CONNECT_EVERY;
            sleep_until(due);
            match visit(address, 1000) {
                Ok(_) => self.samples().connects.push(due.elapsed()),
                Err(error) => self.failed("connection", &error),
            }
        }
    }

    /// Transfers, one after the other.
    pub(crate) fn bulk(&self, bulk: Bulk, over: &AtomicBool) {
        let mut rng = Rng::with_seed(0);
        while !over.load(Ordering::Relaxed) {
            let next = Instant::now() + BULK_EVERY;
            let transfer = match bulk {
                Bulk::Echo(address) => there_and_back(address, &mut rng),
                Bulk::Chargen(address) => characters(address),
            };
            match transfer {
                Ok(octets) => self.samples().octets += octets,
                Err(error) => self.failed("transfer", &error),
            }
            sleep_until(next);
        }
    }
}

fn connect(address: SocketAddrV4) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&SocketAddr::V4(address), LIMIT)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    Ok(stream)
}

fn sleep_until(due: Instant) {
    thread::sleep(due.saturating_duration_since(Instant::now()));
}

/// Octets of no pattern to echo, and back. Returns how many went, both ways.
fn there_and_back(address: SocketAddrV4, rng: &mut Rng) -> io::Result<u64> {
    let stream = connect(address)?;
    let mut sent = vec![0; BULK];
    rng.fill(&mut sent);
    let mut received = Vec::with_capacity(BULK);
    thread::scope(|scope| {
        let (mut writer, mut reader) = (&stream, &stream);
        let sent = &sent;
        let written = scope.spawn(move || {
            writer.write_all(sent)?;
            writer.shutdown(Shutdown::Write)
        });
        reader.read_to_end(&mut received)?;
        written.join().expect("the writer does not panic")
    })?;
    if received != sent {
        let error = format!(
            "{} octets came back that are not those sent",
            received.len()
        );
        return Err(io::Error::other(error));
    }
    Ok(2 * BULK as u64)
}

fn characters(address: SocketAddrV4) -> io::Result<u64> {
    let mut reader = SlowReader::connect(address)?;
    let start = Instant::now();
    while reader.read() < BULK as u64 {
        if start.elapsed() > LIMIT {
            return Err(io::ErrorKind::TimedOut.into());
        }
        reader.read_up_to(BULK as u64)?;
        thread::sleep(Duration::from_millis(1));
    }
    Ok(reader.read())
}
