//! A TCP/IP stack on a network device of the unikernel.
//!
//! ```no_run
//! use mkernel::net::{self, Config, TcpListener};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! mkernel::run(async {
//!     let config = Config::default().address("10.0.0.2/24".parse()?);
//!     let stack = net::start(mkernel::net!("service")?, config)?;
//!     let listener = TcpListener::bind(&stack, ([0, 0, 0, 0], 80))?;
//!     let (stream, peer) = listener.accept().await?;
//!     println!("{peer}");
//!     Ok(())
//! })
//! # }
//! ```

use std::{
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use bytes::BytesMut;
use miou_rs::{Sleep, sleep_until};
pub use netstack::{
    self, AddressEvent, AddressEvents, Config, FrameDevice, Incoming, Ipv6, OwnedReadHalf,
    OwnedWriteHalf, ReadHalf, Resolver, Stack, TcpListener, TcpStream, UdpSocket, WriteHalf,
    copy_bidirectional,
    proto::ip::{Cidr, Route},
};
use netstack::{
    Received,
    proto::{
        self,
        interface::{HEADROOM, Joined, Run},
    },
};
use solo5_ffi::{Net, NetHeader};

use crate::{
    hypercalls::{Hypercalls, NetDevice},
    source::{Port, Solo5, source},
};

/// Octets of what is free that the stack leaves to the service; a quarter of
/// what is free, if that is less.
const SERVICE: usize = 1 << 20;
/// Octets that a task and its future take for each connection.
const TASK: usize = 1024;

/// What the stack may hold of `free` octets: five eighths of what it does not
/// leave to the service. The allocator needs a seventh more than it is asked
/// for, a table is there twice while it grows, and a service holds what it has
/// read and not yet written.
fn budget(free: usize) -> usize {
    (free - SERVICE.min(free / 4)) / 8 * 5
}

/// Starts a stack on `device`, driven by a task of its own, which goes on for as
/// long as somebody holds the stack, a socket or a stream of it, and until what
/// they had written is delivered; [`Stack::failure`] tells when the device
/// breaks. Unless `config`
/// says how many octets the stack may hold they follow from what is free of
/// the unikernel's heap now; and unless it says how many a service takes for
/// each connection they are 1,024.
///
/// # Errors
///
/// As [`Stack::new`].
///
/// # Panics
///
/// Outside of [`run`](crate::run).
pub fn start(device: Net, config: Config) -> io::Result<Stack> {
    start_on(&source(), device, config)
}

pub(crate) fn start_on<H: Hypercalls>(
    source: &Solo5<H>,
    device: H::Net,
    mut config: Config,
) -> io::Result<Stack> {
    // With offload its buffers are large: they are no longer free.
    let device = Device::new(source.add(device));
    let tcp = &mut config.tcp;
    tcp.memory
        .get_or_insert_with(|| budget(nolibc::free_memory()));
    if tcp.application_octets == 0 {
        tcp.application_octets = TASK;
    }
    let spawn = |runner| miou_rs::spawn_driver("network", runner);
    Stack::start(device, Alarm::default(), config, spawn)
}

/// A device of the unikernel, as the stack wants it.
struct Device<N> {
    port: Rc<Port<N>>,
    /// A frame on its way out, behind a header that asks for nothing; empty without offload.
    outgoing: Vec<u8>,
}

impl<N: NetDevice> Device<N> {
    fn new(port: Rc<Port<N>>) -> Self {
        let outgoing = match port.net().has_offload() {
            true => vec![0; NetHeader::SIZE + port.net().max_frame()],
            false => Vec::new(),
        };
        Self { port, outgoing }
    }
}

impl<N: NetDevice> FrameDevice for Device<N> {
    fn mtu(&self) -> usize {
        self.port.net().mtu()
    }

    fn mac(&self) -> proto::link::ethernet::MacAddr {
        self.port.net().mac_address().into()
    }

    fn try_read(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Received>> {
        let Some(length) = self.port.read(buffer).map_err(io::Error::other)? else {
            return Ok(None);
        };
        if !self.offload() {
            return Ok(Some(Received::unchecked(length)));
        }
        let header = buffer.first_chunk().map(NetHeader::from_bytes);
        let header = header.unwrap_or_default();
        let checksummed = header.flags & (NetHeader::NEEDS_CSUM | NetHeader::DATA_VALID) != 0;
        let joined = (header.gso_type == NetHeader::GSO_UDP).then_some(Joined {
            transport: header.csum_start.into(),
            segment: header.gso_size,
        });
        Ok(Some(Received {
            frame: NetHeader::SIZE.min(length)..length,
            checksummed,
            joined,
        }))
    }

    fn write(&mut self, frame: &[u8]) -> io::Result<()> {
        let frame = match self.offload() {
            true => {
                let length = NetHeader::SIZE + frame.len();
                self.outgoing[NetHeader::SIZE..length].copy_from_slice(frame);
                &self.outgoing[..length]
            }
            false => frame,
        };
        self.port.net().write(frame).map_err(io::Error::other)
    }

    fn poll_readable(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.port.is_readable() {
            return Poll::Ready(Ok(()));
        }
        self.port.wake_when_readable(context.waker());
        Poll::Pending
    }

    fn offload(&self) -> bool {
        !self.outgoing.is_empty()
    }

    fn offload_v6(&self) -> bool {
        self.port.net().has_offload_v6()
    }

    fn offload_udp(&self) -> bool {
        self.port.net().has_offload_udp()
    }

    fn buffer_size(&self) -> usize {
        self.port.net().read_size()
    }

    fn write_run(&mut self, buffer: &mut [u8], run: &Run) -> io::Result<()> {
        let header = NetHeader {
            flags: NetHeader::NEEDS_CSUM,
            gso_type: match (run.udp, run.ipv6) {
                (true, _) => NetHeader::GSO_UDP,
                (false, false) => NetHeader::GSO_TCPV4,
                (false, true) => NetHeader::GSO_TCPV6,
            },
            hdr_len: run.header_len as u16,
            gso_size: run.segment,
            csum_start: run.transport as u16,
            // RFC 768, RFC 9293 §3.1: where the checksum is in the header.
            csum_offset: if run.udp { 6 } else { 16 },
        };
        let whole = &mut buffer[HEADROOM - NetHeader::SIZE..];
        whole[..NetHeader::SIZE].copy_from_slice(&header.to_bytes());
        self.port.net().write(whole).map_err(io::Error::other)
    }
}

/// The scheduler's clock and one of its alarms.
#[derive(Default)]
struct Alarm(Option<Sleep>);

impl netstack::Timer for Alarm {
    fn now(&self) -> proto::Instant {
        proto::Instant::from_nanos(miou_rs::Instant::now().as_nanos())
    }

    fn poll_until(&mut self, context: &mut Context<'_>, deadline: proto::Instant) -> Poll<()> {
        let deadline = miou_rs::Instant::from_nanos(deadline.as_nanos());
        let sleep = self.0.get_or_insert_with(|| sleep_until(deadline));
        if sleep.deadline() != deadline {
            sleep.reset(deadline);
        }
        Pin::new(sleep).poll(context)
    }
}

#[cfg(test)]
mod tests;
