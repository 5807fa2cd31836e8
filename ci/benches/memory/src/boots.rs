//! The least memory with which `examples/echo` holds so many idle connections: boots under
//! `solo5-spt`, and a client that is made of frames on the unikernel's TAP interface. One address has
//! ports for 60,000; the client has as many addresses as it needs, behind a router that it is as well.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bench_common::{PacketSocket, Process, Report, SERVER_CPU, Start, build, network};

use crate::frames::{self, ACK, FIN, PEER_MAC, Peer, RST, SYN, Segment};

const TAP: &str = "memory0";
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const GUEST: (Ipv4Addr, u16) = (Ipv4Addr::new(10, 0, 0, 2), 3000);
const CLIENTS: Ipv4Addr = Ipv4Addr::new(172, 16, 0, 0);
/// SYNs without an answer at the same time.
const BATCH: usize = 128;
const RETRY: Duration = Duration::from_millis(500);
/// Without any connection in this time, there will be none.
const STALLED: Duration = Duration::from_secs(4);
const AT_MOST: Duration = Duration::from_secs(60);
const MOST_MEMORY: usize = 2048;
/// Connections for each that is tried again at the end.
const SAMPLE: usize = 97;

/// For each count, a search from below and one between what failed and what did.
pub fn measure(report: &mut Report, counts: &[usize]) -> Result<()> {
    let root = build::repository();
    let programs = Programs {
        tender: build::tender(&root, "solo5-spt")?,
        echo: build::unikernel(&root, "echo", "release")?,
    };
    for &count in counts {
        let (mut failed, mut held) = (1, 4);
        while !holds(&programs, held, count)? {
            failed = held;
            held *= 2;
            if held > MOST_MEMORY {
                eprintln!("{count} connections: not with {MOST_MEMORY} MiB either");
                break;
            }
        }
        if held > MOST_MEMORY {
            continue;
        }
        // To a MiB, or to about two in a hundred.
        while held - failed > 1.max(held / 64) {
            let middle = (held + failed) / 2;
            if holds(&programs, middle, count)? {
                held = middle;
            } else {
                failed = middle;
            }
        }
        report.add(&format!("idle-{count}"), "mkernel", "mem", held as f64);
    }
    Ok(())
}

struct Programs {
    tender: PathBuf,
    echo: PathBuf,
}

/// The unikernel with so much memory, on an interface that has just been made.
fn boot(programs: &Programs, mem: usize) -> Result<Process> {
    network::delete(TAP);
    network::ip(&format!("tuntap add {TAP} mode tap"))?;
    network::ip(&format!("link set {TAP} up"))?;
    let mut command = Command::new(&programs.tender);
    command
        .arg(format!("--mem={mem}"))
        .arg(format!("--net:service={TAP}"))
        .arg("--")
        .arg(&programs.echo)
        .args(["--solo5:quiet", "--ipv4=10.0.0.2/24"])
        .arg(format!("--ipv4-gateway={ROUTER}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let place = Start {
        cpu: SERVER_CPU,
        namespace: None,
    };
    place.process(&mut command)
}

fn lives(guest: &mut Process) -> Result<bool> {
    Ok(guest.child().try_wait()?.is_none())
}

/// Whether `count` connections open, stay, and still are served.
fn holds(programs: &Programs, mem: usize, count: usize) -> Result<bool> {
    let start = Instant::now();
    let mut guest = boot(programs, mem)?;
    let mut client = Client {
        socket: PacketSocket::open(TAP)?,
        mac: None,
        peers: (0..count)
            .map(|index| Peer::new(CLIENTS, index, GUEST))
            .collect(),
        open: vec![false; count],
        opened: 0,
        echoed: 0,
        lost: 0,
    };
    let held = client.meets(&mut guest)? && client.opens(&mut guest)? && client.is_served()?;
    let held = held && client.lost == 0 && lives(&mut guest)?;
    eprintln!(
        "{count} connections, {mem} MiB: {} ({} opened, {} lost, {:.1} s)",
        if held { "held" } else { "not held" },
        client.opened,
        client.lost,
        start.elapsed().as_secs_f64()
    );
    Ok(held)
}

struct Client {
    socket: PacketSocket,
    mac: Option<[u8; 6]>,
    peers: Vec<Peer>,
    open: Vec<bool>,
    opened: usize,
    echoed: usize,
    lost: usize,
}

impl Client {
    /// Finds the guest's hardware address.
    fn meets(&mut self, guest: &mut Process) -> Result<bool> {
        let start = Instant::now();
        while start.elapsed() < STALLED && lives(guest)? {
            // It fails until the guest has attached the interface.
            let _ = self
                .socket
                .send(&frames::arp(PEER_MAC, ROUTER, None, GUEST.0));
            self.pump(50)?;
            if self.mac.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Opens all.
    fn opens(&mut self, guest: &mut Process) -> Result<bool> {
        let start = Instant::now();
        let (mut next, mut latest, mut before) = (0, Instant::now(), 0);
        let mut asked: Vec<(usize, Instant)> = Vec::new();
        while self.opened < self.peers.len() {
            if self.opened > before {
                (before, latest) = (self.opened, Instant::now());
            }
            if latest.elapsed() > STALLED || start.elapsed() > AT_MOST || !lives(guest)? {
                return Ok(false);
            }
            asked.retain(|(index, _)| !self.open[*index]);
            while asked.len() < BATCH && next < self.peers.len() {
                asked.push((next, Instant::now() - RETRY));
                next += 1;
            }
            for (index, at) in &mut asked {
                if at.elapsed() >= RETRY {
                    *at = Instant::now();
                    let mut peer = self.peers[*index];
                    self.say(peer.segment(SYN, 0))?;
                }
            }
            self.pump(20)?;
        }
        Ok(true)
    }

    /// An octet on some of them comes back.
    fn is_served(&mut self) -> Result<bool> {
        let sample: Vec<usize> = (0..self.peers.len()).step_by(SAMPLE).collect();
        self.echoed = 0;
        for index in &sample {
            let segment = self.peers[*index].segment(ACK, 1);
            self.say(segment)?;
            self.pump(1)?;
        }
        let start = Instant::now();
        while self.echoed < sample.len() && start.elapsed() < Duration::from_secs(2) {
            self.pump(20)?;
        }
        Ok(self.echoed == sample.len())
    }

    fn say(&self, segment: Segment) -> Result<()> {
        let mac = self.mac.context("the guest's hardware address")?;
        self.socket.send(&segment.frame(PEER_MAC, mac))
    }

    /// Answers all frames that wait; for the first it waits so long.
    fn pump(&mut self, milliseconds: i32) -> Result<()> {
        let mut buffer = [0; 2048];
        let mut patience = milliseconds;
        for _ in 0..4 * BATCH {
            let Some(len) = self.socket.receive(&mut buffer, patience)? else {
                break;
            };
            patience = 0;
            let frame = &buffer[..len];
            if let Some((mac, asker, wanted)) = frames::arp_request(frame) {
                if wanted == ROUTER {
                    let answer = frames::arp(PEER_MAC, ROUTER, Some(mac), asker);
                    self.socket.send(&answer)?;
                }
            } else if frame.get(12..14) == Some(&[8, 6]) {
                self.mac = frame.get(6..12).and_then(|mac| mac.try_into().ok());
            } else if let Some(segment) = Segment::read(frame) {
                self.take(&segment)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, segment: &Segment) -> Result<()> {
        let index = frames::index_of(CLIENTS, segment)?;
        let Some(peer) = self.peers.get_mut(index) else {
            return Ok(());
        };
        if segment.flags & (RST | FIN) != 0 {
            self.lost += 1;
            return Ok(());
        }
        let answer = if segment.flags & SYN != 0 {
            if !self.open[index] {
                peer.segment(SYN, 0);
                peer.take_syn_ack(segment)?;
                self.open[index] = true;
                self.opened += 1;
            }
            true
        } else {
            let news = peer.take(segment);
            self.echoed += usize::from(news);
            news
        };
        if answer {
            let segment = peer.segment(ACK, 0);
            self.say(segment)?;
        }
        Ok(())
    }
}
