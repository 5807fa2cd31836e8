//! A client that sends before it reads, and a server that sends back what it reads: both windows
//! close.
#![allow(dead_code, unreachable_pub)] // Each test binary uses a part.

use core::net::SocketAddrV4;
use core::task::Poll;

use netstack::proto::Instant;
use netstack::proto::tcp::{Config, ConnectionId, ListenerId, Options, Tcp};

use crate::sim::{ADDRESSES, App, Link, Network, TcpHost};

const PORT: u16 = 7;

/// Sends `to_send` octets and reads from a time on.
pub struct Client {
    pub id: Option<ConnectionId>,
    pub to_send: usize,
    pub received: usize,
    pub reads_from: Instant,
    reads: bool,
}

impl App for Client {
    fn poll(&mut self, now: Instant, tcp: &mut Tcp) {
        let Some(id) = self.id else { return };
        let data = [7; 4096];
        while self.to_send > 0
            && let Poll::Ready(Ok(sent)) = tcp.send(id, &data[..data.len().min(self.to_send)])
        {
            self.to_send -= sent;
        }
        self.reads = now >= self.reads_from;
        let mut buffer = [0; 4096];
        while self.reads
            && let Poll::Ready(Ok(count)) = tcp.receive(now, id, &mut buffer)
            && count > 0
        {
            self.received += count;
        }
    }

    fn next(&self) -> Option<Instant> {
        (!self.reads).then_some(self.reads_from)
    }
}

/// Sends back what it reads, and does not read before it has.
pub struct Server {
    id: Option<ConnectionId>,
    listener: ListenerId,
    held: Vec<u8>,
}

impl App for Server {
    fn poll(&mut self, now: Instant, tcp: &mut Tcp) {
        if self.id.is_none() {
            self.id = tcp.accept(self.listener).expect("the listener is there");
        }
        let Some(id) = self.id else { return };
        loop {
            while !self.held.is_empty() {
                match tcp.send(id, &self.held) {
                    Poll::Ready(Ok(sent)) => drop(self.held.drain(..sent)),
                    _ => return,
                }
            }
            let mut buffer = [0; 4096];
            match tcp.receive(now, id, &mut buffer) {
                Poll::Ready(Ok(count)) if count > 0 => self.held.extend(&buffer[..count]),
                _ => return,
            }
        }
    }
}

/// A client of `to_send` octets that reads from `reads_from` on, and its server.
pub fn echo(
    to_send: usize,
    reads_from: Instant,
    link: Link,
    options: &Options,
) -> Network<TcpHost<Client>, TcpHost<Server>> {
    let mut server = Tcp::new(Config::default(), [1; 32]);
    let listener = server.listen(SocketAddrV4::new(ADDRESSES[1], PORT), 16, options.clone());
    let server = TcpHost {
        tcp: server,
        app: Server {
            id: None,
            listener: listener.expect("the port is free"),
            held: Vec::new(),
        },
    };
    let client = TcpHost {
        tcp: Tcp::new(Config::default(), [0; 32]),
        app: Client {
            id: None,
            to_send,
            received: 0,
            reads_from,
            reads: false,
        },
    };
    let mut network = Network::new(client, server, link, 1);
    let id = network.a.tcp.connect(
        network.now,
        SocketAddrV4::new(ADDRESSES[0], 0),
        SocketAddrV4::new(ADDRESSES[1], PORT),
        options,
    );
    network.a.app.id = Some(id.expect("a connection can be opened"));
    network
}
