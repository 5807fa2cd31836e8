//! What needs no machine: goodput under loss in virtual time, and instructions for each segment.
//!
//! The network is the simulator of netstack's own tests. Both stacks send to the same receiver,
//! netstack's, so that only the senders differ.

use std::net::{IpAddr, SocketAddrV4};
use std::process::Command;
use std::task::Poll;
use std::time::Duration;

use anyhow::{Context, Result};
use bench_common::Report;
use bytes::Bytes;
use netstack::proto::Instant;
use netstack::proto::tcp::congestion::{self, MakeController};
use netstack::proto::tcp::{Config, ConnectionId, Ecn, ListenerId, Options, Tcp};
use smoltcp::iface::{Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp::{CongestionControl, Socket, SocketBuffer};
use smoltcp::time::Instant as SmolInstant;
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};

use crate::sim::{ADDRESSES, App, Host, Link, Network, Packet, TcpHost};

const PORT: u16 = 9;
/// How long a transfer goes on in virtual time.
const SECONDS: u64 = 120;
const SEEDS: u64 = 5;
/// smoltcp's users choose their buffers; its examples have 64 KiB at most.
const SMOLTCP_BUFFER: usize = 64 << 10;

/// Adds the cases `loss-1` and `loss-5`: 20 ms each way, no other limit. What bounds BBR is then the
/// send buffer, 512 KiB: twice in a round trip with a retransmission, it makes 50 Mbit/s.
pub fn goodput(report: &mut Report) {
    let options: [(_, MakeController); 2] = [
        ("mkernel-bbr", congestion::bbr),
        // As a user sets it who knows that the path loses much.
        ("mkernel-bbr-10", |parameters| {
            Box::new(congestion::Bbr::with_loss_thresh(parameters, 10))
        }),
    ];
    for (case, loss) in [("loss-1", 10_000), ("loss-5", 50_000)] {
        for seed in 0..SEEDS {
            let link = Link {
                delay: Duration::from_millis(20),
                loss,
                ..Link::default()
            };
            let gbit = |octets: u64| octets as f64 * 8.0 / SECONDS as f64 / 1e9;
            let ours = run(sender(seed, Config::default()), link.clone(), seed);
            report.add(case, "mkernel", "gbit_per_s", gbit(ours));
            for (subject, congestion) in options {
                let mut config = Config::default();
                config.congestion = congestion;
                let octets = run(sender(seed, config), link.clone(), seed);
                report.add(case, subject, "gbit_per_s", gbit(octets));
            }
            let default = run(Smoltcp::new(CongestionControl::None), link.clone(), seed);
            report.add(case, "smoltcp", "gbit_per_s", gbit(default));
            let cubic = run(Smoltcp::new(CongestionControl::Cubic), link, seed);
            report.add(case, "smoltcp-cubic", "gbit_per_s", gbit(cubic));
        }
    }
}

/// Adds the cases `segment-in` and `segment-out`, if valgrind is there.
pub fn instructions(report: &mut Report) -> Result<()> {
    const SEGMENTS: u32 = 8000;
    for (case, direction) in [("segment-in", "in"), ("segment-out", "out")] {
        for subject in ["mkernel", "mkernel-v6", "smoltcp"] {
            let (count, _) = count("segments", &[subject, direction, &SEGMENTS.to_string()])?;
            report.add(case, subject, "instructions", count / f64::from(SEGMENTS));
        }
    }
    Ok(())
}

/// Adds the cases `worst-…`: what a segment costs at its worst, with few and with many pieces.
pub fn worst(report: &mut Report) -> Result<()> {
    for case in ["reassembly", "sack", "mss"] {
        for pieces in ["64", "512", "4096"] {
            let (count, output) = count("worst", &[case, pieces])?;
            let segments: f64 = output.trim().parse().context(output.clone())?;
            let name = format!("worst-{case}-{pieces}");
            report.add(&name, "mkernel", "instructions", count / segments);
        }
    }
    Ok(())
}

/// Instructions that a program beside this one spends in what is `measured`, and what it prints.
fn count(program: &str, arguments: &[&str]) -> Result<(f64, String)> {
    let output = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            "--toggle-collect=*measured*",
        ])
        .arg(std::env::current_exe()?.with_file_name(program))
        .args(arguments)
        .output()
        .context("valgrind counts the instructions")?;
    let text = String::from_utf8_lossy(&output.stderr);
    let count = text
        .lines()
        .find_map(|line| line.split_once("Collected :")?.1.trim().parse::<f64>().ok())
        .with_context(|| format!("callgrind gave no count for {program} {arguments:?}: {text}"))?;
    Ok((count, String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// Octets that arrive.
fn run(sender: impl Host, link: Link, seed: u64) -> u64 {
    let mut receiver = Sink::new(seed);
    let listener =
        receiver
            .tcp
            .listen(SocketAddrV4::new(ADDRESSES[1], PORT), 4, Options::default());
    receiver.app.listener = listener.ok();
    let mut network = Network::new(sender, receiver, link, seed);
    network.run_until(Duration::from_secs(SECONDS), |_| false);
    network.b.app.received
}

type Sink = TcpHost<Receiver>;

/// Reads all that comes.
#[derive(Default)]
struct Receiver {
    listener: Option<ListenerId>,
    id: Option<ConnectionId>,
    received: u64,
}

impl Sink {
    fn new(seed: u64) -> Self {
        Self {
            tcp: Tcp::new(Config::default(), [seed as u8; 32]),
            app: Receiver::default(),
        }
    }
}

impl App for Receiver {
    fn poll(&mut self, now: Instant, tcp: &mut Tcp) {
        if let (None, Some(listener)) = (self.id, self.listener) {
            self.id = tcp.accept(listener).ok().flatten();
        }
        let Some(id) = self.id else { return };
        while let Poll::Ready(Ok(chunk)) = tcp.receive_bytes(now, id, usize::MAX)
            && !chunk.is_empty()
        {
            self.received += chunk.len() as u64;
        }
    }
}

/// Sends for ever.
struct Sender {
    id: Option<ConnectionId>,
}

fn sender(seed: u64, config: Config) -> TcpHost<Sender> {
    TcpHost {
        tcp: Tcp::new(config, [100 + seed as u8; 32]),
        app: Sender { id: None },
    }
}

impl App for Sender {
    fn poll(&mut self, now: Instant, tcp: &mut Tcp) {
        let id = *self.id.get_or_insert_with(|| {
            let (local, remote) = (
                SocketAddrV4::new(ADDRESSES[0], 0),
                SocketAddrV4::new(ADDRESSES[1], PORT),
            );
            tcp.connect(now, local, remote, &Options::default())
                .expect("a port is free")
        });
        while let Poll::Ready(Ok(_)) = tcp.send(id, &[0x5a; 16 << 10]) {}
    }
}

/// smoltcp as the sender.
struct Smoltcp {
    interface: Interface,
    sockets: SocketSet<'static>,
    handle: SocketHandle,
    device: Packets,
    next: Option<Instant>,
}

/// IPv4 packets in, and out.
#[derive(Default)]
struct Packets {
    received: std::collections::VecDeque<Vec<u8>>,
    sent: Vec<Vec<u8>>,
}

struct Rx(Vec<u8>);
struct Tx<'a>(&'a mut Vec<Vec<u8>>);

impl RxToken for Rx {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl TxToken for Tx<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut packet = vec![0; len];
        let result = f(&mut packet);
        self.0.push(packet);
        result
    }
}

impl Device for Packets {
    type RxToken<'a> = Rx;
    type TxToken<'a> = Tx<'a>;

    fn receive(&mut self, _: SmolInstant) -> Option<(Rx, Tx<'_>)> {
        Some((Rx(self.received.pop_front()?), Tx(&mut self.sent)))
    }

    fn transmit(&mut self, _: SmolInstant) -> Option<Tx<'_>> {
        Some(Tx(&mut self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = 1500;
        capabilities
    }
}

fn smol(now: Instant) -> SmolInstant {
    SmolInstant::from_micros(now.as_micros() as i64)
}

impl Smoltcp {
    fn new(control: CongestionControl) -> Self {
        let mut device = Packets::default();
        let config = smoltcp::iface::Config::new(HardwareAddress::Ip);
        let mut interface = Interface::new(config, &mut device, SmolInstant::from_micros(0));
        interface.update_ip_addrs(|addresses| {
            let _ = addresses.push(IpCidr::new(ADDRESSES[0].into(), 24));
        });
        let storage = || SocketBuffer::new(vec![0; SMOLTCP_BUFFER]);
        let mut socket = Socket::new(storage(), storage());
        socket.set_congestion_control(control);
        let remote = (IpAddress::from(ADDRESSES[1]), PORT);
        socket
            .connect(interface.context(), remote, 50_000)
            .expect("the socket is closed");
        let mut sockets = SocketSet::new(vec![]);
        let handle = sockets.add(socket);
        Self {
            interface,
            sockets,
            handle,
            device,
            next: None,
        }
    }
}

impl Host for Smoltcp {
    fn handle(&mut self, _: Instant, packet: Packet) {
        let mut ip = vec![0x45, 0];
        ip.extend((20 + packet.segment.len() as u16).to_be_bytes());
        ip.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
        for address in [packet.source, packet.destination] {
            let IpAddr::V4(address) = address else {
                unreachable!("the hosts have addresses of IPv4");
            };
            ip.extend(address.octets());
        }
        let sum: u32 = ip
            .chunks(2)
            .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])))
            .sum();
        let folded = !((sum & 0xffff) + (sum >> 16)) as u16;
        ip[10..12].copy_from_slice(&folded.to_be_bytes());
        ip.extend(&packet.segment);
        self.device.received.push_back(ip);
    }

    fn run(&mut self, now: Instant, out: &mut Vec<Packet>) {
        self.interface
            .poll(smol(now), &mut self.device, &mut self.sockets);
        let socket = self.sockets.get_mut::<Socket<'_>>(self.handle);
        while socket.can_send()
            && socket
                .send_slice(&[0x5a; 16 << 10])
                .is_ok_and(|sent| sent > 0)
        {}
        self.interface
            .poll(smol(now), &mut self.device, &mut self.sockets);
        for packet in self.device.sent.drain(..) {
            let address = |at: usize| {
                let octets = [packet[at], packet[at + 1], packet[at + 2], packet[at + 3]];
                IpAddr::from(octets)
            };
            out.push(Packet {
                source: address(12),
                destination: address(16),
                ecn: Ecn::NotEct,
                dont_fragment: true,
                segment: Bytes::copy_from_slice(&packet[20..]),
            });
        }
        let next = self.interface.poll_at(smol(now), &self.sockets);
        // A microsecond later at least: its clock has no nanoseconds.
        self.next = next.map(|next| {
            let next = Instant::from_nanos(next.total_micros().max(0) as u64 * 1000);
            next.max(now + Duration::from_micros(1))
        });
    }

    fn next(&self) -> Option<Instant> {
        self.next
    }
}
