//! The applications at both ends.

use core::net::SocketAddrV4;
use core::task::Poll;
use std::collections::BTreeMap;

use bytes::Bytes;
use netstack::proto::Instant;
use netstack::proto::tcp::{ConnectionId, ListenerId, Options, State, Tcp};

use super::Flow;
use crate::sim::{ADDRESSES, App};

static DATA: [u8; 64 << 10] = [0x5a; 64 << 10];

/// Sends what its flows say.
pub struct Senders {
    flows: Vec<Flow>,
    options: Options,
    pub remote: Option<SocketAddrV4>,
    pub ports: Vec<u16>,
    connections: Vec<Connection>,
    start: Option<Instant>,
}

struct Connection {
    id: ConnectionId,
    /// What is left of the request, and when the next one begins.
    left: u64,
    next: Option<Instant>,
}

impl Senders {
    pub fn new(flows: Vec<Flow>, options: Options) -> Self {
        Self {
            flows,
            options,
            remote: None,
            ports: Vec::new(),
            connections: Vec::new(),
            start: None,
        }
    }

    fn connect(&mut self, now: Instant, tcp: &mut Tcp) {
        let start = *self.start.get_or_insert(now);
        while let (Some(flow), Some(remote)) = (self.flows.get(self.connections.len()), self.remote)
            && now >= start + flow.start
        {
            let options = self.options.clone().congestion(flow.congestion);
            let local = SocketAddrV4::new(ADDRESSES[0], 0);
            let id = tcp
                .connect(now, local, remote, &options)
                .expect("a port is free");
            let status = tcp.status(id).expect("it was just opened");
            self.ports.push(status.local.port());
            self.connections.push(Connection {
                id,
                left: flow.requests.map_or(u64::MAX, |(octets, _)| octets),
                next: None,
            });
        }
    }
}

impl Connection {
    fn send(&mut self, now: Instant, flow: &Flow, tcp: &mut Tcp) {
        if self.next.is_some_and(|next| next <= now) {
            self.next = None;
            self.left = flow.requests.map_or(u64::MAX, |(octets, _)| octets);
        }
        while self.left > 0 {
            let mut chunk = Bytes::from_static(&DATA[..self.left.min(DATA.len() as u64) as usize]);
            let Poll::Ready(Ok(sent)) = tcp.send_bytes(self.id, &mut chunk) else {
                return;
            };
            self.left = self.left.saturating_sub(sent as u64);
        }
        if let (Some((_, pause)), None) = (flow.requests, self.next)
            && tcp.status(self.id).is_ok_and(|status| {
                status.state == State::Established && status.unacknowledged == 0
            })
        {
            self.next = Some(now + pause);
        }
    }
}

impl App for Senders {
    fn poll(&mut self, now: Instant, tcp: &mut Tcp) {
        self.connect(now, tcp);
        for (connection, flow) in self.connections.iter_mut().zip(&self.flows) {
            connection.send(now, flow, tcp);
        }
    }

    fn next(&self) -> Option<Instant> {
        let begins = self
            .flows
            .get(self.connections.len())
            .and_then(|flow| Some(self.start? + flow.start));
        let resume = self.connections.iter().filter_map(|it| it.next);
        resume.chain(begins).min()
    }
}

/// Reads all that comes.
#[derive(Default)]
pub struct Receiver {
    pub listener: Option<ListenerId>,
    connections: Vec<(ConnectionId, u16)>,
    /// Octets by the port that they come from.
    pub received: BTreeMap<u16, u64>,
}

impl App for Receiver {
    fn poll(&mut self, now: Instant, tcp: &mut Tcp) {
        while let Some(listener) = self.listener
            && let Ok(Some(id)) = tcp.accept(listener)
        {
            let status = tcp.status(id).expect("it was just accepted");
            self.connections.push((id, status.remote.port()));
        }
        for (id, port) in &self.connections {
            while let Poll::Ready(Ok(chunk)) = tcp.receive_bytes(now, *id, usize::MAX)
                && !chunk.is_empty()
            {
                *self.received.entry(*port).or_default() += chunk.len() as u64;
            }
        }
    }
}
