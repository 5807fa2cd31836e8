//! The services of `examples/inetd` over smoltcp on a TAP interface.
//!
//! `peer-smoltcp TAP ADDRESS SOCKETS BUFFER`: `SOCKETS` sockets listen on the
//! echo port, at most 8 on each other one, with `BUFFER` bytes each way. smoltcp has no backlog, so this is the
//! greatest number of connections at once.

use std::{env, net::Ipv4Addr, os::fd::AsRawFd};

use anyhow::{Context, Result, anyhow, bail};
use smoltcp::{
    iface::{Config, Interface, SocketHandle, SocketSet},
    phy::{Medium, TunTapInterface, wait},
    socket::tcp::{CongestionControl, Socket, SocketBuffer},
    time::Instant,
    wire::{EthernetAddress, IpCidr},
};

#[derive(Clone, Copy)]
enum Service {
    Echo,
    Discard,
    Chargen,
}

const SERVICES: [(u16, Service); 3] = [
    (3000, Service::Echo),
    (3009, Service::Discard),
    (3019, Service::Chargen),
];

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [tap, address, echo_sockets, buffer] = arguments.as_slice() else {
        bail!("usage: peer-smoltcp TAP ADDRESS SOCKETS BUFFER");
    };
    let address: Ipv4Addr = address.parse().context(address.clone())?;
    let echo_sockets: usize = echo_sockets.parse().context(echo_sockets.clone())?;
    let buffer: usize = buffer.parse().context(buffer.clone())?;

    let mut device = TunTapInterface::new(tap, Medium::Ethernet)?;
    let config = Config::new(EthernetAddress([2, 0, 0, 0, 0, 1]).into());
    let mut interface = Interface::new(config, &mut device, Instant::now());
    interface.update_ip_addrs(|addresses| {
        // The list is empty and has room for one.
        let _ = addresses.push(IpCidr::new(address.into(), 24));
    });

    let mut set = SocketSet::new(vec![]);
    let mut served: Vec<(SocketHandle, u16, Service)> = Vec::new();
    for (port, service) in SERVICES {
        let sockets = match service {
            Service::Echo => echo_sockets,
            _ => echo_sockets.min(8),
        };
        for _ in 0..sockets {
            let storage = || SocketBuffer::new(vec![0; buffer]);
            let mut socket = Socket::new(storage(), storage());
            socket.set_nagle_enabled(false);
            socket.set_ack_delay(None);
            socket.set_congestion_control(CongestionControl::Cubic);
            served.push((set.add(socket), port, service));
        }
    }
    let mut scratch = vec![b'm'; buffer];
    loop {
        let now = Instant::now();
        interface.poll(now, &mut device, &mut set);
        let mut moved = false;
        for (handle, port, service) in &served {
            moved |= serve(set.get_mut(*handle), *port, *service, &mut scratch)
                .map_err(|error| anyhow!("port {port}: {error}"))?;
        }
        if moved {
            // What was written or freed may let segments out at once.
            continue;
        }
        let delay = interface.poll_delay(Instant::now(), &set);
        wait(device.as_raw_fd(), delay)?;
    }
}

/// One turn of a service on its socket; true if bytes moved or the state changed.
fn serve(socket: &mut Socket, port: u16, service: Service, scratch: &mut [u8]) -> Result<bool> {
    if !socket.is_open() {
        socket.listen(port).map_err(|error| anyhow!("{error}"))?;
        return Ok(true);
    }
    let mut moved = false;
    match service {
        Service::Echo => {
            while socket.can_recv() && socket.can_send() {
                let read = socket
                    .peek_slice(scratch)
                    .map_err(|error| anyhow!("{error:?}"))?;
                let taken = socket
                    .send_slice(&scratch[..read])
                    .map_err(|error| anyhow!("{error}"))?;
                let mut left = taken;
                while left > 0 {
                    left -= socket
                        .recv(|received| (left.min(received.len()), left.min(received.len())))
                        .map_err(|error| anyhow!("{error:?}"))?;
                }
                moved |= taken > 0;
            }
        }
        Service::Discard => {
            while socket.can_recv() {
                moved |= socket
                    .recv(|received| (received.len(), received.len()))
                    .map_err(|error| anyhow!("{error:?}"))?
                    > 0;
            }
        }
        Service::Chargen => {
            while socket.can_send() {
                moved |= socket
                    .send_slice(scratch)
                    .map_err(|error| anyhow!("{error}"))?
                    > 0;
            }
        }
    }
    if socket.may_send()
        && !socket.may_recv()
        && socket.recv_queue() == 0
        && is_past_handshake(socket)
    {
        socket.close();
        moved = true;
    }
    Ok(moved)
}

fn is_past_handshake(socket: &Socket) -> bool {
    use smoltcp::socket::tcp::State;
    !matches!(
        socket.state(),
        State::Listen | State::SynReceived | State::SynSent
    )
}
