//! A packet socket on the interface that a unikernel is connected to.

use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, bind, recv, send,
    setsockopt, socket, sockopt,
};

use super::wire::{Arp, Datagram, Mac, Packet, Protocol, Received, Segment};

/// Sends frames to the unikernel, no faster than it is told to, and receives those that the unikernel sends.
#[derive(Debug)]
pub struct Link {
    socket: OwnedFd,
    host: Mac,
    guest: Mac,
    interval: Duration,
    /// When the next frame is due.
    next: Instant,
    sent: u64,
    identification: u16,
    buffer: Vec<u8>,
    /// So much of the buffer is not zero.
    filled: usize,
}

/// So much of a received frame is kept: the headers of all layers with all their options, and a little data.
const KEPT: usize = 256;

/// What a TAP interface passes on at once may be longer than a frame (segmentation offload).
const LONGEST: usize = 1 << 16;

/// How far sending may run ahead of the rate before it sleeps, which is never for less.
const AHEAD: Duration = Duration::from_millis(2);

impl Link {
    /// The data of a full fragment, over either family.
    pub const FRAGMENT: usize = 1448;

    /// Opens `interface`, at whose other end is the unikernel with the hardware address `guest`.
    ///
    /// Sends 20,000 frames a second at most: enough for an attack, and well below what would fill the interface's queue
    /// and starve honest clients of nothing but places in it. [`Link::pace`] sets another rate.
    pub fn open(interface: &str, guest: Mac) -> Self {
        let address = link_address(interface);
        let host = address.addr().expect("Ethernet has addresses");
        let socket = socket(
            AddressFamily::Packet,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::EthAll,
        )
        .unwrap_or_else(|error| panic!("no packet socket, which needs root: {error}"));
        bind(socket.as_raw_fd(), &address)
            .unwrap_or_else(|error| panic!("cannot bind to {interface}: {error}"));
        // Without the capability in the first user namespace the kernel's default must do.
        let _ = setsockopt(&socket, sockopt::RcvBufForce, &(64 << 20));
        Self {
            socket,
            host,
            guest,
            interval: Duration::from_micros(50),
            next: Instant::now(),
            sent: 0,
            identification: 0,
            buffer: vec![0; LONGEST + 64],
            filled: 0,
        }
    }

    /// Sends so many frames a second at most from now on.
    pub fn pace(&mut self, frames_per_second: u32) {
        self.interval = Duration::from_secs(1) / frames_per_second;
    }

    /// The hardware address of the host's side.
    pub fn host(&self) -> Mac {
        self.host
    }

    /// How many frames have been sent.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// How many frames may be sent in `time`.
    pub fn frames_in(&self, time: Duration) -> usize {
        (time.as_nanos() / self.interval.as_nanos()) as usize
    }

    /// Sends a frame, in its time; waits while the interface's queue is full. A frame that is not taken is lost, as on
    /// any network.
    pub fn frame(&mut self, frame: &[u8]) {
        let now = Instant::now();
        self.next = self.next.max(now);
        if self.next > now + AHEAD {
            thread::sleep(self.next - now);
        }
        self.next += self.interval;
        for _ in 0..1000 {
            match send(self.socket.as_raw_fd(), frame, MsgFlags::empty()) {
                Err(Errno::ENOBUFS | Errno::EAGAIN) => thread::sleep(Duration::from_millis(1)),
                Ok(_) => {
                    self.sent += 1;
                    return;
                }
                Err(_) => return,
            }
        }
    }

    fn ethernet(&mut self, to: Mac, ether_type: u16, payload: &[u8]) {
        let mut frame = Vec::with_capacity(14 + payload.len());
        frame.extend(to);
        frame.extend(self.host);
        frame.extend(ether_type.to_be_bytes());
        frame.extend(payload);
        frame.resize(frame.len().max(60), 0);
        self.frame(&frame);
    }

    /// Sends a packet to the unikernel's hardware address.
    pub fn packet(&mut self, packet: &Packet<'_>) {
        self.ethernet(self.guest, packet.ether_type(), &packet.octets());
    }

    /// Sends what may be longer than a frame as fragments of [`Self::FRAGMENT`] octets each, in order.
    pub fn fragments(&mut self, from: IpAddr, to: IpAddr, protocol: Protocol, payload: &[u8]) {
        let identification = self.next_identification();
        let count = payload.len().div_ceil(Self::FRAGMENT);
        for (number, piece) in payload.chunks(Self::FRAGMENT).enumerate() {
            self.packet(&Packet {
                from,
                to,
                protocol,
                identification,
                offset: number * Self::FRAGMENT,
                more: number + 1 < count,
                payload: piece,
            });
        }
    }

    /// Sends a TCP segment.
    pub fn segment(&mut self, segment: &Segment<'_>) {
        let (from, to) = (segment.from.ip(), segment.to.ip());
        self.whole(from, to, Protocol::TCP, &segment.octets());
    }

    /// Sends a UDP datagram.
    pub fn datagram(&mut self, datagram: &Datagram<'_>) {
        let (from, to) = (datagram.from.ip(), datagram.to.ip());
        self.whole(from, to, Protocol::UDP, &datagram.octets());
    }

    /// Sends a packet that is not fragmented.
    pub fn whole(&mut self, from: IpAddr, to: IpAddr, protocol: Protocol, payload: &[u8]) {
        let identification = self.next_identification();
        self.packet(&Packet {
            from,
            to,
            protocol,
            identification,
            offset: 0,
            more: false,
            payload,
        });
    }

    /// Sends an ARP message, a request to all.
    pub fn arp(&mut self, message: &Arp) {
        let to = if message.reply { self.guest } else { [0xff; 6] };
        self.ethernet(to, 0x0806, &message.octets());
    }

    fn next_identification(&mut self) -> u16 {
        self.identification = self.identification.wrapping_add(1);
        self.identification
    }

    /// The next packet of the unikernel's that waits or comes `within` this time.
    pub fn receive(&mut self, within: Duration) -> Option<Received<'_>> {
        let deadline = Instant::now() + within;
        loop {
            if self.next_frame() {
                // Parsed twice, as the borrow must not outlive this turn of the loop.
                if Received::parse(&self.buffer).is_some() {
                    return Received::parse(&self.buffer);
                }
                continue;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let mut waiting = [PollFd::new(
                std::os::fd::AsFd::as_fd(&self.socket),
                PollFlags::POLLIN,
            )];
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            if left.is_zero() || poll(&mut waiting, timeout) == Ok(0) {
                return None;
            }
        }
    }

    /// Takes one frame, which may be anybody's, into the buffer; says whether it is the unikernel's.
    fn next_frame(&mut self) -> bool {
        loop {
            self.buffer[..self.filled].fill(0);
            self.filled = 0;
            let buffer = &mut self.buffer[..KEPT];
            let Ok(length) = recv(self.socket.as_raw_fd(), buffer, MsgFlags::empty()) else {
                return false;
            };
            self.filled = length.min(KEPT);
            if self.buffer[6..12] == self.guest {
                return true;
            }
        }
    }
}

fn link_address(interface: &str) -> LinkAddr {
    let addresses = getifaddrs().expect("the interfaces of this namespace");
    addresses
        .filter(|address| address.interface_name == interface)
        .find_map(|address| address.address?.as_link_addr().copied())
        .unwrap_or_else(|| panic!("there is no interface {interface}"))
}
