//! One connection, and nothing else, for callgrind to count: `segments SUBJECT in|out COUNT`.
//!
//! Both stacks get the same frames: a handshake, and then `COUNT` segments of 1,460 octets, in
//! batches of eight that are read at once (`in`); or so many to be sent, of which every second one is
//! acknowledged (`out`). Only what [`measured`] calls is to be counted (`--toggle-collect`).

use std::collections::VecDeque;
use std::env;
use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::task::Poll;

use anyhow::{Context, Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use netstack::proto::Instant;
use netstack::proto::interface;
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
const OUR_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const PEER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
const PORT: u16 = 9;
const PAYLOAD: usize = 1460;
const BATCH: usize = 8;
/// Virtual nanoseconds from one batch to the next.
const STEP: u64 = 100_000;

/// A stack under measurement.
trait Subject {
    /// Takes the frames of a batch and all that they bring; what it sends goes to the wire.
    fn receive(&mut self, now: u64, frames: Vec<Bytes>, wire: &mut Wire) -> usize;
    /// Queues `count` times as much of `data` as fits, and sends.
    fn send(&mut self, now: u64, count: usize, data: &[u8], wire: &mut Wire) -> usize;
}

/// What the stack has sent: counted, and the start of the last frame kept.
#[derive(Default)]
struct Wire {
    last: Vec<u8>,
    segments: usize,
}

impl Wire {
    #[inline]
    fn take(&mut self, frame: &[u8]) {
        self.segments += usize::from(frame.len() > 1000);
        self.last.clear();
        self.last.extend_from_slice(&frame[..frame.len().min(54)]);
    }
}

struct Ours {
    stack: interface::Interface,
    listener: ListenerId,
    id: Option<ConnectionId>,
}

impl Ours {
    fn new() -> Result<Self> {
        let mut stack = interface::Interface::new(interface::InterfaceConfig::new(
            MacAddr(OUR_MAC),
            1500,
            [1; 32],
        ));
        let cidr = Cidr::new(OURS, 24).context("a network")?;
        stack.add_address(Instant::from_nanos(1), cidr);
        let listener = stack
            .tcp()
            .listen(SocketAddrV4::new(OURS, PORT), 4, Options::default())?;
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
        let mut wire = Wire::default();
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
    seq: u32,
    ack: u32,
    /// Frames are slices of large buffers, as those of a device with a pool.
    pool: BytesMut,
}

fn sum(words: &[u8]) -> u32 {
    words
        .chunks(2)
        .map(|word| {
            u32::from(u16::from_be_bytes([
                word[0],
                word.get(1).copied().unwrap_or(0),
            ]))
        })
        .sum()
}

fn folded(mut sum: u32) -> [u8; 2] {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}

impl Peer {
    fn frame(&mut self, flags: u8, options: &[u8], payload: &[u8]) -> Bytes {
        let mut frame = Vec::from(OUR_MAC);
        frame.extend(PEER_MAC);
        frame.extend([8, 0]);
        let total = (40 + options.len() + payload.len()) as u16;
        let mut ip = vec![0x45, 0];
        ip.extend(total.to_be_bytes());
        ip.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
        ip.extend(PEER.octets());
        ip.extend(OURS.octets());
        let header = folded(sum(&ip));
        ip[10..12].copy_from_slice(&header);
        let mut tcp = Vec::from(5000_u16.to_be_bytes());
        tcp.extend(PORT.to_be_bytes());
        tcp.extend(self.seq.to_be_bytes());
        tcp.extend(self.ack.to_be_bytes());
        tcp.extend([
            ((20 + options.len()) as u8 / 4) << 4,
            flags,
            0xff,
            0xff,
            0,
            0,
            0,
            0,
        ]);
        tcp.extend(options);
        tcp.extend(payload);
        let pseudo = sum(&PEER.octets()) + sum(&OURS.octets()) + 6 + tcp.len() as u32;
        let checksum = folded(pseudo + sum(&tcp));
        tcp[16..18].copy_from_slice(&checksum);
        frame.extend(ip);
        frame.extend(tcp);
        if self.pool.capacity() < frame.len() {
            self.pool = BytesMut::with_capacity(1 << 20);
        }
        self.pool.extend_from_slice(&frame);
        self.pool.split().freeze()
    }

    /// Tells the stack the peer's hardware address, and opens a connection.
    fn connect(subject: &mut dyn Subject) -> Result<Self> {
        let mut wire = Wire::default();
        let mut arp = vec![0xff; 6];
        arp.extend(PEER_MAC);
        arp.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
        arp.extend(PEER_MAC);
        arp.extend(PEER.octets());
        arp.extend([0; 6]);
        arp.extend(OURS.octets());
        subject.receive(STEP, vec![arp.into()], &mut wire);
        let mut peer = Self {
            seq: 100,
            ack: 0,
            pool: BytesMut::new(),
        };
        let syn = peer.frame(2, &[2, 4, 0x05, 0xb4, 1, 3, 3, 7, 4, 2, 0, 0], &[]);
        subject.receive(2 * STEP, vec![syn], &mut wire);
        let answer = wire.last.get(38..42).context("a SYN-ACK is expected")?;
        ensure!(
            wire.last[47] == 0x12,
            "a SYN-ACK is expected, the flags are {:#x}",
            wire.last[47]
        );
        peer.seq += 1;
        peer.ack = u32::from_be_bytes([answer[0], answer[1], answer[2], answer[3]]).wrapping_add(1);
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
        bail!("usage: segments mkernel|smoltcp in|out COUNT");
    };
    let mut subject: Box<dyn Subject> = match subject.as_str() {
        "mkernel" => Box::new(Ours::new()?),
        "smoltcp" => Box::new(Smoltcp::new()?),
        other => bail!("no subject {other:?}: mkernel or smoltcp"),
    };
    let batches: usize = count.parse::<usize>().context(count.clone())? / BATCH;
    let mut peer = Peer::connect(subject.as_mut())?;
    let payload = [0x61; PAYLOAD];
    let mut wire = Wire::default();
    let mut frames = Vec::new();
    let mut data = Vec::new();
    match direction.as_str() {
        "in" => {
            for _ in 0..batches {
                let mut batch = Vec::new();
                for _ in 0..BATCH {
                    batch.push(peer.frame(0x10, &[], &payload));
                    peer.seq = peer.seq.wrapping_add(PAYLOAD as u32);
                }
                frames.push(batch);
            }
        }
        "out" => {
            data = vec![0x61; PAYLOAD];
            for batch in 0..batches {
                let mut acks = Vec::new();
                for _ in 0..if batch == 0 { 0 } else { BATCH / 2 } {
                    peer.ack = peer.ack.wrapping_add(2 * PAYLOAD as u32);
                    acks.push(peer.frame(0x10, &[], &[]));
                }
                frames.push(acks);
            }
        }
        other => bail!("no direction {other:?}: in or out"),
    }
    let octets = measured(subject.as_mut(), frames, &data, &mut wire);
    ensure!(
        octets == batches * BATCH * PAYLOAD,
        "{octets} octets went through, {} were meant to",
        batches * BATCH * PAYLOAD
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
