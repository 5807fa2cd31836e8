//! One connection, and nothing else, for callgrind to count: `segments SUBJECT in|out COUNT`.
//!
//! Both stacks get the same frames: a handshake, and then `COUNT` segments as long as an MTU of 1,500
//! octets lets them be, in batches of eight that are read at once (`in`); or so many to be sent, of which
//! every second one is acknowledged (`out`). Only what [`measured`] calls is to be counted
//! (`--toggle-collect`). The subject `mkernel-v6` is ours over IPv6.

use std::collections::VecDeque;
use std::env;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::Poll;

use anyhow::{Context, Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use netstack::proto::Instant;
use netstack::proto::interface::{self, Ipv6};
use netstack::proto::ip::Cidr;
use netstack::proto::link::ethernet::MacAddr;
use netstack::proto::tcp::{ConnectionId, ListenerId, Options};
use smoltcp::iface::{Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp::{Socket, SocketBuffer};
use smoltcp::time::Instant as SmolInstant;
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpCidr};

const OURS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const PEER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const OURS_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
const PEER_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);
const OUR_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const PEER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
const PORT: u16 = 9;
const MTU: usize = 1500;
const TCP_HEADER: usize = 20;
const BATCH: usize = 8;
/// Virtual nanoseconds from one batch to the next.
const STEP: u64 = 100_000;

#[derive(Clone, Copy, PartialEq)]
enum Family {
    V4,
    V6,
}

impl Family {
    /// Octets of an IP header.
    fn header_len(self) -> usize {
        match self {
            Self::V4 => 20,
            Self::V6 => 40,
        }
    }

    /// Octets of payload in a full segment without options.
    fn payload(self) -> usize {
        MTU - self.header_len() - TCP_HEADER
    }
}

/// A stack under measurement.
trait Subject {
    /// Takes the frames of a batch and all that they bring; what it sends goes to the wire.
    fn receive(&mut self, now: u64, frames: Vec<Bytes>, wire: &mut Wire) -> usize;
    /// Queues `count` times as much of `data` as fits, and sends.
    fn send(&mut self, now: u64, count: usize, data: &[u8], wire: &mut Wire) -> usize;
}

/// What the stack has sent: counted, and the start of the last frame kept, up to the end of TCP's header.
struct Wire {
    last: Vec<u8>,
    headers: usize,
    segments: usize,
}

impl Wire {
    fn new(family: Family) -> Self {
        Self {
            last: Vec::new(),
            headers: 14 + family.header_len() + TCP_HEADER,
            segments: 0,
        }
    }

    #[inline]
    fn take(&mut self, frame: &[u8]) {
        self.segments += usize::from(frame.len() > 1000);
        self.last.clear();
        self.last
            .extend_from_slice(&frame[..frame.len().min(self.headers)]);
    }
}

struct Ours {
    stack: interface::Interface,
    listener: ListenerId,
    id: Option<ConnectionId>,
}

impl Ours {
    fn new(family: Family) -> Result<Self> {
        let mut stack = interface::Interface::new(interface::InterfaceConfig::new(
            MacAddr(OUR_MAC),
            1500,
            [1; 32],
        ));
        let start = Instant::from_nanos(1);
        let (ours, prefix): (IpAddr, _) = match family {
            Family::V4 => (OURS.into(), 24),
            Family::V6 => (OURS_V6.into(), 64),
        };
        if family == Family::V6 {
            let settings = Ipv6::default().accept_ra(false).dad_transmits(0);
            stack.start_ipv6(start, &settings);
        }
        let cidr = Cidr::new(ours, prefix).context("a network")?;
        stack.add_address(start, cidr);
        let local = SocketAddr::new(ours, PORT);
        let listener = stack.tcp().listen(local, 4, Options::default())?;
        Ok(Self {
            stack,
            listener,
            id: None,
        })
    }
}

impl Subject for Ours {
    fn receive(&mut self, now: u64, frames: Vec<Bytes>, wire: &mut Wire) -> usize {
        let now = Instant::from_nanos(now);
        let out = &mut |frame: &[u8]| wire.take(frame);
        for frame in frames {
            self.stack.handle_frame(now, frame, out);
        }
        while self.stack.poll_event().is_some() {}
        if self.id.is_none() {
            self.id = self.stack.tcp().accept(self.listener).ok().flatten();
        }
        let mut octets = 0;
        if let Some(id) = self.id {
            while let Poll::Ready(Ok(chunk)) = self.stack.tcp().receive_bytes(now, id, usize::MAX)
                && !chunk.is_empty()
            {
                octets += black_box(chunk).len();
            }
        }
        self.stack.poll(now, 64, out);
        octets
    }

    fn send(&mut self, now: u64, count: usize, data: &[u8], wire: &mut Wire) -> usize {
        let now = Instant::from_nanos(now);
        let mut sent = 0;
        for _ in 0..count {
            if let Some(id) = self.id
                && let Poll::Ready(Ok(count)) = self.stack.tcp().send(id, data)
            {
                sent += count;
            }
        }
        self.stack
            .poll(now, 64, &mut |frame: &[u8]| wire.take(frame));
        sent
    }
}

/// smoltcp's device: frames of the batch in, the wire out.
struct Frames<'a> {
    frames: VecDeque<&'a [u8]>,
    wire: &'a mut Wire,
}

struct Rx<'a>(&'a [u8]);
struct Tx<'a>(&'a mut Wire);

impl RxToken for Rx<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

impl TxToken for Tx<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        // As in a device with one frame buffer.
        let mut buffer = [0; 1514];
        let result = f(&mut buffer[..len]);
        self.0.take(&buffer[..len]);
        result
    }
}

impl Device for Frames<'_> {
    type RxToken<'b>
        = Rx<'b>
    where
        Self: 'b;
    type TxToken<'b>
        = Tx<'b>
    where
        Self: 'b;

    fn receive(&mut self, _: SmolInstant) -> Option<(Rx<'_>, Tx<'_>)> {
        let frame = self.frames.pop_front()?;
        Some((Rx(frame), Tx(self.wire)))
    }

    fn transmit(&mut self, _: SmolInstant) -> Option<Tx<'_>> {
        Some(Tx(self.wire))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1514;
        capabilities
    }
}

struct Smoltcp {
    interface: Interface,
    sockets: SocketSet<'static>,
    handle: SocketHandle,
}

impl Smoltcp {
    fn new() -> Result<Self> {
        let mut wire = Wire::new(Family::V4);
        let mut device = Frames {
            frames: VecDeque::new(),
            wire: &mut wire,
        };
        let hardware = HardwareAddress::Ethernet(EthernetAddress(OUR_MAC));
        let mut interface = Interface::new(
            smoltcp::iface::Config::new(hardware),
            &mut device,
            SmolInstant::from_micros(0),
        );
        interface.update_ip_addrs(|addresses| {
            let _ = addresses.push(IpCidr::new(OURS.into(), 24));
        });
        let storage = || SocketBuffer::new(vec![0; 256 << 10]);
        let mut socket = Socket::new(storage(), storage());
        socket.set_ack_delay(None);
        socket.listen(PORT)?;
        let mut sockets = SocketSet::new(vec![]);
        let handle = sockets.add(socket);
        Ok(Self {
            interface,
            sockets,
            handle,
        })
    }

    fn poll(&mut self, now: u64, frames: &[Bytes], wire: &mut Wire) {
        let mut device = Frames {
            frames: frames.iter().map(|frame| &frame[..]).collect(),
            wire,
        };
        let now = SmolInstant::from_micros((now / 1000) as i64);
        self.interface.poll(now, &mut device, &mut self.sockets);
    }
}

impl Subject for Smoltcp {
    fn receive(&mut self, now: u64, frames: Vec<Bytes>, wire: &mut Wire) -> usize {
        self.poll(now, &frames, wire);
        let socket = self.sockets.get_mut::<Socket<'_>>(self.handle);
        let mut octets = 0;
        while socket.can_recv() {
            octets += socket
                .recv(|data| (data.len(), black_box(data).len()))
                .unwrap_or(0);
        }
        octets
    }

    fn send(&mut self, now: u64, count: usize, data: &[u8], wire: &mut Wire) -> usize {
        let socket = self.sockets.get_mut::<Socket<'_>>(self.handle);
        let sent = (0..count)
            .map(|_| socket.send_slice(data).unwrap_or(0))
            .sum();
        self.poll(now, &[], wire);
        sent
    }
}

/// The peer's frames.
struct Peer {
    family: Family,
    seq: u32,
    ack: u32,
    /// Frames are slices of large buffers, as those of a device with a pool.
    pool: BytesMut,
}

fn sum(words: &[u8]) -> u32 {
    words
        .chunks(2)
        .map(|word| u32::from(word[0]) << 8 | word.get(1).map_or(0, |low| u32::from(*low)))
        .sum()
}

fn folded(mut sum: u32) -> [u8; 2] {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}

/// An Ethernet frame from the peer to us.
fn ethernet(destination: [u8; 6], ether_type: [u8; 2], packet: &[u8]) -> Vec<u8> {
    [&destination, &PEER_MAC, &ether_type[..], packet].concat()
}

/// An IP packet from the peer to us, and its payload's checksum at an offset.
fn packet(family: Family, protocol: u8, mut payload: Vec<u8>, checksum: usize) -> Vec<u8> {
    let len = payload.len() as u16;
    let (mut header, addresses) = match family {
        Family::V4 => {
            let addresses = [PEER.octets(), OURS.octets()].concat();
            let total = (len + 20).to_be_bytes();
            let fixed = [
                0x45, 0, total[0], total[1], 0, 0, 0x40, 0, 64, protocol, 0, 0,
            ];
            (fixed.to_vec(), addresses)
        }
        Family::V6 => {
            let addresses = [PEER_V6.octets(), OURS_V6.octets()].concat();
            let len = len.to_be_bytes();
            (
                vec![0x60, 0, 0, 0, len[0], len[1], protocol, 255],
                addresses,
            )
        }
    };
    let pseudo = sum(&addresses) + u32::from(protocol) + u32::from(len);
    let transport = folded(pseudo + sum(&payload));
    payload[checksum..checksum + 2].copy_from_slice(&transport);
    header.extend(addresses);
    if family == Family::V4 {
        let checksum = folded(sum(&header));
        header[10..12].copy_from_slice(&checksum);
    }
    header.extend(payload);
    header
}

impl Peer {
    fn frame(&mut self, flags: u8, options: &[u8], payload: &[u8]) -> Bytes {
        let mut tcp = Vec::from(5000_u16.to_be_bytes());
        tcp.extend(PORT.to_be_bytes());
        tcp.extend(self.seq.to_be_bytes());
        tcp.extend(self.ack.to_be_bytes());
        let offset = ((TCP_HEADER + options.len()) as u8 / 4) << 4;
        tcp.extend([offset, flags, 0xff, 0xff, 0, 0, 0, 0]);
        tcp.extend(options);
        tcp.extend(payload);
        let ether_type = match self.family {
            Family::V4 => [8, 0],
            Family::V6 => [0x86, 0xdd],
        };
        let packet = packet(self.family, 6, tcp, 16);
        let frame = ethernet(OUR_MAC, ether_type, &packet);
        if self.pool.capacity() < frame.len() {
            self.pool = BytesMut::with_capacity(1 << 20);
        }
        self.pool.extend_from_slice(&frame);
        self.pool.split().freeze()
    }

    /// What tells the stack the peer's hardware address: an ARP request, or a neighbour solicitation (RFC
    /// 4861 §4.3).
    fn question(family: Family) -> Bytes {
        let frame = match family {
            Family::V4 => {
                let mut arp = vec![0, 1, 8, 0, 6, 4, 0, 1];
                arp.extend(PEER_MAC);
                arp.extend(PEER.octets());
                arp.extend([0; 6]);
                arp.extend(OURS.octets());
                ethernet([0xff; 6], [8, 6], &arp)
            }
            Family::V6 => {
                let mut solicitation = vec![135, 0, 0, 0, 0, 0, 0, 0];
                solicitation.extend(OURS_V6.octets());
                solicitation.extend([1, 1]);
                solicitation.extend(PEER_MAC);
                let packet = packet(family, 58, solicitation, 2);
                ethernet(OUR_MAC, [0x86, 0xdd], &packet)
            }
        };
        frame.into()
    }

    /// Tells the stack the peer's hardware address, and opens a connection.
    fn connect(family: Family, subject: &mut dyn Subject) -> Result<Self> {
        let mut wire = Wire::new(family);
        subject.receive(STEP, vec![Self::question(family)], &mut wire);
        let mut peer = Self {
            family,
            seq: 100,
            ack: 0,
            pool: BytesMut::new(),
        };
        let mss = (family.payload() as u16).to_be_bytes();
        let options = [2, 4, mss[0], mss[1], 1, 3, 3, 7, 4, 2, 0, 0];
        let syn = peer.frame(2, &options, &[]);
        subject.receive(2 * STEP, vec![syn], &mut wire);
        let tcp = wire.last.get(14 + family.header_len()..);
        let tcp = tcp.filter(|tcp| tcp.len() >= TCP_HEADER);
        let answer = tcp.context("a SYN-ACK is expected")?;
        ensure!(
            answer[13] == 0x12,
            "a SYN-ACK is expected, the flags are {:#x}",
            answer[13]
        );
        peer.seq += 1;
        peer.ack = u32::from_be_bytes([answer[4], answer[5], answer[6], answer[7]]).wrapping_add(1);
        let third = peer.frame(0x10, &[], &[]);
        subject.receive(3 * STEP, vec![third], &mut wire);
        Ok(peer)
    }
}

/// What callgrind counts: batches of frames in, and what is sent after each.
#[inline(never)]
fn measured(
    subject: &mut dyn Subject,
    batches: Vec<Vec<Bytes>>,
    data: &[u8],
    wire: &mut Wire,
) -> usize {
    let mut octets = 0;
    for (count, batch) in batches.into_iter().enumerate() {
        let now = (4 + count as u64) * STEP;
        octets += subject.receive(now, batch, wire);
        if !data.is_empty() {
            octets += subject.send(now, BATCH, data, wire);
        }
    }
    octets
}

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [subject, direction, count] = arguments.as_slice() else {
        bail!("usage: segments mkernel|mkernel-v6|smoltcp in|out COUNT");
    };
    let (mut subject, family): (Box<dyn Subject>, _) = match subject.as_str() {
        "mkernel" => (Box::new(Ours::new(Family::V4)?), Family::V4),
        "mkernel-v6" => (Box::new(Ours::new(Family::V6)?), Family::V6),
        "smoltcp" => (Box::new(Smoltcp::new()?), Family::V4),
        other => bail!("no subject {other:?}: mkernel, mkernel-v6 or smoltcp"),
    };
    let batches: usize = count.parse::<usize>().context(count.clone())? / BATCH;
    let mut peer = Peer::connect(family, subject.as_mut())?;
    let payload = vec![0x61; family.payload()];
    let mut wire = Wire::new(family);
    let mut frames = Vec::new();
    let mut data = Vec::new();
    match direction.as_str() {
        "in" => {
            for _ in 0..batches {
                let mut batch = Vec::new();
                for _ in 0..BATCH {
                    batch.push(peer.frame(0x10, &[], &payload));
                    peer.seq = peer.seq.wrapping_add(payload.len() as u32);
                }
                frames.push(batch);
            }
        }
        "out" => {
            data = payload.clone();
            for batch in 0..batches {
                let mut acks = Vec::new();
                for _ in 0..if batch == 0 { 0 } else { BATCH / 2 } {
                    peer.ack = peer.ack.wrapping_add(2 * payload.len() as u32);
                    acks.push(peer.frame(0x10, &[], &[]));
                }
                frames.push(acks);
            }
        }
        other => bail!("no direction {other:?}: in or out"),
    }
    let octets = measured(subject.as_mut(), frames, &data, &mut wire);
    ensure!(
        octets == batches * BATCH * payload.len(),
        "{octets} octets went through, {} were meant to",
        batches * BATCH * payload.len()
    );
    if direction == "out" {
        ensure!(
            wire.segments >= (batches - 2) * BATCH,
            "only {} segments were sent",
            wire.segments
        );
    }
    Ok(())
}
