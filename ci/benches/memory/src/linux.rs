//! Linux's connections, by the accounts of its slab allocator: how many more objects of those kinds
//! there are that sockets are made of, times their sizes. Of connections over loopback both ends are
//! Linux's, so each counts half. Objects of other kinds than those named, hash tables and pages of
//! buffers are not counted.

use std::collections::HashMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};

use anyhow::{Context, Result, ensure};
use bench_common::Report;
use nix::sys::resource::{Resource, setrlimit};

const SUBJECT: &str = "linux";
const CONNECTIONS: usize = 2000;
/// Of those that move a megabyte.
const FEW: usize = 100;
const MEGABYTE: usize = 1 << 20;
/// What a TCP socket consists of, and what lies in its queues.
const KINDS: [&str; 10] = [
    "TCP",
    "sock_inode_cache",
    "filp",
    "request_sock_TCP",
    "tw_sock_TCP",
    "tcp_bind_bucket",
    "tcp_bind2_bucket",
    "skbuff_head_cache",
    "skbuff_fclone_cache",
    "skbuff_small_head",
];
/// A dentry for each socket: other programs make and forget many, so that they are not counted but
/// added.
const DENTRY: f64 = 192.0;

/// All cases; in a namespace whose loopback is up.
pub fn measure(report: &mut Report) -> Result<()> {
    setrlimit(
        Resource::RLIMIT_NOFILE,
        2 * CONNECTIONS as u64 + 1000,
        2 * CONNECTIONS as u64 + 1000,
    )?;
    opened(report)?;
    time_wait(report)?;
    half_open(report)
}

fn opened(report: &mut Report) -> Result<()> {
    let before = Slabs::now()?;
    let mut pairs = pairs(CONNECTIONS)?;
    let each =
        |before: &Slabs, count: usize| -> Result<f64> { Ok(before.grown(2 * count)? + DENTRY) };
    report.add("idle", SUBJECT, "bytes", each(&before, CONNECTIONS)?);
    for (client, server) in &mut pairs {
        exchange(client, server, 1)?;
    }
    report.add("after-1", SUBJECT, "bytes", each(&before, CONNECTIONS)?);
    // Beyond what they took before.
    let (idle, before) = (each(&before, CONNECTIONS)?, Slabs::now()?);
    for (client, server) in &mut pairs[..FEW] {
        for _ in 0..MEGABYTE / 4096 {
            exchange(client, server, 4096)?;
        }
    }
    let more = before.grown(2 * FEW)?;
    report.add("after-1M", SUBJECT, "bytes", idle + more);
    Ok(())
}

/// Connected pairs.
fn pairs(count: usize) -> Result<Vec<(TcpStream, TcpStream)>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    (0..count)
        .map(|_| {
            let client = TcpStream::connect(address)?;
            let (server, _) = listener.accept()?;
            Ok((client, server))
        })
        .collect()
}

fn exchange(client: &mut TcpStream, server: &mut TcpStream, len: usize) -> Result<()> {
    let mut buffer = vec![0; len];
    client.write_all(&buffer)?;
    server.read_exact(&mut buffer)?;
    server.write_all(&buffer)?;
    client.read_exact(&mut buffer)?;
    Ok(())
}

/// The end that closes first has the TIME-WAIT.
fn time_wait(report: &mut Report) -> Result<()> {
    let before = Slabs::now()?;
    for (mut client, mut server) in pairs(CONNECTIONS)? {
        client.shutdown(Shutdown::Write)?;
        ensure!(server.read(&mut [0])? == 0, "the end of the stream");
        drop(server);
        ensure!(client.read(&mut [0])? == 0, "the end of the stream");
    }
    report.add("time-wait", SUBJECT, "bytes", before.grown(CONNECTIONS)?);
    Ok(())
}

/// A half-open connection of a listener is one object.
fn half_open(report: &mut Report) -> Result<()> {
    let slabs = Slabs::now()?;
    let (_, size) = slabs.0.get("request_sock_TCP").context("no such slab")?;
    report.add("half-open", SUBJECT, "bytes", *size);
    Ok(())
}

/// Objects of the kinds and their sizes.
struct Slabs(HashMap<String, (f64, f64)>);

impl Slabs {
    fn now() -> Result<Self> {
        let text = fs::read_to_string("/proc/slabinfo").context("slab accounting needs root")?;
        let mut slabs = HashMap::new();
        for line in text.lines() {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if let [name, active, _, size, ..] = fields[..]
                && KINDS.contains(&name)
            {
                slabs.insert(name.to_owned(), (active.parse()?, size.parse()?));
            }
        }
        ensure!(slabs.contains_key("TCP"), "the kernel has merged its slabs");
        Ok(Self(slabs))
    }

    /// Bytes that came since, for each of `count`.
    fn grown(&self, count: usize) -> Result<f64> {
        let now = Self::now()?;
        let bytes: f64 = now
            .0
            .iter()
            .map(|(name, (active, size))| {
                let before = self.0.get(name).map_or(0.0, |(active, _)| *active);
                (active - before) * size
            })
            .sum();
        Ok(bytes / count as f64)
    }
}
