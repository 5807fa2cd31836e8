//! Connections, for callgrind to count: `connections mkernel|mkernel-v6 accept|connect COUNT`.
//!
//! Two of our stacks back to back, a client and a server: `COUNT` connections, eight at a time, each of
//! which is opened, carries a request and an answer, and is closed by the client first. Only what
//! [`measured`] calls is to be counted (`--toggle-collect`), which is the server's work (`accept`), or the
//! client's (`connect`).

use std::env;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::Poll;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use netstack::proto::Instant;
use netstack::proto::interface::{Interface, InterfaceConfig, Ipv6};
use netstack::proto::ip::Cidr;
use netstack::proto::link::ethernet::MacAddr;
use netstack::proto::tcp::{ConnectionId, ListenerId, Options};

const PORT: u16 = 9;
const V4: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)];
const V6: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1),
    Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2),
];
const AT_ONCE: usize = 8;
/// Virtual time from one batch of frames to the next.
const STEP: u64 = 10_000;
const MESSAGE: [u8; 64] = [0x61; 64];

/// What a stack does in a turn, after the frames that came.
enum Role {
    Client { from: SocketAddr, to: SocketAddr },
    Server { listener: ListenerId },
}

/// A connection, and what it has received.
struct Connection {
    id: ConnectionId,
    received: usize,
    sent: bool,
}

struct End {
    stack: Interface,
    role: Role,
    connections: Vec<Connection>,
    done: usize,
}

impl End {
    fn new(seed: u8, local: SocketAddr, peer: Option<SocketAddr>) -> Result<Self> {
        let mac = MacAddr([2, 0, 0, 0, 0, seed]);
        let mut stack = Interface::new(InterfaceConfig::new(mac, 1500, [seed; 32]));
        let start = Instant::from_nanos(1);
        if local.is_ipv6() {
            let settings = Ipv6::default().accept_ra(false).dad_transmits(0);
            stack.start_ipv6(start, &settings);
        }
        let prefix = if local.is_ipv4() { 24 } else { 64 };
        let network = Cidr::new(local.ip(), prefix).context("a network")?;
        stack.add_address(start, network);
        let role = match peer {
            Some(to) => Role::Client { from: local, to },
            None => Role::Server {
                listener: stack.tcp().listen(local, 2 * AT_ONCE, Options::default())?,
            },
        };
        Ok(Self {
            stack,
            role,
            connections: Vec::new(),
            done: 0,
        })
    }

    /// Takes frames, opens so many connections, and does what there is to do; returns what it sends.
    fn turn(&mut self, now: Instant, frames: Vec<Bytes>, open: usize) -> Result<Vec<Bytes>> {
        let mut sent = Vec::new();
        let out = &mut |frame: &[u8]| sent.push(Bytes::copy_from_slice(frame));
        for frame in frames {
            self.stack.handle_frame(now, frame, out);
        }
        while self.stack.poll_event().is_some() {}
        match self.role {
            Role::Client { from, to } => {
                for _ in 0..open {
                    let options = Options::default();
                    let id = self.stack.tcp().connect(now, from, to, &options)?;
                    self.connections.push(Connection::new(id));
                }
            }
            Role::Server { listener } => {
                while let Some(id) = self.stack.tcp().accept(listener)? {
                    self.connections.push(Connection::new(id));
                }
            }
        }
        let is_client = matches!(self.role, Role::Client { .. });
        let (stack, done) = (&mut self.stack, &mut self.done);
        self.connections.retain_mut(|one| {
            let ended = one.advance(stack, now, is_client);
            *done += usize::from(ended);
            !ended
        });
        self.stack.poll(now, 64, out);
        Ok(sent)
    }
}

impl Connection {
    fn new(id: ConnectionId) -> Self {
        Self {
            id,
            received: 0,
            sent: false,
        }
    }

    /// Does what can be done; true at the end.
    fn advance(&mut self, stack: &mut Interface, now: Instant, is_client: bool) -> bool {
        if is_client && !self.sent {
            let sent = stack.tcp().send(self.id, &MESSAGE);
            self.sent = matches!(sent, Poll::Ready(Ok(_)));
            return false;
        }
        while let Poll::Ready(Ok(chunk)) = stack.tcp().receive_bytes(now, self.id, usize::MAX) {
            if chunk.is_empty() {
                stack.tcp().release(now, self.id);
                return true;
            }
            self.received += chunk.len();
            if self.received == MESSAGE.len() {
                if is_client {
                    stack.tcp().release(now, self.id);
                    return true;
                }
                let _ = stack.tcp().send(self.id, &MESSAGE);
            }
        }
        false
    }
}

/// What callgrind counts.
#[inline(never)]
fn measured(end: &mut End, now: Instant, frames: Vec<Bytes>, open: usize) -> Result<Vec<Bytes>> {
    end.turn(now, frames, open)
}

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [subject, side, count] = arguments.as_slice() else {
        bail!("usage: connections mkernel|mkernel-v6 accept|connect COUNT");
    };
    let addresses = match subject.as_str() {
        "mkernel" => V4.map(IpAddr::V4),
        "mkernel-v6" => V6.map(IpAddr::V6),
        other => bail!("no subject {other:?}: mkernel or mkernel-v6"),
    };
    let counts_server = match side.as_str() {
        "accept" => true,
        "connect" => false,
        other => bail!("no side {other:?}: accept or connect"),
    };
    let count: usize = count.parse().context(count.clone())?;
    let [client, server] = addresses.map(|address| SocketAddr::new(address, 0));
    let to = SocketAddr::new(server.ip(), PORT);
    let mut client = End::new(1, client, Some(to))?;
    let mut server = End::new(2, to, None)?;
    let (mut opened, mut inward) = (0, Vec::new());
    // A first connection fills the neighbours' tables, and is not counted.
    for turn in 1_u64.. {
        let now = Instant::from_nanos(turn * STEP);
        let idle = client.connections.is_empty() && server.connections.is_empty();
        if idle && inward.is_empty() && opened > count {
            break;
        }
        let open = match opened {
            0 => 1,
            _ if idle && inward.is_empty() => AT_ONCE,
            _ => 0,
        };
        let warm = opened > 1 || opened == 1 && open > 0;
        opened += open;
        let outward = match warm && !counts_server {
            true => measured(&mut client, now, inward, open)?,
            false => client.turn(now, inward, open)?,
        };
        inward = match warm && counts_server {
            true => measured(&mut server, now, outward, 0)?,
            false => server.turn(now, outward, 0)?,
        };
        ensure!(turn < 100 * count as u64 + 100, "it does not end");
    }
    ensure!(
        client.done == opened && server.done == opened,
        "{} and {} of {opened} connections have ended",
        client.done,
        server.done
    );
    println!("{}", opened - 1);
    Ok(())
}
