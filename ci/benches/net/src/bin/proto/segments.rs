//! A connection with a peer that costs next to nothing, for counting instructions.

use anyhow::{Context, Result, bail, ensure};

use crate::endpoint::{Endpoint, Frames, PORT, Role, make};

const PAYLOAD: usize = 1460;
/// Segments that arrive between two polls.
const BATCH: usize = 16;
/// Time between two batches.
const GAP: u64 = 100_000;
const TCP: usize = 34;
const HEADERS: usize = 54;

/// The peer: it makes frames by hand.
struct Peer {
    sequence: u32,
    /// The next octet that we expect.
    next: u32,
    /// A full segment, to be copied and numbered.
    template: Vec<u8>,
    /// Sum of the template's words, but for its numbers.
    sum: u32,
    /// A segment without data, to be numbered.
    empty: Vec<u8>,
    empty_sum: u32,
}

pub fn run(subject: &str, direction: &str, count: usize) -> Result<()> {
    let mut peer = Peer::new();
    if subject == "none" {
        peer.connect_to(0);
        // The copies that a device makes are not a stack's either: the frame's way in, or out.
        let (mut frames, mut device) = (Frames::default(), Frames::default());
        for n in 0..count {
            match direction {
                "in" => peer.data(&mut frames),
                _ => device.push(&peer.template),
            }
            if direction == "out" && n % 2 == 1 {
                // Every second segment is acknowledged.
                peer.acknowledge(2 * PAYLOAD, &mut frames);
            }
            if n % BATCH == BATCH - 1 {
                frames.iter().for_each(|frame| device.push(frame));
                std::hint::black_box(&mut device).clear();
                frames.clear();
            }
        }
        return Ok(());
    }
    let mut stack = make(subject, Role(1))?;
    let now = handshake(stack.as_mut(), &mut peer)?;
    match direction {
        "in" => receive(stack.as_mut(), &mut peer, now, count),
        "out" => send(stack.as_mut(), &mut peer, now, count),
        _ => bail!("{direction}: expected in or out"),
    }
}

fn handshake(stack: &mut dyn Endpoint, peer: &mut Peer) -> Result<u64> {
    let (mut frames, mut now) = (Frames::default(), 0);
    frames.push(&arp_request());
    frames.push(&peer.syn());
    stack.receive(now, &frames);
    frames.clear();
    for _ in 0..10 {
        stack.poll(now, &mut frames);
        now += GAP;
    }
    let flags = |frame: &&[u8]| frame.get(TCP + 13) == Some(&0x12);
    let syn_ack = frames.iter().find(flags).context("no SYN-ACK came")?;
    let sequence = &syn_ack[TCP + 4..TCP + 8];
    peer.connect_to(u32::from_be_bytes(sequence.try_into()?));
    frames.clear();
    peer.acknowledge(0, &mut frames);
    stack.receive(now, &frames);
    stack.poll(now, &mut frames);
    ensure!(stack.read(now) == 0, "nothing was sent yet");
    Ok(now)
}

fn receive(stack: &mut dyn Endpoint, peer: &mut Peer, mut now: u64, count: usize) -> Result<()> {
    let (mut frames, mut octets) = (Frames::default(), 0);
    for _ in 0..count / BATCH {
        frames.clear();
        (0..BATCH).for_each(|_| peer.data(&mut frames));
        stack.receive(now, &frames);
        octets += stack.read(now);
        frames.clear();
        stack.poll(now, &mut frames);
        now += GAP;
    }
    ensure!(
        octets == count / BATCH * BATCH * PAYLOAD,
        "{octets} octets arrived"
    );
    Ok(())
}

fn send(stack: &mut dyn Endpoint, peer: &mut Peer, mut now: u64, count: usize) -> Result<()> {
    let (mut sent, mut answers) = (Frames::default(), Frames::default());
    let (mut segments, mut pending, mut idle) = (0, 0, 0);
    while segments < count {
        stack.write(now);
        sent.clear();
        stack.poll(now, &mut sent);
        idle += 1;
        ensure!(idle < 10_000, "it stopped after {segments} segments");
        answers.clear();
        for frame in sent.iter().filter(|frame| frame.len() > HEADERS) {
            (segments, idle) = (segments + 1, 0);
            pending += frame.len() - HEADERS;
            if pending >= 2 * PAYLOAD {
                peer.acknowledge(core::mem::take(&mut pending), &mut answers);
            }
        }
        if idle > 0 && pending > 0 {
            // A lone segment, after a while.
            peer.acknowledge(core::mem::take(&mut pending), &mut answers);
        }
        stack.receive(now, &answers);
        now += GAP;
    }
    Ok(())
}

fn arp_request() -> Vec<u8> {
    let (us, them) = (Role(0), Role(1));
    let mut frame = [
        &[0xff; 6],
        us.mac().as_slice(),
        &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1],
    ]
    .concat();
    frame.extend(
        us.mac()
            .iter()
            .chain(&us.address())
            .chain(&[0; 6])
            .chain(&them.address()),
    );
    frame
}

impl Peer {
    fn new() -> Self {
        Self {
            sequence: 1000,
            next: 0,
            template: Vec::new(),
            sum: 0,
            empty: Vec::new(),
            empty_sum: 0,
        }
    }

    /// A SYN with maximum segment size 1460 and a window scale of 7, without timestamps.
    fn syn(&mut self) -> Vec<u8> {
        let frame = frame(self.sequence, 0, 0x02, &[2, 4, 5, 180, 1, 3, 3, 7], &[]);
        self.sequence += 1;
        frame
    }

    fn connect_to(&mut self, sequence: u32) {
        self.next = sequence.wrapping_add(1);
        let checksum =
            |frame: &[u8]| u32::from(!u16::from_be_bytes([frame[TCP + 16], frame[TCP + 17]]));
        self.template = frame(0, self.next, 0x10, &[], &[b'm'; PAYLOAD]);
        self.sum = checksum(&self.template);
        self.empty = frame(self.sequence, 0, 0x10, &[], &[]);
        self.empty_sum = checksum(&self.empty);
    }

    /// The next full segment. Only its number and checksum are made anew, so that making it costs
    /// little beside handling it.
    fn data(&mut self, frames: &mut Frames) {
        let frame = frames.add(HEADERS + PAYLOAD);
        frame.copy_from_slice(&self.template);
        let sequence = self.sequence;
        frame[TCP + 4..TCP + 8].copy_from_slice(&sequence.to_be_bytes());
        let checksum = fold(self.sum + (sequence >> 16) + (sequence & 0xffff));
        frame[TCP + 16..TCP + 18].copy_from_slice(&checksum.to_be_bytes());
        self.sequence = sequence.wrapping_add(PAYLOAD as u32);
    }

    /// Acknowledges `octets` more.
    fn acknowledge(&mut self, octets: usize, frames: &mut Frames) {
        self.next = self.next.wrapping_add(octets as u32);
        let frame = frames.add(HEADERS);
        frame.copy_from_slice(&self.empty);
        frame[TCP + 8..TCP + 12].copy_from_slice(&self.next.to_be_bytes());
        let checksum = fold(self.empty_sum + (self.next >> 16) + (self.next & 0xffff));
        frame[TCP + 16..TCP + 18].copy_from_slice(&checksum.to_be_bytes());
    }
}

fn fold(mut sum: u32) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

fn sum(bytes: &[u8]) -> u32 {
    bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |b| (*b).into()))
        .sum()
}

/// A segment from end 0 to end 1.
fn frame(sequence: u32, acknowledgment: u32, flags: u8, options: &[u8], data: &[u8]) -> Vec<u8> {
    let (us, them) = (Role(0), Role(1));
    let tcp_len = 20 + options.len() + data.len();
    let total = (20 + tcp_len) as u16;
    let mut ip = [0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0].to_vec();
    ip[2..4].copy_from_slice(&total.to_be_bytes());
    ip.extend(us.address().iter().chain(&them.address()));
    let checksum = fold(sum(&ip));
    ip[10..12].copy_from_slice(&checksum.to_be_bytes());
    let mut tcp = [40_000u16.to_be_bytes(), PORT.to_be_bytes()].concat();
    tcp.extend(
        sequence
            .to_be_bytes()
            .iter()
            .chain(&acknowledgment.to_be_bytes()),
    );
    tcp.extend([
        (5 + options.len() as u8 / 4) << 4,
        flags,
        0xff,
        0xff,
        0,
        0,
        0,
        0,
    ]);
    tcp.extend(options.iter().chain(data));
    let pseudo = sum(&us.address()) + sum(&them.address()) + 6 + tcp_len as u32;
    let checksum = fold(pseudo + sum(&tcp));
    tcp[16..18].copy_from_slice(&checksum.to_be_bytes());
    [them.mac().as_slice(), &us.mac(), &[8, 0], &ip, &tcp].concat()
}
