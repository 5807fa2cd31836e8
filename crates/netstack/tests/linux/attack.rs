//! Segments from a raw socket that try to do harm.

use netstack::{Stack, TcpListener};
use socket2::{Protocol, SockAddr, Socket, Type};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use crate::Scenario;
use crate::family;
use crate::host::{Host, PATIENCE, Spawner, connect};
use crate::link::{Conditions, Passed};

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("syn-flood", syn_flood),
    ("blind-reset", blind_reset),
    ("blind-data", blind_data),
    ("exact-reset", exact_reset),
];

/// Echo on port 7.
async fn echo(stack: Stack, spawner: Spawner) -> io::Result<()> {
    let listener = TcpListener::bind_with(&stack, (family::any(), 7), 64, &Default::default())?;
    loop {
        let (stream, _) = listener.accept().await?;
        spawner
            .spawn(async move {
                while let Ok(Some(chunk)) = stream.read_chunk(usize::MAX).await {
                    if stream.write_chunk(chunk).await.is_err() {
                        return;
                    }
                }
            })
            .detach();
    }
}

/// Sends whole packets.
struct Attacker(Socket);

impl Attacker {
    fn new() -> Self {
        let socket = Socket::new(family::domain(), Type::RAW, Some(Protocol::from(255)));
        Self(socket.expect("a raw socket"))
    }

    fn send(&self, source: IpAddr, build: impl FnOnce(&mut etherparse::TcpHeader), data: &[u8]) {
        let mut tcp = etherparse::TcpHeader::new(0, 0, 0, 64240);
        build(&mut tcp);
        let len = (tcp.header_len() + data.len()) as u16;
        let protocol = etherparse::IpNumber::TCP;
        let (ip, checksum) = match (source, family::ours()) {
            (IpAddr::V4(source), IpAddr::V4(ours)) => {
                let (from, to) = (source.octets(), ours.octets());
                let ip = etherparse::Ipv4Header::new(len, 64, protocol, from, to);
                let ip = ip.expect("a header");
                (ip.to_bytes().to_vec(), tcp.calc_checksum_ipv4(&ip, data))
            }
            (IpAddr::V6(source), IpAddr::V6(ours)) => {
                let ip = etherparse::Ipv6Header {
                    payload_length: len,
                    next_header: protocol,
                    hop_limit: 64,
                    source: source.octets(),
                    destination: ours.octets(),
                    ..Default::default()
                };
                (ip.to_bytes().to_vec(), tcp.calc_checksum_ipv6(&ip, data))
            }
            other => panic!("{other:?}: expected addresses of one family"),
        };
        tcp.checksum = checksum.expect("a checksum");
        let packet = [&ip[..], &tcp.to_bytes(), data].concat();
        let to = SockAddr::from(SocketAddr::from((family::ours(), 0)));
        self.0.send_to(&packet, &to).expect("sent");
    }
}

/// One of very many addresses of a network behind the kernel, where nobody answers.
fn stranger(n: u32) -> IpAddr {
    let n = n % 65_536;
    match family::is_v6() {
        false => Ipv4Addr::from_bits(Ipv4Addr::new(198, 18, 0, 0).to_bits() + n).into(),
        // Each in a link of its own, which count as one host.
        true => Ipv6Addr::new(0x2001, 0xdb8, 0, n as u16, 0, 0, 0, 1).into(),
    }
}

/// One octet there and back.
fn ping_pong(stream: &mut std::net::TcpStream) -> io::Result<()> {
    stream.write_all(b"!")?;
    stream.read_exact(&mut [0])
}

fn syn_flood() -> String {
    const SYNS: u32 = 100_000;
    /// State for each SYN would take more.
    const MEMORY: u64 = 16 << 20;
    let host = Host::start(
        Conditions {
            capture: Some("syn-flood"),
            ..Conditions::default()
        },
        echo,
    );
    let attacker = Attacker::new();
    let mut before = connect(7);
    ping_pong(&mut before).expect("an echo before the flood");
    let memory_before = resident();
    let mut longest = Duration::ZERO;
    for n in 0..SYNS {
        attacker.send(
            stranger(n),
            |tcp| {
                tcp.source_port = 1024 + (n % 60_000) as u16;
                tcp.destination_port = 7;
                tcp.sequence_number = n.wrapping_mul(2_654_435_761);
                tcp.syn = true;
            },
            &[],
        );
        if n % 5000 == 4999 {
            let start = Instant::now();
            let mut stream = connect(7);
            ping_pong(&mut stream).expect("an echo amid the flood");
            longest = longest.max(start.elapsed());
        }
    }
    ping_pong(&mut before).expect("an echo after the flood");
    let grown = resident().saturating_sub(memory_before);
    let cookies = host.counters().tcp.syn_cookies_sent;
    drop(host);
    assert!(longest < PATIENCE / 2);
    assert!(cookies > 0, "the backlog never overflowed");
    assert!(grown < MEMORY, "memory grew by {grown} octets");
    format!(
        "{SYNS} SYNs, {cookies} cookies; 20 connections amid them, the slowest took {longest:.1?}; \
         memory grew by {} kB",
        grown >> 10
    )
}

/// Octets of memory that this process has.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("the kernel tells");
    let pages = text.split(' ').nth(1).expect("a second number");
    4096 * pages.parse::<u64>().expect("a number")
}

/// A connection, and what its last segment from the stack looked like.
fn established(host: &Host) -> (std::net::TcpStream, Passed) {
    let mut stream = connect(7);
    for _ in 0..10 {
        ping_pong(&mut stream).expect("an echo");
    }
    let port = stream.local_addr().expect("an address").port();
    let last = host.control.last().expect("segments have passed");
    assert_eq!(last.destination_port, port);
    (stream, last)
}

/// Forges a segment of the connection from the kernel to the stack.
fn forge(last: &Passed, offset: u32, build: impl FnOnce(&mut etherparse::TcpHeader), data: &[u8]) {
    Attacker::new().send(
        family::kernel(),
        |tcp| {
            tcp.source_port = last.destination_port;
            tcp.destination_port = last.source_port;
            tcp.sequence_number = last.acknowledgment.wrapping_add(offset);
            build(tcp);
        },
        data,
    );
}

/// RFC 5961 §3: only a reset with exactly the next sequence number resets.
fn blind_reset() -> String {
    let host = Host::start(
        Conditions {
            capture: Some("blind-reset"),
            ..Conditions::default()
        },
        echo,
    );
    let (mut stream, last) = established(&host);
    let mut forged = 0;
    for offset in [2, 3, 100, 1000, 30_000, 0x8000_0000, 0xffff_fff0] {
        forge(&last, offset, |tcp| tcp.rst = true, &[]);
        forge(&last, offset, |tcp| tcp.syn = true, &[]);
        forged += 2;
        ping_pong(&mut stream).expect("the connection survives");
    }
    format!("{forged} forged RSTs and SYNs, none with the exact number: survived")
}

/// RFC 5961 §5: data whose acknowledgement is of another age is not taken.
fn blind_data() -> String {
    let host = Host::start(
        Conditions {
            capture: Some("blind-data"),
            ..Conditions::default()
        },
        echo,
    );
    let (mut stream, last) = established(&host);
    let next = last.sequence.wrapping_add(last.payload);
    for distance in [0x4000_0000u32, 0x7000_0000, 0x9000_0000, 0xc000_0000] {
        forge(
            &last,
            0,
            |tcp| {
                tcp.ack = true;
                tcp.psh = true;
                tcp.acknowledgment_number = next.wrapping_add(distance);
            },
            b"poison",
        );
        stream.write_all(b"?").expect("sent");
        let mut answer = [0; 16];
        let len = stream.read(&mut answer).expect("an answer");
        assert_eq!(&answer[..len], b"?", "forged data was echoed");
    }
    "data with acknowledgements out of the window: not taken".into()
}

/// A reset with the exact number is the peer's word.
fn exact_reset() -> String {
    let host = Host::start(
        Conditions {
            capture: Some("exact-reset"),
            ..Conditions::default()
        },
        echo,
    );
    let (mut stream, last) = established(&host);
    forge(&last, 0, |tcp| tcp.rst = true, &[]);
    // The kernel knows nothing of it: its next segment is answered by a reset.
    let ended = (0..10).any(|_| ping_pong(&mut stream).is_err());
    assert!(ended, "the connection outlived a reset");
    "a reset with the exact number: reset".into()
}
