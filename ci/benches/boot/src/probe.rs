//! The moment at which a server answers, seen from the other end of its interface.
//!
//! A packet socket past the kernel's protocols, on a CPU of its own that never sleeps, asks again every 100 µs until
//! there is an answer: first, by ARP, who has the server's address; then, by a SYN, for a connection to its port;
//! then, on this connection, for an answer of the service. What comes too early is lost or refused, and neither
//! helps nor hinders anybody.
//!
//! For Linux the kernel answers ARP as soon as the address is there, whether a server runs or not. So *the first
//! packet answered* is for everybody the SYN: the first that a client can use.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bench_common::PacketSocket;
use etherparse::{
    ArpHardwareId, ArpOperation, ArpPacket, EtherType, NetSlice, PacketBuilder, SlicedPacket,
    TcpHeader, TcpHeaderSlice, TcpOptionElement, TransportSlice,
};

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];
const PORT: u16 = 40_000;
const SEQ: u32 = 1000;
const INTERVAL: Duration = Duration::from_micros(100);
/// A server that has taken the request is not to be given it again while it works.
const REPEAT: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(20);

/// Since the start.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub arp: Duration,
    pub syn_ack: Duration,
    pub answer: Duration,
}

/// What a service is asked, and how its answer begins.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    pub port: u16,
    pub request: &'static [u8],
    pub answer: &'static [u8],
}

/// One that asks.
struct Probe {
    socket: PacketSocket,
    number: u8,
    question: Question,
    /// The server's, once it is known.
    mac: [u8; 6],
    /// What is sent again and again.
    frame: Vec<u8>,
}

/// Asks the server on network `number` behind `link`, which is at 10.0.NUMBER.2, until it has answered everything.
pub fn ask(link: &str, number: u8, started: Instant, question: Question) -> Result<Times> {
    let mut probe = Probe {
        socket: PacketSocket::open(link)?,
        number,
        question,
        mac: [0; 6],
        frame: Vec::new(),
    };
    probe.frame = probe.arp_request()?;
    let reply = probe.until(INTERVAL, started, Probe::arp_reply)?;
    let arp = started.elapsed();
    probe.mac = reply;
    probe.frame = probe.segment(|tcp| tcp.syn = true, &[])?;
    let ack = probe.until(INTERVAL, started, Probe::syn_ack)?;
    let syn_ack = started.elapsed();
    let acknowledge = |tcp: &mut TcpHeader| {
        tcp.sequence_number = SEQ + 1;
        (tcp.ack, tcp.acknowledgment_number) = (true, ack);
    };
    probe.frame = probe.segment(
        |tcp| {
            acknowledge(tcp);
            tcp.psh = true;
        },
        question.request,
    )?;
    probe.until(REPEAT, started, Probe::answer)?;
    let answer = started.elapsed();
    let times = Times {
        arp,
        syn_ack,
        answer,
    };
    // So that the server is rid of it.
    let reset = probe.segment(|tcp| tcp.rst = true, &[])?;
    probe.socket.try_send(&reset);
    Ok(times)
}

impl Probe {
    fn ours(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, self.number, 9)
    }

    fn theirs(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, self.number, 2)
    }

    /// Sends the frame every `interval` until a frame comes that `wanted` finds something in.
    fn until<T>(
        &self,
        interval: Duration,
        started: Instant,
        wanted: fn(&Self, &SlicedPacket<'_>) -> Option<T>,
    ) -> Result<T> {
        let mut buffer = [0; 65_536];
        let mut due = Instant::now();
        loop {
            let now = Instant::now();
            ensure!(
                now < started + PATIENCE,
                "no answer from {} within {PATIENCE:?}",
                self.theirs()
            );
            if now >= due {
                // Lost while the interface has no other end.
                self.socket.try_send(&self.frame);
                due = now + interval;
            }
            let Some(length) = self.socket.receive(&mut buffer, 0)? else {
                continue;
            };
            let Ok(packet) = SlicedPacket::from_ethernet(&buffer[..length]) else {
                continue;
            };
            if let Some(found) = wanted(self, &packet) {
                return Ok(found);
            }
            if let Some(reply) = self.reply_to_arp(&packet)? {
                self.socket.try_send(&reply);
            }
        }
    }

    fn arp_request(&self) -> Result<Vec<u8>> {
        self.arp(ArpOperation::REQUEST, [0xff; 6], [0; 6])
    }

    fn arp(&self, operation: ArpOperation, to: [u8; 6], target: [u8; 6]) -> Result<Vec<u8>> {
        let message = ArpPacket::new(
            ArpHardwareId::ETHERNET,
            EtherType::IPV4,
            operation,
            &MAC,
            &self.ours().octets(),
            &target,
            &self.theirs().octets(),
        )?;
        let mut frame = Vec::new();
        PacketBuilder::ethernet2(MAC, to)
            .arp(message)
            .write_to_vec(&mut frame)?;
        Ok(frame)
    }

    /// The server's hardware address.
    fn arp_reply(&self, packet: &SlicedPacket<'_>) -> Option<[u8; 6]> {
        let Some(NetSlice::Arp(message)) = &packet.net else {
            return None;
        };
        let wanted = message.operation() == ArpOperation::REPLY
            && message.sender_protocol_addr() == self.theirs().octets();
        wanted.then(|| message.sender_hw_addr().try_into().ok())?
    }

    /// What a server that asks for our address is told.
    fn reply_to_arp(&self, packet: &SlicedPacket<'_>) -> Result<Option<Vec<u8>>> {
        let Some(NetSlice::Arp(message)) = &packet.net else {
            return Ok(None);
        };
        let asked = message.operation() == ArpOperation::REQUEST
            && message.target_protocol_addr() == self.ours().octets();
        let asker: Option<[u8; 6]> = message.sender_hw_addr().try_into().ok();
        let asker = asker.filter(|_| asked);
        asker
            .map(|asker| self.arp(ArpOperation::REPLY, asker, asker))
            .transpose()
    }

    fn segment(&self, change: impl FnOnce(&mut TcpHeader), payload: &[u8]) -> Result<Vec<u8>> {
        let mut tcp = TcpHeader::new(PORT, self.question.port, SEQ, u16::MAX);
        change(&mut tcp);
        if tcp.syn {
            tcp.set_options(&[TcpOptionElement::MaximumSegmentSize(1460)])?;
        }
        let mut frame = Vec::new();
        PacketBuilder::ethernet2(MAC, self.mac)
            .ipv4(self.ours().octets(), self.theirs().octets(), 64)
            .tcp_header(tcp)
            .write_to_vec(&mut frame, payload)?;
        Ok(frame)
    }

    /// What is to be acknowledged of the server's.
    fn syn_ack(&self, packet: &SlicedPacket<'_>) -> Option<u32> {
        let (tcp, _) = self.received(packet)?;
        (tcp.syn() && tcp.ack()).then(|| tcp.sequence_number().wrapping_add(1))
    }

    fn answer(&self, packet: &SlicedPacket<'_>) -> Option<()> {
        let (_, payload) = self.received(packet)?;
        payload.starts_with(self.question.answer).then_some(())
    }

    /// A segment of our connection.
    fn received<'a>(&self, packet: &SlicedPacket<'a>) -> Option<(TcpHeaderSlice<'a>, &'a [u8])> {
        let Some(TransportSlice::Tcp(tcp)) = &packet.transport else {
            return None;
        };
        let header = TcpHeaderSlice::from_slice(tcp.header_slice()).ok()?;
        let ports = (header.source_port(), header.destination_port());
        (ports == (self.question.port, PORT)).then(|| (header, tcp.payload()))
    }
}
