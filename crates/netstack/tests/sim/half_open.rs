//! Two ends that disagree: one of them has started anew, or somebody has slipped octets in.
#![allow(dead_code, unreachable_pub)] // Each test binary uses a part.

use core::net::SocketAddrV4;

use bytes::Bytes;
use etherparse::TcpHeader;
use netstack::proto::Instant;
use netstack::proto::tcp::{Config, ConnectionId, IpMeta, ListenerId, Options, State, Tcp};

use crate::sim::{ADDRESSES, App, Link, Network, TcpHost, v4};

pub const PORTS: [u16; 2] = [4000, 80];

/// Holds a connection, takes another that comes, and does nothing with them.
#[derive(Default)]
pub struct Holder {
    pub id: Option<ConnectionId>,
    pub listener: Option<ListenerId>,
}

impl App for Holder {
    fn poll(&mut self, _now: Instant, tcp: &mut Tcp) {
        if let Some(listener) = self.listener
            && let Ok(Some(id)) = tcp.accept(listener)
        {
            self.id = Some(id);
        }
    }
}

pub type Ends = Network<TcpHost<Holder>, TcpHost<Holder>>;

fn address(end: usize) -> SocketAddrV4 {
    SocketAddrV4::new(ADDRESSES[end], PORTS[end])
}

fn host(seed: u8) -> TcpHost<Holder> {
    TcpHost {
        tcp: Tcp::new(Config::default(), [seed; 32]),
        app: Holder::default(),
    }
}

/// Two ends with a connection between them.
pub fn connected(link: Link) -> Ends {
    let mut network = Network::new(host(1), host(2), link, 1);
    let listener = network.b.tcp.listen(address(1), 8, Options::default());
    network.b.app.listener = Some(listener.expect("the port is free"));
    connect(&mut network);
    network.run_for(core::time::Duration::from_secs(5));
    assert_eq!(states(&network), [Some(State::Established); 2]);
    network
}

/// The first end opens a connection.
pub fn connect(network: &mut Ends) {
    let id = network
        .a
        .tcp
        .connect(network.now, address(0), address(1), &Options::default());
    network.a.app.id = Some(id.expect("the port is free"));
}

/// The first end starts anew and knows of nothing.
pub fn restart(network: &mut Ends) {
    network.a = host(3);
}

/// The states of what the ends hold.
pub fn states(network: &Ends) -> [Option<State>; 2] {
    [&network.a, &network.b].map(|host| {
        let id = host.app.id?;
        Some(host.tcp.status(id).expect("it is held").state)
    })
}

/// Somebody on the path slips octets into both directions, so that each end acknowledges what the
/// other has not sent. The last segment of each end tells the numbers.
pub fn slip_in(network: &mut Ends) {
    let trace = network.trace.take().expect("it was kept");
    for end in 0..2 {
        let (.., last) = trace
            .iter()
            .rfind(|(_, from, _)| *from == end)
            .expect("each has sent something");
        let (mut header, _) = TcpHeader::from_slice(&last.segment).expect("well-formed");
        let payload = [0x66; 100];
        header.psh = true;
        header.checksum = header
            .calc_checksum_ipv4_raw(
                v4(last.source).octets(),
                v4(last.destination).octets(),
                &payload,
            )
            .expect("it is short enough");
        let mut octets = header.to_bytes().to_vec();
        octets.extend(payload);
        let ip = IpMeta {
            source: last.source,
            destination: last.destination,
            ecn: last.ecn,
            checksummed: false,
        };
        let to = if end == 0 {
            &mut network.b
        } else {
            &mut network.a
        };
        to.tcp.handle_segment(network.now, &ip, Bytes::from(octets));
    }
}
