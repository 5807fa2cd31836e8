//! `crypto-guest PROVIDER CASE SECONDS`: prints how much of it the server does in a second. The client is in
//! the same program, its time is not counted, and its cryptography is always ring's: so all providers do the same.
//!
//! `crypto-guest PROVIDER once` does each case once, and prints `ok`.

mod ends;

use std::env;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustls::{CipherSuite, Connection, HandshakeKind};

use ends::{Ends, Resume, receive, send};

/// What `nolibc` has is what the program stands on.
use nolibc as _;

const AES: CipherSuite = CipherSuite::TLS13_AES_128_GCM_SHA256;
const CHACHA: CipherSuite = CipherSuite::TLS13_CHACHA20_POLY1305_SHA256;
/// Octets that are handed over at once.
const PIECE: usize = 64 << 10;
/// How often a case is done before it is measured.
const WARM: usize = 50;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [provider, "once"] => {
            once(provider)?;
            println!("ok");
        }
        [provider, case, seconds] => {
            let length = Duration::from_secs(seconds.parse().context("seconds")?);
            println!("{}", measure(provider, case, length)?);
        }
        _ => bail!("{words:?}: expected PROVIDER CASE SECONDS, or PROVIDER once"),
    }
    Ok(())
}

fn once(provider: &str) -> Result<()> {
    for resume in [Resume::No, Resume::Yes] {
        handshake(&Ends::new(provider, AES, resume)?, resume)?;
    }
    for suite in [AES, CHACHA] {
        Sender::new(&Ends::new(provider, suite, Resume::No)?)?.checked_piece()?;
    }
    Ok(())
}

/// Handshakes, or millions of octets, for each second.
fn measure(provider: &str, case: &str, length: Duration) -> Result<f64> {
    let repeated = |ends: &Ends, resume| repeat(length, || handshake(ends, resume));
    let sent = |ends: &Ends| {
        let mut sender = Sender::new(ends)?;
        sender.checked_piece()?;
        let pieces = repeat(length, || sender.piece())?;
        Ok(pieces * PIECE as f64 / 1e6)
    };
    match case {
        "handshake-full" => repeated(&Ends::new(provider, AES, Resume::No)?, Resume::No),
        "handshake-resumed" => repeated(&Ends::new(provider, AES, Resume::Yes)?, Resume::Yes),
        "send-aes-128-gcm" => sent(&Ends::new(provider, AES, Resume::No)?),
        "send-chacha20-poly1305" => sent(&Ends::new(provider, CHACHA, Resume::No)?),
        _ => bail!(
            "{case}: expected handshake-full, handshake-resumed, send-aes-128-gcm or send-chacha20-poly1305"
        ),
    }
}

/// How often `step` is done in a second, by the median of the times that it says it has spent: what else the machine does
/// for a while does not count.
fn repeat(length: Duration, mut step: impl FnMut() -> Result<Duration>) -> Result<f64> {
    for _ in 0..WARM {
        step()?;
    }
    let mut spent = Vec::new();
    let start = Instant::now();
    while start.elapsed() < length {
        spent.push(step()?);
    }
    spent.sort_unstable();
    let median = spent.get(spent.len() / 2).context("no time for one")?;
    Ok(1.0 / median.as_secs_f64())
}

/// One handshake, of the kind that is meant; the server's time.
fn handshake(ends: &Ends, resume: Resume) -> Result<Duration> {
    if let Resume::Yes = resume {
        // Where the first one is full, it is not the one that is counted.
        while ends.is_new() {
            ends.connect()?;
        }
    }
    let (_, server, spent) = ends.connect()?;
    let expected = match resume {
        Resume::Yes => HandshakeKind::Resumed,
        Resume::No => HandshakeKind::Full,
    };
    let kind = server.handshake_kind();
    ensure!(kind == Some(expected), "{kind:?}: expected {expected:?}");
    Ok(spent)
}

/// A server that sends.
struct Sender {
    client: Connection,
    server: Connection,
    piece: Vec<u8>,
    records: Vec<u8>,
}

impl Sender {
    fn new(ends: &Ends) -> Result<Self> {
        let (client, mut server, _) = ends.connect()?;
        server.set_buffer_limit(None);
        Ok(Self {
            client,
            server,
            piece: (0..PIECE).map(|index| (index % 251) as u8).collect(),
            records: Vec::new(),
        })
    }

    /// The server's time for one piece, which nobody reads.
    fn piece(&mut self) -> Result<Duration> {
        use std::io::Write as _;

        self.records.clear();
        let start = Instant::now();
        self.server.writer().write_all(&self.piece)?;
        send(&mut self.server, &mut self.records)?;
        Ok(start.elapsed())
    }

    /// The same, which the client reads.
    fn checked_piece(&mut self) -> Result<()> {
        use std::io::Read as _;

        self.piece()?;
        let (mut read, mut rest) = (vec![0; PIECE], &self.records[..]);
        let mut filled = 0;
        while !rest.is_empty() {
            rest = receive(&mut self.client, rest)?;
            while filled < PIECE {
                match self.client.reader().read(&mut read[filled..]) {
                    Ok(count) => filled += count,
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        ensure!(read == self.piece, "what was read is not what was sent");
        Ok(())
    }
}
