//! Many connections that could each use a large receive buffer, and a memory budget that is not large.

mod sim;

use core::net::SocketAddrV4;
use core::task::Poll;
use core::time::Duration;

use netstack::proto::Instant;
use netstack::proto::tcp::{Config, ConnectionId, ListenerId, Options, Tcp};
use sim::{ADDRESSES, App, Link, Network, TcpHost};

const FLOWS: usize = 8;
const PORT: u16 = 7;
const MEMORY: usize = 2 << 20;

/// Sends for ever over each connection.
#[derive(Default)]
struct Senders(Vec<ConnectionId>);

impl App for Senders {
    fn poll(&mut self, now: Instant, tcp: &mut Tcp) {
        while self.0.len() < FLOWS {
            let local = SocketAddrV4::new(ADDRESSES[0], 0);
            let remote = SocketAddrV4::new(ADDRESSES[1], PORT);
            let id = tcp.connect(now, local, remote, &Options::default());
            self.0.push(id.expect("a port is free"));
        }
        for id in &self.0 {
            while let Poll::Ready(Ok(_)) = tcp.send(*id, &[0x5a; 16 << 10]) {}
        }
    }
}

/// Reads all that there is, now and then.
struct Reader {
    listener: ListenerId,
    ids: Vec<ConnectionId>,
    /// Octets read, by connection.
    read: Vec<usize>,
    next: Instant,
}

const INTERVAL: Duration = Duration::from_millis(2);

impl App for Reader {
    fn poll(&mut self, now: Instant, tcp: &mut Tcp) {
        while let Ok(Some(id)) = tcp.accept(self.listener) {
            self.ids.push(id);
            self.read.push(0);
        }
        if now < self.next {
            return;
        }
        self.next = now + INTERVAL;
        for (id, read) in self.ids.iter().zip(&mut self.read) {
            while let Poll::Ready(Ok(chunk)) = tcp.receive_bytes(now, *id, usize::MAX)
                && !chunk.is_empty()
            {
                *read += chunk.len();
            }
        }
    }

    fn next(&self) -> Option<Instant> {
        Some(self.next)
    }
}

#[test]
fn windows_are_not_offered_beyond_what_memory_has_room_for() {
    let sender = TcpHost {
        tcp: Tcp::new(Config::default(), [1; 32]),
        app: Senders::default(),
    };
    let mut config = Config::default();
    config.memory = Some(MEMORY);
    let mut tcp = Tcp::new(config, [2; 32]);
    let address = SocketAddrV4::new(ADDRESSES[1], PORT);
    let listener = tcp.listen(address, FLOWS, Options::default());
    let reader = Reader {
        listener: listener.expect("the port is free"),
        ids: Vec::new(),
        read: Vec::new(),
        next: Instant::default(),
    };
    let link = Link {
        delay: Duration::from_millis(1),
        ..Link::default()
    };
    let mut network = Network::new(sender, TcpHost { tcp, app: reader }, link, 3);
    network.run_for(Duration::from_secs(3));
    let (counters, read) = (network.b.tcp.counters(), &network.b.app.read);
    assert_eq!((counters.memory_drops, counters.ofo_drop), (0, 0));
    assert_eq!(network.a.tcp.counters().retrans_segs, 0);
    // As much as a share holds, each time that it is read, or not much less.
    let rounds = (3_000 / INTERVAL.as_millis()) as usize;
    let share = MEMORY / 2 / FLOWS;
    assert_eq!(read.len(), FLOWS);
    for read in read {
        assert!(
            (rounds * share / 2..=rounds * share).contains(read),
            "{read}"
        );
    }
}
