//! smoltcp as an endpoint.

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp::{CongestionControl, Socket, SocketBuffer};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, IpCidr, Ipv4Address};

use crate::endpoint::{Endpoint, Frames, MTU, PIECE, PORT, Role};

/// The buffers of smoltcp's own examples, each way.
const DEFAULT_BUFFER: usize = 65_535;

pub struct Theirs {
    interface: Interface,
    set: SocketSet<'static>,
    handle: SocketHandle,
    wire: Wire,
    data: Vec<u8>,
}

/// Frames in and out.
#[derive(Default)]
struct Wire {
    arrived: Frames,
    /// How many of those were taken.
    taken: usize,
    sent: Frames,
}

struct Arrived<'a>(&'a [u8]);
struct Leaving<'a>(&'a mut Frames);

impl RxToken for Arrived<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

impl TxToken for Leaving<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        f(self.0.add(len))
    }
}

impl Device for Wire {
    type RxToken<'a> = Arrived<'a>;
    type TxToken<'a> = Leaving<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Arrived<'_>, Leaving<'_>)> {
        let frame = self.arrived.get(self.taken)?;
        self.taken += 1;
        Some((Arrived(frame), Leaving(&mut self.sent)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Leaving<'_>> {
        Some(Leaving(&mut self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = MTU + 14;
        capabilities
    }
}

fn instant(nanos: u64) -> Instant {
    Instant::from_micros(nanos as i64 / 1000)
}

impl Theirs {
    /// With the default settings, or, with a size of buffers, CUBIC and no delayed
    /// acknowledgements.
    pub fn new(role: Role, tuned: Option<usize>) -> Self {
        let mut wire = Wire::default();
        let mut config = Config::new(EthernetAddress(role.mac()).into());
        config.random_seed = role.0 as u64 + 1;
        let mut interface = Interface::new(config, &mut wire, instant(0));
        interface.update_ip_addrs(|addresses| {
            let [a, b, c, d] = role.address();
            // The list is empty and has room for one.
            let _ = addresses.push(IpCidr::new(Ipv4Address::new(a, b, c, d).into(), 24));
        });
        let storage = || SocketBuffer::new(vec![0; tuned.unwrap_or(DEFAULT_BUFFER)]);
        let mut socket = Socket::new(storage(), storage());
        if tuned.is_some() {
            socket.set_congestion_control(CongestionControl::Cubic);
            socket.set_ack_delay(None);
        }
        if role.0 == 1 {
            socket.listen(PORT).expect("a port");
        } else {
            let [a, b, c, d] = role.peer().address();
            let peer = (Ipv4Address::new(a, b, c, d), PORT);
            socket
                .connect(interface.context(), peer, 49_152)
                .expect("a peer");
        }
        let mut set = SocketSet::new(vec![]);
        let handle = set.add(socket);
        Self {
            interface,
            set,
            handle,
            wire,
            data: vec![b'm'; PIECE],
        }
    }
}

impl Endpoint for Theirs {
    fn receive(&mut self, now: u64, frames: &Frames) {
        self.wire.arrived.clear();
        self.wire.taken = 0;
        for frame in frames.iter() {
            self.wire.arrived.push(frame);
        }
        self.interface
            .poll(instant(now), &mut self.wire, &mut self.set);
    }

    fn poll(&mut self, now: u64, sent: &mut Frames) {
        self.interface
            .poll(instant(now), &mut self.wire, &mut self.set);
        for frame in self.wire.sent.iter() {
            sent.push(frame);
        }
        self.wire.sent.clear();
    }

    fn poll_at(&mut self, now: u64) -> Option<u64> {
        let at = self.interface.poll_at(instant(now), &self.set)?;
        // Its clock ticks in microseconds: not before the next one.
        Some((at.total_micros() as u64 * 1000).max(now))
    }

    fn write(&mut self, _: u64) {
        let socket = self.set.get_mut::<Socket>(self.handle);
        while socket.can_send() && socket.send_slice(&self.data).is_ok_and(|sent| sent > 0) {}
    }

    fn read(&mut self, _: u64) -> usize {
        let socket = self.set.get_mut::<Socket>(self.handle);
        let mut count = 0;
        while socket.can_recv() {
            count += socket.recv_slice(&mut self.data).expect("readable");
        }
        count
    }
}
